# SPDX-License-Identifier: MIT
"""slipway attach: a network for a namespace that somebody else has made."""

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess

import pytest

from scene import (CLONE_NEWNET, FAR4, WORLD4, WORLD6, Netns, call, libc,
                   need, processes, sh, until)
from servers import Server, echo, web

# What waits in the container says so, and ends with its input.
WAITER = ["sh", "-c", "echo here; read end"]


class Container(Netns):
    """A process in a network namespace of its own, with no network there."""

    def __init__(self, slipway, *command):
        """As slipway's user; command: what makes the namespace."""
        user = [] if slipway.user is None else ["--user", "--map-root-user"]
        argv = list(command) or ["unshare", "--net", *user]
        self.slipway = slipway
        self.process = subprocess.Popen(
            slipway.prefix + argv + WAITER, env=slipway.env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "here\n"
        self.pid = self.find(self.process.pid, os.stat("/proc/self/ns/net"))
        super().__init__(f"/proc/{self.pid}/ns/net")

    @classmethod
    def find(cls, pid, ours):
        """The process or a descendant that is not in the host's network."""
        if os.stat(f"/proc/{pid}/ns/net").st_ino != ours.st_ino:
            return pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            children = f.read().split()
        found = (cls.find(int(child), ours) for child in children)
        return next(filter(None, found), None)

    def sh(self, command, timeout=30):
        """A shell command in the network, by the test's rights."""
        with self:
            return subprocess.run(command, shell=True, text=True,
                                  capture_output=True, timeout=timeout)

    def make(self, command):
        done = self.sh(command)
        assert done.returncode == 0, done.stderr

    def inside(self, *command):
        """A command by the rights that the container's own have."""
        user = [] if self.slipway.user is None else ["--user"]
        return subprocess.run(
            self.slipway.prefix + ["nsenter", "-t", str(self.pid), "--net",
                                   *user, "--preserve-credentials", *command],
            text=True, capture_output=True, timeout=30)

    def addresses(self):
        links = json.loads(self.sh("ip -j addr show dev eth0").stdout)
        pick = {a["family"]: a["local"] for a in links[0]["addr_info"]
                if a["scope"] == "global"}
        return pick["inet"], pick["inet6"]

    def gateway(self):
        return json.loads(self.sh("ip -j route show default").stdout)[0][
            "gateway"]

    def end(self):
        self.process.communicate()

    def close(self):
        with contextlib.suppress(ValueError):
            self.end()
        super().close()


class Attach:
    """slipway attach in front, up until close()."""

    def __init__(self, slipway, target, *options, name="box"):
        self.slipway, self.name = slipway, name
        ready, told = os.pipe()
        named = ["--name", name] if name else []
        self.front = slipway.popen(
            "attach", target, *named, "--ready-fd", told, *options,
            pass_fds=(told,), stderr=subprocess.PIPE)
        os.close(told)
        with open(ready, encoding="ascii") as f:
            up = select.select([f], [], [], 20)[0] and f.readline()
        if not up:
            raise AssertionError(self.front.communicate(timeout=10)[1])

    def status(self):
        return next(s for s in self.slipway.status()
                    if s["name"] == self.name)

    def close(self):
        self.front.terminate()
        self.front.communicate(timeout=10)


@pytest.fixture
def box(slipway):
    with contextlib.closing(Container(slipway)) as container:
        yield container


@pytest.fixture
def root_box(root):
    with contextlib.closing(Container(root)) as container:
        yield container


@contextlib.contextmanager
def named(name):
    """A namespace as `ip netns add` makes it, and `del` removes it."""
    sh(f"ip netns add {name}")
    netns = Netns(f"/run/netns/{name}")
    try:
        yield netns
    finally:
        netns.close()
        sh(f"ip netns del {name}")


def carries(netns):
    """TCP of both families, UDP, a name, and a page by that name."""
    with netns:
        for address in (WORLD4, WORLD6, FAR4):
            with socket.create_connection((address, 7), 5) as s:
                s.sendall(b"ahoy")
                assert s.recv(9) == b"ahoy"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(5)
            s.sendto(b"ahoy", (WORLD4, 7))
            assert s.recv(9) == b"ahoy"
        route = sh("ip -j route show default")
        gateway = json.loads(route)[0]["gateway"]
        assert sh(f"dig +short @{gateway} demo.test").strip() == WORLD4
    return True


@pytest.mark.smoke
def test_a_process(slipway, box, world):
    before = set(box.sh("ip -o addr").stdout.splitlines())
    assert "eth0" not in repr(before)
    attach = Attach(slipway, box.pid)
    try:
        assert carries(box)
        assert box.inside("ping", "-qc1", "-W3", WORLD4).returncode == 0
        assert "UP" in box.sh("ip link show lo").stdout
    finally:
        attach.close()
    assert attach.front.returncode == 0
    until(lambda: "eth0" not in box.sh("ip link").stdout, 2, "no tap")


def test_inside_one_may_ping_and_bind_low_ports(slipway, box):
    with contextlib.closing(Attach(slipway, box.pid)):
        assert box.sh("cat /proc/sys/net/ipv4/ip_unprivileged_port_start"
                      ).stdout == "0\n"
        first, last = box.sh("cat /proc/sys/net/ipv4/ping_group_range"
                             ).stdout.split()
        assert int(first) <= int(last)


def test_a_path(slipway, box, world):
    path = f"/proc/{box.pid}/ns/net"
    with contextlib.closing(Attach(slipway, path, name=None)):
        assert carries(box)
        assert [s["name"] for s in slipway.status()] == ["net"]
        box.end()           # nobody said that this is to end with it
        assert carries(box)


def test_a_name_of_ip_netns(root, world):
    with named("dock") as netns:
        with contextlib.closing(Attach(root, "dock", name=None)):
            assert carries(netns)
            status, = root.status()
            assert (status["name"], status["command"]) == ("dock", "dock")
        with contextlib.closing(Attach(root, "/run/netns/dock", name=None)):
            assert carries(netns)
            assert root.status()[0]["name"] == "dock"


def test_bubblewrap(user, world):
    need("bwrap")
    with contextlib.closing(Container(
            user, "bwrap", "--bind", "/", "/", "--dev", "/dev",
            "--unshare-net", "--unshare-pid")) as box:
        with contextlib.closing(Attach(user, box.pid)):
            assert carries(box)


def test_root_attaches_a_users_container(root, user, world):
    with contextlib.closing(Container(user)) as box:
        with contextlib.closing(Attach(root, box.pid)):
            assert carries(box)
            done = root("exec", "box", "ip", "addr", "show", "eth0")
            assert box.addresses()[0] in done.stdout
            done = root("exec", "box", "readlink", "/proc/self/ns/user")
            assert done.stdout.strip() == os.readlink("/proc/self/ns/user")


def test_its_name_is_that_of_the_process(slipway, box):
    with contextlib.closing(Attach(slipway, box.pid, name=None)):
        status, = slipway.status()
    assert (status["name"], status["command"]) == ("sh", f"sh {box.pid}")
    assert status["guest"]["hostname"] == "sh"


def test_options(root, root_box):
    options = ["--subnet", "172.30.16.0/20", "--address", "172.30.16.9",
               "--mtu", "1400", "--mac", "02:00:00:00:00:42", "--no-ipv6"]
    with contextlib.closing(Attach(root, root_box.pid, *options)):
        shown = root_box.sh("ip addr show eth0").stdout
        for word in ("172.30.16.9/20", "mtu 1400", "02:00:00:00:00:42"):
            assert word in shown
        assert "inet6" not in shown


def test_options_may_stand_before_and_after(root, root_box):
    done = root("attach", "--mtu", "1", root_box.pid)
    assert done.returncode == 2 and "--mtu 1:" in done.stderr
    done = root("attach", root_box.pid, "--mtu", "1")
    assert done.returncode == 2 and "--mtu 1:" in done.stderr


def reached(box, address, port):
    with box, socket.socket() as s:
        s.settimeout(3)
        return s.connect_ex((address, port)) == 0


def test_nothing_of_the_host_unless_asked_for(slipway, box):
    with Server("127.0.0.1", web) as server:
        with contextlib.closing(Attach(slipway, box.pid)) as attach:
            assert attach.status()["host_access"] == "off"
            assert not reached(box, box.gateway(), server.port)
        with contextlib.closing(Attach(slipway, box.pid, "--host-access",
                                       "gateway")):
            assert reached(box, box.gateway(), server.port)


def curl(port):
    done = subprocess.run(
        ["curl", "-s", "-m", "5", f"http://127.0.0.1:{port}/x"],
        capture_output=True, text=True)
    return done.stdout


def test_the_hosts_localhost_if_asked_for(slipway, box):
    with Server("127.0.0.1", web, 81) as server, \
            Server("127.0.0.1", web, 8081) as other:
        with contextlib.closing(Attach(slipway, box.pid, "--host-access",
                                       server.port)):
            assert reached(box, "127.0.0.1", server.port)
            assert not reached(box, "127.0.0.1", other.port)
        with contextlib.closing(Attach(slipway, box.pid, "--host-access",
                                       "localhost")):
            assert reached(box, "127.0.0.1", server.port)
            assert reached(box, "127.0.0.1", other.port)


def test_no_port_is_on_localhost_unless_asked_for(slipway, box):
    with box:
        server = Server("0.0.0.0", web)
        other = Server("127.0.0.1", web)
    with server, other:
        with contextlib.closing(Attach(slipway, box.pid)) as attach:
            assert attach.status()["localhost"] == "off"
            assert curl(server.port) == ""
        with contextlib.closing(Attach(slipway, box.pid, "--localhost",
                                       server.port)):
            until(lambda: curl(server.port) == "you asked for /x\n", 3)
            assert curl(other.port) == ""
        with contextlib.closing(Attach(slipway, box.pid, "--localhost",
                                       "auto")):
            until(lambda: curl(other.port) == "you asked for /x\n", 3)


def test_a_published_port(root, root_box, scene):
    with root_box:
        server = Server("0.0.0.0", web)
    with server, contextlib.closing(Attach(
            root, root_box.pid, "-p", f"8088:{server.port}")):
        with scene.world:
            until(lambda: subprocess.run(
                ["curl", "-s", "-m", "5", "http://192.0.2.2:8088/x"],
                capture_output=True, text=True).stdout ==
                "you asked for /x\n", 3)


@pytest.mark.smoke
def test_it_ends_with_the_process(slipway, box):
    attach = Attach(slipway, box.pid)
    box.end()
    assert attach.front.wait(2) == 0
    slipway.gone(1)
    attach.close()


@pytest.mark.smoke
def test_stop_ends_it(slipway, box):
    attach = Attach(slipway, box.pid)
    assert slipway("stop", "box").returncode == 0
    assert attach.front.wait(5) == 0
    slipway.gone()
    attach.close()
    assert box.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(root, root_box, number):
    attach = Attach(root, root_box.pid)
    attach.front.send_signal(number)
    assert attach.front.wait(2) == 0
    assert "eth0" not in root_box.sh("ip link").stdout
    root.gone()
    attach.close()


@pytest.mark.parametrize("which", range(4))
def test_whichever_process_is_killed_all_go(slipway, box, which):
    attach = Attach(slipway, box.pid)
    own = sorted(processes())
    os.kill(own[which], signal.SIGKILL)
    slipway.gone(1)
    until(lambda: "eth0" not in box.sh("ip link").stdout, 2, "no tap")
    attach.front.communicate()
    Attach(slipway, box.pid).close()


def test_in_the_background(slipway, box, tmp_path, world):
    file = tmp_path / "pid"
    done = slipway("attach", box.pid, "--name", "box", "--background",
                   "--pid-file", file, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "slipway stop box" in done.stderr and done.stdout == ""
    pid = int(file.read_text())
    assert carries(box)
    assert slipway.status()[0]["pid"] == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    os.kill(pid, signal.SIGTERM)
    slipway.gone(2)
    assert not file.exists()


def test_in_the_background_it_ends_with_the_process(slipway, box):
    assert slipway("attach", "-q", "--background", box.pid).stderr == ""
    box.end()
    slipway.gone(2)


def test_the_background_tells_of_a_failure(root, root_box, tmp_path):
    root_box.make("ip link add eth0 type veth peer name eth1")
    done = root("attach", root_box.pid, "--background", "--pid-file",
                tmp_path / "pid", timeout=20)
    assert done.returncode == 1
    assert "eth0 already" in done.stderr
    assert not (tmp_path / "pid").exists()
    root.gone()


def test_a_leftover_pid_file_is_replaced(root, root_box, tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    file = tmp_path / "pid"
    for left in (f"{gone.pid}\n", ""):
        file.write_text(left)
        with contextlib.closing(Attach(root, root_box.pid, "--pid-file",
                                       file)) as attach:
            assert file.read_text() == f"{attach.front.pid}\n"
        assert not file.exists()


@pytest.mark.parametrize("text, says", [
    (f"{os.getpid()}\n", "runs; end that"), ("ahoy\n", "no pid file")])
def test_a_pid_file_of_others_is_left_alone(root, root_box, tmp_path, text,
                                            says):
    file = tmp_path / "pid"
    file.write_text(text)
    done = root("attach", root_box.pid, "--pid-file", file)
    assert done.returncode == 1 and says in done.stderr
    assert file.read_text() == text


def test_a_pid_file_that_cannot_be_written(root, root_box):
    done = root("attach", root_box.pid, "--pid-file", "/nowhere/pid")
    assert done.returncode == 1
    assert "/nowhere/pid: cannot be written" in done.stderr
    root.gone(2)


def test_exec_runs_a_command_in_its_network(slipway, box):
    with contextlib.closing(Attach(slipway, box.pid)):
        done = slipway("exec", "box", "ip", "-o", "addr", "show", "eth0")
        assert box.addresses()[0] in done.stdout, done.stderr
        done = slipway("exec", "box", "id", "-u")
        assert done.stdout == ("1000\n" if slipway.user else "0\n")


def test_status_names_the_dns_server(root, root_box):
    with contextlib.closing(Attach(root, root_box.pid)):
        shown = root("status", "box").stdout
        gateway = root_box.gateway()
    assert re.search(rf"^nameserver  {gateway}$", shown, re.M), shown


def test_no_file_is_touched(slipway, box):
    def files():
        with open("/etc/resolv.conf") as f, open("/proc/self/mounts") as m:
            with open(f"/proc/{box.pid}/mounts") as own:
                return f.read(), m.read(), own.read(), os.uname()
    before = files()
    with contextlib.closing(Attach(slipway, box.pid, "--hostname", "ship")):
        assert files() == before
    assert files() == before


def helper():
    return next(pid for pid, name in processes().items()
                if name == "slipway-inside")


def test_the_helper_keeps_no_right(slipway, box):
    with contextlib.closing(Attach(slipway, box.pid)):
        with open(f"/proc/{helper()}/status") as f:
            status = dict(line.split(":\t", 1) for line in f)
    for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb", "CapBnd"):
        assert int(status[kind], 16) == 0, kind
    assert status["NoNewPrivs"] == "1\n"


def test_the_containers_root_cannot_see_into_the_helper(user):
    with contextlib.closing(Container(user)) as box:
        with contextlib.closing(Attach(user, box.pid)):
            done = subprocess.run(
                user.prefix + ["nsenter", "-t", str(box.pid), "--user",
                               "--net", "--preserve-credentials", "cat",
                               f"/proc/{helper()}/maps"],
                text=True, capture_output=True)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr


def refused(slipway, *args):
    done = slipway("attach", *args, timeout=20)
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert re.match(r"slipway: .+: .+; .+\n\Z", done.stderr), done.stderr
    assert done.stdout == ""
    slipway.gone()
    return done.stderr


def test_no_such_process(slipway):
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert "no such process" in refused(slipway, gone.pid)
    assert "no such process" in refused(slipway, "99999999999")
    assert "no such process" in refused(slipway, "0")


def test_one_that_has_ended_but_is_not_buried(root):
    dead = subprocess.Popen(["unshare", "--net", "true"])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    assert "no such process" in refused(root, dead.pid)
    dead.wait()


def test_no_such_file_or_name(slipway):
    assert "/nowhere/net: no such file" in refused(slipway, "/nowhere/net")
    assert "no such namespace in /run/netns" in refused(slipway, "nobody")


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/ns/mnt", "/",
                                  "/dev/null"])
def test_not_a_network_namespace(slipway, path):
    assert "not a network namespace" in refused(slipway, path)


def test_the_hosts_own_is_refused(slipway):
    says = "the host's own network namespace"
    assert says in refused(slipway, "/proc/self/ns/net")
    if not slipway.user:
        assert says in refused(slipway, os.getpid())


def test_another_users(user, root_box):
    says = "run slipway as"
    assert says in refused(user, root_box.pid)
    with named("dock"):
        assert "dock: its network namespace is not yours" in refused(user,
                                                                     "dock")


def test_one_of_ours_without_the_right(user):
    """Of the user's own user namespace, where he has no capability."""
    anchor = os.open(f"/proc/{user.user.anchor.pid}/ns/user", os.O_RDONLY)

    def in_a_network_of_the_users():
        call(libc.setns, anchor, 0)
        call(libc.unshare, CLONE_NEWNET)
    process = subprocess.Popen(WAITER, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE,
                               preexec_fn=in_a_network_of_the_users)
    os.close(anchor)
    assert process.stdout.readline() == b"here\n"
    sh(f"touch /run/bare; mount --bind /proc/{process.pid}/ns/net /run/bare")
    try:
        assert "you may not join its network namespace" in refused(
            user, "/run/bare")
    finally:
        sh("umount /run/bare; rm /run/bare")
        process.communicate()


def test_an_interface_that_is_there_stays(slipway, box):
    box.make("ip link add eth0 type veth peer name eth1")
    assert f"{box.pid}: it has an interface eth0 already" in refused(
        slipway, box.pid)
    assert "veth" in box.sh("ip -d link show eth0").stdout


@pytest.mark.parametrize("address, family", [("198.18.0.1/24", "-4"),
                                             ("2001:db8:9::1/64", "-6")])
def test_a_default_route_that_is_there_stays(slipway, box, address, family):
    box.make("ip link add own0 type veth peer name own1;"
             "ip link set own0 up; ip link set own1 up;"
             f"ip addr add {address} dev own0;"
             f"ip {family} route add default dev own0")
    assert "it has a default route already" in refused(slipway, box.pid)
    assert "default" in box.sh(f"ip {family} route").stdout


def test_attached_twice(slipway, box):
    with contextlib.closing(Attach(slipway, box.pid)):
        done = slipway("attach", box.pid, timeout=20)
        assert done.returncode == 1
        assert "eth0 already" in done.stderr
        assert "eth0" in box.sh("ip link").stdout


@pytest.mark.parametrize("args", [[], ["1", "2"], ["--background"],
                                  ["1", "--root"]])
def test_wrong_usage(root, args):
    done = root("attach", *args)
    assert done.returncode == 2, done.stderr
    assert re.match(r"slipway: .+: .+; .+", done.stderr), done.stderr


OWN_PIDS = ("unshare", "--user", "--map-root-user", "--net", "--pid",
            "--fork", "--kill-child", "--mount-proc")


def first_in(container):
    """The first process there: with OWN_PIDS, the child of who made it."""
    pid = container.pid
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return int((f.read().split() or [pid])[0])


def mtu_of(container):
    return json.loads(container.sh("ip -j link show eth0").stdout)[0]["mtu"]


def test_a_boot_command_has_ended_when_the_network_is_ready(root, user, boot):
    """Of root, and of an ordinary user whose container sees itself alone."""
    options = boot("ip link set eth0 mtu 1350; exit 3")
    for slipway, how in ((root, ()), (root, OWN_PIDS), (user, OWN_PIDS)):
        with contextlib.closing(Container(slipway, *how)) as container, \
                contextlib.closing(Attach(slipway, first_in(container),
                                          *options)) as attached:
            assert mtu_of(container) == 1350
            assert attached.status()["warnings"] == [
                "the boot command has ended with status 3"]


def test_a_boot_command_is_not_shown_to_those_who_could_take_it_over(user,
                                                                     boot):
    """A container's root that sees it; or nobody knows what it sees."""
    options = boot("ip link set eth0 mtu 1350")
    for how, path in (((), "{}"), (OWN_PIDS, "/proc/{}/ns/net")):
        with contextlib.closing(Container(user, *how)) as container, \
                contextlib.closing(Attach(user, path.format(container.pid),
                                          *options)) as attached:
            assert mtu_of(container) == 1500
            assert any("the boot command is not started" in w
                       for w in attached.status()["warnings"])


def test_who_is_ended_during_a_boot_command_ends_at_once(root, boot,
                                                         tmp_path):
    mark = tmp_path / "runs"
    options = boot(f"cd {tmp_path}; echo $$ >new; mv new runs; "
                   "exec sleep 96.13")
    with contextlib.closing(Container(root)) as container:
        front = root.popen("attach", container.pid, *options)
        until(mark.exists, 5, "the boot command")
        front.terminate()
        front.communicate(timeout=3)
        assert front.returncode == 0
        assert not os.path.exists(f"/proc/{mark.read_text().strip()}")
        root.gone(2)
