# SPDX-License-Identifier: MIT
"""slipway guest: the agent in a virtual machine, and what the host has of it."""

import fcntl
import hashlib
import json
import os
import pathlib
import pty
import select
import socket
import struct
import subprocess
import sys
import termios
import time

import pytest

from scene import STATIC, until
from servers import Server, web
from test_vm import ASIDE, Served
from test_vm import pytestmark as needs

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "vm"))
from initramfs import with_program      # noqa: E402

pytestmark = needs + [
    pytest.mark.skipif(not os.path.exists(STATIC),
                       reason="there is no slipway-static"),
]
PORT = 5399                             # the gateway's, for the agent


@pytest.fixture(scope="module")
def initrd(tmp_path_factory):
    out = tmp_path_factory.mktemp("initrd") / "initramfs.gz"
    with_program(ASIDE, STATIC, out)
    return str(out)


def message(kind, flags=0, port=0, number=0, value=0, text=b"", more=b"",
            at=b""):
    """As src/wire/agent.h has them, for printf."""
    body = struct.pack(">BBHII16s16xH", kind, flags, port, number, value, at,
                       len(text)) + text + more
    return "".join(f"\\{b:03o}" for b in struct.pack(">H", len(body)) + body)


HELLO, CARRY, LISTENER, ALIVE, WELCOME = 1, 2, 3, 7, 8
VERSION = 2


def status(s):
    return json.loads(s.slipway("status", "--json", s.name).stdout)


def ports(s):
    return {f["port"]: f for f in status(s)["forwards"]}


def start_agent(s):
    assert s.sh("slipway guest & echo $! >/agent")[0] \
        == 0
    until(lambda: "agent" in status(s), 10, "the agent", 0.05)


@pytest.fixture(scope="module")
def served(root, world, tmp_path_factory, initrd):
    where = tmp_path_factory.mktemp("agent")
    config = where / "slipway.conf"
    config.write_text("[boot]\ncommand = echo ran $(busybox id -u) >>/booted; exit 3\n")
    s = Served(root, where, "ship", "--localhost", "auto",
               "--host-access", "localhost", "--config", str(config), link="vhost-user", initrd=initrd)
    s.sh("mkdir /dev/pts; mount -t devpts devpts /dev/pts; "
         "for m in inet tcp udp; do insmod /modules/${m}_diag.ko; done")
    start_agent(s)
    yield s
    s.close()


def test_status_shows_the_agent(served):
    agent = status(served)["agent"]
    assert agent["hostname"] == "(none)" or agent["hostname"], agent
    assert agent["address"] == status(served)["guest"]["ipv4"]
    assert "agent       slipway " in served.slipway("status",
                                                    "ship").stdout


def connects(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), 5).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True


def fetch(url):
    return subprocess.run(["curl", "-sgm", "10", url], capture_output=True,
                          text=True).stdout


