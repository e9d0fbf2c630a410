# SPDX-License-Identifier: MIT
"""Many runs, at once and one after another; nothing is left of them."""

import os

import pytest

from scene import LONG, WORLD4

AT_ONCE = 200 if LONG else 20
IN_A_ROW = 1000 if LONG else 50


def files_of(slipway):
    """Every file below the runtime directory."""
    return sorted(os.path.join(at, name)
                  for at, _, names in os.walk(slipway.runtime)
                  for name in names)


@pytest.mark.parametrize("who", ["root", "user"])
def test_runs_at_once(request, world, who):
    slipway = request.getfixturevalue(who)
    before = files_of(slipway)
    fronts = [slipway.popen("run", "curl", "-s", "--max-time", "60",
                            f"http://{WORLD4}/{i}", stderr=-1)
              for i in range(AT_ONCE)]
    failed = []
    for i, front in enumerate(fronts):
        out, err = front.communicate(timeout=120)
        if front.returncode or out != f"you asked for /{i}\n":
            failed.append((i, front.returncode, out, err))
    assert not failed, f"{len(failed)} failed, first {failed[0]}"
    slipway.gone(1)
    assert files_of(slipway) == before


def test_runs_in_a_row(root, world):
    before = files_of(root)
    for i in range(IN_A_ROW):
        done = root("run", "curl", "-s", "--max-time", "10",
                    f"http://{WORLD4}/{i}")
        assert done.stdout == f"you asked for /{i}\n", (i, done)
    root.gone(1)
    assert files_of(root) == before
