# SPDX-License-Identifier: MIT
"""Localhost both ways: the host's ports in the guest, live, and none twice."""

import contextlib
import errno
import os
import signal
import socket
import struct
import subprocess
import time

import pytest

from scene import HOST4, HOST6, WORLD4, in_thread, need, until
from servers import Server, UdpEcho, echo, listener
from test_proxy import proxy

LOOPBACKS = ["127.0.0.1", "::1"]
SOON = 0.05                     # as promised, for what comes and what goes
RESET = struct.pack("ii", 1, 0)                 # SO_LINGER: close sends RST


def answers(where, address, port):
    """Does an echo server answer there?"""
    with contextlib.suppress(OSError), where, socket.create_connection(
            (address, port), 5) as s:
        s.settimeout(5)
        s.sendall(b"x")
        return s.recv(1) == b"x"
    return False


def answers_udp(where, address, port, wait=1):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with where:
        s = socket.socket(family, socket.SOCK_DGRAM)
    with s, contextlib.suppress(OSError):
        s.settimeout(wait)
        s.connect((address, port))
        s.send(b"x")
        return s.recv(1) == b"x"
    return False


def mirrors(slipway, name):
    """What `status` says of the host's ports on the guest's localhost."""
    status = next(s for s in slipway.status() if s["name"] == name)
    return {(m["port"], m["protocol"]): m for m in status["mirrors"]}, status


@pytest.fixture
def guest(slipway):
    with contextlib.closing(slipway.guest("--host-access", "localhost",
                                          name="inner")) as g:
        yield g


@pytest.mark.smoke
@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "::1", "::",
                                   HOST4, HOST6])
def test_a_server_of_the_host_comes_and_goes(guest, scene, bound):
    with Server(bound, echo) as server:
        for address in LOOPBACKS:
            until(lambda: answers(guest, address, server.port), 3, address)
    for address in LOOPBACKS:
        until(lambda: not answers(guest, address, server.port), 3,
              f"the end of {address}")


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "::1"])
def test_udp_of_the_host_comes_and_goes(guest, scene, bound):
    with UdpEcho(bound, 5400):
        for address in LOOPBACKS:
            until(lambda: answers_udp(guest, address, 5400), 3, address)
        with guest, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.connect(("127.0.0.1", 5400))
            for size in 1, 1400, 65507:
                data = os.urandom(size)
                s.send(data)
                assert s.recv(65536) == data, size
    for address in LOOPBACKS:
        until(lambda: not answers_udp(guest, address, 5400, 0.1), 3,
              f"the end of {address}")


def test_what_the_host_had_before_is_there_at_once(slipway, scene):
    with Server("127.0.0.1", echo, 8801), contextlib.closing(
            slipway.guest("--host-access", "localhost")) as guest:
        assert answers(guest, "127.0.0.1", 8801)
        assert answers(guest, "::1", 8801)


def test_low_ports_too(guest, scene):
    with Server("127.0.0.1", echo, 80), UdpEcho("127.0.0.1", 123):
        until(lambda: answers(guest, "127.0.0.1", 80), 3, "port 80")
        until(lambda: answers_udp(guest, "127.0.0.1", 123), 3, "port 123/udp")


def test_a_port_of_the_guests_own_is_left_to_it(slipway, scene):
    with contextlib.ExitStack() as stack:
        guest = stack.enter_context(contextlib.closing(slipway.guest(
            "--host-access", "localhost", "--localhost", "off",
            name="inner")))
        with guest:
            stack.enter_context(Server(
                "127.0.0.1", lambda conn: conn.sendall(b"mine"), 8802))
        stack.enter_context(Server("0.0.0.0", echo, 8802))
        _, status = until(
            lambda: (lambda m: (8802, "tcp") in m[0] and "why" in
                     m[0][8802, "tcp"]["ipv4"] and m)(
                         mirrors(guest.slipway, "inner")), 3, "the conflict")
        assert any("127.0.0.1:8802 is not the host's in the guest: a program "
                   "of the guest has the port" in w
                   for w in status["warnings"]), status["warnings"]
        with guest, socket.create_connection(("127.0.0.1", 8802), 5) as s:
            assert s.recv(4) == b"mine"
        until(lambda: answers(guest, "::1", 8802), 3, "the other half")


