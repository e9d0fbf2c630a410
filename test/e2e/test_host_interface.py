# SPDX-License-Identifier: MIT
"""--host-interface: host and guest reach each other by address."""

import contextlib
import errno
import os
import re
import signal
import socket
import struct

import pytest

from plug import Plug, Serve
from scene import HOST4, in_thread, processes, sh, sysctl, until
from servers import Server, UdpEcho, datagram, echo, listener
from test_publish import asked, who

BOTH = pytest.mark.parametrize("v6", [False, True], ids=["ipv4", "ipv6"])


@pytest.fixture(scope="module")
def guest(root):
    with contextlib.closing(root.guest("--host-interface", name="hif")) as g:
        yield g


def of_guest(guest, v6):
    return guest.address6 if v6 else guest.address4


def of_gateway(guest, v6):
    """IPv6's is ::1 of the same prefix; its route is the link-local one."""
    return guest.slipway.status()[0]["gateway"]["ipv6" if v6 else "ipv4"]


def test_it_is_there_and_said_so(guest, scene):
    assert "slipway0" in scene.interfaces()
    status = guest.slipway("status", "hif").stdout
    assert re.search(r"^interface +slipway0$", status, re.M), status
    assert "route over this subnet" not in status, "that is its own"
    assert "fe80" not in sh("ip addr show dev slipway0")


def test_without_it_the_gateway_is_virtual(root, scene):
    with contextlib.closing(root.guest(name="virtual")):
        assert "the gateway is virtual" in root("status", "virtual").stdout


@BOTH
def test_host_to_guest(guest, scene, v6):
    with guest:
        server = Server(of_guest(guest, v6), who, 8000)
    with server:
        assert asked(scene.host, of_guest(guest, v6), 8000) == \
            of_gateway(guest, v6)


@BOTH
def test_guest_to_host(guest, scene, v6):
    with scene.host:
        server = Server("::" if v6 else "0.0.0.0", who, 8010)
    with server:
        assert asked(guest, of_gateway(guest, v6), 8010) == \
            of_guest(guest, v6)


def test_a_server_of_both_families(guest, scene):
    """Bound to ::; with IPv6 only it is found on ::1, as without."""
    for only, seen in ((0, f"::ffff:{guest.address4}"), (1, "::1")):
        with scene.host, socket.socket(socket.AF_INET6) as s:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
            s.bind(("::", 8013))
            s.listen()
            s.settimeout(5)
            with guest, socket.socket() as near:
                near.settimeout(5)
                near.connect((guest.gateway4, 8013))
            far, peer = s.accept()
            far.close()
            assert peer[0] == seen


@BOTH
def test_what_is_on_the_hosts_loopback_stays_reachable(guest, scene, v6):
    with scene.host:
        server = Server("::1" if v6 else "127.0.0.1", who, 8011)
    with server:
        assert asked(guest, of_gateway(guest, v6), 8011) == \
            ("::1" if v6 else "127.0.0.1")


def test_a_server_of_another_device_is_none(guest, scene):
    with scene.host, socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"up0")
        s.bind(("0.0.0.0", 8014))
        s.listen()
        with scene.host:
            server = Server("::1", who, 8014)
        with server:
            assert asked(guest, guest.gateway4, 8014) == "::1"


def test_a_server_that_comes_and_goes_is_found_at_once(guest, scene):
    for _ in range(20):
        with scene.host:
            server = Server("0.0.0.0", who, 8012)
        with server:
            assert asked(guest, guest.gateway4, 8012) == guest.address4
        assert asked(guest, guest.gateway4, 8012) is None


@BOTH
def test_ping_both_ways(guest, scene, v6):
    for size in (0, 1400, 20000):
        sh(f"ping -c2 -i0.01 -W3 -s{size} {of_guest(guest, v6)}")
        done = guest.sh(f"ping -c2 -i0.01 -W3 -s{size} "
                        f"{of_gateway(guest, v6)}")
        assert done.returncode == 0, done.stdout


