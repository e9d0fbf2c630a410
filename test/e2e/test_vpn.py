# SPDX-License-Identifier: MIT
"""
Through a VPN, without any setting: one that declares its MTU, one that says
by ICMP what it does not take, and one that drops it and says nothing.
"""

import contextlib
import errno
import hashlib
import os
import socket
import ssl
import time

import pytest

from scene import FAR4, FAR6, WORLD4, need, sh, until
from servers import Dns, Server, web
from vpn import NEAR4, PEER4, Vpn, status_warnings

KINDS = {"declared": {"mtu": 1400, "takes": 1400},
         "says": {"takes": 1400, "says": True},
         "silent": {"takes": 1400}}
BIG = 100 << 20


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def big_file(conn):
    """So many bytes, with their sum in a header; or the sum of what comes."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += conn.recv(65536)
    head, rest = head.split(b"\r\n\r\n", 1)
    if head.startswith(b"GET"):
        conn.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
        block = bytes(range(256)) * 4096
        for _ in range(BIG // len(block)):
            conn.sendall(block)
        return
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length"))
    if b"100-continue" in head:
        conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    got, sha = len(rest), hashlib.sha256(rest)
    while got < length:
        data = conn.recv(1 << 20)
        if not data:
            return
        got += len(data)
        sha.update(data)
    conn.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + sha.hexdigest().encode())


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """A certificate of some 20 KB, as a long chain makes it."""
    need("openssl")
    at = tmp_path_factory.mktemp("tls")
    names = ",".join(f"DNS:host-{i}.long-name.example.test"
                     for i in range(500))
    sh(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
       f"-nodes -keyout {at}/key -out {at}/cert -days 30 "
       f"-subj /CN=far.test -addext subjectAltName=DNS:far.test,{names}")
    assert os.path.getsize(f"{at}/cert") > 15000
    return str(at)


def tls(at):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{at}/cert", f"{at}/key")

    def serve(conn):
        with context.wrap_socket(conn, server_side=True) as s:
            s.sendall(s.recv(100))
    return serve


def handshake(guest, address, port):
    """Seconds that a TLS handshake and an echo take."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    began = time.monotonic()
    with guest:
        s = socket.create_connection((address, port), 20)
    s.settimeout(20)
    with context.wrap_socket(s) as t:
        t.sendall(b"hello")
        assert t.recv(100) == b"hello"
    return time.monotonic() - began


@pytest.mark.seconds(180)
def test_big_transfers_both_ways(root, scene, kind, tmp_path):
    data = os.urandom(1 << 20) * 20
    (tmp_path / "up").write_bytes(data)
    with scene.world:
        server = Server(FAR4, big_file)
    with contextlib.closing(root.guest()) as guest, server, \
            Vpn(scene, **KINDS[kind]):
        url = f"http://{FAR4}:{server.port}/"
        done = guest.sh(f"curl -sf --max-time 80 -o /dev/null -w '%{{size_"
                        f"download}}' {url}", 90)
        assert done.stdout == str(BIG), done
        done = guest.sh(f"curl -sf --max-time 60 -T {tmp_path}/up {url}", 70)
        assert done.stdout == hashlib.sha256(data).hexdigest(), done


@pytest.mark.parametrize("address", [FAR4, FAR6])
def test_what_begins_when_the_tunnel_is_up_is_not_delayed(
        root, scene, kind, chain, address):
    with scene.world:
        server = Server(address, tls(chain))
    with contextlib.closing(root.guest()) as guest, server:
        usual = handshake(guest, address, server.port)
        with Vpn(scene, **KINDS[kind]):
            took = [handshake(guest, address, server.port)
                    for _ in range(5)]
    assert max(took) < usual + 0.6, took


def test_many_small_fetches_and_names(root, scene, kind, world):
    """As apt does it: by name, one after the other, and by eight."""
    assert world
    with contextlib.closing(root.guest()) as guest, \
            Vpn(scene, **KINDS[kind]):
        with scene.world:
            dns = Dns(PEER4, names={"office.test": FAR4})
        with dns:
            scene.resolver(PEER4)
            try:
                until(lambda: FAR4 in guest.sh(
                    "dig +short +time=1 +tries=1 "
                    f"@{guest.gateway4} office.test").stdout, 5,
                    "the VPN's name")
            finally:
                scene.resolver(WORLD4)
        done = guest.sh(f"seq 200 | xargs -P8 -I@ curl -sf --max-time 10 "
                        f"http://{FAR4}/@ | sort -u | wc -l", 60)
        assert done.stdout.strip() == "200", done


