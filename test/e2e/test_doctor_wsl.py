# SPDX-License-Identifier: MIT
"""
slipway doctor in a distribution of WSL, with a stand-in for Windows.

The scene's host is the distribution (192.0.2.2/24), its world is Windows
(192.0.2.1): see standin.py.
"""

import contextlib
import re
import subprocess
import time

import pytest

from scene import WORLD4, Slipway, need, sh
from servers import Server, web
from standin import (FW, POLICY, PYTHON, PYTHON_ID, Windows, drive_c,
                     kernel_of_wsl)
from test_doctor import Finding

pytestmark = pytest.mark.patient

CREATOR = "'{40E0AC32-46A5-438A-A0B2-2B479E8F2E90}'"
NARROW = ("'0.0.0.0-192.0.1.255','192.0.3.0-255.255.255.255',"
          "'::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'")


@pytest.fixture
def distribution(scene, world, tmp_path):
    """slipway in the distribution."""
    return Slipway(scene, tmp_path)


def doctor(distribution, windows, *options, env=None):
    distribution.env |= windows.env | (env or {})
    return Finding(distribution("doctor", "--json", *options))


def blocks(f):
    return [c for c in f.get("windows-block", ()) if c["state"] == "broken"]


@pytest.fixture
def served(scene):
    """A server of Windows' at port 8000 that the guest reaches."""
    with scene.world:
        server = Server(WORLD4, web, 8000)
    with server:
        yield


# ---- nothing is broken ----

@pytest.mark.parametrize("build,name", [(19045, "Windows 10"),
                                        (22631, "Windows 11")])
def test_nat_with_nothing_broken(distribution, tmp_path, build, name):
    w = Windows(tmp_path / "w", build=build)
    w.curl()
    f = doctor(distribution, w)
    assert f.exit == 0, f
    assert f.places["wsl"]["name"] == "Debian"
    assert f.places["windows"]["name"] == name
    assert "host" not in f.places
    assert f.one("mode")["seen"].startswith("nat:")
    assert f.one("windows-to-guest")["state"] == "ok"
    assert f.one("windows-profile")["seen"].endswith("is blocked")
    assert f.one("windows-rules")["seen"].startswith("none blocks")
    assert f.one("host-route")["seen"] == WORLD4


