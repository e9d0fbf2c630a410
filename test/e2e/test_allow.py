# SPDX-License-Identifier: MIT
"""
Egress by name: what --allow names can be reached, and nothing else.

The world has a DNS server that keeps every question it sees, and servers
that count who gets through.
"""

import contextlib
import json
import re
import select
import socket
import struct

import pytest

from scene import (FAR4, FAR6, HOST4, HOST6, WORLD4, WORLD6, mac_of, need,
                   processes, sh, sysctl, until)
from servers import Dns, Server, echo, web
from test_control import curl as curl_ctl
from test_dns import rcode, resolvers
from test_firewall_calls import forget, post
from test_host_access import checksum

scapy = pytest.importorskip("scapy.all")
import variants                                         # noqa: E402

pytestmark = pytest.mark.patient

A, CNAME, PTR, TXT, AAAA, HTTPS, ANY = 1, 5, 12, 16, 28, 65, 255
ETH_P_ALL = 3
PRIVATE4, PRIVATE6 = "10.9.9.9", "fd99::9"      # of the world's, all the same
CGNAT4, NAT64 = "100.64.9.9", "64:ff9b::a09:909"
REFUSED = 5
ALLOWED = "*.ok.test,only.test"


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode()
                    for label in name.split(".") if label) + b"\0"


def data_of(kind, text):
    if kind == CNAME:
        return encode(text)
    if kind == TXT:
        return bytes([len(text)]) + text.encode()
    if kind == HTTPS:               # priority 1, ".", ipv4hint
        return b"\0\1\0\0\4\0\4" + socket.inet_aton(text)
    family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
    return socket.inet_pton(family, text)


class Zone(Dns):
    """Answers with all that a name has, its aliases followed."""

    def __init__(self, address, zone):
        self.zone, self.bytes_seen = zone, b""
        super().__init__(address)

    def answer(self, query, limit=65535):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        name = ".".join(labels).lower()
        kind, question = query[at + 1] << 8 | query[at + 2], query[12:at + 5]
        self.asked.append(name)
        self.bytes_seen += query
        records, here = [], name
        while True:
            own = self.zone.get(here, [])
            records += [(here, k, v) for k, v in own if k in (kind, CNAME)]
            here = next((v for k, v in own if k == CNAME), None)
            if not here:
                break
        body = b"".join(
            encode(owner) + struct.pack("!HHIH", k, 1, 1, len(data))
            + data for owner, k, data in
            ((o, k, data_of(k, v)) for o, k, v in records))
        known = name in self.zone
        return query[:2] + struct.pack("!5H", 0x8180 if known else 0x8183, 1,
                                       len(records), 0, 0) + question + body


@pytest.fixture(scope="module")
def far(scene, world):
    """Addresses of the world's that look like somebody's own."""
    with scene.world:
        sh(f"ip addr add {PRIVATE4}/32 dev lo; ip addr add {CGNAT4}/32 dev lo;"
           f"ip -6 addr add {PRIVATE6}/128 dev lo nodad;"
           f"ip -6 addr add {NAT64}/128 dev lo nodad")
        servers = [Server(a, web, 80) for a in (PRIVATE4, PRIVATE6, CGNAT4,
                                                NAT64)]
    sh(f"ip -6 route add fd99::/64 via {WORLD6}")
    yield
    for s in servers:
        s.close()
    sh("ip -6 route del fd99::/64")
    with scene.world:
        sh(f"ip addr del {PRIVATE4}/32 dev lo; ip addr del {CGNAT4}/32 dev lo;"
           f"ip -6 addr del {PRIVATE6}/128 dev lo;"
           f"ip -6 addr del {NAT64}/128 dev lo")


@pytest.fixture(scope="module")
def zone(scene, far):
    """The host's resolver, with names of every kind."""
    both = [(A, FAR4), (AAAA, FAR6)]
    with scene.world:
        dns = Zone(FAR4, {
            "www.ok.test": both, "only.test": both, "other.test": both,
            "ok.test": both, "cdn.ok.test": [(CNAME, "edge.cdn.test")],
            "edge.cdn.test": [(CNAME, "node.cdn.test")],
            "node.cdn.test": both,
            "hint.ok.test": [(HTTPS, WORLD4), (TXT, WORLD4)],
        })
    with dns, resolvers(scene, FAR4):
        yield dns


