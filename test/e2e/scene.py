# SPDX-License-Identifier: MIT
"""
The scene of the end-to-end tests: a host, a world beyond it, guests.

    world netns  <-- veth -->  host netns  <-- slipway -->  guest netns
    WORLD4/6, FAR4/6           HOST4/6                      172.x, fd...

test/e2e/run starts pytest inside a user namespace, in the network
namespace that plays the host. The test process may enter each of the
others (`with scene.world:`), for what it opens or starts in the block; a
socket stays where it was opened. So most servers and clients are plain
sockets and threads of the test itself, and nothing has to be waited for
that is not asked for.
"""

import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

HOST4, WORLD4 = "192.0.2.2", "192.0.2.1"        # RFC 5737, RFC 3849
HOST6, WORLD6 = "2001:db8::2", "2001:db8::1"
FAR4, FAR6 = "198.51.100.1", "2001:db8:f::1"    # the world's, behind a route
UNREACHABLE4, UNREACHABLE6 = "203.0.113.1", "2001:db8:dead::1"
SILENT4 = "203.0.113.129"
LINK_LOCAL4 = "169.254.169.254"                 # where clouds keep secrets

PROGRAM = os.path.realpath(os.environ.get("SLIPWAY", "build/slipway"))
STATIC = PROGRAM + "-static"                    # the same without libraries
LONG = os.environ.get("SLIPWAY_LONG") == "1"
SMALL = os.environ.get("SLIPWAY_SMALL") == "1"  # the CPU is emulated


def call(fn, *args):
    """A libc function that returns 0 or sets errno."""
    if fn(*args) != 0:
        err = ctypes.get_errno()
        raise OSError(err, os.strerror(err))


def sh(command, **kw):
    """Run a shell command that must succeed; its output."""
    done = subprocess.run(command, shell=True, text=True,
                          capture_output=True, timeout=60, **kw)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def until(condition, seconds, what="the condition", pause=0.002):
    """
    Poll until condition() is true; its value. Fails after `seconds`, by a look
    of after that: who polls may have been held up himself.
    """
    end = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= end
        value = condition()
        if value:
            return value
        assert not late, f"{what}: not within {seconds} s"
        time.sleep(pause)


def sysctl(name, value):
    with open("/proc/sys/" + name.replace(".", "/"), "w") as f:
        f.write(value)


class Netns:
    """A network namespace; `with` it, the current thread is inside."""

    def __init__(self, path=None):
        self.outer = []
        if path:
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            return
        with contextlib.closing(Netns("/proc/thread-self/ns/net")) as old:
            call(libc.unshare, CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net",
                              os.O_RDONLY | os.O_CLOEXEC)
            call(libc.setns, old.fd, CLONE_NEWNET)

    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def __enter__(self):
        self.outer.append(os.open("/proc/thread-self/ns/net",
                                  os.O_RDONLY | os.O_CLOEXEC))
        call(libc.setns, self.fd, CLONE_NEWNET)
        return self

    def __exit__(self, *exc):
        old = self.outer.pop()
        call(libc.setns, old, CLONE_NEWNET)
        os.close(old)

    def close(self):
        os.close(self.fd)


def setup_namespace():
    """What every namespace of the scene starts with."""
    sh("ip link set lo up")
    for name, value in (("net.ipv4.tcp_congestion_control", "cubic"),
                        ("net.ipv6.conf.all.accept_dad", "0"),
                        ("net.ipv6.conf.default.accept_dad", "0")):
        with contextlib.suppress(OSError):
            sysctl(name, value)


def unlimited_icmp():
    """As many errors as there is reason for, from this namespace."""
    sysctl("net.ipv4.icmp_ratelimit", "0")
    sysctl("net.ipv4.icmp_ratemask", "0")
    sysctl("net.ipv6.icmp.ratelimit", "0")


