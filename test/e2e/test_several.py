# SPDX-License-Identifier: MIT
"""
Several guests on one network: machines at sockets of `serve`, and commands
that join.

    ship   first link, the network's own guest
    boat   second link, known by the MAC of its section
    raft   third link, without a section: ship-3
"""

import contextlib
import json
import re
import socket
import struct
import subprocess

import pytest

from plug import Plug, Serve
from scene import HOST4, WORLD4, Netns, sh, until
from servers import Server, echo, web

scapy = pytest.importorskip("scapy.all")

SHIP, BOAT, RAFT = (f"02:00:00:00:00:0{n}" for n in (1, 2, 3))
CONFIG = f"""
[network]
%s
[guest boat]
macAddress = {BOAT}
hostname = dinghy
publish = 8190:80, 127.0.0.1:8191:80
[firewall]
log = off
"""


class Machine(Plug):
    """A plug with the addresses that status has for it."""

    def __init__(self, path, mac, told, status):
        super().__init__(path, mac)
        self.ip4, self.ip6, self.name = (told["ipv4"], told["ipv6"],
                                         told["name"])
        gateway = status["gateway"]
        with self:
            sh(f"ip addr add {self.ip4}/20 dev eth0;"
               f"ip -6 addr add {self.ip6}/64 dev eth0 nodad;"
               f"ip route add default via {gateway['ipv4']};"
               f"ip -6 route replace default via {gateway['ipv6']}")
        self.gateway4 = gateway["ipv4"]

    def pings(self, address, count=1):
        return self.sh(f"ping -c{count} -i0.2 -w5 {address}").returncode == 0

    def resolves(self, name):
        return self.sh(f"dig +short +time=5 {name} "
                       f"@{self.gateway4}").stdout.split()

    def fetches(self, address, port=80):
        return self.sh(f"curl -sgm10 http://{address}:{port}/x").stdout


class Fleet(Serve):
    """serve with three links, of which two may be of any kind."""

    def __init__(self, slipway, directory, name="ship", network="", *options):
        self.sockets = [f"{directory}/{n}.sock" for n in range(3)]
        config = directory / "slipway.conf"
        config.write_text(CONFIG % network)
        super().__init__(slipway, directory, name, "--config", config,
                         "--qemu", self.sockets[1], "--qemu",
                         self.sockets[2], *options)
        self.sockets[0] = self.socket
        self.machines = []

    def told(self, name):
        return next(g for g in self.status()["guests"] if g["name"] == name)

    def machine(self, at, mac, name):
        m = Machine(self.sockets[at], mac, self.told(name), self.status())
        self.machines.append(m)
        return m

    def close(self):
        for m in self.machines:
            m.close()
        super().close()


@pytest.fixture(scope="module")
def fleet(root, world, tmp_path_factory):
    with contextlib.closing(Fleet(root, tmp_path_factory.mktemp("fleet"),
                                  "ship", "", "--host-access",
                                  "gateway", "-p", "8194:80")) as f:
        f.ship = f.machine(0, SHIP, "ship")
        f.boat = f.machine(1, BOAT, "boat")
        f.raft = f.machine(2, RAFT, "ship-3")
        yield f


@contextlib.contextmanager
def serving(machine, port=80):
    with machine, contextlib.ExitStack() as stack:
        for address in (machine.ip4, machine.ip6):
            stack.enter_context(Server(address, web, port))
        # Servers stay where they were opened; we do not.
        machine.__exit__()
        try:
            yield
        finally:
            machine.__enter__()


def test_each_reaches_each(fleet):
    all_of_them = fleet.ship, fleet.boat, fleet.raft
    for a in all_of_them:
        assert a.pings(WORLD4)
        for b in all_of_them:
            if a is not b:
                assert a.pings(b.ip4) and a.pings(b.ip6), (a.name, b.name)
        with serving(a):
            for b in all_of_them:
                if a is not b:
                    assert b.fetches(a.ip4) == "you asked for /x\n"
                    assert b.fetches(f"[{a.ip6}]") == "you asked for /x\n"


