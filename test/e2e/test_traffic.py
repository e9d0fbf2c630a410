# SPDX-License-Identifier: MIT
"""TCP, UDP, ping and DNS of a guest, to the world and to the host."""

import contextlib
import errno
import hashlib
import os
import resource
import select
import socket
import struct
import subprocess
import time

import pytest

from scene import (FAR4, FAR6, HOST4, LONG, PROGRAM, SILENT4, SMALL, UNREACHABLE4,
                   UNREACHABLE6, WORLD4, WORLD6, Netns, in_thread, need, sh,
                   sysctl, until)
from servers import Server, UdpEcho, datagram, echo, listener

ALL = [WORLD4, WORLD6, FAR4, FAR6]
RESET = struct.pack("ii", 1, 0)                 # SO_LINGER: close sends RST
BIG = (2048 if LONG else 8 if SMALL else 256) << 20     # of a big transfer


def connect(guest, address, port, seconds=5):
    with guest:
        return socket.create_connection((address, port), seconds)


@contextlib.contextmanager
def pair(guest, where, address):
    """A guest's connection and the server's end of it."""
    with where:
        waiting = listener(address)
    with waiting, connect(guest, address, waiting.getsockname()[1]) as near:
        far, _ = waiting.accept()
        far.settimeout(10)
        near.settimeout(10)
        with far:
            yield near, far


@pytest.fixture(params=["ipv4", "ipv6", "host-ipv4", "host-ipv6"])
def ends(request, guest, scene):
    """A connection to the world, or through the gateway to the host."""
    if not request.param.startswith("host"):
        address = WORLD4 if request.param == "ipv4" else WORLD6
        with pair(guest, scene.world, address) as both:
            yield both
        return
    four = request.param == "host-ipv4"
    with listener("127.0.0.1" if four else "::1") as waiting:
        gateway = guest.gateway4 if four else guest.gateway6
        with connect(guest, gateway, waiting.getsockname()[1]) as near:
            far, _ = waiting.accept()
            near.settimeout(10)
            far.settimeout(10)
            with far:
                yield near, far


@pytest.mark.smoke
@pytest.mark.parametrize("address", ALL)
def test_tcp_echo(guest, world, address):
    with connect(guest, address, 7) as s:
        s.sendall(b"ahoy")
        assert s.recv(10) == b"ahoy"


@pytest.mark.smoke
@pytest.mark.parametrize("address", [WORLD4, WORLD6, "gateway4", "gateway6"])
def test_refused_is_refused_at_once(guest, address):
    address = getattr(guest, address, address)
    start = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        connect(guest, address, 9)
    assert time.monotonic() - start < 0.5