def test_a_server_answers_at_localhost_and_is_gone_with_its_end(served):
    """Timed from when the machine's shell is told to start it: an upper bound."""
    took = []
    for port in range(8001, 8009):
        begun = time.monotonic()
        served.machine.qemu.stdin.write(
            f"httpd -f -h /www -p {port} & echo $! >/server\n".encode())
        served.machine.qemu.stdin.flush()
        until(lambda: connects(port), 5, "the port", 0.001)
        took.append(time.monotonic() - begun)
        for host in ("127.0.0.1", "[::1]"):
            assert fetch(f"http://{host}:{port}/hello") == \
                "from the machine\n"
        assert served.sh("kill $(cat /server)")[0] == 0
        until(lambda: not connects(port), 0.5, "its end", 0.001)
    print("up after ms:", [round(1000 * t) for t in took])
    assert sorted(took)[len(took) // 2] < 0.15, took


@pytest.mark.parametrize("at", ["127.0.0.1", "[::1]"])
def test_one_on_loopback_only_too(served, at):
    assert served.sh(f"httpd -h /www -p {at}:8010")[0] == 0
    until(lambda: connects(8010), 5, "the port", 0.01)
    to = ports(served)[8010]["ipv4"]["to"]
    assert to == f"{at}:8010"
    made = served.sh("dd if=/dev/urandom of=/www/big bs=1M count=2 "
                     "2>/dev/null; sha256sum </www/big")[1]
    for host in ("127.0.0.1", "[::1]"):
        assert fetch(f"http://{host}:8010/hello") == "from the machine\n"
    got = subprocess.run("curl -sm 30 http://127.0.0.1:8010/big | sha256sum",
                         shell=True, capture_output=True, text=True).stdout
    assert made.split()[0] == got.split()[0]
    served.sh("busybox killall httpd")
    until(lambda: 8010 not in ports(served), 5, "its end", 0.02)


def test_half_a_connection_is_carried(served):
    """A client that has said all still gets the answer."""
    served.sh("httpd -h /www -p 127.0.0.1:8011")
    until(lambda: 8011 in ports(served), 5, "the port", 0.02)
    with socket.create_connection(("127.0.0.1", 8011), 5) as s:
        s.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        assert s.makefile().read().endswith("\nfrom the machine\n")


def mirrors(s):
    return {f["port"]: f for f in status(s)["mirrors"]}


@pytest.mark.parametrize("at", ["127.0.0.1", "::1"])
def test_the_hosts_listeners_are_at_the_machines_localhost(served, at):
    with Server(at, web) as server:
        until(lambda: mirrors(served).get(server.port, {}).get("ipv4", {})
              .get("state") == "open", 5, "the port", 0.02)
        for host in ("127.0.0.1", "[::1]"):
            code, said = served.sh(f"wget -q -O - http://{host}:"
                                   f"{server.port}/from-inside")
            assert (host, code, said) == (host, 0,
                                          "you asked for /from-inside\n")
        assert server.port not in ports(served)     # nothing goes round
    until(lambda: served.sh(f"wget -q -O - http://127.0.0.1:"
                            f"{server.port}/")[0] != 0, 5, "its end", 0.05)
    assert server.port not in mirrors(served)


def test_a_port_that_the_machine_has_is_left_alone(served):
    served.sh("httpd -h /www -p 127.0.0.1:8021")
    until(lambda: 8021 in ports(served), 5, "the port", 0.02)
    assert 8021 not in mirrors(served)      # it is the host's for the guest
    served.sh("busybox killall httpd")
    until(lambda: 8021 not in ports(served), 5, "its end", 0.02)
    with Server("127.0.0.1", web) as server:
        until(lambda: server.port in mirrors(served), 5, "the port", 0.02)
        port = server.port
    until(lambda: port not in mirrors(served), 5, "its end", 0.02)
    served.sh(f"httpd -h /www -p 127.0.0.1:{port}")
    until(lambda: port in ports(served), 5, "the machine's own", 0.02)
    assert fetch(f"http://127.0.0.1:{port}/hello") == "from the machine\n"
    served.sh("busybox killall httpd")
    until(lambda: port not in ports(served), 5, "its end", 0.02)


def test_exec_runs_a_command_there(served):
    def run(*words, **how):
        return served.slipway("exec", "ship", *words, **how)

    done = run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == \
        (7, "out\n", "err\n")
    assert run("hostname").stdout == served.sh("hostname")[1]
    assert run("sh", "-c", "kill -9 $$").returncode == 137
    done = run("no-such-program")
    assert done.returncode == 127
    assert "no-such-program" in done.stderr
    done = run("sha256sum", input="x" * 1000000)
    want = hashlib.sha256(b"x" * 1000000).hexdigest()
    assert done.stdout.split()[0] == want


def test_exec_has_a_terminal_and_its_size(served):
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("4H", 33, 101, 0, 0))
    before = termios.tcgetattr(its)
    command = "stty size; trap 'stty size' WINCH; read a; echo got $a; exit 5"
    done = subprocess.Popen(served.slipway.argv("exec", "ship", "sh", "-c",
                                                command),
                            env=served.slipway.env, stdin=its, stdout=its,
                            stderr=its)
    heard = b""

    def hear(text):
        nonlocal heard
        while text not in heard:
            assert select.select([ours], [], [], 10)[0], heard
            heard += os.read(ours, 4096)

    hear(b"33 101\r\n")
    os.write(ours, b"word\r")
    hear(b"got word\r\n")
    assert done.wait(10) == 5
    assert termios.tcgetattr(its) == before
    os.close(ours)
    os.close(its)


def test_a_command_whose_client_is_killed_is_hung_up(served):
    """It may well want to say so to where nobody reads any more."""
    client = served.slipway.popen("exec", "ship", "sh", "-c", "trap '' PIPE; "
                                  "trap 'echo hup >/hup; exit' HUP; "
                                  "echo here; while :; do sleep 1; done")
    assert client.stdout.readline() == "here\n"
    client.kill()
    client.wait()
    client.stdout.close()
    client.stdin.close()
    until(lambda: served.sh("cat /hup")[1] == "hup\n", 5, "SIGHUP", 0.1)


