# SPDX-License-Identifier: MIT
"""`--localhost-conflict refuse`: the guest's bind of a port that is taken."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from scene import need, processes, until
from servers import Server, datagram, web

# Binds what it is told on its input, and says what came of it: the port
# or the error's name. A socket is kept under its number, or closed.
BINDER = """
import ctypes, errno, json, os, socket, sys, threading
kept = {}
families = {"4": socket.AF_INET, "6": socket.AF_INET6, "u": socket.AF_UNIX}
def bind(a):
    s = socket.socket(families[a["family"]], socket.SOCK_DGRAM
                      if a.get("udp") else socket.SOCK_STREAM)
    for name in a.get("set", []):
        s.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
    if a["family"] == "6":
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY,
                     not a.get("dual"))
    at = a["at"] if a["family"] == "u" else (a["at"], a["port"])
    try:
        s.bind(at)
        if a.get("keep") is not None:
            kept[a["keep"]] = s
            if not a.get("udp"):
                s.listen()
        return s.getsockname()[1] if a["family"] != "u" else "bound"
    except OSError as e:
        return errno.errorcode[e.errno]
    finally:
        if a.get("keep") is None:
            s.close()
def from_thread(a):
    out = []
    t = threading.Thread(target=lambda: out.append(bind(a)))
    t.start(); t.join()
    return out[0]
def from_child(a):
    r, w = os.pipe()
    if os.fork() == 0:
        os.write(w, json.dumps(bind(a)).encode())
        os._exit(0)
    os.wait()
    return json.loads(os.read(r, 100))
def raw(a):
    libc = ctypes.CDLL(None, use_errno=True)
    s = socket.socket()
    fd = {"socket": s.fileno(), "none": 999, "file": 0}[a["fd"]]
    at = (2).to_bytes(2, "little") + a["port"].to_bytes(2, "big") + bytes(12)
    rc = libc.bind(fd, at if a["addr"] else ctypes.c_void_p(8), a["len"])
    return errno.errorcode[ctypes.get_errno()] if rc else 0
def drop(a):
    kept.pop(a["keep"]).close()
    return 0
print(os.getpid(), flush=True)
for line in sys.stdin:
    a = json.loads(line)
    print(json.dumps(globals()[a.pop("do")](a)), flush=True)
"""


class Binder:
    """A program in a guest of its own that binds what it is told."""

    def __init__(self, slipway, *options, name="binder"):
        self.slipway, self.name = slipway, name
        self.front = slipway.popen("run", "--name", name, *options,
                                   "python3", "-c", BINDER)
        self.pid = self.answer()

    def answer(self):
        ready = select.select([self.front.stdout], [], [], 20)[0]
        line = self.front.stdout.readline() if ready else ""
        assert line, "no answer"
        return json.loads(line)

    def ask(self, do, **what):
        self.front.stdin.write(json.dumps(what | {"do": do}) + "\n")
        return self.answer()

    def bind(self, port, family="4", at=None, do="bind", **more):
        at = at or {"4": "0.0.0.0", "6": "::"}[family]
        return self.ask(do, family=family, at=at, port=port, **more)

    def drop(self, keep):
        self.ask("drop", keep=keep)

    def status(self):
        return next(g for g in self.slipway.status()
                    if g["name"] == self.name)

    def forwarded(self, port):
        return any(f["port"] == port and f["ipv4"]["state"] == "open"
                   for f in self.status()["forwards"] if "ipv4" in f)

    def close(self):
        with contextlib.suppress(OSError):
            self.front.stdin.close()
        self.front.wait(10)
        self.front.stdout.close()


@contextlib.contextmanager
def binder(slipway, *options, mode="refuse", **kw):
    b = Binder(slipway, "--localhost-conflict", mode, *options, **kw)
    try:
        yield b
    finally:
        b.close()


@pytest.fixture
def taken(scene):
    """The port of a web server of the host's, on 127.0.0.1."""
    with scene.host, contextlib.closing(Server("127.0.0.1", web)) as server:
        yield server.port


def free_port():
    """A port of the host's localhost that nobody has, above those picked."""
    for port in range(61000, 65000):
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            with socket.socket(socket.AF_INET6) as six:
                six.bind(("::1", port))
            return port
    raise AssertionError("no port is free")


