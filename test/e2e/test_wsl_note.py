# SPDX-License-Identifier: MIT
"""What users of WSL2 say of their network, one test per sentence."""

import contextlib
import os
import socket
import statistics
import time

import pytest

from scene import (Guest, HOST4, WORLD4, WORLD6, kill_all, processes, sh,
                   until)
from servers import Dns, Server, listener, web


def answers(address, port):
    """Does a TCP connect to that address succeed?"""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        return s.connect_ex((address, port)) == 0


def seconds_until(condition):
    start = time.monotonic()
    until(condition, 3, "forwarding", pause=0.0005)
    return time.monotonic() - start


def test_the_default_route_is_the_host(slipway):
    done = slipway("run", "sh", "-c", "ip route | awk '/^default/ {print $3}'"
                   "; echo $WSL2_HOST_IP")
    by_route, by_variable = done.stdout.split()
    assert by_route == by_variable and by_route.startswith("172.")


def test_wsl2_host_ip_is_set(slipway):
    done = slipway("run", "sh", "-c", "echo $WSL2_HOST_IP $SLIPWAY_HOST_IP")
    first, second = done.stdout.split()
    assert first == second


def test_host_ip_prints_it(slipway):
    done = slipway("run", "sh", "-c",
                   f"PATH= {slipway.argv()[-1]} host-ip; echo $WSL2_HOST_IP")
    first, second = done.stdout.split()
    assert first == second


