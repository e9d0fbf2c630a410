# SPDX-License-Identifier: MIT
"""
Everything at once, through a guest that loses one frame in a hundred.

SLIPWAY_MIXED says for how many seconds (20; the long run: 1800). Downloads
and half-closed connections with sums, iperf3 both ways, questions and pings
go on side by side; not one byte may be wrong, nothing that moves may stand
still for over 3 s, and memory may not grow.
"""

import contextlib
import hashlib
import json
import os
import re
import select
import socket
import struct
import subprocess
import threading
import time

import pytest

from scene import LONG, WORLD4, WORLD6, need
from servers import Server, datagram

SECONDS = int(os.environ.get("SLIPWAY_MIXED", 1800 if LONG else 20))
STALL = 3                                       # seconds
BLOB = hashlib.shake_128(b"blob").digest(20 << 20)
SUM = hashlib.sha256(BLOB).digest()

LOSSY = """nft -f - <<'END'
table inet lossy {
    chain in {
        type filter hook input priority 0;
        numgen random mod 100 < 1 drop
    }
    chain out {
        type filter hook output priority 0;
        numgen random mod 100 < 1 drop
    }
}
END"""


class Job(threading.Thread):
    """Repeats its step in the guest until the end; counts, and complains."""

    def __init__(self, guest, step):
        super().__init__(daemon=True)
        self.guest, self.step = guest, step
        self.done, self.longest, self.wrong = 0, 0.0, []

    def run(self):
        end = time.monotonic() + SECONDS
        try:
            with self.guest:
                while time.monotonic() < end and len(self.wrong) < 5:
                    self.longest = max(self.longest, self.step() or 0)
                    self.done += 1
        except Exception as e:      # pylint: disable=broad-except
            self.wrong.append(f"{type(e).__name__}: {e}")


def connect(address, port):
    """A kernel repeats a SYN after 1, 3 and 7 s: that is no stall of ours."""
    return socket.create_connection((address, port), 20)


def received(sock):
    """
    All that comes, and the longest time in which nothing did. The first
    byte may wait for a handshake whose last segment was lost: SYN-ACKs are
    repeated after 1, 3 and 7 s, as a kernel does (RFC 6298 section 2).
    """
    got, longest = hashlib.sha256(), 0.0
    sock.settimeout(STALL + 8)
    began = last = time.monotonic()
    while data := sock.recv(1 << 20):
        now = time.monotonic()
        if last != began:
            longest = max(longest, now - last)
        last = now
        got.update(data)
    return got.digest(), longest


def download(address):
    def step():
        with connect(address, 8000) as s:
            digest, longest = received(s)
            assert digest == SUM, "a download is wrong"
            return longest
    return step


def half_closed():
    """Send, close that half, and only then be answered."""
    data = os.urandom(1 << 20)
    with connect(WORLD4, 8001) as s:
        s.settimeout(30)
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        digest, longest = received(s)
        assert digest == hashlib.sha256(
            hashlib.sha256(data).digest() + data).digest(), "a wrong answer"
        return longest


def answer_half_closed(conn):
    data = b""
    while more := conn.recv(1 << 20):
        data += more
    conn.sendall(hashlib.sha256(data).digest() + data)


def question(guest, number):
    """A new name each time; asked again when a frame was lost."""
    def step():
        number[0] += 1
        name = b"\4many\4test\0"
        query = struct.pack("!6H", number[0] & 0xffff, 0x100, 1, 0, 0, 0) + \
            b"\6%06d" % (number[0] % 10**6) + name + b"\0\1\0\1"
        began = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(5):
                with contextlib.suppress(PermissionError):  # dropped by nft
                    s.sendto(query, (guest.gateway4, 53))
                if select.select([s], [], [], 1)[0]:
                    answer = s.recv(2000)
                    assert answer[:2] == query[:2]
                    assert answer[-4:] == b"\x0a\1\1\1", answer
                    time.sleep(0.02)        # the load, not the test, waits
                    return 0
        raise AssertionError(f"silent for {time.monotonic() - began:.1f} s")
    return step


def answer_questions(sock):
    with sock:
        while True:
            query, peer = sock.recvfrom(2000)
            if not query:               # the end
                return
            end = query.index(b"\0", 12) + 5
            sock.sendto(query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) +
                        query[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4"
                        b"\x0a\1\1\1", peer)


def memory_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"RssAnon:\s+(\d+)", f.read())[1])


