# SPDX-License-Identifier: MIT
"""serve --vhost-user: machines that break the protocol, and that come again."""

import array
import contextlib
import os
import random
import socket
import struct
import subprocess
import sys
import time

import pytest

from plug import Serve
from scene import until

GET_FEATURES, SET_FEATURES, SET_MEM_TABLE, SET_VRING_NUM = 1, 2, 5, 8
SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ENABLE = 12, 13, 18
USER = 1 << 40
MEM = 1 << 20


class FrontEnd:
    """What a machine's process says, as far as it is said right."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.sock.settimeout(5)
        self.memory = os.memfd_create("guest")
        os.truncate(self.memory, MEM)
        self.kicks = [os.eventfd(0), os.eventfd(0)]

    def say(self, request, payload=b"", *fds, flags=1, size=None):
        head = struct.pack("=III", request, flags,
                           len(payload) if size is None else size)
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                    array.array("i", fds))] if fds else []
        self.sock.sendmsg([head + payload], control)

    def hear(self):
        head = self.sock.recv(12, socket.MSG_WAITALL)
        if len(head) < 12:
            return None
        return self.sock.recv(struct.unpack("=III", head)[2],
                              socket.MSG_WAITALL)

    def is_served(self):
        """An answer, and not the end."""
        with contextlib.suppress(OSError):
            self.say(GET_FEATURES)
            return bool(self.hear())
        return False

    def start(self, memory=True):
        """Memory, and a queue in each direction."""
        self.say(SET_FEATURES, struct.pack("=Q", 1 << 32 | 1 << 15 | 1 << 30))
        if memory:
            self.say(SET_MEM_TABLE, struct.pack("=II4Q", 1, 0, 0, MEM, USER,
                                                0), self.memory)
        for q in (0, 1):
            at = USER + q * 65536
            self.say(SET_VRING_NUM, struct.pack("=II", q, 256))
            self.say(SET_VRING_BASE, struct.pack("=II", q, 0))
            self.say(SET_VRING_ADDR, struct.pack("=II4Q", q, 0, at,
                                                 at + 16384, at + 8192, 0))
            self.say(SET_VRING_KICK, struct.pack("=Q", q), self.kicks[q])
            self.say(SET_VRING_ENABLE, struct.pack("=II", q, 1))

    def write(self, at, data):
        os.pwrite(self.memory, data, at)

    def kick(self, queue=1):
        os.eventfd_write(self.kicks[queue], 1)

    def close(self):
        self.sock.close()
        for fd in (self.memory, *self.kicks):
            os.close(fd)


@pytest.fixture
def serve(root, world, tmp_path):
    with contextlib.closing(Serve(root, tmp_path, "vhost",
                                  link="vhost-user")) as s:
        yield s
        assert s.front.poll() is None


def front_end(serve):
    return contextlib.closing(FrontEnd(serve.socket))


def log(serve):
    with open(serve.status()["log"], encoding="utf-8") as f:
        return f.read()


def serves_another(serve):
    with front_end(serve) as good:
        good.start()
        return good.is_served()


def test_messages_of_no_sense(serve):
    """Random ones, in which the first bytes are often right."""
    chance = random.Random(8)
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with front_end(serve) as bad, contextlib.suppress(OSError):
            if chance.random() < 0.5:
                bad.start()
            for _ in range(20):
                size = chance.choice((0, 4, 8, 8, 16, 40, 40, 264))
                bad.say(chance.randrange(45),
                        bytes(chance.choices((0, 0, 0, 1, 255), k=size)),
                        *[bad.memory] * chance.choice((0, 0, 1, 2, 9)),
                        flags=chance.choice((1, 1, 1, 9, 0, 5)),
                        size=chance.choice((None, None, None, 1 << 31)))
    assert serves_another(serve)
    assert len(log(serve).splitlines()) < 100   # each of it once a minute


def test_memory_of_no_sense(serve):
    """All of a queue is chance, and it is kicked."""
    chance = random.Random(9)
    with front_end(serve) as bad:
        bad.start()
        for _ in range(300):
            bad.write(65536 * chance.randrange(2), chance.randbytes(20000))
            bad.kick(chance.randrange(2))
        assert bad.is_served()                  # its own queues stopped
    assert serves_another(serve)
    assert "the virtual machine:" in log(serve)


def test_memory_that_goes_away(serve):
    with front_end(serve) as bad:
        bad.start()
        assert bad.is_served()
        os.truncate(bad.memory, 0)
        bad.kick()
        until(lambda: not bad.is_served(), 5, "the end")
    assert "taken away" in log(serve)
    assert serves_another(serve)


def test_no_memory_and_no_queue(serve):
    with front_end(serve) as bad:
        bad.start(memory=False)
        bad.kick()
        assert bad.is_served()
    assert serves_another(serve)
    assert "not where it says" in log(serve)


def test_one_that_stops_in_a_message(serve):
    with front_end(serve) as bad:
        bad.sock.send(b"\x01\0\0\0\x01")
        bad.sock.send(b"\0\0\0\0\0\0\0" + struct.pack("=II", SET_FEATURES, 1))
        assert bad.hear()                       # in pieces it counts, too
    assert serves_another(serve)


def test_it_keeps_no_descriptor(serve):
    def held():
        engine = next(p for p in os.listdir("/proc") if p.isdigit() and
                      name(p) == "slipway-engine")
        return len(os.listdir(f"/proc/{engine}/fd"))

    def name(pid):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/comm") as f:
            return f.read().strip()
    assert serves_another(serve)
    before = held()
    for _ in range(20):
        assert serves_another(serve)
        with front_end(serve) as bad:
            bad.start()
            bad.say(99, b"", bad.memory, bad.memory)
            assert not bad.is_served()
    until(lambda: held() <= before, 5, "as many descriptors as before")


def offer(machine, queue, at, size, writable):
    """The first descriptor of a queue, and its only one: size bytes at at."""
    base = 65536 * queue
    machine.write(base, struct.pack("=QIHH", at, size, 2 * writable, 0))
    machine.write(base + 8192, struct.pack("=HHH", 0, 1, 0))
    machine.kick(queue)


def used(machine, queue):
    return struct.unpack("=H", os.pread(machine.memory, 2,
                                        65536 * queue + 16384 + 2))[0]


def test_a_frame_waits_for_its_buffer(serve):
    """The answer to an ARP request: nothing else asks for it again."""
    status = serve.status()
    mac, own, gateway = (b"\x52\x54\0\x12\x34\x56",
                         *(socket.inet_aton(status[of]["ipv4"])
                           for of in ("guest", "gateway")))
    ask = (b"\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + mac +
           own + bytes(6) + gateway)
    with front_end(serve) as machine:
        machine.start()
        machine.write(0x40000, bytes(12) + ask)
        offer(machine, 1, 0x40000, 12 + len(ask), False)
        until(lambda: used(machine, 1) == 1, 5, "the question's end")
        assert machine.is_served() and used(machine, 0) == 0
        offer(machine, 0, 0x50000, 2048, True)
        until(lambda: used(machine, 0) == 1, 1, "a frame")
    assert "LINKFULL" not in serve.status()["drops"]


# ---- also for --qemu ----

@pytest.fixture(params=["qemu", "vhost-user"])
def served(request, root, world, tmp_path):
    with contextlib.closing(Serve(root, tmp_path, "one",
                                  link=request.param)) as s:
        yield s


def ends(sock):
    sock.settimeout(5)
    return sock.recv(1) == b""


def connected(served):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(served.socket)
    return sock


def test_a_second_machine_is_turned_away(served):
    with connected(served) as first:
        for _ in range(3):
            with connected(served) as second:
                assert ends(second)
        first.settimeout(0.2)
        with pytest.raises(TimeoutError):       # it goes on
            first.recv(1)
    assert log(served).count("was turned away") == 1
    with connected(served) as next_one:
        next_one.settimeout(0.2)
        with pytest.raises(TimeoutError):
            next_one.recv(1)


def test_a_service_manager_is_told(served, tmp_path):
    """By serve, when the machine may come, and when it ends."""
    served.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(5)
        served.slipway.env["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        try:
            served.start()
        finally:
            del served.slipway.env["NOTIFY_SOCKET"]
        assert manager.recv(99) == b"READY=1"
        served.front.terminate()
        assert manager.recv(99) == b"STOPPING=1"


ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("path", ["there", "elsewhere"])
def test_a_service_manager_makes_the_socket(root, world, tmp_path, path):
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "there"))
        made.listen(4)
        front = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, str(made.fileno()),
             *root.argv("serve", "--name", "given", "--vhost-user",
                        str(tmp_path / path))],
            env=root.env, text=True, stderr=subprocess.PIPE,
            pass_fds=(made.fileno(),))
    with front:
        if path == "elsewhere":
            assert "ListenStream= the same path" in front.stderr.read()
            assert front.wait(5) == 1
            return
        with contextlib.closing(FrontEnd(str(tmp_path / path))) as machine:
            assert machine.is_served()
        root("stop", "given")
        assert front.wait(5) == 0
    assert os.path.exists(tmp_path / path)      # it is the manager's
