# SPDX-License-Identifier: MIT
"""slipway serve: a virtual machine comes up by itself and is reached."""

import concurrent.futures
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest

from scene import HOST4, WORLD4, WORLD6, kill_all, processes, until
from servers import Server, echo, web

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "vm"))
from machine import (Machine, datagrams, listening, stream,  # noqa: E402
                     vhost_user)

ASIDE = os.environ.get("SLIPWAY_VM", "")

pytestmark = [
    pytest.mark.skipif(not shutil.which("qemu-system-x86_64"),
                       reason="there is no qemu-system-x86_64"),
    pytest.mark.skipif(not os.path.exists(ASIDE + "/initramfs.gz"),
                       reason="there is no kernel for a virtual machine"),
]


QEMU_LOOKS_AGAIN = 1            # seconds: its least, and not ours


class Served:
    """slipway serve, and a machine in its network."""

    def __init__(self, slipway, directory, name, *options, link="qemu",
                 **machine):
        self.slipway, self.name, self.of_machine = slipway, name, machine
        self.socket = f"{directory}/qemu.sock"
        self.netdev = {"qemu": stream, "qemu-connect": listening,
                       "qemu-dgram": datagrams,
                       "vhost-user": vhost_user}[link]
        self.options = f"--{link}", self.socket, *options
        self.start()
        self.machine = None
        self.boot()

    def start(self):
        self.front = self.slipway.popen("serve", "-q", "--name", self.name,
                                        *self.options)
        until(lambda: self.name in self.slipway("status").stdout and
              (os.path.exists(self.socket) or self.netdev == listening), 5,
              "the network")

    def kill(self):
        """All of slipway's processes, at once."""
        family = [self.front.pid]
        for pid in family:
            with open(f"/proc/{pid}/task/{pid}/children") as f:
                family += map(int, f.read().split())
        assert len(family) == 3
        kill_all(family)
        self.front.wait(5)
        until(lambda: not any(pid in processes() for pid in family), 5,
              "their end")

    def boot(self):
        if self.machine:
            self.machine.close()
        self.machine = Machine(ASIDE, self.netdev(self.socket),
                               **self.of_machine)

    def sh(self, command, seconds=30):
        return self.machine.sh(command, seconds)

    def close(self):
        self.machine.close()
        self.slipway("stop", self.name)
        self.front.wait(5)


@pytest.fixture(scope="module", params=["qemu", "vhost-user"])
def served(request, root, world, tmp_path_factory):
    s = Served(root, tmp_path_factory.mktemp("vm"), "machine",
               "--mtu", "1400", "--localhost", "8080",
               "-p", "8090:8080",
               "--host-access", "gateway", "--search", "lan.test",
               "--hostname", "ship", link=request.param)
    yield s
    s.close()


def test_its_dhcp_client_is_served(served):
    status, lease = served.sh("cat /lease")
    assert status == 0
    guest, bits, router, dns, seconds = lease.split()
    assert served.slipway("status").stdout.count(guest) == 1
    assert (bits, router, dns, seconds) == ("20", dns, router, "3600")
    assert served.sh("hostname")[1] == "ship\n"
    assert "mtu 1400" in served.sh("ip link show eth0")[1]
    assert "search lan.test" in served.sh("cat /etc/resolv.conf")[1]


def test_it_takes_an_ipv6_address_by_itself(served):
    until(lambda: "scope global dynamic" in
          served.sh("ip -6 addr show eth0")[1], 10, "an address", 0.2)
    until(lambda: "default via fe80::" in served.sh("ip -6 route")[1], 10,
          "a route", 0.2)
    assert served.sh(f"ping -c1 -W3 {WORLD6}")[0] == 0


def test_it_resolves_and_pings(served):
    assert served.sh(f"ping -c1 -W3 {WORLD4}")[0] == 0
    status, said = served.sh("ping -c1 -W3 host.slipway.internal")
    assert status == 0, said
    assert served.sh("nslookup demo.test")[1].count(WORLD4) == 1