def engine_of(keeper):
    """Its child on the data path."""
    with open(f"/proc/{keeper}/task/{keeper}/children") as f:
        for pid in f.read().split():
            with open(f"/proc/{pid}/comm") as name:
                if "engine" in name.read():
                    return int(pid)
    raise AssertionError("no engine")


def iperf3(guest, port, *how):
    with guest:
        return subprocess.Popen(
            ["iperf3", "-c", WORLD4, "-p", str(port), "-t", str(SECONDS),
             "-J", *how], stdout=subprocess.PIPE, text=True)


def standing(text):
    """Seconds in a row in which an iperf3 moved nothing; its rate."""
    report = json.loads(text)
    assert "error" not in report, report["error"]
    worst = run = 0
    for interval in report["intervals"]:
        run = 0 if interval["sum"]["bytes"] else run + 1
        worst = max(worst, run)
    return worst, report["end"]["sum_received"]["bits_per_second"] / 1e9


@pytest.mark.seconds(SECONDS + 120)
def test_everything_at_once(root, scene, world):
    need("nft", "iperf3")
    assert world
    with contextlib.ExitStack() as stack:
        with scene.world:
            for address in (WORLD4, WORLD6):
                stack.enter_context(Server(
                    address, lambda conn: conn.sendall(BLOB), 8000))
            stack.enter_context(Server(WORLD4, answer_half_closed, 8001))
            names = datagram("198.51.100.1", 53)
            servers = [subprocess.Popen(["iperf3", "-s", "-1", "-p", str(p)],
                                        stdout=subprocess.DEVNULL)
                       for p in (5201, 5202)]
        for server in servers:
            stack.callback(server.wait)
            stack.callback(server.kill)
        answering = threading.Thread(target=answer_questions, args=(names,))
        answering.start()
        stack.callback(answering.join)
        stack.callback(names.sendto, b"", names.getsockname())
        scene.resolver("198.51.100.1")
        stack.callback(scene.resolver, WORLD4)
        guest = stack.enter_context(contextlib.closing(root.guest()))
        done = guest.sh(LOSSY)
        if done.returncode:
            pytest.skip("nft: " + done.stderr.splitlines()[0])
        engine = engine_of(root.status()[0]["keeper"])
        jobs = {"download, IPv4": Job(guest, download(WORLD4)),
                "download, IPv6": Job(guest, download(WORLD6)),
                "half-closed": Job(guest, half_closed),
                "questions": Job(guest, question(guest, [0]))}
        with guest:
            ping = subprocess.Popen(
                ["ping", "-q", "-i", "0.2", "-w", str(SECONDS), WORLD4],
                stdout=subprocess.PIPE, text=True)
        flows = {"iperf3 up": iperf3(guest, 5201),
                 "iperf3 down": iperf3(guest, 5202, "-R")}
        for job in jobs.values():
            job.start()
        memory = []
        while any(job.is_alive() for job in jobs.values()):
            time.sleep(min(1, SECONDS / 20))    # a sample
            memory.append(memory_of(engine))
        report(jobs, flows, ping, memory)


def report(jobs, flows, ping, memory):
    """A line for each, and what was wrong."""
    wrong = []
    for name, job in jobs.items():
        print(f"{name:15} {job.done:8} done, longest silence "
              f"{job.longest:.2f} s")
        wrong += [f"{name}: {w}" for w in job.wrong]
        if job.longest > STALL or not job.done:
            wrong.append(f"{name}: silent for {job.longest:.2f} s")
    for name, flow in flows.items():
        worst, rate = standing(flow.communicate(timeout=60)[0])
        print(f"{name:15} {rate:8.2f} Gbit/s, {worst} s without a byte")
        if worst > STALL:
            wrong.append(f"{name}: {worst} s without a byte")
    lost = int(re.search(r"([\d.]+)% packet loss", ping.communicate(
        timeout=30)[0])[1].split(".")[0])
    quarter = len(memory) // 4
    early, late = max(memory[quarter:2 * quarter]), max(memory[-quarter:])
    print(f"{'ping':15} {lost:8} % lost")
    print(f"{'memory':15} {early:8} KiB at most early, {late} KiB late")
    if lost > (4 if SECONDS >= 600 else 15):
        wrong.append(f"ping: {lost} % lost, 2 are dropped")
    if late > early * 1.25 + 1024:
        wrong.append(f"memory: {early} KiB became {late}")
    assert not wrong, "\n".join(wrong)