def sends(guest, address, level, option, value):
    """A socket of the guest's with that choice of fragments."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with guest:
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(level, option, value)
        s.connect((address, 7))
    s.settimeout(3)
    return s


def test_datagrams_that_may_be_cut_arrive(root, scene, world):
    """1,472 bytes without DF. Of a silent one that can not be had."""
    assert world
    for kind in ("declared", "says"):
        with contextlib.closing(root.guest()) as guest, \
                Vpn(scene, **KINDS[kind]), \
                sends(guest, FAR4, 0, 10, 0) as s:
            before = world.udp[FAR4].seen
            s.send(b"x" * 1472)
            until(lambda: world.udp[FAR4].seen == before + 1, 3, kind)


def test_of_ipv6_what_is_longer_than_the_host_believes_is_cut(root, scene,
                                                              world):
    """Through a silent one, too: to what was found, and before to 1,280."""
    assert world
    with contextlib.closing(root.guest("--mtu", 1500)) as guest, \
            Vpn(scene, **KINDS["silent"]), \
            sends(guest, FAR6, 41, 23, 0) as s:
        for size in (1472, 60000):              # not found yet, or just now
            before = world.udp[FAR6].seen
            s.send(b"x" * size)
            until(lambda: world.udp[FAR6].seen == before + 1, 3, size)
        until(lambda: root.status()[0]["narrow"], 8, "that it is narrow")
        for size in (1472, 60000, 100):
            before = world.udp[FAR6].seen
            s.send(b"x" * size)
            until(lambda: world.udp[FAR6].seen == before + 1, 3, size)


@pytest.mark.parametrize("address, level, option", [
    (FAR4, 0, 10), (FAR6, 41, 23)])
def test_datagrams_with_df_learn_the_mtu(root, scene, world, kind, address,
                                         level, option):
    """The send after the first fails, and then the guest knows 1,400."""
    assert world
    size = 1500 - (48 if level else 28)
    with contextlib.closing(root.guest("--mtu", 1500)) as guest, \
            Vpn(scene, **KINDS[kind]):
        with sends(guest, address, level, option, 2) as s:
            s.send(b"x")                # which begins the probe of a tunnel
            assert s.recv(10) == b"x"
            until(lambda: fails(s, size), 8, "an error", pause=0.05)
            assert s.getsockopt(level, 24 if level else 14) == 1400
            s.send(b"x" * (size - 100))
            assert len(s.recv(2000)) == size - 100


def fails(s, size):
    try:
        s.send(b"x" * size)
        s.settimeout(0.05)
        s.recv(2000)
    except TimeoutError:
        return False
    except OSError as error:
        assert error.errno == errno.EMSGSIZE, error
        s.settimeout(3)
        return True
    raise AssertionError("it got through")


def test_status_tells_what_is_narrow(root, scene, world):
    assert world
    with contextlib.closing(root.guest()) as guest:
        with Vpn(scene, **KINDS["silent"]):
            guest.sh(f"curl -s http://{FAR4}/")
            until(lambda: any("the path by vpn0 takes 1400" in w
                              for w in status_warnings(root)), 8, "a warning")
            assert root.status()[0]["narrow"] == [{"path": "vpn0",
                                                   "mtu": 1400}]
        until(lambda: not root.status()[0]["narrow"], 3, "its end")


def test_a_new_tunnel_is_known_before_anybody_asks(root, scene, world):
    """By whom the guest spoke to before it came: nothing is sent since."""
    assert world
    with contextlib.closing(root.guest("--mtu", 1500)) as guest:
        guest.sh(f"curl -s http://{FAR4}/")
        with Vpn(scene, **KINDS["silent"]), \
                sends(guest, FAR4, 0, 10, 2) as s:
            until(lambda: root.status()[0]["narrow"] ==
                  [{"path": "vpn0", "mtu": 1400}], 5, "that it is narrow")
            until(lambda: fails(s, 1472), 0.5, "an error", pause=0.05)


def test_a_new_tunnel_is_known_by_the_vpns_resolver(root, scene):
    with contextlib.closing(root.guest()), Vpn(scene, **KINDS["silent"]):
        scene.resolver(PEER4)
        try:
            until(lambda: root.status()[0]["narrow"], 5, "that it is narrow")
        finally:
            scene.resolver(WORLD4)


@pytest.fixture
def hole(scene):
    """The world drops what is longer than 1,400; a server behind that."""
    need("nft")
    sh("ip link set up0 gso_max_segs 1")        # each packet by itself
    with scene.world:
        server = Server(FAR4, big_file)
        sh("nft add table ip hole; nft 'add chain ip hole c { type filter "
           "hook input priority 0; }';"
           "nft add rule ip hole c ip length gt 1400 drop")
    yield server
    with scene.world:
        sh("nft delete table ip hole")
    sh("ip link set up0 gso_max_segs 65535")
    server.close()


def test_a_hole_elsewhere_is_found_by_its_stalls(root, scene, hole):
    """Behind the next router: a connection stalls, is reset, and then goes."""
    data = os.urandom(300000)
    with contextlib.closing(root.guest()) as guest:
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            put(guest, hole.port, data)
        assert time.monotonic() - began < 8
        began = time.monotonic()
        assert put(guest, hole.port, data) == hashlib.sha256(data).hexdigest()
        assert time.monotonic() - began < 1
        assert any(f"the path to {FAR4} takes 1400" in w
                   for w in status_warnings(root))


def test_a_hole_that_answers_no_ping_is_found_too(root, scene, hole):
    data = os.urandom(300000)
    with scene.world:
        sh("nft add rule ip hole c icmp type echo-request drop")
    with contextlib.closing(root.guest()) as guest:
        with pytest.raises(ConnectionResetError):
            put(guest, hole.port, data)
        assert put(guest, hole.port, data) == hashlib.sha256(data).hexdigest()


def test_a_path_that_is_dead_is_no_hole(root, scene, hole):
    """Nothing passes at all: nobody is reset, and it goes on later."""
    data = os.urandom(300000)
    with contextlib.closing(root.guest()) as guest:
        with guest:
            s = socket.create_connection((FAR4, hole.port), 10)
        with scene.world:
            sh("nft add chain ip hole dead '{ type filter hook input "
               "priority 1; }'; nft add rule ip hole dead iifname down0 drop;"
               "nft flush chain ip hole c")
        s.settimeout(30)
        with s:
            s.sendall(b"PUT / HTTP/1.0\r\nContent-Length: %d\r\n\r\n"
                      % len(data) + data)
            s.settimeout(7)
            with pytest.raises(TimeoutError):
                s.recv(100)
            assert root.status()[0]["narrow"] == []
            with scene.world:
                sh("nft flush chain ip hole dead")
            s.settimeout(30)
            assert s.makefile("rb").read().endswith(
                hashlib.sha256(data).hexdigest().encode())


def sends_what_is_asked(conn):
    conn.sendall(b"x" * int(conn.recv(100)))


@pytest.fixture
def hole_towards_us(scene):
    """What is longer than 1,400 is dropped when it has all but arrived."""
    need("nft")
    with scene.world:
        sh("ip link set down0 gso_max_segs 1")  # each packet by itself
        server = Server(FAR4, sends_what_is_asked)
    sh("nft add table ip hole; nft 'add chain ip hole c { type filter "
       "hook input priority 0; }';"
       "nft add rule ip hole c iifname up0 ip length gt 1400 drop")
    yield server
    sh("nft delete table ip hole")
    with scene.world:
        sh("ip link set down0 gso_max_segs 65535")
    server.close()


def asked(guest, server, count):
    with guest:
        s = socket.create_connection((FAR4, server.port), 10)
    s.settimeout(10)
    s.sendall(b"%d" % count)
    return s


def test_a_download_in_a_hole_is_found(root, scene, hole_towards_us):
    """
    Of an answer of three segments the last one comes: its connection is reset.
    Of a long one nothing does, so it may be late: that connection is left
    alone. New ones are held to what passes.
    """
    with contextlib.closing(root.guest()) as guest, \
            asked(guest, hole_towards_us, 4000) as short, \
            asked(guest, hole_towards_us, 300000) as long:
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            short.recv(100)
        assert time.monotonic() - began < 8
        with asked(guest, hole_towards_us, 300000) as again:
            assert len(again.makefile("rb").read()) == 300000
        assert any(f"the path to {FAR4} takes 1400" in w
                   for w in status_warnings(root))
        long.setblocking(False)
        with pytest.raises(BlockingIOError):
            long.recv(100)


def put(guest, port, data):
    """What the server makes of an upload."""
    with guest:
        s = socket.create_connection((FAR4, port), 10)
    s.settimeout(20)
    with s:
        s.sendall(b"PUT / HTTP/1.0\r\nContent-Length: %d\r\n\r\n"
                  % len(data) + data)
        answer = s.makefile("rb").read()
    return answer.split(b"\r\n\r\n")[-1].decode()


def test_a_domain_has_a_server_of_its_own(root, scene, world):
    """Split DNS: the VPN's server alone answers for its names."""
    assert world
    with contextlib.closing(root.guest("--dns-domain",
                                       f"office.test={PEER4}")) as guest:
        def short(name):
            return guest.sh(f"dig +short +time=8 +tries=1 @{guest.gateway4} "
                            f"{name}").stdout.split()
        with Vpn(scene, routes=()):
            with scene.world:
                office = Dns(PEER4, names={"files.office.test": "10.9.8.7"})
            with office:
                assert short("files.office.test") == ["10.9.8.7"]
                assert short("web.test") == [FAR4]
                assert "web.test" not in office.asked
                assert "files.office.test" not in world.dns.asked
        status, = root.status()
        assert status["domains"] == [{"domain": "office.test",
                                      "servers": [PEER4]}]
        assert f"{PEER4} alone for office.test" in \
            root("status", status["name"]).stdout