def test_names_of_all(fleet):
    for asker in (fleet.ship, fleet.boat, fleet.raft):
        assert asker.resolves("ship") == [fleet.ship.ip4]
        assert asker.resolves("dinghy") == [fleet.boat.ip4]
        assert asker.resolves("ship-3") == [fleet.raft.ip4]
    assert fleet.raft.sh(f"dig +short -x {fleet.boat.ip4} "
                         f"@{fleet.raft.gateway4}").stdout == \
        "dinghy.slipway.internal.\n"


def test_a_group_hears(fleet):
    """As mDNS has it."""
    group = "224.0.0.251"
    with fleet.ship:
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                       socket.inet_aton(group) +
                       socket.inet_aton(fleet.ship.ip4))
        ear.bind((group, 5353))
        ear.settimeout(5)
    with fleet.boat:
        mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    with ear, mouth:
        mouth.sendto(b"who is ship?", (group, 5353))
        said, who = ear.recvfrom(99)
        assert (said, who[0]) == (b"who is ship?", fleet.boat.ip4)


def test_status_tells_of_all(fleet):
    for m in fleet.machines:
        assert m.pings(WORLD4)
    guests = fleet.status()["guests"]
    # Of the second link there is boat; nobody is ship-2.
    assert [g["name"] for g in guests] == ["ship", "boat", "ship-3"]
    assert [g["mac"] for g in guests] == [SHIP, BOAT, RAFT]
    assert [g["link"] for g in guests] == [1, 2, 3]
    assert all(g["up"] for g in guests)
    text = fleet.slipway("status", "ship").stdout
    for g in guests:
        assert f"guests      {g['name']}: {g['ipv4']}" in text
    assert len({g["ipv4"] for g in guests}) == 3


def curl(url):
    return subprocess.run(["curl", "-sgm10", url], text=True,
                          capture_output=True).stdout


def test_published_of_one(fleet, scene):
    with serving(fleet.boat):
        assert curl("http://127.0.0.1:8191/x") == "you asked for /x\n"
        with scene.world:
            assert curl(f"http://{HOST4}:8190/x") == "you asked for /x\n"
            # The same port of another's, which does not listen there.
            assert curl(f"http://{HOST4}:8194/x") == ""
    with serving(fleet.raft, 8192):
        done = fleet.slipway("publish", "--once", "ship/ship-3", "8192")
        assert done.returncode == 0, done.stderr
        with scene.world:
            assert curl(f"http://{HOST4}:8192/x") == "you asked for /x\n"
        # The rule that allows it is for that guest alone.
        opened = [fleet.slipway("firewall", "profile", "ship", "public"),
                  fleet.slipway("why", "tcp", "ship", "ship-3:8192"),
                  fleet.slipway("why", "tcp", "ship-3", "ship:8192"),
                  fleet.slipway("firewall", "profile", "ship", "private")]
        assert [d.returncode for d in opened] == [0, 0, 1, 0], opened
        done = fleet.slipway("unpublish", "ship/ship-3", "8192")
        assert done.returncode == 0, done.stderr
        with scene.world:
            assert curl(f"http://{HOST4}:8192/x") == ""
    done = fleet.slipway("publish", "ship/nobody", "8193")
    assert done.returncode == 1 and "no guest of that name" in done.stderr


MUCH = """
import os, socket, sys, threading
s = socket.create_connection((sys.argv[1], 7), 10)
data, got = os.urandom(1 << 20) * 16, bytearray()
threading.Thread(target=s.sendall, args=(data,)).start()
while len(got) < len(data):
    got += s.recv(1 << 18)
print(got == data)
"""


def carries_much(client, server, *addresses):
    """16 MiB, both ways at once, arrive whole."""
    for address in addresses:
        with server:
            echoing = Server(address, echo, 7)
        with echoing, client:
            done = subprocess.run(["python3", "-c", MUCH, address],
                                  capture_output=True, text=True, timeout=60)
        assert done.stdout == "True\n", done.stderr