def test_it_fetches(served):
    status, said = served.sh(f"wget -q -O - http://{WORLD4}/from-a-machine")
    assert (status, said) == (0, "you asked for /from-a-machine\n")
    status, said = served.sh(f"wget -q -O - http://[{WORLD6}]/six")
    assert (status, said) == (0, "you asked for /six\n")


def test_it_reaches_the_host_where_that_was_allowed(served):
    with Server("127.0.0.1", web) as server:
        status, said = served.sh("wget -q -O - http://host.slipway.internal:"
                                 f"{server.port}/host")
    assert (status, said) == (0, "you asked for /host\n")


def test_the_host_reaches_its_port_at_localhost(served):
    def curl(url):
        return subprocess.run(["curl", "-sg", "-m", "10", url],
                              capture_output=True, text=True)

    with pytest.raises(ConnectionResetError):   # by connect() or recv()
        with socket.create_connection(("127.0.0.1", 8080), 5) as nobody:
            nobody.recv(1)
    assert served.sh("httpd -h /www -p 8080")[0] == 0
    for host in ("127.0.0.1", "[::1]"):
        assert curl(f"http://{host}:8080/hello").stdout == "from the machine\n"


def test_other_machines_reach_what_is_published(served, scene):
    with scene.world:
        done = subprocess.run(["curl", "-sm", "10",
                               f"http://{HOST4}:8090/hello"],
                              capture_output=True, text=True)
    assert done.stdout == "from the machine\n"
    with scene.world, socket.create_connection((HOST4, 8090), 10):
        # The host's kernel has taken it; the machine has it soon.
        until(lambda: re.search(rf":8080 .*{WORLD4}:\d+ .*ESTABLISHED",
                                served.sh("netstat -tn")[1]), 5, "it", 0.1)


def test_both_ways_carry_much_unharmed(served):
    """8 MiB down and the same up again, by the machine's own programs."""
    served.sh("httpd -h /www -p 8080")
    made = served.sh("dd if=/dev/urandom of=/www/big bs=1M count=8 "
                     "2>/dev/null; sha256sum </www/big")[1]
    got = subprocess.run("curl -sm 60 http://127.0.0.1:8080/big | sha256sum",
                         shell=True, capture_output=True, text=True).stdout
    assert made.split()[0] == got.split()[0]


def test_exec_says_what_it_is(served):
    done = served.slipway("exec", "machine", "true")
    assert done.returncode == 125
    assert done.stderr == (
        "slipway: the guest is a virtual machine in which no agent runs; "
        "start slipway guest there, or log in to it\n")


def test_another_machine_may_follow(served):
    before = served.sh("cat /lease")[1]
    served.boot()
    assert served.sh("cat /lease")[1] == before
    assert served.sh(f"ping -c1 -W3 {WORLD4}")[0] == 0


def test_nothing_of_the_host_unless_asked_for(root, world, tmp_path):
    """Over a link where it is QEMU that listens."""
    with Server("127.0.0.1", web) as server:
        served = Served(root, tmp_path, "stranger", link="qemu-connect")
        try:
            gateway = served.sh("cat /lease")[1].split()[2]
            said = served.sh(f"nc -w 5 {gateway} {server.port} 2>&1")
            assert said[0] == 1 and "No route" in said[1], said
            assert not server.accepted
            assert served.sh(f"ping -c1 -W3 {WORLD4}")[0] == 0
        finally:
            served.close()
    assert served.front.returncode == 0


