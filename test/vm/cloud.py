# SPDX-License-Identifier: MIT
"""
cloud.py - a Debian with systemd and cloud-init in a virtual machine

The archive is made as in debian.py: packages of this system, and those that
are unpacked aside, in ASIDE/cloud, because installed they would take part in
this machine's affairs. It boots as Debian's own images do, from systemd on,
and the disk with its seed is all that it is told.
"""

import os
import pathlib
import re

from debian import INIT, Tree, closure, depends, files, module_order
from initramfs import Cpio

PACKAGES = ("bash coreutils curl dash findutils grep hostname iproute2 kmod "
            "login mount passwd procps python3 sed systemd udev "
            "util-linux").split()
MODULES = ("virtio_pci virtio_net virtio_blk vfat nls_cp437 nls_ascii "
           "inet_diag tcp_diag udp_diag").split()

# Much to unpack, or to compile when it boots, and of no use there.
WITHOUT = re.compile(r"/(gconv|hwdb\.d)/")

# As debian.START, but that the end is systemd.
START = """
for m in %s; do /busybox insmod /modules/$m.ko; done
exec /lib/systemd/systemd
"""

# The console, where the tests say what to do.
CONSOLE = """[Unit]
DefaultDependencies=no
After=sysinit.target
[Service]
ExecStart=/usr/bin/sh -c 'stty -echo; echo machine is up; while read -r line; \
do eval "$$line"; done'
Environment=HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin
StandardInput=tty-force
StandardOutput=tty
TTYPath=/dev/ttyS0
"""

# Only what there are programs for; and it is nobody's desktop.
CLOUD = """system_info: {network: {renderers: [networkd]}}
cloud_init_modules: [bootcmd, write-files, set_hostname, update_hostname]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts-user, final-message]
"""

TEXTS = {
    "etc/cloud/cloud.cfg.d/90_test.cfg": CLOUD,
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n"
                  "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
                  "systemd-network:x:998:998::/:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\ndisk:x:6:\nkmem:x:15:\ninput:x:103:\n"
                 "sgx:x:104:\nkvm:x:105:\nrender:x:106:\n"
                 "nogroup:x:65534:\nsystemd-network:x:998:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\n",
    "etc/machine-id": "",
    "etc/systemd/system/console.service": CONSOLE,
}
WANTED = {
    "multi-user.target": ["systemd-networkd.service"],
    "sysinit.target": ["console.service"],
    "cloud-init.target": ["cloud-init-local.service", "cloud-init.service",
                          "cloud-config.service", "cloud-final.service"],
}


def build(aside, out):
    aside = pathlib.Path(aside)
    modules = {p.stem.replace("-", "_"): p
               for p in aside.glob("lib/modules/**/*.ko")}
    order = module_order(MODULES, modules)
    with open(out, "wb") as f:
        cpio = Cpio(f)
        tree = Tree(cpio)
        for name in ("dev mnt proc root run sys tmp var/lib var/log "
                     "var/tmp usr/local/bin").split():
            tree.directory(name)
        for name in "bin sbin lib lib64".split():
            cpio.link(name, "usr/" + name)
        cpio.add("dev/console", 0o20600, rdev=(5, 1))
        tree.add("/busybox", aside / "bin/busybox")
        for name in order:
            tree.add(f"/modules/{name}.ko", modules[name])
        for path in files(closure(PACKAGES)):
            if os.path.lexists(path) and not WITHOUT.search(path):
                tree.add(path, path)
        for path in sorted((aside / "cloud").rglob("*")):
            tree.add("/" + str(path.relative_to(aside / "cloud")), path)
        for name, text in TEXTS.items():
            tree.text(name, text)
        for target, units in WANTED.items():
            for unit in units:
                at = "/etc" if unit == "console.service" else "/lib"
                tree.link(f"etc/systemd/system/{target}.wants/{unit}",
                          f"{at}/systemd/system/{unit}")
        tree.link("etc/systemd/system/serial-getty@ttyS0.service", "/dev/null")
        tree.link("etc/systemd/system/default.target",
                  "/lib/systemd/system/multi-user.target")
        cpio.file("init", INIT.encode())
        cpio.file("start", (START % " ".join(order)).encode())
        cpio.end()


def missing(aside):
    """Why there can be no such machine here; None: there can."""
    absent = [p for p in PACKAGES if p not in depends()[0]]
    if absent:
        return f"not installed: {' '.join(absent)}"
    if not os.path.exists(f"{aside}/cloud/usr/bin/cloud-init"):
        return "cloud-init is not unpacked aside"
    return None
