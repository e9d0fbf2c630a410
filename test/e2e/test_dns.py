# SPDX-License-Identifier: MIT
"""The gateway's DNS, asked by a guest, before servers of every kind."""

import contextlib
import os
import socket
import struct
import time

import pytest

from scene import FAR4, HOST4, SILENT4, WORLD4, need, sh, until
from servers import Dns


@contextlib.contextmanager
def resolvers(scene, *addresses):
    """The host's, for a while."""
    scene.resolver(*addresses)
    try:
        yield
    finally:
        scene.resolver(WORLD4)


def query(name, number, qtype=1):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return (struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels +
            b"\0" + struct.pack("!2H", qtype, 1))


def rcode(answer):
    return answer[3] & 15


def dig(guest, *words):
    return guest.sh(" ".join(("dig +time=8 +tries=1",
                              f"@{guest.gateway4}") + words))


@pytest.mark.smoke
@pytest.mark.parametrize("how", ["+notcp", "+tcp", "+notcp +edns=0",
                                 "+noedns"])
def test_dns(guest, world, how):
    need("dig")
    assert FAR4 in dig(guest, how, "+short", "web.test").stdout


def test_dns_by_ipv6(guest, world):
    done = guest.sh(f"dig +short @{guest.gateway6} web.test")
    assert FAR4 in done.stdout


def test_a_big_answer_comes_by_tcp(guest, world):
    text = dig(guest, "+noedns", "big.test", "TXT").stdout
    assert "ANSWER: 1" in text and "(TCP)" in text or "Truncated" in text


def test_a_name_that_is_not_there(guest, world):
    assert "NXDOMAIN" in dig(guest, "nothing.test").stdout


@pytest.mark.smoke
@pytest.mark.parametrize("how", ["+notcp", "+tcp"])
def test_a_silent_resolver_is_servfail(guest, world, how):
    world.dns.mode = "silent"
    try:
        assert "SERVFAIL" in dig(guest, how, "slow.test").stdout
    finally:
        world.dns.mode = "answer"


def test_servfail_is_servfail(guest, world):
    world.dns.mode = "servfail"
    try:
        assert "SERVFAIL" in dig(guest, "broken.test").stdout
    finally:
        world.dns.mode = "answer"


def test_no_resolver_at_all_is_servfail(root, scene):
    scene.resolver()
    try:
        with contextlib.closing(root.guest()) as guest:
            assert "SERVFAIL" in dig(guest, "web.test").stdout
    finally:
        scene.resolver(WORLD4)


def test_an_answer_is_kept_and_grows_old(guest, world):
    before = world.dns.asked.count("kept.test")
    world.dns.names["kept.test"] = "192.0.2.99"
    first = dig(guest, "+noall +answer", "kept.test").stdout.split()
    seconds = [int(first[1])]
    until(lambda: seconds.append(int(dig(
        guest, "+noall +answer", "KEPT.test").stdout.split()[1])) or
        seconds[-1] < seconds[0], 5, "an older answer", pause=0.1)
    assert first[-1] == "192.0.2.99"
    assert seconds == sorted(seconds, reverse=True)
    assert world.dns.asked.count("kept.test") == before + 1


def test_that_there_is_nothing_is_not_kept_without_soa(guest, world):
    for _ in range(2):
        assert "NXDOMAIN" in dig(guest, "later.test").stdout
    assert world.dns.asked.count("later.test") == 2


