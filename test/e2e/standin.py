# SPDX-License-Identifier: MIT
"""
Windows as a distribution of WSL sees it: programs that print what Windows'
own print, in the documented formats, and the marks of WSL itself.

The scene's host is then the distribution, its world is Windows.
"""

import contextlib
import os
import subprocess

from scene import HOST4, sh

FW = (r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\SharedAccess"
      r"\Parameters\FirewallPolicy" "\\")
POLICY = r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\WindowsFirewall" "\\"
VERSION = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
VOLATILE = r"HKEY_CURRENT_USER\Volatile Environment"

QUERY_USER = r"TCP Query User{%s}C:\program files\python312\python.exe"
PYTHON_ID = QUERY_USER % "2E06CB0B-6C9D-4F43-9A0B-4C2F3E3D1A55"

# What Windows 10 (schema 2.30) and 11 (2.32, 2.33) have after installation,
# and what their dialogue leaves behind.
RULES = {
    "CoreNet-Teredo-In": "v{v}|Action=Allow|Active=TRUE|Dir=In|Protocol=17|"
    r"LPort=Teredo|App=%SystemRoot%\system32\svchost.exe|Svc=iphlpsvc|"
    "Name=@FirewallAPI.dll,-25326|Desc=@FirewallAPI.dll,-25332|"
    "EmbedCtxt=@FirewallAPI.dll,-25000|",
    "NETDIS-WSDEVNT-In-TCP-Active": "v{v}|Action=Allow|Active=TRUE|Dir=In|"
    "Protocol=6|Profile=Private|LPort=5357|RA4=LocalSubnet|RA6=LocalSubnet|"
    "App=System|Name=@FirewallAPI.dll,-32817|Desc=@FirewallAPI.dll,-32818|"
    "EmbedCtxt=@FirewallAPI.dll,-32752|",
    "RemoteDesktop-UserMode-In-TCP": "v{v}|Action=Allow|Active=FALSE|Dir=In|"
    r"Protocol=6|LPort=3389|App=%SystemRoot%\system32\svchost.exe|"
    "Svc=termservice|Name=@FirewallAPI.dll,-28775|"
    "Desc=@FirewallAPI.dll,-28756|EmbedCtxt=@FirewallAPI.dll,-28752|",
    "{6A1C1B0D-1C5B-4F0B-8A6E-0C0A4E7C1B11}": "v{v}|Action=Allow|Active=TRUE|"
    r"Dir=In|Protocol=6|App=C:\Program Files\Mozilla Firefox\firefox.exe|"
    r"Name=Firefox (C:\Program Files\Mozilla Firefox)|",
}
PYTHON = ("v{v}|Action=Block|Active=TRUE|Dir=In|Protocol=6|Profile=Public|"
          r"App=C:\program files\python312\python.exe|Name=python.exe|"
          "Desc=python.exe|Defer=User|")

PROFILE = {"EnableFirewall": 1, "DisableNotifications": 0}

REG = """#!/bin/sh
# reg.exe query KEY [/v VALUE]
[ "$1" = query ] || exit 2
case $2 in
"HKLM\\\\"*) key="HKEY_LOCAL_MACHINE\\\\${2#*\\\\}" ;;
"HKCU\\\\"*) key="HKEY_CURRENT_USER\\\\${2#*\\\\}" ;;
esac
file=$(printf %s "$key" | tr '\\\\ ' '__')
here=$(dirname "$0")
if ! [ -f "$here/$file" ]; then
        printf 'ERROR: The system was unable to find the specified registry '
        printf 'key or value.\\r\\n' >&2
        exit 1
fi
printf '\\r\\n%s\\r\\n' "$key"
if [ "$3" = /v ]; then
        grep "^    $4    " "$here/$file" || exit 1
else
        cat "$here/$file"
fi
printf '\\r\\n'
"""


