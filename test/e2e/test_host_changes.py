# SPDX-License-Identifier: MIT
"""A host that changes underneath: addresses that go, as with a VPN."""

import contextlib
import errno
import os
import signal
import socket
import time

import pytest

from scene import (FAR4, HOST4, HOST6, SMALL, WORLD4, WORLD6, processes, sh,
                   until)
from servers import Server, echo, web
from vpn import NEAR4, Vpn

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


def goes_on(conn):
    """Past the look at the flows that follows a change."""
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        conn.sendall(b"?")
        assert conn.recv(1) == b"?"


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
           f"{'nodad' if six else ''}")
        try:
            # Of IPv6 a worker of the kernel's makes it local, later.
            until(lambda: address in sh(f"ip -{6 if six else 4} route show "
                                        "table local dev lo"), 3, "it")
            sh(f"ip addr del {address}/{64 if six else 24} dev up0")
            stays.settimeout(10)
            with stays:
                goes_on(stays)
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


@pytest.fixture
def far(scene):
    with scene.world:
        server = Server(FAR4, says)
    with server:
        yield server


def test_a_vpn_that_comes_up_takes_over(slipway, scene, far):
    """Who went another way is reset; who still goes there is not."""
    with contextlib.closing(slipway.guest()) as guest, scene_server(
            scene, WORLD4) as near:
        moved, seen = connected(guest, FAR4, far.port)
        assert seen == HOST4
        kept, _ = connected(guest, WORLD4, near.port)
        moved.settimeout(10)
        kept.settimeout(10)
        began = time.monotonic()
        with Vpn(scene), moved, kept:
            began = time.monotonic()
            with pytest.raises(ConnectionResetError):
                moved.recv(1)
            assert time.monotonic() - began < 1
            again, seen = connected(guest, FAR4, far.port)
            assert seen == NEAR4
            kept.sendall(b"still there")
            assert kept.recv(100) == b"still there"
        again.settimeout(10)
        with again, pytest.raises(ConnectionResetError):
            again.recv(1)               # and down again
        last, seen = connected(guest, FAR4, far.port)
        last.close()
        assert seen == HOST4


def scene_server(scene, address):
    with scene.world:
        return Server(address, says)


def test_flows_may_be_kept(root, scene, far):
    with contextlib.closing(root.guest("--keep-flows")) as guest, \
            contextlib.closing(root.guest()) as other:
        kept, _ = connected(guest, FAR4, far.port)
        reset, _ = connected(other, FAR4, far.port)
        kept.settimeout(10)
        reset.settimeout(10)
        with Vpn(scene), reset, pytest.raises(ConnectionResetError):
            reset.recv(1)
        with kept:
            kept.sendall(b"still there")
            assert kept.recv(100) == b"still there"


def test_a_route_that_changes_by_itself_resets_nobody(root, scene, far):
    """The same interface and address, by another gateway or metric."""
    with contextlib.closing(root.guest()) as guest:
        kept, _ = connected(guest, FAR4, far.port)
        sh(f"ip route add {FAR4} via {WORLD4}; ip addr add {OTHER4}/24 dev up0")
        try:
            again, _ = connected(guest, FAR4, far.port)
            kept.settimeout(10)
            with kept, again:
                goes_on(kept)
        finally:
            sh(f"ip route del {FAR4}; ip addr del {OTHER4}/24 dev up0")


@pytest.mark.seconds(120)
def test_a_vpn_up_and_down_under_load(root, scene, world):
    """Each time the next fetch works at once; nothing is left in the end."""
    assert world
    fetch = f"curl -sf --max-time 5 http://{FAR4}/x"
    with contextlib.closing(root.guest()) as guest:
        load = [guest_popen(guest, f"while :; do {fetch}; done")
                for _ in range(2)]
        try:
            for _ in range(4):
                with Vpn(scene, takes=1400):
                    assert guest.sh(fetch).stdout == "you asked for /x\n"
                assert guest.sh(fetch).stdout == "you asked for /x\n"
        finally:
            for child in load:
                child.kill()
                child.communicate()
        until(lambda: root.status()[0]["flows"]["tcp"] == 0, 10, "no flow")


def guest_popen(guest, command):
    import subprocess
    with guest:
        return subprocess.Popen(["sh", "-c", command],
                                stdout=subprocess.DEVNULL)


