# SPDX-License-Identifier: MIT
"""slipway-static: one file, which takes nothing from where it is copied to."""

import copy
import os
import struct
import subprocess

import pytest

from scene import PROGRAM, STATIC, WORLD4

pytestmark = pytest.mark.skipif(not os.path.exists(STATIC),
                                reason="there is no slipway-static")

INTERP, DYNAMIC, NEEDED = 3, 2, 1       # of ELF

CANARY = """
#include <fcntl.h>
#include <stdlib.h>
__attribute__((constructor)) static void sing(void)
{
	creat(getenv("CANARY"), 0600);
}
"""


def segments(program):
    """Of an ELF file of 64 bits: (type, what lies there)."""
    with open(program, "rb") as f:
        data = f.read()
    at, = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for i in range(count):
        kind, _, start, _, _, length = struct.unpack_from(
            "<IIQQQQ", data, at + i * size)
        yield kind, data[start:start + length]


def needs(program):
    found = {kind: data for kind, data in segments(program)}
    tags = [tag for tag, _ in struct.iter_unpack("<qQ", found[DYNAMIC])]
    return INTERP in found, NEEDED in tags


def test_it_needs_no_loader_and_no_library():
    assert needs(PROGRAM) == (True, True)
    assert needs(STATIC) == (False, False)
    assert os.path.getsize(STATIC) < 4 << 20


@pytest.fixture
def static(slipway):
    it = copy.copy(slipway)
    it.program = STATIC
    return it


def test_it_is_as_good_on_a_host(static, world):
    done = static("run", "curl", "-s", f"http://{WORLD4}/page")
    assert (done.stdout, done.stderr) == ("you asked for /page\n", "")
    assert static("run", "curl", "-s", "http://web.test/").stdout == \
        "you asked for /\n"


@pytest.mark.parametrize("program", [PROGRAM, STATIC])
def test_names_of_users_load_no_library(root, tmp_path, program):
    """Whose shell? nsswitch.conf says where to look, and glibc would."""
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o",
                    tmp_path / "libnss_canary.so.2"], check=True, text=True,
                   input=CANARY)
    (tmp_path / "nsswitch.conf").write_text("passwd: canary files\n")
    (tmp_path / "passwd").write_text("root:x:0:0:root:/root:/bin/true\n")
    song = tmp_path / "song"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec",
         "for f in nsswitch.conf passwd; do mount --bind $1/$f /etc/$f; done;"
         "shift; unset SHELL; exec \"$@\"", "sh", tmp_path, program, "run",
         "-q"],
        env=root.env | {"LD_LIBRARY_PATH": str(tmp_path),
                        "CANARY": str(song)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    assert song.exists() == (program == PROGRAM)
