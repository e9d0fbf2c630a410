# SPDX-License-Identifier: MIT
"""
Rules that name a program: at the guest's end, and at the host's.

The program that they name is a copy of Python, so that what it does is
blocked, and what Python itself does is not. Who is blocked is refused.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

import pytest

from scene import HOST4, WORLD4, WORLD6, in_thread, processes, until

PYTHON = os.path.realpath(sys.executable)
SERVE = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, int(sys.argv[3]))
s.bind((sys.argv[1], int(sys.argv[2])))
if s.type == socket.SOCK_STREAM:
    s.listen()
print(s.getsockname()[1], flush=True)
while True:
    if s.type == socket.SOCK_STREAM:
        c = s.accept()[0]
        c.sendall(b"served")
        c.close()
    else:
        s.sendto(b"served", s.recvfrom(100)[1])
"""
ASK = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family, int(sys.argv[3]))
s.settimeout(10 if s.type == socket.SOCK_STREAM else 4)
try:
    s.connect((sys.argv[1], int(sys.argv[2])))
    if s.type == socket.SOCK_DGRAM:
        s.send(b"ask")
    print(s.recv(100).decode())
except OSError as e:
    print(type(e).__name__)
"""
ASK_SIX = ASK.replace('":" in sys.argv[1]', "True")
PING = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.setsockopt(socket.SOL_IP, 11, 1)
s.settimeout(10)
s.connect((sys.argv[1], 0))
s.send(bytes([8, 0, 0, 0, 0, 0, 0, 1]) + b"ping")
try:
    print("served" if s.recv(100)[0] == 0 else "odd")
except OSError as e:
    print(type(e).__name__)
"""
TCP, UDP = 1, 2                         # socket.SOCK_STREAM, SOCK_DGRAM
REFUSED = ("ConnectionRefusedError", "PermissionError", "OSError")


@pytest.fixture(scope="module")
def named():
    """The program that rules name, where every user may run it."""
    path = "/run/named-python"
    shutil.copy(PYTHON, path)
    yield path
    os.unlink(path)


@pytest.fixture
def rules(tmp_path):
    """A function: a file with these rules, as options."""
    def make(*texts, extra=""):
        path = tmp_path / "rules.conf"
        body = "".join(f"[rule r{i}]\n{t}\n" for i, t in enumerate(texts))
        path.write_text("[firewall]\nblockAction = refuse\n" + extra + body)
        for up in (tmp_path, *list(tmp_path.parents)[:2]):
            os.chmod(up, 0o755)
        return "--config", path
    return make


def block(direction, program, more=""):
    return (f"action = block\ndirection = {direction}\n"
            f"program = {program}\n{more}")


@contextlib.contextmanager
def server(program, address, kind=TCP, where=None, prefix=()):
    """A server of the host's, or in another namespace: its port."""
    with where or contextlib.nullcontext():
        child = subprocess.Popen(
            [*prefix, program, "-c", SERVE, address, "0", str(kind)],
            stdout=subprocess.PIPE, text=True)
    try:
        yield int(child.stdout.readline())
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def ask(slipway, options, program, address, port, kind=TCP):
    """What a program in a guest of its own gets from there."""
    done = slipway("run", *options, program, "-c", ASK, address, port, kind)
    return done.stdout.strip() or done.stderr


def helpers():
    return [pid for pid, comm in processes().items()
            if comm == "slipway-owners"]


# ---- the guest's end ----

@pytest.mark.smoke
@pytest.mark.parametrize("address", [WORLD4, WORLD6])
@pytest.mark.parametrize("kind", [TCP, UDP])
def test_client_of_the_guest(slipway, scene, rules, named, address, kind):
    options = rules(block("out", named))
    with server(PYTHON, address, kind, scene.world) as port:
        passes = ask(slipway, options, PYTHON, address, port, kind)
        blocked = ask(slipway, options, named, address, port, kind)
    assert passes == "served"
    assert blocked in REFUSED


def test_ping_of_the_guest(slipway, rules, named):
    options = rules(block("out", named))
    answer = {}
    for program in (PYTHON, named):
        done = slipway("run", *options, program, "-c", PING, WORLD4)
        answer[program] = done.stdout.strip()
    assert answer[PYTHON] == "served"
    assert answer[named] in REFUSED


def test_only_that_program(root, scene, rules, named):
    """A list that nobody is on, and a rule that lets one program out."""
    options = rules(f"action = allow\ndirection = out\nprogram = {named}\n")
    options += ("--allow", "nobody.test")
    with server(PYTHON, WORLD4, TCP, scene.world) as port:
        passes = ask(root, options, named, WORLD4, port)
        blocked = ask(root, options, PYTHON, WORLD4, port)
    assert passes == "served"
    assert blocked in REFUSED


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
@pytest.mark.parametrize("kind", [TCP, UDP])
def test_server_of_the_guest(root, rules, named, address, kind):
    """From the host's localhost; a server at :: has IPv4, too."""
    options = rules(block("in", named))
    answers = []
    for port, program in ((8123, PYTHON), (8124, named)):
        inside = root.popen("run", *options, program, "-c", SERVE, address,
                            port, kind)
        assert inside.stdout.readline() == f"{port}\n"
        try:
            answers.append(until(lambda: answer_at(port, kind), 10))
        finally:
            inside.send_signal(signal.SIGTERM)
            inside.wait(10)
            inside.stdout.close()
            inside.stdin.close()
    assert answers[0] == "served"
    assert answers[1] != "served"