class Scene:
    """Host and world, joined, with a resolver's address in resolv.conf."""

    def __init__(self):
        self.host = Netns("/proc/self/ns/net")
        self.world = Netns()
        self.private_files()
        setup_namespace()
        with self.world:
            setup_namespace()
        sh("ip link add up0 type veth peer name down0 netns "
           + self.world.path())
        sh(f"ip addr add {HOST4}/24 dev up0;"
           f"ip -6 addr add {HOST6}/64 dev up0 nodad; ip link set up0 up")
        with self.world:
            self.setup_world()
        sh(f"ip route add default via {WORLD4};"
           f"ip -6 route add default via {WORLD6}")
        sysctl("net.ipv4.ping_group_range", "0 0")
        self.resolver(WORLD4)
        until(lambda: not os.system(
            f"ping -qc1 -W1 {WORLD4} >/dev/null && "
            f"ping -qc1 -W1 {WORLD6} >/dev/null"), 10, "the world")
        self.links = self.interfaces()

    @staticmethod
    def private_files():
        """Own /run, /var/lib and /etc, so that no test meets the machine's."""
        packages = os.open("/var/lib/dpkg", os.O_PATH) if os.path.exists(
            "/var/lib/dpkg") else -1
        for at in ("/run", "/var/lib", "/var/cache"):
            sh(f"mount -t tmpfs -o mode=755 scene {at}")
        if packages >= 0:
            os.mkdir("/var/lib/dpkg")
            sh(f"mount -c --bind /proc/{os.getpid()}/fd/{packages} "
               "/var/lib/dpkg")
            os.close(packages)
        sh("mkdir /run/etc; cp -dR --preserve=mode /etc/. /run/etc "
           "2>/dev/null; mkdir -p /run/lock; chmod 755 /run/etc;"
           "mount --bind /run/etc /etc")
        with open("/etc/passwd", "r+") as f:
            if ":1000:" not in f.read():
                f.write("tester:x:1000:1000:tester:/tmp:/bin/sh\n")
        with open("/etc/hosts", "w") as f:
            f.write("127.0.0.1 localhost\n::1 localhost\n")

    @staticmethod
    def setup_world():
        sh(f"""ip addr add {WORLD4}/24 dev down0
            ip -6 addr add {WORLD6}/64 dev down0 nodad
            ip link set down0 up
            ip addr add {FAR4}/32 dev lo
            ip addr add {LINK_LOCAL4}/32 dev lo
            ip -6 addr add {FAR6}/128 dev lo nodad
            ip route add unreachable 203.0.113.0/25
            ip route add blackhole 203.0.113.128/25
            ip -6 route add unreachable 2001:db8:dead::/48""")
        sysctl("net.ipv4.ip_forward", "1")
        sysctl("net.ipv6.conf.all.forwarding", "1")
        unlimited_icmp()

    @staticmethod
    def resolver(*addresses, search=""):
        """A new resolv.conf renamed over the old, as VPN clients do it."""
        with open("/etc/resolv.conf.new", "w") as f:
            f.write(f"search {search}\n" if search else "")
            f.writelines(f"nameserver {a}\n" for a in addresses)
        os.rename("/etc/resolv.conf.new", "/etc/resolv.conf")

    def interfaces(self):
        with self.host:
            return {name for _, name in socket.if_nameindex()}

    def leftovers(self):
        """What a slipway has left behind: a list of sentences."""
        left = [f"process {pid} {name}" for pid, name in processes().items()]
        left += [f"interface {i}" for i in self.interfaces() - self.links]
        return left


class Plain:
    """No scene: the tests that need none play on the machine as it is."""

    @staticmethod
    def leftovers():
        """By name and number: what was started anew is as it was."""
        names = sorted(processes().values())
        return [f"process {name} {names[:i].count(name)}"
                for i, name in enumerate(names)]