@BOTH
def test_datagrams_up_to_the_longest(guest, scene, v6):
    any_address = "::" if v6 else "0.0.0.0"
    with scene.host:
        here = UdpEcho(any_address, 8020)
    with guest:
        there = UdpEcho(of_guest(guest, v6), 8021)
    with here, there:
        for where, to in ((guest, (of_gateway(guest, v6), 8020)),
                          (scene.host, (of_guest(guest, v6), 8021))):
            with where, socket.socket(socket.AF_INET6 if v6 else
                                      socket.AF_INET,
                                      socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                for size in (1, 1472, 1473, 9000, 65507):
                    data = os.urandom(size)
                    s.sendto(data, to)
                    assert s.recv(70000) == data, size


@BOTH
def test_a_closed_port_of_either_is_refused(guest, scene, v6):
    """By the host's own stack or the guest's: RST and ICMP pass, too."""
    family = socket.AF_INET6 if v6 else socket.AF_INET
    for where, to in ((guest, of_gateway(guest, v6)),
                      (scene.host, of_guest(guest, v6))):
        with where, socket.socket(family) as s:
            s.settimeout(5)
            assert s.connect_ex((to, 8099)) == errno.ECONNREFUSED
        with where, socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect((to, 8099))
            s.send(b"?")
            with pytest.raises(ConnectionRefusedError):
                s.recv(1)


def test_an_address_that_nobody_has_is_unreachable(guest, scene):
    nobody = guest.address4.rsplit(".", 1)[0] + ".77"
    with scene.host, socket.socket() as s:
        s.settimeout(5)
        assert s.connect_ex((nobody, 80)) == errno.EHOSTUNREACH


@pytest.mark.seconds(120)
def test_bulk_both_ways(guest, scene):
    """64 MiB each way at once, to and from each side, not a wrong byte."""
    block = os.urandom(1 << 20)

    def pump(s):
        sender = in_thread(lambda: ([s.sendall(block) for _ in range(64)],
                                    s.shutdown(socket.SHUT_WR)))
        got = bytearray()
        while piece := s.recv(1 << 20):
            got += piece
        sender()
        return bytes(got) == block * 64

    for where, there, to in ((guest, scene.host, guest.gateway4),
                             (scene.host, guest, guest.address4)):
        with there:
            waiting = listener("0.0.0.0", 8030)
        with waiting:
            with where:
                near = socket.create_connection((to, 8030), 10)
            far, _ = waiting.accept()
            with near, far:
                other = in_thread(pump, far)
                assert pump(near) and other()


def test_a_reset_is_one(guest, scene):
    with scene.host:
        waiting = listener("0.0.0.0", 8031)
    with waiting:
        with guest:
            near = socket.create_connection((guest.gateway4, 8031), 10)
        far, _ = waiting.accept()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                       struct.pack("ii", 1, 0))
        far.close()
        near.settimeout(5)
        with near, pytest.raises(ConnectionResetError):
            near.recv(1)


def test_flows_say_direct(guest, scene):
    with guest:
        server = Server(guest.address4, echo, 8032)
    with server, scene.host, \
            socket.create_connection((guest.address4, 8032)) as s:
        s.sendall(b"x")
        s.recv(1)
        table = guest.slipway("flows", "hif").stdout
        assert re.search(rf"{guest.address4}:8032 +<- +{guest.gateway4}:\d+ "
                         r"+direct", table), table


# ---- what may not pass ----

def test_off_still_holds(root, scene):
    with contextlib.closing(root.guest("--host-interface", "--host-access",
                                       "off", name="strict")) as guest:
        with scene.host:
            server = Server("0.0.0.0", who, 8040)
            udp = UdpEcho("0.0.0.0", 8041)
        with guest:
            inside = Server(guest.address4, who, 8042)
        with server, udp, inside:
            with guest, socket.socket() as s:
                s.settimeout(5)
                assert s.connect_ex((guest.gateway4, 8040)) in (
                    errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.EACCES)
                assert not server.accepted
            with guest, socket.socket(socket.AF_INET,
                                      socket.SOCK_DGRAM) as s:
                s.settimeout(0.3)
                s.sendto(b"?", (guest.gateway4, 8041))
                with pytest.raises(OSError):
                    s.recv(10)
            assert asked(scene.host, guest.address4, 8042) == \
                guest.gateway4, "the host may begin"


def test_what_the_host_began_is_no_way_in(root, scene):
    """It was refused; then somebody of the host's has that port."""
    with contextlib.closing(root.guest("--host-interface", "--host-access",
                                       "off", name="shut")) as guest:
        with scene.host, socket.socket() as s:
            s.bind((guest.gateway4, 8045))
            assert s.connect_ex((guest.address4, 8044)) == \
                errno.ECONNREFUSED
        with scene.host:
            server = Server("0.0.0.0", who, 8045)
        with server, guest, socket.socket() as s:
            s.settimeout(5)
            s.bind((guest.address4, 8044))
            assert s.connect_ex((guest.gateway4, 8045)) in (
                errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.EACCES)
            assert not server.accepted


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp4(source, destination, frag=0):
    """An IPv4 packet with a datagram to a port at which the host waits."""
    body = struct.pack("!HHHH4s", 4000, 8050, 12, 0, b"evil")
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 7, frag, 64,
                       17, 0, socket.inet_aton(source),
                       socket.inet_aton(destination))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def test_foreign_addresses_never_reach_the_hosts_stack(guest, scene, root):
    """Not even on a host that forwards; seen at both of its interfaces."""
    status = guest.slipway.status()[0]
    gateway = bytes.fromhex(status["gateway"]["mac"].replace(":", ""))
    mac = bytes.fromhex(status["guest"]["mac"].replace(":", ""))
    beside = guest.address4.rsplit(".", 1)[0] + ".9"
    sysctl("net.ipv4.ip_forward", "1")
    with scene.host:
        taps = [socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                              socket.htons(3)) for _ in range(2)]
        taps[0].bind(("slipway0", 0))
        taps[1].bind(("up0", 0))
        waiting = datagram("0.0.0.0", 8050)     # it says nothing
    with guest:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        wire.bind(("eth0", 0))
    try:
        for source, destination, frag in (
                (beside, guest.gateway4, 0),            # spoofed
                (guest.gateway4, guest.gateway4, 0),    # as the host
                (HOST4, guest.gateway4, 0),
                ("127.0.0.1", guest.gateway4, 0),
                (guest.address4, "255.255.255.255", 0),
                (guest.address4, guest.gateway4, 0x2000),   # pieces
                (guest.address4, guest.gateway4, 1)):
            wire.send(gateway + mac + b"\x08\0" +
                      udp4(source, destination, frag))
        # The last one is good: what came before it was seen before it.
        wire.send(gateway + mac + b"\x08\0" +
                  udp4(guest.address4, guest.gateway4))
        taps[0].settimeout(5)
        good = socket.inet_aton(guest.address4) + \
            socket.inet_aton(guest.gateway4)
        evil = b""
        while evil[12:20] != good:
            evil = taps[0].recv(2000)
            assert b"evil" not in evil or evil[12:20] == good
        taps[1].setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                assert b"evil" not in taps[1].recv(2000)
    finally:
        sysctl("net.ipv4.ip_forward", "0")
        wire.close()
        waiting.close()
        for tap in taps:
            tap.close()


