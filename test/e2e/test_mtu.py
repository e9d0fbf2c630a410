# SPDX-License-Identifier: MIT
"""The MTU of the guest's link, which is that of the host's route."""

import contextlib
import json
import time

import pytest

from scene import WORLD4, sh, until


def link_mtu(guest):
    return json.loads(guest.sh("ip -j link show eth0").stdout)[0]["mtu"]


@contextlib.contextmanager
def tunnel(mtu, routes):
    """An interface of the host's that leads nowhere, and routes by it."""
    sh(f"ip tuntap add tun7 mode tun; ip link set tun7 mtu {mtu} up;"
       "ip addr add 10.7.7.2/24 dev tun7")
    try:
        for route in routes:
            sh(f"ip route add {route} dev tun7")
        yield
    finally:
        sh("ip link del tun7")


@pytest.mark.smoke
def test_it_follows_a_vpn_up_and_down(slipway, scene):
    with contextlib.closing(slipway.guest(name="follows")) as guest:
        assert link_mtu(guest) == 1500
        with tunnel(1400, ("0.0.0.0/1", "128.0.0.0/1")):
            began = time.monotonic()
            until(lambda: link_mtu(guest) == 1400, 3, "the VPN's MTU")
            assert time.monotonic() - began < 0.5
            until(lambda: slipway.status()[0]["mtu"] == 1400, 3, "in status")
        until(lambda: link_mtu(guest) == 1500, 3, "what it was")


def test_a_guest_begins_with_it(root, scene):
    with tunnel(1420, ("0.0.0.0/1", "128.0.0.0/1")), \
            contextlib.closing(root.guest()) as guest:
        assert link_mtu(guest) == 1420


def test_the_mtu_of_a_route_counts(root, scene):
    with contextlib.closing(root.guest()) as guest:
        sh(f"ip route change default via {WORLD4} mtu 1360")
        try:
            until(lambda: link_mtu(guest) == 1360, 3, "the route's MTU")
        finally:
            sh(f"ip route change default via {WORLD4}")
        until(lambda: link_mtu(guest) == 1500, 3, "what it was")


def test_it_is_never_less_than_ipv6_needs(root, scene):
    """The last one to change is awaited, and the first must be there."""
    with contextlib.closing(root.guest()) as guest, \
            contextlib.closing(root.guest("--no-ipv6")) as old, \
            tunnel(1000, ("0.0.0.0/1", "128.0.0.0/1")):
        until(lambda: link_mtu(old) == 1000, 3, "1000 without IPv6")
        until(lambda: link_mtu(guest) == 1280, 3, "1280 with it")


def test_an_idle_interface_lowers_nothing(root, scene):
    """Only where the host's route leads; the change after it is seen."""
    with contextlib.closing(root.guest()) as guest:
        with tunnel(1300, ("203.0.113.0/24",)):
            sh(f"ip route change default via {WORLD4} mtu 1450")
            try:
                until(lambda: link_mtu(guest) != 1500, 3, "a change")
                assert link_mtu(guest) == 1450
            finally:
                sh(f"ip route change default via {WORLD4}")
        until(lambda: link_mtu(guest) == 1500, 3, "what it was")


def test_a_host_without_a_route_changes_nothing(root, scene):
    with contextlib.closing(root.guest()) as guest, \
            contextlib.closing(root.guest()) as other:
        sh("ip route del default; ip -6 route del default")
        try:
            assert link_mtu(guest) == 1500
        finally:
            sh(f"ip route add default via {WORLD4} mtu 1440;"
               "ip -6 route add default via 2001:db8::1")
        until(lambda: link_mtu(other) == 1440, 3, "the new route's")
        sh(f"ip route change default via {WORLD4}")
        until(lambda: link_mtu(guest) == 1500, 3, "what it was")


def test_what_is_set_inside_or_by_option_stays(root, scene):
    with contextlib.closing(root.guest()) as guest, \
            contextlib.closing(root.guest("--mtu", "1490")) as given, \
            contextlib.closing(root.guest()) as third:
        guest.sh("ip link set eth0 mtu 1350")
        with tunnel(1400, ("0.0.0.0/1", "128.0.0.0/1")):
            until(lambda: link_mtu(third) == 1400, 3, "the VPN's MTU")
            until(lambda: "left alone" in guest_log(root), 3, "the log")
            assert (link_mtu(guest), link_mtu(given)) == (1350, 1490)


def guest_log(root):
    """What the logs of all guests say."""
    text = ""
    for status in root.status():
        with open(status["log"]) as f:
            text += f.read()
    return text
