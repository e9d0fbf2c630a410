#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
A VPN for the tests: a tun on the host, one in the world, and a process that
carries, drops or rewrites what goes between them.
As with WireGuard, what has another address than the tunnel's own is dropped.

    guest -- slipway -- vpn0 (host) <== this process ==> vpn9 (world)
                        10.66.0.2, fd66::2               10.66.0.1, fd66::1

As a program (`vpn.py FD FD TAKES SAYS`) it is that process.
"""

import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys

NEAR4, PEER4 = "10.66.0.2", "10.66.0.1"
NEAR6, PEER6 = "fd66::2", "fd66::1"
ROUTER4, ROUTER6 = "10.66.0.9", "fd66::9"       # who says what is too big
OWN = (socket.inet_aton(NEAR4), socket.inet_pton(socket.AF_INET6, NEAR6))
HALVES = ("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1")
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000


def open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                           IFF_TUN | IFF_NO_PI))
    return fd


class Vpn:
    """
    mtu: what the interfaces say; takes: the longest packet that gets through;
    says: by ICMP. Which routes lead there: all halves, unless said.
    """

    def __init__(self, scene, mtu=1500, takes=65535, says=False,
                 routes=HALVES):
        from scene import sh
        self.sh, self.scene, self.takes = sh, scene, takes
        near = open_tun("vpn0")
        with scene.world:
            far = open_tun("vpn9")
            sh(f"ip link set vpn9 mtu {mtu} up; ip addr add {PEER4}/24 dev "
               f"vpn9; ip -6 addr add {PEER6}/64 dev vpn9 nodad")
        self.child = subprocess.Popen(
            [sys.executable, __file__, str(near), str(far), str(takes),
             str(int(says))], pass_fds=(near, far), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        os.close(near)
        os.close(far)
        assert self.child.stdout.readline() == b"ready\n"
        sh(f"ip link set vpn0 mtu {mtu} up; ip addr add {NEAR4}/24 dev vpn0;"
           f"ip -6 addr add {NEAR6}/64 dev vpn0 nodad")
        for route in routes:
            sh(f"ip route add {route} dev vpn0")

    def close(self):
        """The process goes, and with it both interfaces."""
        self.child.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def too_big(packet, takes):
    """What a router says of it: RFC 1191 section 4, RFC 4443 section 3.2."""
    if packet[0] >> 4 == 4:
        body = struct.pack("!BBHHH", 3, 4, 0, 0, takes) + packet[:28]
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64,
                           1, 0, socket.inet_aton(ROUTER4), packet[12:16])
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        return head + body
    body = struct.pack("!BBHI", 2, 0, 0, takes) + packet[:1000]
    source = socket.inet_pton(socket.AF_INET6, ROUTER6)
    pseudo = source + packet[8:24] + struct.pack("!II", len(body), 58)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), 58, 64) + source + \
        packet[8:24] + body


def fragments(packet, takes):
    """A packet of IPv4 that may be cut, as a router cuts it."""
    step, at, pieces = (takes - 20) // 8 * 8, 0, []
    data = packet[20:]
    while at < len(data):
        piece, more = data[at:at + step], at + step < len(data)
        head = (packet[:2] + struct.pack("!H", 20 + len(piece)) +
                packet[4:6] + struct.pack("!H", more << 13 | at >> 3) +
                packet[8:10] + b"\0\0" + packet[12:20])
        pieces.append(head[:10] + struct.pack("!H", checksum(head)) +
                      head[12:] + piece)
        at += step
    return pieces


def is_own(packet):
    """Of the host's address in the tunnel: no other is known at its end."""
    return (packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]) in OWN


def carry(packet, source, sink, takes, says):
    if len(packet) <= takes:
        os.write(sink, packet)
    elif not says:
        pass
    elif packet[0] == 0x45 and not packet[6] & 0x40:
        for piece in fragments(packet, takes):
            os.write(sink, piece)
    else:
        os.write(source, too_big(packet, takes))


def main():
    near, far, takes, says = (int(word) for word in sys.argv[1:])
    other = {near: far, far: near}
    for fd in other:
        os.set_blocking(fd, False)
    print("ready", flush=True)
    while True:
        ready = select.select([near, far, 0], [], [])[0]
        if 0 in ready:                          # closed: the end
            return
        for fd in ready:
            for _ in range(64):
                try:
                    packet = os.read(fd, 65536)
                    if fd == far or is_own(packet):
                        carry(packet, fd, other[fd], takes, says)
                except OSError:                 # no more, or down
                    break


def status_warnings(slipway):
    done = slipway("status", "--json")
    return [w for s in json.loads(done.stdout) for w in s["warnings"]]


if __name__ == "__main__":
    main()
