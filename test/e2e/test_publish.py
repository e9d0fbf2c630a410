# SPDX-License-Identifier: MIT
"""Ports of the guest for other machines: the scene's world plays those."""

import contextlib
import errno
import hashlib
import os
import re
import socket
import struct

import pytest

from scene import HOST4, HOST6, WORLD4, WORLD6, in_thread, sh, until
from servers import Server, echo, listener

RESET = struct.pack("ii", 1, 0)                 # SO_LINGER: close sends RST


def who(conn):
    """A server that tells its client what address it sees."""
    conn.sendall(conn.getpeername()[0].encode())


def asked(where, address, port):
    """What `who` says there; None: nobody is there, or no longer."""
    with where:
        try:
            with socket.create_connection((address, port), 5) as s:
                return s.recv(100).decode()
        except (ConnectionRefusedError, ConnectionResetError):
            return None


def refused(where, address, port):
    with where, socket.socket() as s:
        return s.connect_ex((address, port)) == errno.ECONNREFUSED


def published(where, address, port):
    until(lambda: asked(where, address, port) is not None, 3,
          f"{address}:{port}")
    return asked(where, address, port)


@pytest.fixture
def guest(root):
    with contextlib.closing(root.guest("-p", "8000", "-p", "9000-9999:2000",
                                       name="lan")) as g:
        yield g


@pytest.mark.smoke
def test_the_guest_sees_who_connects(guest, scene):
    with guest:
        four, six = Server("0.0.0.0", who, 8000), Server("::", who, 8000)
    with four, six:
        assert published(scene.world, HOST4, 8000) == WORLD4
        assert published(scene.world, HOST6, 8000) == WORLD6
        assert asked(scene.host, HOST4, 8000) == HOST4, "the host, by its own"
        assert asked(scene.host, "127.0.0.1", 8000) == guest.gateway4
        assert asked(scene.host, "::1", 8000) == guest.gateway6


def test_an_ordinary_users_guest_is_published(user, scene):
    with contextlib.closing(user.guest("--publish=8080:80")) as guest:
        with guest:
            server = Server("0.0.0.0", who, 80)
        with server:
            assert published(scene.world, HOST4, 8080) == WORLD4
            assert asked(scene.world, HOST4, 80) is None


def test_refused_where_the_guest_does_not_listen(guest, scene):
    assert refused(scene.world, HOST4, 8000)
    with guest:
        server = Server("0.0.0.0", who, 8000)
    with server:
        assert published(scene.world, HOST4, 8000)
        assert asked(scene.world, HOST6, 8000) is None, "IPv4 only"
    until(lambda: refused(scene.world, HOST4, 8000), 3, "its end")


def test_a_range_costs_what_is_in_use(guest, scene):
    with guest:
        server = Server("0.0.0.0", who, 2500)
    with server:
        assert published(scene.world, HOST4, 9500) == WORLD4
        shown = guest.slipway("status", "lan").stdout
        assert re.search(rf"^published   0\.0\.0\.0:9500 -> "
                         rf"{guest.address4}:2500$", shown, re.M), shown
        assert shown.count("\npublished ") == 2, shown
        assert "published   8000: the guest does not listen there" in shown


def test_a_listener_on_the_guests_loopback_is_not_published(guest, scene):
    with guest:
        server = Server("127.0.0.1", who, 8000)
    with server:
        assert published(scene.host, "127.0.0.1", 8000) == "127.0.0.1"
        assert asked(scene.world, HOST4, 8000) is None
        shown = guest.slipway("status", "lan").stdout
        assert "127.0.0.1:8000 is not published" in shown
        with guest:
            wide = Server("::", who, 8000)
        with wide:      # IPv6 only: the other half stays as it is
            assert published(scene.world, HOST6, 8000) == WORLD6
            assert asked(scene.host, "127.0.0.1", 8000) == "127.0.0.1"
        until(lambda: asked(scene.host, "::1", 8000) == "127.0.0.1", 3,
              "localhost as it was")


