# SPDX-License-Identifier: MIT
"""
Slipway where it may make no namespaces: its guest is a virtual machine.

As in a plain container. There is no scene: the host is the machine as it is,
of which no more is used than its loopback. Where there are namespaces this is
run by test_confined.py.
"""

import hashlib
import os
import re
import shutil
import socket
import time
import urllib.request

import pytest

from conftest import IN_SCENE
from servers import Server, web
from test_vm import ASIDE, Served

pytestmark = [
    pytest.mark.plain,
    pytest.mark.skipif(IN_SCENE, reason="test_confined.py runs it"),
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"),
                       reason="there is no qemu-system-x86_64"),
    pytest.mark.skipif(not os.path.exists(ASIDE + "/initramfs.gz"),
                       reason="there is no kernel for a virtual machine"),
]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def ports():
    """Of the machine's web server on localhost, and published."""
    return free_port(), free_port()


@pytest.fixture(scope="module")
def served(root, ports, tmp_path_factory):
    here, beyond = ports
    home = tmp_path_factory.mktemp("vm")
    settings = home / "slipway.conf"
    settings.write_text("[firewall]\nblockAction = refuse\n"
                        "log = off\n")
    s = Served(root, home, "confined", "--config", settings,
               "--localhost", here, "-p", f"{beyond}:{here}",
               "--host-access", "gateway",
               link="vhost-user")
    s.sh(f"httpd -h /www -p {here}")
    yield s
    s.close()


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_its_guest_has_an_address_and_a_way_out(served):
    lease = served.sh("cat /lease")[1].split()
    status = served.slipway.status()[0]
    assert status["name"] == "confined"
    assert status["guest"]["ipv4"] == lease[0]
    assert status["gateway"]["ipv4"] == lease[2]
    assert served.sh("ip route")[1].startswith(f"default via {lease[2]} ")
    assert served.sh(f"ping -c1 -W3 {lease[2]}")[0] == 0


def test_names_are_resolved(served):
    gateway = served.sh("cat /lease")[1].split()[2]
    assert gateway in served.sh("nslookup host.slipway.internal")[1]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_guest_reaches_the_host(served, address):
    with Server(address, web) as server:
        status, said = served.sh("wget -q -O - http://host.slipway.internal:"
                                 f"{server.port}/host")
    assert (status, said) == (0, "you asked for /host\n")


def test_the_host_reaches_the_guest_at_localhost(served, ports):
    for host in ("127.0.0.1", "[::1]"):
        assert get(f"http://{host}:{ports[0]}/hello") == "from the machine\n"


def test_what_is_published_is_reached(served, ports):
    assert get(f"http://127.0.0.1:{ports[1]}/hello") == "from the machine\n"
    assert str(ports[1]) in served.slipway("ports").stdout


def test_both_ways_carry_much_unharmed(served, ports):
    data = os.urandom(4 << 20)

    def give(conn):
        conn.sendall(data)
    with Server("127.0.0.1", give) as server:
        said = served.sh(f"nc host.slipway.internal {server.port} >/www/big;"
                         "sha256sum </www/big")[1]
    assert said.split()[0] == hashlib.sha256(data).hexdigest()
    with urllib.request.urlopen(
            f"http://127.0.0.1:{ports[0]}/big", timeout=30) as answer:
        assert answer.read() == data


def test_a_rule_acts_and_why_names_it(served):
    gateway = served.sh("cat /lease")[1].split()[2]

    def firewall(verb, *words):
        done = served.slipway("firewall", verb, "--name", "confined", *words)
        assert done.returncode == 0, done.stderr

    with Server("127.0.0.1", web) as server:
        fetch = f"wget -q -O - http://{gateway}:{server.port}/"
        assert served.sh(fetch) == (0, "you asked for /\n")
        firewall("add", "name=shut", "action=block", "direction=in",
                 "protocol=tcp", f"localPort={server.port}")
        said = served.slipway("why", "--name", "confined", "tcp", "guest",
                              f"host:{server.port}")
        assert said.returncode == 1 and "shut" in said.stdout
        status, said = served.sh(f"{fetch} 2>&1")
        assert status == 1 and "refused" in said
        firewall("delete", "shut")
        assert served.sh(fetch)[0] == 0


def test_slipway_may_be_started_anew(served, ports):
    """New connections work within 2 s, of which QEMU waits 1 s."""
    before = served.slipway.status()[0]["guest"]
    served.kill()
    began = time.monotonic()
    served.start()
    gateway = served.slipway.status()[0]["gateway"]["ipv4"]
    served.sh(f"ping -i 0.1 -w 10 {gateway} | head -n 2")
    assert get(f"http://127.0.0.1:{ports[0]}/hello") == "from the machine\n"
    assert time.monotonic() - began < 2
    assert served.slipway.status()[0]["guest"] == before


def test_a_namespace_is_asked_for_in_vain(served):
    done = served.slipway("run", "true")
    assert done.returncode == 125
    assert re.match(r"slipway: .+: .+; .+", done.stderr), done.stderr


def test_doctor_knows_what_is_missing(served):
    said = served.slipway("doctor").stdout
    assert re.search(r"^  BROKEN  /dev/net/tun", said, re.M), said
