# SPDX-License-Identifier: MIT
"""
debian.py - the tests' own system in a virtual machine

An archive for the kernel to unpack (cpio) with the packages that the
end-to-end tests use, copied from this Debian as dpkg lists them, the program
under test and the tests themselves. It runs commands from its serial console
as the other machine does, but on Debian's kernel and with Debian's tools.
"""

import os
import pathlib
import re
import shutil
import stat
import subprocess

from initramfs import Cpio

PACKAGES = ("bash bind9-dnsutils coreutils curl dash grep hostname iproute2 "
            "iputils-ping mount nftables procps python3 python3-pytest sed "
            "util-linux").split()
# Drawn in by the above, and of no use there.
WITHOUT = set("ca-certificates debconf dpkg install-info media-types openssl "
              "perl perl-base readline-common tar tzdata".split())
USELESS = re.compile(r"/usr/share/(doc|man|locale|info|lintian|bug|perl5|"
                     r"bash-completion|zoneinfo)/|/usr/lib/python3.*/"
                     r"(test|idlelib|tkinter|lib2to3|ensurepip)/")
# In the order of their dependencies, where those are not found in the file.
MODULES = ("tun veth tcp_diag udp_diag nf_tables nft_ct nft_numgen "
           "nft_limit nft_reject_inet").split()

# The root that the kernel unpacks to cannot be left (pivot_root(2)): a mount
# of it over itself can.
INIT = """#!/busybox sh
/busybox mkdir /new
/busybox mount --bind / /new
cd /new
/busybox mount --move /new /
exec /busybox chroot . /busybox sh /start
"""

START = """
/busybox mount -t proc proc /proc
/busybox mount -t sysfs sys /sys
/busybox mount -t devtmpfs dev /dev
/busybox mkdir -p /dev/pts /dev/shm
/busybox mount -t devpts dev /dev/pts
/busybox mount -t tmpfs -o mode=1777 tmp /tmp
for m in %s; do /busybox insmod /modules/$m.ko; done
export PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8
stty -echo
echo machine is up
while read -r line; do eval "$line"; done
"""


def output(*command):
    return subprocess.run(command, check=True, text=True,
                          capture_output=True).stdout


def depends():
    """Each installed package: those that it may depend on."""
    text = output("dpkg-query", "-W", "-f",
                  "${db:Status-Abbrev}\t${Package}\t${Provides}\t"
                  "${Pre-Depends}, ${Depends}\n")
    found, provided = {}, {}
    for line in text.splitlines():
        status, name, provides, needs = line.split("\t")
        if status.startswith("ii"):
            found[name] = re.findall(r"(?:^|[,|])\s*([a-z0-9.+-]+)", needs)
            for p in re.findall(r"(?:^|,)\s*([a-z0-9.+-]+)", provides):
                provided[p] = name
    return found, provided


def closure(names):
    needs, provided = depends()
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        name = name if name in needs else provided.get(name)
        if name and name not in found and name not in WITHOUT:
            found.add(name)
            todo += needs[name]
    return sorted(found)


def files(packages):
    """Their paths, and what was compiled of them."""
    for path in sorted(set(output("dpkg", "-L", *packages).splitlines())):
        if not path.startswith("/") or USELESS.search(path):
            continue
        yield path
        if path.endswith(".py"):
            at = pathlib.Path(path)
            yield from map(str, at.parent.glob(
                f"__pycache__/{at.stem}.*.pyc"))


def libraries(program):
    return re.findall(r"(/\S+) \(0x", output("ldd", program))


class Tree:
    """What was added, each name once, below /usr where Debian has it."""

    def __init__(self, cpio):
        self.cpio, self.names = cpio, set()

    def parent(self, name):
        at = os.path.dirname(name)
        if at and at not in self.names:
            self.parent(at)
            self.names.add(at)
            self.cpio.directory(at)

    def directory(self, name):
        self.parent(name + "/")

    def text(self, name, data, mode=0o644):
        self.parent(name)
        self.names.add(name)
        self.cpio.file(name, data.encode(), mode)

    def link(self, name, to):
        self.parent(name)
        self.names.add(name)
        self.cpio.link(name, to)

    def add(self, name, source, mode=None):
        name = re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/",
                      name).lstrip("/")
        info = os.lstat(source)
        if stat.S_ISDIR(info.st_mode):
            return
        if name in self.names:
            return
        self.parent(name)
        self.names.add(name)
        if stat.S_ISLNK(info.st_mode):
            self.cpio.link(name, os.readlink(source))
        elif stat.S_ISREG(info.st_mode):
            with open(source, "rb") as f:
                self.cpio.file(name, f.read(), mode or info.st_mode & 0o777,
                               int(info.st_mtime))


def module_order(names, at):
    """Kernel modules, each behind those that it needs."""
    done = []

    def add(name):
        if name in done or name not in at:      # built in
            return
        needs = re.search(rb"depends=([^\0]*)", at[name].read_bytes())
        for need in needs[1].decode().split(",") if needs else ():
            add(need.replace("-", "_"))
        done.append(name)
    for name in names:
        add(name)
    return done


def build(aside, out, program, tests):
    """The archive; tests is the folder that holds e2e and vm."""
    aside = pathlib.Path(aside)
    modules = {p.stem.replace("-", "_"): p
               for p in aside.glob("lib/modules/**/*.ko")}
    order = module_order(MODULES, modules)
    with open(out, "wb") as f:
        cpio = Cpio(f)
        for name in ("dev etc proc root run sys tmp usr usr/bin usr/sbin "
                     "usr/lib usr/lib64 var var/lib var/cache").split():
            cpio.directory(name)
        tree = Tree(cpio)
        for name in "bin sbin lib lib64".split():
            cpio.link(name, "usr/" + name)
        cpio.add("dev/console", 0o20600, rdev=(5, 1))
        tree.add("/busybox", aside / "bin/busybox")
        for name in order:
            tree.add(f"/modules/{name}.ko", modules[name])
        for path in files(closure(PACKAGES)):
            if os.path.lexists(path):
                tree.add(path, path)
        for path in libraries(program):
            tree.add(path, os.path.realpath(path))
        tree.add("/slipway/build/slipway", program, 0o755)
        for path in sorted(pathlib.Path(tests).rglob("e2e/*")):
            tree.add(f"/slipway/test/e2e/{path.name}", path)
        cpio.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644)
        cpio.file("etc/group", b"root:x:0:\n", 0o644)
        cpio.file("etc/hosts", b"127.0.0.1 localhost\n", 0o644)
        cpio.file("init", INIT.encode())
        cpio.file("start", (START % " ".join(order)).encode())
        cpio.end()


def missing():
    """Why there can be no such machine here; None: there can."""
    if not shutil.which("dpkg-query"):
        return "this system is no Debian"
    absent = [p for p in PACKAGES if p not in depends()[0]]
    return f"not installed: {' '.join(absent)}" if absent else None
