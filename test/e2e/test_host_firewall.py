# SPDX-License-Identifier: MIT
"""A firewall of the host that is in the way of what is published is named."""

import contextlib
import json
import os
import re
import socket
import subprocess

import pytest

from scene import HOST4, HOST6, need, sh, until
from servers import Server, datagram, echo

DROPS = """
table inet filter {
    chain input {
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept }
        iif lo accept
        meta l4proto { icmp, ipv6-icmp } accept
        tcp dport { 22, 8010-8019 } accept
    }
}
"""
SAYS = re.compile(r"slipway: (\S+) is published, but the host's firewall "
                  r"drops it( over IPv[46])?: (.*); (.*)\n")


@pytest.fixture
def firewall(scene):
    need("nft")

    def load(rules):
        sh("nft -f -", input=rules)
    yield load
    sh("nft flush ruleset")


@pytest.fixture
def guest(root):
    with contextlib.closing(root.guest(name="lan")) as g:
        yield g


def known(guest, *ports):
    """
    Slipway has noticed what listens: localhost leads to the same family
    (to the other, where there is no listener of its own).
    """
    rows = [re.compile(re.escape(p) + (r" +\[" if "::" in p else r" +\d"))
            for p in ports]
    until(lambda: all(r.search(guest.slipway("ports").stdout) for r in rows),
          3, f"{ports} to be known")


@contextlib.contextmanager
def serving(guest, *addresses):
    with contextlib.ExitStack() as stack:
        with guest:
            servers = [Server(a, echo, 80) for a in addresses]
        for server in servers:
            stack.enter_context(server)
        known(guest, *("[::1]:80" if ":" in a else "127.0.0.1:80"
                       for a in addresses))
        yield


def reached(scene, address, port, seconds):
    """Does the world get a connection, and an answer, within that time?"""
    with scene.world, contextlib.suppress(TimeoutError,
                                          ConnectionRefusedError):
        with socket.create_connection((address, port), seconds) as s:
            s.sendall(b"ahoy")
            return s.recv(4) == b"ahoy"
    return False


def warnings(root, name="lan"):
    return next(s for s in root.status() if s["name"] == name)["warnings"]


def test_who_drops_it_and_what_opens_it(root, guest, scene, firewall):
    firewall(DROPS)
    with serving(guest, "0.0.0.0", "::"):
        done = root("publish", "--once", "lan", "8080:80")
        assert done.returncode == 0, done.stderr
        assert "0.0.0.0:8080 -> " in done.stdout
        told = SAYS.fullmatch(done.stderr)
        assert told, done.stderr
        port, family, who, command = told.groups()
        assert port == "8080" and not family
        assert who == ("nftables (table inet filter, chain input, "
                       "policy drop)")
        for address in HOST4, HOST6:
            assert not reached(scene, address, 8080, 0.3)

        line = f"{who}; {command}"
        assert any(line in w for w in warnings(root))
        assert "\nlan: 8080 is published, but " in root("ports").stdout
        assert "\nlan: 8080 is published, but " in root("status").stdout
        assert line in root("status", "lan").stdout

        sh(command)
        for address in HOST4, HOST6:
            assert reached(scene, address, 8080, 5)
        again = root("publish", "--once", "lan", "8080:80")
        assert (again.returncode, again.stderr) == (0, "")
        assert not any("firewall" in w for w in warnings(root))
        assert "firewall" not in root("ports").stdout


def test_an_open_port_and_localhost_say_nothing(root, guest, firewall):
    firewall(DROPS)
    with serving(guest, "0.0.0.0"):
        done = root("publish", "--once", "lan", "8011:80", "127.0.0.1:8081:80")
        assert (done.returncode, done.stderr) == (0, "")
    waits = root("publish", "--once", "lan", "8082:82")
    assert (waits.returncode, waits.stderr) == (0, ""), "nothing is open yet"


def test_one_family_and_one_rule(root, guest, scene, firewall):
    firewall("""table ip6 filter {
        chain INPUT {
            type filter hook input priority filter;
            tcp dport 8080 counter reject with tcp reset
        }
    }""")
    rules = json.loads(sh("nft -j list ruleset"))["nftables"]
    handle = next(r["rule"]["handle"] for r in rules if "rule" in r)
    with serving(guest, "0.0.0.0", "::"):
        done = root("publish", "--once", "lan", "8080:80")
        assert SAYS.fullmatch(done.stderr).groups() == (
            "8080", " over IPv6", f"iptables (table ip6 filter, chain INPUT, "
            f"rule {handle})", "ip6tables -I INPUT -p tcp --dport 8080 -j "
            "ACCEPT")
        assert reached(scene, HOST4, 8080, 5)
        assert not reached(scene, HOST6, 8080, 0.3)


def test_udp(root, guest, firewall):
    firewall(DROPS)
    with guest:
        server = datagram("0.0.0.0", 53)
    with contextlib.closing(server):
        known(guest, "127.0.0.1:53/udp")
        done = root("publish", "--once", "lan", "5300:53/udp")
        port, _, _, command = SAYS.fullmatch(done.stderr).groups()
        assert port == "5300/udp"
        assert command == "nft insert rule inet filter input udp dport 5300 " \
            "accept"
        sh(command)
        assert root("publish", "--once", "lan", "5300:53/udp").stderr == ""


def test_a_user_learns_what_may_be(user, firewall):
    """Who may not ask nft; ufw tells everybody that it is on."""
    firewall(DROPS)
    with contextlib.closing(user.guest(name="mine")) as guest:
        with serving(guest, "0.0.0.0"):
            done = user("publish", "--once", "mine", "8080:80")
            assert (done.returncode, done.stderr) == (0, "")
            os.makedirs("/etc/ufw", exist_ok=True)
            with open("/etc/ufw/ufw.conf", "w") as f:
                f.write("# /etc/ufw/ufw.conf\nENABLED=yes\nLOGLEVEL=low\n")
            try:
                done = user("publish", "--once", "mine", "8080:80")
                assert "may drop it" in done.stderr, done.stderr
                assert done.stderr.endswith("; sudo ufw allow 8080/tcp\n")
                assert any("ufw" in w for w in warnings(user, "mine"))
            finally:
                os.remove("/etc/ufw/ufw.conf")
            assert not any("ufw" in w for w in warnings(user, "mine"))


@pytest.mark.parametrize("program", [
    "#!/bin/sh\nexec sleep 599\n",
    "#!/bin/sh\nexec yes '{'\n",
    "#!/bin/sh\necho '{\"nftables\": 1}'\n",
    "#!/bin/sh\nexit 1\n",
    None,
], ids=["hangs", "floods", "is odd", "fails", "is not there"])
def test_an_nft_that_does_not_answer(root, guest, program, tmp_path):
    """What stands in its place is of the scene alone."""
    need("nft")
    at = sh("command -v nft").strip()
    fake = tmp_path / "nft"
    fake.write_text(program or "")
    fake.chmod(0o755 if program else 0o644)
    sh(f"mount --bind {fake} {os.path.realpath(at)}")
    try:
        with serving(guest, "0.0.0.0"):
            done = root("publish", "--once", "lan", "8080:80", timeout=8)
            assert (done.returncode, done.stderr) == (0, "")
            assert not any("firewall" in w for w in warnings(root))
    finally:
        sh(f"umount {os.path.realpath(at)}")
    left = subprocess.run(["pgrep", "-fx", "sleep 599|yes {"],
                          capture_output=True, text=True)
    assert left.stdout == ""