@pytest.fixture(scope="module")
def sandbox(root, zone):
    """A guest that may reach the allowed names and nothing else."""
    with contextlib.closing(root.guest("--allow", ALLOWED)) as g:
        # What is blocked first starts the process that keeps the log.
        assert rcode(ask(g, "first.evil.test")) == REFUSED
        until(lambda: "slipway-log" in processes().values(), 5, "the log")
        yield g


def ask(guest, name, kind=A, to=None, flags=0x0100, tail=b"", counts=None):
    """One question by UDP; the answer."""
    head = struct.pack("!6H", 77, flags, *(counts or (1, 0, 0, 0)))
    message = head + encode(name) + struct.pack("!2H", kind, 1) + tail
    to = to or guest.gateway4
    with guest, socket.socket(socket.AF_INET6 if ":" in to else
                              socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(8 if to == guest.gateway4 else 1)
        s.connect((to, 53))
        s.send(message)
        return s.recv(4096)


def reaches(guest, address, port=80, seconds=2):
    """Does a connection come about?"""
    with guest, contextlib.suppress(OSError), socket.create_connection(
            (address, port), seconds):
        return True
    return False


def curl(slipway, allow, *words):
    return slipway("run", "-q", "--allow", allow, "curl", "-sS", "-m", "5",
                   *words)


# ---- what is allowed ----

@pytest.mark.smoke
@pytest.mark.parametrize("family", ["-4", "-6"])
@pytest.mark.parametrize("name", ["www.ok.test", "WwW.oK.test", "only.test",
                                  "cdn.ok.test", "www.ok.test."])
def test_an_allowed_name(slipway, zone, name, family):
    """By its own addresses, or by those of what it is an alias of."""
    need("curl")
    done = curl(slipway, ALLOWED, family, f"http://{name}/x")
    assert done.stdout == "you asked for /x\n", done.stderr


def test_a_pattern_is_not_its_own_domain(slipway, zone):
    done = curl(slipway, "*.ok.test", "http://ok.test/")
    assert done.returncode == 6, done.stderr    # not resolved
    assert "ok.test" not in zone.asked


@pytest.mark.smoke
def test_a_prefix_and_an_address(slipway, zone):
    allow = f"10.0.0.0/8,{FAR6},only.test"
    for address in (PRIVATE4, f"[{FAR6}]"):
        done = curl(slipway, allow, f"http://{address}/x")
        assert done.stdout == "you asked for /x\n", done.stderr
    for address in (WORLD4, f"[{WORLD6}]", CGNAT4):
        assert curl(slipway, allow, f"http://{address}/").returncode
    done = curl(slipway, allow, "http://other.test/")
    assert done.returncode == 6, done.stderr


def test_udp_and_echo_by_name(sandbox, zone):
    """What holds for TCP does for the others."""
    for command in (f"ping -c1 -W1 {FAR4}", f"ping -c1 -W1 {FAR6}"):
        assert sandbox.sh(command).returncode
    assert not answers_udp(sandbox, FAR4)
    assert FAR4.encode() and ask(sandbox, "www.ok.test")
    ask(sandbox, "www.ok.test", AAAA)
    for command in (f"ping -c1 -W1 {FAR4}", f"ping -c1 -W1 {FAR6}"):
        assert sandbox.sh(command).returncode == 0
    assert answers_udp(sandbox, FAR4) and answers_udp(sandbox, FAR6)
    assert not answers_udp(sandbox, WORLD4)


def answers_udp(guest, address, port=7):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with guest, socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        with contextlib.suppress(OSError):
            s.connect((address, port))
            s.send(b"x")
            return s.recv(1) == b"x"
    return False


def test_a_socket_that_may_speak_to_one_may_not_to_another(sandbox, zone):
    """UDP has one socket of the host's for each port of the guest's."""
    ask(sandbox, "www.ok.test")
    ask(sandbox, "www.ok.test", AAAA)
    for family, good, others in (
            (socket.AF_INET, FAR4, (WORLD4, PRIVATE4, HOST4)),
            (socket.AF_INET6, FAR6, (WORLD6, PRIVATE6, HOST6))):
        with sandbox, socket.socket(family, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            for other in others:
                s.sendto(b"no", (other, 7))
                s.sendto(b"yes", (good, 7))
                data, peer = s.recvfrom(100)
                assert (data, peer[0]) == (b"yes", good)


# ---- what is not ----

@pytest.mark.smoke
@pytest.mark.parametrize("address", [WORLD4, WORLD6, PRIVATE4, PRIVATE6,
                                     CGNAT4, "169.254.169.254"])
def test_a_hard_coded_address_stays_shut(sandbox, world, address):
    accepted = [s.accepted for s in world.web.values()]
    assert not reaches(sandbox, address)
    assert sandbox.sh(f"ping -c1 -W1 {address}").returncode
    assert not answers_udp(sandbox, address)
    assert [s.accepted for s in world.web.values()] == accepted


def test_before_its_name_is_asked_for_an_address_is_shut(root, zone):
    with contextlib.closing(root.guest("--allow", ALLOWED)) as guest:
        assert not reaches(guest, FAR4) and not reaches(guest, FAR6)
        ask(guest, "www.ok.test")
        assert reaches(guest, FAR4) and not reaches(guest, FAR6)
        ask(guest, "www.ok.test", AAAA)
        assert reaches(guest, FAR6)
        assert not reaches(guest, WORLD4)


def test_hints_open_nothing(sandbox, zone):
    """WORLD4 stands in answers, but not as an address."""
    assert socket.inet_aton(WORLD4) in ask(sandbox, "hint.ok.test", HTTPS)
    assert WORLD4.encode() in ask(sandbox, "hint.ok.test", TXT)
    assert not reaches(sandbox, WORLD4)


# What the resolver must not hear of: a name, a type, and how it is said.
SECRETS = [
    ("secret.evil.test", A), ("secret.evil.test", AAAA),
    ("secret.evil.test", TXT), ("secret.evil.test", HTTPS),
    ("secret.evil.test", ANY), ("secret.evil.test", 65280),
    ("SeCrEt.Evil.TeSt", A), ("www.ok.test.evil.test", A),
    ("ok.test", A), ("xok.test", A), ("www.ok.tes", A),
    ("www.only.test", A), ("only.test.evil", A), ("test", 2), ("", 2),
    ("1.113.0.203.in-addr.arpa", PTR), ("www.ok.test.in-addr.arpa", PTR),
    (".".join(["s" * 61] * 4), A), ("_x._tcp.evil.test", 33),
]


@pytest.mark.smoke
@pytest.mark.parametrize("name,kind", SECRETS)
def test_another_name_never_reaches_the_resolver(sandbox, zone, name, kind):
    before = len(zone.asked)
    assert rcode(ask(sandbox, name, kind)) == REFUSED
    with sandbox, socket.create_connection((sandbox.gateway4, 53), 5) as s:
        s.settimeout(8)
        message = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + encode(name) \
            + struct.pack("!2H", kind, 1)
        s.sendall(struct.pack("!H", len(message)) + message)
        assert rcode(s.recv(4096)[2:]) == REFUSED
    assert len(zone.asked) == before


def label_query(*labels, kind=A):
    """A question whose labels are any bytes."""
    return struct.pack("!6H", 9, 0x0100, 1, 0, 0, 0) + b"".join(
        bytes([len(label)]) + label for label in labels) + b"\0" + \
        struct.pack("!2H", kind, 1)


# Messages, and the answer's rcode, or None: none need come.
ODD = {
    "a dot in a label": (label_query(b"evil.ok.test"), REFUSED),
    "a dot before the rest": (label_query(b"evil.ok", b"test"), REFUSED),
    "NUL behind it": (label_query(b"www.ok.test\0", b"evil"), REFUSED),
    "NUL within": (label_query(b"evil\0", b"xk", b"test"), REFUSED),
    "a backslash": (label_query(b"evil\\046ok\\046test"), REFUSED),
    "a star": (label_query(b"*", b"evil"), REFUSED),
    "punycode": (label_query(b"xn--ok-test", b"test"), REFUSED),
    "UTF-8": (label_query("ök".encode(), b"test"), REFUSED),
    "the top bits": (label_query(b"w\xf7\xf7", b"\xefk", b"test"), REFUSED),
    "two questions": (struct.pack("!6H", 9, 0x0100, 2, 0, 0, 0)
                      + encode("www.ok.test") + b"\0\1\0\1"
                      + encode("secret.evil.test") + b"\0\1\0\1", 1),
    "no question": (struct.pack("!6H", 9, 0x0100, 0, 0, 0, 0)
                    + encode("secret.evil.test") + b"\0\1\0\1", 1),
    "in the answers": (struct.pack("!6H", 9, 0x0100, 0, 1, 0, 0)
                       + encode("secret.evil.test")
                       + b"\0\1\0\1\0\0\0\0\0\0", 1),
    "behind a question": (label_query(b"www", b"ok", b"test")
                          + b"secret.evil", REFUSED),
    "another record": (struct.pack("!6H", 9, 0x0100, 1, 0, 0, 1)
                       + encode("www.ok.test") + b"\0\1\0\1"
                       + encode("secret.evil.test")
                       + b"\0\1\0\1\0\0\0\0\0\0", REFUSED),
    "an update": (struct.pack("!6H", 9, 0x2900, 1, 0, 0, 0)
                  + encode("www.ok.test") + b"\0\6\0\1", 4),
    "a response": (struct.pack("!6H", 9, 0x8180, 1, 0, 0, 0)
                   + encode("secret.evil.test") + b"\0\1\0\1", None),
    "a pointer": (struct.pack("!6H", 9, 0x0100, 1, 0, 0, 0)
                  + b"\6secret\xc0\x14\0\1\0\1" + encode("ok.test"), 1),
    "an endless name": (struct.pack("!6H", 9, 0x0100, 1, 0, 0, 0)
                        + encode(".".join(["secretsecret"] * 30)
                                 + ".ok.test") + b"\0\1\0\1", 1),
}


@pytest.mark.parametrize("what", ODD)
def test_odd_questions_say_nothing(sandbox, zone, what):
    message, want = ODD[what]
    before, seen = len(zone.asked), zone.bytes_seen
    with sandbox, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(8)
        s.sendto(message, (sandbox.gateway4, 53))
        if want is None:                # and then one that is answered
            s.sendto(label_query(b"x", b"evil"), (sandbox.gateway4, 53))
            want = REFUSED
        assert rcode(s.recv(4096)) == want
    assert len(zone.asked) == before and zone.bytes_seen == seen


def test_a_question_says_the_name_alone(sandbox, zone):
    """Options of EDNS and the case of letters stay behind."""
    option = struct.pack("!2H", 65001, 6) + b"secret"
    tail = b"\0" + struct.pack("!2HIH", 41, 1232, 0, len(option)) + option
    assert rcode(ask(sandbox, "a1.ok.test", tail=tail,
                     counts=(1, 0, 0, 1))) == 3
    assert "a1.ok.test" in zone.asked and b"secret" not in zone.bytes_seen


def test_the_reason_is_told(sandbox, zone):
    need("dig")
    text = sandbox.sh(f"dig @{sandbox.gateway4} secret.evil.test").stdout
    assert "status: REFUSED" in text
    assert re.search(r"EDE: 18 \(Prohibited\)|OPT=15: 00 12", text), text


@pytest.mark.parametrize("server", [WORLD4, WORLD6])
def test_another_server_is_not_asked(sandbox, zone, world, server):
    """A resolver of the world's is an address like others."""
    before = len(zone.asked), len(world.dns.asked), world.dns.tcp.accepted
    with pytest.raises(OSError):
        ask(sandbox, "secret.evil.test", to=server)
    for port in (53, 443, 853):
        assert not reaches(sandbox, server, port, 1)
    assert (len(zone.asked), len(world.dns.asked),
            world.dns.tcp.accepted) == before


# ---- rebinding ----

REBOUND = {
    "loopback": (A, "127.0.0.1"), "loopback 6": (AAAA, "::1"),
    "the host": (A, HOST4), "the host 6": (AAAA, HOST6),
    "private": (A, PRIVATE4), "private 6": (AAAA, PRIVATE6),
    "carriers'": (A, CGNAT4), "link-local": (A, "169.254.169.254"),
    "unspecified": (A, "0.0.0.0"), "unspecified 6": (AAAA, "::"),
    "mapped": (AAAA, f"::ffff:{WORLD4}"),
    "mapped private": (AAAA, f"::ffff:{PRIVATE4}"),
    "NAT64": (AAAA, NAT64),
    "multicast": (A, "224.0.0.251"), "broadcast": (A, "255.255.255.255"),
}


@pytest.mark.parametrize("what", REBOUND)
def test_rebinding_opens_nothing(sandbox, zone, world, what):
    kind, address = REBOUND[what]
    name = re.sub(r"\W", "-", what).lower() + ".rebound.ok.test"
    zone.zone[name] = [(kind, address)]
    data = data_of(kind, address)
    assert data in ask(sandbox, name, kind)
    before = [s.accepted for s in world.web.values()]
    with contextlib.closing(socket.socket(socket.AF_INET6)) as listening:
        listening.bind(("::", 0))
        listening.listen()
        for port in (80, listening.getsockname()[1]):
            shown = address.replace("::ffff:", "")
            if not (port == 80 and "loopback" in what):     # its own
                assert not reaches(sandbox, shown, port, 1)
        assert not select.select([listening], [], [], 0)[0]
    assert [s.accepted for s in world.web.values()] == before


def test_the_gateway_is_not_opened_by_a_name(root, zone):
    """Nor is the guest's own subnet, whatever the host has there."""
    with contextlib.closing(root.guest("--allow", ALLOWED,
                                       "--host-access", "gateway")) as guest:
        zone.zone["gw.ok.test"] = [(A, guest.gateway4), (AAAA, guest.gateway6)]
        zone.zone["own.ok.test"] = [(A, HOST4), (AAAA, HOST6)]
        with Server("::", echo) as s, Server("0.0.0.0", echo, s.port) as s4:
            for name, kind, address in (
                    ("gw", A, guest.gateway4), ("gw", AAAA, guest.gateway6),
                    ("own", A, HOST4), ("own", AAAA, HOST6)):
                assert len(ask(guest, name + ".ok.test", kind)) > 40
                assert not reaches(guest, address, s.port, 1)
            assert s.accepted == s4.accepted == 0


def test_a_mirror_is_no_way_round(root, zone):
    """The host's ports on the guest's localhost are the host's, too."""
    with Server("127.0.0.1", echo) as s, contextlib.closing(root.guest(
            "--allow", ALLOWED, "--host-access", "localhost")) as guest:
        def bound():
            with guest:
                return listens(s.port)
        until(bound, 5, "the mirror")
        with guest, contextlib.suppress(OSError), socket.create_connection(
                ("127.0.0.1", s.port), 2) as c:
            c.settimeout(2)
            assert c.recv(1) == b""
        assert not answers_udp(guest, "127.0.0.1", s.port)
        assert s.accepted == 0


def listens(port):
    """Is there a listener in this thread's namespace?"""
    return f":{port} " in sh("ss -Hltn")


def test_a_host_interface_is_no_way_round(root, zone):
    """Nor does the host's kernel carry on what comes from there."""
    before = open("/proc/sys/net/ipv4/ip_forward").read()
    sysctl("net.ipv4.ip_forward", "1")
    try:
        with contextlib.closing(root.guest("--allow", ALLOWED,
                                           "--host-interface")) as guest:
            with Server("0.0.0.0", echo) as s:
                for address in (guest.gateway4, HOST4):
                    assert not reaches(guest, address, s.port, 1)
                assert s.accepted == 0
            assert not reaches(guest, WORLD4)
            ask(guest, "www.ok.test")
            assert reaches(guest, FAR4) and not reaches(guest, WORLD4)
    finally:
        sysctl("net.ipv4.ip_forward", before.strip())


def test_the_host_by_its_name(root, zone):
    """Where host access is asked for, the name of the host lets it be used."""
    allow = ALLOWED + ",host.docker.internal"
    with contextlib.closing(root.guest("--allow", allow,
                                       "--host-access", "gateway")) as guest:
        with Server("127.0.0.1", echo) as s:
            assert reaches(guest, guest.gateway4, s.port)
            assert reaches(guest, guest.gateway6, s.port)
            assert not reaches(guest, HOST4, s.port, 1)


# ---- the host ----

def test_the_host_is_shut(sandbox):
    with contextlib.closing(socket.socket(socket.AF_INET6)) as listening:
        listening.bind(("::", 0))
        listening.listen()
        port = listening.getsockname()[1]
        for address in (sandbox.gateway4, sandbox.gateway6, HOST4, HOST6):
            assert not reaches(sandbox, address, port, 1)
        for address in ("127.0.0.1", "::1"):    # no mirror of it
            assert not reaches(sandbox, address, port, 1)
        assert not select.select([listening], [], [], 0)[0]


def test_localhost_is_off(root, zone):
    """A listener of the guest's is not on the host; one more command is in
    the same box."""
    with contextlib.closing(root.guest("--allow", ALLOWED,
                                       name="ctl")) as guest:
        status = next(s for s in root.status() if s["name"] == "ctl")
        assert status["localhost"] == "off"
        with guest, Server("127.0.0.1", echo) as s:
            done = root("exec", "ctl", "curl", "-sSm2",
                        f"http://{WORLD4}/")
            assert done.returncode, done.stdout
            done = root("exec", "ctl", "curl", "-sSm5",
                        "http://www.ok.test/x")
            assert done.stdout == "you asked for /x\n", done.stderr
            port = s.port
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", port), 1)


# ---- frames that no program sends ----

class Sniffer:
    """What leaves the host, but for its neighbour messages and the questions
    to its resolver."""

    def __init__(self, scene):
        with scene.world:
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW,
                                      socket.htons(ETH_P_ALL))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.sock.bind(("down0", 0))

    def seen(self):
        """Since the last time; as scapy shows it."""
        found = []
        while select.select([self.sock], [], [], 0)[0]:
            frame, where = self.sock.recvfrom(65536)
            if where[2] == socket.PACKET_OUTGOING or frame[12:14] in (
                    b"\x08\x06", b"\x88\xcc"):
                continue
            packet = scapy.Ether(frame)
            ip = packet.getlayer(scapy.IP) or packet.getlayer(scapy.IPv6)
            if frame[12:14] == b"\x86\xdd" and (
                    ip.dst.startswith("ff") or "Neighbor" in packet.summary()):
                continue
            if getattr(packet.payload.payload, "dport", 0) == 53 and \
                    ip.dst == FAR4:
                continue
            found.append(packet.summary())
        return found


@pytest.fixture
def watched(scene, sandbox, zone):
    """put() for frames of the guest; at the end none of them has led out."""
    sniffer = Sniffer(scene)
    mac = open_mac(sandbox)
    gateway_mac = mac_of(sandbox, sandbox.gateway4)
    at = variants.At(":".join(f"{b:02x}" for b in mac),
                     ":".join(f"{b:02x}" for b in gateway_mac),
                     (sandbox.address4, sandbox.address6),
                     (sandbox.gateway4, sandbox.gateway6), (WORLD4, WORLD6),
                     (40001, 80, 1))
    with sandbox:
        link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        link.bind(("eth0", 0))
    asked = set(zone.asked)
    settled(sandbox, zone, "before")
    sniffer.seen()
    with link, sniffer.sock:
        def put(frame):
            with contextlib.suppress(OSError):  # the guest's kernel may not
                link.send(bytes(frame))
        yield at, put
        settled(sandbox, zone, "after")
        assert sniffer.seen() == []
    assert set(zone.asked) - asked <= {"before.ok.test", "after.ok.test"}


def settled(guest, zone, word):
    """All frames so far have been dealt with: this one has been answered."""
    assert rcode(ask(guest, word + ".ok.test")) == 3


def open_mac(guest):
    text = guest.sh("ip -o link show eth0").stdout
    return bytes.fromhex(re.search(r"ether (\S+)", text).group(1)
                         .replace(":", ""))


@pytest.mark.parametrize("table", variants.TABLES, ids=lambda t: t.__name__)
def test_no_variant_of_a_protocol_leads_out(watched, table):
    at, put = watched
    for _, _, frame in table(at):
        put(frame)


def icmp(kind, six, src, dst):
    body = bytes([kind, 0, 0, 0, 0, 1, 0, 1]) + b"secret!!"
    pseudo = b"".join(socket.inet_pton(socket.AF_INET6, a) for a in
                      (src, dst)) + struct.pack("!2I", len(body), 58) \
        if six else b""
    return scapy.Raw(body[:2] + struct.pack("!H", checksum(pseudo + body))
                     + body[4:])


def sly(at):
    """Frames with nothing wrong about them but where they want to go."""
    secret = b"secret"
    datagram = scapy.UDP(sport=40002, dport=7) / secret
    syn = scapy.TCP(sport=40003, dport=80, flags="S", seq=1)
    for six, to in ((False, WORLD4), (False, PRIVATE4), (False, HOST4),
                    (True, WORLD6), (True, PRIVATE6), (True, HOST6)):
        make = at.six if six else at.four
        # What begins a flow, and what does not.
        yield make(datagram, dst=to)
        for flags in ("S", "SA", "A", "PA", "F", "R", "SF", "SR", "", "SEC"):
            yield make(scapy.TCP(sport=40004, dport=80, flags=flags, seq=9)
                       / secret, dst=to)
        for proto in (0, 2, 4, 33, 41, 43, 47, 50, 51, 60, 89, 103, 112, 115,
                      132, 136, 137, 139, 253, 255):
            yield (make(scapy.Raw(secret * 8), dst=to, nh=proto) if six else
                   make(scapy.Raw(secret * 8), dst=to, proto=proto))
        for kind in (list(range(256)) if not six else
                     [1, 2, 3, 4, 128, 129, 138, 139, 140, 144, 200]):
            yield make(icmp(kind, six, at.own6, to), dst=to,
                       **({"nh": 58} if six else {"proto": 1}))
        # As broadcast, tagged, under another name.
        plain = make(syn, dst=to)
        yield b"\xff" * 6 + plain[6:]
        yield plain[:12] + b"\x81\0\0\1" + plain[12:]
        yield make(syn, dst=to, src=to)
        yield make(datagram, dst=to,
                   src="2001:db8::77" if six else "172.20.1.77")
        yield make(syn, dst=to, **({"hlim": 1} if six else {"ttl": 1}))
    # In pieces, also such that the second one rewrites the ports.
    for to in (WORLD4, PRIVATE4):
        big = scapy.IP(src=at.own4, dst=to, id=7) / scapy.UDP(
            sport=40005, dport=7) / (secret * 400)
        for piece in scapy.fragment(big, 576) + scapy.fragment(big, 8):
            yield at.ether(0x0800, bytes(piece))
        head = bytes(scapy.UDP(sport=1, dport=53, len=32))
        for offset, more, part in ((0, 1, head + b"x" * 16),
                                   (0, 1, bytes(datagram)[:8] + b"y" * 16),
                                   (3, 0, b"z" * 8)):
            yield at.four(scapy.Raw(part), dst=to, id=8, proto=17,
                          frag=offset, flags=more)
    for routing in (0, 2, 3, 4):
        yield at.six(scapy.IPv6ExtHdrRouting(type=routing,
                                             addresses=[WORLD6]),
                     datagram, dst=at.gateway6)
    for ext in (scapy.IPv6ExtHdrHopByHop(), scapy.IPv6ExtHdrDestOpt(),
                scapy.IPv6ExtHdrFragment(id=1)):
        yield at.six(ext, datagram)
        yield at.six(ext, syn)
    for option in (scapy.IPOption_LSRR(routers=[WORLD4]),
                   scapy.IPOption_SSRR(routers=[WORLD4]),
                   scapy.IPOption_RR(routers=[WORLD4])):
        yield at.four(datagram, dst=at.gateway4, options=[option])
        yield at.four(datagram, options=[option])
    # To services of the gateway's, beyond it.
    for port in (53, 67, 68, 546, 547, 5353, 853, 443, 0):
        yield at.four(scapy.UDP(sport=68, dport=port) / secret)
        yield at.six(scapy.UDP(sport=546, dport=port) / secret)


def test_nothing_sly_leads_out(watched):
    at, put = watched
    for frame in sly(at):
        put(frame)


def test_the_sniffer_sees_what_is_allowed(scene, sandbox, zone):
    """Else the two tests above would prove nothing."""
    sniffer = Sniffer(scene)
    with sniffer.sock:
        ask(sandbox, "www.ok.test")
        assert reaches(sandbox, FAR4)
        assert sniffer.seen()


# ---- rules that change, and who may change them ----

@pytest.fixture
def boxed(slipway, zone):
    """A guest of one's own, whose rules may be changed."""
    forget(slipway)
    with contextlib.closing(slipway.guest("--allow", ALLOWED,
                                          name="ctl")) as guest:
        yield guest
    forget(slipway)


def connect(guest, address, port):
    with guest:
        return socket.create_connection((address, port), 5)


def test_a_flow_goes_on_until_its_name_is_not_allowed(boxed, zone, world):
    """Whatever else changes, and not longer."""
    ask(boxed, "www.ok.test")
    ask(boxed, "only.test", AAAA)
    with connect(boxed, FAR4, 7) as by_pattern, \
            connect(boxed, FAR6, 7) as by_name:
        def alive(s):
            s.settimeout(5)
            with contextlib.suppress(OSError):
                s.sendall(b"x")
                return s.recv(1) == b"x"
            return False
        post(boxed, "/add", text="[rule more]\naction = allow\n"
             "direction = out\nremoteAddress = more.test\n")
        assert alive(by_pattern) and alive(by_name)
        post(boxed, "/change", rule="allow *.ok.test", change="disable")
        until(lambda: not alive(by_pattern), 3, "the end of the flow")
        assert alive(by_name)
    assert not reaches(boxed, FAR4, seconds=1) and reaches(boxed, FAR6)
    asked = len(zone.asked)
    assert rcode(ask(boxed, "new.ok.test")) == REFUSED
    assert len(zone.asked) == asked
    post(boxed, "/change", rule="allow *.ok.test", change="enable")
    until(lambda: reaches(boxed, FAR4), 3, "the way to be open")


def test_a_name_that_is_blocked_shuts_private_addresses_too(slipway, zone):
    """Rebinding is no way round a block."""
    forget(slipway)
    zone.zone["nas.other.test"] = [(A, PRIVATE4)]
    with contextlib.closing(slipway.guest(name="ctl")) as guest:
        post(guest, "/add", text="[rule no nas]\naction = block\n"
             "direction = out\nremoteAddress = nas.other.test\n")
        assert reaches(guest, PRIVATE4)
        ask(guest, "nas.other.test")
        assert not reaches(guest, PRIVATE4, seconds=1)
        answer = post(guest, "/why", protocol="tcp", to=f"{PRIVATE4}:80",
                      **{"from": guest.address4}, name="nas.other.test")
        assert answer["checks"][0]["rule"] == "no nas"
    forget(slipway)


def test_why_by_a_name(boxed):
    """A name that has somebody's own address does not open that."""
    def why(to, name):
        return post(boxed, "/why", protocol="tcp", name=name, to=to + ":80",
                    **{"from": boxed.address4})
    assert why(FAR4, "www.ok.test")["allowed"]
    assert not why(FAR4, "other.test")["allowed"]
    for address in (PRIVATE4, CGNAT4, HOST4, "127.0.0.1"):
        answer = why(address, "www.ok.test")
        assert not answer["allowed"]
        assert f"remoteAddress={address}" in answer["change"]["command"]


LIFT = {
    "the switch": ("firewall/switch", {"on": False}),
    "a rule": ("firewall/add", {"text": "[rule all]\naction = allow\n"
                                "direction = out\n"}),
    "a change": ("firewall/change", {"rule": "allow only.test",
                                     "change": "disable"}),
    "the profile": ("firewall/profile", {"profile": "public"}),
    "a port": ("publish", {"publish": "8099"}),
}


@pytest.mark.parametrize("what", LIFT)
def test_what_is_in_the_box_cannot_open_it(boxed, what):
    """It may be of the same user, and see the control socket."""
    path, body = LIFT[what]
    socket_path = f"{boxed.slipway.runtime}/ctl.sock"
    done = boxed.slipway(
        "exec", "ctl", "curl", "-sS", "-w", "%{http_code}",
        "--unix-socket", socket_path, "-d", json.dumps(body),
        f"http://x/v1/{path}")
    assert done.stdout.endswith("403"), done.stdout + done.stderr
    assert "host's own network" in done.stdout
    assert not reaches(boxed, WORLD4, seconds=1)
    # From outside the same is done; and what there is, it may look at.
    assert curl_ctl(boxed, "/v1/" + path, "-d", json.dumps(body))[0] < 300
    done = boxed.slipway("exec", "ctl", "curl", "-sS", "--unix-socket",
                         socket_path, "http://x/v1/firewall")
    assert '"rules"' in done.stdout, done.stdout + done.stderr


def test_at_the_end_names_are_told(slipway, zone):
    done = slipway("run", "--allow", ALLOWED, "sh", "-c",
                   "curl -sS -m5 http://other.test/; curl -sS -m5 "
                   f"http://mast/; curl -sS -m1 http://{WORLD4}/; "
                   "curl -sS -m5 http://www.ok.test/x")
    assert done.stdout == "you asked for /x\n"
    told = re.findall(r"^slipway:   --allow (\S+)", done.stderr, re.M)
    assert told == ["other.test", "mast.", WORLD4], done.stderr
    again = slipway("run", "-q", "--allow", ",".join([ALLOWED] + told),
                    "curl", "-sS", "-m5", f"http://{WORLD4}/y")
    assert again.stdout == "you asked for /y\n", again.stderr
