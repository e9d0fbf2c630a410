# SPDX-License-Identifier: MIT
"""UDP in batches (GSO and GRO), as QUIC sends it: both ways, whole and cut."""

import contextlib
import os
import platform
import socket
import struct

import pytest

from scene import FAR4, FAR6, WORLD4, WORLD6
from servers import datagram

SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
PORT, SIZE = 4433, 1200

# Batches on a tap: Linux 6.2.
uso = pytest.mark.skipif(
    tuple(int(n) for n in platform.release().split(".")[:2]) < (6, 2),
    reason="this kernel's tap knows no batches of UDP")


def batch(sock, data, to, size=SIZE):
    """Send data as datagrams of that size, by one call."""
    sock.sendmsg([data], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", size))], 0,
                 to)


def whole(sock, sender_done=None):
    """One receive: its bytes, and the size of a datagram if it is a batch."""
    data, control, _, peer = sock.recvmsg(65535, 64)
    size = [struct.unpack("i", value[:4])[0] for level, kind, value in
            control if (level, kind) == (SOL_UDP, UDP_GRO)]
    return data, size[0] if size else None, peer


def pieces(sock, size):
    got = []
    while sum(map(len, got)) < size:
        got.append(sock.recv(65535))
    return got


@contextlib.contextmanager
def both(guest, scene, address, far_gro=False, near_gro=False):
    """A socket of the guest's, and one that it has spoken to, in the world."""
    with scene.world:
        far = datagram(address, PORT)
    with guest:
        near = socket.socket(far.family, socket.SOCK_DGRAM)
    with far, near:
        near.settimeout(5)
        far.settimeout(5)
        near.sendto(b"ahoy", (address, PORT))
        _, peer = far.recvfrom(100)
        if far_gro:
            far.setsockopt(SOL_UDP, UDP_GRO, 1)
        if near_gro:
            near.setsockopt(SOL_UDP, UDP_GRO, 1)
        yield near, far, peer


@pytest.mark.smoke
@pytest.mark.parametrize("address", [WORLD4, WORLD6])
def test_each_datagram_of_a_guests_batch_arrives(guest, scene, address):
    data = os.urandom(20 * SIZE + 300)
    with both(guest, scene, address) as (near, far, _):
        batch(near, data, (address, PORT))
        got = pieces(far, len(data))
    assert [len(p) for p in got] == 20 * [SIZE] + [300]
    assert b"".join(got) == data


@pytest.mark.smoke
@pytest.mark.parametrize("address", [WORLD4, WORLD6])
def test_each_datagram_of_a_batch_reaches_the_guest(guest, scene, address):
    data = os.urandom(20 * SIZE + 300)
    with both(guest, scene, address) as (near, far, peer):
        batch(far, data, peer)
        got = pieces(near, len(data))
    assert [len(p) for p in got] == 20 * [SIZE] + [300]
    assert b"".join(got) == data


@uso
@pytest.mark.parametrize("address", [FAR4, FAR6])
def test_a_guests_batch_crosses_in_one_piece(guest, scene, address):
    """One frame, one system call, one packet on the host's wire."""
    data = os.urandom(30 * SIZE)
    with both(guest, scene, address, far_gro=True) as (near, far, _):
        batch(near, data, (address, PORT))
        assert whole(far)[:2] == (data, SIZE)


@uso
@pytest.mark.parametrize("address", [FAR4, FAR6])
def test_a_batch_reaches_the_guest_in_one_piece(guest, scene, address):
    data = os.urandom(30 * SIZE)
    with both(guest, scene, address, near_gro=True) as (near, far, peer):
        batch(far, data, peer)
        assert whole(near)[:2] == (data, SIZE)


@uso
def test_a_batch_too_wide_for_the_path_goes_in_fragments(root, scene, world):
    """A guest with a larger MTU: no kernel cuts such a batch, but we may."""
    assert world
    data = os.urandom(5 * 4000)
    with contextlib.closing(root.guest("--mtu", "9000")) as guest, \
            both(guest, scene, WORLD4) as (near, far, _):
        near.setsockopt(socket.IPPROTO_IP, 10, 0)   # IP_PMTUDISC_DONT
        batch(near, data, (WORLD4, PORT), size=4000)
        got = pieces(far, len(data))
    assert [len(p) for p in got] == 5 * [4000]
    assert b"".join(got) == data
