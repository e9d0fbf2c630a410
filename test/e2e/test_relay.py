# SPDX-License-Identifier: MIT
"""
Connections between host and guest, on each of the three ways alike.

    localhost   a client of the host's at 127.0.0.1, spliced to the guest
    published   another machine at the host's address, in frames
    gateway     a client of the guest's at the gateway, in frames

SLIPWAY_BULK: how many MiB go each way at once (64).
"""

import contextlib
import errno
import hashlib
import os
import resource
import select
import signal
import socket
import struct
import time

import pytest

from scene import HOST4, in_thread, processes, until
from servers import listener

BULK = int(os.environ.get("SLIPWAY_BULK", "64")) << 20
RESET = struct.pack("ii", 1, 0)                 # SO_LINGER: close sends RST
PORT = 8000


class Way:
    """Where a client and its server are, and what the client connects to."""

    def __init__(self, scene, guest, name):
        self.name, self.guest = name, guest
        inside = guest.address4
        self.client, self.server, self.to, self.bound = {
            "localhost": (scene.host, guest, "127.0.0.1", "0.0.0.0"),
            "published": (scene.world, guest, HOST4, inside),
            "gateway": (guest, scene.host, guest.gateway4, "127.0.0.1"),
        }[name]
        with self.server:
            self.waiting = listener(self.bound, PORT, 4096)
        self.waiting.settimeout(20)
        until(self.opens, 3, f"the way by {name}")
        self.engine = max(pid for pid, comm in processes().items()
                          if comm == "slipway-engine")

    def opens(self):
        with contextlib.suppress(ConnectionRefusedError):
            for s in self.pair():
                s.close()
            return True
        return False

    def connect(self):
        with self.client:
            return socket.create_connection((self.to, PORT), 20)

    def pair(self):
        """A connection: the client's end and the server's."""
        near = self.connect()
        far, _ = self.waiting.accept()
        far.settimeout(20)
        return near, far

    def stats(self):
        return next(s["flows"] for s in self.guest.slipway.status()
                    if s["name"] == "relay")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.engine}/fd"))

    def memory(self):
        """Of the engine alone, in KiB."""
        with open(f"/proc/{self.engine}/status") as f:
            return next(int(line.split()[1]) for line in f
                        if line.startswith("RssAnon"))

    def close(self):
        self.waiting.close()


@pytest.fixture(scope="module", params=["localhost", "published", "gateway"])
def way(request, root, scene):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    localhost = "auto" if request.param == "localhost" else "off"
    with contextlib.closing(root.guest("--localhost", localhost, "-p", PORT,
                                       name="relay") if
                            request.param == "published" else
                            root.guest("--localhost", localhost,
                                       name="relay")) as guest:
        with contextlib.closing(Way(scene, guest, request.param)) as w:
            yield w
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def ends(way):
    near, far = way.pair()
    with near, far:
        yield near, far


@pytest.fixture(params=["client", "server"])
def by_either(request, ends):
    """Both ends, that of who acts first."""
    return ends if request.param == "client" else ends[::-1]


def everything(s):
    """Read to the end: how much, and its digest."""
    digest, n = hashlib.sha256(), 0
    while piece := s.recv(1 << 20):
        digest.update(piece)
        n += len(piece)
    return n, digest.digest()


def fill(s):
    """Send until it would block, for as long as that may pass."""
    s.setblocking(False)
    n = 0
    while select.select([], [s], [], 0.3)[1]:
        with contextlib.suppress(BlockingIOError):
            n += s.send(b"x" * (1 << 18))
    s.settimeout(20)
    return n


@pytest.mark.seconds(300)
def test_both_ways_at_once(ends):
    """Each side writes while a thread of its own reads."""
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    for _ in range(BULK >> 20):
        digest.update(block)

    def send(s):
        for _ in range(BULK >> 20):
            s.sendall(block)
        s.shutdown(socket.SHUT_WR)
    senders = [in_thread(send, s) for s in ends]
    readers = [in_thread(everything, s) for s in ends]
    for r in readers:
        assert r(280) == (BULK, digest.digest())
    for s in senders:
        s(10)