@pytest.mark.smoke
def test_a_search_for_a_free_port_finds_one_that_is_reached(slipway, taken):
    script = """
import http.server, sys
class Here(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(b"from the guest")
    def log_message(self, *_): pass
port = int(sys.argv[1])
while True:
    try:
        server = http.server.ThreadingHTTPServer(("", port), Here)
        break
    except OSError as e:
        assert e.errno == 98, e
        port += 1
print(port, flush=True)
server.serve_forever()
"""
    front = slipway.popen("run", "--localhost-conflict", "refuse",
                          "python3", "-c", script, taken)
    try:
        port = int(front.stdout.readline())
        assert port > taken, "the host's own was left out"

        def page():
            with contextlib.suppress(OSError):
                return urllib.request.urlopen(
                    f"http://localhost:{port}/", timeout=5).read()
        assert until(page, 5) == b"from the guest"
    finally:
        front.terminate()
        front.communicate()


def test_each_family_and_both(slipway, taken):
    with binder(slipway) as b:
        for family, at in (("4", "0.0.0.0"), ("4", "127.0.0.1"), ("6", "::"),
                           ("6", "::1")):
            assert b.bind(taken, family, at) == "EADDRINUSE", at
        assert b.bind(taken, "6", dual=True) == "EADDRINUSE"
        assert b.status()["binds_refused"] == 5
        out = slipway("status", b.name).stdout
        assert "5 binds of ports that localhost has already" in out


def test_to_be_told_is_the_default(root, taken):
    with binder(root, mode="tell") as b:
        assert b.bind(taken, keep=1) == taken
        assert "binds_refused" not in b.status()
    with contextlib.closing(Binder(root)) as b:
        assert b.bind(taken, keep=1) == taken
        until(lambda: any("python3" in f["ipv4"].get("why", "")
                          for f in b.status()["forwards"]), 5)


def test_a_port_that_is_taken_at_one_half_only(root, scene):
    with scene.host, socket.socket(socket.AF_INET6) as s:
        port = free_port()
        s.bind(("::1", port))
        s.listen()
        with binder(root) as b:
            assert b.bind(port) == "EADDRINUSE", "localhost may mean ::1"
            assert b.bind(port, "6") == "EADDRINUSE"
            assert b.bind(port + 1) == port + 1


def test_udp(root, scene):
    with scene.host:
        port = free_port()
        with contextlib.closing(datagram("127.0.0.1", port)), \
                contextlib.closing(datagram("127.0.0.1", 40000)), \
                binder(root) as b:
            assert b.bind(port, udp=True) == "EADDRINUSE"
            assert b.bind(port, "6", udp=True) == "EADDRINUSE"
            assert b.bind(port) == port, "TCP is another matter"
            assert b.bind(port, udp=True, set=["SO_REUSEADDR"]) == port
            assert b.bind(40000, udp=True) == 40000, "a client's"


def test_what_is_none_of_our_business(root, taken, tmp_path):
    with binder(root) as b:
        assert b.bind(0) > 0
        assert b.bind(0, "6", dual=True) > 0
        assert b.ask("bind", family="u", at=str(tmp_path / "s")) == "bound"
        assert b.ask("raw", fd="none", addr=1, len=16, port=taken) == "EBADF"
        assert b.ask("raw", fd="file", addr=1, len=16,
                     port=taken) == "ENOTSOCK"
        assert b.ask("raw", fd="socket", addr=0, len=16,
                     port=taken) == "EFAULT"
        assert b.ask("raw", fd="socket", addr=1, len=8,
                     port=taken) == "EINVAL"
        assert b.ask("raw", fd="socket", addr=1, len=16,
                     port=taken) == "EADDRINUSE"
        assert b.ask("raw", fd="socket", addr=1, len=28,
                     port=taken) == "EADDRINUSE"
        assert b.status()["binds_refused"] == 2


def test_ports_that_are_not_forwarded(root, taken, tmp_path):
    with binder(root, "--localhost", "off") as b:
        assert b.bind(taken) == taken
    with binder(root, "--localhost", taken + 1) as b:
        assert b.bind(taken) == taken
    with binder(root, "--localhost", taken) as b:
        assert b.bind(taken) == "EADDRINUSE"
    conf = tmp_path / "conf"
    conf.write_text("[network]\nlocalhostConflict = refuse\n"
                    f"ignoredPorts = {taken}\n")
    with contextlib.closing(Binder(root, "--config", conf)) as b:
        assert b.bind(taken) == taken
        assert b.status()["binds_refused"] == 0


