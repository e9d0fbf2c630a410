# SPDX-License-Identifier: MIT
"""
Malformed variants of each protocol (variants.py), on a link that is in use.

Each protocol's table is sent again and again over the tap of `run` and over
the socket of `serve`, while two streams of bytes that are checked go up and
down. Afterwards the streams are whole, what was counted is what the table
says, and the processes are the same. That memory does not grow is seen
without the streams: they fill and empty stores of their own.
"""

import collections
import contextlib
import hashlib
import os
import socket
import struct
import threading

import pytest

from plug import Plug, Serve
from scene import LONG, WORLD4, WORLD6, in_thread, mac_of, processes, sh, \
    until
from servers import listener

pytest.importorskip("scapy.all")
import variants                                         # noqa: E402

ROUNDS = 40 if LONG else 4
BLOCK = os.urandom(1 << 16)
GROWTH_FRAMES = 20_000
GROWTH_KIB = 512                        # less than 27 bytes for each frame


class Link:
    """A guest and a way to put frames on its link; status by name."""

    def __init__(self, slipway, name, guest, front, put):
        self.slipway, self.name, self.guest = slipway, name, guest
        self.front, self.engine, self.put = front, engine_of(front), put

    def status(self):
        return next(s for s in self.slipway.status()
                    if s["name"] == self.name)

    def drops(self):
        return collections.Counter(self.status()["drops"])

    def resident_kib(self):
        """Memory of its own that the engine has, in KiB."""
        with open(f"/proc/{self.engine}/status") as f:
            return int(next(line for line in f
                            if line.startswith("RssAnon")).split()[1])


def engine_of(front):
    return next(pid for pid, name in processes().items()
                if name == "slipway-engine" and pid > front.pid)


@contextlib.contextmanager
def tap_link(root, _):
    with contextlib.closing(root.guest(name="variants")) as guest:
        with guest:
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        with s:
            with guest:
                s.bind(("eth0", 0))

            def put(frame):
                try:
                    s.send(frame)
                except OSError:         # the guest's kernel refuses it
                    return False
                return True
            yield Link(root, "variants", guest, guest.front, put)


@contextlib.contextmanager
def socket_link(root, directory):
    with contextlib.closing(Serve(root, directory, "variants")) as serve, \
            contextlib.closing(Plug(serve.socket)) as plug:
        status = serve.status()
        own, gateway = status["guest"], status["gateway"]
        with plug:
            sh(f"ip addr add {own['ipv4']}/20 dev eth0;"
               f"ip -6 addr replace {own['ipv6']}/64 dev eth0 nodad;"
               f"ip route add default via {gateway['ipv4']};"
               f"ip -6 route replace default via {gateway['ipv6']}")

        def put(frame):
            plug.send(frame)
            return True
        yield Link(root, "variants", plug, serve.front, put)


@pytest.fixture(scope="module", params=[tap_link, socket_link],
                ids=["tap", "socket"])
def link(request, root, world, tmp_path_factory):
    with request.param(root, tmp_path_factory.mktemp("link")) as made:
        mac_of(made.guest, made.status()["gateway"]["ipv4"])
        yield made


class Stream:
    """Bytes that go through the guest's connection until told to end."""

    def __init__(self, link, up):
        with link.slipway.scene.world:
            waiting = listener(WORLD4)
        with waiting, link.guest:
            self.near = socket.create_connection(waiting.getsockname(), 5)
            self.far = waiting.accept()[0]
        self.ended = threading.Event()
        self.ports = self.near.getsockname()[1], self.far.getsockname()[1]
        sender, receiver = ((self.near, self.far) if up else
                            (self.far, self.near))
        for s in (sender, receiver):
            s.settimeout(15)
        self.sent = in_thread(self.send, sender)
        self.received = in_thread(self.receive, receiver)

    def send(self, s):
        digest, n = hashlib.sha256(), 0
        while n < 16 or not self.ended.is_set():
            block = struct.pack("!Q", n) + BLOCK
            s.sendall(block)
            digest.update(block)
            n += 1
        s.shutdown(socket.SHUT_WR)
        return digest.hexdigest()

    @staticmethod
    def receive(s):
        digest = hashlib.sha256()
        while got := s.recv(1 << 18):
            digest.update(got)
        return digest.hexdigest()

    def finish(self):
        self.ended.set()
        assert self.sent(30) == self.received(30), "a byte has changed"
        self.near.close()
        self.far.close()


@contextlib.contextmanager
def sniffer(link):
    """What the guest's link carries, from now on."""
    with link.guest:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    with s:
        with link.guest:
            s.bind(("eth0", 3))
        s.settimeout(5)
        yield s


def next_sequence(frames, port):
    """Where the guest's next segment from that port stands."""
    while True:
        f = frames.recv(65536)
        if f[12:14] == b"\x08\0" and f[23] == 6 and \
                f[34:36] == port.to_bytes(2, "big"):
            return int.from_bytes(f[38:42], "big")


def where(link, ports, sequence):
    status = link.status()
    own, gateway = status["guest"], status["gateway"]
    mac = link.guest.sh("ip -br link show eth0").stdout.split()[2]
    return variants.At(mac, gateway["mac"], (own["ipv4"], own["ipv6"]),
                       (gateway["ipv4"], gateway["ipv6"]),
                       (WORLD4, WORLD6),
                       (*ports, sequence))


@pytest.mark.parametrize("table", variants.TABLES, ids=lambda t: t.__name__)
def test_malformed_variants_harm_nobody(link, table):
    up, down = Stream(link, True), Stream(link, False)
    engine, before = link.engine, link.drops()
    with sniffer(link) as frames:
        sequence = next_sequence(frames, up.ports[0])
    rows = list(table(where(link, up.ports, sequence)))
    sent = [row for row in rows if link.put(row[2])]
    assert len(sent) > len(rows) / 2, "the link takes them"
    for _ in range(ROUNDS - 1):
        for _, _, frame in sent:
            link.put(frame)
    up.finish()
    down.finish()
    want = ROUNDS * sum(fate == variants.REFUSED for _, fate, _ in sent)
    until(lambda: (link.drops() - before).total() >= want, 3,
          f"{want} drops, {link.drops() - before} so far", 0.02)
    assert os.path.exists(f"/proc/{engine}/stat"), "the engine has died"
    assert link.engine == engine_of(link.front)


@contextlib.contextmanager
def quiet_connection(link):
    """A connection of the guest's: its ports and where it stands."""
    with link.slipway.scene.world:
        waiting = listener(WORLD4)
    with waiting, link.guest:
        near = socket.create_connection(waiting.getsockname(), 5)
        far = waiting.accept()[0]
    with near, far, sniffer(link) as frames:
        ports = near.getsockname()[1], far.getsockname()[1]
        near.send(b"x")
        assert far.recv(1) == b"x"
        yield ports, next_sequence(frames, ports[0]) + 1


def test_it_does_not_grow(link):
    with quiet_connection(link) as (ports, sequence):
        at = where(link, ports, sequence)
        frames = [row[2] for table in variants.TABLES for row in table(at)]

        def put_all():
            for _ in range(GROWTH_FRAMES // len(frames) + 1):
                for frame in frames:
                    link.put(frame)
            mac_of(link.guest, link.status()["gateway"]["ipv4"])

        put_all()                       # what has a bound has reached it
        resident = link.resident_kib()
        put_all()
        assert link.resident_kib() < resident + GROWTH_KIB