def may_listen(where, port):
    with contextlib.suppress(OSError), where:
        listener("127.0.0.1", port).close()
        return True
    return False


def test_a_port_of_the_hosts_is_in_use_in_the_guest(guest, scene, tmp_path):
    with Server("127.0.0.1", echo, 8803):
        until(lambda: answers(guest, "127.0.0.1", 8803), 3, "the port")
        with guest, pytest.raises(OSError) as info:
            listener("127.0.0.1", 8803)
        assert info.value.errno == errno.EADDRINUSE
    until(lambda: may_listen(guest, 8803), 3, "its end")
    conf = tmp_path / "conf"
    conf.write_text("[network]\nhostAccess = localhost\nignoredPorts = 8803\n")
    conf.chmod(0o644)
    tmp_path.chmod(0o755)
    with Server("127.0.0.1", echo, 8803), Server("127.0.0.1", echo, 8804), \
            contextlib.closing(guest.slipway.guest("--config", conf)) as own:
        assert answers(own, "127.0.0.1", 8804)
        with own:
            listener("127.0.0.1", 8803).close()


def test_many_at_once_and_again(root, scene):
    """More than the helper is asked for at a time; some end meanwhile."""
    with contextlib.closing(root.guest("--host-access", "localhost")) as guest:
        before = listening(guest)
        for _ in range(3):
            with contextlib.ExitStack() as stack:
                for port in range(12000, 12300):
                    stack.enter_context(listener("127.0.0.1", port))
                for port in range(12300, 12600):
                    listener("127.0.0.1", port).close()
                want = before | {f"{a}:{port}" for a in ("127.0.0.1", "[::1]")
                                 for port in range(12000, 12300)}
                until(lambda: listening(guest) == want, 5, "all of them")
            until(lambda: listening(guest) == before, 5, "none of them")


# ---- rings ----

def listening(where):
    """TCP ports at which somebody listens there, with their addresses."""
    with where:
        out = subprocess.run(["ss", "-Htln"], capture_output=True, text=True,
                             check=True).stdout
    return {line.split()[3] for line in out.splitlines()}


def test_what_is_ours_is_not_carried_back(root, scene):
    """
    Two guests with localhost both ways. The first one's port is the host's,
    so the second one has it; none of them is anybody's listener, so all go
    with it.
    """
    both = "--host-access", "localhost"
    with contextlib.closing(root.guest(*both, "-p", 8805, name="a")) as a, \
            contextlib.closing(root.guest(*both, name="b")) as b:
        before = [listening(w) for w in (scene.host, a, b)]
        with a:
            server = Server("0.0.0.0", echo, 8805)
        with server, Server("127.0.0.1", echo, 8806):
            for where in scene.host, b:
                until(lambda: answers(where, "127.0.0.1", 8805), 3, "a's")
            for where in a, b:
                until(lambda: answers(where, "127.0.0.1", 8806), 3, "host's")
            mine, _ = mirrors(root, "a")
            assert (8806, "tcp") in mine and (8805, "tcp") not in mine
            theirs, status = mirrors(root, "b")
            assert {(8805, "tcp"), (8806, "tcp")} <= set(theirs)
            assert status["forwards"] == [] and status["warnings"] == []
            # Nothing more came of it, in as many looks as it would take.
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                assert listening(a) == before[1] | {
                    "0.0.0.0:8805", "127.0.0.1:8806", "[::1]:8806"}
        for where, was in zip((scene.host, a, b), before, strict=True):
            until(lambda: listening(where) == was, 3, "as it was")


