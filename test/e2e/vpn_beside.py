#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
The scenes of docs/vpn.md, with kernel NAT and pasta beside Slipway.

    test/e2e/enter /usr/bin/python3 test/e2e/vpn_beside.py

prints a table. pasta is left out where it is not installed.
"""

import contextlib
import glob
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from scene import (FAR4, WORLD4, Guest, Netns, Scene, Slipway, sh, sysctl,
                   until)
from servers import Dns, Server, UdpEcho, echo
from test_vpn import big_file, tls
from vpn import PEER4, Vpn

PATIENCE = 12           # seconds; then it hangs
INNER = "172.16.5.77"   # behind the VPN that takes 172.16.0.0/12


class Nat(Netns):
    """A veth pair, and masquerading by nftables: as a container has it."""

    name = "kernel NAT"
    resolver = staticmethod(lambda: WORLD4)     # copied when it was started

    def __init__(self):
        super().__init__()
        sh("ip link add nat0 type veth peer name eth0 netns " + self.path())
        sh("ip addr add 172.16.4.1/22 dev nat0; ip link set nat0 up;"
           "nft add table ip nat; nft 'add chain ip nat post { type nat hook "
           "postrouting priority 100; }';"
           "nft add rule ip nat post ip saddr 172.16.4.0/22 oifname != nat0 "
           "masquerade")
        sysctl("net.ipv4.ip_forward", "1")
        with self:
            sh("ip link set lo up; ip addr add 172.16.4.2/22 dev eth0;"
               "ip link set eth0 up; ip route add default via 172.16.4.1")

    def close(self):
        sh("ip link del nat0; nft delete table ip nat")
        super().close()


class Pasta(Netns):
    name = "pasta"
    resolver = staticmethod(lambda: WORLD4)

    def __init__(self):
        self.process = subprocess.Popen(
            ["pasta", "--config-net", "--no-map-gw", "--runas", "0", "-q",
             "-t", "none", "-u", "none", "-T", "none", "-U", "none", "--",
             "sh", "-c", "readlink /proc/self/ns/net; read end || :"],
            text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        name = self.process.stdout.readline().strip()
        super().__init__(next(
            at for at in glob.glob("/proc/[0-9]*/ns/net")
            if same(at, name)))
        with self:
            until(lambda: sh("ip route show default").strip(), 5, "a route")

    def close(self):
        self.process.communicate()
        super().close()


def same(at, name):
    with contextlib.suppress(OSError):
        return os.readlink(at) == name
    return False


class Ours(Guest):
    name = "slipway"

    def __init__(self):
        super().__init__(ours)

    def resolver(self):
        return self.gateway4


def tried(fn, *args):
    """What it gives, or how it fails."""
    began = time.monotonic()
    try:
        return fn(*args) or "works"
    except TimeoutError:
        return "hangs"
    except OSError as error:
        return f"{error.strerror or error} after " \
               f"{time.monotonic() - began:.1f} s"


def connect(guest, address, port):
    with guest:
        s = socket.create_connection((address, port), PATIENCE)
    s.settimeout(PATIENCE)
    return s


def handshake(guest, port):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with connect(guest, FAR4, port) as s, context.wrap_socket(s) as t:
        t.sendall(b"hello")
        t.recv(100)


def upload(guest, port):
    with connect(guest, FAR4, port) as s:
        s.sendall(b"PUT / HTTP/1.0\r\nContent-Length: 300000\r\n\r\n"
                  + bytes(300000))
        assert s.recv(100)


def datagram(guest):
    """1,472 bytes with DF, again and again: what does the sender learn?"""
    with guest, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(0, 10, 2)                  # IP_PMTUDISC_DO
        s.connect((FAR4, 7))
        s.settimeout(0.2)
        s.send(b"x")
        s.recv(10)
        for _ in range(20):
            try:
                s.send(bytes(1472))
                s.recv(2000)
                return "arrives"
            except TimeoutError:
                continue
            except OSError:
                return f"told {s.getsockopt(0, 14)}"
    return "lost, nothing said"


def name(guest, what):
    done = guest_run(guest, f"dig +short +time=2 +tries=1 @{guest.resolver()}"
                     f" {what}")
    return "works" if "10.9.8.7" in done else "not found"


def guest_run(guest, command):
    with guest:
        return subprocess.run(command, shell=True, text=True,
                              capture_output=True, check=False).stdout


def narrow(kind, **vpn):
    def play(guest, servers):
        with Vpn(scene, **vpn):
            return [(f"{kind}: TLS handshake, certificate of 20 KB",
                     tried(handshake, guest, servers["tls"].port)),
                    (f"{kind}: upload of 300 KB",
                     tried(upload, guest, servers["big"].port)),
                    (f"{kind}: UDP of 1,472 bytes with DF",
                     tried(datagram, guest))]
    return play


def changes(guest, servers):
    s = connect(guest, FAR4, servers["echo"].port)
    with Vpn(scene):
        def goes_on():
            s.sendall(b"x")
            return "goes on" if s.recv(1) else "ended"
        with s:
            up = tried(goes_on)
        s2 = connect(guest, FAR4, servers["echo"].port)
    with s2:
        s2.settimeout(PATIENCE)
        down = tried(s2.recv, 1)
    return [("a connection, when the VPN comes up", up),
            ("a connection through it, when it goes", down)]


def split(guest, _):
    with Vpn(scene, routes=()):
        with scene.world:
            office = Dns(PEER4, names={"files.office.test": "10.9.8.7"})
        with office:
            scene.resolver(PEER4)
            until(lambda: name(guest, "files.office.test") == "works" or
                  guest.resolver() == WORLD4, 5)
            got = name(guest, "files.office.test")
            scene.resolver(WORLD4)
    return [("a name that only the VPN's server knows", got)]


def overlap(guest, servers):
    with Vpn(scene, routes=("172.16.0.0/12",)):
        with scene.world:
            sh(f"ip addr add {INNER}/32 dev vpn9")
            server = Server(INNER, echo)

        def reach():
            with connect(guest, INNER, server.port) as s:
                s.sendall(b"x")
                return "works" if s.recv(1) else "ended"
        with server:
            inner = tried(reach)
    return [("172.16.0.0/12 by the VPN: an address of the guest's subnet",
             inner)]


@contextlib.contextmanager
def hole_towards_us():
    """The last router drops what is over 1,400, and says nothing."""
    with scene.world:
        sh("ip link set down0 gso_max_segs 1")  # each packet by itself
    sh("nft add table ip hole; nft 'add chain ip hole c { type filter hook "
       "prerouting priority -300; }';"
       "nft add rule ip hole c iifname up0 ip length gt 1400 drop")
    yield
    sh("nft delete table ip hole")
    with scene.world:
        sh("ip link set down0 gso_max_segs 65535")


def downloads(guest, servers):
    what = "no VPN, a router drops what is over 1,400 on the way back"
    with hole_towards_us():
        return [(f"{what}: {which} TLS handshake",
                 tried(handshake, guest, servers["tls"].port))
                for which in ("first", "next")]


PLAYS = [narrow("MTU declared", mtu=1400, takes=1400),
         narrow("told by ICMP", takes=1400, says=True),
         narrow("silent", takes=1400), downloads, changes, split, overlap]


def main():
    kinds = [Nat] + ([Pasta] if shutil.which("pasta") else []) + [Ours]
    rows = {}
    for kind in kinds:
        for play in PLAYS:
            flush()
            with contextlib.closing(kind()) as guest:
                for what, result in play(guest, servers):
                    rows.setdefault(what, []).append(result)
    print("| | " + " | ".join(kind.name for kind in kinds) + " |")
    print("| --- " * (len(kinds) + 1) + "|")
    for what, results in rows.items():
        print(f"| {what} | " + " | ".join(results) + " |")


def flush():
    sh("ip route flush cache")
    with scene.world:
        sh("ip route flush cache")


if __name__ == "__main__":
    scene = Scene()
    with tempfile.TemporaryDirectory() as at:
        ours = Slipway(scene, pathlib.Path(at))
        sh(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           f"-nodes -keyout {at}/key -out {at}/cert -days 30 -subj /CN=far "
           "-addext subjectAltName=" + ",".join(
               f"DNS:host-{i}.long-name.example.test" for i in range(500)))
        with scene.world:
            world_dns = Dns(WORLD4)
            udp = UdpEcho(FAR4, 7)
            servers = {"tls": Server(FAR4, tls(at)),
                       "big": Server(FAR4, big_file),
                       "echo": Server(FAR4, echo)}
        main()
        os._exit(0)
