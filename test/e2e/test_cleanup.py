# SPDX-License-Identifier: MIT
"""Killed at any moment, it leaves nothing behind, and starts again."""

import contextlib
import os
import signal
import socket
import subprocess

import pytest

from scene import kill_all, processes, until
from servers import Server, listener, web


def forwarded(port, address="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in address else
                       socket.AF_INET) as s:
        s.settimeout(2)
        return s.connect_ex((address, port)) == 0


def let_go(guest):
    """Give the test's own descriptors of a guest back."""
    with contextlib.suppress(OSError):
        guest.front.stdin.close()
    guest.front.stdout.close()
    guest.front.wait(5)
    os.close(guest.fd)


def runtime_files(slipway):
    """The files below the runtime directory."""
    return [os.path.join(at, name)
            for at, _, names in os.walk(slipway.runtime) for name in names]


@pytest.mark.smoke
@pytest.mark.parametrize("which", range(4))
def test_whichever_process_is_killed_all_go(slipway, which):
    """The front, the keeper, the engine, the inside helper, by age."""
    until(lambda: not processes(), 2, "the end of what ran before")
    guest = slipway.guest(name="ship")
    own = sorted(processes())
    if which >= len(own):
        guest.close()
        pytest.skip(f"there are only {len(own)} processes")
    with guest:
        server = Server("0.0.0.0", web)
    until(lambda: forwarded(server.port), 3)
    os.kill(own[which], signal.SIGKILL)
    slipway.gone()
    assert not forwarded(server.port)
    server.close()
    let_go(guest)
    assert slipway("run", "--name", "ship", "true").returncode == 0


def test_killed_all_at_once_all_go(slipway):
    guest = slipway.guest(name="ship")
    kill_all(processes())
    slipway.gone()
    let_go(guest)
    assert "ship" not in slipway("status").stdout
    done = slipway("run", "--name", "ship", "true")
    assert done.returncode == 0, done.stderr


def test_an_orderly_end_leaves_no_file(slipway):
    before = runtime_files(slipway)
    with contextlib.closing(slipway.guest(name="ship")):
        pass
    slipway.gone()
    until(lambda: not set(runtime_files(slipway)) - set(before), 0.5)


def test_leftover_files_are_replaced(slipway):
    """The files as a crash leaves them, put back after an orderly end."""
    guest = slipway.guest(name="ship")
    kept = {}
    for path in runtime_files(slipway):
        kept[path] = None
        if not path.endswith(".sock"):
            with open(path) as f:
                kept[path] = f.read()
    guest.close()
    slipway.gone()
    for path, text in kept.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if text is not None:
            with open(path, "w") as f:
                f.write(text)
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(path)
    assert slipway("status").returncode == 0
    done = slipway("run", "--name", "ship", "true")
    assert done.returncode == 0, done.stderr


def test_a_process_that_stays_keeps_its_network(root):
    """A daemon of the command is ended or served, not left dangling."""
    done = root("run", "--name", "ship", "sh", "-c",
                "sleep 300 >/dev/null 2>&1 </dev/null & echo $!")
    pid = int(done.stdout)
    try:
        root.gone()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.smoke
def test_nothing_is_bound_on_the_host_but_forwards(root):
    def sockets():
        return set(subprocess.run(
            ["ss", "-Hltnu"], capture_output=True,
            text=True).stdout.splitlines())
    before = sockets()
    with contextlib.closing(root.guest()) as guest:
        assert sockets() == before
        with guest:
            s = listener("0.0.0.0")
        port = s.getsockname()[1]
        until(lambda: forwarded(port, "127.0.0.1") and forwarded(port, "::1"),
              3, "both of localhost")
        new = {line.split()[4] if line.startswith(("tcp", "udp"))
               else line.split()[3] for line in sockets() - before}
        assert new == {f"127.0.0.1:{port}", f"[::1]:{port}"}
        s.close()