def test_a_ring_of_one_port_does_not_feed_itself(root, scene):
    """The same port listened on by the host and, elsewhere, the guest."""
    with contextlib.closing(root.guest("--host-access", "localhost",
                                       name="own")) as guest:
        before = listening(scene.host), listening(guest)
        with guest:
            server = Server(guest.address4, echo, 8807)
        with server:
            until(lambda: answers(scene.host, "127.0.0.1", 8807), 3, "there")
            with Server(HOST4, echo, 8807):
                until(lambda: answers(guest, "127.0.0.1", 8807), 3, "back")
            until(lambda: not answers(guest, "127.0.0.1", 8807), 3, "its end")
            assert answers(scene.host, "127.0.0.1", 8807)
        until(lambda: (listening(scene.host), listening(guest)) == before, 3,
              "as it was")


# ---- lists ----

def test_a_list_narrows_what_is_there(slipway, scene):
    with Server("127.0.0.1", echo, 8811), Server("127.0.0.1", echo, 8812), \
            contextlib.closing(slipway.guest("--host-access",
                                             "8811,40000")) as guest:
        assert answers(guest, "127.0.0.1", 8811)
        assert answers(guest, guest.gateway4, 8811)
        for address in "127.0.0.1", "::1", guest.gateway4, HOST4:
            with guest, pytest.raises(OSError):
                socket.create_connection((address, 8812), 2)
        # In the range of clients' ports, but asked for.
        with UdpEcho("127.0.0.1", 40000), UdpEcho("127.0.0.1", 40001):
            until(lambda: answers_udp(guest, "127.0.0.1", 40000), 3, "UDP")
            assert not answers_udp(guest, "127.0.0.1", 40001, 0.2)


@pytest.mark.parametrize("access", ["gateway", "off"])
def test_no_other_mode_has_it(root, scene, access):
    with Server("127.0.0.1", echo, 8813), contextlib.closing(
            root.guest("--host-access", access)) as guest:
        for address in LOOPBACKS:
            with guest, pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, 8813), 2)
        assert answers(guest, guest.gateway4, 8813) == (access == "gateway")


def test_a_machine_is_told(root, tmp_path):
    done = root("serve", "--qemu", tmp_path / "s", "--no-agent",
                "--host-access", "localhost")
    assert done.returncode == 2
    assert "give gateway, or leave --no-agent away" in done.stderr


# ---- the relay ----

@pytest.fixture
def ends(root, scene):
    """A connection by the guest's localhost: the client's, the server's."""
    with contextlib.closing(root.guest("--host-access", "localhost")) as g:
        waiting = listener("127.0.0.1", 8820)
        with waiting:
            def connected():
                with contextlib.suppress(ConnectionRefusedError), g:
                    return socket.create_connection(("127.0.0.1", 8820), 5)
                return None
            near = until(connected, 3, "the port")
            waiting.settimeout(5)
            far, _ = waiting.accept()
            with near, far:
                near.settimeout(20)
                far.settimeout(20)
                yield near, far


@pytest.mark.parametrize("first", ["client", "server"])
def test_half_a_close_and_a_reset_go_through(ends, first):
    one, other = ends if first == "client" else ends[::-1]
    block = os.urandom(8 << 20)
    sender = in_thread(lambda: (one.sendall(block),
                                one.shutdown(socket.SHUT_WR)))
    got = b""
    while piece := other.recv(1 << 20):
        got += piece
    sender(10)
    assert got == block
    other.sendall(b"still here")
    assert one.recv(100) == b"still here"
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    other.close()
    with pytest.raises(ConnectionResetError):
        while one.recv(1 << 20):
            pass


# ---- how soon ----

def first_answer(connect, seconds=5):
    """Seconds until connect() succeeds."""
    begun = time.monotonic()
    until(connect, seconds, "an answer", 0.0005)
    return time.monotonic() - begun


