# SPDX-License-Identifier: MIT
"""slipway run, exec, stop, status: what a person at a shell relies on."""

import contextlib
import os
import pwd
import re
import signal
import subprocess

import pytest

from plug import Serve
from scene import PROGRAM, Typist, need, until
from servers import Server, web


@pytest.mark.parametrize("command, status", [
    (["true"], 0),
    (["false"], 1),
    (["sh", "-c", "exit 77"], 77),
    (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
    (["sh", "-c", "kill -KILL $$"], 128 + signal.SIGKILL),
    (["/nowhere/to/be/found"], 127),
    (["no-such-command-anywhere"], 127),
    (["/etc/passwd"], 126),
    (["/"], 126),
])
def test_exit_status_is_the_commands(slipway, command, status):
    done = slipway("run", *command)
    assert done.returncode == status, done.stderr
    if status in (126, 127):
        assert done.stderr.startswith("slipway: ")


def test_not_found_is_127_where_path_may_not_be_searched(slipway, tmp_path):
    path = slipway.env["PATH"]
    slipway.env["PATH"] = f"{path}:{tmp_path}"
    tmp_path.chmod(0)
    try:
        done = slipway("run", "no-such-command-anywhere")
    finally:
        tmp_path.chmod(0o700)
        slipway.env["PATH"] = path
    assert done.returncode == 127, done.stderr


def test_a_caller_that_ignores_sigchld_is_answered(slipway):
    done = slipway("run", "false", timeout=10, preexec_fn=lambda: signal.signal(
        signal.SIGCHLD, signal.SIG_IGN))
    assert done.returncode == 1


def test_failure_of_its_own_is_125(root):
    """Here: a namespace without the right to make another."""
    argv = ["sh", "-c", "echo 0 >/proc/sys/user/max_net_namespaces;"
            'exec "$@"', "sh", PROGRAM, "run", "true"]
    done = subprocess.run(["unshare", "--user", "--map-root-user"] + argv,
                          env=root.env, text=True, capture_output=True,
                          timeout=20)
    assert done.returncode == 125, done.stderr
    assert done.stderr.startswith("slipway: ")


@pytest.mark.parametrize("args", [
    ["run", "--no-such-option", "true"],
    ["run", "--mtu", "1", "true"],
    ["run", "--mtu", "many", "true"],
    ["run", "--subnet", "300.1.2.3/20", "true"],
    ["run", "--host-access", "perhaps", "true"],
    ["run", "--name", "../../etc", "true"],
    ["run", "--config", "/nowhere.conf", "true"],
    ["no-such-subcommand"],
    ["stop"],
])
def test_wrong_usage_exits_2_and_says_what_to_do(root, args):
    done = root(*args)
    assert done.returncode == 2, done.stderr
    assert re.match(r"slipway: .+: .+; .+", done.stderr), done.stderr
    assert done.stdout == ""
    root.gone()


@pytest.mark.parametrize("text, says", [
    ("[network]\nmtuu = 1500\n", r":2: .*mtuu.*mtu"),
    ("[network]\nmtu = 12\n", r":2: .*mtu"),
    ("[netwerk]\nmtu = 1500\n", r":1: .*netwerk.*network"),
])
def test_bad_configuration_is_named_by_line(root, tmp_path, text, says):
    (tmp_path / "bad.conf").write_text(text)
    done = root("run", "--config", tmp_path / "bad.conf", "true")
    assert done.returncode == 2
    assert re.search("bad.conf" + says, done.stderr), done.stderr


def test_a_wsl_conf_is_read_too(root, tmp_path):
    (tmp_path / "c").write_text("[automount]\nenabled = false\n"
                                "[network]\nhostname = ship\n")
    done = root("run", "--config", tmp_path / "c", "uname", "-n")
    assert done.stdout.strip() == "ship", done.stderr


@pytest.mark.parametrize("flag", ["--help", "--version"])
@pytest.mark.parametrize("command", [[], ["run"], ["attach"], ["serve"],
                                     ["exec"], ["stop"], ["status"],
                                     ["host-ip"]])
def test_help_and_version_everywhere(root, command, flag):
    done = root(*command, flag)
    assert done.returncode == 0 and done.stdout and not done.stderr


def test_options_end_at_the_first_word(root):
    done = root("run", "echo", "--name", "-v", "--", "x")
    assert done.stdout == "--name -v -- x\n"
    done = root("run", "--", "echo", "--", "x")
    assert done.stdout == "-- x\n"


@pytest.mark.smoke
def test_standard_input_and_output_are_the_commands(slipway):
    done = slipway("run", "cat", input="through\n")
    assert (done.stdout, done.stderr) == ("through\n", "")


@pytest.mark.smoke
def test_own_uid_and_name_inside(user):
    done = user("run", "sh", "-c", "id -u; id -un; id -g")
    name = pwd.getpwuid(1000).pw_name
    assert done.stdout.split() == ["1000", name, "1000"]


def test_root_inside_if_asked_for(user):
    assert user("run", "--root", "id", "-u").stdout == "0\n"


def test_an_ordinary_user_gets_no_capabilities(user):
    done = user("run", "grep", "CapEff", "/proc/self/status")
    assert int(done.stdout.split()[1], 16) == 0


def test_working_directory_and_environment_stay(slipway, tmp_path):
    slipway.env["SHIP"] = "ahoy"
    done = slipway("run", "sh", "-c", "pwd; echo $SHIP", cwd=tmp_path)
    assert done.stdout == f"{tmp_path}\nahoy\n"


@pytest.mark.smoke
def test_hostname(root):
    assert root("run", "--hostname", "ship", "uname", "-n").stdout == "ship\n"


def test_addresses_can_be_set(root):
    done = root("run", "--subnet", "172.30.16.0/20", "--mtu", "1400",
                "--address", "172.30.16.9", "--mac", "02:00:00:00:00:42",
                "ip", "addr", "show", "eth0")
    assert "172.30.16.9/20" in done.stdout
    assert "mtu 1400" in done.stdout
    assert "02:00:00:00:00:42" in done.stdout


def test_no_ipv6(root):
    done = root("run", "--no-ipv6", "ip", "-6", "route", "show", "default")
    assert done.stdout == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT,
                                    signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(slipway, number):
    front = slipway.popen("run", "sh", "-c", "trap 'exit 42' TERM INT HUP "
                          "USR1; echo ready; while :; do read x; done")
    assert front.stdout.readline() == "ready\n"
    front.send_signal(number)
    front.stdin.write("\n" * 3)
    with contextlib.suppress(OSError):
        front.stdin.flush()
    assert front.wait(5) == 42
    front.stdout.close()


def test_each_run_has_a_name_of_its_own(root):
    with contextlib.closing(root.guest()), contextlib.closing(root.guest()):
        text = root("status").stdout
    assert re.search(r"\bsh\b", text) and re.search(r"\bsh-2\b", text)


def test_a_name_is_taken_once(root):
    with contextlib.closing(root.guest(name="only")):
        done = root("run", "--name", "only", "true")
        assert done.returncode == 125
        assert "only" in done.stderr
    assert root("run", "--name", "only", "true").returncode == 0


def test_two_guests_in_one_subnet_do_not_disturb_each_other(root):
    options = ["--subnet", "172.30.32.0/20"]
    with contextlib.closing(root.guest(*options, name="a")) as a, \
            contextlib.closing(root.guest(*options, name="b")) as b:
        assert a.gateway4 == b.gateway4
        with Server("127.0.0.1", web) as server:
            for g in (a, b):
                done = g.sh(f"curl -s http://{g.gateway4}:{server.port}/x")
                assert done.stdout == "you asked for /x\n"


@pytest.mark.smoke
def test_exec_runs_a_second_command_in_the_guest(slipway):
    with contextlib.closing(slipway.guest(name="ship")) as guest:
        done = slipway("exec", "ship", "ip", "-o", "addr", "show", "eth0")
        assert guest.address4 in done.stdout
        assert slipway("exec", "ship", "sh", "-c", "exit 9").returncode == 9
        done = slipway("exec", "ship", "cat", "/etc/resolv.conf")
        assert guest.gateway4 in done.stdout


def test_exec_in_a_machine_says_why_not(root, tmp_path):
    with contextlib.closing(Serve(root, tmp_path, "machine")):
        done = root("exec", "machine", "true")
    assert done.returncode == 125
    assert done.stderr == (
        "slipway: the guest is a virtual machine in which no agent runs; "
        "start slipway guest there, or log in to it\n")


@pytest.mark.parametrize("command", [["exec", "nobody", "true"],
                                     ["stop", "nobody"],
                                     ["status", "nobody"]])
def test_a_name_that_is_not_there(root, command):
    done = root(*command)
    assert done.returncode in (1, 125)
    assert "nobody" in done.stderr


@pytest.mark.smoke
def test_stop_ends_it(slipway):
    guest = slipway.guest(name="ship")
    assert slipway("stop", "ship").returncode == 0
    assert guest.front.wait(5) != 0
    slipway.gone()
    guest.front.stdout.close()
    os.close(guest.fd)


@pytest.mark.smoke
def test_status_tells_what_runs(slipway):
    with contextlib.closing(slipway.guest(name="ship")) as guest:
        text = slipway("status").stdout
        for word in ("ship", guest.address4, guest.gateway4):
            assert word in text
        assert "ship" in slipway("status", "ship").stdout
        assert guest.address4 in repr(slipway.status())
    assert "ship" not in slipway("status").stdout


def test_status_lists_forwards(root):
    with contextlib.closing(root.guest(name="ship")) as guest:
        with guest, Server("0.0.0.0", web) as server:
            until(lambda: str(server.port) in root("status").stdout, 3)
            assert str(server.port) in repr(root.status())


def test_a_bare_run_greets_with_one_line(slipway):
    typist = Typist(slipway.argv("run"), slipway.env | {"SHELL": "/bin/sh"})
    try:
        typist.expect(r"172\.\d+\.\d+\.\d+.*\n")
        typist.expect(r"[$#] ")
        typist.type("exit 5\n")
        assert typist.child.wait(5) == 5
    finally:
        typist.close()


@pytest.fixture
def typist(slipway):
    need("bash")
    t = Typist(["bash", "--norc", "--noprofile", "-i"],
               slipway.env | {"PS1": "prompt> "})
    t.slipway = " ".join(slipway.argv())
    t.expect("prompt> ")
    yield t
    t.close()


def test_control_c_ends_the_command_and_not_the_shell(typist):
    typist.type(f"{typist.slipway} run sh -c 'echo up; exec cat'\n")
    typist.expect(r"\nup\n")
    typist.type("\x03")
    typist.expect("prompt> ")
    typist.type("echo status $?\n")
    typist.expect(r"\nstatus 130\n")


def test_control_z_stops_it_and_fg_goes_on(typist):
    typist.type(f"{typist.slipway} run sh -c 'echo up; exec cat'\n")
    typist.expect(r"\nup\n")
    typist.type("\x1a")
    typist.expect("Stopped")
    typist.expect("prompt> ")
    typist.type("fg\n")
    typist.expect(r"\n.*run sh -c.*\n")
    typist.type("still here\n")
    typist.expect(r"still here\nstill here\n")
    typist.type("\x04")
    typist.expect("prompt> ")


def test_nothing_is_written_to_the_commands_terminal(slipway):
    """Not even when a forward meets a port that is taken."""
    with Server("127.0.0.1", web) as server:
        typist = Typist(slipway.argv(
            "run", "/usr/bin/python3", "-c", "import socket;"
            f"s = socket.create_server(('', {server.port})); input('>')"),
            slipway.env)
        typist.expect(">")
        until(lambda: str(server.port) in slipway("status").stdout, 3)
        typist.type("\n")
        assert typist.child.wait(5) == 0
        assert typist.seen.strip() == ""
        typist.close()


def test_a_reader_of_ready_fd_may_have_gone(slipway):
    reader, told = os.pipe()
    os.close(reader)
    try:
        done = slipway("run", "--ready-fd", told, "sh", "-c",
                       "grep SigIgn /proc/self/status; exit 7",
                       pass_fds=(told,))
    finally:
        os.close(told)
    assert done.returncode == 7, done.stderr
    ignored = int(done.stdout.split()[1], 16)
    assert not ignored & 1 << signal.SIGPIPE - 1


@pytest.mark.parametrize("named", [[], ["--name", "web"]])
@pytest.mark.parametrize("room, file", enumerate(["lock", "log", "sock",
                                                  "pid"]))
def test_a_full_runtime_directory_is_named(root, room, file, named):
    """It has room for so many files: each in turn is the one too many."""
    os.makedirs(root.runtime, mode=0o700, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o",
                    f"mode=700,nr_inodes={1 + room}", "full", root.runtime],
                   check=True)
    try:
        done = root("run", *named, "true")
        root.gone(2)
        left = os.listdir(root.runtime)
    finally:
        subprocess.run(["umount", root.runtime], check=True)
    assert done.returncode == 125
    name = "web" if named else "true"
    assert done.stderr == (
        f"slipway: {root.runtime}/{name}.{file}: cannot be made: "
        "No space left on device; make room there\n")
    assert set(left) <= {f"{name}.log"}


def test_status_says_off_where_localhost_is_off(root):
    with contextlib.closing(root.guest("--localhost", "off", name="shut")):
        shown = root("status", "shut").stdout
    assert re.search(r"^localhost   off$", shown, re.M), shown
    assert re.search(r"^questions   \d+ asked, \d+ from the cache, \d+ failed, ",
                     shown, re.M), shown