def answer_at(port, kind):
    """What is at that port of localhost; "" while nothing is bound there."""
    bound = subprocess.run(["ss", "-Hln", "-t" if kind == TCP else "-u",
                            f"sport = {port}"], capture_output=True,
                           text=True, timeout=30).stdout
    done = subprocess.run([PYTHON, "-c", ASK, "127.0.0.1", str(port),
                           str(kind)], capture_output=True, text=True,
                          timeout=30)
    return done.stdout.strip() if bound else ""


# ---- the host's end ----

@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
@pytest.mark.parametrize("kind", [TCP, UDP])
def test_server_of_the_host(root, rules, named, address, kind):
    options = rules(block("in", named))
    with server(PYTHON, address, kind) as port:
        passes = ask(root, options, PYTHON, "host.slipway.internal", port,
                     kind)
    with server(named, address, kind) as port:
        blocked = ask(root, options, PYTHON, "host.slipway.internal", port,
                      kind)
        six = root("run", *options, PYTHON, "-c", ASK_SIX,
                   "host.slipway.internal", port, kind).stdout.strip()
    # By IPv6 the gateway leads to 127.0.0.1 as well, where ::1 refuses.
    assert six in REFUSED
    assert passes == "served"
    assert blocked in REFUSED


def test_server_at_an_address_of_the_host(root, rules, named):
    options = rules(block("in", named))
    with server(PYTHON, HOST4) as port:
        passes = ask(root, options, PYTHON, HOST4, port)
    with server(named, HOST4) as port:
        blocked = ask(root, options, PYTHON, HOST4, port)
    assert passes == "served"
    assert blocked in REFUSED


def test_another_users_program_is_unknown(user, root, rules, named):
    """The scene's root has it: root can tell that, an ordinary user not."""
    options = rules(block("in", named))
    with server(named, "127.0.0.1") as port:
        seen = ask(root, options, PYTHON, "host.slipway.internal", port)
        unseen = ask(user, options, PYTHON, "host.slipway.internal", port)
    assert seen in REFUSED
    assert unseen == "served"


def test_own_program_of_a_user(user, rules, named):
    options = rules(block("in", named))
    with server(named, "127.0.0.1", prefix=user.prefix) as port:
        blocked = ask(user, options, PYTHON, "host.slipway.internal", port)
    assert blocked in REFUSED


# ---- which path counts ----

def test_link_and_environment(root, scene, rules, named, tmp_path):
    """A symbolic link, as a virtual environment has it, is its target."""
    link = tmp_path / "python3"
    link.symlink_to(named)
    with server(PYTHON, WORLD4, TCP, scene.world) as port:
        blocked = ask(root, rules(block("out", named)), link, WORLD4, port)
    assert blocked in REFUSED


def test_rule_for_a_link(root, scene, rules, named):
    """As /usr/bin/python3 is one: what it leads to is meant as well."""
    link = "/run/link-to-python"
    os.symlink(named, link)
    options = rules(block("out", link))
    with server(PYTHON, WORLD4, TCP, scene.world) as port:
        blocked = [ask(root, options, p, WORLD4, port) for p in (named, link)]
        passes = ask(root, options, PYTHON, WORLD4, port)
    os.unlink(link)
    assert set(blocked) <= set(REFUSED)
    assert passes == "served"


def test_script_is_its_interpreter(root, scene, rules, named, tmp_path):
    script = tmp_path / "script"
    script.write_text(f"#!{named}\n{ASK}")
    script.chmod(0o755)
    with server(PYTHON, WORLD4, TCP, scene.world) as port:
        done = root("run", *rules(block("out", named)), script, WORLD4, port,
                    TCP)
    assert done.stdout.strip() in REFUSED


def test_program_that_has_been_removed(root, scene, rules, tmp_path):
    """As an upgrade does it: who still runs is who he was."""
    path = "/run/upgraded-python"
    shutil.copy(PYTHON, path)
    code = "import os; os.unlink(" + repr(path) + ")" + ASK
    with server(PYTHON, WORLD4, TCP, scene.world) as port:
        done = root("run", *rules(block("out", path)), path, "-c", code,
                    WORLD4, port, TCP)
    assert not os.path.exists(path)
    assert done.stdout.strip() in REFUSED, done.stderr


@pytest.mark.parametrize("name", ["a\nb", "a b (deleted)", "é" * 100])
def test_odd_names(root, scene, rules, named, name):
    """They are nobody whom a rule names, and harm nobody."""
    path = "/run/" + name
    shutil.copy(PYTHON, path)
    options = rules(block("out", named))
    with server(PYTHON, WORLD4, TCP, scene.world) as port:
        passes = ask(root, options, path, WORLD4, port)
    os.unlink(path)
    assert passes == "served"


