# SPDX-License-Identifier: MIT
"""A guest that puts garbage on its link, while another flow goes on."""

import contextlib
import os
import random
import resource
import socket
import struct
import subprocess
import time

import pytest

from scene import LONG, WORLD4, in_thread, mac_of, need, processes, sh, until
from servers import Server, echo, listener

SECONDS = 10 if LONG else 2


def own(guest):
    """The processes that have been started for that guest."""
    return {pid for pid in processes() if pid >= guest.front.pid}


@pytest.fixture
def raw(root, world):
    """A guest, a raw socket on its link, and an echo that must go on."""
    with contextlib.closing(root.guest()) as guest:
        mac = mac_of(guest, guest.gateway4)
        with guest:
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("eth0", 0))
            flow = socket.create_connection((WORLD4, 7), 5)
        flow.settimeout(5)
        guest.gateway_mac = mac
        before = own(guest)
        with s, flow:
            yield guest, s, flow
            assert flow_answers(flow), "the other flow has died"
        assert own(guest) == before, "a process has died"
        with guest:
            socket.create_connection((WORLD4, 7), 5).close()


def flow_answers(flow):
    word = os.urandom(8)
    flow.sendall(word)
    got = b""
    while len(got) < 8:
        got += flow.recv(8)
    return got == word


def flood(raw_socket, make):
    """Send what make() gives for SECONDS; frames that the link took."""
    end, sent = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        for _ in range(100):
            with contextlib.suppress(OSError):
                raw_socket.send(make())
                sent += 1
    return sent


def keep_asking(flow):
    """The other flow's turn-around times, in seconds, for SECONDS."""
    end, times = time.monotonic() + SECONDS, []
    while time.monotonic() < end:
        start = time.monotonic()
        assert flow_answers(flow)
        times.append(time.monotonic() - start)
    return times


def test_random_frames(raw):
    guest, s, flow = raw
    noise, dice = os.urandom(1 << 20), random.Random(7)

    def make():
        size = dice.choice((0, 13, 14, 20, 34, 54, 60, 200, 1500))
        at = dice.randrange(len(noise) - 1600)
        kind = dice.choice((b"\x08\x00", b"\x86\xdd", b"\x08\x06", b"\x12\x34"))
        return guest.gateway_mac + noise[at:at + 6] + kind + \
            noise[at + 6:at + 6 + size]
    asking = in_thread(keep_asking, flow)
    assert flood(s, make) > 100
    assert len(asking()) > 10


def test_packets_with_one_byte_changed(raw):
    """Good packets, spoilt: they come further in than noise."""
    need("/usr/bin/python3")
    scapy = pytest.importorskip("scapy.all")
    guest, s, flow = raw
    good = [
        scapy.IP(src=guest.address4, dst=WORLD4)
        / scapy.TCP(sport=4000, dport=7, options=[
            ("MSS", 1460), ("SAckOK", b""), ("WScale", 7)]),
        scapy.IP(src=guest.address4, dst=guest.gateway4)
        / scapy.UDP(sport=4001, dport=53)
        / scapy.DNS(qd=scapy.DNSQR(qname="web.test")),
        scapy.IP(src=guest.address4, dst=WORLD4) / scapy.ICMP() / b"ping",
        scapy.IP(src=guest.address4, dst=WORLD4, flags="MF")
        / scapy.UDP(sport=4002, dport=7) / bytes(64),
        scapy.IPv6(src=guest.address6, dst="ff02::1:ff00:1")
        / scapy.ICMPv6ND_NS(tgt=guest.gateway6),
        scapy.IPv6(src=guest.address6, dst=guest.gateway6)
        / scapy.IPv6ExtHdrHopByHop() / scapy.IPv6ExtHdrFragment(m=1)
        / scapy.UDP(sport=4003, dport=53) / bytes(32),
        scapy.ARP(psrc=guest.address4, pdst=guest.gateway4),
    ]
    frames = [bytes(scapy.Ether(dst=guest.gateway_mac.hex(":")) / p)
              for p in good]
    dice = random.Random(11)

    def make():
        f = bytearray(dice.choice(frames))
        f[dice.randrange(12, len(f))] = dice.randrange(256)
        return bytes(f[:dice.randrange(14, len(f) + 1)]
                     if dice.random() < 0.3 else f)
    asking = in_thread(keep_asking, flow)
    assert flood(s, make) > 100
    assert len(asking()) > 10


