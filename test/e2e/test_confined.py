# SPDX-License-Identifier: MIT
"""Where namespaces are forbidden: what then runs of the tests, and the demo."""

import pathlib
import subprocess
import xml.etree.ElementTree as ElementTree

from test_vm import ASIDE, pytestmark                  # noqa: F401

HERE = pathlib.Path(__file__).parent
CONFINED = str(HERE / "confined")
DEMO = HERE / ".." / ".." / "scripts" / "demo"


def confined(*command):
    return subprocess.run([CONFINED, *map(str, command)], text=True,
                          capture_output=True, timeout=80)


def test_it_forbids_what_a_plain_container_does():
    assert confined(HERE / "enter", "true").returncode == 77
    for tried in ("unshare --user true", "unshare --net true",
                  ": <>/dev/net/tun", "mount -t tmpfs none /mnt"):
        assert confined("sh", "-c", tried).returncode != 0, tried


def test_the_tests_run_in_a_virtual_machine(tmp_path):
    """None of those that need namespaces: a file stands for all of them."""
    done = confined(HERE / "run", "-q", "--tb=short",
                    f"--junitxml={tmp_path}/results.xml",
                    HERE / "test_no_namespaces.py", HERE / "test_run.py")
    assert done.returncode == 0, done.stdout
    assert "forbids user namespaces" in done.stdout.splitlines()[0]
    suite = ElementTree.parse(tmp_path / "results.xml").find("testsuite")
    ran = {(case.get("classname"), case.find("skipped") is None)
           for case in suite.iter("testcase")}
    assert ran == {("test_no_namespaces", True), ("test_run", False)}


def test_the_demo_plays_with_a_virtual_machine():
    done = confined(DEMO)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "so the guest is a virtual machine" in done.stdout
    assert done.stdout.endswith("\ndemo: passed\n")