def test_much_between_two(fleet):
    carries_much(fleet.ship, fleet.boat, fleet.boat.ip4, fleet.boat.ip6)


def test_links_of_two_kinds(fleet):
    """What one has in batches, and sums left open, the other has not."""
    with contextlib.closing(fleet.slipway.guest("--join", "ship",
                                                name="visitor")) as visitor:
        told = fleet.told("visitor")
        carries_much(visitor, fleet.boat, fleet.boat.ip4, fleet.boat.ip6)
        carries_much(fleet.boat, visitor, told["ipv4"], told["ipv6"])


class Ear:
    """What comes to a machine, of which one cares."""

    def __init__(self, machine, wanted):
        self.heard = []
        machine.watch(lambda from_guest, frame: from_guest or
                      wanted(frame) and self.heard.append(frame))


def test_a_thief_gets_nothing(fleet):
    """One's MAC, and one's address, under another's hand."""
    ship, boat, raft = fleet.ship, fleet.boat, fleet.raft
    assert ship.pings(boat.ip4)
    before = fleet.status().get("drops", {})
    ear = Ear(raft, lambda f: boat.ip4.encode() in f or
              f[:6] == bytes.fromhex(BOAT.replace(":", "")))
    stolen = scapy.Ether(src=BOAT, dst="ff:ff:ff:ff:ff:ff")
    for _ in range(20):
        raft.send(bytes(stolen / scapy.ARP(hwsrc=BOAT, psrc=raft.ip4,
                                           pdst=raft.gateway4)))
        raft.send(bytes(scapy.Ether(src=RAFT, dst="ff:ff:ff:ff:ff:ff") /
                        scapy.ARP(op=2, hwsrc=RAFT, psrc=boat.ip4,
                                  pdst=ship.ip4)))
        raft.send(bytes(scapy.Ether(src=RAFT, dst=SHIP) /
                        scapy.IP(src=boat.ip4, dst=ship.ip4) /
                        scapy.ICMP()))
    assert ship.pings(boat.ip4, 3) and boat.pings(WORLD4, 3)
    assert not ear.heard
    after = fleet.status()["drops"]
    assert sum(after.values()) > sum(before.values())
    assert fleet.told("boat")["link"] == 2


def test_one_gone_the_others_unharmed(fleet):
    ship, boat, raft = fleet.ship, fleet.boat, fleet.raft
    with boat:
        server = Server(boat.ip4, echo, 9)
    with ship:
        talk = socket.create_connection((boat.ip4, 9), 5)
    with server, talk:
        raft.send(b"")
        raft.leave()
        talk.sendall(b"still here")
        assert talk.recv(99) == b"still here"
        until(lambda: not fleet.told("ship-3")["up"], 5, "it to be down")
        raft.join(fleet.sockets[2])
        assert raft.pings(ship.ip4) and ship.pings(raft.ip4)
        assert fleet.told("ship-3")["up"]


def test_an_agent_outlives_another_machine(fleet):
    """One of few words: a hello (src/wire/agent.h), from a port of root's."""
    hello = struct.pack("!BBHII16x16xH", 1, 0, 0, 0, 2, 1) + b"ship"
    with fleet.ship:
        agent = socket.create_connection((fleet.ship.gateway4, 5399), 5,
                                         ("", 700))
    with agent:
        agent.sendall(struct.pack("!H", len(hello)) + hello)
        assert agent.recv(1000)                 # a welcome
        fleet.boat.leave()
        until(lambda: not fleet.told("boat")["up"], 5, "it to be down")
        agent.setblocking(False)
        with pytest.raises(BlockingIOError):    # and not its end
            while agent.recv(1000):
                pass
        fleet.boat.join(fleet.sockets[1])
        assert fleet.boat.pings(fleet.ship.ip4)