def processes():
    """All processes of the program under test that live: {pid: comm}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                comm, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            with open(f"/proc/{pid}/status") as f:
                if "\nUid:" not in f.read() or rest.split()[0] in "ZX":
                    continue
            exe = os.readlink(f"/proc/{pid}/exe")
        except OSError:
            exe = ""
            if not os.path.exists(f"/proc/{pid}"):
                continue
        if exe == PROGRAM or comm.startswith("slipway"):
            found[int(pid)] = comm
    return found


def kill_all(pids):
    """Each by SIGKILL; some may have followed those before them."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class User:
    """
    An ordinary user of the host: uid 1000, no capability.

    The scene's user namespace maps one uid, its root's; so the user is one
    in a namespace below it, which all of his commands share.
    """

    def __init__(self):
        self.anchor = subprocess.Popen(
            ["unshare", "--user", "--map-user=1000", "--map-group=1000",
             "sh", "-c", "echo here; read end"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.anchor.stdout.readline() == b"here\n"
        self.prefix = ["nsenter", "--user", "--preserve-credentials",
                       "--target", str(self.anchor.pid)]

    def close(self):
        self.anchor.communicate()


class Myself:
    """The user who runs the tests, where there is no scene."""

    prefix = []


class Slipway:
    """The program under test, as root of the scene or as a user of it."""

    def __init__(self, scene, home, user=None):
        self.scene, self.program = scene, PROGRAM
        self.user = user
        self.prefix = user.prefix if user else []
        keep = {k: v for k, v in os.environ.items()
                if k in ("PATH", "LANG", "TERM", "ASAN_OPTIONS")}
        self.env = keep | {"HOME": str(home), "TERM": "dumb"}
        self.runtime, self.state = "/run/slipway", "/var/lib/slipway"
        if user:
            self.env["XDG_RUNTIME_DIR"] = str(home / "run")
            self.env["XDG_STATE_HOME"] = str(home / "state")
            (home / "run").mkdir(mode=0o700, exist_ok=True)
            self.runtime = str(home / "run" / "slipway")
            self.state = str(home / "state" / "slipway")

    def argv(self, *args):
        return self.prefix + [self.program] + [str(a) for a in args]

    def __call__(self, *args, timeout=60, **kw):
        """Run to the end; a CompletedProcess with text."""
        kw.setdefault("stdin", subprocess.DEVNULL)
        if "input" in kw:
            del kw["stdin"]
        return subprocess.run(self.argv(*args), env=self.env, text=True,
                              capture_output=True, timeout=timeout, **kw)

    def popen(self, *args, **kw):
        return subprocess.Popen(self.argv(*args), env=self.env, text=True,
                                stdin=subprocess.PIPE, bufsize=1,
                                stdout=subprocess.PIPE, **kw)

    def guest(self, *options, **kw):
        return Guest(self, *options, **kw)

    def status(self):
        done = self("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def gone(self, seconds=0.5):
        """Wait until no process or interface is left."""
        left = ["?"]

        def none():
            left[:] = self.scene.leftovers()
            return not left
        try:
            until(none, seconds)
        except AssertionError:
            raise AssertionError(f"left after {seconds} s: {left}") from None


class Guest(Netns):
    """A guest that runs a shell which waits; `with` it, one is inside."""

    def __init__(self, slipway, *options, name=None):
        name_option = ["--name", name] if name else []
        self.slipway = slipway
        self.front = slipway.popen("run", *name_option, *options, "sh", "-c",
                                   "echo $$; read end || :")
        try:
            self.pid = int(self.read_line(20).split()[0])
            super().__init__(f"/proc/{self.pid}/ns/net")
            with self:
                self.addresses()
        except BaseException:
            self.front.kill()
            self.front.wait()
            raise

    def read_line(self, seconds):
        ready = select.select([self.front.stdout], [], [], seconds)[0]
        line = self.front.stdout.readline() if ready else ""
        assert line, "the guest did not come up"
        return line

    def addresses(self):
        """What `ip` says inside: addresses, gateways, the interface."""
        links = json.loads(sh("ip -j addr show dev eth0"))[0]["addr_info"]
        pick = {a["family"]: a["local"] for a in links
                if a.get("scope") == "global"}
        self.address4, self.address6 = pick.get("inet"), pick.get("inet6")
        route = json.loads(sh("ip -j route show default"))
        self.gateway4 = route[0]["gateway"] if route else None
        route = json.loads(sh("ip -j -6 route show default"))
        self.gateway6 = route[0]["gateway"] if route else None

    def sh(self, command, timeout=30):
        """A shell command in the guest's network, not in its mounts."""
        with self:
            return subprocess.run(command, shell=True, text=True,
                                  capture_output=True, timeout=timeout)

    def end(self):
        """End the guest's command; slipway's exit status."""
        with contextlib.suppress(OSError):
            self.front.stdin.close()
        status = self.front.wait(10)
        self.front.stdout.close()
        return status

    def close(self):
        if self.front.poll() is None:
            try:
                self.end()
            except subprocess.TimeoutExpired:
                self.front.kill()
                self.front.wait()
        super().close()


def mac_of(guest, address):
    """The Ethernet address that `address` has for the guest, as bytes."""
    guest.sh(f"ping -c1 -W1 {address}")
    line = guest.sh(f"ip neigh show {address}").stdout
    found = re.search(r"lladdr (\S+)", line)
    assert found, f"no neighbour {address}: {line!r}"
    return bytes.fromhex(found.group(1).replace(":", ""))


class Typist:
    """Somebody at a terminal: types, and reads what appears."""

    def __init__(self, argv, env):
        import pty
        self.master, slave = pty.openpty()
        self.seen = ""

        def own_terminal():
            os.setsid()
            import fcntl
            import termios
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        self.child = subprocess.Popen(argv, stdin=slave, stdout=slave,
                                      stderr=slave, env=env,
                                      preexec_fn=own_terminal)
        os.close(slave)

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, seconds=10):
        """Read until the pattern appears; the match."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return found
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.master], [], [], left)[0]
            assert ready, f"no {pattern!r} in {self.seen!r}"
            try:
                data = os.read(self.master, 65536)
            except OSError:
                data = b""
            assert data, f"ended before {pattern!r}: {self.seen!r}"
            self.seen += data.decode(errors="replace").replace("\r", "")

    def close(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()
        os.close(self.master)


def in_thread(fn, *args):
    """Start fn in a thread; a function that waits and gives its value."""
    result = {}

    def body():
        try:
            result["value"] = fn(*args)
        except BaseException as error:          # re-raised in the waiter
            result["error"] = error
    thread = threading.Thread(target=body, daemon=True)
    thread.start()

    def wait(seconds=60):
        thread.join(seconds)
        assert not thread.is_alive(), f"{fn.__name__} hangs"
        if "error" in result:
            raise result["error"]
        return result["value"]
    return wait


def need(*programs):
    """Skip the test, saying so, where a program is not installed."""
    import pytest
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
