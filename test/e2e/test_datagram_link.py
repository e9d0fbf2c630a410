# SPDX-License-Identifier: MIT
"""serve --qemu-dgram: a machine whose frames come as datagrams."""

import contextlib
import hashlib
import os
import socket
import stat

import pytest

from plug import DatagramPlug, Serve
from scene import WORLD4, in_thread, sh
from servers import listener


@pytest.fixture
def serve(root, world, tmp_path):
    with contextlib.closing(Serve(root, tmp_path, "datagrams",
                                  link="qemu-dgram")) as s:
        yield s


@pytest.fixture
def plug(serve):
    with contextlib.closing(machine_at(serve)) as p:
        yield p


def addressed(plug, status):
    with plug:
        sh(f"ip addr add {status['guest']['ipv4']}/20 dev eth0;"
           f"ip route add default via {status['gateway']['ipv4']}")
    return plug


def machine_at(serve):
    return addressed(DatagramPlug(serve.socket), serve.status())


def reaches(plug, address):
    done = plug.sh(f"ping -c1 -i0.2 -w5 {address}")
    return done.returncode == 0


def gateway(serve):
    return serve.status()["gateway"]["ipv4"]


def test_one_machine_after_the_other(serve):
    for _ in range(3):
        with contextlib.closing(machine_at(serve)) as plug:
            assert reaches(plug, gateway(serve))


def test_one_that_was_killed_leaves_its_socket_behind(serve, plug):
    assert reaches(plug, gateway(serve))
    plug.leave()
    assert os.path.exists(serve.socket + ".vm")
    plug.join(serve.socket)
    assert reaches(plug, gateway(serve))


def test_a_machine_that_was_there_first(root, world, tmp_path):
    path = f"{tmp_path}/qemu.sock"
    with contextlib.closing(DatagramPlug(path)) as plug, \
            contextlib.closing(Serve(root, tmp_path, "late",
                                     link="qemu-dgram")) as serve:
        addressed(plug, serve.status())
        assert reaches(plug, gateway(serve))


def test_its_own_path_may_be_given(root, world, tmp_path):
    class Elsewhere(DatagramPlug):
        own = str(tmp_path / "elsewhere")

    serve = Serve(root, tmp_path, "pair")
    serve.close()
    serve.options = ("--qemu-dgram", f"{serve.socket},{Elsewhere.own}")
    serve.start()
    with contextlib.closing(serve), \
            contextlib.closing(Elsewhere(serve.socket)) as plug:
        addressed(plug, serve.status())
        assert reaches(plug, gateway(serve))


@pytest.mark.parametrize("up", [True, False], ids=["up", "down"])
def test_it_carries_much_unharmed(serve, plug, up):
    data = os.urandom(4 << 20)
    with serve.slipway.scene.world:
        waiting = listener(WORLD4)
    with waiting:
        assert reaches(plug, gateway(serve))
        with plug:
            near = socket.create_connection(waiting.getsockname(), 5)
        far = waiting.accept()[0]
    sender, receiver = (near, far) if up else (far, near)
    with sender, receiver:
        def send():
            sender.sendall(data)
            sender.shutdown(socket.SHUT_WR)
        sent = in_thread(send)
        digest = hashlib.sha256()
        receiver.settimeout(15)
        while block := receiver.recv(1 << 18):
            digest.update(block)
        sent()
    assert digest.digest() == hashlib.sha256(data).digest()


def test_who_waits_for_it_rests(serve, plug):
    def ticks():
        with open(f"/proc/{serve.front.pid}/stat") as f:
            return sum(map(int, f.read().rpartition(")")[2].split()[11:13]))

    assert reaches(plug, gateway(serve))
    before = ticks()
    plug.sh(f"ping -c6 -i0.2 {gateway(serve)}")
    assert ticks() - before < 20                # of 100 that a loop takes


def test_its_socket_is_the_users_alone(serve):
    mode = os.stat(serve.socket).st_mode
    assert stat.S_ISSOCK(mode) and not mode & 0o077


def test_it_leaves_nothing(serve):
    serve.close()
    assert not os.path.exists(serve.socket)