def test_the_kernel_tells_it_where_the_environment_does_not(
        distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.env.pop("WSL_DISTRO_NAME")
    with kernel_of_wsl(tmp_path):
        f = doctor(distribution, w)
    assert "wsl" in f.places and "windows" in f.places


def test_a_host_of_guests_in_wsl(distribution, root, tmp_path):
    """Slipway's own guests are tried as well."""
    w = Windows(tmp_path / "w")
    with contextlib.closing(root.guest(name="inner")):
        f = doctor(distribution, w)
        assert f.exit == 0, f.broken
        assert set(f.places) == {"wsl", "windows", "instance"}
        assert f.one("host-to-guest")["state"] == "ok"


def test_without_interop(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    f = doctor(distribution, w, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    assert f.exit == 0
    assert f.one("interop")["state"] == "skipped"
    assert "[interop]" in f.one("interop")["todo"][0]


def test_found_where_the_drive_is_mounted(distribution, tmp_path):
    """appendWindowsPath=false: not in PATH; and not at /mnt/c either."""
    w = Windows(tmp_path / "w")
    w.wslconfig("[wsl2]\nnetworkingMode=nat\n")
    with drive_c(w):
        f = doctor(distribution, w,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        assert f.one("windows-profile")["state"] == "ok"


# ---- the Block rules that nobody finds ----

@pytest.mark.parametrize("build", [19045, 22631])
def test_a_block_rule_for_the_program_is_named(distribution, tmp_path, build):
    w = Windows(tmp_path / "w", build=build)
    w.block_python()
    w.rules["WSL allow"] = ("v{v}|Action=Allow|Active=TRUE|Dir=In|Protocol=6|"
                            "LPort=8000|Name=WSL allow|")
    w.put_rules()
    f = doctor(distribution, w, "--port", "8000", "--program", "python.exe")
    block, = blocks(f)
    assert block["seen"] == "'python.exe' blocks it, whatever others allow"
    # The narrowest first; an allow rule is there already.
    assert block["todo"] == [
        f"Set-NetFirewallRule -Name '{PYTHON_ID}' -RemoteAddress {NARROW}",
        f"Disable-NetFirewallRule -Name '{PYTHON_ID}'"]
    assert f.one("guest-to-windows")["seen"] == f"{WORLD4}:8000: refused", \
        "tried all the same"


def test_what_is_let_in_is_not_broken(distribution, tmp_path, served):
    """Whatever the rules say: it may be that the profile is another."""
    w = Windows(tmp_path / "w")
    w.block_python()
    f = doctor(distribution, w, "--port", "8000", "--program", "python.exe")
    assert f.exit == 0 and f.one("guest-to-windows")["state"] == "ok"
    assert f.one("windows-block")["state"] == "note"
    assert f.one("windows-block")["seen"].endswith("it was let in just now")


def test_what_is_left_when_the_block_is_gone(distribution, tmp_path):
    """A block, and no rule that allows: both are to be mended."""
    w = Windows(tmp_path / "w")
    w.block_python()
    f = doctor(distribution, w, "--port", "8000", "--program",
               r"C:\Program Files\Python312\python.exe")
    assert len(blocks(f)) == 1
    rules, = (c for c in f["windows-rules"] if c["state"] == "broken")
    assert rules["todo"] == [
        "New-NetFirewallRule -DisplayName 'WSL 8000' -Direction Inbound "
        "-Action Allow -Protocol TCP -LocalPort 8000 -Program "
        r"'C:\Program Files\Python312\python.exe' -RemoteAddress "
        "192.0.2.0/24"]


def test_another_program_of_that_name_is_not_meant(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.block_python()
    f = doctor(distribution, w, "--port", "8000", "--program",
               r"C:\other\python.exe")
    assert not blocks(f)


def test_the_program_is_found_by_its_port(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.block_python()
    w.listens("0.0.0.0", 8000)
    f = doctor(distribution, w, "--port", "8000")
    assert f.one("windows-listens")["seen"] == "python.exe (process 4711) " \
        "of Windows listens"
    assert len(blocks(f)) == 1


def test_a_program_that_is_not_known(distribution, tmp_path):
    """Rules for programs may hold, or not: said as that."""
    w = Windows(tmp_path / "w")
    w.block_python()
    w.rules["WSL allow"] = ("v{v}|Action=Allow|Active=TRUE|Dir=In|Protocol=6|"
                            "LPort=8000|Name=WSL allow|")
    w.put_rules()
    f = doctor(distribution, w, "--port", "8000")
    assert f.broken == {"guest-to-windows"}
    note, = f["windows-block"]
    assert note["state"] == "note" and "if it is that program" in note["seen"]
    assert note["todo"] == ["slipway doctor --port 8000 --program NAME.exe"]


def test_rules_without_a_port(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.block_python()
    f = doctor(distribution, w, "--program", "python.exe")
    assert len(blocks(f)) == 1
    f = doctor(distribution, w)
    assert f.exit == 0
    assert [c["state"] for c in f["windows-block"]] == ["note"]
    f = doctor(distribution, w, "--program", "java.exe")
    assert f.exit == 0 and "windows-block" not in f


def test_a_rule_that_has_addresses_of_its_own(distribution, tmp_path):
    """It is not narrowed, as nobody knows to what."""
    w = Windows(tmp_path / "w")
    w.rules["{X}"] = ("v{v}|Action=Block|Active=TRUE|Dir=In|Protocol=6|"
                      "LPort=8000|RA4=LocalSubnet|Name=no web|")
    w.rules["{Y}"] = ("v{v}|Action=Block|Active=TRUE|Dir=In|Protocol=6|"
                      "LPort=8000|RA4=10.0.0.0/255.0.0.0|Name=elsewhere|")
    w.rules["{Z}"] = ("v{v}|Action=Block|Active=TRUE|Dir=In|Protocol=6|"
                      "LPort=8000|Profile=Private|Name=other profile|")
    w.rules["{N}"] = ("v{v}|Action=Block|Active=FALSE|Dir=In|Protocol=6|"
                      "LPort=8000|Name=not active|")
    w.rules["{O}"] = ("v{v}|Action=Block|Active=TRUE|Dir=Out|Protocol=6|"
                      "RPort=8000|Name=the other direction|")
    w.put_rules()
    block, = blocks(doctor(distribution, w, "--port", "8000"))
    assert block["seen"].startswith("'no web' blocks it")
    assert block["todo"] == ["Disable-NetFirewallRule -Name '{X}'"]


def test_a_rule_of_group_policy(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.put_rules(policy={"{P}": PYTHON})
    w.key(POLICY + "PublicProfile", {"AllowLocalPolicyMerge": 0})
    f = doctor(distribution, w, "--port", "8000", "--program", "python.exe")
    block, = blocks(f)
    assert "group policy" in block["seen"]
    assert "administers" in block["todo"][0]


def test_names_that_are_code_in_powershell(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    evil = "a'; Remove-Item C:\\ -Recurse; 'b[*]\u2019"
    w.rules[evil] = ("v{v}|Action=Block|Active=TRUE|Dir=In|Protocol=6|"
                     "Name=evil|")
    w.put_rules()
    block, = blocks(doctor(distribution, w, "--port", "8000"))
    assert block["todo"][-1] == (
        "Disable-NetFirewallRule -Name 'a''; Remove-Item C:\\ -Recurse; "
        "''b`[`*`]\u2019\u2019'")


# ---- profiles ----

def test_the_firewall_is_off(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.block_python()
    w.key(FW + "PublicProfile", {"EnableFirewall": 0})
    f = doctor(distribution, w, "--port", "8000", "--program", "python.exe")
    assert f.broken == {"guest-to-windows"}
    assert "is off" in f.one("windows-profile")["seen"]


def test_policy_turns_it_on_again(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.block_python()
    w.key(FW + "PublicProfile", {"EnableFirewall": 0})
    w.key(POLICY + "PublicProfile", {"EnableFirewall": 1})
    assert blocks(doctor(distribution, w, "--port", "8000", "--program",
                         "python.exe"))


def test_all_that_comes_in_is_blocked(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.key(FW + "PublicProfile", {"EnableFirewall": 1,
                                 "DoNotAllowExceptions": 1})
    f = doctor(distribution, w)
    assert f.broken == {"windows-profile"}
    assert f.one("windows-profile")["todo"] == [
        "Set-NetFirewallProfile -Name Public -AllowInboundRules True"]


def test_by_default_in(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.key(FW + "PublicProfile", {"EnableFirewall": 1,
                                 "DefaultInboundAction": 0})
    f = doctor(distribution, w, "--port", "8000", "--program", "python.exe")
    assert f.broken == {"guest-to-windows"}
    assert "the profile lets it in" in f.one("windows-rules")["seen"]


# ---- ports ----

def test_windows_listens_on_its_localhost_only(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.listens("127.0.0.1", 8000)
    f = doctor(distribution, w, "--port", "8000")
    assert "windows-listens" in f.broken and "guest-to-windows" in f.broken
    check = f.one("windows-listens")
    assert "python.exe of Windows listens on its localhost only" in \
        check["seen"]
    assert check["todo"][1] == (
        "netsh interface portproxy add v4tov4 listenaddress=192.0.2.1 "
        "listenport=8000 connectaddress=127.0.0.1 connectport=8000")
    assert "mirrored" in check["todo"][2]


def test_nobody_listens(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.listens("0.0.0.0", 9000)
    f = doctor(distribution, w, "--port", "8000")
    assert "nobody listens on Windows, nor here" == \
        f.one("windows-listens")["seen"]
    assert "guest-to-windows" not in f


def test_a_port_that_windows_drops(distribution, tmp_path, served, scene):
    need("nft")
    w = Windows(tmp_path / "w")
    w.block_python()
    w.listens("0.0.0.0", 8000)
    with scene.world:
        sh("nft -f -", input="table ip fw { chain in { type filter hook "
           "input priority filter; tcp dport 8000 drop; }; }")
    try:
        f = doctor(distribution, w, "--port", "8000")
    finally:
        with scene.world:
            sh("nft flush ruleset")
    assert f.one("guest-to-windows")["seen"] == f"{WORLD4}:8000: no answer"
    assert len(blocks(f)) == 1


def test_a_server_here(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    with Server("0.0.0.0", web, 8000):
        f = doctor(distribution, w, "--port", "8000")
    assert "localhost:8000" in f.one("port")["seen"]


def test_windows_does_not_reach_what_listens_here(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.program("curl.exe", "#!/bin/sh\nexit 7\n")
    f = doctor(distribution, w)
    assert f.broken == {"windows-to-guest"}
    assert "localhostForwarding=true" in f.one("windows-to-guest")["todo"][0]
    w.program("curl.exe", "#!/bin/sh\necho somebody\n")
    f = doctor(distribution, w)
    assert "somebody else answers" in f.one("windows-to-guest")["seen"]


# ---- modes and .wslconfig ----

def test_mirrored(distribution, tmp_path):
    w = Windows(tmp_path / "w", mode="mirrored")
    w.wslconfig("\ufeff[wsl2]\nnetworkingMode=mirrored # as it should be\n")
    w.curl()
    w.hyperv("setting|True|Block|Allow|True")
    with drive_c(w):
        f = doctor(distribution, w)
    assert f.exit == 0, f
    assert f.one("mode")["seen"].startswith("mirrored:")
    assert f.one("hyperv-in")["state"] == "note"
    assert "windows-rules" not in f, "they do not stand between"


def test_mirrored_and_a_port(distribution, tmp_path):
    w = Windows(tmp_path / "w", mode="mirrored")
    w.listens("127.0.0.1", 8000)
    w.hyperv("setting|True|Block|Allow|True",
             "rule|Inbound|Allow|True|UDP|8000|udp",
             "rule|Inbound|Allow|False|TCP|8000|not enabled",
             "rule|Outbound|Allow|True|TCP|8000|out",
             "rule|Inbound|Allow|True|TCP|80,9000-9010|web")
    with Server("127.0.0.1", web, 8000), Server("127.0.0.1", web, 9005):
        f = doctor(distribution, w, "--port", "8000")
        assert f.exit == 0, f
        assert f.one("guest-to-windows")["seen"].endswith("127.0.0.1:8000")
        assert f.one("hyperv-in")["todo"] == [
            "New-NetFirewallHyperVRule -Name 'WSL-8000' -DisplayName "
            f"'WSL 8000' -Direction Inbound -VMCreatorId {CREATOR} "
            "-Protocol TCP -LocalPorts 8000 -RemoteAddresses LocalSubnet "
            "-Action Allow"]
        w.listens("0.0.0.0", 9005)
        f = doctor(distribution, w, "--port", "9005")
        assert f.one("hyperv-in")["state"] == "ok"
        assert "'web'" in f.one("hyperv-in")["seen"]


def test_mirrored_and_a_server_here(distribution, tmp_path):
    """Windows does not list it; localhost is the same for both."""
    w = Windows(tmp_path / "w", mode="mirrored")
    w.listens("0.0.0.0", 9000)
    with Server("127.0.0.1", web, 8000):
        f = doctor(distribution, w, "--port", "8000")
    assert f.exit == 0, f
    assert "localhost:8000" in f.one("port")["seen"]
    f = doctor(distribution, w, "--port", "8000")
    assert f.broken == {"windows-listens"}


@pytest.mark.parametrize("setting,broken,todo", [
    ("setting|True|Block|Allow|False", "hyperv-loopback",
     f"Set-NetFirewallHyperVVMSetting -Name {CREATOR} -LoopbackEnabled True"),
    ("setting|True|Allow|Block|True", None,
     f"Set-NetFirewallHyperVVMSetting -Name {CREATOR} "
     "-DefaultOutboundAction Allow"),
])
def test_the_hyper_v_firewall(distribution, tmp_path, setting, broken, todo):
    w = Windows(tmp_path / "w", mode="mirrored")
    w.hyperv(setting)
    f = doctor(distribution, w)
    assert f.broken == ({broken} if broken else set())
    assert [todo] in [c["todo"] for a in f.values() for c in a]


def test_mirrored_is_asked_for_and_not_in_force(distribution, tmp_path):
    w = Windows(tmp_path / "w", build=19045)
    w.wslconfig("[wsl2]\nnetworkingMode=mirrored\n")
    with drive_c(w):
        f = doctor(distribution, w)
        assert f.broken == {"wslconfig"}
        assert "Windows 11 22H2" in f.one("wslconfig")["todo"][0]
    w = Windows(tmp_path / "w11")
    w.wslconfig("[wsl2]\nnetworkingMode=mirrored\n")
    with drive_c(w):
        f = doctor(distribution, w)
        assert "wsl --shutdown" in f.one("wslconfig")["todo"][0]


@pytest.mark.parametrize("text,state,about", [
    ("[wsl2]\nlocalhostForwarding=false\n", "broken", "localhostForwarding"),
    ("[wsl2]\nnetworkingMode=bridge\n", "broken", "unknown"),
    ("[experimental]\nnetworkingMode=NAT\n", "note", "belongs in [wsl2]"),
    ("[wsl2]\nfirewall=false\n", "note", "Hyper-V firewall is off"),
    ("[wsl2\n", "note", "line 1 cannot be read"),
])
def test_wslconfig(distribution, tmp_path, text, state, about):
    w = Windows(tmp_path / "w")
    w.wslconfig(text)
    with drive_c(w):
        f = doctor(distribution, w)
    assert f.one("wslconfig")["state"] == state
    assert about in f.one("wslconfig")["seen"]


def test_no_network_at_all(distribution, tmp_path):
    w = Windows(tmp_path / "w", mode="none")
    f = doctor(distribution, w)
    assert f.broken == {"mode"}
    assert "networkingMode=nat" in f.one("mode")["todo"][0]


@pytest.mark.parametrize("mode", ["virtioproxy", "bridged", "wsl1"])
def test_other_modes(distribution, tmp_path, mode):
    w = Windows(tmp_path / "w", mode=mode)
    f = doctor(distribution, w)
    assert f.exit == 0
    assert f.one("mode")["state"] == "ok"


# ---- programs that do not behave ----

@pytest.mark.parametrize("text", [
    "#!/bin/sh\nexec sleep 599\n",
    "#!/bin/sh\nexit 1\n",
    "#!/bin/sh\nexec yes '    EnableFirewall    REG_DWORD    0x1'\n",
    "#!/bin/sh\nhead -c 300000 /dev/urandom\n",
    "no program at all",
], ids=["hangs", "fails", "floods", "is noise", "cannot be run"])
def test_a_reg_that_is_none(distribution, tmp_path, text):
    w = Windows(tmp_path / "w")
    w.program("reg.exe", text)
    start = time.monotonic()
    f = doctor(distribution, w)
    assert time.monotonic() - start < 20, "it is not tried again and again"
    assert f.exit == 0, f
    assert f.get("interop") or f.get("windows-rules")
    left = subprocess.run(["pgrep", "-fx", "sleep 599|yes +EnableFirewall.*"],
                          capture_output=True, text=True)
    assert left.stdout == ""


def test_rules_that_cannot_be_read(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.rules["{B}"] = "v2.30|Action=Sometimes|Active=TRUE|Dir=In|"
    w.rules["{C}"] = "v{v}|Action=Block|Active=TRUE|Dir=In|New=thing|Name=c|"
    w.put_rules()
    f = doctor(distribution, w)
    assert f.one("windows-errors")["seen"].startswith("1 cannot be read")
    assert [c["seen"] for c in f["windows-block"]] == ["'c' ({C}) blocks"]


def test_how_it_looks(distribution, tmp_path):
    w = Windows(tmp_path / "w")
    w.block_python()
    w.listens("0.0.0.0", 8000)
    distribution.env |= w.env
    done = distribution("doctor", "--port", "8000")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "Debian: a distribution of WSL"
    assert "Windows 11: what is to be done is for PowerShell, as " \
        "administrator" in lines
    at = next(n for n, line in enumerate(lines) if "rule of Windows" in line)
    assert lines[at].startswith("  BROKEN  rule of Windows ")
    assert any(re.match(r" {10}-> Set-NetFirewallRule ", line)
               for line in lines[at:])