def test_rules_between_two(fleet):
    """Out of the one, then in of the other, named as they are."""
    ship, boat, raft = fleet.ship, fleet.boat, fleet.raft

    def blocked(*rule):
        done = fleet.slipway("firewall", "add", "--name", "ship", "--once",
                             "name=no", "action=block", *rule)
        assert done.returncode == 0, done.stderr

    def unblocked():
        done = fleet.slipway("firewall", "delete", "--name", "ship", "no")
        assert done.returncode == 0, done.stderr

    with serving(boat):
        for rule in (("direction=in", "guest=boat",
                      f"remoteAddress={ship.ip4}"),
                     ("direction=out", "guest=ship", "protocol=tcp",
                      "remotePort=80")):
            assert ship.fetches(boat.ip4) and raft.fetches(boat.ip4)
            blocked(*rule)
            why = fleet.slipway("why", "tcp", "ship", "dinghy:80")
            assert why.returncode == 1 and "no" in why.stdout, why
            assert fleet.slipway("why", "tcp", "ship-3",
                                 "boat:80").returncode == 0
            assert ship.sh(f"curl -sm1 http://{boat.ip4}/x").returncode == 28
            assert raft.fetches(boat.ip4) == "you asked for /x\n"
            unblocked()
    with boat:
        server = Server(boat.ip4, echo, 9)
    with ship:
        talk = socket.create_connection((boat.ip4, 9), 5)
    with server, talk:
        talk.sendall(b"now")
        assert talk.recv(99) == b"now"
        flows = fleet.slipway("flows", "ship").stdout
        assert re.search(r"\bship:\d+ .* boat:9 .*switched", flows), flows
        flows = json.loads(fleet.slipway("flows", "--json", "ship").stdout)
        told = next(f for f in flows["flows"] if f["peer"].endswith(":9"))
        assert (told["guest"].split(":")[0], told["guest_name"],
                told["peer"], told["peer_name"]) == \
            (ship.ip4, "ship", f"{boat.ip4}:9", "boat")
        blocked("direction=in", "guest=boat", "localPort=9")
        talk.sendall(b"then")           # a flow that lives is asked about
        talk.settimeout(1)
        with contextlib.suppress(OSError):      # silent, or reset
            assert talk.recv(99) == b""
        unblocked()


def test_isolated(root, world, tmp_path):
    with contextlib.closing(Fleet(root, tmp_path, "apart",
                                  "isolate = true")) as fleet:
        ship = fleet.machine(0, SHIP, "apart")
        boat = fleet.machine(1, BOAT, "boat")
        assert ship.pings(WORLD4) and boat.pings(WORLD4)
        for a, b in ((ship, boat), (boat, ship)):
            assert a.sh(f"ping -c1 -W1 {b.ip4}").returncode == 1
            assert a.sh(f"ping -c1 -W1 {b.ip6}").returncode == 1
        assert fleet.status()["isolate"] is True


def test_addresses_stay(root, world, tmp_path):
    """By their names, in whatever order a file has them."""
    def addresses(*names):
        config = tmp_path / "conf"
        config.write_text("".join(f"[guest {n}]\n" for n in names))
        with contextlib.closing(Serve(root, tmp_path, "kept", "--config",
                                      config)) as serve:
            return {g["name"]: (g["ipv4"], g["ipv6"])
                    for g in serve.status()["guests"]}
    first = addresses("a", "b")
    assert addresses("b", "a") == first
    again = addresses("c", "b")
    assert again["b"] == first["b"]
    assert again["c"] not in first.values()


# ---- commands that join ----

def run_in(guest, command):
    with guest:
        return subprocess.run(command, shell=True, text=True,
                              capture_output=True, timeout=30)


def one(slipway, name):
    return next(s for s in slipway.status() if s["name"] == name)


