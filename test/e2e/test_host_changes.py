# SPDX-License-Identifier: MIT
"""A host that changes underneath: addresses that go, as with a VPN."""

import contextlib
import socket
import time

import pytest

from scene import HOST4, HOST6, WORLD4, WORLD6, sh, until
from servers import Server, echo

OTHER4, OTHER6 = "192.0.2.44", "2001:db8::44"


@pytest.fixture(params=[False, True], ids=["ipv4", "ipv6"])
def other(request, scene):
    """A second address of the host's, which its new flows have."""
    if request.param:
        family, address, world, own = "-6", OTHER6 + "/64", WORLD6, HOST6
    else:
        family, address, world, own = "-4", OTHER4 + "/24", WORLD4, HOST4
    nodad = "nodad" if request.param else ""
    sh(f"ip {family} addr add {address} dev up0 {nodad};"
       f"ip {family} route add {world} dev up0 src {address.split('/')[0]}")

    def gone():
        sh(f"ip {family} addr del {address} dev up0;"
           f"ip {family} route del {world} dev up0 2>/dev/null || :")
    try:
        yield world, address.split("/")[0], own, gone
    finally:
        with contextlib.suppress(AssertionError):
            gone()


def says(conn):
    """Whom it sees, then back what comes."""
    conn.sendall(conn.getpeername()[0].encode() + b"\n")
    echo(conn)


def connected(guest, world, port):
    with guest:
        s = socket.create_connection((world, port), 10)
    return s, s.recv(100).decode().strip()


def test_who_is_bound_to_it_is_reset_at_once(slipway, scene, other):
    world, address, own, gone = other
    with scene.world:
        server = Server(world, says)
    with contextlib.closing(slipway.guest()) as guest, server:
        lost, seen = connected(guest, world, server.port)
        assert seen == address
        lost.settimeout(10)
        sh(f"ip {'-6' if ':' in own else '-4'} route change {world} dev up0 "
           f"src {own}")
        kept, seen = connected(guest, world, server.port)
        assert seen == own
        began = time.monotonic()
        gone()
        with lost, pytest.raises(ConnectionResetError):
            lost.recv(1)
        assert time.monotonic() - began < 1
        kept.settimeout(10)
        with kept:
            kept.sendall(b"still there")
            assert kept.recv(100) == b"still there"
        again, seen = connected(guest, world, server.port)
        again.close()
        assert seen == own, "new ones work at once"


def test_an_address_that_moves_is_not_gone(root, scene, other):
    """To another interface: it is still the host's."""
    world, address, own, _ = other
    six = ":" in own
    with scene.world:
        server = Server(world, says)
    with contextlib.closing(root.guest()) as guest, server:
        stays, seen = connected(guest, world, server.port)
        assert seen == address
        sh(f"ip addr add {address}/{128 if six else 32} dev lo "
           f"{'nodad' if six else ''};"
           f"ip addr del {address}/{64 if six else 24} dev up0")
        try:
            stays.settimeout(10)
            with stays:
                for _ in range(3):
                    stays.sendall(b"?")
                    assert stays.recv(1) == b"?"
        finally:
            sh(f"ip addr del {address}/{128 if six else 32} dev lo")


def test_an_interface_that_goes(root, scene):
    """With all its addresses, as a VPN's does."""
    sh("ip link add vpn0 type veth peer name vpn1 netns "
       + scene.world.path())
    sh("ip addr add 10.77.0.2/24 dev vpn0; ip link set vpn0 up")
    with scene.world:
        sh("ip addr add 10.77.0.1/24 dev vpn1; ip link set vpn1 up")
        server = Server("10.77.0.1", says)
    with contextlib.closing(root.guest()) as guest, server:
        s, seen = connected(guest, "10.77.0.1", server.port)
        assert seen == "10.77.0.2"
        s.settimeout(10)
        sh("ip link del vpn0")
        with s, pytest.raises(ConnectionResetError):
            s.recv(1)
        until(lambda: root.status()[0]["flows"]["tcp"] == 0, 3, "no flow")