def connects(where, address, port):
    with contextlib.suppress(OSError), where, socket.create_connection(
            (address, port), 5):
        return True
    return False


def p99(times):
    return sorted(times)[len(times) * 99 // 100 - 1]


def soon(times):
    """
    As promised, p99. On a machine that others keep busy, too, the last few
    may be served late, but nine in ten are as soon even there.
    """
    print(f"p99 {p99(times) * 1000:.1f} ms")
    assert sorted(times)[len(times) * 9 // 10] < SOON, times
    assert p99(times) < (5 * SOON if os.getloadavg()[0] > os.cpu_count()
                         else SOON), times


@pytest.mark.seconds(180)
@pytest.mark.parametrize("way", ["to the host", "to the guest"])
@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0"])
def test_a_hundred_starts_are_seen_soon(root, scene, way, bound):
    """From listen() to the first answer, at 127.0.0.1 and ::1 in turn."""
    times = []
    with contextlib.closing(root.guest("--host-access", "localhost")) as guest:
        here, there = ((guest, scene.host) if way == "to the host" else
                       (scene.host, guest))
        for i in range(100):
            with here, Server(bound, echo, 9100 + i):
                times.append(first_answer(lambda: connects(
                    there, LOOPBACKS[i % 2], 9100 + i)))
    soon(times)


@pytest.mark.seconds(180)
@pytest.mark.parametrize("way", ["to the host", "to the guest"])
def test_a_hundred_starts_over_udp(root, scene, way):
    times = []
    with contextlib.closing(root.guest("--host-access", "localhost")) as guest:
        here, there = ((guest, scene.host) if way == "to the host" else
                       (scene.host, guest))
        for i in range(100):
            with here, UdpEcho("127.0.0.1", 9300 + i):
                times.append(first_answer(lambda: answers_udp(
                    there, LOOPBACKS[i % 2], 9300 + i, 0.05)))
    soon(times)


@pytest.mark.seconds(180)
def test_a_hundred_ends_are_seen_soon(root, scene):
    times = []
    with contextlib.closing(root.guest("--host-access", "localhost")) as guest:
        for i in range(100):
            port = 9500 + i
            with Server("127.0.0.1", echo, port):
                until(lambda: connects(guest, "127.0.0.1", port), 3, "it")
            times.append(first_answer(lambda: may_listen(guest, port)))
    soon(times)


@pytest.mark.smoke
@pytest.mark.parametrize("bind", [[], ["--bind", "127.0.0.1"]])
def test_a_web_server_of_the_guests(slipway, scene, bind):
    """The first thing that anybody tries."""
    need("curl")
    with slipway.popen("run", "-q", "python3", "-m", "http.server", "8000",
                       *bind, stderr=subprocess.DEVNULL) as web:
        try:
            for host in "localhost", "[::1]", "127.0.0.1":
                until(lambda: subprocess.run(
                    ["curl", "-sf", "-o", "/dev/null", "--noproxy", "*",
                     f"http://{host}:8000/"]).returncode == 0, 10, host, 0.02)
        finally:
            web.send_signal(signal.SIGTERM)
            web.wait(10)


# ---- a proxy of the host's, as a browser's settings name it ----

@pytest.mark.parametrize("way", ["plain", "CONNECT"])
def test_a_proxy_of_the_hosts_by_name(slipway, scene, world, way):
    need("curl")
    with Server("127.0.0.1", proxy, 8080):
        done = slipway(
            "run", "curl", "-sS", "--max-time", "10",
            *(["--proxytunnel"] if way == "CONNECT" else []),
            "-x", "http://host.slipway.internal:8080",
            f"http://{WORLD4}:80/page")
    want = ("you asked for /page\n" if way == "CONNECT" else
            f"by proxy: http://{WORLD4}:80/page")
    assert done.stdout.strip() in (want.strip(),
                                   want.replace(":80/", "/").strip()), \
        done.stderr