@pytest.mark.smoke
@pytest.mark.parametrize("address", [UNREACHABLE4, UNREACHABLE6])
def test_unreachable_is_unreachable_soon(guest, address):
    """A kernel may lose the answer to a first SYN (LockDroppedIcmps)."""
    start = time.monotonic()
    with pytest.raises(OSError) as info:
        connect(guest, address, 80)
    assert info.value.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH)
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("address", ["198.18.99.1", "2001:db8:99::1"],
                         ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("kind, error", [
    ("unreachable", errno.EHOSTUNREACH), ("throw", errno.ENETUNREACH),
    ("prohibit", errno.EHOSTUNREACH)])
def test_what_the_host_itself_cannot_reach(guest, address, kind, error):
    """No router says so, but the host's own routes: TCP and UDP hear it."""
    six = ":" in address
    if six and kind == "prohibit":
        error = errno.EACCES            # as IPv6 has it (RFC 4443)
    ip = "ip -6" if six else "ip"
    sh(f"{ip} route add {kind} {address}; {ip} route add {kind} default "
       f"table 100; {ip} rule add to {address} table 100")
    try:
        with pytest.raises(OSError) as info:
            connect(guest, address, 80)
        assert info.value.errno == error
        with guest, socket.socket(socket.AF_INET6 if six else
                                  socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(3)
            s.setsockopt(*((socket.IPPROTO_IPV6, 25, 1) if six else
                           (socket.IPPROTO_IP, 11, 1)))     # RECVERR
            s.connect((address, 9))
            s.send(b"x")
            with pytest.raises(OSError) as info:
                s.recv(1)
        assert info.value.errno == error
    finally:
        sh(f"{ip} rule del to {address} table 100; {ip} route del {kind} "
           f"{address}; {ip} route del {kind} default table 100")


def test_silence_is_silence(guest):
    with pytest.raises(TimeoutError):
        connect(guest, SILENT4, 80, seconds=0.5)


def test_silence_stays_silence(guest):
    """The host gives up before the guest does: that is not told as refusal."""
    with open("/proc/sys/net/ipv4/tcp_syn_retries") as f:
        before = f.read()
    sysctl("net.ipv4.tcp_syn_retries", "1")     # it gives up after 3 s
    try:
        with pytest.raises(TimeoutError):
            connect(guest, SILENT4, 80, seconds=4)
    finally:
        sysctl("net.ipv4.tcp_syn_retries", before)


@pytest.mark.smoke
def test_guest_closes_its_half_first(ends):
    near, far = ends
    near.sendall(b"question")
    near.shutdown(socket.SHUT_WR)
    assert far.makefile("rb").read() == b"question"
    far.sendall(b"answer")
    far.close()
    assert near.makefile("rb").read() == b"answer"


@pytest.mark.smoke
def test_far_end_closes_its_half_first(ends):
    near, far = ends
    far.sendall(b"greeting")
    far.shutdown(socket.SHUT_WR)
    assert near.makefile("rb").read() == b"greeting"
    near.sendall(b"late")
    near.close()
    assert far.makefile("rb").read() == b"late"


@pytest.mark.smoke
def test_a_reset_of_the_far_end_is_a_reset(ends):
    near, far = ends
    near.sendall(b"x")
    assert far.recv(1) == b"x"
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    far.close()
    with pytest.raises(ConnectionResetError):
        near.recv(1)


@pytest.mark.smoke
def test_a_reset_of_the_guest_is_a_reset(ends):
    near, far = ends
    near.sendall(b"x")
    assert far.recv(1) == b"x"
    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    near.close()
    with pytest.raises(ConnectionResetError):
        far.recv(1)


def test_keepalive_of_the_guest_is_the_hosts_too(guest, scene):
    """Once the guest has asked, the host's own socket asks the far end."""
    def timer():
        return sh(f"ss -Htno dst {WORLD4} dport = :{port}")
    with pair(guest, scene.world, WORLD4) as (near, far):
        port = far.getsockname()[1]
        assert "keepalive" not in timer()
        for option, value in ((socket.TCP_KEEPIDLE, 1),
                              (socket.TCP_KEEPINTVL, 1)):
            near.setsockopt(socket.IPPROTO_TCP, option, value)
        near.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        until(lambda: "timer:(keepalive" in timer(), 5, "keepalive")
        near.sendall(b"alive")
        assert far.recv(10) == b"alive"


@pytest.mark.smoke
def test_a_slow_reader_gets_all(ends):
    """Fills every buffer on the way, then drains it."""
    near, far = ends
    data = os.urandom(1 << 20) * 24
    done = in_thread(near.sendall, data)
    time.sleep(0.3)                     # zero window: that is the case
    got = bytearray()
    while len(got) < len(data):
        got += far.recv(1 << 20)
    done(10)
    assert got == data


@pytest.mark.smoke
def test_a_slow_guest_gets_all(ends):
    near, far = ends
    data = os.urandom(1 << 20) * 24
    done = in_thread(far.sendall, data)
    time.sleep(0.3)
    got = bytearray()
    while len(got) < len(data):
        got += near.recv(1 << 20)
    done(10)
    assert got == data


def test_who_scans_what_is_silent_may_still_connect(root, scene, world):
    """More handshakes under way than there is room for, all to nobody."""
    def flows():
        return next(s["flows"] for s in root.status() if s["name"] == "scan")

    with contextlib.closing(root.guest(name="scan")) as guest:
        room = min(flows()["max"], 4096)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < room + 1000:
            pytest.skip("not enough descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        silent = []
        with guest:
            for _ in range(room + 500):
                silent.append(socket.socket())
                silent[-1].setblocking(False)
                silent[-1].connect_ex((SILENT4, 80))
        until(lambda: flows()["tcp"] >= room, 5, "a crowd")
        for address in (WORLD4, WORLD6):
            with connect(guest, address, 7, 20) as s:
                s.sendall(b"ahoy")
                assert s.recv(10) == b"ahoy"
        poll = select.poll()
        for s in silent:
            poll.register(s, 0)
        assert not poll.poll(0), "silence is told as an error"
        for s in silent:
            s.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def send_hashed(s, total):
    """Send `total` bytes that never repeat; their SHA-256."""
    digest, block = hashlib.sha256(), bytearray(os.urandom(1 << 20))
    for i in range(total >> 20):
        block[:8] = struct.pack("!Q", i)
        s.sendall(block)
        digest.update(block)
    s.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


def receive_hashed(s):
    digest, block = hashlib.sha256(), bytearray(1 << 20)
    while n := s.recv_into(block):
        digest.update(memoryview(block)[:n])
    return digest.hexdigest()


def transfer(sender, receiver, total):
    sent = in_thread(send_hashed, sender, total)
    received = in_thread(receive_hashed, receiver)
    assert sent(600) == received(600)


@pytest.fixture(params=[1500, 65520])
def guest_of_mtu(request, root):
    with contextlib.closing(root.guest("--mtu", request.param)) as g:
        yield g


@pytest.mark.smoke
@pytest.mark.parametrize("address", [WORLD4, WORLD6])
@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_a_big_transfer_arrives_as_it_was_sent(guest_of_mtu, scene, up,
                                               address):
    with pair(guest_of_mtu, scene.world, address) as (near, far):
        transfer(*((near, far) if up else (far, near)), BIG)


@pytest.mark.smoke
def test_both_directions_at_once(guest, scene):
    with pair(guest, scene.world, WORLD4) as (near, far):
        up = in_thread(transfer, near, far, BIG >> 3)
        transfer(far, near, BIG >> 3)
        up(600)


@pytest.mark.smoke
def test_a_guest_that_loses_frames_does_not_stall(root, scene):
    """One frame in a hundred is dropped on its way into the guest."""
    need("nft")
    with contextlib.closing(root.guest()) as guest:
        done = guest.sh("""nft -f - <<'END'
table netdev lossy {
    chain in {
        type filter hook ingress device "eth0" priority 0;
        numgen random mod 100 < 1 drop
    }
}
END""")
        if done.returncode:
            pytest.skip("nft: " + done.stderr.splitlines()[0])
        with pair(guest, scene.world, WORLD4) as (near, far):
            transfer(far, near, 32 << 20)
        with pair(guest, scene.world, WORLD4) as (near, far):
            transfer(near, far, 32 << 20)


def host_tcp(scene, name):
    """A counter of the host's TCP, of its network namespace alone."""
    with scene.host, open("/proc/thread-self/net/netstat") as f:
        lines = [line.split() for line in f]
    for names, values in zip(lines[::2], lines[1::2]):
        if name in names:
            return int(values[names.index(name)])
    raise AssertionError(name)


@contextlib.contextmanager
def congestion_control(name):
    """Of the network namespace that one is in."""
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as f:
        before = f.read()
    sysctl("net.ipv4.tcp_congestion_control", name)
    try:
        yield
    finally:
        sysctl("net.ipv4.tcp_congestion_control", before)


@pytest.mark.parametrize("way", ["up", "down"])
def test_many_streams_share(guest, scene, way):
    """
    None of 300 gets less than half of what another gets, and nothing that a
    far end was let send is dropped by the host: its timer would be waited
    for. The guest's sender is one that goes by windows and losses, which are
    ours: cubic's slow start ends early, at a flow's chance delay, too.
    """
    load = os.path.join(os.path.dirname(PROGRAM), "test", "bench", "load")
    with scene.world:
        server = subprocess.Popen([load, "serve", FAR4, "5202"], text=True,
                                  stdout=subprocess.PIPE,
                                  start_new_session=True)
    try:
        assert server.stdout.readline() == "listening\n"
        dropped = host_tcp(scene, "TCPRcvQDrop")
        with guest, congestion_control("reno"):
            told = subprocess.run(
                [load, "share-" + way, FAR4, "5203", "2", "300"], text=True,
                stdout=subprocess.PIPE, check=True, timeout=60).stdout.split()
    finally:
        os.killpg(server.pid, 9)
        server.wait()
        server.stdout.close()
    got = {k: float(v) for k, v in zip(told[::2], told[1::2])}
    assert got["most_kb"] <= 2 * got["least_kb"], got
    assert host_tcp(scene, "TCPRcvQDrop") == dropped


def test_many_small_writes(ends):
    near, far = ends
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(500):
        near.sendall(struct.pack("!I", i))
        data = far.recv(4)
        far.sendall(data)
        assert near.recv(4) == struct.pack("!I", i)


@pytest.mark.smoke
def test_a_hundred_connections_at_once(guest, world):
    socks = [connect(guest, WORLD4, 7) for _ in range(100)]
    for i, s in enumerate(socks):
        s.sendall(b"%d" % i)
    for i, s in enumerate(socks):
        assert s.recv(10) == b"%d" % i
        s.close()


def ask(guest, address, port, data, seconds=3):
    """Send a datagram from an unbound socket; answer and its sender."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with guest, socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(seconds)
        s.sendto(data, (address, port))
        got, peer = s.recvfrom(65536)
        return got, peer[:2]


@pytest.mark.smoke
@pytest.mark.parametrize("size", [1, 512, 1452])
@pytest.mark.parametrize("address", ALL)
def test_udp_echo_from_where_it_was_sent(guest, world, address, size):
    data = os.urandom(size)
    assert ask(guest, address, 7, data) == (data, (address, 7))


@pytest.mark.smoke
@pytest.mark.parametrize("size", [1473, 9000, 65507])
@pytest.mark.parametrize("address", [WORLD4, WORLD6])
def test_udp_in_fragments(guest, world, address, size):
    data = os.urandom(size)
    assert ask(guest, address, 7, data, 0.5) == (data, (address, 7))


@pytest.mark.smoke
@pytest.mark.parametrize("address", [WORLD4, WORLD6])
def test_a_path_narrower_than_the_link_is_told(root, world, address):
    """Too big for the path: an error with its MTU, as from any router."""
    data = os.urandom(60000)
    family, level, recverr = (
        (socket.AF_INET6, socket.IPPROTO_IPV6, 25) if ":" in address else
        (socket.AF_INET, socket.IPPROTO_IP, 11))
    with contextlib.closing(root.guest("--mtu", "65520")) as guest, guest, \
            socket.socket(family, socket.SOCK_DGRAM) as s:
        s.setsockopt(level, recverr, 1)
        s.connect((address, 7))
        s.settimeout(3)
        s.send(data)
        with pytest.raises(OSError, match="Message too long"):
            s.recv(1)
        assert "mtu 1500" in guest.sh(f"ip route get {address}").stdout
        s.send(data)                    # in fragments now
        assert s.recv(65536) == data


@pytest.mark.smoke
@pytest.mark.parametrize("address", [WORLD4, WORLD6])
def test_hop_limit_and_traffic_class_of_udp(guest, world, address):
    """ECN and DSCP both ways, and one hop less, as behind a router."""
    family, level, tos, recvtos, recvttl = (
        (socket.AF_INET6, socket.IPPROTO_IPV6, 67, 66, 51)
        if ":" in address else
        (socket.AF_INET, socket.IPPROTO_IP, 1, 13, 12))
    with guest, socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        s.setsockopt(level, tos, 0xb9)          # EF, ECT(1)
        s.setsockopt(level, recvtos, 1)
        s.setsockopt(level, recvttl, 1)
        s.sendto(b"mark", (address, 7))
        data, control, _, _ = s.recvmsg(100, 200)
    marks = {kind: value[0] for _, kind, value in control}
    assert data == b"mark"
    assert marks == {tos: 0xb9, 2 if level == 0 else 52: 63}


@pytest.mark.smoke
@pytest.mark.parametrize("four", [True, False], ids=["ipv4", "ipv6"])
def test_udp_to_the_hosts_loopback(guest, four):
    gateway = guest.gateway4 if four else guest.gateway6
    with UdpEcho("127.0.0.1" if four else "::1") as server:
        answer = ask(guest, gateway, server.port, b"ahoy")
        assert answer == (b"ahoy", (gateway, server.port))


@pytest.mark.smoke
@pytest.mark.parametrize("address", [WORLD4, WORLD6])
def test_empty_datagrams_are_carried(guest, scene, address):
    """Both ways, alone and among others of the same moment."""
    with scene.world:
        far = datagram(address)
    far.settimeout(5)
    with far, guest, socket.socket(far.family, socket.SOCK_DGRAM) as near:
        near.settimeout(5)
        near.sendto(b"", far.getsockname())
        data, peer = far.recvfrom(10)
        assert data == b""
        far.sendto(b"", peer)
        assert near.recv(10) == b""
        row = [b"", b"one", b"", b"", b"two", b""]
        for data in row:
            near.sendto(data, far.getsockname())
        assert [far.recv(10) for _ in row] == row
        for data in row:
            far.sendto(data, peer)
        assert [near.recv(10) for _ in row] == row


def test_one_udp_socket_speaks_to_many(guest, world):
    with guest, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(3)
        for address in (WORLD4, FAR4) * 3:
            s.sendto(address.encode(), (address, 7))
            assert s.recvfrom(100) == (address.encode(), (address, 7))


def test_udp_to_a_closed_port_is_refused(guest, scene):
    with guest, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.connect((WORLD4, 9))
        s.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            s.recv(10)


@pytest.mark.smoke
@pytest.mark.parametrize("address", ALL + ["gateway4", "gateway6"])
def test_ping(guest, scene, address):
    address = getattr(guest, address, address)
    done = guest.sh(f"ping -n -c2 -i0.05 -W2 {address}")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("address", [WORLD4, WORLD6])
def test_traffic_class_of_a_ping(guest, scene, address):
    """Both ways: the far end answers in the class that it was asked in."""
    family, proto, request, level, tos, recvtos = (
        (socket.AF_INET6, socket.IPPROTO_ICMPV6, 128,
         socket.IPPROTO_IPV6, 67, 66) if ":" in address else
        (socket.AF_INET, socket.IPPROTO_ICMP, 8, socket.IPPROTO_IP, 1, 13))
    with guest, socket.socket(family, socket.SOCK_DGRAM, proto) as s:
        s.settimeout(3)
        s.setsockopt(level, tos, 0xb8)
        s.setsockopt(level, recvtos, 1)
        s.sendto(struct.pack("!BBHHH", request, 0, 0, 0, 1), (address, 0))
        _, control, _, _ = s.recvmsg(100, 200)
    assert {kind: value[0] for _, kind, value in control} == {tos: 0xb8}


@pytest.mark.parametrize("size", [0, 56, 1472, 4000, 65507])
def test_ping_of_size(guest, scene, size):
    done = guest.sh(f"ping -n -c1 -W1 -s {size} {WORLD4}")
    assert done.returncode == 0, done.stdout


def test_ping_of_what_is_unreachable_says_so(guest, scene):
    done = guest.sh(f"ping -n -c1 -W2 {UNREACHABLE4}")
    assert "nreachable" in done.stdout


@pytest.fixture
def silent_host(scene):
    """Another host, with the kernel's default: 1 0, nobody may ping."""
    with contextlib.closing(Netns()) as host, host:
        sh(f"ip link set lo up; ip link add up0 type veth peer name up1;"
           f"ip addr add {HOST4}/24 dev up0; ip link set up0 up;"
           f"ip link set up1 up; ip route add default via {WORLD4}")
        yield host


def test_a_forbidden_ping_is_prohibited_at_once(silent_host, user):
    with contextlib.closing(user.guest()) as guest:
        start = time.monotonic()
        done = guest.sh(f"ping -n -c1 -W2 {WORLD4}")
        assert time.monotonic() - start < 1
        assert done.returncode == 1
        assert "filtered" in done.stdout or "rohibited" in done.stdout
        done = guest.sh(f"ping -n -c1 -W2 {guest.gateway4}")
        assert done.returncode == 0, "the gateway always answers"
        assert "ping_group_range" in user("status").stdout


def reached(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.smoke
def test_a_forward_carries_half_close_and_much_data(root):
    """Host to guest: through localhost, both ways, to the last byte."""
    with contextlib.closing(root.guest()) as guest:
        with guest:
            server = Server("127.0.0.1", echo)
        until(lambda: reached(server.port), 3)
        with server, socket.create_connection(
                ("127.0.0.1", server.port)) as near:
            received = in_thread(receive_hashed, near)
            assert send_hashed(near, 64 << 20) == received(60)


def test_a_forward_goes_on_where_its_listener_changes(root):
    """127.0.0.1 leads to ::1 until there is something better."""
    def told():
        with contextlib.suppress(OSError), \
                socket.create_connection(("127.0.0.1", 8000), 5) as s:
            return s.recv(10)
    with contextlib.closing(root.guest()) as guest:
        with guest:
            six = Server("::1", lambda c: c.sendall(b"six"), 8000)
        until(lambda: told() == b"six", 3)
        with guest:
            four = Server("127.0.0.1", lambda c: c.sendall(b"four"), 8000)
        until(lambda: told() == b"four", 3)
        four.close()
        until(lambda: told() == b"six", 3)
        six.close()


def test_no_stall_in_a_minute(guest, scene):
    """One stream, watched: data arrives in every half second."""
    seconds = 60 if LONG else 3
    with pair(guest, scene.world, WORLD4) as (near, far):
        end = time.monotonic() + seconds

        def send():
            block = bytes(1 << 20)
            while time.monotonic() < end:
                near.sendall(block)
            near.close()
        sender = in_thread(send)
        far.settimeout(0.5)
        total, block = 0, bytearray(1 << 20)
        while n := far.recv_into(block):
            total += n
        sender(5)
    assert total > 0
