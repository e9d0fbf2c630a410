# SPDX-License-Identifier: MIT
"""
Host access: off is all of the host, in every spelling; a list of ports is
off for all others.

A listener on every address of the host counts who gets through to it. A
guest's own kernel carries some spellings only; the others are put on its
link as frames.
"""

import contextlib
import errno
import select
import socket
import struct

import pytest

from scene import (HOST4, HOST6, LINK_LOCAL4, WORLD4, mac_of, sh)
from servers import Server, UdpEcho, echo

ETH_P_ALL = 3


class Anywhere:
    """One port of the host on all addresses, TCP and UDP."""

    def __init__(self):
        self.tcp = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.tcp.bind(("::", 0))
        self.tcp.listen(64)
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.udp.bind(("::", self.port))

    def reached(self):
        """Has anybody got through since the last time?"""
        seen = False
        while ready := select.select([self.tcp, self.udp], [], [], 0)[0]:
            seen = True
            if self.tcp in ready:
                self.tcp.accept()[0].close()
            if self.udp in ready:
                self.udp.recv(100)
        return seen

    def close(self):
        self.tcp.close()
        self.udp.close()


@pytest.fixture(scope="module")
def anywhere(scene):
    with contextlib.closing(Anywhere()) as a:
        yield a


@pytest.fixture(scope="module")
def strict_guest(root):
    """A guest without host access; IPv4-mapped frames need its IPv6."""
    with contextlib.closing(root.guest("--host-access", "off")) as g:
        g.gateway_mac = mac_of(g, g.gateway4)
        with g:
            g.mac = bytes.fromhex(open_mac().replace(":", ""))
        yield g


def open_mac():
    return sh("ip -o link show eth0").split("link/ether ")[1].split()[0]


@pytest.fixture(scope="module")
def listed(scene):
    """A second such port, which the list names."""
    with contextlib.closing(Anywhere()) as a:
        yield a


@pytest.fixture(scope="module")
def listed_guest(root, listed):
    """A guest that may reach that port of the host's and no other."""
    with contextlib.closing(root.guest("--host-access", listed.port)) as g:
        g.gateway_mac = mac_of(g, g.gateway4)
        with g:
            g.mac = bytes.fromhex(open_mac().replace(":", ""))
        yield g


@pytest.fixture(scope="module")
def odd_addresses(strict_guest):
    """Addresses that the host gets while the guest runs."""
    add = ["ip addr add 198.18.0.5/32 dev up0",
           "ip addr add 198.18.0.6/32 dev lo",
           "ip -6 addr add 2001:db8:5::5/128 dev up0 nodad",
           "ip route add local 198.18.7.0/24 dev lo",
           "ip -6 route add local 2001:db8:7::/64 dev lo"]
    sh(";".join(add))
    yield
    sh(";".join(reversed(add)).replace(" add ", " del ").replace(" nodad",
                                                                ""))


OWN = ["gateway4", "gateway6", HOST4, HOST6, "198.18.0.5", "198.18.0.6",
       "2001:db8:5::5", "198.18.7.77", "2001:db8:7::77"]


@pytest.fixture(params=["off", "list"])
def shut_guest(request, strict_guest, listed_guest):
    """One that may reach nothing of the host's, and one nothing unlisted."""
    return strict_guest if request.param == "off" else listed_guest


@pytest.mark.parametrize("address", OWN)
def test_off_refuses_tcp_to_the_host(shut_guest, odd_addresses, anywhere,
                                     address):
    anywhere.reached()
    address = getattr(shut_guest, address, address)
    with shut_guest, pytest.raises(OSError) as info:
        socket.create_connection((address, anywhere.port), 2)
    assert info.value.errno in (errno.ECONNREFUSED, errno.EHOSTUNREACH,
                                errno.ENETUNREACH, errno.EACCES,
                                errno.EPERM), info.value
    assert not anywhere.reached()


@pytest.mark.parametrize("address", OWN)
def test_off_refuses_udp_to_the_host(shut_guest, odd_addresses, anywhere,
                                     address):
    anywhere.reached()
    address = getattr(shut_guest, address, address)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with shut_guest, socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.connect((address, anywhere.port))
        s.send(b"x")
        with pytest.raises(OSError) as info:
            s.recv(10)
        assert not isinstance(info.value, TimeoutError), "swallowed"
    assert not anywhere.reached()


def ipv4(dst, proto, payload, src):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0,
                       64, proto, 0, socket.inet_aton(src),
                       socket.inet_aton(dst))
    return (head[:10] + struct.pack("!H", checksum(head)) + head[12:]
            + payload)


def ipv6(dst, proto, payload, src):
    return struct.pack("!IHBB16s16s", 6 << 28, len(payload), proto, 64,
                       socket.inet_pton(socket.AF_INET6, src),
                       socket.inet_pton(socket.AF_INET6, dst)) + payload


def checksum(data):
    data += b"\0" * (len(data) & 1)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(guest, dst, proto, port, sport):
    """A SYN or a datagram to any destination, as an Ethernet frame."""
    six = ":" in dst
    src = guest.address6 if six else guest.address4
    family = socket.AF_INET6 if six else socket.AF_INET
    if proto == socket.IPPROTO_TCP:
        body = struct.pack("!HHIIBBHHH", sport, port, 1, 0, 0x50, 2,
                           65535, 0, 0)
        at = 16
    else:
        body, at = struct.pack("!HHHH", sport, port, 9, 0) + b"x", 6
    pseudo = (socket.inet_pton(family, src) + socket.inet_pton(family, dst)
              + struct.pack("!II", len(body), proto))
    body = (body[:at] + struct.pack("!H", checksum(pseudo + body))
            + body[at + 2:])
    packet = (ipv6 if six else ipv4)(dst, proto, body, src)
    return (guest.gateway_mac + guest.mac
            + (b"\x86\xdd" if six else b"\x08\x00") + packet)