def test_a_link_of_datagrams(root, world, tmp_path):
    served = Served(root, tmp_path, "datagrams", "--localhost", "8081",
                    link="qemu-dgram")
    try:
        served.boot()           # its end of the link is made anew
        assert served.sh(f"ping -c1 -W3 {WORLD4}")[0] == 0
        assert served.sh(f"wget -q -O - http://{WORLD4}/datagrams")[1] == \
            "you asked for /datagrams\n"
        assert served.sh("httpd -h /www -p 8081")[0] == 0
        done = subprocess.run(["curl", "-sm", "10",
                               "http://127.0.0.1:8081/hello"],
                              capture_output=True, text=True)
        assert done.stdout == "from the machine\n"
    finally:
        served.close()
    assert served.front.returncode == 0
    assert not os.path.exists(served.socket)


def kernel_starts_again(again):
    before = again.sh("cat /lease")[1]
    again.machine.reboot()
    assert again.sh("cat /lease")[1] == before
    assert again.sh(f"ping -c1 -W3 {WORLD4}")[0] == 0
    assert again.sh(f"wget -q -O - http://{WORLD4}/again")[1] == \
        "you asked for /again\n"


def slipway_starts_again(again):
    """The machine joins by itself; what there was is over, and told so."""
    before = again.sh("cat /lease")[1]
    with again.slipway.scene.world:
        server = Server(WORLD4, echo)
    with server:
        again.sh("(while echo x; do sleep 0.1; done | nc "
                 f"{WORLD4} {server.port} >/heard; echo >/gone) & :")
        until(lambda: again.sh("test -s /heard")[0] == 0, 10, "an answer",
              0.2)
        again.kill()
        started = time.monotonic()
        again.start()
        # One every 0.1 s, until the first answer.
        again.sh(f"ping -i 0.1 -w 10 {WORLD4} | head -n 2")
        assert again.sh(f"wget -q -O - http://{WORLD4}/new")[1] == \
            "you asked for /new\n"
        took = time.monotonic() - started
        until(lambda: again.sh("test -e /gone")[0] == 0, 10,
              "the connection's end", 0.2)
    assert took < 2 + QEMU_LOOKS_AGAIN, took
    again.sh("udhcpc -i eth0 -s /udhcpc -q -n -t 5 -T 1 -O mtu -O search")
    assert again.sh("cat /lease")[1] == before


@pytest.mark.seconds(180)
@pytest.mark.parametrize("card", ["", "packed=on", "mq=on"])
def test_vhost_user_outlives_either_end(root, world, tmp_path, card):
    again = Served(root, tmp_path, "again", link="vhost-user", card=card,
                   processors=2, reboots=True)
    try:
        kernel_starts_again(again)
        if card != "packed=on":     # QEMU cannot tell where such a ring is
            slipway_starts_again(again)
            kernel_starts_again(again)
    finally:
        again.close()


class Lab:
    """Two machines, on links of two kinds, and a command that joins."""

    WEB = "02:00:00:00:00:0b"

    def __init__(self, slipway, directory):
        self.slipway = slipway
        a, b = f"{directory}/a.sock", f"{directory}/b.sock"
        (directory / "lab.conf").write_text(
            f"[guest web]\nmacAddress = {self.WEB}\n"
            "publish = 8390:80, 127.0.0.1:8391:80\n")
        self.front = slipway.popen(
            "serve", "-q", "--name", "lab", "--config",
            directory / "lab.conf", "--qemu", a, "--vhost-user", b,
            "--localhost", "8392", "--search", "lan.test")
        until(lambda: os.path.exists(a) and os.path.exists(b) and
              "lab" in slipway("status").stdout, 5, "the network")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            self.first, self.web = pool.map(
                lambda how: Machine(ASIDE, how[0], **how[1]),
                [(stream(a), {}), (vhost_user(b), {"mac": self.WEB})])

    def status(self):
        return next(s for s in self.slipway.status() if s["name"] == "lab")

    def address(self, name):
        return next(g["ipv4"] for g in self.status()["guests"]
                    if g["name"] == name)

    def close(self):
        self.first.close()
        self.web.close()
        self.slipway("stop", "lab")
        self.front.communicate(timeout=5)