def test_the_host_routes_nobody_to_the_guest(guest, scene):
    """Not the world, on a host that forwards: only its own address passes."""
    with guest:
        server = Server(guest.address4, who, 8060)
    sysctl("net.ipv4.ip_forward", "1")
    try:
        with server, scene.world:
            sh(f"ip route add {guest.address4} via {HOST4}")
            with socket.socket() as s:
                s.settimeout(0.5)
                with pytest.raises(OSError):
                    s.connect((guest.address4, 8060))
            sh(f"ip route del {guest.address4}")
        assert not server.accepted
    finally:
        sysctl("net.ipv4.ip_forward", "0")


# ---- its life ----

@pytest.mark.parametrize("name", ["slipway-engine", "slipway-keeper"])
def test_gone_with_the_engine_whoever_is_killed(root, scene, name):
    before = scene.interfaces()
    with contextlib.closing(root.guest("--host-interface", name="mort")):
        assert len(scene.interfaces() - before) == 1
        pid = max(pid for pid, comm in processes().items() if comm == name)
        os.kill(pid, signal.SIGKILL)
        until(lambda: scene.interfaces() == before, 3, "no interface")


def test_two_at_once(root, guest, scene):
    with contextlib.closing(root.guest("--host-interface",
                                       name="second")) as other:
        assert {"slipway0", "slipway1"} <= scene.interfaces()
        with other:
            server = Server(other.address4, who, 8070)
        with server:
            assert asked(scene.host, other.address4, 8070) == other.gateway4


def test_an_ordinary_user_is_told(user):
    done = user("run", "--host-interface", "true")
    assert done.returncode == 125
    assert done.stderr == (
        "slipway: --host-interface: cannot make the interface slipway: "
        "Operation not permitted; it needs root, or CAP_NET_ADMIN\n")
    assert done.stderr.count("\n") == 1


def test_a_machine_on_the_network(root, scene, tmp_path):
    """The same where frames come over a socket, which has no offloads."""
    with contextlib.closing(
            Serve(root, tmp_path, "machine", "--host-interface",
                  "--host-access", "gateway")) as serve, \
            contextlib.closing(Plug(serve.socket)) as plug:
        status = serve.status()
        address = status["guest"]["ipv4"]
        with plug:
            sh(f"ip addr add {address}/20 dev eth0")
            inside = Server(address, everything_back, 8080)
        with inside, scene.host, \
                socket.create_connection((address, 8080), 10) as s:
            data = os.urandom(4 << 20)      # batches of the host's are cut
            sender = in_thread(lambda: (s.sendall(data),
                                        s.shutdown(socket.SHUT_WR)))
            got = bytearray()
            while piece := s.recv(1 << 16):
                got += piece
            sender()
            assert got == data
        with plug:
            deaf = datagram(address, 8082)
        deaf.settimeout(5)
        with deaf, scene.host, socket.socket(socket.AF_INET,
                                             socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.IPPROTO_UDP, 103, 1000)     # UDP_SEGMENT
            data = os.urandom(2500)
            s.sendto(data, (address, 8082))
            assert b"".join(deaf.recv(4000) for _ in range(3)) == data
        with scene.host:
            server = Server("0.0.0.0", who, 8081)
        with server:
            assert asked(plug, status["gateway"]["ipv4"], 8081) == address


def everything_back(conn):
    """To the end, then all of it."""
    data = bytearray()
    while piece := conn.recv(1 << 16):
        data += piece
    conn.sendall(data)
