# SPDX-License-Identifier: MIT
"""
DHCP clients and IPv6 stacks as they are found, at the socket of `serve`.

Each client runs in a namespace of its own with a tap (plug.py), as it would
in a machine, and what it says and hears is read off the wire.
"""

import contextlib
import ipaddress
import os
import re
import shutil
import signal
import subprocess

import pytest

from plug import MAC, Plug, Serve
from scene import WORLD4, WORLD6, until

pytestmark = pytest.mark.patient

scapy = pytest.importorskip("scapy.all")

NETWORKD = "/lib/systemd/systemd-networkd"
MTU, HOSTNAME, SEARCH = 1400, "ship", "lan.test"

# What a client learned is its environment; addresses are set as it says.
SCRIPT = """#!/bin/sh
case ${reason-$1} in
bound|renew|BOUND|RENEW|REBIND|REBOOT)
	ip addr replace "${new_ip_address-$ip}/20" dev eth0
	ip route replace default via "${new_routers-$router}"
	env >%(at)s.new
	mv %(at)s.new %(at)s ;;
esac
"""


class Client:
    """A client; start() and lease(), then whatever it can."""
    names = {}
    releases = True

    def __init__(self, plug, directory):
        self.plug, self.dir = plug, directory
        self.child = None
        self.at = directory / "lease"
        self.script = directory / "script"
        self.script.write_text(SCRIPT % {"at": self.at})
        self.script.chmod(0o755)

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            self.at.unlink()
        self.spawn(self.argv())

    def spawn(self, argv):
        with self.plug, open(self.dir / "log", "a") as log:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                          stdout=log, stderr=log)

    def lease(self):
        """What it was given, by our names for it; waits for it."""
        until(lambda: self.at.exists(), 20, "a lease", 0.02)
        said = dict(line.split("=", 1) for line in
                    self.at.read_text().splitlines() if "=" in line)
        return {ours: said.get(its, "").strip("'\"").rstrip(".")
                for ours, its in self.names.items()}

    def kill(self):
        """The power fails."""
        if self.child and self.child.poll() is None:
            self.child.kill()
        if self.child:
            self.child.wait()

    close = kill


class Udhcpc(Client):
    program = "busybox"
    names = {"address": "ip", "router": "router", "dns": "dns",
             "search": "search", "mtu": "mtu", "hostname": "hostname"}

    def argv(self):
        return ["busybox", "udhcpc", "-f", "-i", "eth0", "-s", self.script,
                "-O", "search", "-O", "mtu", "-O", "hostname", "-T", "1"]

    def renew(self):
        self.child.send_signal(signal.SIGUSR1)

    def release(self):
        self.child.send_signal(signal.SIGUSR2)


class Dhclient(Client):
    program = "dhclient"
    names = {"address": "new_ip_address", "router": "new_routers",
             "dns": "new_domain_name_servers", "search": "new_domain_search",
             "mtu": "new_interface_mtu", "hostname": "new_host_name"}

    def argv(self, *how):
        return ["dhclient", *how, "-v", "-cf", "/dev/null",
                "-lf", self.dir / "leases", "-pf", self.dir / "pid",
                "-sf", self.script, "eth0"]

    def start(self):
        (self.dir / "leases").touch()
        with contextlib.suppress(FileNotFoundError):
            self.at.unlink()
        self.spawn(self.argv("-d"))

    def renew(self):
        """It renews on its own time only; started again, it asks at once."""
        self.kill()
        self.start()

    def release(self):
        with self.plug:
            subprocess.run(self.argv("-r"), capture_output=True, timeout=20,
                           check=True)


