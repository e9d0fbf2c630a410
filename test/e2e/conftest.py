# SPDX-License-Identifier: MIT
"""Fixtures; start the tests by test/e2e/run, which makes the scene."""

import contextlib
import os
import signal
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from scene import (LONG, PROGRAM, Myself, Plain, Scene,  # noqa: E402
                   Slipway, User, until)
from servers import Dns, Server, UdpEcho, echo, web  # noqa: E402
from scene import FAR4, FAR6, WORLD4, WORLD6        # noqa: E402

IN_SCENE = os.environ.get("SLIPWAY_SCENE") == "1"

# A shell starts what is to run in the background deaf to ^C, and all that comes
# of it would be.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "smoke: run on Debian's own kernel, too (test_debian.py)")
    config.addinivalue_line("markers", "seconds(n): as long may it take")
    config.addinivalue_line(
        "markers", "plain: needs no scene, and no namespaces")
    config.addinivalue_line(
        "markers", "debian: computes for minutes and measures nothing")
    config.addinivalue_line(
        "markers", "patient: waits for others' timers and measures nothing")


def pytest_collection_modifyitems(items):
    why = os.environ.get("SLIPWAY_E2E_SKIP")
    if not why and not IN_SCENE:
        why = "not in a scene: start them by test/e2e/run"
    if why:
        for item in items:
            if not item.get_closest_marker("plain"):
                item.add_marker(pytest.mark.skip(reason=why))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """A test that hangs fails, rather than the whole run."""
    def too_long(*_):
        pytest.fail(f"took more than {seconds} s")
    own = item.get_closest_marker("seconds")
    seconds = own.args[0] if own else 1800 if LONG else 90
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def scene():
    assert os.access(PROGRAM, os.X_OK), f"{PROGRAM} is not built"
    return Scene() if IN_SCENE else Plain()


@pytest.fixture(scope="session")
def root(scene, tmp_path_factory):
    """slipway as the scene's root; without a scene, as who we are."""
    user = None if IN_SCENE or os.geteuid() == 0 else Myself()
    return Slipway(scene, tmp_path_factory.mktemp("root"), user)


@pytest.fixture(scope="session")
def user(scene, tmp_path_factory):
    """slipway as an ordinary user of the scene, uid 1000."""
    with contextlib.closing(User()) as person:
        yield Slipway(scene, tmp_path_factory.mktemp("user"), person)


@pytest.fixture(params=["root", "user"])
def slipway(request):
    """slipway as both."""
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def nothing_left(scene):
    """After each test there is no process and no interface more."""
    before = scene.leftovers()
    yield
    until(lambda: not set(scene.leftovers()) - set(before), 2,
          "the end of all that the test started")


@pytest.fixture(scope="module")
def guest(root):
    """A guest with the defaults, shared by the tests of one file."""
    g = root.guest()
    yield g
    g.close()


class World:
    """The servers of the world; each address has the same."""

    def __init__(self):
        addresses = (WORLD4, WORLD6, FAR4, FAR6)
        self.echo = {a: Server(a, echo, 7) for a in addresses}
        self.web = {a: Server(a, web, 80) for a in addresses}
        self.udp = {a: UdpEcho(a, 7) for a in addresses}
        self.dns = Dns(WORLD4)


@pytest.fixture(scope="session")
def world(scene):
    """The world with its servers: echo on 7, web on 80, DNS on 53."""
    with scene.world:
        servers = World()
    return servers


@pytest.fixture
def boot(tmp_path):
    """Options: a file of settings with that boot command."""
    def write(command):
        path = tmp_path / "boot.conf"
        path.write_text(f"[boot]\ncommand = {command}\n")
        return "--config", path
    return write