def test_without_any_route_all_is_unreachable_but_the_host(root, scene):
    with Server("127.0.0.1", web) as ours, \
            contextlib.closing(root.guest()) as guest:
        with guest:
            inside = Server("127.0.0.1", web)
        sh("ip route del default; ip -6 route del default")
        try:
            for address in (FAR4, "2001:db8:f::1"):
                began = time.monotonic()
                with pytest.raises(OSError) as e:
                    connected(guest, address, 80)
                assert e.value.errno in (errno.ENETUNREACH,
                                         errno.EHOSTUNREACH)
                assert time.monotonic() - began < 1
                done = guest.sh(f"ping -n -c1 -W3 {address}")
                assert "nreachable" in done.stdout + done.stderr, done
            done = guest.sh("curl -s --max-time 5 "
                            f"http://{guest.gateway4}:{ours.port}/host")
            assert done.stdout == "you asked for /host\n"
            assert guest.sh(f"ping -c1 -W3 {guest.gateway4}").returncode == 0
            until(lambda: not socket.socket().connect_ex(
                ("127.0.0.1", inside.port)), 3, "localhost")
            done = guest.sh(f"dig +time=8 +tries=1 @{guest.gateway4} a.test")
            assert "SERVFAIL" in done.stdout or "NXDOMAIN" in done.stdout
        finally:
            sh(f"ip route add default via {WORLD4};"
               f"ip -6 route add default via {WORLD6}")
            inside.close()


def cpu_seconds(pids):
    """Time that these have used, all together."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            ticks += sum(int(t) for t in f.read().rsplit(")", 1)[1]
                         .split()[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def test_a_host_that_slept(root, scene, far):
    """Stopped for a while, and continued: no storm, and what lives goes on."""
    with contextlib.closing(root.guest()) as guest:
        with guest:
            inside = Server("127.0.0.1", says)
        lives, _ = connected(guest, FAR4, far.port)
        dies, _ = connected(guest, FAR4, far.port)
        until(lambda: not socket.socket().connect_ex(
            ("127.0.0.1", inside.port)), 3, "localhost")
        own = [pid for pid, name in processes().items()
               if name.startswith("slipway-")]
        for pid in own:
            os.kill(pid, signal.SIGSTOP)
        try:
            lives.sendall(b"while it sleeps")
            sh(f"ip addr add {OTHER4}/24 dev up0; ip addr del {OTHER4}/24 "
               "dev up0")
            time.sleep(3)               # the sleep that this is about
        finally:
            before = cpu_seconds(own)
            for pid in own:
                os.kill(pid, signal.SIGCONT)
        lives.settimeout(10)
        with lives, dies:
            assert lives.recv(100) == b"while it sleeps"
            for _ in range(200):
                lives.sendall(b"?")
                assert lives.recv(1) == b"?"
        until(lambda: root.status()[0]["flows"]["tcp"] == 0, 5, "no flow")
        with socket.create_connection(("127.0.0.1", inside.port), 5) as s:
            assert s.recv(100)
        assert cpu_seconds(own) - before < 1
        inside.close()


def in_a_machine_of_the_tests():
    """Only there: nobody else's machine is put to sleep."""
    try:
        with open("/sys/class/dmi/id/sys_vendor") as f, \
                open("/sys/power/state") as states:
            return SMALL and f.read() == "QEMU\n" and "mem" in states.read()
    except OSError:
        return False


@pytest.mark.smoke
@pytest.mark.skipif(not in_a_machine_of_the_tests(),
                    reason="puts the machine to sleep: in the tests' own only")
def test_a_host_that_was_suspended(root, scene, world):
    """A real suspend to memory: what lives goes on, and old answers go."""
    world.dns.names["moving.test"] = "192.0.2.1"
    with contextlib.closing(root.guest()) as guest:
        def short():
            return guest.sh(f"dig +short +time=8 +tries=1 @{guest.gateway4} "
                            "moving.test").stdout.strip()
        with guest:
            s = socket.create_connection((FAR4, 7), 10)
        s.settimeout(20)
        with s:
            s.sendall(b"before")
            assert s.recv(100) == b"before"
            assert short() == "192.0.2.1"
            world.dns.names["moving.test"] = "192.0.2.2"
            assert short() == "192.0.2.1", "it is kept"
            with open("/sys/class/rtc/rtc0/wakealarm", "w") as f:
                f.write("+3")
            before = [time.clock_gettime(clock) for clock in
                      (time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC)]
            with open("/sys/power/state", "w") as f:
                f.write("mem")
            after = [time.clock_gettime(clock) for clock in
                     (time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC)]
            assert after[0] - before[0] > after[1] - before[1] + 1, "it slept"
            assert short() == "192.0.2.2"
            s.sendall(b"after")
            assert s.recv(100) == b"after"
