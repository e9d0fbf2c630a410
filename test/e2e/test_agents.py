# SPDX-License-Identifier: MIT
"""
The agents of several guests on one network: each is its own guest's.

Machines are namespaces at sockets of `serve` (plug.py), in which slipway guest
runs as root, as it does in a virtual machine (test_agent.py).

    ship   first link
    boat   second link, with a section
    raft   third link: ship-3
"""

import contextlib
import errno
import fcntl
import ipaddress
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import threading

import pytest

from scene import PROGRAM, until
from servers import Server, web
from test_agent import (CARRY, HELLO, LISTENER, VERSION, connects, fetch,
                        message)
from test_several import BOAT, RAFT, SHIP, Fleet

CONFIG = """
[network]
%s
[boot]
command = echo ship >>{dir}/booted
[guest boat]
macAddress = """ + BOAT + """
bootCommand = echo boat >>{dir}/booted; exit 4
publish = 127.0.0.1:8301:8300
"""


UDP_SEGMENT = 103
LINGER_NOT = struct.pack("ii", 1, 0)


def raw(text):
    """What printf would make of it."""
    return bytes(int(o, 8) for o in text.split("\\")[1:])


def poses(machine, said):
    """Something at the agent's port, from a port of root's."""
    with machine:
        s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    s.bind(("", 501))           # agents have higher ones
    s.connect((machine.gateway4, 5399))
    s.sendall(said)
    return s


class Agent:
    """slipway guest in a machine."""

    def __init__(self, machine, *options):
        with machine:
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && "
                 'exec "$@"', "sh", PROGRAM, "guest", *options])

    def close(self):
        self.process.kill()
        self.process.wait()


class Agents(Fleet):
    def __init__(self, slipway, directory, *options):
        self.agents = {}
        super().__init__(slipway, directory, "ship", "", *options)

    def agent_of(self, name):
        return self.told(name).get("agent")

    def begin(self, machine):
        self.agents[machine.name] = Agent(machine)
        until(lambda: self.agent_of(machine.name), 10, "the agent", 0.02)

    @contextlib.contextmanager
    def without(self, machine, said=b""):
        """
        Its agent stands still, and something else takes its place, says that,
        and goes at the end.
        """
        agent = self.agents[machine.name]
        agent.process.send_signal(signal.SIGSTOP)
        try:
            with poses(machine, raw(message(HELLO, value=VERSION, text=b"x",
                                            more=b"posing")) + said):
                until(lambda: self.agent_of(machine.name)["version"] ==
                      "posing", 5, "who poses", 0.02)
                yield
            until(lambda: not self.agent_of(machine.name), 5, "its end", 0.02)
        finally:
            agent.process.send_signal(signal.SIGCONT)
        until(lambda: self.agent_of(machine.name), 15, "it again", 0.05)

    def close(self):
        for agent in self.agents.values():
            agent.close()
        super().close()


@pytest.fixture(scope="module")
def fleet(root, world, tmp_path_factory):
    where = tmp_path_factory.mktemp("agents")
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as s:
        patch.setattr("test_several.CONFIG", CONFIG.format(dir=where))
        f = s.enter_context(contextlib.closing(Agents(
            root, where, "--localhost", "auto", "--host-access",
            "localhost")))
        f.where = where
        f.ship = f.machine(0, SHIP, "ship")
        f.boat = f.machine(1, BOAT, "boat")
        f.raft = f.machine(2, RAFT, "ship-3")
        for machine in f.machines:
            f.begin(machine)
        yield f


@contextlib.contextmanager
def at(machine, address, port, what=web):
    with machine:
        server = Server(address, what, port)
    with server:
        yield server


def test_each_is_heard_and_shown(fleet):
    for machine in fleet.machines:
        assert fleet.agent_of(machine.name)["address"] == machine.ip4
    assert fleet.status()["agent"] == fleet.agent_of("ship")
    said = fleet.slipway("status", "ship").stdout
    for start in ("agent       slipway ", "agent       boat: slipway ",
                  "agent       ship-3: slipway "):
        assert said.count("\n" + start) == 1, said


