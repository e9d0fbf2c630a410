# SPDX-License-Identifier: MIT
"""slipway doctor: what is broken is named, and what it says mends it."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess

import pytest

from plug import Plug, Serve
from scene import (FAR4, PROGRAM, SILENT4, WORLD4, WORLD6, Typist, need,
                   processes, sh, sysctl, until)
from servers import Server, web
from test_attach import Container
from test_routers import BEYOND4, BEYOND6, NARROW, beyond  # noqa: F401

pytestmark = pytest.mark.patient

INSIDE = {"interface", "route", "gateway", "resolv.conf", "names", "mtu"}


class Finding(dict):
    """The checks of a report by id; .exit is the exit status."""

    def __init__(self, done):
        assert done.returncode in (0, 1), done
        assert done.stderr == ""
        report = json.loads(done.stdout)
        self.exit = done.returncode
        self.places = {p["kind"]: p for p in report["places"]}
        for place in report["places"]:
            for check in place["checks"]:
                self.setdefault(check["id"], []).append(check)
        self.broken = {i for i, all_ in self.items() for c in all_
                       if c["state"] == "broken"}
        assert report["broken"] == sum(
            c["state"] == "broken" for a in self.values() for c in a)
        assert self.exit == (1 if self.broken else 0)

    def one(self, name):
        check, = self[name]
        return check


def doctor(slipway, *options):
    return Finding(slipway("doctor", "--json", *options))


def doctor_inside(guest_name, slipway, *options):
    return Finding(slipway("exec", guest_name, PROGRAM, "doctor", "--json",
                           *options))


@pytest.fixture
def sick(slipway, world):
    """A guest that may be broken."""
    with contextlib.closing(slipway.guest(name="sick")) as g:
        yield g


@pytest.fixture
def rooted(root, world):
    with contextlib.closing(root.guest(name="sick")) as g:
        yield g


def states(finding):
    return {i: [c["state"] for c in all_] for i, all_ in finding.items()}


@contextlib.contextmanager
def inside(guest, port, address="127.0.0.1"):
    """A server in the guest, while the test is outside."""
    with guest:
        server = Server(address, web, port)
    with server:
        yield


# ---- nothing is broken ----

def test_nothing_is_broken_and_both_directions_are_tried(slipway, sick):
    f = doctor(slipway)
    assert f.exit == 0, f.broken
    assert all(s == "ok" for all_ in states(f).values() for s in all_), \
        states(f)
    assert INSIDE | {"host-route", "dns-server", "path", "tun"} <= set(f)
    assert "guest-to-host" in f and "host-to-guest" in f
    assert f.places["instance"]["name"] == "sick"
    assert sick.address4 in f.places["instance"]["about"]
    assert sick.gateway4 in f.one("route")["seen"]


def test_in_the_guest_itself(slipway, sick):
    f = doctor_inside("sick", slipway)
    assert f.exit == 0, f
    assert set(f.places) == {"guest"}
    assert INSIDE | {"both-ways"} == set(f)
    assert all(s == ["ok"] for s in states(f).values()), states(f)


def test_it_changes_nothing_and_leaves_nothing(root, rooted):
    before = rooted.sh("ss -Htulnp; ip -o addr; ip route").stdout
    assert doctor(root).exit == 0
    assert rooted.sh("ss -Htulnp; ip -o addr; ip route").stdout == before
    until(lambda: "sick" not in root("ports").stdout, 1, "no port left")


def test_with_no_guest_the_host_alone(slipway, world):
    f = doctor(slipway)
    assert f.exit == 0 and set(f.places) == {"host"}
    assert ("userns" in f) == (slipway.user is not None)
    assert "port" not in f


def test_a_port_without_a_guest(slipway, world):
    said = doctor(slipway, "--port", "8000").one("port")
    assert said["state"] == "skipped" and "no guest runs" in said["seen"]


def test_one_guest_of_two(root, rooted):
    with contextlib.closing(root.guest(name="other")):
        both = json.loads(root("doctor", "--json").stdout)
        assert [p["name"] for p in both["places"]] == ["this host", "other",
                                                       "sick"]
        one = json.loads(root("doctor", "--json", "sick").stdout)
        assert [p["name"] for p in one["places"]] == ["this host", "sick"]


def test_off_as_set_is_not_broken(slipway, world):
    with contextlib.closing(slipway.guest("--host-access", "off",
                                          "--localhost", "off",
                                          name="shut")):
        f = doctor(slipway)
        assert f.exit == 0, f.broken
        assert f.one("guest-to-host")["state"] == "skipped"
        assert f.one("host-to-guest")["state"] == "skipped"
        f = doctor_inside("shut", slipway)
        assert f.exit == 0 and f.one("both-ways")["state"] == "skipped"


@pytest.mark.parametrize("mtu", [1280, 9000, 65520])
def test_any_mtu(root, world, mtu):
    with contextlib.closing(root.guest("--mtu", mtu, name="sized")):
        f = doctor(root)
        assert f.exit == 0, f.broken
        assert f.one("mtu")["seen"].startswith(f"{min(mtu, 65535)} bytes")


def test_no_ipv6(slipway, world):
    with contextlib.closing(slipway.guest("--no-ipv6", name="four")):
        f = doctor(slipway)
        assert f.exit == 0, f.broken
        assert f.one("guest-to-host")["state"] == "ok"


# ---- containers and machines ----

def test_a_container(slipway, world):
    with contextlib.closing(Container(slipway)) as box:
        done = slipway("attach", "--background", "--name", "box", box.pid)
        assert done.returncode == 0, done.stderr
        try:
            f = doctor(slipway, "box")
            assert f.exit == 0, f
            assert f.one("resolv.conf")["state"] == "skipped"
            assert f.one("host-to-guest")["state"] == "skipped"
            inside = box.inside(PROGRAM, "doctor", "--json")
            f = Finding(inside)
            assert set(f.places) == {"guest"}
            assert f.one("gateway")["state"] == "ok"
            # Its resolv.conf is the host's, and that leads nowhere here.
            assert f.one("resolv.conf")["state"] in ("note", "broken")
            assert "nameserver 172." in f.one("resolv.conf")["todo"][0]
        finally:
            slipway("stop", "box")


def test_a_container_that_has_lost_its_route(root, world):
    """Nothing in it says that it is a guest, but whoever is the gateway."""
    with contextlib.closing(Container(root)) as box:
        assert root("attach", "--background", "--name", "box",
                    box.pid).returncode == 0
        try:
            box.make("ip route del default")
            f = Finding(box.inside(PROGRAM, "doctor", "--json"))
            assert set(f.places) == {"guest"}
            assert f.one("route")["state"] == "broken"
            command, = f.one("route")["todo"]
            box.make(command)
            assert "route" not in Finding(
                box.inside(PROGRAM, "doctor", "--json")).broken
        finally:
            root("stop", "box")


def test_a_machine(root, world, tmp_path):
    with contextlib.closing(Serve(root, tmp_path, "vm")):
        f = doctor(root, "vm")
        assert f.exit == 0
        assert "virtual machine" in f.one("inside")["seen"]
        assert f.one("inside")["todo"] == ["in there: slipway doctor"]


# ---- names ----

def test_the_resolver_is_dead(slipway, sick, world, scene):
    world.dns.mode = "silent"
    try:
        f = doctor(slipway)
    finally:
        world.dns.mode = "answer"
    assert {"dns-server", "names"} == f.broken
    assert f["dns-server"][0]["seen"] == f"{WORLD4}: no answer"
    assert "/etc/resolv.conf" in f["dns-server"][0]["todo"][0]
    assert "SERVFAIL" in f.one("names")["seen"]
    assert f.one("gateway")["state"] == "ok", "it always answers"


def test_the_resolver_cannot_resolve(root, rooted, world):
    world.dns.mode = "servfail"
    try:
        f = doctor(root)
        inside = doctor_inside("sick", root)
    finally:
        world.dns.mode = "answer"
    assert {"dns-server", "names"} == f.broken
    assert inside.broken == {"names"}


def test_one_of_two_resolvers_is_dead(root, rooted, scene):
    scene.resolver(SILENT4, WORLD4)
    try:
        until(lambda: SILENT4 in root("status", "sick").stdout, 3)
        f = doctor(root)
    finally:
        scene.resolver(WORLD4)
    assert f.exit == 0, f.broken
    first = [c for c in f["dns-server"] if c["state"] == "note"]
    assert first and f"{SILENT4}: no answer; others do" == first[0]["seen"]


def test_a_resolv_conf_that_names_nobody_or_another(root, rooted):
    def write(text):
        done = root("exec", "sick", "sh", "-c",
                    f"printf '{text}' >/etc/resolv.conf")
        assert done.returncode == 0, done.stderr
    was = root("exec", "sick", "cat", "/etc/resolv.conf").stdout
    write("# nobody")
    f = doctor(root)
    assert f.broken == {"resolv.conf"}
    todo, = f.one("resolv.conf")["todo"]
    assert todo.endswith(f"nameserver {rooted.gateway4}")
    write(f"nameserver {SILENT4}")
    assert doctor_inside("sick", root).broken == {"resolv.conf"}
    write(f"nameserver {WORLD4}")
    f = doctor(root)
    assert f.exit == 0 and f.one("resolv.conf")["state"] == "note"
    write(was)
    assert doctor(root).one("resolv.conf")["state"] == "ok"


def test_a_guest_that_drops_its_own_questions(root, rooted):
    need("nft")
    rules = "table inet own { chain output { type filter hook output " \
        "priority filter; udp dport 53 drop; }; }"
    assert rooted.sh(f"nft '{rules}'").returncode == 0
    f = doctor(root)
    assert "gateway" in f.broken
    assert "by UDP: a rule here forbids it; by TCP: answers" in f.one("gateway")["seen"]
    rooted.sh("nft flush ruleset")
    assert doctor(root).exit == 0


# ---- routes ----

def test_the_default_route_of_the_guest_is_gone(root, rooted):
    rooted.sh("ip route del default")
    f = doctor(root)
    assert f.broken == {"route"}
    inside = doctor_inside("sick", root)
    assert inside.broken == {"route"}
    command, = f.one("route")["todo"]
    assert inside.one("route")["todo"] == [command]
    assert root("exec", "sick", *shlex.split(command)).returncode == 0
    assert doctor(root).exit == 0
    rooted.sh("ip -6 route del default")
    f = doctor(root)
    assert f.broken == {"route"} and "IPv6" in f.one("route")["seen"]
    rooted.sh(f.one("route")["todo"][0])
    assert doctor(root).exit == 0


def test_the_default_route_of_the_host_is_gone(root, rooted):
    sh("ip route del default; ip -6 route del default")
    try:
        f = doctor(root)
    finally:
        sh(f"ip route add default via {WORLD4};"
           f"ip -6 route add default via {WORLD6}")
    assert f.broken == {"host-route"}


def test_an_interface_that_is_down_or_has_another_address(root, rooted):
    rooted.sh("ip addr add 172.31.0.9/32 dev eth0")
    assert doctor(root).exit == 0, "one more is nothing to complain of"
    rooted.sh("ip link set eth0 down")
    f = doctor(root)
    assert f.broken == {"interface"}
    assert f.one("interface")["todo"] == ["ip link set eth0 up"]


# ---- sizes ----

def test_a_router_that_drops_large_packets_and_says_nothing(
        slipway, sick, scene):
    need("nft")
    with scene.world:
        sh("nft -f -", input="table ip hole { chain in { type filter hook "
           "prerouting priority filter; iif down0 meta length > 1400 drop; "
           "}; }")
    try:
        f = doctor(slipway, "--peer", FAR4)
    finally:
        with scene.world:
            sh("nft flush ruleset")
    assert f.broken == {"path"}
    assert [c["tried"] for c in f["path"]] == [f"path to {WORLD4}",
                                               f"path to {FAR4}"]
    for check in f["path"]:
        assert "more than 1400 bytes vanish" in check["seen"]
        assert "tcp_mtu_probing=1" in check["todo"][0]
        assert "mtu 1400" in check["todo"][1]


def test_a_router_that_says_so_is_no_hole(root, beyond, world):  # noqa: F811
    for address in (BEYOND4, BEYOND6):
        f = doctor(root, "--peer", address)
        assert f.exit == 0, f
        check = f["path"][-1]
        assert check["tried"] == f"path to {address}"
        assert check["seen"].startswith(f"{NARROW} bytes pass"), check


def test_a_peer_that_answers_no_ping_or_is_not_there(root, world):
    f = doctor(root, "--peer", SILENT4)
    assert f.exit == 0
    assert f["path"][-1]["state"] == "skipped"
    f = doctor(root, "--peer", "203.0.113.1")
    assert f.broken == {"path"}
    assert f["path"][-1]["seen"] == "not reachable"


def test_an_interface_that_takes_more_than_the_network(root, rooted):
    rooted.sh("ip link set eth0 mtu 9000")
    f = doctor(root)
    assert f.broken == {"mtu"}
    rooted.sh(f.one("mtu")["todo"][0])
    assert doctor(root).exit == 0


# ---- ports ----

def port_of(f):
    return (f["port"] if "port" in f else f["port-firewall"])[0]


def test_nobody_listens(slipway, sick):
    f = doctor(slipway, "--port", "8123")
    assert f.broken == {"port"}
    assert port_of(f)["seen"].startswith("nobody listens")
    f = doctor_inside("sick", slipway, "--port", "8123")
    assert f.broken == {"port"}
    assert "refused; in this guest nobody listens" in port_of(f)["seen"]


def test_a_server_of_the_guest(slipway, sick):
    with inside(sick, 8123):
        until(lambda: "8123" in slipway("ports").stdout, 3)
        f = doctor(slipway, "--port", "8123")
        assert f.exit == 0, f["port"]
        assert port_of(f)["seen"] == "the guest listens, and the host " \
            "reaches it at 127.0.0.1:8123"
        f = doctor_inside("sick", slipway, "--port", "8123")
        assert f.exit == 0, f["port"]


def test_a_server_of_the_host(slipway, sick):
    with Server("127.0.0.1", web, 8124):
        f = doctor(slipway, "--port", "8124")
        assert f.exit == 0, f["port"]
        assert port_of(f)["seen"].endswith(f"{sick.gateway4}:8124")
        f = doctor_inside("sick", slipway, "--port", "8124")
        assert f.exit == 0, f["port"]


def test_a_server_of_the_host_mirrored(root, world):
    with contextlib.closing(root.guest("--host-access", "localhost",
                                       name="mirror")) as g, \
            Server("127.0.0.1", web, 8124):
        until(lambda: "8124" in root("status", "mirror").stdout, 3)
        f = doctor(root, "--port", "8124")
        assert f.exit == 0, f["port"]
        assert "a server of the host" in port_of(f)["seen"]
        assert g.gateway4 in port_of(f)["seen"]


def test_the_port_is_somebody_elses(slipway, sick):
    with Server("127.0.0.1", web, 8125), inside(sick, 8125):
        until(lambda: "has the port" in slipway("ports").stdout, 3)
        f = doctor(slipway, "--port", "8125")
        assert "port" in f.broken
        assert "has the port" in port_of(f)["seen"]
        assert any("ports take sick 8125" in t for t in port_of(f)["todo"])


def test_localhost_is_off(root, world):
    with contextlib.closing(root.guest("--localhost", "off",
                                       name="off")) as g:
        with inside(g, 8126):
            f = doctor(root, "--port", "8126")
            assert f.broken == {"port"}
            assert "localhost is not to have it" in port_of(f)["seen"]


def test_the_host_is_not_to_be_reached(root, world):
    with contextlib.closing(root.guest("--host-access", "off", name="off")), \
            Server("127.0.0.1", web, 8127):
        f = doctor(root, "--port", "8127")
        assert f.broken == {"port"}
        assert port_of(f)["todo"] == ["--host-access 8127, or gateway for "
                                      "all"]
        f = doctor_inside("off", root, "--port", "8127")
        assert f.broken == {"port"}
        assert "--host-access" in port_of(f)["todo"][0]


def test_a_rule_of_the_host_drops_the_port(root, rooted):
    need("nft")
    with Server("127.0.0.1", web, 8128):
        assert doctor(root, "--port", "8128").exit == 0
        sh("nft -f -", input="table inet filter { chain input { type filter "
           "hook input priority filter; tcp dport 8128 drop; }; }")
        try:
            f = doctor(root, "--port", "8128")
            assert f.broken == {"port-firewall"}
            check = port_of(f)
            assert re.match(r"the host's firewall drops it: nftables \(table "
                            r"inet filter, chain input, rule \d+\)$",
                            check["seen"])
            inside = doctor_inside("sick", root, "--port", "8128")
            assert inside.broken == {"port"}
            assert "no answer" in port_of(inside)["seen"]
            sh(check["todo"][0])
            assert doctor(root, "--port", "8128").exit == 0
        finally:
            sh("nft flush ruleset")


def test_a_host_that_drops_what_comes_to_its_localhost(root, rooted):
    need("nft")
    sh("nft -f -", input="table inet filter { chain input { type filter "
       "hook input priority filter; iif lo tcp dport 1024-65535 drop; }; }")
    try:
        f = doctor(root)
        inside = doctor_inside("sick", root)
    finally:
        sh("nft flush ruleset")
    assert f.broken == {"guest-to-host", "host-to-guest"}
    assert f.one("guest-to-host")["seen"].endswith("no answer")
    assert rooted.gateway4 in f.one("guest-to-host")["seen"]
    assert f.one("host-to-guest")["seen"].endswith("no answer")
    assert inside.broken == {"both-ways"}


def test_a_rule_of_the_host_drops_what_is_published(root, world, scene):
    need("nft")
    sh("nft -f -", input="table inet filter { chain input { type filter "
       "hook input priority filter; policy drop; ct state established accept;"
       "iif lo accept; meta l4proto { icmp, ipv6-icmp } accept; }; }")
    try:
        with contextlib.closing(root.guest("-p", "8129:80",
                                           name="lan")) as g:
            with inside(g, 80, "0.0.0.0"):
                until(lambda: "0.0.0.0:8129" in root("ports").stdout, 3)
                f = doctor(root)
        assert f.broken == {"status"}
        check, = (c for c in f["status"] if c["state"] == "broken")
        assert "8129 is published, but the host's firewall" in check["seen"]
        assert check["todo"][0].startswith("nft insert rule")
    finally:
        sh("nft flush ruleset")


# ---- what the firewall of the network does, as it is to ----

def test_an_allow_list_is_not_broken(root, world):
    with contextlib.closing(root.guest("--allow", "*.example.test",
                                       name="few")):
        f = doctor(root)
        assert f.exit == 0, f.broken
        assert f.one("names")["state"] == "note"
        assert "allow list" in f.one("firewall")["seen"]
        f = doctor_inside("few", root)
        assert f.exit == 0 and f.one("names")["state"] == "note"


def test_a_profile_that_lets_nobody_in(root, world):
    with contextlib.closing(root.guest("--profile", "public",
                                       name="public")) as g:
        f = doctor(root)
        assert f.exit == 0, f.broken
        assert f.one("firewall")["seen"].startswith("public, 0 rules")
        assert f.one("host-to-guest")["state"] == "ok"
        check = f.one("guest-to-host")
        assert check["state"] == "skipped"
        assert "blocked by default" in check["seen"]
        assert check["todo"][0].startswith("slipway firewall add action=allow")
        with Server("127.0.0.1", web, 8124):
            f = doctor(root, "--port", "8124")
            assert f.broken == {"port"}
            assert "localPort=8124" in port_of(f)["todo"][0]
            assert g.address4 in port_of(f)["todo"][0]
            f = doctor_inside("public", root, "--port", "8124")
            assert f.broken == {"port"}
            assert "localPort=8124" in port_of(f)["todo"][0]
            assert f.one("both-ways")["state"] == "skipped"


def test_a_rule_is_named(root, world, tmp_path):
    (tmp_path / "c").write_text(
        "[rule it's mine]\naction = block\ndirection = in\n"
        "protocol = tcp\nlocalPort = 8124\n")
    with contextlib.closing(root.guest("--config", tmp_path / "c",
                                       name="ruled")), \
            Server("127.0.0.1", web, 8124):
        f = doctor(root, "--port", "8124")
        assert f.broken == {"port"}
        check = port_of(f)
        assert "by the rule 'it's mine' of slipway's own" in check["seen"]
        words = shlex.split(check["todo"][0])
        assert words[:4] == ["slipway", "firewall", "except", "it's mine"]
        assert f.one("guest-to-host")["state"] == "ok", "another port"


# ---- how it is told ----

def test_how_it_looks(root, rooted):
    rooted.sh("ip route del default")
    done = root("doctor")
    assert done.returncode == 1
    assert "\033" not in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == "this host" and "1 thing is broken." == lines[-1]
    bad, = (n for n, line in enumerate(lines) if "BROKEN" in line)
    assert re.fullmatch("  BROKEN  default route +none: .*", lines[bad])
    assert re.fullmatch(r" {10}-> ip route add default via \S+ dev eth0",
                        lines[bad + 1])
    assert all(len(line) < 80 for line in lines if "->" not in line)
    columns = {re.match(r"  \w+ +(?:\S+ )*\S+  +(?=\S)", line).end()
               for line in lines if re.match("  (ok|BROKEN) ", line)}
    assert len(columns) == 1, "aligned"


@pytest.mark.parametrize("env,colour", [({}, True), ({"NO_COLOR": "1"}, False),
                                        ({"TERM": "dumb"}, False)])
def test_colours_at_a_terminal(root, world, env, colour):
    with contextlib.closing(Typist(
            root.argv("doctor"), root.env | {"TERM": "xterm"} | env)) as t:
        line = t.expect(r"\n(.*)ok *(\S*)default route")
        assert line.groups() == (("  \033[32m", "\033[0m") if colour else
                                 ("  ", ""))
        t.expect("Nothing is broken")


@pytest.mark.parametrize("args,status,about", [
    (("a", "b"), 2, "one NAME"),
    (("nobody",), 1, "no guest of that name runs"),
    (("--port", "0"), 2, "not a port; give a port from 1 to 65535"),
    (("--port", "http"), 2, "not a port"),
    (("--peer", "example.test"), 2, "not an address"),
    (("--program", ""), 2, "empty"),
])
def test_wrong_usage(root, args, status, about):
    done = root("doctor", *args)
    assert done.returncode == status and about in done.stderr, done
    assert done.stdout == ""


def test_a_gateway_that_stands_still(root, rooted):
    """Whatever does not answer is told, and in the time that is told."""
    engine, = (pid for pid, comm in processes().items()
               if comm == "slipway-engine")
    os.kill(engine, signal.SIGSTOP)
    try:
        f = doctor(root)
        inside = doctor_inside("sick", root)
    finally:
        os.kill(engine, signal.SIGCONT)
    assert f.broken == {"gateway", "host-to-guest"}
    assert "by UDP: no answer; by TCP: no answer" in f.one("gateway")["seen"]
    assert "gateway" in inside.broken
    assert doctor(root).exit == 0


def test_a_guest_that_ends_meanwhile(root, world):
    """It is said, and nothing hangs."""
    with contextlib.closing(root.guest(name="brief")) as g:
        with g:
            sysctl("net.ipv4.icmp_echo_ignore_all", "1")
        world.dns.mode = "silent"           # so that it takes a while
        try:
            going = root.popen("doctor", "brief")
            until(lambda: subprocess.run(
                ["pgrep", "-cP", str(going.pid)],
                stdout=subprocess.DEVNULL).returncode == 0, 5)
            g.end()
            assert going.wait(20) in (0, 1)
        finally:
            world.dns.mode = "answer"
        assert "brief" in going.stdout.read()
        going.stdin.close()
        going.stdout.close()
