#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
bench.py - slipway beside kernel NAT and pasta, in one run

    guest netns  <-- contender -->  host netns  <-- veth -->  world netns

One TCP stream by iperf3, up (guest sends) and down, for each contender and
MTU of the guest's link; the contenders take turns, so that a slow minute of
the machine meets all of them; medians. Then the wall time of `slipway run
true` and the memory of an idle engine. Start it by scripts/bench.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))

from scene import (FAR4, Netns, PROGRAM, Scene, Slipway, processes,  # noqa
                   setup_namespace, sh, sysctl)

PORT = 5201
CUBIC = []                      # options of iperf3, where it may be chosen


def use_cubic():
    """The same congestion control for all: the kernel's own default."""
    at = "/proc/sys/net/ipv4/tcp_congestion_control"
    with open(at) as f:
        if f.read().strip() == "cubic":
            CUBIC[:] = ["-C", "cubic"]
        else:
            print("# this machine allows namespaces no cubic; bench as root",
                  file=sys.stderr)


class KernelNat:
    """A veth pair, forwarding and masquerade: the practical limit."""
    name = "kernel NAT"

    def __init__(self, scene, mtu):
        self.guest = Netns()
        sh(f"ip link add nat0 mtu {mtu} type veth peer name eth0 "
           f"mtu {mtu} netns {self.guest.path()};"
           "ip addr add 172.31.240.1/24 dev nat0; ip link set nat0 up")
        sysctl("net.ipv4.ip_forward", "1")
        sh("nft 'table ip bench { chain post { type nat hook postrouting "
           "priority 100; ip saddr 172.31.240.0/24 masquerade; }; }'")
        with self.guest:
            setup_namespace()
            sh("ip addr add 172.31.240.2/24 dev eth0; ip link set eth0 up;"
               "ip route add default via 172.31.240.1")

    def run(self, argv):
        with self.guest:
            return subprocess.run(argv, capture_output=True, text=True)

    def close(self):
        sh("ip link del nat0; nft delete table ip bench")
        self.guest.close()


class Command:
    """A contender that runs a command in a guest of its own."""

    def __init__(self, scene, mtu):
        self.mtu = mtu

    def run(self, argv):
        return subprocess.run(self.prefix() + argv, capture_output=True,
                              text=True)

    def close(self):
        pass


class Pasta(Command):
    name = "pasta"

    def prefix(self):
        return ["pasta", "--config-net", "--no-map-gw", "-m", str(self.mtu),
                "-t", "none", "-u", "none", "-T", "none", "-U", "none",
                "--runas", "0", "--"]


class Ours(Command):
    name = "slipway"

    def prefix(self):
        return [PROGRAM, "run", "--mtu", str(self.mtu)]


def stream(contender, scene, options, down):
    """Gbit/s of one stream at the receiver; None if it failed."""
    with scene.world:
        server = subprocess.Popen(
            ["iperf3", "-s", "-1", "-p", str(PORT), "--forceflush"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in server.stdout:
            if "listening" in line:
                break
    try:
        done = contender.run(
            ["timeout", str(options.seconds + 20), "iperf3", "-J", "-c",
             FAR4, "-p", str(PORT), "-t", str(options.seconds)]
            + CUBIC + (["-R"] if down else []))
        end = json.loads(done.stdout)["end"]
        return end["sum_received"]["bits_per_second"] / 1e9
    except (ValueError, KeyError):
        print(f"# {contender.name}: {done.stdout[-200:]}"
              f"{done.stderr[-200:]}", file=sys.stderr)
        return None
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def contenders():
    found = [KernelNat]
    if shutil.which("pasta"):
        found.append(Pasta)
    if os.access(PROGRAM, os.X_OK):
        found.append(Ours)
    return found


def measure_streams(scene, options):
    """{(mtu, direction): {name: [Gbit/s, ...]}}"""
    result = {}
    for turn in range(options.runs):
        for mtu in options.mtu:
            for kind in contenders():
                with contextlib.closing(kind(scene, mtu)) as c:
                    for way in ("up", "down"):
                        rate = stream(c, scene, options, way == "down")
                        result.setdefault((mtu, way), {}).setdefault(
                            c.name, []).append(rate)
                        print(f"# {turn + 1}/{options.runs} MTU {mtu} "
                              f"{way:4} {c.name}: {show(rate)} Gbit/s",
                              file=sys.stderr, flush=True)
    return result


def median(rates):
    good = [r for r in rates if r is not None]
    return statistics.median(good) if good else None


def show(value, digits=2):
    return "failed" if value is None else f"{value:.{digits}f}"


def print_streams(result):
    print(f"{'MTU':>6} {'way':5} {'contender':11} {'Gbit/s':>8} "
          f"{'lowest':>8} {'highest':>8} {'of NAT':>7}")
    for (mtu, way), by_name in sorted(result.items()):
        nat = median(by_name["kernel NAT"])
        for name, rates in by_name.items():
            m = median(rates)
            good = [r for r in rates if r is not None]
            ratio = show(m / nat) if m and nat else "-"
            print(f"{mtu:6} {way:5} {name:11} {show(m):>8} "
                  f"{show(min(good, default=None)):>8} "
                  f"{show(max(good, default=None)):>8} {ratio:>7}")


def start_up(slipway, runs=20):
    """Wall times of `slipway run true`, in milliseconds."""
    times = []
    for _ in range(runs):
        start = time.monotonic()
        done = slipway("run", "true")
        times.append((time.monotonic() - start) * 1e3)
        assert done.returncode == 0, done.stderr
    return times


def anonymous_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        for line in f:
            if line.startswith("RssAnon"):
                return int(line.split()[1])
    return 0


def idle_memory(slipway):
    """RssAnon in KiB of each process of an idle guest, largest first."""
    with contextlib.closing(slipway.guest()):
        time.sleep(1)                   # idle is what is measured
        return sorted(((anonymous_kib(pid), name)
                       for pid, name in processes().items()), reverse=True)


def measure_ours(scene):
    with tempfile.TemporaryDirectory() as home:
        slipway = Slipway(scene, pathlib.Path(home))
        times, memory = start_up(slipway), idle_memory(slipway)
    print(f"\nslipway run true: {statistics.median(times):.1f} ms "
          f"({min(times):.1f} to {max(times):.1f}, {len(times)} runs)")
    print("idle, own memory (RssAnon): " + ", ".join(
        f"{name} {kib} KiB" for kib, name in memory))
    return {"run_true_ms": times, "rss_anon_kib": memory}


def parse_options():
    env = os.environ.get
    p = argparse.ArgumentParser(prog="bench", description=__doc__,
                                formatter_class=argparse.
                                RawDescriptionHelpFormatter)
    p.add_argument("--json", metavar="FILE")
    p.add_argument("--runs", type=int, default=int(env("BENCH_RUNS", "3")))
    p.add_argument("--seconds", type=int,
                   default=int(env("BENCH_SECONDS", "5")))
    p.add_argument("--mtu", type=int, action="append",
                   help="of the guest's link (default: 1500 and 65520)")
    options = p.parse_args()
    options.mtu = options.mtu or [1500, 65520]
    return options


def main():
    options = parse_options()
    scene = Scene()
    use_cubic()
    result = measure_streams(scene, options)
    print_streams(result)
    ours = (measure_ours(scene) if Ours in contenders() else {})
    if options.json:
        with open(options.json, "w") as f:
            json.dump({"gbit_s": [
                {"mtu": mtu, "way": way, "contender": name, "runs": rates}
                for (mtu, way), by_name in result.items()
                for name, rates in by_name.items()]} | ours, f, indent=1)


if __name__ == "__main__":
    main()