def test_a_way_that_nobody_reads_stops_no_other(by_either):
    one, other = by_either
    stuck = fill(one)                   # the other does not read
    block = os.urandom(1 << 20)
    sender = in_thread(lambda: ([other.sendall(block) for _ in range(32)],
                                other.shutdown(socket.SHUT_WR)))
    assert everything(one)[0] == 32 << 20
    sender(10)
    one.shutdown(socket.SHUT_WR)
    assert everything(other) == (
        stuck, hashlib.sha256(b"x" * stuck).digest())


def test_a_half_that_closed_leaves_the_other(by_either):
    one, other = by_either
    block = os.urandom(1 << 20)
    one.sendall(b"question")
    one.shutdown(socket.SHUT_WR)
    assert other.recv(100) == b"question"
    assert other.recv(100) == b""
    for _ in range(2):                  # as long as it likes
        assert not select.select([one], [], [], 0.2)[0]
        sender = in_thread(lambda: [other.sendall(block) for _ in range(4)])
        got = 0
        while got < 4 << 20:
            got += len(one.recv(1 << 20))
        sender(10)
    other.shutdown(socket.SHUT_WR)
    assert one.recv(1) == b""


def test_an_urgent_byte_is_urgent(by_either):
    """Apart from the others, at its place, and told at once (RFC 9293)."""
    near, far = by_either
    poll = select.poll()
    poll.register(far, select.POLLPRI)
    near.sendall(b"abc")
    near.send(b"!", socket.MSG_OOB)
    near.sendall(b"def")
    assert poll.poll(5000), "nothing urgent"
    assert far.recv(1, socket.MSG_OOB) == b"!"
    assert far.recv(10) == b"abc", "what is read ends at the mark"
    assert far.recv(10) == b"def"


def test_an_urgent_byte_is_in_its_place(by_either):
    """For who has it inline; and what is behind it comes, with the end."""
    near, far = by_either
    far.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    near.sendall(b"abc")
    near.send(b"!", socket.MSG_OOB)
    near.sendall(b"def")
    near.shutdown(socket.SHUT_WR)
    assert [far.recv(10), everything(far)] == [
        b"abc", (4, hashlib.sha256(b"!def").digest())]


def test_urgent_bytes_in_much_data(by_either):
    """Each is the last of its piece; nothing is lost, added or moved."""
    near, far = by_either
    far.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    data = os.urandom(1 << 20)
    received = in_thread(everything, far)
    for at in range(0, len(data), 9973):
        piece = data[at:at + 9973]
        near.sendall(piece[:-1])
        near.send(piece[-1:], socket.MSG_OOB)
    near.shutdown(socket.SHUT_WR)
    assert received(20) == (len(data), hashlib.sha256(data).digest())


