# SPDX-License-Identifier: MIT
"""
What is measured of each contender: one function for each row.

A row takes a contender and gives a dict: "value" is what stands in the
table, the rest goes to the JSON and to the bars. None: it does not apply.
"""

import contextlib
import dataclasses
import json
import os
import re
import subprocess
import time
import typing

from contenders import FORWARD_PORT, LOAD, join, open_tap, quick_ports
from scene import FAR4, Netns, sh

IPERF_PORT, LOAD_PORT = 5201, 5202      # of bulk: the one after it
FAR_AWAY4 = "198.51.100.2"      # the world's, behind a delay
GIB = 1 << 30
TICKS = os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Row:
    """One line of the table."""
    name: str
    unit: str
    run: typing.Callable
    mtu: int | None = None              # None: each one's own default
    only: typing.Callable = lambda kind: not kind.machine
    digits: int = 2


def cpu_seconds(pids):
    """User and system time that these processes have used."""
    used = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        used += int(fields[11]) + int(fields[12])
    return used / TICKS


def anonymous_kib(pids):
    """RssAnon: memory that is its own, in KiB."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status") as f:
            total += int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1))
    return total


@contextlib.contextmanager
def serving(netns, argv):
    """A server there that has said that it listens."""
    with netns:
        server = subprocess.Popen(argv, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True,
                                  start_new_session=True)
    for line in server.stdout:
        if "listening" in line:
            break
    try:
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, 9)
        server.wait()
        server.stdout.close()


def cubic():
    """The same congestion control for all: the kernel's own default."""
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        return ["-C", "cubic"] if f.read().strip() == "cubic" else []


def iperf3(start, relays, seconds, *options, address=FAR4,
           port=IPERF_PORT):
    """Gbit/s at the receiver, and what the relays used for it."""
    before = cpu_seconds(relays)
    client = start(["timeout", str(seconds + 20), "iperf3", "-J", "-c",
                    address, "-p", str(port), "-t", str(seconds), *cubic(),
                    *options], stdout=subprocess.PIPE)
    text = client.communicate()[0]
    try:
        end = json.loads(text)["end"]
        got, sent = end["sum_received"], end["sum_sent"]
        gib = got["bytes"] / GIB
        result = {"value": got["bits_per_second"] / 1e9,
                  "retransmits": sent.get("retransmits")}
    except (ValueError, KeyError):
        return None
    if relays and gib:
        result["cpu_s_per_gib"] = (cpu_seconds(relays) - before) / gib
    return result


def tcp(streams, down):
    def run(bench, c):
        with serving(bench.scene.world,
                     ["iperf3", "-s", "-1", "-p", str(IPERF_PORT),
                      "--forceflush"]):
            return iperf3(c.in_guest, c.relays(), bench.seconds,
                          "-P", str(streams), *(["-R"] if down else []))
    return run


def words(text):
    """The line of test/bench/load as a dict."""
    w = text.split()
    return {k: float(v) for k, v in zip(w[::2], w[1::2])}


def ask(c, *argv, prefix=()):
    client = c.in_guest([*prefix, LOAD, *map(str, argv)],
                        stdout=subprocess.PIPE)
    return words(client.communicate()[0])


def load_server(bench, prefix=()):
    return serving(bench.scene.world, [*prefix, LOAD, "serve", FAR4,
                                       str(LOAD_PORT)])


@contextlib.contextmanager
def on_one_cpu(pids):
    """All threads of these on the first CPU."""
    threads = [int(t) for pid in pids for t in os.listdir(f"/proc/{pid}/task")]
    every = os.sched_getaffinity(0)
    for t in threads:
        os.sched_setaffinity(t, {min(every)})
    yield ["taskset", "-c", str(min(every))]
    for t in threads:
        os.sched_setaffinity(t, every)


def latency(mode, pinned=False):
    def run(bench, c):
        with contextlib.ExitStack() as stack:
            prefix = stack.enter_context(
                on_one_cpu(c.relays())) if pinned else []
            stack.enter_context(load_server(bench, prefix))
            got = ask(c, mode, FAR4, LOAD_PORT, bench.short, prefix=prefix)
        return got and got | {"value": got["p50_us"]}
    return run


def connects(pinned):
    def run(bench, c):
        got = latency("crr", pinned)(bench, c)
        return got and got | {"value": got["per_s"] / 1e3}
    return run