def test_the_boot_command_has_run_once(served):
    until(lambda: "boot" in status(served), 5, "its end", 0.05)
    assert status(served)["boot"] == {"status": 3}
    assert served.sh("cat /booted")[1] == "ran 0\n"
    with Server("127.0.0.1", web) as server:
        until(lambda: server.port in mirrors(served), 5, "a port", 0.02)
        served.sh("kill $(cat /agent)")
        until(lambda: "agent" not in status(served), 1, "its end", 0.02)
        assert not mirrors(served)
    assert served.slipway("exec", "ship", "true").stderr == (
        "slipway: the guest is a virtual machine in which no agent runs; "
        "start slipway guest there, or log in to it\n")
    with Server("127.0.0.1", web) as server:
        start_agent(served)
        until(lambda: server.port in mirrors(served), 5, "a port", 0.02)
        assert served.sh(f"wget -q -O - http://127.0.0.1:{server.port}/again"
                         ) == (0, "you asked for /again\n")
    assert served.sh("cat /booted")[1] == "ran 0\n"


def says(s, text):
    """
    A program of the machine's calls the agent's port and is heard out: how
    many bytes it was told.
    """
    gateway = status(s)["gateway"]["ipv4"]
    s.sh(f"printf '{text}' >/said")
    return int(s.sh(f"nc {gateway} {PORT} </said >/heard; wc -c </heard")[1])


def ports_to_pick(s, first, last):
    """From where the machine's programs call that do not care."""
    s.sh(f"sysctl -qw net.ipv4.ip_unprivileged_port_start={min(first, 1024)} "
         f"net.ipv4.ip_local_port_range='{first} {last}'")


def test_nonsense_is_cut_off_and_harms_nobody(served):
    agent = status(served)["agent"]
    hello = message(HELLO, value=VERSION, text=b"evil", more=b"9")
    for text in ("GET / HTTP/1.0\\r\\n\\r\\n", "\\377\\377", "\\0\\0",
                 message(LISTENER, port=22), message(CARRY),
                 message(HELLO, value=9), message(99), hello):
        assert says(served, text) == 0, text
        assert status(served)["agent"] == agent
    warnings = "\n".join(status(served)["warnings"])
    assert "made no sense" in warnings, warnings


def test_what_poses_as_the_agent_as_root_gets_no_more_than_it(served):
    """
    It takes the agent's place, as one that was started anew would. What it
    then says that makes no sense ends it.
    """
    served.sh("kill $(cat /agent)")
    until(lambda: "agent" not in status(served), 1, "its end", 0.02)
    hello = message(HELLO, value=VERSION, text=b"e\x1b[2Jvil", more=b"9")
    flood = "".join(message(LISTENER, port=p) for p in (8031, 8032))
    ports_to_pick(served, 700, 900)
    assert says(served, hello + flood + message(WELCOME)) > 0
    ports_to_pick(served, 32768, 60999)
    assert "agent" not in status(served)
    assert not {8031, 8032} & set(ports(served))
    assert "\x1b" not in served.slipway("status", "ship").stdout
    log = pathlib.Path(status(served)["log"]).read_text()
    assert "the agent in e?[2Jvil has gone: cut off" in log
    start_agent(served)


def test_it_has_no_say_of_the_gateways_ports(served):
    gateway = status(served)["gateway"]["ipv4"]
    served.sh("kill $(cat /agent)")
    until(lambda: "agent" not in status(served), 1, "its end", 0.02)
    said = message(HELLO, value=VERSION, text=b"x", more=b"9") + message(
        LISTENER, port=8033,
        at=bytes(10) + b"\xff\xff" + socket.inet_aton(gateway)) + message(
        LISTENER, port=8034)
    ports_to_pick(served, 700, 900)
    served.sh(f"printf '{said}' >/said; "
              f"(cat /said; sleep 2) | nc {gateway} {PORT} >/heard & :")
    until(lambda: 8034 in ports(served), 5, "what is its own", 0.02)
    assert 8033 not in ports(served)
    ports_to_pick(served, 32768, 60999)
    until(lambda: "agent" not in status(served), 10, "its end", 0.05)
    start_agent(served)
