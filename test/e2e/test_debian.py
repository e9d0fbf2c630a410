# SPDX-License-Identifier: MIT
"""
The smoke on Debian's own kernel, 6.1: no SO_PEEK_OFF for TCP, no USO.

A virtual machine with this Debian's userland runs the tests that are marked
smoke, in a scene as here. Only its CPU is emulated: sizes are smaller there.
"""

import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from scene import PROGRAM

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "vm"))
import debian                                           # noqa: E402
from machine import Machine                             # noqa: E402

ASIDE = os.environ.get("SLIPWAY_VM", "")
SECONDS = 600
LEAST = 60                                              # tests of the smoke

pytestmark = [
    pytest.mark.debian,
    pytest.mark.plain,
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"),
                       reason="there is no qemu-system-x86_64"),
    pytest.mark.skipif(not os.path.exists(ASIDE + "/initramfs.gz"),
                       reason="there is no kernel for a virtual machine"),
    pytest.mark.skipif(bool(debian.missing()), reason=str(debian.missing())),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    archive = tmp_path_factory.mktemp("debian") / "archive"
    debian.build(ASIDE, archive, PROGRAM, os.path.dirname(HERE))
    with Machine(ASIDE, initrd=archive, mebibytes=1024, processors=2) as m:
        archive.unlink()
        yield m


def test_it_is_debians_kernel(machine):
    assert machine.sh("uname -r")[1].startswith("6.1.")


@pytest.mark.seconds(SECONDS)
def test_the_smoke_passes(machine):
    _, said = machine.sh(
        "cd /slipway && SLIPWAY_SMALL=1 test/e2e/run -q --color=no --tb=short"
        " --junitxml=/tmp/results.xml -m smoke --durations=10 "
        "$(grep -l '^@pytest.mark.smoke' test/e2e/*.py) </dev/null", SECONDS)
    _, xml = machine.sh("cat /tmp/results.xml", 30)
    suite = ElementTree.fromstring(xml[xml.index("<?xml"):]).find("testsuite")
    counts = {k: int(suite.get(k)) for k in
              ("tests", "failures", "errors", "skipped")}
    print(counts, suite.get("time"), "s")
    assert not counts["failures"] + counts["errors"], said
    assert counts["tests"] - counts["skipped"] >= LEAST, said