def system_calls(bench, c):
    """Of the relay for one request and its response."""
    if not c.relays():
        return None
    with load_server(bench):
        counter = subprocess.Popen(
            ["strace", "-c", "-f", "-U", "calls,name"] +
            [w for pid in c.relays() for w in ("-p", str(pid))],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in counter.stderr:
            if "attached" in line:
                break
        got = ask(c, "rr", FAR4, LOAD_PORT, 1)
        counter.send_signal(2)
        text = counter.communicate()[1]
    calls = re.search(r"^\s*(\d+)\s+total", text, re.M)
    return {"value": int(calls.group(1)) / got["n"]} if calls and got else None


def udp_stream(way, size, batch):
    """
    The highest rate that arrives with at most 1 % lost: between nothing and
    what arrives of as much as can be sent, by halves.
    """
    def run(bench, c):
        def offer(gbit_s):
            return ask(c, "udp-" + way, FAR4, LOAD_PORT, 0.4,
                       f"{gbit_s * 1e3:.0f}", size, batch)
        with load_server(bench):
            best = offer(100)
            if best and best["loss_pct"] > 1:
                low, high, best = 0, best["gbit_s"] * 1.1, None
                for _ in range(6):
                    rate = (low + high) / 2
                    got = offer(rate)
                    if got and got["loss_pct"] <= 1:
                        low, best = rate, got
                    else:
                        high = rate
        return best and best | {"value": best["gbit_s"]}
    return run


def localhost(down):
    """A client on the host, a server in the guest: iperf3 by 127.0.0.1."""
    def run(bench, c):
        with serving(c.netns, ["iperf3", "-s", "-1", "-p", str(FORWARD_PORT),
                               "--forceflush"]):
            bench.answers(FORWARD_PORT)
            return iperf3(subprocess.Popen, c.relays(), bench.seconds,
                          *(["-R"] if down else []), address="127.0.0.1",
                          port=FORWARD_PORT)
    return run


@contextlib.contextmanager
def far_away(bench, delay_us, lose_each):
    """FAR_AWAY4 in the world, behind a delay each way, and a loss up."""
    offloads = 1 if lose_each else 15   # one frame shall be one segment
    host = Netns("/proc/self/ns/net")
    carrier = join(open_tap(host, "slow0", offloads),
                   open_tap(bench.scene.world, "slow0", offloads), delay_us,
                   lose_each)
    try:
        sh("ip addr add 172.31.242.2/24 dev slow0; ip link set slow0 up;"
           f"ip route add {FAR_AWAY4} via 172.31.242.1")
        with bench.scene.world:
            sh("ip addr add 172.31.242.1/24 dev slow0; ip link set slow0 up;"
               f"ip addr add {FAR_AWAY4}/32 dev lo")
        yield
    finally:
        carrier.kill()
        carrier.wait()
        host.close()
        with bench.scene.world:
            sh(f"ip addr del {FAR_AWAY4}/32 dev lo")


def distant(delay_us, down, lose_each=0):
    def run(bench, c):
        with far_away(bench, delay_us, lose_each), \
                serving(bench.scene.world,
                        ["iperf3", "-s", "-1", "-p", str(IPERF_PORT),
                         "--forceflush"]):
            return iperf3(c.in_guest, c.relays(), max(5, bench.seconds),
                          "-O", "2", *(["-R"] if down else []),
                          address=FAR_AWAY4)
    return run


def lossy(bench, c):
    got = distant(10000, False, 1000)(bench, c)
    return got and got | {"value": got["value"] * 1e3}


def start_up(bench, c):
    """Wall time in ms until the status of a command in a new guest is known."""
    times = []
    for _ in range(10):
        start = time.monotonic()
        subprocess.run(type(c).started_by(), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append((time.monotonic() - start) * 1e3)
    return {"value": sorted(times)[5], "worst": max(times)}


def idle_memory(bench, c):
    return {"value": anonymous_kib(c.relays())} if c.relays() else None


def flows(n):
    """
    That many connections at once: the relay's memory for each in bytes, how
    fast the first and the last came, and whether each was still answered.
    """
    def run(bench, c):
        before = anonymous_kib(c.relays())
        with load_server(bench), c.netns:
            quick_ports()
            client = subprocess.Popen([LOAD, "hold", FAR4, str(LOAD_PORT),
                                       str(n)], text=True,
                                      stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL)
            got = words(client.stdout.readline())
            after = anonymous_kib(c.relays())
            told = words(client.communicate()[0])
        if not got:
            return None
        return got | told | {"value": (after - before) * 1024 / n}
    return run


def beside_bulk(bench, c):
    """p99 in µs of request and response beside a stream that fills the way."""
    with load_server(bench), \
            serving(bench.scene.world,
                    ["iperf3", "-s", "-1", "-p", str(IPERF_PORT),
                     "--forceflush"]):
        idle = ask(c, "rr", FAR4, LOAD_PORT, 1)
        bulk = c.in_guest(["iperf3", "-c", FAR4, "-p", str(IPERF_PORT), "-t",
                           str(bench.short + 2), *cubic()],
                          stdout=subprocess.PIPE)
        time.sleep(1)           # until it fills the way
        got = ask(c, "rr", FAR4, LOAD_PORT, bench.short)
        bulk.communicate()
    return got and got | {"value": got["p99_us"],
                          "idle_p99_us": idle["p99_us"]}


def shares(down):
    """1,000 streams at once: the most that one got, of the least."""
    def run(bench, c):
        with load_server(bench):
            got = ask(c, "share-" + ("down" if down else "up"), FAR4,
                      LOAD_PORT + 1, bench.seconds, 1000)
        if not got or not got["least_kb"]:
            return None
        return got | {"value": got["most_kb"] / got["least_kb"]}
    return run


def link(mode):
    """
    One stream, or request and response, over a virtual machine's link, by
    test/bench/vm.c; over the tap by a program in a namespace, as it is used.
    """
    def run(bench, c):
        with load_server(bench):
            port = LOAD_PORT + (mode != "rr")
            before = cpu_seconds(c.relays())
            if c.machine:
                client = c.in_guest([*c.argv, mode, FAR4, str(port),
                                     str(bench.seconds)],
                                    stdout=subprocess.PIPE)
                got = words(client.communicate(timeout=60)[0])
            elif mode == "rr":
                got = ask(c, mode, FAR4, port, bench.seconds)
            else:
                got = ask(c, "share-" + mode, FAR4, port, bench.seconds, 1)
            used = cpu_seconds(c.relays()) - before
        if not got or mode == "rr":
            return got and got | {"value": got["p50_us"]}
        # Both measure after a start, of which the tap's is as long again.
        ran = bench.seconds * (1.25 if c.machine else 2)
        gib = got["gbit_s"] * 1e9 / 8 * ran / GIB
        return got | {"value": got["gbit_s"], "cpu_s_per_gib": used / gib}
    return run


def is_relay(kind):
    return not kind.machine and kind.name not in ("direct", "kernel NAT")


def is_one_of(*names):
    return lambda kind: kind.name in names


def rows():
    """All of them, in the order of the table."""
    for mtu in (1500, 65520):
        for n in (1, 8):
            for way in ("up", "down"):
                yield Row(f"TCP {n} stream{'s' * (n > 1)} {way}, MTU {mtu}",
                          "Gbit/s", tcp(n, way == "down"), mtu)
    for way in ("up", "down"):
        yield Row(f"1000 streams {way}, most of least", "", shares(way == "down"),
                  1500, is_one_of("direct", "kernel NAT", "pasta", "PASTA",
                                  "slipway"))
    yield Row("TCP request/response, one CPU, p50", "µs",
              latency("rr", True))
    yield Row("TCP request/response, p50", "µs", latency("rr"))
    yield Row("the same beside a bulk stream, p99", "µs", beside_bulk,
              digits=0)
    yield Row("TCP connect/request/close, one CPU", "1000/s", connects(True))
    yield Row("TCP connect/request/close", "1000/s", connects(False))
    yield Row("system calls per request/response", "", system_calls,
              only=is_relay, digits=1)
    for way in ("up", "down"):
        yield Row(f"UDP 1400 bytes {way}", "Gbit/s",
                  udp_stream(way, 1400, 0), 1500)
    for way in ("up", "down"):
        yield Row(f"UDP in batches of 40 x 1200 {way}", "Gbit/s",
                  udp_stream(way, 1200, 40), 1500)
    yield Row("UDP request/response, one CPU, p50", "µs",
              latency("udp-rr", True))
    for way in ("up", "down"):
        yield Row(f"TCP {way} over 50 ms", "Gbit/s",
                  distant(25000, way == "down"), 1500,
                  lambda kind: kind.delayed)
        yield Row(f"TCP {way} over 100 ms", "Gbit/s",
                  distant(50000, way == "down"), 1500,
                  lambda kind: kind.delayed)
    yield Row("TCP up, 0.1 % lost over 20 ms", "Mbit/s",
              lossy, 1500, lambda kind: kind.delayed)
    for mtu, kinds in ((1500, ("slipway", "vhost-user")),
                       (65520, ("slipway", "QEMU stream"))):
        for way in ("up", "down"):
            yield Row(f"link of a guest, {way}, MTU {mtu}", "Gbit/s",
                      link(way), mtu, is_one_of(*kinds))
    yield Row("link of a guest, request/response, p50", "µs", link("rr"),
              1500, is_one_of("slipway", "vhost-user"))
    for way in ("to", "from"):
        yield Row(f"localhost {way} the guest", "Gbit/s",
                  localhost(way == "from"), None,
                  lambda kind: kind.forwards)
    yield Row("a guest for `true`", "ms", start_up,
              only=lambda kind: kind.started_by, digits=1)
    yield Row("own memory, idle", "KiB", idle_memory, only=is_relay,
              digits=0)
    yield Row("own memory per flow, 1000 idle", "bytes", flows(1000),
              only=is_one_of("pasta", "PASTA", "slipway"), digits=0)
    for n in (10000, 15000):    # pasta opens some 30 a second by then
        yield Row(f"own memory per flow, {n} idle", "bytes", flows(n),
                  only=is_one_of("slipway"), digits=0)