def visit(slipway, home, visitor):
    """What is seen of a visitor while it is there; its address."""
    there, own = one(slipway, "home"), one(slipway, "visitor")
    told = there["guests"][1]
    ip4 = told["ipv4"]
    assert own["joined"] == "home" and own["guest"]["ipv4"] == ip4
    assert [g["name"] for g in there["guests"]] == ["home", "visitor"]
    assert told["joined"] and told["link"] == 2
    for guest, other in ((home, ip4), (visitor, there["guest"]["ipv4"])):
        for where in WORLD4, other:
            done = run_in(guest, f"ping -c1 -w5 {where}")
            assert done.returncode == 0, done
    carries_much(home, visitor, ip4, told["ipv6"])
    asked = run_in(home, "dig +short +time=5 visitor @"
                   + there["gateway"]["ipv4"])
    assert asked.stdout == ip4 + "\n"
    asked = run_in(visitor, "dig +short +time=5 home @"
                   + there["gateway"]["ipv4"])
    assert asked.stdout == there["guest"]["ipv4"] + "\n"
    with visitor:
        server = Server(ip4, web, 8080)
    with server:
        # localhost is its own, as without.
        until(lambda: curl("http://127.0.0.1:8080/x") ==
              "you asked for /x\n", 5, "localhost")
        done = slipway("publish", "--once", "home/visitor", "8195:8080")
        assert done.returncode == 0, done.stderr
        with slipway.scene.world:
            assert curl(f"http://{HOST4}:8195/x") == "you asked for /x\n"
    done = slipway("run", "--join", "home", "--name", "visitor", "true")
    assert done.returncode == 125
    return ip4


def test_a_command_joins(slipway, world):
    with contextlib.closing(slipway.guest(name="home")) as home:
        with contextlib.closing(slipway.guest("--join", "home",
                                              name="visitor")) as visitor:
            ip4 = visit(slipway, home, visitor)
        until(lambda: len(one(slipway, "home")["guests"]) == 1, 5,
              "the visitor to have left")
        with slipway.scene.world:
            assert curl(f"http://{HOST4}:8195/x") == ""
        done = slipway("run", "--join", "home", "--name", "visitor", "sh",
                       "-c", f"ping -c1 -w5 {WORLD4} && ip -4 -o addr")
        assert done.returncode == 0 and ip4 in done.stdout, done
        assert "warning" not in slipway("status", "home").stdout


def test_a_container_joins(root, world):
    """It is the namespace's own from then on, as without; and leaves."""
    with contextlib.closing(Netns()) as box, \
            contextlib.closing(root.guest(name="home")) as home:
        done = root("attach", box.path(), "--join", "home", "true")
        assert done.returncode == 2         # one operand
        refused = root("attach", box.path(), "--join", "home",
                       "--name", "box")
        assert refused.returncode == 1
        assert "give --host-access gateway" in refused.stderr
        done = root("attach", "--background", "--join", "home", "--name",
                    "box", "--host-access", "gateway", box.path())
        assert done.returncode == 0, done.stderr
        told = one(root, "home")["guests"][1]
        assert run_in(box, f"ping -c1 -w5 {WORLD4}").returncode == 0
        assert told["name"] == "box" and \
            told["ipv4"] in run_in(box, "ip -4 -o addr").stdout
        root("stop", "box")
        until(lambda: len(one(root, "home")["guests"]) == 1, 5, "its end")
        until(lambda: "eth0" not in run_in(box, "ip link").stdout, 5,
              "the end of its interface")
        assert run_in(home, f"ping -c1 -w5 {WORLD4}").returncode == 0


def test_who_joins_is_told_that_it_cannot(slipway, tmp_path):
    """Before it has begun: two of one name in DNS."""
    config = tmp_path / "slipway.conf"
    config.write_text("[network]\nhostname = deck\n")
    with contextlib.closing(slipway.guest("--config", config, name="home")):
        done = slipway("run", "--join", "home", "--name", "deck", "true")
        assert done.returncode == 125 and "home's; give another" in \
            done.stderr, done
        assert len(one(slipway, "home")["guests"]) == 1
        done = slipway("run", "--join", "home", "--name", "mate", "true")
        assert done.returncode == 0, done


def test_a_joiner_ends_with_its_network(root, world):
    with contextlib.closing(root.guest(name="home")):
        visitor = root.popen("run", "--join", "home", "--name", "visitor",
                             "sh", "-c", "echo up; read end",
                             stderr=subprocess.PIPE)
        assert visitor.stdout.readline() == "up\n"
        root("stop", "home")
        assert visitor.wait(10) == 125
        said = visitor.stderr.read()
    assert "the network home, which the guest has joined, has ended" in said


