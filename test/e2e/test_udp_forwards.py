# SPDX-License-Identifier: MIT
"""UDP of the guest's on the host's localhost and for other machines."""

import contextlib
import errno
import json
import os
import re
import socket
import struct
import threading

import pytest

from plug import Plug, Serve
from scene import HOST4, HOST6, WORLD4, WORLD6, sh, until
from servers import UdpEcho, datagram

UDP_SEGMENT = 103


class Who:
    """A server that answers with the address it sees, and what it got."""

    def __init__(self, address, port):
        self.sock = datagram(address, port)
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        with contextlib.suppress(OSError):
            while True:
                data, peer = self.sock.recvfrom(65536)
                if data == b"end":
                    return
                self.sock.sendto(peer[0].encode() + b" " + data, peer)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.sendto(b"end", self.sock.getsockname())
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


@contextlib.contextmanager
def client(where, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with where:
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.settimeout(5)
        s.connect(socket.getaddrinfo(address, port, family)[0][4])
    with s:
        yield s


def asked(where, address, port, wait=5):
    """Whom the server sees; None: the port is closed; "": nobody answers."""
    with client(where, address, port) as s:
        s.settimeout(wait)
        try:
            s.send(b"?")
            return s.recv(65536).split()[0].decode()
        except ConnectionRefusedError:
            return None
        except TimeoutError:
            return ""


def seen(where, address, port):
    """The same, once the port is open."""
    until(lambda: asked(where, address, port, 1) is not None, 3,
          f"{address}:{port}")
    return asked(where, address, port)


def closed(where, address, port):
    """What is asked at the last moment nobody answers."""
    until(lambda: asked(where, address, port, 0.1) is None, 3, "its end")


@pytest.fixture
def guest(root):
    with contextlib.closing(root.guest("-p", "8000/udp", "-p", "9000-9999:"
                                       "2000/udp", name="lan")) as g:
        yield g


# ---- localhost ----

@pytest.mark.smoke
@pytest.mark.parametrize("bound, by4, by6", [
    ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
    ("::1", "::1", "::1"),
])
def test_a_server_is_on_localhost_and_sees_it(root, scene, bound, by4, by6):
    with contextlib.closing(root.guest()) as guest:
        assert asked(scene.host, "127.0.0.1", 5300) is None
        with guest:
            server = Who(bound, 5300)
        with server:
            assert seen(scene.host, "127.0.0.1", 5300) == by4
            assert seen(scene.host, "::1", 5300) == by6
        for address in "127.0.0.1", "::1":
            closed(scene.host, address, 5300)


def test_the_first_datagrams_wait_for_their_way(root, scene):
    with contextlib.closing(root.guest()) as guest:
        with guest:
            server = Who("0.0.0.0", 5301)
        with server:
            seen(scene.host, "127.0.0.1", 5301)
            for _ in range(20):
                with client(scene.host, "127.0.0.1", 5301) as s:
                    for i in range(20):
                        s.send(b"%d" % i)
                    got = [s.recv(100).split()[1] for i in range(20)]
                assert got == [b"%d" % i for i in range(20)]


def test_datagrams_of_all_sizes_and_batches(root, scene):
    with contextlib.closing(root.guest()) as guest:
        with guest:
            server = UdpEcho("127.0.0.1", 5302)
        with server:
            until(lambda: asked(scene.host, "127.0.0.1", 5302) is not None,
                  3, "the port")
            with client(scene.host, "127.0.0.1", 5302) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                for size in 1, 1400, 9000, 65507:
                    data = os.urandom(size)
                    s.send(data)
                    assert s.recv(65536) == data, size
                data = os.urandom(1200 * 40 + 7)
                s.sendmsg([data], [(socket.SOL_UDP, UDP_SEGMENT,
                                    struct.pack("=H", 1200))])
                for at in range(0, len(data), 1200):
                    assert s.recv(65536) == data[at:at + 1200], at


def test_clients_are_told_apart(root, scene):
    with contextlib.closing(root.guest(name="many")) as guest:
        with guest:
            server = Who("0.0.0.0", 5303)
        with server, contextlib.ExitStack() as stack:
            seen(scene.host, "127.0.0.1", 5303)
            # More than there may be at once: who was silent longest goes.
            many = [stack.enter_context(client(scene.host, "127.0.0.1", 5303))
                    for _ in range(1200)]
            for s in many:
                s.send(b"%d" % id(s))
                assert s.recv(100).split()[1] == b"%d" % id(s)
            for s in many[::-100]:
                s.send(b"again")
                assert s.recv(100).split()[1] == b"again"
            shown = guest.slipway("status", "many").stdout
            relays = int(re.search(r"ping, (\d+) of localhost", shown)[1])
            assert 100 < relays <= 1024, shown


def test_a_client_is_no_server(root, scene):
    with contextlib.closing(root.guest("--localhost", "40000,5304"
                                       )) as listed, \
            contextlib.closing(root.guest()) as auto:
        with auto:
            resolver, mdns = datagram("0.0.0.0", 40001), datagram("", 5353)
            server = Who("0.0.0.0", 5305)
        with listed:
            asked_for = Who("0.0.0.0", 40000)
        with resolver, mdns, server, asked_for:
            assert seen(scene.host, "127.0.0.1", 5305) == "127.0.0.1"
            assert seen(scene.host, "127.0.0.1", 40000) == "127.0.0.1"
            for port in 40001, 5353:
                assert asked(scene.host, "127.0.0.1", port) is None, port


def test_a_port_of_the_hosts_is_left_to_it(root, scene):
    with scene.host:
        theirs = Who("127.0.0.1", 5306)
    with theirs, contextlib.closing(root.guest(name="late")) as guest:
        with guest:
            ours = UdpEcho("0.0.0.0", 5306)
        with ours:
            assert seen(scene.host, "::1", 5306)
            assert asked(scene.host, "127.0.0.1", 5306) == "127.0.0.1"
            shown = root("status", "late").stdout
            assert re.search(rf"127\.0\.0\.1:5306/udp is not forwarded: .*"
                             rf"\(pid {os.getpid()}\) has the port",
                             shown), shown
            assert re.search(r"^localhost   \[::1\]:5306/udp -> 127\.0\.0\.1"
                             r":5306$", shown, re.M), shown


def test_tcp_and_udp_of_one_port_are_two(root, scene):
    with contextlib.closing(root.guest()) as guest:
        with guest:
            udp = Who("0.0.0.0", 5307)
            tcp = socket.create_server(("0.0.0.0", 5307))
        with udp, tcp:
            assert seen(scene.host, "127.0.0.1", 5307)

            def connects():
                with scene.host, socket.socket() as s:
                    return s.connect_ex(("127.0.0.1", 5307)) == 0
            until(connects, 3, "TCP")
            tcp.close()
            until(lambda: not connects(), 3, "its end")
            assert asked(scene.host, "127.0.0.1", 5307)


# ---- other machines ----

@pytest.mark.smoke
def test_the_guest_sees_who_asks(guest, scene):
    assert asked(scene.world, HOST4, 8000) is None
    with guest:
        four = Who("0.0.0.0", 8000)
    with four:
        assert seen(scene.world, HOST4, 8000) == WORLD4
        assert not asked(scene.world, HOST6, 8000, 0.2), "IPv4 only"
        with guest:
            six = Who("::", 8000)
        with six:
            until(lambda: asked(scene.world, HOST6, 8000, 0.2) == WORLD6, 3,
                  "IPv6")
        assert asked(scene.host, HOST4, 8000) == HOST4, "the host, by its own"
        assert asked(scene.host, "127.0.0.1", 8000) == guest.gateway4
    closed(scene.world, HOST4, 8000)


def test_a_range_and_large_datagrams(guest, scene):
    with guest:
        server = UdpEcho("0.0.0.0", 2500)
    with server:
        until(lambda: asked(scene.world, HOST4, 9500) is not None, 3, "it")
        with client(scene.world, HOST4, 9500) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            for size in 1, 1400, 1473, 20000, 65507:
                data = os.urandom(size)
                s.send(data)
                assert s.recv(65536) == data, size
        shown = guest.slipway("status", "lan").stdout
        assert re.search(rf"^published   0\.0\.0\.0:9500/udp -> "
                         rf"{guest.address4}:2500$", shown, re.M), shown


def test_peers_hear_from_the_port_they_know(guest, scene):
    with scene.world:
        peer = datagram(WORLD4, 7000)
    with guest:
        server = datagram("0.0.0.0", 8000)
    with peer, server:
        peer.settimeout(5)
        until(lambda: "0.0.0.0:8000/udp ->" in
              guest.slipway("status", "lan").stdout, 3, "the port")
        server.sendto(b"first", (WORLD4, 7000))
        assert peer.recvfrom(10) == (b"first", (HOST4, 8000))
        peer.sendto(b"back", (HOST4, 8000))
        server.settimeout(5)
        assert server.recvfrom(10) == (b"back", (WORLD4, 7000))


def test_one_address_answers_as_itself(root, scene):
    """Each answer leaves from the address that was spoken to."""
    with contextlib.closing(root.guest("-p", f"{HOST4}:8001:80/udp", "-p",
                                       f"[{HOST6}]:8002:80/udp", "-p",
                                       "%up0:8003:80/udp", "-p",
                                       "8004:80/udp")) as guest:
        with guest:
            four = Who("0.0.0.0", 80)
        with four:
            for port in 8001, 8003, 8004:
                assert seen(scene.world, HOST4, port) == WORLD4
            for address, port in (("127.0.0.1", 8001), (HOST6, 8001)):
                assert asked(scene.host, address, port) is None, port


def test_what_is_not_published_stays_closed(guest, scene):
    with guest:
        loopback, other = Who("127.0.0.1", 8000), Who("0.0.0.0", 8001)
    with loopback, other:
        assert seen(scene.host, "127.0.0.1", 8000) == "127.0.0.1"
        for port in 8000, 8001:
            assert not asked(scene.world, HOST4, port, 0.2), port
        shown = guest.slipway("status", "lan").stdout
        assert "127.0.0.1:8000/udp is not published" in shown
        with guest:
            with pytest.raises(OSError) as taken:
                datagram("127.0.0.1", 8000)
            assert taken.value.errno == errno.EADDRINUSE


def test_localhost_goes_over_to_what_is_published_and_back(root, scene):
    with contextlib.closing(root.guest("-p", "8000/udp")) as guest:
        with guest:
            narrow = Who("127.0.0.1", 8000)
        with narrow:
            assert seen(scene.host, "127.0.0.1", 8000) == "127.0.0.1"
            with guest:
                wide = Who(guest.address4, 8000)
            with wide:
                assert seen(scene.world, HOST4, 8000) == WORLD4
                assert asked(scene.host, "127.0.0.1", 8000) == guest.gateway4
            until(lambda: asked(scene.host, "127.0.0.1", 8000, 0.1) ==
                  "127.0.0.1", 3, "localhost as it was")


SECOND4, SECOND6 = "192.0.2.52", "2001:db8::52"


@pytest.fixture
def more_addresses(scene):
    """The host's second addresses; and its link-local one, as the world's."""
    with scene.host:
        sh(f"ip addr add {SECOND4}/24 dev up0;"
           f"ip -6 addr add {SECOND6}/64 dev up0 nodad")
        up0, = json.loads(sh("ip -j -6 addr show dev up0"))
    link_local, = (a["local"] for a in up0["addr_info"]
                   if a["scope"] == "link")
    yield SECOND4, SECOND6, link_local + "%down0"
    with scene.host:
        sh(f"ip addr del {SECOND4}/24 dev up0;"
           f"ip -6 addr del {SECOND6}/64 dev up0")


def test_answers_leave_from_the_address_spoken_to(root, scene,
                                                  more_addresses):
    with contextlib.closing(root.guest("-p", "8000/udp")) as guest:
        with guest:
            four, six = Who("0.0.0.0", 8000), Who("::", 8000)
        with four, six:
            assert seen(scene.world, more_addresses[0], 8000) == WORLD4
            assert seen(scene.world, more_addresses[1], 8000) == WORLD6
            # Whose address says nothing without an interface is the gateway.
            assert seen(scene.world, more_addresses[2], 8000) == \
                guest.gateway6


def test_a_machine_is_reached(root, world, tmp_path, scene):
    served = Serve(root, tmp_path, "udp", "--localhost", "5310", "-p",
                   "8010:5310/udp")
    with contextlib.closing(served):
        status = served.status()
        guest4, gateway4 = status["guest"]["ipv4"], status["gateway"]["ipv4"]
        with contextlib.closing(Plug(served.socket)) as plug:
            plug.sh(f"ip addr add {guest4}/20 dev eth0;"
                    f"ip route add default via {gateway4}")
            # Until it has spoken nobody knows its MAC: a datagram is lost.
            assert plug.sh(f"ping -c1 -w5 {gateway4}").returncode == 0
            with plug:
                server = Who("0.0.0.0", 5310)
            with server:
                for _ in range(2):
                    assert asked(scene.host, "127.0.0.1", 5310) == gateway4
                    assert asked(scene.host, "::1", 5310) == gateway4
                    assert asked(scene.world, HOST4, 8010) == WORLD4