def syn(guest, sport, dport=7):
    tcp = struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 0x50, 2, 65535, 0, 0)
    pseudo = (socket.inet_aton(guest.address4) + socket.inet_aton(WORLD4)
              + struct.pack("!HH", 6, 20))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0,
                     socket.inet_aton(guest.address4),
                     socket.inet_aton(WORLD4))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return guest.gateway_mac + b"\2\0\0\0\0\x42\x08\x00" + ip + tcp


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def test_a_flood_of_new_connections(raw):
    """A SYN for each port, again and again: bounded, and survived."""
    guest, s, flow = raw
    ports = iter(range(1 << 30))
    with guest.slipway.scene.world:
        sink = listener(WORLD4)
    with sink:
        port = sink.getsockname()[1]
        asking = in_thread(keep_asking, flow)
        flood(s, lambda: syn(guest, 1024 + next(ports) % 64000, port))
        assert len(asking()) > 10




def test_a_flood_of_unfinished_fragments(raw):
    guest, s, flow = raw
    ids = iter(range(1 << 30))

    def make():
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1020,
                         next(ids) & 0xffff, 0x2000, 64, 17, 0,
                         socket.inet_aton(guest.address4),
                         socket.inet_aton(WORLD4))
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        return (guest.gateway_mac + b"\2\0\0\0\0\x42\x08\x00" + ip
                + bytes(1000))
    asking = in_thread(keep_asking, flow)
    assert flood(s, make) > 100
    assert len(asking()) > 10


HOLD = """
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    s = socket.socket()
    s.settimeout(5)
    try:
        s.connect(("127.0.0.1", int(sys.argv[1])))
        held.append(s)
    except OSError:
        pass
print(len(held), flush=True)
sys.stdin.read()
"""

ACCEPT = """
import socket
s = socket.create_server(("0.0.0.0", 20000), backlog=4096)
kept = []
while True:
    c, _ = s.accept()
    c.send(b"ahoy")
    kept = (kept + [c])[-150:]
"""


def ticks(pid):
    """CPU time used, in clock ticks."""
    with open(f"/proc/{pid}/stat") as f:
        return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))


@pytest.mark.parametrize("which", ["eth0", "slipway0"])
def test_an_interface_deleted_under_the_engine(root, scene, which):
    """By the guest's root or the host's: it is said, and nothing spins."""
    with contextlib.closing(root.guest("--host-interface",
                                       name="bare")) as guest:
        engine = max(pid for pid, name in processes().items()
                     if name == "slipway-engine")
        with guest if which == "eth0" else scene.host:
            sh(f"ip link del {which}")
        until(lambda: "interface has been deleted" in
              root("status", "bare").stdout, 5, "a warning")
        before = ticks(engine)
        time.sleep(1)                   # that is what is measured
        assert ticks(engine) - before < 5
        with guest:
            server = Server("127.0.0.1", echo, 8077)
        with server:
            until(lambda: connects(8077), 5, "localhost, still")


def connects(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    return False


def test_clients_of_localhost_cannot_end_the_guest(root):
    """More of them than descriptors: some are refused, nothing spins."""
    front = root.popen("run", "-q", "--name", "few", "/usr/bin/python3", "-c",
                       ACCEPT, preexec_fn=lambda: resource.setrlimit(
                           resource.RLIMIT_NOFILE, (256, 256)))
    until(lambda: ready(20000), 10, "the guest's server")
    hold = subprocess.Popen(["/usr/bin/python3", "-c", HOLD, "20000", "700"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert int(hold.stdout.readline()) > 0
        engine = next(pid for pid, name in processes().items()
                      if name == "slipway-engine" and pid > front.pid)
        before = ticks(engine)
        time.sleep(1)                   # that is what is measured
        assert ticks(engine) - before < 20
        assert front.poll() is None
    finally:
        hold.communicate()
    until(lambda: ready(20000), 10, "a client after them")
    root("stop", "few")
    front.wait(5)


def ready(port):
    """Does the guest's server say ahoy?"""
    with contextlib.suppress(OSError):
        with socket.create_connection(("127.0.0.1", port), 2) as s:
            return s.recv(4) == b"ahoy"
    return False