def test_one_address_and_one_interface(root, scene):
    with contextlib.closing(root.guest(
            "--localhost", "off", "-p", f"{HOST4}:8001:80", "-p",
            f"[{HOST6}]:8002:80", "-p", "%up0:8003:80", "-p",
            "127.0.0.1:8004:80")) as guest:
        with guest:
            four, six = Server("0.0.0.0", who, 80), Server("::", who, 80)
        with four, six:
            assert published(scene.world, HOST4, 8001) == WORLD4
            assert published(scene.world, HOST6, 8002) == WORLD6
            assert published(scene.world, HOST4, 8003) == WORLD4
            assert published(scene.host, "127.0.0.1", 8004) == "127.0.0.1"
            for address, port in (("127.0.0.1", 8001), (HOST4, 8002),
                                  ("127.0.0.1", 8003), (HOST4, 8004),
                                  ("127.0.0.1", 80)):
                assert asked(scene.host, address, port) is None, port


def test_auto_publishes_what_listens_everywhere(root, scene):
    with contextlib.closing(root.guest("-p", "auto", "-p", "7000:7777"
                                       )) as guest:
        with guest:
            servers = [Server("0.0.0.0", who, 7001),
                       Server("0.0.0.0", who, 7777),
                       Server(guest.address4, who, 7002)]
        with contextlib.ExitStack() as stack:
            for s in servers:
                stack.enter_context(s)
            assert published(scene.world, HOST4, 7001) == WORLD4
            assert published(scene.world, HOST4, 7000) == WORLD4
            assert asked(scene.world, HOST4, 7002) is None


def test_a_port_that_the_host_uses_is_left_to_it(root, scene):
    with Server(HOST4, echo, 8000), contextlib.closing(
            root.guest("-p", f"{HOST4}:8000", name="late")) as guest:
        with guest:
            server = Server("0.0.0.0", who, 8000)
        with server:
            assert published(scene.host, "127.0.0.1", 8000) == "127.0.0.1"
            shown = root("status", "late").stdout
        assert re.search(rf"{HOST4}:8000 is not published: .*\(pid "
                         rf"{os.getpid()}\) has the port", shown), shown


@pytest.fixture(params=["ipv4", "ipv6"])
def ends(request, guest, scene):
    """A connection of the world's to a published port: both its ends."""
    six = request.param == "ipv6"
    with guest:
        waiting = listener("::" if six else "0.0.0.0", 8000)
    with waiting:
        def connected():
            with scene.world, contextlib.suppress(OSError):
                return socket.create_connection(
                    (HOST6 if six else HOST4, 8000), 10)
            return None
        made = []
        until(lambda: made.append(connected()) or made[-1], 3, "the port")
        near = made[-1]
        far, _ = waiting.accept()
        far.settimeout(10)
        with near, far:
            yield near, far


def test_each_half_closes_by_itself(ends):
    for one, other in (ends, ends[::-1]):
        one.sendall(b"last")
        one.shutdown(socket.SHUT_WR)
        assert other.recv(10) == b"last" and other.recv(10) == b""
        if one is ends[0]:
            other.sendall(b"more")
            assert one.recv(10) == b"more"


@pytest.mark.parametrize("by", [0, 1])
def test_a_reset_is_a_reset(ends, by):
    ends[by].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    ends[by].close()
    with pytest.raises(ConnectionResetError):
        ends[1 - by].recv(10)


def test_both_ways_at_once_and_none_stops_the_other(ends):
    near, far = ends
    data = os.urandom(1 << 20) * 64

    def all_of(s):
        h = hashlib.sha256()
        while piece := s.recv(1 << 20):
            h.update(piece)
        return h.digest()

    def send(s):
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    senders = [in_thread(send, s) for s in ends]
    readers = [in_thread(all_of, s) for s in ends]
    assert {r(60) for r in readers} == {hashlib.sha256(data).digest()}
    for s in senders:
        s(10)
    near.close()
    far.close()