@pytest.mark.parametrize("at", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_server_in_the_guest_answers_at_the_hosts_localhost(
        slipway, bound, at):
    with contextlib.closing(slipway.guest()) as guest:
        with guest, Server(bound, web) as server:
            with slipway.scene.host:
                until(lambda: answers(at, server.port), 3)
                with socket.create_connection((at, server.port), 5) as s:
                    s.sendall(b"GET /here HTTP/1.0\r\n\r\n")
                    page = s.makefile("rb").read()
    assert b"you asked for /here" in page


@pytest.mark.parametrize("at", ["127.0.0.1", "::1"])
def test_it_answers_within_50_ms_and_no_longer_than_50_ms(root, at):
    began, ended = [], []
    with contextlib.closing(root.guest()) as guest:
        for _ in range(5):
            with guest:
                s = listener("0.0.0.0")
            port = s.getsockname()[1]
            began.append(seconds_until(lambda: answers(at, port)))
            s.close()
            ended.append(seconds_until(lambda: not answers(at, port)))
    assert statistics.median(began) < 0.05, began
    assert statistics.median(ended) < 0.05, ended


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_server_on_the_host_answers_in_the_guest(slipway, bound):
    with Server(bound, web) as server:
        done = slipway("run", "sh", "-c", "curl -s --max-time 5 "
                       f"http://$WSL2_HOST_IP:{server.port}/hello")
    assert done.stdout == "you asked for /hello\n"


def test_a_server_on_the_host_answers_in_the_guest_by_ipv6(slipway):
    with Server("::1", web) as server:
        done = slipway(
            "run", "sh", "-c",
            "gw=$(ip -6 route | awk '/^default/ {print $3}');"
            f"curl -sg --max-time 5 http://[$gw]:{server.port}/six")
    assert done.stdout == "you asked for /six\n"


def test_the_internet_answers_by_ipv4_and_ipv6(slipway, world):
    done = slipway("run", "sh", "-c", f"curl -s http://{WORLD4}/four;"
                   f"curl -sg http://[{WORLD6}]/six")
    assert done.stdout == "you asked for /four\nyou asked for /six\n"


def test_the_internet_sees_the_hosts_address(slipway):
    with slipway.scene.world:
        waiting = listener(WORLD4)
    port = waiting.getsockname()[1]
    done = slipway("run", "/usr/bin/python3", "-c", "import socket;"
                   f"socket.create_connection(('{WORLD4}', {port}), 5)")
    assert done.returncode == 0, done.stderr
    conn, peer = waiting.accept()
    conn.close()
    waiting.close()
    assert peer[0] == HOST4


def test_names_resolve(slipway, world):
    done = slipway("run", "curl", "-s", "http://web.test/by-name")
    assert done.stdout == "you asked for /by-name\n"


@pytest.mark.parametrize("name", ["host.slipway.internal",
                                  "host.docker.internal",
                                  "host.containers.internal",
                                  "host.wsl.internal"])
def test_the_host_has_a_name(root, world, name):
    done = root("run", "sh", "-c",
                f"getent ahostsv4 {name} | awk '{{print $1; exit}}';"
                "echo $WSL2_HOST_IP")
    by_name, by_variable = done.stdout.split()
    assert by_name == by_variable


def test_ping_works(slipway, world):
    done = slipway("run", "sh", "-c", f"ping -c1 -W2 {WORLD4} && "
                   f"ping -c1 -W2 {WORLD6} && ping -c1 -W2 $WSL2_HOST_IP")
    assert done.returncode == 0, done.stdout + done.stderr


def test_low_ports_may_be_bound(slipway):
    done = slipway("run", "/usr/bin/python3", "-c",
                   "import socket; socket.socket().bind(('', 80))")
    assert done.returncode == 0, done.stderr


def test_the_address_is_the_same_after_a_restart(slipway):
    seen = set()
    for _ in range(2):
        with contextlib.closing(slipway.guest(name="same")) as guest:
            mac = guest.sh("cat /sys/class/net/eth0/address; "
                           "ip -o link show eth0").stdout.split("ether")[1]
            seen.add((guest.address4, guest.address6, guest.gateway4,
                      guest.gateway6, mac.split()[0]))
        slipway.gone()
    assert len(seen) == 1


def test_the_address_is_the_same_after_everything_was_killed(slipway):
    seen = set()
    for _ in range(2):
        guest = slipway.guest(name="same")
        seen.add((guest.address4, guest.address6, guest.gateway4))
        kill_all(processes())
        guest.front.wait(5)
        os.close(guest.fd)
        slipway.gone()
    assert len(seen) == 1


def test_a_vpn_over_the_subnet_changes_no_address(slipway):
    """A route that covers everything, as VPNs make: 0/1 and 128/1."""
    with contextlib.closing(slipway.guest(name="vpn")) as guest:
        before = guest.address4
    sh(f"ip route add 0.0.0.0/1 via {WORLD4};"
       f"ip route add 128.0.0.0/1 via {WORLD4}")
    try:
        with contextlib.closing(slipway.guest(name="vpn")) as guest:
            assert guest.address4 == before
    finally:
        sh("ip route del 0.0.0.0/1; ip route del 128.0.0.0/1")


def test_a_port_that_the_host_uses_is_not_stolen(root):
    with Server("127.0.0.1", web) as server, \
            contextlib.closing(root.guest(name="second")) as guest:
        with guest:
            taken = listener("0.0.0.0", server.port)
            free = listener("0.0.0.0")
        until(lambda: answers("127.0.0.1", free.getsockname()[1]), 3)
        with socket.create_connection(("127.0.0.1", server.port), 5) as s:
            s.sendall(b"GET /mine HTTP/1.0\r\n\r\n")
            assert b"/mine" in s.makefile("rb").read()
        assert str(server.port) in root("status").stdout
        taken.close()
        free.close()


def test_the_vpns_dns_server_is_used_at_once(root, world):
    scene = root.scene
    with scene.world:
        vpn = Dns("198.51.100.1", names={"office.test": "10.9.8.7"})
    with vpn, contextlib.closing(root.guest(name="dns")) as guest:
        scene.resolver("198.51.100.1")
        try:
            until(lambda: "10.9.8.7" in guest.sh(
                f"dig +short +time=1 +tries=1 @{guest.gateway4} office.test"
            ).stdout, 3, "the new resolver", pause=0.05)
        finally:
            scene.resolver(WORLD4)


def test_stopping_it_leaves_nothing(slipway):
    guest = Guest(slipway, name="gone")
    assert guest.end() == 0
    slipway.gone()
    os.close(guest.fd)