class Dhcpcd(Client):
    program = "dhcpcd"
    names = Dhclient.names

    def argv(self):
        return ["dhcpcd", "-4", "-B", "-f", "/dev/null", "-c", self.script,
                "-o", "domain_name_servers,domain_search,interface_mtu,"
                "host_name,routers", "eth0"]

    def renew(self):
        self.signal(signal.SIGUSR1)

    def release(self):
        self.signal(signal.SIGALRM)

    def signal(self, number):
        """A signal that comes before its script has ended is lost to it."""
        until(self.is_idle, 10, "an idle dhcpcd", 0.02)
        with contextlib.suppress(FileNotFoundError):
            self.at.unlink()            # lease() waits for the next one
        self.child.send_signal(number)

    def is_idle(self):
        at = f"/proc/{self.child.pid}"
        names = []
        with open(f"{at}/task/{self.child.pid}/children") as f:
            for pid in f.read().split():
                with contextlib.suppress(OSError), \
                        open(f"/proc/{pid}/comm") as name:
                    names.append(name.read().strip())
        with open(f"{at}/stat") as f:
            state = f.read().rpartition(")")[2].split()[0]
        return state == "S" and self.script.name not in names

    def close(self):
        """Its helpers end with it only if it may tell them so."""
        if self.child and self.child.poll() is None:
            self.child.terminate()
            self.child.wait(10)

    kill = close


NETWORKD_MOUNTS = """set -e
mount -t tmpfs -o mode=755 run /run
mount -t sysfs -o ro sysfs /sys
mkdir -p /run/systemd/netif /run/systemd/network /run/etc
for f in passwd group; do
	sed '/^systemd-network:/d' /etc/$f >/run/etc/$f
done
echo systemd-network:x:0:0::/:/bin/sh >>/run/etc/passwd
echo systemd-network:x:0: >>/run/etc/group
for f in passwd group; do mount --bind /run/etc/$f /etc/$f; done
cat >/run/systemd/network/10-eth0.network <<END
[Match]
Name=eth0
[Network]
DHCP=ipv4
IPv6AcceptRA=yes
[DHCPv4]
UseDomains=yes
UseHostname=no
[IPv6AcceptRA]
UseDomains=yes
END
mkdir -p $1/netif
mount --bind $1/netif /run/systemd/netif
export SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console
exec %s
""" % NETWORKD


class Networkd(Client):
    """
    systemd-networkd with neither systemd nor a bus: a /run of its own, and
    a read-only /sys, which says that there is no udev to wait for. Its
    user is root's uid, the only one that the scene has.
    """
    program = NETWORKD
    names = {"address": "ADDRESS", "router": "ROUTER", "dns": "DNS",
             "search": "DOMAINNAME", "mtu": "MTU", "hostname": "HOSTNAME"}

    def argv(self):
        return ["unshare", "--mount", "sh", "-c", NETWORKD_MOUNTS, "sh",
                self.dir]

    def start(self):
        shutil.rmtree(self.dir / "netif", ignore_errors=True)
        self.at = self.dir / "netif" / "leases" / "2"
        self.link = self.dir / "netif" / "links" / "2"
        self.spawn(self.argv())

    def renew(self):
        """The cable is pulled and put back."""
        self.plug.sh("ip link set eth0 carrier off")
        until(lambda: not self.at.exists(), 10, "the end of the lease")
        self.plug.sh("ip link set eth0 carrier on")

    def release(self):
        self.child.terminate()

    # Version 252 closes its socket, then logs RELEASE and sends nothing.
    releases = False


class Talk:
    """The DHCP messages seen on a wire, in order, by name."""

    def __init__(self, plug):
        self.said = []
        plug.watch(self.see)

    def see(self, _, frame):
        # Ethernet type, IP protocol, and a port of DHCP
        if frame[12:14] == b"\x08\x00" and frame[23:24] == b"\x11" and \
                frame[36:38] in (b"\0C", b"\0D"):
            p = scapy.Ether(frame)
            self.options = dict(o for o in p[scapy.DHCP].options
                                if len(o) == 2)
            self.said.append(scapy.DHCPTypes.get(
                self.options["message-type"], "?"))

    def heard(self, kind, times=1):
        return self.said.count(kind) >= times


@pytest.fixture
def serve(root, world, tmp_path):
    s = Serve(root, tmp_path, "clients", "--mtu", MTU, "--hostname",
              HOSTNAME, "--search", SEARCH)
    yield s
    s.close()