def test_each_has_its_boot_command(fleet):
    until(lambda: "boot" in fleet.told("boat") and "boot" in fleet.status(),
          5, "their ends", 0.02)
    assert fleet.told("boat")["boot"] == {"status": 4}
    assert fleet.status()["boot"] == {"status": 0}
    assert "boot" not in fleet.told("ship-3")
    lines = (fleet.where / "booted").read_text().split()
    assert sorted(lines) == ["boat", "ship"]


def test_exec_runs_where_it_is_told(fleet):
    def run(name):
        done = fleet.slipway("exec", name, "ip", "-br", "link", "show", "eth0")
        return done.stdout.split()[2:3] or done.stderr

    assert run("ship") == run("ship/ship") == [SHIP]
    assert run("ship/boat") == [BOAT]
    assert run("ship/ship-3") == [RAFT]
    done = fleet.slipway("exec", "ship/nobody", "true")
    assert done.returncode == 125 and "no guest of that name" in done.stderr


SIZES = """
import os, select, signal, sys
woken, wakes = os.pipe()
os.set_blocking(wakes, False)
signal.set_wakeup_fd(wakes)
signal.signal(signal.SIGWINCH, lambda *_: None)
while True:
    print("size", *os.get_terminal_size(), flush=True)
    if 0 in select.select([0, woken], [], [])[0]:
        sys.exit(len(sys.stdin.readline().strip()))
    os.read(woken, 99)
"""


class Terminal:
    """A command's, which it may call its own."""

    def __init__(self, fleet, *argv):
        self.ours, its = pty.openpty()
        self.heard = b""
        self.resize(25, 80)
        self.command = subprocess.Popen(
            fleet.slipway.argv(*argv), env=fleet.slipway.env, stdin=its,
            stdout=its, stderr=its, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(its)

    def resize(self, rows, columns):
        """As a terminal emulator does whose window is another size."""
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ,
                    struct.pack("4H", rows, columns, 0, 0))

    def hear(self, text):
        while text not in self.heard:
            assert select.select([self.ours], [], [], 10)[0], self.heard
            self.heard += os.read(self.ours, 4096)
        self.heard = self.heard.partition(text)[2]


def test_a_commands_terminal_has_the_size_that_ours_has(fleet):
    t = Terminal(fleet, "exec", "ship/boat", "python3", "-c", SIZES)
    try:
        t.hear(b"size 80 25\r\n")
        for columns, rows in (101, 33), (20, 5), (65535, 65535), (80, 24):
            t.resize(rows, columns)
            t.hear(b"size %d %d\r\n" % (columns, rows))
        os.write(t.ours, b"seven..\r")
        assert t.command.wait(10) == 7
    finally:
        t.command.kill()
        t.command.wait()
        os.close(t.ours)


def test_exec_of_one_that_joined(fleet):
    with contextlib.closing(fleet.slipway.guest(
            "--join", "ship", name="client")):
        done = fleet.slipway("exec", "ship/client", "true")
        assert done.returncode == 125
        assert "slipway exec client" in done.stderr


def test_localhost_is_the_first_ones(fleet):
    """What another one has on the same port does not get in its way."""
    with at(fleet.boat, "127.0.0.1", 8310), at(fleet.raft, "0.0.0.0", 8310):
        with at(fleet.boat, "127.0.0.1", 8311):
            with at(fleet.ship, "127.0.0.1", 8310):
                until(lambda: connects(8310), 5, "the port", 0.01)
                assert fetch("http://127.0.0.1:8310/a") == \
                    "you asked for /a\n"
            until(lambda: not connects(8310), 5, "its end", 0.01)
        assert not connects(8311)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_what_is_published_of_another_on_loopback_only(fleet, address):
    def leads():
        return {p["to"] for p in fleet.status()["published"]
                if p["publish"] == "127.0.0.1:8301:8300"}

    assert leads() == {f"{fleet.boat.ip4}:8300"}
    assert fetch("http://127.0.0.1:8301/x") == ""
    to = f"[{address}]:8300" if ":" in address else f"{address}:8300"
    with at(fleet.ship, "127.0.0.1", 8300), at(fleet.raft, address, 8300):
        assert leads() == {f"{fleet.boat.ip4}:8300"}
        with at(fleet.boat, address, 8300):
            until(lambda: leads() == {to}, 5, "the listener", 0.01)
            assert fetch("http://127.0.0.1:8301/of-boat") == \
                "you asked for /of-boat\n"
        until(lambda: leads() == {f"{fleet.boat.ip4}:8300"}, 5, "its end",
              0.01)


