# SPDX-License-Identifier: MIT
"""
One machine after the other at the socket of `serve`, however closely.

The engine is held while things happen at its sockets, so that it meets them
all in one turn, in the order in which they came.
"""

import contextlib
import os
import queue
import signal
import socket

import pytest

from plug import MAC, Plug, Serve
from scene import processes, until

scapy = pytest.importorskip("scapy.all")


@pytest.fixture
def serve(root, world, tmp_path):
    s = Serve(root, tmp_path, "rejoin")
    yield s
    s.close()


@pytest.fixture
def plug(serve):
    with contextlib.closing(Plug(serve.socket, up=False)) as p:
        yield p


def state_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def held(serve):
    """What happens here is news to the engine at its end, all at once."""
    pid = next(pid for pid, name in processes().items()
               if name == "slipway-engine" and pid > serve.front.pid)
    until(lambda: state_of(pid) == "S", 10, "an idle engine")
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: state_of(pid) == "T", 10, "a held engine")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Asker:
    """Asks for the gateway's MAC."""

    def __init__(self, serve, plug):
        status = serve.status()
        self.plug, self.heard = plug, queue.Queue()
        self.mac = status["gateway"]["mac"]
        self.question = bytes(
            scapy.Ether(src=MAC, dst="ff:ff:ff:ff:ff:ff") /
            scapy.ARP(hwsrc=MAC, psrc=status["guest"]["ipv4"],
                      pdst=status["gateway"]["ipv4"]))
        plug.watch(lambda from_guest, frame: self.heard.put(frame))

    def ask(self):
        self.plug.send(self.question)

    def is_told(self):
        with contextlib.suppress(queue.Empty):
            answer = scapy.Ether(self.heard.get(timeout=5))
            return answer[scapy.ARP].hwsrc == self.mac
        return False

    def works(self):
        self.ask()
        return self.is_told()


def test_a_machine_follows_at_once(serve, plug):
    asker = Asker(serve, plug)
    assert asker.works()
    with held(serve):
        plug.leave()
        plug.join(serve.socket)
    assert asker.works()


def test_one_that_waits_at_the_door_is_in_nobodys_way(serve, plug):
    asker = Asker(serve, plug)
    assert asker.works()
    with socket.socket(socket.AF_UNIX) as other, held(serve):
        asker.ask()
        other.connect(serve.socket)
    assert asker.is_told()
