# SPDX-License-Identifier: MIT
"""
A tap on the socket of `slipway serve`: a virtual machine that is none.

    guest netns: eth0 (tap)  <-- Plug -->  SOCK  <-- slipway serve

The kernel of the guest namespace, and any program in it, then meet the
network exactly as a machine under QEMU does: by DHCP, by router
advertisements, by frames without offloads. Each frame that passes can be
watched, and frames of one's own can be put on the wire.
"""

import contextlib
import fcntl
import os
import select
import socket
import struct
import subprocess
import threading

from scene import Netns, setup_namespace, sh

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 2, 0x1000
MAC = "52:54:00:12:34:56"


class Serve:
    """slipway serve, until close()."""

    inherited = ()                      # descriptors that it gets, besides

    def __init__(self, slipway, directory, name, *options, link="qemu"):
        self.slipway, self.name = slipway, name
        self.socket = f"{directory}/qemu.sock"
        self.options = f"--{link}", self.socket, *options
        self.start()

    def start(self):
        ready, told = os.pipe()
        self.front = self.slipway.popen(
            "serve", "-q", "--name", self.name, "--ready-fd", told,
            *self.options, pass_fds=(told, *self.inherited))
        os.close(told)
        with open(ready, encoding="ascii") as f:
            assert select.select([f], [], [], 20)[0] and f.readline(), \
                "serve did not come up"

    def status(self):
        return next(s for s in self.slipway.status()
                    if s["name"] == self.name)

    def close(self):
        if self.front.poll() is None:
            self.slipway("stop", self.name)
        self.front.wait(5)
        self.front.stdin.close()
        self.front.stdout.close()


class Plug(Netns):
    """A guest namespace whose eth0 is at the other end of that socket."""

    def __init__(self, path, mac=MAC, up=True):
        super().__init__()
        self.watchers, self.threads = [], []
        self.lock = threading.Lock()        # for the socket's sending side
        with self:
            setup_namespace()
            self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(self.tap, TUNSETIFF,
                        struct.pack("16sH22x", b"eth0", IFF_TAP | IFF_NO_PI))
            sh(f"ip link set eth0 address {mac}")
        self.end, self.other_end = os.pipe()
        self.join(path)
        if up:
            with self:
                sh("ip link set eth0 up")

    def join(self, path):
        """Connect to a socket; the old connection, if any, has ended."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.start_threads()

    def start_threads(self):
        self.threads = [threading.Thread(target=f, daemon=True)
                        for f in (self.from_tap, self.to_tap)]
        for t in self.threads:
            t.start()

    def leave(self):
        """Unplug; the interface and its addresses stay."""
        os.write(self.other_end, b"x")
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        for t in self.threads:
            t.join(5)
        os.read(self.end, 1)
        self.sock.close()

    def send(self, frame):
        """Put a frame on the wire as it is, whatever it is."""
        with self.lock:
            self.sock.sendall(struct.pack("!I", len(frame)) + frame)

    def watch(self, see):
        """From now on call see(from_guest, frame) for each frame."""
        self.watchers.append(see)

    def from_tap(self):
        with contextlib.suppress(OSError):
            while True:
                ready = select.select([self.tap, self.end], [], [])[0]
                if self.end in ready:
                    return
                frame = os.read(self.tap, 65536)
                for see in self.watchers:
                    see(True, frame)
                self.send(frame)

    def frames(self):
        """What comes from the other end of the socket."""
        stream = self.sock.makefile("rb", 1 << 18)
        with contextlib.suppress(OSError), stream:
            while len(head := stream.read(4)) == 4:
                yield stream.read(struct.unpack("!I", head)[0])

    def to_tap(self):
        for frame in self.frames():
            for see in self.watchers:
                see(False, frame)
            with contextlib.suppress(OSError):      # the interface is down
                os.write(self.tap, frame)

    def sh(self, command, timeout=30):
        """A shell command in the guest's network, not in its mounts."""
        with self:
            return subprocess.run(command, shell=True, text=True,
                                  capture_output=True, timeout=timeout)

    def close(self):
        self.leave()
        os.close(self.tap)
        os.close(self.end)
        os.close(self.other_end)
        super().close()


class DatagramPlug(Plug):
    """The same at a socket of datagrams, from one of its own: path.vm."""

    own = None                          # where it is: path.vm

    def join(self, path):
        self.to, self.own = path, self.own or path + ".vm"
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.own)
        self.sock.bind(self.own)
        self.start_threads()

    def send(self, frame):
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError,
                                 PermissionError):
            self.sock.sendto(frame, self.to)    # nobody, or not for us yet

    def frames(self):
        while frame := self.sock.recv(1 << 17):     # b"": shut down
            yield frame