def test_its_own_ports_are_its_own(slipway):
    port = free_port()
    with binder(slipway) as b:
        assert b.bind(port, keep=1, set=["SO_REUSEPORT"]) == port
        until(lambda: b.forwarded(port), 5)
        assert b.bind(port) == "EADDRINUSE", "by the guest's kernel"
        assert b.bind(port, keep=2, set=["SO_REUSEPORT"]) == port
        b.drop(1), b.drop(2)
        # A server that is restarted at any moment of the 20 ms until its
        # end is seen has its port again.
        for i in range(60):
            assert b.bind(port, keep=1, set=["SO_REUSEADDR"]) == port
            if i % 3 == 0:
                until(lambda: b.forwarded(port), 5)
            b.drop(1)
            end = time.monotonic() + i * 0.0005
            while time.monotonic() < end:
                pass
        assert b.status()["binds_refused"] == 0


def test_restarts_of_a_udp_server(root):
    port = free_port()
    with binder(root) as b:
        for i in range(30):
            assert b.bind(port, udp=True, keep=1) == port
            until(lambda: b.forwarded(port), 5)
            b.drop(1)
            end = time.monotonic() + i * 0.001
            while time.monotonic() < end:
                pass
        assert b.status()["binds_refused"] == 0


def test_published_ports_are_its_own(root):
    port = free_port()
    with binder(root, "--publish", port) as b:
        for _ in range(10):
            assert b.bind(port, keep=1) == port
            until(lambda: any(p["state"] == "open"
                              for p in b.status()["published"]), 5)
            b.drop(1)


def test_a_port_that_is_published_for_another_is_taken(root):
    port = free_port()
    with binder(root, "--publish", f"{port}:{port + 1}") as b:
        assert b.bind(port + 1, keep=1) == port + 1
        until(lambda: any(p["state"] == "open"
                          for p in b.status()["published"]), 5)
        assert b.bind(port) == "EADDRINUSE"
        assert b.bind(port + 1, set=["SO_REUSEADDR"]) == "EADDRINUSE"


def test_two_guests_do_not_take_the_same(root):
    port = free_port()
    with binder(root, name="one") as one, binder(root, name="two") as two:
        assert one.bind(port, keep=1) == port
        until(lambda: one.forwarded(port), 5)
        assert two.bind(port) == "EADDRINUSE"
        one.drop(1)
        until(lambda: two.bind(port) == port, 5)


def test_threads_and_children(slipway, taken):
    with binder(slipway) as b:
        assert b.bind(taken, do="from_thread") == "EADDRINUSE"
        assert b.bind(taken, do="from_child") == "EADDRINUSE"
        assert b.bind(free_port(), do="from_thread") == free_port()


def test_a_network_within_is_left_alone(slipway, taken):
    done = slipway(
        "run", "--root", "--localhost-conflict", "refuse", "unshare", "-n",
        "python3", "-c", "import socket, sys\n"
        "socket.socket().bind(('', int(sys.argv[1])))", taken)
    assert done.returncode == 0, done.stderr


def test_rights_stay_as_they_are(slipway):
    done = slipway("run", "--localhost-conflict", "refuse", "grep",
                   "NoNewPrivs", "/proc/self/status")
    assert done.stdout.split() == ["NoNewPrivs:", "0"], done.stderr


def test_signals_that_restart_calls_do_not_show(root):
    done = root("run", "--localhost-conflict", "refuse", "python3", "-c", """
import ctypes, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
signal.signal(signal.SIGALRM, lambda *_: None)
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
bad = 0
at = (2).to_bytes(2, "little") + bytes(14)
for _ in range(3000):
    s = socket.socket()
    bad += libc.bind(s.fileno(), at, 16) != 0
    s.close()
print(bad)
""")
    assert done.stdout == "0\n", done.stderr