# ---- the helper ----

def test_nobody_is_asked_in_vain(root, scene, rules, named):
    options = rules("action = block\ndirection = out\n"
                    "remotePort = 9\nprotocol = tcp\n",
                    block("out", r"C:\x.exe"),
                    block("out", named, "enabled = no\n"))
    with contextlib.closing(root.guest(*options)):
        assert not helpers()
    with contextlib.closing(root.guest(*rules(block("out", named)))):
        assert len(helpers()) == 1


def test_helper_has_next_to_nothing(slipway, rules, named):
    with contextlib.closing(slipway.guest(*rules(block("out", named)))):
        [pid] = helpers()
        until(lambda: field(pid, "Seccomp") == "2", 5, "its sandbox")
        assert field(pid, "NoNewPrivs") == "1"
        left = int(field(pid, "CapPrm"), 16)
        # CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE
        assert left == (0 if slipway.user else 1 << 2 | 1 << 19)
        assert field(pid, "CapEff") == field(pid, "CapPrm")


def field(pid, name):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.split(":", 1) for line in f)[name].strip()


def test_helper_dies(root, scene, rules, named):
    """Its programs are unknown then; all else goes on, and is said once."""
    g = root.guest("--name", "bereft", *rules(block("out", named)))
    with contextlib.closing(g), \
            server(PYTHON, WORLD4, TCP, scene.world) as port:
        asks = [named, "-c", ASK, WORLD4, port, TCP]
        assert root("exec", "bereft", *asks).stdout.strip() in REFUSED
        [pid] = helpers()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not helpers(), 5)
        for _ in range(2):
            assert root("exec", "bereft", *asks).stdout == "served\n"
        problems = root("status", "bereft").stdout
        assert problems.count("tells programs has ended") == 1


def test_many_at_once(root, scene, rules, named):
    """300 flows of two programs, each judged for itself."""
    options = rules(block("out", named))
    count = """
import socket, sys
got = {}
for i in range(150):
    try:
        s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
        word = s.recv(100).decode()
    except OSError as e:
        word = type(e).__name__
    got[word] = got.get(word, 0) + 1
print(got)
"""
    with contextlib.closing(root.guest("--name", "many", *options)), \
            server(PYTHON, WORLD4, TCP, scene.world) as port:
        runs = [in_thread(root, "exec", "many", p, "-c", count, WORLD4, port)
                for p in (PYTHON, named)]
        passes, blocked = [run().stdout.strip() for run in runs]
    assert passes == "{'served': 150}"
    assert blocked == "{'ConnectionRefusedError': 150}"


# ---- guests that would rather not be found ----

HIDE = """
import os, resource, socket, time
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
most = min(hard, 4000)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
s = socket.socket()
for i in range(most - 20):
    os.dup(s.fileno())
for i in range(40):
    if os.fork() == 0:
        time.sleep(1000)
print("hidden", flush=True)
input()
os.killpg(0, 9)
"""
FORK = """
import os, sys, threading
threading.Thread(target=lambda: (input(), os._exit(0))).start()
print("forking", flush=True)
while True:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
"""


@contextlib.contextmanager
def inside(slipway, name, code, word):
    """Something that goes on in that guest, until it reads a line."""
    child = slipway.popen("exec", name, "setsid", "-w", PYTHON, "-c", code)
    try:
        assert child.stdout.readline() == word + "\n"
        yield
    finally:
        child.stdin.write("\n")
        child.stdin.close()
        child.wait(20)
        child.stdout.close()


def test_many_files_hide_nobody(root, rules, named):
    """
    With 160,000 files its own end may be found too late; so it gets through
    to nobody, and never to who is blocked at the host's end.
    """
    options = rules(block("in", named), block("out", "/bin/nobody"))
    g = root.guest("--name", "hider", *options)
    with contextlib.closing(g), server(named, "127.0.0.1") as port, \
            server(PYTHON, "127.0.0.1") as free:
        def gets(at):
            return root("exec", "hider", PYTHON, "-c", ASK,
                        "host.slipway.internal", at, TCP).stdout.strip()
        with inside(root, "hider", HIDE, "hidden"):
            for _ in range(3):
                assert gets(port) in (*REFUSED, "TimeoutError")
        until(lambda: gets(free) == "served", 20)
        assert gets(port) in REFUSED


def test_forks_hide_nobody(root, rules, named):
    options = rules(block("in", named), block("out", named))
    g = root.guest("--name", "forker", *options)
    with contextlib.closing(g), server(named, "127.0.0.1") as port, \
            server(PYTHON, "127.0.0.1") as free:
        def gets(program, at):
            return root("exec", "forker", program, "-c", ASK,
                        "host.slipway.internal", at, TCP).stdout.strip()
        with inside(root, "forker", FORK, "forking"):
            for _ in range(5):
                assert gets(PYTHON, port) in REFUSED
                assert gets(named, free) in REFUSED
                assert gets(PYTHON, free) == "served"