def test_one_that_is_published_later(fleet):
    with at(fleet.raft, "127.0.0.1", 8320):
        done = fleet.slipway("publish", "--once", "ship/ship-3",
                             "127.0.0.1:8321:8320")
        assert done.returncode == 0, done.stderr
        until(lambda: fetch("http://127.0.0.1:8321/raft") ==
              "you asked for /raft\n", 5, "the listener", 0.02)
        done = fleet.slipway("unpublish", "ship/ship-3",
                             "127.0.0.1:8321:8320")
        assert done.returncode == 0, done.stderr
        assert not connects(8321)


def mirrored(fleet, name, port):
    where = fleet.status() if name == "ship" else fleet.told(name)
    return [m for m in where.get("mirrors", []) if m["port"] == port]


def test_the_hosts_listeners_are_at_each_ones_localhost(fleet):
    with Server("127.0.0.1", web) as server:
        for m in fleet.machines:
            until(lambda m=m: mirrored(fleet, m.name, server.port) and
                  mirrored(fleet, m.name, server.port)[0]["ipv4"]["state"] ==
                  "open", 5, "the port", 0.02)
            assert m.fetches("127.0.0.1", server.port) == \
                "you asked for /x\n"
        # One that goes takes only its own away.
        with fleet.without(fleet.boat):
            assert mirrored(fleet, "boat", server.port)[0]["ipv4"]["state"] \
                == "opening"
            assert fleet.raft.fetches("127.0.0.1", server.port) == \
                "you asked for /x\n"
        until(lambda: fleet.boat.fetches("127.0.0.1", server.port) ==
              "you asked for /x\n", 5, "it again", 0.05)


def test_the_end_of_a_link_is_its_own_guests(fleet):
    """The others' agents stay, with what they carry."""
    before = {n: fleet.agent_of(n)["since"] for n in ("ship", "boat")}
    with at(fleet.ship, "127.0.0.1", 8330, lambda s: s.sendall(s.recv(99))):
        until(lambda: connects(8330), 5, "the port", 0.01)
        with socket.create_connection(("127.0.0.1", 8330), 5) as carried:
            fleet.raft.leave()
            until(lambda: not fleet.agent_of("ship-3"), 2, "its end", 0.02)
            carried.sendall(b"still here")
            assert carried.recv(99) == b"still here"
    log = open(fleet.status()["log"], encoding="utf-8").read()
    assert log.count("has gone: its connection has ended") == 2, log
    assert {n: fleet.agent_of(n)["since"] for n in before} == before
    fleet.raft.join(fleet.sockets[2])
    until(lambda: fleet.agent_of("ship-3"), 15, "it again", 0.1)


def test_one_has_no_say_of_another_ones(fleet):
    """Neither of its addresses, nor of what was asked of it."""
    def listens(address, port):
        return raw(message(LISTENER, port=port, at=bytes(10) + b"\xff\xff" +
                           socket.inet_aton(address)))

    done = fleet.slipway("publish", "--once", "ship/ship-3",
                         "127.0.0.1:8343:8343")
    assert done.returncode == 0, done.stderr
    with fleet.without(fleet.raft, listens(fleet.ship.ip4, 8341) +
                       listens("127.0.0.1", 8300) +
                       listens("0.0.0.0", 8342) +
                       listens("127.0.0.1", 8343)):
        until(lambda: "127.0.0.1:8343" in {
            p["to"] for p in fleet.status()["published"]}, 5, "the last")
        assert not connects(8341) and not connects(8342)
        assert fetch("http://127.0.0.1:8301/x") == ""
        for name in ("ship", "ship/boat"):
            assert fleet.slipway("exec", name, "true").returncode == 0
    fleet.slipway("unpublish", "ship/ship-3", "127.0.0.1:8343:8343")
    with fleet.without(fleet.ship, listens(fleet.boat.ip4, 8344) +
                       listens("0.0.0.0", 8345)):
        until(lambda: 8345 in {f["port"] for f in fleet.status()["forwards"]},
              5, "its own", 0.02)
        assert 8344 not in {f["port"] for f in fleet.status()["forwards"]}


