# SPDX-License-Identifier: MIT
"""What the guest's command finds in /etc and /run."""

import contextlib
import os
import shutil
import subprocess

import pytest

from scene import WORLD4, until

NSCD = shutil.which("nscd") or ""


def test_resolv_conf_names_the_gateway(slipway):
    with contextlib.closing(slipway.guest(name="g")) as guest:
        text = slipway("exec", "g", "cat", "/etc/resolv.conf").stdout
    servers = [line.split()[1] for line in text.splitlines()
               if line.startswith("nameserver")]
    assert servers[0] == guest.gateway4
    assert set(servers) <= {guest.gateway4, guest.gateway6}


def test_the_search_list_is_the_hosts(root):
    root.scene.resolver(WORLD4, search="corp.test")
    try:
        text = root("run", "cat", "/etc/resolv.conf").stdout
    finally:
        root.scene.resolver(WORLD4)
    assert "search corp.test" in text


def test_hosts_names_the_host_and_localhost(slipway):
    text = slipway("run", "sh", "-c",
                   "cat /etc/hosts; echo gw $WSL2_HOST_IP").stdout
    lines = [line.split() for line in text.splitlines() if line.strip()]
    gateway = lines[-1][1]
    assert any(l[0] == gateway and "host.slipway.internal" in l[1:]
               for l in lines)
    assert any(l[0] == "127.0.0.1" and "localhost" in l[1:] for l in lines)


def test_nsswitch_asks_files_and_dns_only(root):
    with open("/etc/nsswitch.conf") as f:
        old = f.read()
    with open("/etc/nsswitch.conf", "w") as f:
        f.write("passwd: files\nhosts: files mymachines "
                "mdns4_minimal [NOTFOUND=return] resolve dns\n")
    try:
        text = root("run", "cat", "/etc/nsswitch.conf").stdout
    finally:
        with open("/etc/nsswitch.conf", "w") as f:
            f.write(old)
    hosts = [l.split()[1:] for l in text.splitlines()
             if l.startswith("hosts:")]
    assert hosts == [["files", "dns"]]
    assert "passwd:" in text


def test_the_rest_of_etc_is_the_hosts(slipway):
    done = slipway("run", "cat", "/etc/passwd")
    with open("/etc/passwd") as f:
        assert done.stdout == f.read()


def test_it_survives_a_new_resolv_conf_on_the_host(slipway):
    def text():
        return slipway("exec", "g", "cat", "/etc/resolv.conf").stdout

    with contextlib.closing(slipway.guest(name="g")) as guest:
        slipway.scene.resolver(WORLD4, search="vpn.test")
        try:
            until(lambda: guest.gateway4 in text(), 0.5, "resolv.conf")
            assert WORLD4 not in text()
        finally:
            slipway.scene.resolver(WORLD4)


def test_the_hosts_files_are_untouched(slipway):
    with open("/etc/resolv.conf") as f:
        before = f.read()
    slipway("run", "sh", "-c", "echo broken >/etc/resolv.conf")
    with open("/etc/resolv.conf") as f:
        after = f.read()
    slipway.scene.resolver(WORLD4)
    assert after == before


@pytest.mark.parametrize("path", [
    "/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve",
    "/run/avahi-daemon/socket"])
def test_sockets_of_the_hosts_resolvers_are_masked(slipway, path):
    import socket
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.chmod(os.path.dirname(path), 0o755)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)                 # of a resolved that was killed
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        try:
            assert slipway("run", "test", "-e", path).returncode == 1
            assert os.path.exists(path)
        finally:
            os.unlink(path)


@pytest.mark.skipif(not NSCD, reason="nscd is not installed")
def test_nscd_is_passed_by(root, world, tmp_path):
    """nscd would answer from the host's side of things."""
    conf = tmp_path / "nscd.conf"
    conf.write_text("enable-cache hosts yes\nenable-cache passwd no\n"
                    "enable-cache group no\n")
    for at in ("/run/nscd", "/var/cache/nscd"):
        os.makedirs(at, exist_ok=True)
    nscd = subprocess.Popen([NSCD, "-F", "-f", str(conf)],
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    try:
        until(lambda: os.path.exists("/run/nscd/socket"), 5, "nscd")
        world.dns.names["seen.test"] = "192.0.2.77"
        done = root("run", "sh", "-c", "getent hosts seen.test "
                    "host.slipway.internal; test -e /run/nscd/socket || "
                    "echo masked")
        assert "192.0.2.77" in done.stdout
        assert "host.slipway.internal" in done.stdout
        assert "masked" in done.stdout
    finally:
        nscd.terminate()
        nscd.wait()
