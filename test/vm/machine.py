# SPDX-License-Identifier: MIT
"""
A virtual machine under QEMU's emulation, told what to do on its console.

As a program, for the demo: `machine.py boot ASIDE QEMU-SOCKET CONSOLE` is one
on the link of `serve --qemu`, until SIGTERM. It says "ready" when it is up,
and takes commands at the socket CONSOLE. `machine.py sh CONSOLE COMMAND...`
runs one of them, with its output and its status.
"""

import itertools
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import time


def stream(path):
    """QEMU's end of the socket of `serve --qemu`."""
    return f"stream,id=n,server=off,addr.type=unix,addr.path={path}"


def listening(path):
    """QEMU's end of the socket of `serve --qemu-connect`."""
    return f"stream,id=n,server=on,addr.type=unix,addr.path={path}"


def datagrams(path):
    """QEMU's end of the socket of `serve --qemu-dgram`."""
    return (f"dgram,id=n,local.type=unix,local.path={path}.vm,"
            f"remote.type=unix,remote.path={path}")


def vhost_user(path):
    """QEMU's end of the socket of `serve --vhost-user`."""
    return Shared(path)


class Shared:
    """
    A link that needs more of the machine than a -netdev. Without KVM, QEMU 7.2
    dies of a card with MSI-X whose link is vhost-user: hence no vectors.
    """

    card, queues = ",vectors=0", 1

    def __init__(self, path):
        self.path = path

    def options(self, mebibytes):
        return ("-object", f"memory-backend-memfd,id=m,size={mebibytes}M,"
                "share=on", "-machine", "memory-backend=m",
                "-chardev", f"socket,id=c,path={self.path},reconnect=1")

    def __str__(self):
        return f"vhost-user,id=n,chardev=c,queues={self.queues}"


class Machine:
    """Debian's cloud kernel with an initramfs; its only card is ours."""

    def __init__(self, aside, netdev=None, mac="52:54:00:12:34:56",
                 seconds=60, initrd=None, mebibytes=256, processors=1,
                 card="", reboots=False, disk=None):
        kernel = next(pathlib.Path(aside).glob("boot/vmlinuz-*"))
        self.numbers = itertools.count(1)
        self.seen = ""
        if "mq=on" in card:
            netdev.queues = processors
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-m",
             str(mebibytes), "-smp", str(processors), "-cpu", "max",
             "-nodefaults", "-no-user-config", "-display", "none",
             "-serial", "stdio", *(() if reboots else ("-no-reboot",)),
             "-kernel", kernel, "-initrd",
             initrd or f"{aside}/initramfs.gz",
             "-append", "console=ttyS0 quiet panic=-1 no_timer_check",
             *(netdev.options(mebibytes) if isinstance(netdev, Shared)
               else ()),
             *(("-netdev", str(netdev), "-device",
                f"virtio-net-pci,netdev=n,mac={mac},romfile="
                f"{getattr(netdev, 'card', '')}{card and ',' + card}")
               if netdev else ()),
             *(("-drive", disk) if disk else ())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        os.set_blocking(self.qemu.stdout.fileno(), False)
        try:
            self.until("machine is up", seconds)
        except BaseException:       # who made it has nothing to close
            self.close()
            raise

    def until(self, text, seconds):
        """What the console says up to the text."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            left = end - time.monotonic()
            assert left > 0, f"no {text!r} within {seconds} s: {self.seen}"
            select.select([self.qemu.stdout], [], [], left)
            more = self.qemu.stdout.read()
            assert more != b"", f"qemu has ended: {self.seen}"
            self.seen += (more or b"").decode(errors="replace")
        before, _, self.seen = self.seen.partition(text)
        return before.replace("\r", "")

    def sh(self, command, seconds=30):
        """Run a command in it: its status and what it printed."""
        mark = f"end-{next(self.numbers)}-"
        self.qemu.stdin.write(f"{command}; echo {mark}$?.\n".encode())
        self.qemu.stdin.flush()
        said = self.until(mark, seconds)
        status = int(self.until(".", 5))
        return status, said.lstrip("\n")

    def reboot(self, seconds=60):
        self.qemu.stdin.write(b"reboot -f\n")
        self.qemu.stdin.flush()
        self.until("machine is up", seconds)

    def close(self):
        self.qemu.kill()
        self.qemu.wait()
        self.qemu.stdin.close()
        self.qemu.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def boot(aside, link, console):
    """One command after the other, each over a connection of its own."""
    with Machine(aside, stream(link)) as machine, \
            socket.socket(socket.AF_UNIX) as door:
        door.bind(console)
        door.listen(1)
        print("ready", flush=True)
        while True:
            with door.accept()[0] as one, one.makefile("rw") as text:
                status, said = machine.sh(text.readline().strip())
                text.write(f"{status}\n{said}")


def sh(console, *words):
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(console)
        with door.makefile("rw") as text:
            text.write(" ".join(words) + "\n")
            text.flush()
            status, _, said = text.read().partition("\n")
    print(said, end="")
    return int(status)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.exit({"boot": boot, "sh": sh}[sys.argv[1]](*sys.argv[2:]))