@pytest.fixture
def plug(serve):
    with contextlib.closing(Plug(serve.socket)) as p:
        yield p


@pytest.fixture(params=[Udhcpc, Dhclient, Dhcpcd, Networkd],
                ids=lambda c: c.__name__.lower())
def client(request, plug, tmp_path):
    if not shutil.which(request.param.program):
        pytest.skip(f"{request.param.program} is not installed")
    os.makedirs("/var/lib/dhcpcd", exist_ok=True)
    with contextlib.closing(request.param(plug, tmp_path)) as c:
        yield c


def test_a_client_learns_all_that_there_is(serve, plug, client):
    client.start()
    status = serve.status()
    assert client.lease() == {
        "address": status["guest"]["ipv4"],
        "router": status["gateway"]["ipv4"],
        "dns": status["gateway"]["ipv4"],
        "search": SEARCH, "mtu": str(MTU), "hostname": HOSTNAME}
    done = plug.sh(f"curl -s -m 10 --retry 5 --retry-connrefused "
                   f"http://{WORLD4}/here")
    assert done.stdout == "you asked for /here\n", done


def test_a_client_renews_and_releases(plug, client):
    talk = Talk(plug)
    client.start()
    before = client.lease()
    acks = talk.said.count("ack")
    client.renew()
    until(lambda: talk.heard("ack", acks + 1), 15, "one more ack", 0.02)
    assert client.lease() == before
    assert not talk.heard("nak") and not talk.heard("decline")
    client.release()
    if client.releases:
        until(lambda: talk.heard("release"), 10, "a release", 0.02)
    client.close()
    client.start()
    assert client.lease() == before
    assert not talk.heard("nak") and not talk.heard("decline")


def test_a_new_client_at_a_new_serve_gets_the_same(serve, plug, client):
    """Nothing remembered but the name of the network and the MAC."""
    client.start()
    before = client.lease()
    client.kill()
    plug.leave()
    serve.close()
    serve.start()
    plug.join(serve.socket)
    os.system("rm -rf /var/lib/dhcpcd/* /run/dhcpcd")
    with contextlib.suppress(FileNotFoundError):
        (client.dir / "leases").unlink()
    client.start()
    assert client.lease() == before


ELSEWHERE = """lease {
  interface "eth0";
  fixed-address 10.9.9.9;
  option subnet-mask 255.255.255.0;
  option dhcp-lease-time 86400;
  option dhcp-message-type 5;
  option dhcp-server-identifier 10.9.9.1;
  renew 3 2037/01/07 00:00:00;
  rebind 3 2037/01/07 00:00:00;
  expire 3 2037/01/07 00:00:00;
}
"""


def test_a_lease_of_another_network_is_refused(serve, plug, tmp_path):
    """A machine that has moved asks for its old address: NAK, and anew."""
    if not shutil.which(Dhclient.program):
        pytest.skip("dhclient is not installed")
    talk = Talk(plug)
    with contextlib.closing(Dhclient(plug, tmp_path)) as client:
        (client.dir / "leases").write_text(ELSEWHERE)
        client.start()
        address = client.lease()["address"]
    assert address == serve.status()["guest"]["ipv4"]
    assert talk.said[:6] == ["request", "nak", "discover", "offer",
                             "request", "ack"]


def test_a_client_with_an_address_asks_for_the_rest(serve, plug, tmp_path):
    """INFORM: all but an address and its lease."""
    if not shutil.which(Dhcpcd.program):
        pytest.skip("dhcpcd is not installed")
    os.makedirs("/var/lib/dhcpcd", exist_ok=True)
    address = serve.status()["guest"]["ipv4"]
    talk = Talk(plug)
    with contextlib.closing(Dhcpcd(plug, tmp_path)) as client:
        plug.sh(f"ip addr add {address}/20 dev eth0")
        *how, interface = client.argv()
        client.spawn([*how, f"--inform={address}", interface])
        until(lambda: talk.heard("ack"), 20, "an answer", 0.02)
    assert talk.said[:2] == ["inform", "ack"]
    assert talk.options["name_server"] == serve.status()["gateway"]["ipv4"]
    assert "lease_time" not in talk.options


