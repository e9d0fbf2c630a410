# SPDX-License-Identifier: MIT
"""
An image for clouds: the lines of docs/virtual-machines.md, in a Debian that
boots by systemd and asks cloud-init what it is to be.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request

import pytest

from scene import PROGRAM, STATIC, until
from test_vm import ASIDE, Served, pytestmark as needs

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "vm"))
import cloud                                            # noqa: E402

SECONDS = 600                   # its CPU is emulated, and others compute

pytestmark = [
    *needs, pytest.mark.debian, pytest.mark.seconds(SECONDS),
    pytest.mark.skipif(bool(cloud.missing(ASIDE)),
                       reason=str(cloud.missing(ASIDE))),
    pytest.mark.skipif(not os.path.exists(STATIC),
                       reason="there is no slipway-static"),
]


def documented():
    """The lines that make a seed, and the option of QEMU's."""
    with open(os.path.join(HERE, "../../docs/virtual-machines.md")) as f:
        section = re.search(r"^## cloud-init\n(.*?)^## ", f.read(),
                            re.M | re.S)[1]
    lines, qemu = re.search(r"```\n(.*?)^qemu-system-x86_64 \.\.\. (.*?)\n```",
                            section, re.M | re.S).groups()
    return lines, shlex.split(qemu)


@pytest.fixture
def machine(root, tmp_path):
    lines, (option, disk) = documented()
    (tmp_path / "build").symlink_to(os.path.dirname(PROGRAM))
    subprocess.run(["sh", "-ec", lines], cwd=tmp_path, check=True)
    disk = disk.replace("file.dir=seed", f"file.dir={tmp_path}/seed")
    assert option == "-drive" and str(tmp_path) in disk
    archive = tmp_path / "archive"
    cloud.build(ASIDE, archive)
    s = Served(root, tmp_path, "cloud", "--localhost", "auto",
               link="vhost-user", initrd=archive, mebibytes=1024,
               processors=2, disk=disk, seconds=SECONDS)
    yield s
    s.close()


def status(s):
    return json.loads(s.slipway("status", "--json", s.name).stdout)


def test_the_agent_comes_with_the_seed(machine):
    def run(*words):
        done = machine.slipway("exec", machine.name, *words, timeout=SECONDS)
        assert done.stderr == ""
        return done.stdout.strip()

    until(lambda: "agent" in status(machine), SECONDS,
          "the agent", 0.5)
    assert "status: done" in run("cloud-init", "status", "--wait")
    assert run("systemctl", "is-active", "slipway-guest") == "active"
    assert run("systemctl", "is-enabled", "slipway-guest") == "enabled"
    assert run("hostname") == "vm"
    assert run("systemctl", "--failed", "--plain", "--no-legend") == ""
    run("sh", "-c", "mkdir /www; echo from the cloud >/www/hello; systemd-run "
        "-q python3 -m http.server -b 127.0.0.1 -d /www 8044")
    until(lambda: 8044 in [f["port"] for f in status(machine)["forwards"]],
          SECONDS, "the port", 0.5)
    with urllib.request.urlopen("http://localhost:8044/hello") as answer:
        assert answer.read() == b"from the cloud\n"
