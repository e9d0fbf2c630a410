# SPDX-License-Identifier: MIT
"""`[boot] command`: what is to be done in the guest before its command."""

import contextlib
import signal
import subprocess
import time

import pytest

from scene import until
from test_mtu import link_mtu, tunnel

pytestmark = pytest.mark.patient


def warnings(slipway, name):
    status, = (s for s in slipway.status() if s["name"] == name)
    return status["warnings"]


@pytest.mark.smoke
def test_it_comes_first_and_may_change_the_network(slipway, boot):
    """Root's rights over the guest's network; and nothing undoes it."""
    options = boot("ip link set eth0 mtu 1350 && ip route add "
                   "203.0.113.9 dev lo")
    with contextlib.closing(slipway.guest(*options, name="boot")) as guest:
        assert link_mtu(guest) == 1350
        assert "dev lo" in guest.sh("ip route show 203.0.113.9").stdout
        assert warnings(slipway, "boot") == []
        with contextlib.closing(slipway.guest()) as other, \
                tunnel(1400, ("0.0.0.0/1", "128.0.0.0/1")):
            until(lambda: link_mtu(other) == 1400, 3, "the VPN's MTU")
            assert link_mtu(guest) == 1350


def test_an_ordinary_users_has_no_other_rights(user, boot, tmp_path):
    out = tmp_path / "caps"
    out.touch(mode=0o666)
    options = boot(f"grep Cap /proc/self/status >{out}")
    assert user("run", *options, "true").returncode == 0
    caps = dict(line.split() for line in out.read_text().splitlines())
    network = 1 << 12 | 1 << 13 | 1 << 10
    assert {int(value, 16) for value in caps.values()} == {network}


def test_its_status_is_told_and_the_command_goes_on(root, boot):
    with contextlib.closing(root.guest(*boot("exit 3"), name="boot")):
        assert "the boot command has ended with status 3" in \
            warnings(root, "boot")
    with contextlib.closing(root.guest(*boot("kill -9 $$"), name="boot")):
        assert "the boot command was ended by signal 9" in \
            warnings(root, "boot")


def test_it_does_not_write_to_the_terminal(root, boot):
    done = root("run", *boot("echo loud; echo loud >&2; cat"), "echo", "mine")
    assert (done.stdout, done.stderr) == ("mine\n", "")


def test_one_that_does_not_end_holds_nobody_up_for_ever(root, boot):
    began = time.monotonic()
    with contextlib.closing(root.guest(*boot("sleep 100"), name="boot")):
        assert 9 < time.monotonic() - began < 15
        assert any("has not ended in time" in w
                   for w in warnings(root, "boot"))


def test_who_is_ended_while_it_runs_leaves_nothing(root, boot, tmp_path):
    mark = tmp_path / "runs"
    front = root.popen("run", *boot(f"echo >{mark}; exec sleep 97.31"),
                       "true")
    until(mark.exists, 5, "the boot command")
    front.send_signal(signal.SIGTERM)
    front.communicate(timeout=5)
    root.gone(2)
    until(lambda: subprocess.run(["pgrep", "-f", "sleep 97.31"],
                                 capture_output=True).returncode, 3,
          "its end")
