# SPDX-License-Identifier: MIT
"""
What is measured: the ways from a guest to the world, each with one guest.

    guest netns  <-- contender -->  host netns  <-- veth -->  world netns

A contender is a guest that stays until it is closed. `in_guest` starts a
program there; `relays` are the processes that carry its packets, none where
the kernel does. Each runs with what its own documents call its best.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))

from plug import Serve                               # noqa: E402
from scene import (Guest, Netns, PROGRAM, Slipway, processes,  # noqa: E402
                   setup_namespace, sh, sysctl, until)

BUILT = os.path.join(os.path.dirname(PROGRAM), "test", "bench")
LOAD, TAPS = os.path.join(BUILT, "load"), os.path.join(BUILT, "taps")
VM = os.path.join(BUILT, "vm")
FORWARD_PORT = 5203             # of a server in the guest, on localhost

TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454ca, 0x400454d0, 0x400454d8
TAP_FLAGS = 0x0002 | 0x1000 | 0x4000            # TAP, NO_PI, VNET_HDR
OFFLOADS = 0x01 | 0x02 | 0x04 | 0x08            # CSUM, TSO4, TSO6, ECN


def quick_ports():
    """
    Many connections one after the other, in this namespace: what is
    measured shall be the connection, and not the search for a free port.
    """
    for name, value in (("net.ipv4.ip_local_port_range", "1024 65535"),
                        ("net.ipv4.tcp_max_tw_buckets", "0"),
                        ("net.ipv4.tcp_max_syn_backlog", "65536"),
                        ("net.core.somaxconn", "65536"),
                        ("net.netfilter.nf_conntrack_tcp_timeout_time_wait",
                         "1")):
        with contextlib.suppress(OSError):
            sysctl(name, value)


def open_tap(netns, name, offloads=OFFLOADS):
    """A tap in that namespace; its descriptor, non-blocking, to be lent."""
    with netns:
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF,
                    struct.pack("16sH22x", name.encode(), TAP_FLAGS))
        fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", 12))
        fcntl.ioctl(fd, TUNSETOFFLOAD, offloads)
    return fd


def join(a, b, *arguments):
    """Two taps, carried between by test/bench/taps; the process."""
    try:
        return subprocess.Popen([TAPS, str(a), str(b), *map(str, arguments)],
                                pass_fds=(a, b))
    finally:
        os.close(a)
        os.close(b)


def namespace_named(name):
    """The path of a network namespace that a process is in, by its name."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        path = f"/proc/{pid}/ns/net"
        with contextlib.suppress(OSError):
            if os.readlink(path) == name:
                return path
    raise OSError(f"no process is in {name}")


class Contender:
    """Needs: name, self.netns. mtu None: its own default."""
    forwards = False            # a port of the guest, on localhost
    started_by = None           # a command that runs `true` in a new guest
    mtus = (1500, 65520)
    delayed = False             # takes part where the path has a delay
    machine = None              # by which link a virtual machine joins
    rows = ""                   # a pattern: takes part in these alone

    def __init__(self, scene, mtu):
        self.process = None

    def in_guest(self, argv, **kw):
        with self.netns:
            return subprocess.Popen(argv, text=True, **kw)

    def relays(self):
        return [self.process.pid] if self.process else []

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.netns:
            self.netns.close()


class Direct(Contender):
    """No guest: the host's own sockets, by the same veth pair."""
    name = "direct"
    mtus = (1500,)
    delayed = True

    def __init__(self, scene, mtu):
        super().__init__(scene, mtu)
        self.netns = Netns("/proc/self/ns/net")


class KernelNat(Contender):
    """A veth pair, forwarding and masquerade: the practical limit."""
    name = "kernel NAT"
    mtus = (1500,)
    delayed = True

    def __init__(self, scene, mtu):
        super().__init__(scene, mtu)
        self.netns = Netns()
        sh("ip link add nat0 type veth peer name eth0 netns "
           f"{self.netns.path()};"
           "ip addr add 172.31.240.1/24 dev nat0; ip link set nat0 up")
        sysctl("net.ipv4.ip_forward", "1")
        sh("nft 'table ip bench { chain post { type nat hook postrouting "
           "priority 100; ip saddr 172.31.240.0/24 masquerade; }; }'")
        quick_ports()
        with self.netns:
            setup_namespace()
            sh("ip addr add 172.31.240.2/24 dev eth0; ip link set eth0 up;"
               "ip route add default via 172.31.240.1")

    def close(self):
        sh("ip link del nat0; nft delete table ip bench")
        super().close()


class Relay(Contender):
    """Frames carried from the guest's tap to one of the world: the floor."""
    name = "relay"

    def __init__(self, scene, mtu):
        super().__init__(scene, mtu)
        mtu = mtu or 1500
        self.netns = Netns()
        self.process = join(open_tap(self.netns, "eth0"),
                            open_tap(scene.world, "relay0"))
        with scene.world:
            sh(f"ip link set relay0 mtu {mtu} up;"
               "ip addr add 172.31.241.1/24 dev relay0")
        with self.netns:
            setup_namespace()
            sh(f"ip link set eth0 mtu {mtu} up;"
               "ip addr add 172.31.241.2/24 dev eth0;"
               "ip route add default via 172.31.241.1")