def resets(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    s.close()


def is_reset(s):
    """What comes before it may be lost: RST overtakes data."""
    with contextlib.suppress(ConnectionResetError):
        while s.recv(1 << 20):
            pass
        return False
    return True


def test_a_reset_is_a_reset(by_either):
    resets(by_either[0])
    assert is_reset(by_either[1])


def test_a_reset_with_data_on_the_way(by_either):
    one, other = by_either
    fill(one)
    fill(other)
    resets(one)
    assert is_reset(other)


def test_a_reset_after_a_half_closed(by_either):
    one, other = by_either
    one.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    resets(other)
    assert is_reset(one)


def test_a_reset_by_who_closed_its_half(by_either):
    one, other = by_either
    one.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    resets(one)
    # Only who writes can learn of it: the stream has ended already.
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        while True:
            other.sendall(b"x" * 65536)


def test_a_process_that_is_killed(way, by_either):
    """With data unread, or unsent, its end is torn down by the kernel."""
    one, other = by_either
    child = os.fork()
    if child == 0:                      # the only one that has it then
        signal.pause()
    one.close()
    fill(other)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while True:
            other.sendall(b"x" * 65536)


# ---- many ----

@pytest.fixture
def nothing_leaks(way):
    """All descriptors of the engine come back, and most of its memory."""
    fds = way.descriptors()
    yield
    until(lambda: way.descriptors() <= fds + 40, 10,      # 16 pipes are kept
          f"{fds} descriptors again")
    until(lambda: way.stats()["relays"] == 0, 5, "no relay")


@pytest.mark.seconds(120)
def test_eight_thousand_at_once(way, nothing_leaks):
    with contextlib.ExitStack() as stack:
        pairs = {}
        for start in range(0, 8000, 500):
            near = [stack.enter_context(way.connect()) for _ in range(500)]
            for i, s in enumerate(near):
                s.sendall(struct.pack("!I", start + i))
            for _ in near:
                far, _ = way.waiting.accept()
                stack.enter_context(far)
                far.settimeout(20)
                number, = struct.unpack("!I", far.recv(4))
                pairs[number] = near[number - start], far
        assert len(pairs) == 8000
        for number, (near, far) in pairs.items():
            far.sendall(b"answer %d" % number)
        for number, (near, far) in pairs.items():
            assert near.recv(100) == b"answer %d" % number


def test_a_burst_of_clients(way, nothing_leaks):
    """More than the helper can be asked for in one turn."""
    with contextlib.ExitStack() as stack:
        near = []
        with way.client:
            for _ in range(2000):
                s = stack.enter_context(socket.socket())
                s.setblocking(False)
                assert s.connect_ex((way.to, PORT)) == errno.EINPROGRESS
                near.append(s)
        for _ in near:
            far, _ = way.waiting.accept()
            stack.enter_context(far)
            far.sendall(b"!")
        for s in near:
            s.settimeout(20)
            assert s.recv(1) == b"!"


def kernel_memory():
    """Of all TCP sockets of the machine, in MiB."""
    with open("/proc/net/sockstat") as f:
        line, = (line for line in f if line.startswith("TCP:"))
    return int(line.split()[-1]) >> 8


@pytest.mark.seconds(120)
def test_slow_readers_cost_little_and_stop_nobody(way, nothing_leaks):
    before, held = way.memory(), kernel_memory()
    with contextlib.ExitStack() as stack:
        def pair():
            near, far = way.pair()
            stack.enter_context(near)
            stack.enter_context(far)
            return near, far

        slow = [pair() for _ in range(400)]
        for s in (s for ends in slow for s in ends):
            s.setblocking(False)        # and little of its own in them
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        for _ in range(20):             # until no end takes any more
            for s in (s for ends in slow for s in ends):
                with contextlib.suppress(BlockingIOError):
                    while s.send(b"x" * 65536):
                        pass
        grown = way.memory() - before
        assert grown < 100 << 10, f"{grown} KiB for 400 slow readers"
        held = kernel_memory() - held
        assert held < 1000, f"{held} MiB of the kernel's"
        one, other = pair()
        for here, there in (one, other), (other, one):
            block = os.urandom(1 << 20)
            began = time.monotonic()
            sender = in_thread(lambda: [here.sendall(block)
                                        for _ in range(64)])
            got = 0
            while got < 64 << 20:
                got += len(there.recv(1 << 20))
            sender(10)
            assert time.monotonic() - began < 10, "the fast one is slow"


def test_connections_that_come_and_go(way, nothing_leaks):
    def some(n):
        for i in range(n):
            near, far = way.pair()
            near.sendall(b"?")
            far.recv(1)
            if i % 3 == 0:              # TIME-WAIT would use up the ports
                resets(near)
            elif i % 3 == 1:
                resets(far)
            else:
                far.close()
                near.recv(1)
            near.close()
            far.close()
    some(500)
    until(lambda: way.stats()["relays"] == 0, 5, "no relay")
    before = way.memory()
    some(2500)
    assert way.memory() - before < 1024, "KiB more for each"