def is_over(s, seconds):
    s.settimeout(seconds)
    try:
        return s.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_one_that_fills_its_part_is_alone_with_that(fleet):
    """
    Silent callers of one guest's: those over its limit are let go at once, the
    others after two seconds.
    """
    with contextlib.ExitStack() as stack:
        silent = []
        for _ in range(300):
            with fleet.raft:
                s = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                s.connect((fleet.raft.gateway4, 5399))
            silent.append(s)
        for name in ("ship", "ship/boat"):
            assert fleet.slipway("exec", name, "true").returncode == 0
        with at(fleet.boat, "127.0.0.1", 8300):
            until(lambda: fetch("http://127.0.0.1:8301/b") ==
                  "you asked for /b\n", 5, "it", 0.02)
        for s in silent:
            assert is_over(s, 10)
    assert fleet.slipway("exec", "ship/ship-3", "true").returncode == 0


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    s.close()


def hears_reset(s):
    """What comes before it, if it does; else None."""
    s.settimeout(5)
    said = b""
    try:
        while more := s.recv(4096):
            said += more
    except ConnectionResetError:
        return said
    return None


@contextlib.contextmanager
def ends(fleet, server):
    """
    Both ends of a connection that an agent carries, of which "inside" is the
    machine's, and listens or not.
    """
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        if server == "inside":
            with fleet.ship:
                listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        listener.settimeout(5)
        port = listener.getsockname()[1]

        def connected():
            if server == "inside":
                s = socket.socket()
            else:
                with fleet.ship:
                    s = socket.socket()
            stack.enter_context(s)
            return s.connect_ex(("127.0.0.1", port)) == 0 and s

        there = {}
        until(lambda: there.update(s=connected()) or there["s"], 5,
              "the port", 0.05)
        accepted = stack.enter_context(listener.accept()[0])
        yield (accepted, there["s"]) if server == "inside" else \
            (there["s"], accepted)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("by", ["inside", "outside"])
@pytest.mark.parametrize("server", ["inside", "outside"])
def test_a_reset_arrives_as_one(fleet, server, by, half):
    """half: whoever resets has ended its own direction before."""
    with ends(fleet, server) as (inside, outside):
        one, other = (inside, outside) if by == "inside" else (outside,
                                                               inside)
        other.sendall(b"hello")
        assert one.recv(5) == b"hello"
        one.sendall(b"last words")
        if half:
            one.shutdown(socket.SHUT_WR)
            assert other.recv(99) == b"last words"
            assert other.recv(1) == b""
        reset(one)
        if not half:
            assert hears_reset(other) == b"last words"
            return
        # To one that has read the end Linux calls it a broken pipe.
        until(lambda: other.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) ==
              errno.EPIPE, 5, "the reset", 0.01)


def test_an_end_arrives_as_one(fleet):
    with ends(fleet, "inside") as (inside, outside):
        inside.sendall(b"bye")
        inside.close()
        assert hears_reset(outside) is None


def udp(address):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                      socket.SOCK_DGRAM)
    s.settimeout(5)
    return s


def answered(client, port, said):
    """Does a server at localhost answer that? It may not be there yet."""
    client.sendto(said, ("127.0.0.1", port))
    client.settimeout(0.5)
    try:
        while (got := client.recv(70000)) != b"re: " + said:
            assert got.startswith(b"re: "), got
        return True
    except (TimeoutError, ConnectionRefusedError):
        return False


@contextlib.contextmanager
def answering(machine, address, port):
    """A server of UDP there: who asked it, in their order."""
    with machine:
        s = udp(address)
    s.bind((address, port))
    asked = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                said, client = s.recvfrom(70000)
                if said == b"end":
                    return
                asked.append(client)
                if said == b"burst":        # as many as a queue holds
                    for n in range(200):
                        s.sendto(b"%d" % n, client)
                    continue
                s.sendto(b"re: " + said, client)

    s.settimeout(None)
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield asked
    finally:
        with machine:
            last = udp(address)
        last.sendto(b"end", (address, port))
        thread.join(5)
        last.close()
        s.close()


