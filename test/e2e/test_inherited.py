# SPDX-License-Identifier: MIT
"""serve --fd: a socket that whoever started it has made."""

import contextlib
import os
import socket

import pytest

from plug import Plug, Serve
from scene import WORLD4, sh


class Inherited(Serve):
    """serve with a descriptor of ours."""

    def __init__(self, slipway, directory, name, sock):
        self.sock = sock
        super().__init__(slipway, directory, name)

    def start(self):
        self.inherited = (self.sock.fileno(),)
        self.options = "--fd", str(self.sock.fileno())
        super().start()


class Held(Plug):
    """A plug whose end of the socket is there already."""

    def __init__(self, sock):
        self.end_of_pair = sock
        super().__init__(None)

    def join(self, path):
        self.sock = self.end_of_pair
        self.start_threads()


def reaches_the_world(plug, status):
    with plug:
        sh(f"ip addr add {status['guest']['ipv4']}/20 dev eth0;"
           f"ip route add default via {status['gateway']['ipv4']}")
    return plug.sh(f"ping -c1 -w5 {WORLD4}").returncode == 0


def test_connected(root, world, tmp_path):
    """It ends with its one machine."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        serve = Inherited(root, tmp_path, "given", theirs)
        theirs.close()
        with contextlib.closing(Held(ours)) as plug:
            assert reaches_the_world(plug, serve.status())
            assert serve.front.poll() is None
    assert serve.front.wait(5) == 0
    serve.close()


def test_listening(root, world, tmp_path):
    """One machine after the other, and the file stays."""
    path = str(tmp_path / "made.sock")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path)
        made.listen(4)
        with contextlib.closing(Inherited(root, tmp_path, "given",
                                          made)) as serve:
            for _ in range(2):
                with contextlib.closing(Plug(path)) as plug:
                    assert reaches_the_world(plug, serve.status())
    assert os.path.exists(path)


@pytest.mark.parametrize("number, says", [
    ("77", "not open"), ("x", "not a descriptor's number"),
    ("0", "no stream socket"),
])
def test_what_is_no_socket(root, number, says):
    done = root("serve", "--fd", number)
    assert done.returncode in (1, 2) and says in done.stderr, done.stderr