class Slirp4netns(Contender):
    name = "slirp4netns"

    def __init__(self, scene, mtu):
        super().__init__(scene, mtu)
        self.netns = Netns()
        with self.netns:
            setup_namespace()
        told, tell = os.pipe()
        self.process = subprocess.Popen(
            ["slirp4netns", "--configure", f"--mtu={mtu or 65520}",
             f"--ready-fd={tell}", "--netns-type=path", self.netns.path(),
             "tap0"], pass_fds=(tell,), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(tell)
        assert select.select([told], [], [], 10)[0], "slirp4netns"
        os.close(told)


class Pasta(Contender):
    name = "pasta"
    program = "pasta"
    forwards = delayed = True

    @classmethod
    def options(cls, mtu, forward="none"):
        return [cls.program, "--config-net", "--no-map-gw", "--runas", "0",
                "-q", "-m", str(mtu or 65520), "-t", str(forward), "-u",
                "none", "-T", "none", "-U", "none", "--"]

    @classmethod
    def started_by(cls):
        return cls.options(None) + ["true"]

    def __init__(self, scene, mtu):
        super().__init__(scene, mtu)
        self.netns = None
        self.process = subprocess.Popen(
            self.options(mtu, FORWARD_PORT) +
            ["sh", "-c", "readlink /proc/self/ns/net; read end || :"],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        line = self.process.stdout.readline()
        assert line, f"{self.program} did not start"
        self.netns = Netns(namespace_named(line.strip()))
        with self.netns:        # it configures while the command runs
            until(lambda: sh("ip route show default").strip(), 5,
                  f"{self.program}'s route")

    def close(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        super().close()
        self.process.stdout.close()


class OtherPasta(Pasta):
    name = "PASTA"
    program = os.environ.get("PASTA", "")


class Ours(Contender):
    name = "slipway"
    forwards = delayed = True

    @classmethod
    def started_by(cls):
        return [PROGRAM, "run", "true"]

    def __init__(self, scene, mtu):
        super().__init__(scene, mtu)
        self.home = tempfile.TemporaryDirectory()
        self.slipway = Slipway(scene, pathlib.Path(self.home.name))
        options = ["--mtu", str(mtu)] if mtu else []
        self.guest = self.netns = Guest(self.slipway, *options,
                                        *self.more())

    def more(self):
        """Options besides."""
        return []

    def relays(self):
        return [pid for pid, name in processes().items()
                if name == "slipway-engine"]

    def close(self):
        self.guest.close()
        self.slipway.gone(5)
        self.home.cleanup()


class VhostUser(Contender):
    """A virtual machine that is none (test/bench/vm.c) and its network."""
    name = machine = "vhost-user"

    def __init__(self, scene, mtu):
        super().__init__(scene, mtu)
        self.netns = Netns("/proc/self/ns/net")
        self.home = tempfile.TemporaryDirectory()
        self.slipway = Slipway(scene, pathlib.Path(self.home.name))
        self.serve = Serve(self.slipway, self.home.name, "bench", "--mtu",
                           str(mtu or 1500), link=self.machine)
        status = self.serve.status()
        self.argv = [VM, self.machine, self.serve.socket,
                     status["guest"]["ipv4"], status["gateway"]["ipv4"]]

    def relays(self):
        return Ours.relays(self)

    def close(self):
        self.serve.close()
        self.slipway.gone(5)
        self.home.cleanup()
        super().close()


class QemuStream(VhostUser):
    name, machine = "QEMU stream", "qemu"


class Ruled(Ours):
    """The same with 10,000 rules, none of which decides here."""
    name = "with rules"
    forwards = delayed = False
    started_by = None
    rows = r"TCP 1 stream|TCP request/response|TCP connect"

    def more(self):
        path = pathlib.Path(self.home.name, "rules.conf")
        path.write_text("".join(
            f"[rule {port}]\naction = {'block' if port % 3 else 'allow'}\n"
            f"direction = {'out' if port % 2 else 'in'}\nprotocol = tcp\n"
            f"{'remotePort' if port % 2 else 'localPort'} = {port}\n"
            f"remoteAddress = 10.{port % 250}.0.0/16, 198.51.100.0/24\n"
            for port in range(10000, 20000)))
        return ["--config", path]


def found():
    """Those that this machine has, the ones to compare with first."""
    yield Direct
    yield KernelNat
    yield Relay
    if shutil.which("slirp4netns"):
        yield Slirp4netns
    if shutil.which("pasta"):
        yield Pasta
    if OtherPasta.program:
        yield OtherPasta
    yield Ours
    yield VhostUser
    yield QemuStream
    yield Ruled


def version(kind):
    """What it says of itself, or the package it is from."""
    if kind.name not in ("slirp4netns", "pasta", "PASTA", "slipway"):
        return ""
    program = {"slipway": PROGRAM, "slirp4netns": "slirp4netns"}.get(
        kind.name) or kind.program
    done = subprocess.run([program, "--version"], text=True,
                          capture_output=True, check=False)
    first = (done.stdout + done.stderr).split("\n")[0]
    if "unknown" in first or not re.search(r"\d", first):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}",
                               "passt"], text=True, capture_output=True,
                              check=False)
        first = f"{program} {done.stdout}"
    return first.strip()