def test_addresses_are_probed_for_in_peace(serve, plug):
    """
    The kernel's duplicate address detection (RFC 4862 section 5.4): the
    gateway answers for all of the subnet, but no probe, except for its own.
    """
    gateway = serve.status()["gateway"]["ipv6"]
    free = [serve.status()["guest"]["ipv6"], gateway.replace("::1", "::77")]
    plug.sh("ip link set eth0 down; sysctl -w net.ipv6.conf.eth0.accept_dad=1"
            " net.ipv6.conf.eth0.dad_transmits=1; ip link set eth0 up;"
            + "".join(f"ip -6 addr add {a}/64 dev eth0;"
                      for a in (*free, gateway)))

    def shown(which):
        return plug.sh(f"ip -6 addr show dev eth0 scope global {which}").stdout
    until(lambda: gateway + "/" in shown("dadfailed"), 10, "its own")
    until(lambda: all(a + "/" in shown("-tentative") for a in free), 10,
          "those that nobody has")
    assert not any(a + "/" in shown("dadfailed") for a in free)


def advertisement(plug):
    """The next router advertisement, parsed."""
    seen = []

    def see(from_guest, frame):
        if not from_guest and frame[12:14] == b"\x86\xdd":
            p = scapy.Ether(frame)
            if scapy.ICMPv6ND_RA in p:
                seen.append(p)
    plug.watch(see)
    plug.sh("ip link set eth0 up")
    return until(lambda: seen, 10, "an advertisement")[0]


def test_the_router_advertisement_says_all(serve):
    with contextlib.closing(Plug(serve.socket, up=False)) as plug:
        p = advertisement(plug)
        status = serve.status()
    prefix = ipaddress.ip_network(status["subnet"]["ipv6"])
    info = p[scapy.ICMPv6NDOptPrefixInfo]
    assert (info.prefix, info.prefixlen) == (
        str(prefix.network_address), prefix.prefixlen)
    assert (info.L, info.A) == (1, 1)
    assert 0 < info.preferredlifetime < info.validlifetime
    assert p[scapy.ICMPv6NDOptMTU].mtu == MTU
    assert p[scapy.ICMPv6NDOptRDNSS].dns == [status["gateway"]["ipv6"]]
    assert p[scapy.ICMPv6NDOptDNSSL].searchlist == [SEARCH + "."]
    assert p[scapy.ICMPv6NDOptSrcLLAddr].lladdr == status["gateway"]["mac"]
    assert p[scapy.ICMPv6ND_RA].routerlifetime > 0
    assert p[scapy.IPv6].hlim == 255 and p[scapy.IPv6].src[:6] == "fe80::"


def test_a_kernel_configures_itself_by_it(serve, plug):
    prefix = serve.status()["subnet"]["ipv6"].split("::")[0]
    until(lambda: f"inet6 {prefix}" in plug.sh(
        "ip -6 addr show dev eth0 dynamic").stdout, 10, "SLAAC", 0.05)
    assert f"mtu {MTU}" in plug.sh("ip -6 route show default").stdout
    shown = plug.sh("ip -6 addr show dev eth0 dynamic").stdout
    assert MAC.split(":")[-1] in shown
    done = plug.sh(f"curl -sg -m 10 http://[{WORLD6}]/six")
    assert done.stdout == "you asked for /six\n", done
    assert f"inet6 {serve.status()['guest']['ipv6']}/64" in shown


def test_the_default_router_answers_for_itself(serve, plug):
    """By the address that advertisements have, and as one of the routers."""
    def router():
        return re.search(r"via (fe80\S+)", plug.sh(
            "ip -6 route show default").stdout)
    until(router, 10, "a route", 0.05)
    own = router()[1]
    for how in (own, f"-s 4000 {own}", "ff02::2"):
        done = plug.sh(f"ping -n -c1 -W2 {how}%eth0")
        assert f"from {own}%eth0" in done.stdout, done
    said = serve.status()["guest"]["ipv6"]
    assert not said.startswith("fe80"), "no name is for that address"


