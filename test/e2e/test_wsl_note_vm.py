# SPDX-License-Identifier: MIT
"""
The sentences of test_wsl_note.py, in a virtual machine that the agent is in.

What they say of restarts and kills, test_vm.py has; how soon a server answers,
test_agent.py.
"""

import contextlib
import json
import os
import socket
import subprocess

import pytest

from plug import Serve
from scene import HOST4, WORLD4, WORLD6, sh, until
from servers import Dns, Server, listener, web
from test_agent import initrd, pytestmark as needs      # noqa: F401
from test_vm import Served

pytestmark = [*needs, pytest.mark.patient]


def status(served):
    return json.loads(served.slipway("status", "--json", served.name).stdout)


@pytest.fixture(scope="module")
def served(root, world, tmp_path_factory, initrd):      # noqa: F811
    s = Served(root, tmp_path_factory.mktemp("wsl"), "wsl", "--localhost",
               "auto", "--host-access", "gateway", link="vhost-user",
               initrd=initrd)
    s.sh("slipway guest & :")
    until(lambda: "agent" in status(s), 10, "the agent", 0.05)
    until(lambda: "scope global dynamic" in s.sh("ip -6 addr")[1], 10,
          "an address", 0.2)
    until(lambda: "default via fe80::" in s.sh("ip -6 route")[1], 10,
          "a route", 0.2)
    yield s
    s.close()
    assert s.front.returncode == 0
    assert not os.path.exists(s.socket), "stopping it leaves nothing"


def inside(served, command):
    """What a command prints in the machine, as it does by exec."""
    done = served.slipway("exec", "wsl", "sh", "-c", command)
    assert done.returncode == 0, done
    return done.stdout


def fetch(url):
    return subprocess.run(["curl", "-sgm", "10", url], capture_output=True,
                          text=True).stdout


@contextlib.contextmanager
def serving(served, at, port):
    served.sh(f"httpd -f -h /www -p {at}:{port} & echo $! >/server")
    yield
    served.sh("kill $(cat /server)")


def forwards(served):
    return {f["port"] for f in status(served)["forwards"]}


def test_the_default_route_is_the_host(served):
    gateway = status(served)["gateway"]["ipv4"]
    assert gateway.startswith("172.")
    assert f"default via {gateway} " in inside(served, "ip route")
    assert inside(served, "slipway host-ip") == gateway + "\n"


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "[::1]", "[::]"])
def test_a_server_in_the_guest_answers_at_the_hosts_localhost(served, bound):
    with serving(served, bound, 8101):
        until(lambda: 8101 in forwards(served), 5, "the port", 0.02)
        for at in ("127.0.0.1", "[::1]"):
            assert fetch(f"http://{at}:8101/hello") == "from the machine\n"
    until(lambda: 8101 not in forwards(served), 5, "its end", 0.02)


@pytest.mark.parametrize("bound", ["127.0.0.1", "0.0.0.0", "::1"])
def test_a_server_on_the_host_answers_in_the_guest(served, bound):
    gateway = status(served)["gateway"]
    with Server(bound, web) as server:
        for at in (gateway["ipv4"], f"[{gateway['ipv6']}]"):
            assert inside(served, f"wget -q -O - http://{at}:{server.port}"
                          "/hello") == "you asked for /hello\n"


def test_the_internet_answers_by_ipv4_and_ipv6(served):
    assert inside(served, f"wget -q -O - http://{WORLD4}/four; "
                  f"wget -q -O - http://[{WORLD6}]/six") == \
        "you asked for /four\nyou asked for /six\n"


def test_the_internet_sees_the_hosts_address(served, scene):
    with scene.world:
        waiting = listener(WORLD4)
    with waiting:
        inside(served, f"nc {WORLD4} {waiting.getsockname()[1]} </dev/null "
               ">/dev/null 2>&1 &")
        conn, peer = waiting.accept()
        conn.close()
    assert peer[0] == HOST4


def test_names_resolve(served):
    assert inside(served, "wget -q -O - http://web.test/by-name") == \
        "you asked for /by-name\n"


@pytest.mark.parametrize("name", ["host.slipway.internal",
                                  "host.docker.internal",
                                  "host.containers.internal",
                                  "host.wsl.internal"])
def test_the_host_has_a_name(served, name):
    gateway = status(served)["gateway"]["ipv4"]
    assert f" ({gateway})" in inside(served, f"ping -4 -c1 -W3 {name}")


def test_ping_works(served):
    gateway = status(served)["gateway"]
    for address in (WORLD4, WORLD6, gateway["ipv4"], gateway["ipv6"]):
        inside(served, f"ping -c1 -W3 {address}")


def test_low_ports_may_be_bound(served):
    with serving(served, "0.0.0.0", 81):
        until(lambda: 81 in forwards(served), 5, "the port", 0.02)
        assert fetch("http://127.0.0.1:81/hello") == "from the machine\n"


def test_a_vpn_over_the_subnet_changes_no_address(served, root, tmp_path):
    """Routes that cover everything, as VPNs make: 0/1 and 128/1."""
    def address():
        with contextlib.closing(Serve(root, tmp_path, "over")) as over:
            return over.status()["guest"]["ipv4"]

    before = address()
    sh(f"ip route add 0.0.0.0/1 via {WORLD4};"
       f"ip route add 128.0.0.0/1 via {WORLD4}")
    try:
        assert address() == before
        assert inside(served, f"wget -q -O - http://{WORLD4}/by-vpn") == \
            "you asked for /by-vpn\n"
    finally:
        sh("ip route del 0.0.0.0/1; ip route del 128.0.0.0/1")


def test_a_port_that_the_host_uses_is_not_stolen(served):
    with Server("127.0.0.1", web) as server:
        with serving(served, "0.0.0.0", server.port):
            until(lambda: server.port in forwards(served), 5, "it", 0.02)
            assert fetch(f"http://127.0.0.1:{server.port}/mine") == \
                "you asked for /mine\n"
            assert f"{server.port}" in served.slipway("status", "wsl").stdout


def test_the_vpns_dns_server_is_used_at_once(served, scene):
    with scene.world:
        vpn = Dns("198.51.100.1", names={"office.test": "10.9.8.7"})
    with vpn:
        scene.resolver("198.51.100.1")
        try:
            until(lambda: "10.9.8.7" in served.sh("nslookup office.test")[1],
                  3, "the new resolver", pause=0.05)
        finally:
            scene.resolver(WORLD4)
