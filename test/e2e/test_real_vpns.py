# SPDX-License-Identifier: MIT
"""
Real VPNs on the host, full tunnel: WireGuard as wg-quick(8) sets it up, with
a kill switch, and OpenVPN. The guest's flows go through because they are the
host's own, and end where the kill switch ends those.
"""

import contextlib
import os
import signal
import socket
import subprocess

import pytest

from scene import FAR4, HOST4, WORLD4, need, sh, until
from servers import Server
from test_host_changes import connected, says
from test_mtu import link_mtu

WG_NEAR, WG_FAR = "10.99.0.2", "10.99.0.1"
OVPN_NEAR = "10.98.0.2"
PORT = 51820
# As VPN services do it: what does not go into the tunnel goes nowhere.
KILL_SWITCH = (
    "nft add table inet killswitch; "
    "nft 'add chain inet killswitch out { type filter hook output priority 0;"
    " }'; nft add rule inet killswitch out oifname != wg0 meta mark != "
    f"{PORT} fib daddr type != local reject")


def keys():
    private = sh("wg genkey").strip()
    return private, sh("wg pubkey", input=private + "\n").strip()


@pytest.fixture
def wireguard(scene, tmp_path):
    """A function that brings it up; its end in the world is up already."""
    need("wg", "wg-quick", "wireguard-go", "nft")
    near, far = keys(), keys()
    config = tmp_path / "wg0.conf"
    config.write_text(f"""[Interface]
PrivateKey = {near[0]}
Address = {WG_NEAR}/24
PostUp = {KILL_SWITCH}
PreDown = nft delete table inet killswitch
[Peer]
PublicKey = {far[1]}
Endpoint = {WORLD4}:{PORT}
AllowedIPs = 0.0.0.0/0
""")
    config.chmod(0o600)
    (tmp_path / "far").write_text(
        f"[Interface]\nPrivateKey = {far[0]}\nListenPort = {PORT}\n"
        f"[Peer]\nPublicKey = {near[1]}\nAllowedIPs = {WG_NEAR}/32\n")
    with scene.world:
        peer = subprocess.Popen(["wireguard-go", "-f", "wg9"],
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
        until(lambda: os.path.exists("/run/wireguard/wg9.sock"), 5, "wg9")
        sh(f"wg setconf wg9 {tmp_path}/far; ip addr add {WG_FAR}/24 dev wg9;"
           "ip link set wg9 mtu 1420 up")
    try:
        with up_and_down(config) as up:
            yield up, peer
    finally:
        peer.send_signal(signal.SIGCONT)
        peer.terminate()
        peer.wait(5)


@contextlib.contextmanager
def up_and_down(config):
    state = {"up": False}

    def toggle():
        state["up"] = not state["up"]
        quietly(f"wg-quick {'up' if state['up'] else 'down'} {config}")
    try:
        yield toggle
    finally:
        if state["up"]:
            toggle()


def stands(pid):
    """Is each thread of that process stopped?"""
    states = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat") as f:
            states.append(f.read().rsplit(")", 1)[1].split()[0])
    return set(states) == {"T"}


def quietly(command):
    """For what leaves a process behind that would hold a pipe open."""
    with open("/run/quietly", "w+") as out:
        status = subprocess.call(command, shell=True, timeout=30,
                                 stdin=subprocess.DEVNULL, stdout=out,
                                 stderr=out)
        out.seek(0)
        assert status == 0, out.read()


def test_wireguard_with_a_kill_switch(slipway, scene, wireguard):
    up, peer = wireguard
    with scene.world:
        server = Server(FAR4, says)
    with server, contextlib.closing(slipway.guest()) as guest:
        before, seen = connected(guest, FAR4, server.port)
        assert seen == HOST4
        before.settimeout(10)
        up()
        with before, pytest.raises(ConnectionResetError):
            before.recv(1)
        through, seen = connected(guest, FAR4, server.port)
        assert seen == WG_NEAR
        until(lambda: link_mtu(guest) == 1420, 3, "WireGuard's MTU")
        big = b"x" * 300000
        through.settimeout(10)
        got = b""
        with guest:
            through.sendall(big)
        while len(got) < len(big):
            got += through.recv(65536)
        assert got == big
        # The tunnel is dead: nothing goes past it.
        peer.send_signal(signal.SIGSTOP)
        until(lambda: stands(peer.pid), 5, "all threads stopped")
        accepted = server.accepted
        with guest, socket.socket() as s:
            s.settimeout(2)
            with pytest.raises(OSError):
                s.connect((FAR4, server.port))
        assert server.accepted == accepted
        peer.send_signal(signal.SIGCONT)
        up()                            # down
        with through, pytest.raises(ConnectionResetError):
            through.recv(1)
        again, seen = connected(guest, FAR4, server.port)
        again.close()
        assert seen == HOST4
        until(lambda: link_mtu(guest) == 1500, 3, "what it was")


@pytest.fixture
def openvpn(scene, tmp_path):
    need("openvpn", "openssl")
    prints = []
    for name in ("near", "far"):
        sh(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
           f"-nodes -keyout {tmp_path}/{name}.key -out {tmp_path}/{name}.crt "
           f"-days 30 -subj /CN={name}")
        prints.append(sh(f"openssl x509 -in {tmp_path}/{name}.crt -noout "
                         "-fingerprint -sha256").split("=")[1].strip())

    def start(name, theirs, *words):
        return subprocess.Popen(
            ["openvpn", "--cert", f"{tmp_path}/{name}.crt", "--key",
             f"{tmp_path}/{name}.key", "--peer-fingerprint", theirs,
             "--proto", "udp4", "--dev-type", "tun", "--topology", "subnet",
             "--disable-dco", "--verb", "1",
             "--log", f"{tmp_path}/{name}.log", *words])
    with scene.world:
        far = start("far", prints[0], "--dev", "ovpn9", "--tls-server",
                    "--dh", "none", "--mode", "server",
                    "--server", "10.98.0.0", "255.255.255.0",
                    "--local", WORLD4, "--port", "1194")
    near = []

    def client():
        near.append(start("near", prints[1], "--client", "--dev", "ovpn0",
                          "--nobind", "--remote", WORLD4, "1194",
                          "--redirect-gateway", "def1"))
        until(lambda: "dev ovpn0" in sh(f"ip route get {FAR4}"), 20,
              "the route of OpenVPN")
        return near[0]
    try:
        yield client
    finally:
        for child in near + [far]:
            child.terminate()
        for child in near + [far]:
            child.wait(10)


def test_openvpn(slipway, scene, openvpn):
    with scene.world:
        server = Server(FAR4, says)
    with server, contextlib.closing(slipway.guest()) as guest:
        before, seen = connected(guest, FAR4, server.port)
        assert seen == HOST4
        before.settimeout(10)
        client = openvpn()
        with before, pytest.raises(ConnectionResetError):
            before.recv(1)
        through, seen = connected(guest, FAR4, server.port)
        assert seen == OVPN_NEAR
        big, got = b"y" * 300000, b""
        through.settimeout(10)
        through.sendall(big)
        while len(got) < len(big):
            got += through.recv(65536)
        assert got == big
        client.terminate()
        with through, pytest.raises(ConnectionResetError):
            through.recv(1)
        client.wait(10)
        until(lambda: "ovpn0" not in sh(f"ip route get {FAR4}"), 5, "its end")
        again, seen = connected(guest, FAR4, server.port)
        again.close()
        assert seen == HOST4
