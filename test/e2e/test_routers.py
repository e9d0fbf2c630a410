# SPDX-License-Identifier: MIT
"""Beyond the next router: hops, path MTU, and who says what of them."""

import contextlib
import json
import errno
import re
import socket
import struct

import pytest

from scene import (WORLD4, WORLD6, Netns, need, setup_namespace, sh,
                   unlimited_icmp)
from servers import UdpEcho, listener

NEAR4, BEYOND4 = "198.18.0.1", "198.18.0.2"     # RFC 2544
NEAR6, BEYOND6 = "2001:db8:b::1", "2001:db8:b::2"
NARROW = 1400                                   # the last link's MTU


@pytest.fixture(scope="module")
def beyond(scene):
    """One more network behind the world, by a narrower link."""
    with contextlib.closing(Netns()) as far:
        with far:
            setup_namespace()
            unlimited_icmp()
        with scene.world:
            sh(f"ip link add far0 mtu {NARROW} type veth peer name far1 "
               f"mtu {NARROW} netns {far.path()};"
               f"ip addr add {NEAR4}/24 dev far0;"
               f"ip -6 addr add {NEAR6}/64 dev far0 nodad;"
               "ip link set far0 up")
        with far:
            sh(f"ip addr add {BEYOND4}/24 dev far1;"
               f"ip -6 addr add {BEYOND6}/64 dev far1 nodad;"
               "ip link set far1 up;"
               f"ip route add default via {NEAR4};"
               f"ip -6 route add default via {NEAR6}")
            echoes = [UdpEcho(BEYOND4, 7), UdpEcho(BEYOND6, 7)]
        yield far
        for e in echoes:
            e.close()


def unreachables(guest):
    """How many ICMP errors the guest has got."""
    with guest, open("/proc/net/snmp") as f:
        rows = [line.split() for line in f if line.startswith("Icmp:")]
    return dict(zip(*rows))["InDestUnreachs"]


def hops(text):
    """The addresses that a traceroute found, in order."""
    found = re.findall(r"^ *\d+\??:? +([0-9a-f.:]+)", text, re.M)
    return [hop for i, hop in enumerate(found) if hop not in found[:i]]


@pytest.mark.parametrize("how", ["", "-I", "-T"], ids=["udp", "icmp", "tcp"])
def test_traceroute_finds_each_hop(guest, beyond, how):
    four = guest.sh(f"traceroute -n -q1 -w2 {how} {BEYOND4}")
    assert hops(four.stdout) == [guest.gateway4, WORLD4, BEYOND4], four
    six = guest.sh(f"traceroute -6 -n -q1 -w2 {how} {BEYOND6}")
    assert hops(six.stdout) == [guest.gateway6, WORLD6, BEYOND6], six


def test_traceroute_to_one_port_finds_each_hop(guest, beyond):
    four = guest.sh(f"traceroute -n -q1 -w2 -m6 -U -p 9 {BEYOND4}")
    assert hops(four.stdout) == [guest.gateway4, WORLD4, BEYOND4], four
    six = guest.sh(f"traceroute -6 -n -q1 -w2 -m6 -U -p 9 {BEYOND6}")
    assert hops(six.stdout) == [guest.gateway6, WORLD6, BEYOND6], six


def mtr(guest, address, how):
    """The report of mtr: its hops, none of which may have lost a probe."""
    need("mtr")
    done = guest.sh(f"mtr --json -n -c 3 -i 0.2 -G 1 -Z 1 {how} {address}")
    hubs = json.loads(done.stdout)["report"]["hubs"]
    assert all(h["Loss%"] == 0 for h in hubs), hubs
    return [h["host"] for h in hubs]


@pytest.mark.parametrize("how", ["", "--udp"], ids=["icmp", "udp"])
def test_mtr_sees_each_hop(guest, beyond, how):
    assert mtr(guest, BEYOND4, how) == [guest.gateway4, WORLD4, BEYOND4]
    assert mtr(guest, BEYOND6, how) == [guest.gateway6, WORLD6, BEYOND6]


@pytest.mark.parametrize("program", ["mtr", "traceroute"])
def test_a_trace_by_tcp_arrives(guest, beyond, program):
    for gateway, address in ((guest.gateway4, BEYOND4),
                             (guest.gateway6, BEYOND6)):
        if program == "mtr":
            found = mtr(guest, address, "--tcp --port 7")
        else:
            six = "-6" if ":" in address else ""
            found = hops(guest.sh(f"traceroute {six} -n -q1 -w2 -m6 -T -p 7 "
                                  f"{address}").stdout)
        assert found[0] == gateway and found[-1] == address, found


def test_tracepath_finds_the_path_mtu(guest, beyond):
    for address in (BEYOND4, BEYOND6):
        done = guest.sh(f"tracepath -n -m 5 {address}")
        assert f"pmtu {NARROW}" in done.stdout, done


