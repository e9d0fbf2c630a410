#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
initramfs.py - a root file system for a test's virtual machine

    initramfs.py ASIDE OUT

ASIDE holds Debian's linux-image-*-cloud-amd64 and busybox-static, unpacked.
OUT gets a cpio archive (newc): busybox, the modules of a virtio network
card, and an /init that brings the card up by DHCP and router advertisements
and then runs what it is told on the serial console, line by line.
"""

import gzip
import pathlib
import sys

MODULES = ("virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev "
           "virtio_pci failover net_failover virtio_net").split()
APPLETS = ("sh mount insmod ip udhcpc ping ping6 wget nc nslookup httpd cat "
           "echo ls sleep stty poweroff hostname sha256sum head dd ifconfig "
           "mkdir sysctl kill true false traceroute grep sed wc").split()

INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in %s; do insmod /modules/$m.ko; done
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -s /udhcpc -q -n -t 5 -T 1 -O mtu -O search >/dev/null
stty -echo
echo machine is up
while read -r line; do eval "$line"; done
""" % " ".join(MODULES)

# What udhcpc was told: the address, the way out, the names.
UDHCPC = """#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev eth0 scope global
ip addr add $ip/$mask dev eth0
ip route replace default via $router
[ -z "$mtu" ] || ip link set eth0 mtu $mtu
[ -z "$hostname" ] || hostname $hostname
for s in $dns; do echo nameserver $s; done >/etc/resolv.conf
[ -z "$search" ] || echo search $search >>/etc/resolv.conf
echo "$ip $mask $router $dns $lease" >/lease
"""


class Cpio:
    """The format that the kernel unpacks: newc."""

    def __init__(self, out):
        self.out = out
        self.inode = 0

    def add(self, name, mode, data=b"", rdev=(0, 0), mtime=0):
        self.inode += 1
        name = name.encode() + b"\0"
        fields = (self.inode, mode, 0, 0, 1, mtime, len(data), 0, 0, *rdev,
                  len(name), 0)
        head = b"070701" + b"".join(b"%08x" % f for f in fields) + name
        self.out.write(head + b"\0" * (-len(head) % 4))
        self.out.write(data + b"\0" * (-len(data) % 4))

    def directory(self, name):
        self.add(name, 0o40755)

    def file(self, name, data, mode=0o755, mtime=0):
        self.add(name, 0o100000 | mode, data, mtime=mtime)

    def link(self, name, to):
        self.add(name, 0o120777, to.encode())

    def end(self):
        self.add("TRAILER!!!", 0)


def build(aside, out):
    busybox = (aside / "bin/busybox").read_bytes()
    kernel_modules = {p.stem: p for p in aside.glob("lib/modules/**/*.ko")}
    with gzip.open(out, "wb", compresslevel=1) as f:
        cpio = Cpio(f)
        for name in "bin dev etc modules proc sys tmp www".split():
            cpio.directory(name)
        cpio.add("dev/console", 0o20600, rdev=(5, 1))
        cpio.file("bin/busybox", busybox)
        for name in APPLETS:
            cpio.link("bin/" + name, "busybox")
        for name in MODULES:
            cpio.file(f"modules/{name}.ko", kernel_modules[name].read_bytes())
        cpio.file("udhcpc", UDHCPC.encode())
        cpio.file("init", INIT.encode())
        cpio.file("www/hello", b"from the machine\n", 0o644)
        cpio.end()


def with_program(aside, program, out):
    """
    The archive in ASIDE, and behind it, as the kernel takes them, one with
    the program, which needs no library, and the modules of sock_diag.
    """
    with open(out, "wb") as f:
        f.write((pathlib.Path(aside) / "initramfs.gz").read_bytes())
        f.write(b"\0" * (-f.tell() % 4))
        with gzip.open(f, "wb", compresslevel=1) as packed:
            cpio = Cpio(packed)
            for name in "modules", "run", "root":
                cpio.directory(name)
            for name in "inet_diag", "tcp_diag", "udp_diag":
                at = next(pathlib.Path(aside).glob(f"lib/**/{name}.ko"))
                cpio.file(f"modules/{name}.ko", at.read_bytes())
            cpio.file("bin/slipway", pathlib.Path(program).read_bytes())
            cpio.end()


if __name__ == "__main__":
    build(pathlib.Path(sys.argv[1]), sys.argv[2])