class Windows:
    """Its folder of programs, and what they say; .env is for slipway."""

    def __init__(self, directory, mode="nat", build=22631):
        self.root = directory / "c"
        self.dir = self.root / "Windows" / "System32"
        self.dir.mkdir(parents=True)
        self.profile = self.root / "Users" / "me"
        self.profile.mkdir(parents=True)
        self.schema = "2.33" if build >= 22000 else "2.30"
        self.rules = dict(RULES)
        self.program("reg.exe", REG)
        self.program("wslinfo", f"#!/bin/sh\n[ $1 = --networking-mode ] && "
                     f"echo {mode}\n")
        self.key(VERSION, {"ProductName": "Windows 10 Pro",
                           "CurrentBuildNumber": str(build)})
        self.key(VOLATILE, {"LOGONSERVER": r"\\SHIP",
                            "USERPROFILE": r"C:\Users\me"})
        self.key(FW + "PublicProfile", PROFILE)
        self.put_rules()
        self.env = {"PATH": f"{self.dir}:{os.environ['PATH']}",
                    "WSL_DISTRO_NAME": "Debian"}

    def program(self, name, text):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def prints(self, name, text):
        """A program that prints text, with the ends of line of Windows."""
        self.program(name, "#!/bin/sh\ncat <<'END'\n%sEND\n" %
                     text.replace("\n", "\r\n"))

    def key(self, name, values):
        lines = "".join(
            f"    {k}    REG_DWORD    {v:#x}\r\n" if isinstance(v, int) else
            f"    {k}    REG_SZ    {v}\r\n" for k, v in values.items())
        file = name.replace("\\", "_").replace(" ", "_")
        (self.dir / file).write_bytes(lines.encode())

    def put_rules(self, policy=None):
        self.key(FW + "FirewallRules",
                 {k: v.replace("{v}", self.schema)
                  for k, v in self.rules.items()})
        if policy is not None:
            self.key(POLICY + "FirewallRules",
                     {k: v.replace("{v}", self.schema)
                      for k, v in policy.items()})

    def block_python(self):
        self.rules[PYTHON_ID] = PYTHON
        self.put_rules()

    def wslconfig(self, text):
        (self.profile / ".wslconfig").write_bytes(
            text.replace("\n", "\r\n").encode())

    def listens(self, address, port, program="python.exe", pid=4711):
        """netstat.exe of a German Windows, and tasklist.exe."""
        rows = [("TCP", "0.0.0.0:135", "0.0.0.0:0", "ABHÖREN", 1004),
                ("TCP", f"{address}:{port}", "0.0.0.0:0", "ABHÖREN", pid),
                ("TCP", f"{HOST4}:{port}", "192.0.2.9:50000",
                 "HERGESTELLT", 4),
                ("TCP", "[::]:445", "[::]:0", "ABHÖREN", 4)]
        self.prints("netstat.exe", "\nAktive Verbindungen\n\n"
                    "  Proto  Lokale Adresse         Remoteadresse"
                    "          Status           PID\n" + "".join(
                        f"  {a:<6} {b:<22} {c:<22} {d:<15} {e}\n"
                        for a, b, c, d, e in rows) +
                    "  UDP    0.0.0.0:123            *:*"
                    "                                    1200\n")
        self.program("tasklist.exe", f"""#!/bin/sh
[ "$1 $2" = "/FI PID eq {pid}" ] && printf '"{program}","{pid}","Console",\
"1","24.068 K"\\r\\n'
""")

    def hyperv(self, *lines):
        """What our script makes of Get-NetFirewallHyperV…"""
        self.prints("WindowsPowerShell/v1.0/powershell.exe",
                    "".join(line + "\n" for line in lines))

    def curl(self):
        """curl.exe of Windows, whose localhost is here by forwarding."""
        self.program("curl.exe", '#!/bin/sh\nexec curl "$@"\n')


@contextlib.contextmanager
def drive_c(windows):
    """The drive is mounted as WSL mounts it."""
    os.makedirs("/run/mnt c", exist_ok=True)
    sh("mount -t tmpfs 'C:\\' '/run/mnt c'")
    try:
        subprocess.run(["cp", "-a", f"{windows.root}/.", "/run/mnt c"],
                       check=True)
        yield "/run/mnt c"
    finally:
        sh("umount '/run/mnt c'")


@contextlib.contextmanager
def kernel_of_wsl(directory):
    """/proc/sys/kernel/osrelease as WSL2's kernel has it."""
    file = directory / "osrelease"
    file.write_text("5.15.167.4-microsoft-standard-WSL2\n")
    sh(f"mount --bind {file} /proc/sys/kernel/osrelease")
    try:
        yield
    finally:
        sh("umount /proc/sys/kernel/osrelease")