@pytest.mark.parametrize("address, header", [(BEYOND4, 28), (BEYOND6, 48)])
def test_a_ping_too_big_is_told(guest, beyond, address, header):
    fits = guest.sh(f"ping -n -c1 -W2 -M do -s {NARROW - header} {address}")
    assert fits.returncode == 0, fits
    big = guest.sh(f"ping -n -c2 -i0.3 -W2 -M do -s {NARROW - header + 1} "
                   f"{address}")
    assert big.returncode == 1
    assert re.search(rf"mtu[ :=]+{NARROW}", big.stdout + big.stderr), big
    guest.sh("ip route flush cache; ip -6 route flush cache")
    again = guest.sh(f"ping -n -c1 -W2 -M do -s {NARROW - header + 1} "
                     f"{address}")
    assert again.returncode == 1, "the host knows it by now; it still may not"


@pytest.mark.parametrize("address", [BEYOND4, BEYOND6])
def test_a_reply_has_lost_a_hop_at_each_router(guest, beyond, address):
    done = guest.sh(f"ping -n -c1 -W2 {address}")
    assert "ttl=62 " in done.stdout, done       # the world, and the gateway


@pytest.mark.parametrize("address, family", [
    (BEYOND4, ""), (BEYOND6, "-6")])
def test_a_connection_outlives_an_unreachable(guest, scene, beyond, address,
                                              family):
    """RFC 1122 section 4.2.3.9: what a router says may pass."""
    with beyond, contextlib.closing(listener(address)) as waiting:
        port = waiting.getsockname()[1]
        with guest:
            near = socket.create_connection((address, port), 5)
        far, _ = waiting.accept()
    with near, far:
        far.settimeout(10)
        with scene.world:
            sh(f"ip {family} route add prohibit {address} table 101;"
               f"ip {family} rule add to {address} table 101 pref 10")
        before = unreachables(guest)
        try:
            near.sendall(b"in between")
            with pytest.raises(TimeoutError):
                near.settimeout(0.6)    # of retransmissions, each refused
                near.recv(1)
        finally:
            with scene.world:
                sh(f"ip {family} rule del to {address} table 101 pref 10;"
                   f"ip {family} route del prohibit {address} table 101")
        assert unreachables(guest) == before
        assert far.recv(100) == b"in between"
        near.settimeout(10)
        far.sendall(b"answer")
        assert near.recv(100) == b"answer"


@pytest.mark.parametrize("address, family", [
    (BEYOND4, socket.AF_INET), (BEYOND6, socket.AF_INET6)])
def test_datagrams_follow_the_path_mtu(guest, beyond, address, family):
    """The first one that is too big is lost, the next goes in pieces."""
    data = b"x" * 1440
    with guest, socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(0.5)
        s.connect((address, 7))
        for _ in range(4):
            s.send(data)
            with contextlib.suppress(OSError):
                assert s.recv(2000) == data
                return
    pytest.fail("no answer")


def udp_of(guest, address, level, option, value):
    """A connected socket of the guest's with one option."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with guest:
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(level, option, value)
        s.connect((address, 7))
    s.settimeout(5)
    return s


def test_what_may_be_cut_is_cut_by_the_router(guest, beyond):
    """Without DF the first one arrives, which no error has come before."""
    data = b"x" * 1472
    sh("ip route flush cache")
    with udp_of(guest, BEYOND4, 0, 10, 0) as s:     # IP_PMTUDISC_DONT
        s.send(data)
        assert s.recv(2000) == data


@pytest.mark.parametrize("address, level, option, probe, header", [
    (BEYOND4, 0, 10, 3, 28), (BEYOND6, 41, 23, 3, 48)])
def test_a_datagram_with_df_is_told_the_mtu(guest, beyond, address, level,
                                            option, probe, header):
    """As a QUIC stack probes: each that is too big, and no other."""
    with udp_of(guest, address, level, option, probe) as s:
        s.setsockopt(level, 25 if level else 11, 1)     # RECVERR
        for _ in range(3):
            s.send(b"x" * (1500 - header))
            with pytest.raises(OSError, match="Message too long"):
                s.recv(1)
            _, control, _, _ = s.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            assert struct.unpack_from("I", control[0][2], 8)[0] == NARROW
        s.send(b"x" * (NARROW - header))
        assert len(s.recv(2000)) == NARROW - header


@pytest.mark.parametrize("address, offender, family, level, option, word", [
    ("198.18.0.99", WORLD4, socket.AF_INET, socket.IPPROTO_IP, 11, (3, 13)),
    ("2001:db8:b::99", WORLD6, socket.AF_INET6, socket.IPPROTO_IPV6, 25,
     (1, 1))])
def test_a_router_that_forbids_is_heard(guest, scene, beyond, address,
                                        offender, family, level, option,
                                        word):
    """RECVERR of the guest's: type, code and router of a failed connect."""
    with scene.world:
        sh(f"ip route add prohibit {address}")
    try:
        with guest, socket.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(5)
            s.setsockopt(level, option, 1)
            with pytest.raises(OSError) as e:
                s.connect((address, 80))
            _, control, _, _ = s.recvmsg(0, 512, socket.MSG_ERRQUEUE)
    finally:
        with scene.world:
            sh(f"ip route del prohibit {address}")
    assert e.value.errno in (errno.EHOSTUNREACH, errno.EACCES)
    data = control[0][2]
    assert struct.unpack_from("BB", data, 5) == word
    at = slice(20, 24) if family == socket.AF_INET else slice(24, 40)
    assert socket.inet_ntop(family, data[at]) == offender