def test_a_slow_reader_gets_all(ends):
    near, far = ends
    done = in_thread(lambda: (far.sendall(b"x" * (16 << 20)), far.close()))
    got = 0
    while piece := near.recv(4096 if got < 1 << 20 else 1 << 20):
        got += len(piece)
    done(10)
    assert got == 16 << 20


def test_a_thousand_connections_at_once(guest, scene):
    with guest:
        server = Server("0.0.0.0", echo, 8000)
    with server, contextlib.ExitStack() as stack:
        until(lambda: asked_echo(scene), 3, "the port")
        with scene.world:
            many = [stack.enter_context(
                socket.create_connection((HOST4, 8000), 10))
                for _ in range(1000)]
        for i, s in enumerate(many):
            s.sendall(b"%d" % i)
        for i, s in enumerate(many):
            assert s.recv(10) == b"%d" % i


def asked_echo(scene):
    with scene.world, contextlib.suppress(OSError), \
            socket.create_connection((HOST4, 8000), 5) as s:
        s.sendall(b"?")
        return s.recv(1) == b"?"
    return False


@pytest.mark.parametrize("words, error", [
    (["-p", "90-80"], "-p 90-80: its range is the wrong way round"),
    (["-p", "80:65536"], "the guest's port is not 1 to 65535"),
    (["-p", "80", "-p", "80:81"], "publish 80:81: 80 has that port already"),
    (["-p", "80/udp", "-p", "80:81/udp"],
     "publish 80:81/udp: 80/udp has that port already"),
    (["-p", "80/sctp"], "not [ADDR:]PORT[-PORT][:GUESTPORT][/udp]"),
    (["-p", "nowhere:80"], "-p nowhere:80: not an address"),
])
def test_what_cannot_be_published_is_said(root, words, error):
    done = root("run", *words, "true")
    assert done.returncode == 2 and error in done.stderr, done.stderr


def test_a_privileged_port_is_explained(user, scene):
    with contextlib.closing(user.guest("-p", "80", name="low")) as guest:
        with guest:
            server = Server("0.0.0.0", who, 80)
        with server:
            until(lambda: "0.0.0.0:80 is not published: not allowed; as root:"
                  in user("status", "low").stdout, 3, "the warning")


def test_the_configuration_file_publishes(root, scene, tmp_path):
    file = tmp_path / "slipway.conf"
    file.write_text("[publish]\nports = 8100:80, 8101:81\n")
    with contextlib.closing(root.guest("--config", str(file), "-p",
                                       "8102:80")) as guest:
        with guest:
            servers = [Server("0.0.0.0", who, p) for p in (80, 81)]
        with servers[0], servers[1]:
            for port in (8100, 8101, 8102):
                assert published(scene.world, HOST4, port) == WORLD4


@pytest.mark.parametrize("address, bits, family", [
    ("192.0.2.77", 24, "-4"), ("2001:db8::77", 64, "-6")])
def test_an_address_that_comes_back_is_bound_again(root, scene, address, bits,
                                                   family):
    """Not there at first, there, gone, and back, as with a VPN's."""
    shown = f"[{address}]" if ":" in address else address
    add = (f"ip {family} addr add {address}/{bits} dev up0 "
           + ("nodad" if ":" in address else ""))
    with contextlib.closing(root.guest("-p", f"{shown}:8000",
                                       name="lan")) as guest:
        with guest:
            server = Server("::" if ":" in address else "0.0.0.0", who, 8000)
        with server:
            until(lambda: "no such address" in root("ports").stdout, 3, "why")
            for _ in range(2):
                sh(add)
                try:
                    published(scene.world, address, 8000)
                finally:
                    sh(f"ip {family} addr del {address}/{bits} dev up0")