def test_what_a_server_said_before_the_vpn_came_is_forgotten(root, scene,
                                                             world):
    """As with a stub: its address stays, and who is behind it does not."""
    world.dns.names["moving.test"] = "192.0.2.1"
    with contextlib.closing(root.guest()) as guest:
        def short():
            return guest.sh(f"dig +short +time=8 +tries=1 @{guest.gateway4} "
                            "moving.test").stdout.strip()
        assert short() == "192.0.2.1"
        world.dns.names["moving.test"] = "192.0.2.2"
        assert short() == "192.0.2.1", "it is kept"
        with Vpn(scene, routes=("10.9.0.0/16",)):
            until(lambda: short() == "192.0.2.2", 1, "the other answer")


def test_a_vpn_that_takes_all_private_addresses(slipway, scene, world):
    """172.16.0.0/12, our subnet with it: nothing is renumbered or lost."""
    assert world
    with contextlib.closing(slipway.guest(name="over")) as guest:
        net = guest.gateway4.rsplit(".", 1)[0]
        before = guest.address4, guest.gateway4
        inner, outer = f"{net}.77", "172.31.255.7"
        with Vpn(scene, routes=("172.16.0.0/12",)), \
                Server("127.0.0.1", web) as ours:
            with scene.world:
                sh(f"ip addr add {inner}/32 dev vpn9;"
                   f"ip addr add {outer}/32 dev vpn9")
                servers = [Server(inner, web, 80), Server(outer, web, 80)]
            try:
                for url in (f"http://{inner}/a", f"http://{outer}/a",
                            f"http://{FAR4}/a",
                            f"http://{guest.gateway4}:{ours.port}/a"):
                    done = guest.sh(f"curl -sf --max-time 5 {url}")
                    assert done.stdout == "you asked for /a\n", url
                status, = (s for s in slipway.status()
                           if s["name"] == "over")
                assert any("route over this subnet" in w
                           for w in status["warnings"])
                with contextlib.closing(slipway.guest(name="over2")) as other:
                    assert other.address4
            finally:
                for s in servers:
                    s.close()
        with guest:
            guest.addresses()
        assert before == (guest.address4, guest.gateway4)
        done = guest.sh(f"curl -sf --max-time 5 http://{FAR4}/a")
        assert done.stdout == "you asked for /a\n"


def test_who_calls_through_a_silent_vpn_sends_no_more(root, scene, world):
    """A published port: what comes in is as long as the tunnel takes."""
    assert world
    data = os.urandom(300000)

    def swallow(conn):
        left = len(data)
        while left:
            left -= len(conn.recv(65536))
        conn.sendall(data)
    with contextlib.closing(root.guest("-p", "8000", name="lan")) as guest, \
            Vpn(scene, **KINDS["silent"]):
        with guest:
            server = Server("0.0.0.0", swallow, 8000)
        with server:
            guest.sh(f"curl -s http://{FAR4}/")
            until(lambda: root.status()[0]["narrow"], 8, "that it is narrow")
            with scene.world:
                s = socket.create_connection((NEAR4, 8000), 10)
            s.settimeout(10)
            with s:
                s.sendall(data)
                got = b""
                while len(got) < len(data):
                    got += s.recv(65536)
            assert got == data