@pytest.fixture(scope="module")
def lab(root, world, tmp_path_factory):
    with contextlib.closing(Lab(root, tmp_path_factory.mktemp("lab"))) as it:
        yield it


def test_two_machines_reach_each_other(lab):
    for machine, other in ((lab.first, "web"), (lab.web, "lab")):
        assert machine.sh("cat /lease")[1].split()[0] == \
            lab.address("lab" if other == "web" else "web")
        assert machine.sh(f"ping -c1 -W3 {WORLD4}")[0] == 0
        status, said = machine.sh(f"ping -c1 -W3 {other}")
        assert status == 0 and lab.address(other) in said, said
        machine.sh("httpd -h /www -p 80")
    for machine, other in ((lab.first, "web"), (lab.web, "lab")):
        assert machine.sh(f"wget -q -O - http://{other}/hello")[1] == \
            "from the machine\n"


def test_much_between_machines(lab):
    """By one that takes and gives batches, and one that does not."""
    for machine, other in ((lab.first, lab.web), (lab.web, lab.first)):
        other.sh("httpd -h /www -p 80")
        made = other.sh("dd if=/dev/urandom of=/www/big bs=1M count=4 "
                        "2>/dev/null; sha256sum </www/big")[1]
        address = other.sh("cat /lease")[1].split()[0]
        got = machine.sh(f"wget -q -O - http://{address}/big | sha256sum",
                         60)[1]
        assert made.split()[0] == got.split()[0]


def test_a_command_among_machines(lab):
    for machine in lab.first, lab.web:
        machine.sh("httpd -h /www -p 80")
    done = lab.slipway(
        "run", "--join", "lab", "--name", "client", "sh", "-c",
        f"ping -qc1 -w5 {WORLD4} && ping -qc1 -w5 web && ping -qc1 -w5 lab "
        "&& curl -sm5 http://web/hello http://lab/hello; ip -4 -o addr")
    assert done.stdout.count("from the machine\n") == 2, done
    assert done.stdout.count(" 0% packet loss") == 3, done


def test_ports_of_one_of_two_machines(lab, scene):
    def curl(url):
        return subprocess.run(["curl", "-sgm", "10", url],
                              capture_output=True, text=True).stdout
    lab.web.sh("httpd -h /www -p 80")
    lab.first.sh("httpd -h /www -p 8392")
    assert curl("http://127.0.0.1:8391/hello") == "from the machine\n"
    assert curl("http://127.0.0.1:8392/hello") == "from the machine\n"
    with scene.world:
        assert curl(f"http://{HOST4}:8390/hello") == "from the machine\n"


def test_one_machine_dies(lab):
    lab.first.qemu.kill()
    lab.first.qemu.wait()
    assert lab.web.sh(f"ping -c1 -W3 {WORLD4}")[0] == 0
    until(lambda: not lab.status()["guests"][0]["up"], 5, "it to be down")


@pytest.mark.parametrize("args, says", [
    ([], "no link to serve"),
    (["--qemu", "/nowhere/to/be/found.sock"], "No such file"),
    (["--qemu", "x" * 200], "too long"),
    (["--qemu", "q.sock", "true"], "runs no command"),
    (["--qemu", "/nowhere/to/be/found.sock", "--qemu-dgram", "q.sock"],
     "No such file"),
    (["--qemu", "q.sock"] * 17, "more than 16 links"),
    (["--qemu", "q.sock", "--qemu", "q.sock"], "another one serves there"),
    (["--qemu-connect", ""], "empty"),
    (["--qemu-dgram", "/nowhere/to/be/found.sock"], "No such file"),
    (["--qemu-dgram", "q.sock,"], "empty"),
    (["--qemu-dgram", "q.sock," + "x" * 200], "too long"),
])
def test_wrong_usage_says_what_to_do(root, args, says):
    done = root("serve", *args)
    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert re.match(r"slipway: .+: .+; .+", done.stderr), done.stderr
