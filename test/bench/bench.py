#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Measures slipway beside the kernel's NAT and other user-mode networks.

The contenders take turns in each row, so that a slow minute of the machine
meets all of them; the table holds medians. docs/performance.md says what
the rows are and how to read them. Start it by scripts/bench.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import subprocess
import sys

from contenders import found, quick_ports, version
from report import Results, print_bars, print_table, show, write_svg
from rows import rows
from scene import Scene, until


class Bench:
    """What a row may use: the scene, and how long it may take."""

    def __init__(self, options):
        self.seconds = options.seconds
        self.short = max(1, options.seconds // 2)
        self.scene = Scene()
        quick_ports()
        with self.scene.world:
            quick_ports()

    @staticmethod
    def answers(port):
        """Wait until localhost has that port."""
        def listens():
            wanted = f":{port:04X} "
            for name in ("tcp", "tcp6"):
                with open("/proc/net/" + name) as f:
                    if any(line.split()[1].endswith(wanted.strip()) and
                           line.split()[3] == "0A" for line in f):
                        return True
            return False
        until(listens, 5, f"port {port} on localhost")


def measure(bench, kinds, chosen):
    """Each row once for each contender that takes part in it."""
    for row in chosen:
        for kind in kinds:
            if row.only(kind) and re.match(kind.rows, row.name) and \
                    (row.mtu is None or row.mtu in kind.mtus):
                yield row, kind, one(bench, row, kind)


def one(bench, row, kind):
    """One sample; None, and a line that says why, if it failed."""
    try:
        with contextlib.closing(kind(bench.scene, row.mtu)) as c:
            with c.netns:
                quick_ports()
            return row.run(bench, c)
    except (AssertionError, OSError, ValueError, KeyError,
            subprocess.SubprocessError) as e:
        print(f"# {kind.name}: {row.name}: {e}", file=sys.stderr)
        return None


def processor():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def machine():
    return {"processor": processor(), "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "date": datetime.date.today().isoformat()}


def parse_options():
    env = os.environ.get
    p = argparse.ArgumentParser(prog="bench", description=__doc__,
                                formatter_class=argparse.
                                RawDescriptionHelpFormatter)
    p.add_argument("--json", metavar="FILE", help="each run's figures")
    p.add_argument("--svg", metavar="FILE", help="the table as a picture")
    p.add_argument("--runs", type=int, default=int(env("BENCH_RUNS", "5")),
                   metavar="N", help="of each row (default: 5)")
    p.add_argument("--seconds", type=int, metavar="N",
                   default=int(env("BENCH_SECONDS", "3")),
                   help="of each stream (default: 3)")
    p.add_argument("--rows", metavar="TEXT", default="",
                   help="only rows with TEXT, or TEXT|TEXT, in their name")
    p.add_argument("--only", metavar="NAMES", default="",
                   help="only these contenders, with commas between")
    p.add_argument("--list", action="store_true", help="name rows and "
                   "contenders, and end")
    return p.parse_args()


def main():
    options = parse_options()
    kinds = [k for k in found() if not options.only or
             k.name in options.only.split(",")]
    chosen = [r for r in rows() if any(
        t in r.name for t in options.rows.split("|"))]
    if options.list:
        print("\n".join([k.name for k in kinds] + [""] +
                        [r.name for r in chosen]))
        return
    about = machine() | {"versions": {k.name: version(k) for k in kinds}}
    title = (f"{about['processor']}, {about['cpus']} CPUs, "
             f"Linux {about['kernel']}, {about['date']}")
    bench, results = Bench(options), Results()
    for turn in range(options.runs):
        for row, kind, sample in measure(bench, kinds, chosen):
            results.add(row.name, kind.name, sample)
            value = show(sample["value"] if sample else None, row.digits)
            print(f"# {turn + 1}/{options.runs} {row.name}: {kind.name} "
                  f"{value} {row.unit}", file=sys.stderr, flush=True)
    names = [k.name for k in kinds]
    print(f"{title}\nmedians of {options.runs}, "
          f"{options.seconds} s a stream")
    print(", ".join(v for v in about["versions"].values() if v) + "\n")
    print_table(results, chosen, names)
    print_bars(results)
    if options.svg:
        write_svg(options.svg, results, chosen, names, title)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(about | {"seconds": options.seconds,
                               "rows": results.runs}, f, indent=1)


if __name__ == "__main__":
    main()