def test_networkd_learns_dns_by_it(serve, plug, tmp_path):
    if not os.path.exists(NETWORKD):
        pytest.skip("systemd-networkd is not installed")
    with contextlib.closing(Networkd(plug, tmp_path)) as client:
        client.start()
        client.lease()
        gateway = serve.status()["gateway"]["ipv6"]
        said = until(lambda: gateway in plug.sh(
            f"cat {client.link}").stdout and client.link.read_text(), 10,
            "a name server", 0.05)
    assert f"DOMAINS={SEARCH}" in said


SCRIPT6 = """#!/bin/sh
env >%(at)s.new
mv %(at)s.new %(at)s.$reason
"""


class Client6(Client):
    """Of DHCPv6: lease() is all that it was told, in any variable."""

    def __init__(self, plug, directory):
        super().__init__(plug, directory)
        self.script.write_text(SCRIPT6 % {"at": self.at})

    def lease(self):
        found = until(lambda: list(self.dir.glob("lease.BOUND6")), 20,
                      "a lease", 0.02)
        return " ".join(line.split("=", 1)[1] for line in
                        found[0].read_text().splitlines()
                        if line.startswith("new_")).split()


class Dhclient6(Client6):
    program = "dhclient"

    def argv(self, *how):
        return ["dhclient", "-6", *how, "-d", "-v", "-cf", "/dev/null",
                "-lf", self.dir / "leases", "-pf", self.dir / "pid",
                "-sf", self.script, "eth0"]


class Dhcpcd6(Client6):
    program = "dhcpcd"
    close = kill = Dhcpcd.close

    def argv(self):
        return ["dhcpcd", "-6", "-B", "-d", "-f", "/dev/null", "-c",
                self.script, "-o", "domain_name_servers", "-o",
                "domain_search", "--ia_na", "eth0"]


def link_local(plug):
    """An address that is ready, as the clients want it."""
    plug.sh("ip link set eth0 up")
    until(lambda: "fe80" in plug.sh(
        "ip -6 addr show dev eth0 scope link -tentative").stdout, 10,
        "a link-local address")


@pytest.mark.parametrize("kind", [Dhclient6, Dhcpcd6])
def test_a_client_of_dhcpv6_learns_all(serve, plug, tmp_path, kind):
    """The address that is meant for it, DNS and search list."""
    if not shutil.which(kind.program):
        pytest.skip(f"{kind.program} is not installed")
    link_local(plug)
    status = serve.status()
    with contextlib.closing(kind(plug, tmp_path)) as client:
        client.start()
        told = [word.rstrip(".") for word in client.lease()]
    assert status["subnet"]["ipv6"].replace("/64", "2") in told
    assert status["gateway"]["ipv6"] in told
    assert SEARCH in told


def test_a_prefix_is_refused(plug, tmp_path):
    """No client of IA_PD waits for one in vain."""
    if not shutil.which("dhclient"):
        pytest.skip("dhclient is not installed")
    refused = []

    def see(from_guest, frame):
        # UDP to port 546: an advertise, whose IA_PD holds a status of 6
        if not from_guest and frame[54:58] == b"\x02\x23\x02\x22" and \
                b"\0\x0d\0\x02\0\x06" in frame:
            refused.append(frame)
    link_local(plug)
    plug.watch(see)
    with contextlib.closing(Dhclient6(plug, tmp_path)) as client:
        client.spawn(client.argv("-P"))
        until(lambda: refused, 10, "NoPrefixAvail", 0.02)


def test_networkd_asks_for_dhcpv6_by_itself(serve, plug, tmp_path):
    """It asks by itself, because router advertisements say so."""
    if not shutil.which(Networkd.program):
        pytest.skip("systemd-networkd is not installed")
    want = serve.status()["subnet"]["ipv6"].replace("/64", "2")
    with contextlib.closing(Networkd(plug, tmp_path)) as client:
        client.start()
        until(lambda: want + "/128" in plug.sh(
            "ip -6 addr show dev eth0").stdout, 20, "the address", 0.05)