def shown(fleet, port):
    return [f for f in fleet.status()["forwards"]
            if f["port"] == port and f["protocol"] == "udp"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_udp_on_loopback_only_answers(fleet, address):
    with answering(fleet.ship, address, 8350) as asked:
        until(lambda: shown(fleet, 8350), 5, "the port", 0.02)
        with udp("127.0.0.1") as one, udp("127.0.0.1") as two:
            until(lambda: answered(one, 8350, b"first"), 5, "an answer", 0)
            for said in b"", b"x", b"y" * 1473, b"z" * 65000:
                assert answered(one, 8350, said), len(said)
            until(lambda: answered(two, 8350, b"second"), 5, "another", 0)
            assert answered(one, 8350, b"third")
            clients = set(asked)
            assert len(clients) == 2 and {c[0] for c in clients} == {address}
            # A batch (UDP GSO) is as many as it was.
            before = len(asked)
            two.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 100)
            two.sendto(bytes(1050), ("127.0.0.1", 8350))
            until(lambda: len(asked) == before + 11, 5, "each of them", 0.01)
            for _ in range(11):
                assert two.recv(200).startswith(b"re: ")
            # What comes at once is read to its end, without more of it.
            two.sendto(b"burst", ("127.0.0.1", 8350))
            came = set()
            two.settimeout(5)
            while len(came) < 200:
                came.add(two.recv(99))
            # More than any queue holds: what is lost is lost whole.
            for n in range(2000):
                one.sendto(b"%d:" % n + b"f" * 9000, ("127.0.0.1", 8350))
            one.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                while True:
                    said = one.recv(70000)
                    assert said.startswith(b"re: ") and \
                        said.endswith(b":" + b"f" * 9000)
            until(lambda: answered(one, 8350, b"after"), 5, "an answer", 0)
    until(lambda: not shown(fleet, 8350), 5, "its end", 0.02)


def test_many_clients_of_udp(fleet):
    """Those that were silent longest make room, and none for TCP is lost."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(answering(fleet.ship, "127.0.0.1", 8353))
        stack.enter_context(at(fleet.ship, "127.0.0.1", 8353))
        until(lambda: shown(fleet, 8353) and connects(8353), 5, "the port",
              0.02)
        clients = [stack.enter_context(udp("127.0.0.1")) for _ in range(300)]
        for n, client in enumerate(clients + clients[:1]):
            until(lambda c=client: answered(c, 8353, b"%d" % n), 5,
                  "an answer", 0)
        assert fetch("http://127.0.0.1:8353/tcp") == "you asked for /tcp\n"


def test_udp_of_another_where_it_is_published(fleet):
    done = fleet.slipway("publish", "--once", "ship/boat",
                         "127.0.0.1:8352:8351/udp")
    assert done.returncode == 0, done.stderr
    with answering(fleet.ship, "127.0.0.1", 8351) as others, \
            answering(fleet.boat, "127.0.0.1", 8351) as asked, \
            udp("127.0.0.1") as client:
        until(lambda: answered(client, 8352, b"boat"), 5, "an answer", 0.05)
        assert asked and not others
    fleet.slipway("unpublish", "ship/boat", "127.0.0.1:8352:8351/udp")


def test_it_comes_by_ipv6_where_there_is_no_other_way(fleet):
    """By the router that advertises itself, and by the link's prefix."""
    m, gateway = fleet.raft, fleet.status()["gateway"]
    until(lambda: "default via fe80:" in m.sh("ip -6 route").stdout, 10,
          "an advertisement", 0.1)
    m.sh(f"ip route del default; ip -6 route del default via "
         f"{gateway['ipv6']}")
    try:
        with fleet.without(m):
            pass
        own = ipaddress.ip_address(fleet.agent_of("ship-3")["address"])
        assert own in ipaddress.ip_network(m.ip6 + "/64", strict=False)
        done = fleet.slipway("exec", "ship/ship-3", "echo", "by six")
        assert done.stdout == "by six\n", done.stderr
    finally:
        m.sh(f"ip route add default via {gateway['ipv4']}; "
             f"ip -6 route add default via {gateway['ipv6']}")


def test_carry_with_nobodys_token_is_cut_off(fleet):
    with fleet.raft:
        s = socket.socket()
    with s:
        s.connect((fleet.raft.gateway4, 5399))
        s.sendall(raw(message(CARRY)))
        assert is_over(s, 5)