SPELLINGS = ["127.0.0.1", "127.1.2.3", "127.255.255.254", "0.0.0.0",
             "0.1.2.3", "255.255.255.255", HOST4, LINK_LOCAL4,
             "::1", "::", "::ffff:127.0.0.1", "::ffff:192.0.2.2",
             "::127.0.0.1", HOST6, "fe80::1", "64:ff9b::7f00:1",
             "::ffff:0:127.0.0.1", "ff02::1", "224.0.0.1"]


@pytest.mark.parametrize("proto", [socket.IPPROTO_TCP, socket.IPPROTO_UDP],
                         ids=["tcp", "udp"])
@pytest.mark.parametrize("address", SPELLINGS)
def test_off_is_off_for_every_frame(shut_guest, world, anywhere, address,
                                    proto):
    """
    What follows it is answered, so it has been dealt with by then. (A host
    that a SYN gets through to has a connection to accept.)
    """
    anywhere.reached()
    with shut_guest, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("eth0", 0))
        for sport in (40001, 40002):
            s.send(frame(shut_guest, address, proto, anywhere.port, sport))
        with socket.create_connection((WORLD4, 7), 5) as good:
            good.sendall(b"x")
            assert good.recv(1) == b"x"
    assert not anywhere.reached()


@pytest.mark.parametrize("address", ["gateway4", "gateway6", HOST4, HOST6])
def test_a_list_opens_its_ports(listed_guest, listed, address):
    listed.reached()
    address = getattr(listed_guest, address, address)
    with listed_guest:
        socket.create_connection((address, listed.port), 2).close()
    assert listed.reached()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with listed_guest, socket.socket(family, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", (address, listed.port))
        assert select.select([listed.udp], [], [], 2)[0]
    assert listed.reached()


@pytest.fixture(scope="module")
def open_guest(root):
    with contextlib.closing(root.guest()) as g:
        yield g


@pytest.mark.smoke
@pytest.mark.parametrize("address", ["gateway4", "gateway6", HOST4, HOST6])
def test_with_gateway_the_host_is_there(open_guest, address):
    address = getattr(open_guest, address, address)
    with Server("::" if ":" in address else "0.0.0.0", echo) as server:
        with open_guest, socket.create_connection(
                (address, server.port), 2) as s:
            s.sendall(b"ahoy")
            assert s.recv(9) == b"ahoy"


@pytest.fixture(scope="module")
def cloud(scene):
    """A metadata service at the link-local address, as clouds have it."""
    sh(f"ip route add {LINK_LOCAL4} via {WORLD4}")
    with scene.world:
        server = Server(LINK_LOCAL4, echo, 80)
    yield server
    server.close()
    sh(f"ip route del {LINK_LOCAL4}")


def test_link_local_is_refused(open_guest, cloud):
    with open_guest, pytest.raises(OSError) as info:
        socket.create_connection((LINK_LOCAL4, 80), 2)
    assert not isinstance(info.value, TimeoutError), "swallowed"
    assert cloud.accepted == 0


def test_link_local_is_carried_if_asked_for(root, cloud):
    with contextlib.closing(root.guest("--link-local")) as guest, guest:
        socket.create_connection((LINK_LOCAL4, 80), 2).close()


@pytest.mark.smoke
def test_off_leaves_the_world_and_the_resolver(strict_guest, world):
    with strict_guest:
        socket.create_connection((WORLD4, 7), 2).close()
    done = strict_guest.sh(
        f"dig +short @{strict_guest.gateway4} web.test")
    assert done.stdout.strip()


# ---- which address of the host's a port of the gateway's is ----

def who(conn):
    conn.sendall(conn.getsockname()[0].encode())


@pytest.mark.parametrize("servers, by4, by6", [
    (["127.0.0.1", "::1", HOST4, HOST6], "127.0.0.1", "::1"),
    (["::1", HOST4, HOST6], "::1", "::1"),
    (["127.0.0.1", HOST4, HOST6], "127.0.0.1", "127.0.0.1"),
    ([HOST4, HOST6], HOST4, HOST6),
    ([HOST4], HOST4, HOST4),
    ([HOST6], HOST6, HOST6),
])
def test_the_gateways_port_is_the_first_that_listens(open_guest, servers, by4,
                                                     by6):
    with contextlib.ExitStack() as stack:
        for address in servers:
            stack.enter_context(Server(address, who, 8830))
        for gateway, want in ((open_guest.gateway4, by4),
                              (open_guest.gateway6, by6)):
            with open_guest, socket.create_connection((gateway, 8830),
                                                      5) as s:
                s.settimeout(5)
                assert s.recv(100).decode() == want


def test_where_nobody_listens_it_is_refused(open_guest):
    for gateway in open_guest.gateway4, open_guest.gateway6:
        with open_guest, pytest.raises(ConnectionRefusedError):
            socket.create_connection((gateway, 8830), 2)


@pytest.mark.parametrize("bound, by4, by6", [
    ("127.0.0.1", True, False), ("::1", False, True),
    (HOST4, False, False), (HOST6, False, False),
])
def test_of_udp_it_is_loopback_of_the_family(open_guest, bound, by4, by6):
    with UdpEcho(bound, 8831):
        for gateway, there in ((open_guest.gateway4, by4),
                               (open_guest.gateway6, by6)):
            family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
            with open_guest, socket.socket(family, socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                s.connect((gateway, 8831))
                s.send(b"x")
                if there:
                    assert s.recv(10) == b"x"
                    continue
                with pytest.raises(ConnectionRefusedError):
                    s.recv(10)