def test_one_that_is_watched_already(root):
    """The kernel allows one notifier: the second gets EBUSY, and we say so."""
    refuse = ["run", "--localhost-conflict", "refuse"]
    script = """
import ctypes, errno, struct
libc = ctypes.CDLL(None, use_errno=True)
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
prog = struct.pack("HxxxxxxQ", 1, ctypes.addressof(code))
rc = libc.syscall(%d, 1, 8, prog)
print(errno.errorcode[ctypes.get_errno()] if rc < 0 else "notifier")
""" % {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    assert root("run", "python3", "-c", script).stdout == "notifier\n"
    assert root(*refuse, "python3", "-c", script).stdout == "EBUSY\n"
    done = root(*refuse, *root.argv(*refuse, "--name", "within", "true"))
    assert done.returncode == 125
    assert "is watched by such a filter itself" in done.stderr


def test_only_where_a_command_is_ours(root, tmp_path):
    for command in (["serve", "--qemu", tmp_path / "s"],
                    ["attach", os.getpid()], ["exec", "x"]):
        done = root(command[0], "--localhost-conflict", "refuse",
                    *command[1:])
        assert done.returncode == 2, command
        assert "--localhost-conflict" in done.stderr
    done = root("run", "--localhost-conflict", "maybe", "true")
    assert done.returncode == 2
    assert "tell or refuse" in done.stderr


def test_commands_of_exec_are_not_watched(root, taken):
    with binder(root) as b:
        done = root("exec", b.name, "python3", "-c", "import socket, sys\n"
                    "socket.socket().bind(('', int(sys.argv[1])))", taken)
        assert done.returncode == 0, done.stderr


def test_callers_that_are_killed(root, taken):
    """Calls whose threads are gone are no calls, and the next is served."""
    script = """
import os, signal, socket, sys
port = int(sys.argv[1])
for _ in range(200):
    pid = os.fork()
    if pid == 0:
        os.write(1, b"")
        while True:
            try:
                socket.socket().bind(("", port))
            except OSError:
                pass
    os.sched_yield()
    os.kill(pid, signal.SIGKILL)
    os.wait()
try:
    socket.socket().bind(("", port))
except OSError as e:
    print(e.errno)
"""
    done = root("run", "--localhost-conflict", "refuse", "python3", "-c",
                script, taken)
    assert done.stdout == "98\n", done.stderr


def watcher_of(front):
    return next((pid for pid, name in processes().items()
                 if name == "slipway-watcher" and pid > front.pid), None)


def test_a_flood_starves_nobody(root, taken):
    """Eight who bind a taken port as fast as they can; the rest goes on."""
    script = """
import os, socket, sys, time
for _ in range(8):
    if os.fork() == 0:
        while True:
            try:
                socket.socket().bind(("", int(sys.argv[1])))
            except OSError as e:
                if e.errno == 38:       # nobody watches any more
                    os._exit(0)
s = socket.create_server(("", int(sys.argv[2])))
print("up", flush=True)
while True:
    s.accept()[0].close()
"""
    port = free_port()
    front = root.popen("run", "--name", "flood", "--localhost-conflict",
                       "refuse", "python3", "-c", script, taken, port)
    try:
        assert front.stdout.readline() == "up\n"
        until(lambda: root.status()[0]["binds_refused"] > 500, 30)
        until(lambda: not socket.socket().connect_ex(("127.0.0.1", port)), 5)
        with open(root.status()[0]["log"]) as log:
            lines = sum("is refused to the guest" in line for line in log)
        assert 0 < lines < 40, "one a second"
        assert root("stop", "flood").returncode == 0
    finally:
        front.kill()
        front.communicate()


def test_a_watcher_that_hangs_holds_up_nothing_of_ours(root, taken):
    """As where a page of the caller's is served by a file system of its own."""
    front = root.popen("run", "--name", "hang", "--localhost-conflict",
                       "refuse", "python3", "-c", "import socket\n"
                       "print('up', flush=True); input()\n"
                       "socket.socket().bind(('', %d))" % taken)
    try:
        assert front.stdout.readline() == "up\n"
        os.kill(until(lambda: watcher_of(front), 5), signal.SIGSTOP)
        front.stdin.write("\n")
        assert root.status()[0]["binds_refused"] == 0
        begun = time.monotonic()
        assert root("stop", "hang").returncode == 0
        front.wait(5)
        assert time.monotonic() - begun < 4
    finally:
        front.kill()
        front.communicate()


# A file system whose one file is opened and never read; what bind is given
# lies in it. By hand, for there is nothing to be installed for it.
NEVER_READ = """
import ctypes, mmap, os, socket, struct, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
try:
    dev = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={dev},rootmode=40000,user_id=0,group_id=0".encode()
    if libc.mount(b"fuse", sys.argv[1].encode(), b"fuse", 0, options):
        raise OSError(ctypes.get_errno(), "mount")
except OSError as e:
    print("none:", e, flush=True)
    sys.exit()
def attr(node):
    mode = 0o40755 if node == 1 else 0o100644
    return struct.pack("<QQQQQQIIIIIIIIII", node, 4096, 8, 0, 0, 0, 0, 0, 0,
                       mode, 1, 0, 0, 0, 4096, 0)
def serve():
    while True:
        q = os.read(dev, 1 << 20)
        op, unique, node = struct.unpack_from("<IQQ", q, 4)
        error, out = 0, b""
        if op == 26:            # INIT
            out = struct.pack("<IIIIHHIIHHI7I", 7, 31, 4096, 0, 1, 1, 4096,
                              1, 1, 0, 0, *[0] * 7)
        elif op == 1:           # LOOKUP
            out = struct.pack("<QQQQII", 2, 0, 60, 60, 0, 0) + attr(2)
        elif op == 3:           # GETATTR
            out = struct.pack("<QII", 60, 0, 0) + attr(node)
        elif op in (14, 27):    # OPEN, OPENDIR
            out = struct.pack("<QII", 1, 0, 0)
        elif op == 15:          # READ: let it wait
            print("read", flush=True)
            continue
        elif op in (2, 36):     # FORGET, INTERRUPT want no answer
            continue
        else:
            error = -38
        os.write(dev, struct.pack("<IiQ", 16 + len(out), error, unique) + out)
threading.Thread(target=serve, daemon=True).start()
fd = os.open(sys.argv[1] + "/file", os.O_RDONLY)
libc.mmap.restype = ctypes.c_void_p
at = libc.mmap(None, ctypes.c_size_t(4096), 1, 2, fd, ctypes.c_long(0))
os.close(fd)                    # or its end would wait for itself
print("up", flush=True)
s = socket.socket()
libc.bind(s.fileno(), ctypes.c_void_p(at), 16)
"""


def test_memory_that_is_never_there_holds_up_nothing_of_ours(root, tmp_path):
    front = root.popen("run", "--name", "fuse", "--localhost-conflict",
                       "refuse", "unshare", "-m", "python3", "-c", NEVER_READ,
                       tmp_path)
    try:
        first = front.stdout.readline()
        if first.startswith("none:"):
            pytest.skip(f"no FUSE here: {first}")
        assert first == "up\n"
        assert front.stdout.readline() == "read\n", "by the watcher"
        assert root.status()[0]["binds_refused"] == 0
        begun = time.monotonic()
        assert root("stop", "fuse").returncode == 0
        front.wait(5)
        assert time.monotonic() - begun < 4
    finally:
        front.kill()
        front.communicate()


def test_a_watcher_that_is_killed_ends_all(root):
    front = root.popen("run", "--localhost-conflict", "refuse", "sh", "-c",
                       "echo up; read x", stderr=subprocess.PIPE)
    assert front.stdout.readline() == "up\n"
    os.kill(until(lambda: watcher_of(front), 5), signal.SIGKILL)
    assert front.wait(10) == 125
    assert "the watcher of bind has ended unexpectedly" in \
        front.communicate()[1]


def test_node(slipway, taken):
    """Its bind is told by listen, and a search on EADDRINUSE goes on."""
    need("node")
    done = slipway("run", "--localhost-conflict", "refuse", "node", "-e", """
let port = +process.argv[1];
const s = require("net").createServer();
s.on("error", e => { console.log(e.code); s.listen(++port); });
s.on("listening", () => { console.log(s.address().port - process.argv[1]);
                          process.exit(0); });
s.listen(port);
""", taken)
    lines = done.stdout.split()
    assert lines[0] == "EADDRINUSE" and int(lines[-1]) > 0, done.stderr
