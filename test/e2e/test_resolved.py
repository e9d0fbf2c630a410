# SPDX-License-Identifier: MIT
"""
A real systemd-resolved on the host, whose stub is all that resolv.conf names:
split DNS by link, as networkd and NetworkManager tell it, and mDNS.
"""

import contextlib
import os
import socket
import struct
import subprocess
import threading
import time

import pytest

from scene import FAR4, WORLD4, need, sh, until
from servers import Dns
from vpn import PEER4, Vpn

LINKS = "/run/systemd/netif/links"
STUB = "/run/systemd/resolve/stub-resolv.conf"
GROUP, MDNS = "224.0.0.251", 5353


def tell_link(name, **settings):
    """What networkd says of a link: renamed into place, as it does."""
    path = f"{LINKS}/{socket.if_nametoindex(name)}"
    with open(path + ".new", "w") as f:
        f.write("ADMIN_STATE=configured\nOPER_STATE=routable\n"
                "NETWORK_FILE=/run/x.network\n")
        f.writelines(f"{key}={value}\n" for key, value in settings.items())
    os.rename(path + ".new", path)


def configure():
    os.makedirs(LINKS, exist_ok=True)
    os.makedirs("/etc/systemd", exist_ok=True)
    with open("/etc/systemd/resolved.conf", "w") as f:
        f.write("[Resolve]\nFallbackDNS=\nLLMNR=no\nMulticastDNS=yes\n"
                "DNSSEC=no\n")
    with open("/etc/passwd", "r+") as f:    # the scene has one uid
        if "systemd-resolve:" not in f.read():
            f.write("systemd-resolve:x:0:0::/:/bin/sh\n")
    tell_link("up0", DNS=WORLD4, MDNS="yes")


def start(log):
    """The process, once its stub answers; the test is skipped if it won't."""
    process = subprocess.Popen(["systemd-resolved"], stdin=subprocess.DEVNULL,
                               env=os.environ | {"SYSTEMD_LOG_TARGET":
                                                 "console"},
                               stdout=log, stderr=log)
    until(lambda: process.poll() is not None or not os.system(
        "dig +time=1 +tries=1 @127.0.0.53 web.test >/dev/null"), 10,
        "the stub")
    if process.poll() is not None:
        log.seek(0)
        why = (log.read().strip().splitlines() or ["it ended"])[-1]
        pytest.skip(f"systemd-resolved cannot run here: {why}")
    return process


@pytest.fixture
def resolved(scene, world, tmp_path):
    need("systemd-resolved")
    configure()
    with open(tmp_path / "log", "w+") as log:
        process = start(log)
    os.symlink(STUB, "/etc/resolv.conf.new")
    os.rename("/etc/resolv.conf.new", "/etc/resolv.conf")
    yield world
    scene.resolver(WORLD4)
    process.kill()
    process.wait()
    for name in os.listdir(LINKS):
        os.unlink(f"{LINKS}/{name}")


def short(guest, name):
    return guest.sh(f"dig +short +time=3 +tries=1 @{guest.gateway4} "
                    f"{name}").stdout.split()


def test_split_dns_by_link(root, scene, resolved):
    """
    A zone of the VPN's, to its server and nowhere else, once it is told of.
    Its name has another address in the world, which was asked and is kept.
    """
    resolved.dns.names["files.branch.test"] = "192.0.2.9"
    with contextlib.closing(root.guest()) as guest, Vpn(scene, routes=()):
        with scene.world:
            office = Dns(PEER4, names={"files.branch.test": "10.9.8.7"})
        with office:
            assert short(guest, "web.test") == [FAR4]
            until(lambda: short(guest, "files.branch.test") == ["192.0.2.9"],
                  3, "the world's answer")
            sent = len(resolved.dns.asked)
            tell_link("vpn0", DNS=PEER4, ROUTE_DOMAINS="branch.test")
            began = time.monotonic()
            until(lambda: short(guest, "files.branch.test") == ["10.9.8.7"],
                  5, "the office's answer")
            assert time.monotonic() - began < 1
            assert short(guest, "nobody.test") == []
            assert "files.branch.test" not in resolved.dns.asked[sent:]
            assert "nobody.test" not in office.asked
        os.unlink(f"{LINKS}/{socket.if_nametoindex('vpn0')}")
        until(lambda: short(guest, "files.branch.test") == ["192.0.2.9"], 5,
              "the world's answer again")


def answer_mdns(sock, name, address, asked):
    """Who has that name on the LAN: RFC 6762, one address."""
    wanted = b"".join(bytes([len(part)]) + part.encode()
                      for part in name.split(".")) + b"\0"
    while True:
        query, _ = sock.recvfrom(9000)
        if not query:
            return
        if query[2] & 0x80 or wanted not in query.lower():
            continue
        asked.append(query)
        reply = struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0) + wanted
        reply += struct.pack("!HHIH", 1, 0x8001, 120, 4)
        sock.sendto(reply + socket.inet_aton(address), (GROUP, MDNS))


def test_mdns_names_that_the_host_resolves(root, scene, resolved):
    asked = []
    with scene.world:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", MDNS))
        member = socket.inet_aton(GROUP) + socket.inet_aton(WORLD4)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                        socket.inet_aton(WORLD4))
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    thread = threading.Thread(target=answer_mdns, daemon=True,
                              args=(sock, "printer.local", "192.0.2.77",
                                    asked))
    thread.start()
    try:
        with contextlib.closing(root.guest()) as guest:
            assert short(guest, "printer.local") == ["192.0.2.77"]
            done = root("run", "getent", "ahostsv4", "printer.local")
            assert done.stdout.startswith("192.0.2.77 "), done
            assert asked and "printer.local" not in resolved.dns.asked
    finally:
        with scene.world, socket.socket(socket.AF_INET,
                                        socket.SOCK_DGRAM) as end:
            end.sendto(b"", (WORLD4, MDNS))
        thread.join()
        sock.close()
