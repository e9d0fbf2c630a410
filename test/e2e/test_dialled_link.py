# SPDX-License-Identifier: MIT
"""serve --qemu-connect: the machine listens, and slipway connects."""

import contextlib
import os
import socket
import time

import pytest

from plug import Plug, Serve
from scene import kill_all, processes, sh, until


class ListeningPlug(Plug):
    """A machine at a socket of its own; `up` waits for slipway's call."""

    waiting = None

    def listen(self, path):
        """As QEMU does: over what an earlier one has left behind."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.waiting = socket.socket(socket.AF_UNIX)
        self.waiting.bind(path)
        self.waiting.listen(1)

    def join(self, path):
        if not self.waiting:
            self.listen(path)
        self.waiting.settimeout(5)
        self.sock = self.waiting.accept()[0]
        self.sock.settimeout(None)
        self.start_threads()

    def vanish(self):
        """With its socket's file left where it is."""
        self.leave()
        self.waiting.close()
        self.waiting = None

    def close(self):
        super().close()
        if self.waiting:
            self.waiting.close()


@pytest.fixture
def serve(root, world, tmp_path):
    with contextlib.closing(Serve(root, tmp_path, "dialled",
                                  link="qemu-connect")) as s:
        yield s


def addressed(plug, status):
    with plug:
        sh(f"ip addr add {status['guest']['ipv4']}/20 dev eth0;"
           f"ip route add default via {status['gateway']['ipv4']}")
    return plug


@pytest.fixture
def plug(serve):
    with contextlib.closing(ListeningPlug(serve.socket)) as p:
        yield addressed(p, serve.status())


def reaches(plug, serve):
    gateway = serve.status()["gateway"]["ipv4"]
    return plug.sh(f"ping -c1 -w5 {gateway}").returncode == 0


@contextlib.contextmanager
def promptly():
    """The bar for whatever was started anew: 2 s; here it is near 0.1 s."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 2


def ticks(serve):
    with open(f"/proc/{serve.front.pid}/stat") as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13]))


def test_a_machine_that_goes_and_comes(serve, plug):
    assert reaches(plug, serve)
    for _ in range(2):
        plug.vanish()
        with promptly():
            plug.join(serve.socket)
            assert reaches(plug, serve)


def test_one_that_hangs_up_is_called_again(serve, plug):
    assert reaches(plug, serve)
    began = time.monotonic()
    for _ in range(5):
        plug.leave()
        plug.join(serve.socket)
    assert time.monotonic() - began > 0.4       # and not at once
    assert reaches(plug, serve)


def test_one_that_talks_nonsense_is_hung_up_on_and_called_again(serve, plug):
    assert reaches(plug, serve)
    plug.sock.sendall(b"\xff" * 64)
    until(lambda: not any(t.is_alive() for t in plug.threads[1:]), 5,
          "the end of the connection")
    plug.leave()
    plug.join(serve.socket)
    assert reaches(plug, serve)


def test_a_machine_that_was_there_first(root, world, tmp_path):
    first = socket.socket(socket.AF_UNIX)
    first.bind(f"{tmp_path}/qemu.sock")
    first.listen(1)
    with first, contextlib.closing(Serve(root, tmp_path, "late",
                                         link="qemu-connect")):
        first.settimeout(5)
        first.accept()[0].close()


def test_slipway_that_was_killed_and_started_again(serve, plug):
    assert reaches(plug, serve)
    old = serve.status()["guest"]
    pids = [pid for pid, name in processes().items()
            if name.startswith("slipway") and pid >= serve.front.pid]
    kill_all(pids)
    serve.front.wait(5)
    until(lambda: not set(pids) & set(processes()), 5, "its end")
    plug.leave()
    with promptly():
        serve.start()
        plug.join(serve.socket)
        assert reaches(plug, serve)
    assert serve.status()["guest"] == old


def test_who_waits_for_it_rests(serve, plug):
    plug.vanish()
    before = ticks(serve)
    for n in range(200):
        with open(f"{serve.socket}.{n}", "w"):
            pass
    plug.join(serve.socket)
    assert reaches(plug, serve)
    assert ticks(serve) - before < 20


def test_its_socket_is_left_to_it(serve, plug):
    serve.close()
    assert os.path.exists(serve.socket)