def test_questions_at_once_are_one(guest, world):
    """Fifty for one name, before it is answered: one query."""
    world.dns.names["same.test"] = "192.0.2.98"
    world.dns.delay = 0.3
    try:
        with guest, contextlib.ExitStack() as stack:
            socks = [stack.enter_context(
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                for _ in range(50)]
            for i, s in enumerate(socks):
                s.settimeout(5)
                s.sendto(query("same.test" if i % 2 else "SAME.test", i),
                         (guest.gateway4, 53))
            answers = [s.recv(2000) for s in socks]
    finally:
        world.dns.delay = 0
    for i, answer in enumerate(answers):
        assert answer[:2] == struct.pack("!H", i)
        assert answer[13:17] == (b"same" if i % 2 else b"SAME")
        assert answer[-4:] == socket.inet_aton("192.0.2.98")
    assert world.dns.asked.count("same.test") == 1


def test_a_thousand_in_flight(guest, world):
    """All are with the server before it answers the first."""
    # The played server holds them all in its buffer, where it may be so big.
    room = world.dns.udp.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    count = 1000 if room >= 2 << 20 else 200
    names = [f"n{i}.many.test" for i in range(count)]
    world.dns.names |= {name: f"10.0.{i >> 8}.{i & 255}"
                        for i, name in enumerate(names)}
    answers = {}
    world.dns.hold(len(names))
    with guest, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.settimeout(8)
        for i, name in enumerate(names):
            s.sendto(query(name, i), (guest.gateway4, 53))
        while len(answers) < len(names):
            data = s.recv(2000)
            answers[struct.unpack("!H", data[:2])[0]] = data
    for i, name in enumerate(names):
        assert rcode(answers[i]) == 0, name
        assert answers[i][-4:] == socket.inet_aton(world.dns.names[name])


def test_silent_resolvers_are_passed_by_in_time(root, scene, world):
    """The first two say nothing: the third answers within 2 s."""
    assert world
    with resolvers(scene, SILENT4, "203.0.113.130", WORLD4), \
            contextlib.closing(root.guest()) as guest:
        began = time.monotonic()
        assert FAR4 in dig(guest, "+short", "web.test").stdout
        assert time.monotonic() - began < 2


def test_the_first_resolver_is_asked_first_again(root, scene, world):
    """A second one may not know what the first one knows."""
    with scene.world:
        first = Dns("198.51.100.1", names={"office.test": "10.9.8.7"})
    with first, resolvers(scene, "198.51.100.1", WORLD4), \
            contextlib.closing(root.guest()) as guest:
        first.mode = "silent"
        assert "NXDOMAIN" in dig(guest, "office.test").stdout
        first.mode = "answer"
        assert "10.9.8.7" in dig(guest, "office.test").stdout
    assert world.dns.asked.count("office.test") == 1


def test_a_resolver_that_is_not_there_is_told_at_once(root, scene, world):
    """Port unreachable and reset, all of them: SERVFAIL without waiting."""
    assert world
    with resolvers(scene, HOST4), \
            contextlib.closing(root.guest()) as guest:
        began = time.monotonic()
        assert "SERVFAIL" in dig(guest, "web.test").stdout
        assert time.monotonic() - began < 1


def test_a_resolver_that_folds_case_is_believed(root, scene, world):
    assert world
    with scene.world:
        server = Dns("198.51.100.1", names={"folded.test": "10.9.8.6"})
    server.folds = True
    with server, resolvers(scene, "198.51.100.1"), \
            contextlib.closing(root.guest()) as guest:
        assert "10.9.8.6" in dig(guest, "+short", "folded.test").stdout


def test_tcp_where_udp_is_blocked(root, scene, world):
    need("nft")
    assert world
    with scene.world:
        sh("nft add table ip blocked; nft 'add chain ip blocked c "
           "{ type filter hook input priority 0; }';"
           "nft add rule ip blocked c udp dport 53 drop")
    try:
        with contextlib.closing(root.guest()) as guest:
            for name in ("tcp1.test", "tcp2.test"):
                world.dns.names[name] = "192.0.2.97"
                began = time.monotonic()
                assert "192.0.2.97" in dig(guest, "+short", name).stdout
            assert time.monotonic() - began < 0.5, "it is remembered"
    finally:
        with scene.world:
            sh("nft delete table ip blocked")


@pytest.mark.smoke
def test_the_hosts_file_answers(root, guest):
    """Names of the host's /etc/hosts, by the gateway, as they change."""
    def short(*words):
        return dig(guest, "+short", *words).stdout.split()

    assert root
    with open("/etc/hosts") as f:
        before = f.read()
    with open("/etc/hosts.new", "w") as f:
        f.write(before + "192.0.2.44 Printer.lan printer\n"
                "2001:db8::44 printer\n127.0.1.1 ship\n")
    os.rename("/etc/hosts.new", "/etc/hosts")
    try:
        until(lambda: short("printer") == ["192.0.2.44"], 3, "the name")
        assert short("printer.LAN") == ["192.0.2.44"]
        assert short("printer", "AAAA") == ["2001:db8::44"]
        assert short("-x", "192.0.2.44") == ["printer.lan."]
        assert short("ship") == [], "the host's loopback is not the guest's"
    finally:
        with open("/etc/hosts", "w") as f:
            f.write(before)
    until(lambda: short("printer") == [], 3, "its end")


def test_status_counts_questions(root, guest, world):
    world.dns.names["counted.test"] = "192.0.2.96"
    before = root.status()[0]["questions"]
    for _ in range(3):
        dig(guest, "counted.test")
    after = root.status()[0]["questions"]
    assert after["asked"] == before["asked"] + 3
    assert after["from_cache"] == before["from_cache"] + 2