def test_the_mtu_of_who_has_joined(root, world):
    def has(guest, mtu):
        return f"mtu {mtu} " in run_in(guest, "ip link show eth0").stdout
    with contextlib.closing(root.guest(name="home")) as home, \
            contextlib.closing(root.guest("--join", "home",
                                          name="visitor")) as visitor:
        assert has(home, 1500) and has(visitor, 1500)
        sh("ip link set up0 mtu 1380")
        try:
            until(lambda: has(home, 1380) and has(visitor, 1380), 5,
                  "both to follow")
            until(lambda: one(root, "visitor")["mtu"] == 1380, 5, "status")
        finally:
            sh("ip link set up0 mtu 1500")
        until(lambda: has(home, 1500) and has(visitor, 1500), 5, "and back")


def ask_to_join(slipway, name):
    """The connection on which the network waits for a tap."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(5)
    sock.connect(f"{slipway.runtime}/home.sock")
    body = json.dumps({"name": name}).encode()
    sock.sendall(b"POST /v1/join HTTP/1.1\r\nHost: x\r\nUpgrade: slipway-join"
                 b"\r\nConnection: upgrade\r\nContent-Length: %d\r\n\r\n"
                 % len(body) + body)
    said = b""
    while not said.endswith(b"\n") or b"\r\n\r\n" not in said:
        said += sock.recv(4096)
        assert said.startswith(b"HTTP/1.1 101"), said
    return sock


def test_what_is_no_tap(root, world):
    """Whoever brings another thing, too much, or goes, is let go alone."""
    with contextlib.closing(root.guest(name="home")) as home, \
            open("/dev/null", "rb") as null:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            for fds in ([null.fileno()], [theirs.fileno()], [],
                        [null.fileno()] * 3):
                with ask_to_join(root, "thing") as sock:
                    socket.send_fds(sock, [b'{"offloads": 1}\n'], fds)
                    assert sock.recv(1) == b""
        with ask_to_join(root, "thing") as sock:
            assert len(one(root, "home")["guests"]) == 2
        until(lambda: len(one(root, "home")["guests"]) == 1, 5, "its end")
        assert run_in(home, f"ping -c1 -w5 {WORLD4}").returncode == 0


def test_nobody_joins_from_inside(root, world):
    with contextlib.closing(root.guest(name="home")) as home:
        with home:
            done = root("run", "--join", "home", "--name", "nested", "true")
        assert done.returncode == 125
        assert "from the host's own network alone" in done.stderr


@pytest.mark.parametrize("options, says", [
    (["--join", "nothing"], "no network of that name runs"),
    (["--join", "no thing"], "not a name"),
    (["--join", "home", "-p", "80"], "it goes without ports to publish"),
    (["--join", "home", "--allow", "a.test"], "without an allow list"),
    (["--join", "home", "--host-access", "off"], "lets its guests reach"),
])
def test_what_cannot_join(root, options, says):
    with contextlib.closing(root.guest(name="home")):
        done = root("run", *options, "true")
    assert done.returncode in (2, 125) and says in done.stderr, done.stderr


@pytest.mark.parametrize("text, says", [
    ("[guest home]\n", "the network's own name"),
    ("[guest a]\naddress = 192.0.2.9\n", "not in the subnet"),
    ("[guest a]\nmacAddress = 02:00:00:00:00:09\n"
     "[guest b]\nmacAddress = 02:00:00:00:00:09\n", "give each its own"),
    ("[guest home-2]\n", "take another"),
])
def test_what_no_guest_can_be(root, tmp_path, text, says):
    (tmp_path / "conf").write_text(text)
    done = root("serve", "--name", "home", "--config", tmp_path / "conf",
                "--qemu", tmp_path / "a", "--qemu", tmp_path / "b")
    assert done.returncode in (1, 2) and says in done.stderr, done.stderr
