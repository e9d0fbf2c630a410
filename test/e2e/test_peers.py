# SPDX-License-Identifier: MIT
"""
Programs as people use them: servers in the world, clients in the guest.

nginx and curl, ncat, busybox and bash, dig and kdig, openssl and ssh, each
with what it is known to be particular about.
"""

import contextlib
import hashlib
import os
import re
import socket
import subprocess
import time

import pytest

from scene import FAR4, LONG, WORLD4, WORLD6, need, sh, until
from servers import TXT, Dns, Server

ANY = 255                               # a question for all there is
BOTH = pytest.mark.parametrize("address", [WORLD4, WORLD6],
                               ids=["ipv4", "ipv6"])
SIZE = 48 << 20                         # bytes of the large file


def bracketed(address):
    return f"[{address}]" if ":" in address else address


def listens(address, port):
    """Is there a TCP listener, by the list of the namespace we are in?"""
    return sh(f"ss -Htln 'src {bracketed(address)} and sport = {port}'")


@contextlib.contextmanager
def serving(where, argv, address, port, **kw):
    """A server program in a namespace; it listens when this returns."""
    with where:
        child = subprocess.Popen(argv, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, **kw)
    try:
        with where:
            until(lambda: listens(address, port), 10, argv[0], 0.01)
        yield child
    finally:
        child.kill()
        child.communicate()


def run(guest, argv, data=None, seconds=40):
    """A program in the guest, to its end; its output as bytes."""
    with guest:
        done = subprocess.run(argv, input=data, capture_output=True,
                              timeout=seconds)
    assert done.returncode == 0, done
    return done.stdout


def digest(data):
    return hashlib.sha256(data).hexdigest()


NGINX = """
daemon off; pid {at}/pid; error_log {at}/error; worker_processes 2;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; keepalive_requests 100000;
    client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fast; uwsgi_temp_path {at}/uwsgi;
    scgi_temp_path {at}/scgi;
    server {{
        listen {four}:8080; listen [{six}]:8080;
        root {at}/www;
        add_header X-Requests $connection_requests;
    }}
}}
"""


@pytest.fixture(scope="module")
def nginx(scene, tmp_path_factory):
    """nginx in the world, on port 8080: a large file, and 500 small ones."""
    need("nginx")
    at = tmp_path_factory.mktemp("nginx")
    (at / "www").mkdir()
    large = os.urandom(SIZE)
    (at / "www" / "large").write_bytes(large)
    for i in range(500):
        (at / "www" / f"small-{i}").write_bytes(b"%d\n" % i * (i + 1))
    conf = at / "conf"
    conf.write_text(("" if os.getuid() else "user root root;")
                    + NGINX.format(at=at, four=WORLD4, six=WORLD6))
    argv = ["nginx", "-p", str(at), "-c", str(conf), "-e", str(at / "error")]
    with serving(scene.world, argv, WORLD4, 8080) as child:
        yield large
        child.terminate()               # it ends its workers
        child.wait(10)


@BOTH
def test_nginx_sends_a_large_file(guest, nginx, address):
    url = f"http://{bracketed(address)}:8080/large"
    got = run(guest, ["curl", "-sgf", url])
    assert digest(got) == digest(nginx)


@BOTH
def test_nginx_sends_ranges(guest, nginx, address):
    url = f"http://{bracketed(address)}:8080/large"
    for first, last in ((0, 0), (65535, 131072), (SIZE - 70000, SIZE - 1)):
        got = run(guest, ["curl", "-sgf", "-r", f"{first}-{last}", url])
        assert got == nginx[first:last + 1]


@BOTH
def test_nginx_keeps_one_connection_alive(guest, nginx, address):
    """500 files by one connection; the server counts them."""
    base = f"http://{bracketed(address)}:8080/small-"
    got = run(guest, ["curl", "-sfg", "-w",
                      "=%header{x-requests} %{num_connects}\n"]
              + [f"{base}{i}" for i in range(500)])
    want = b"".join(b"%d\n" % i * (i + 1) + b"=%d %d\n" % (i + 1, i == 0)
                    for i in range(500))
    assert got == want


def test_nginx_serves_eight_at_once(guest, nginx):
    """Eight downloads at the same time, cut off at different places."""
    url = f"http://{WORLD4}:8080/large"
    with guest:
        clients = [subprocess.Popen(["curl", "-sf", "-r", f"0-{n << 20}", url],
                                    stdout=subprocess.PIPE)
                   for n in range(1, 9)]
    for n, child in enumerate(clients, 1):
        got = child.communicate(timeout=40)[0]
        assert digest(got) == digest(nginx[:(n << 20) + 1])


def read_all(conn):
    return b"".join(iter(lambda: conn.recv(1 << 20), b""))


@BOTH
@pytest.mark.parametrize("client", [["ncat"], ["busybox", "nc"]],
                         ids=["ncat", "busybox"])
def test_nc_sends_all_then_hears_all(guest, scene, address, client):
    """
    The half-close of every `tar | nc`: the guest's end of file goes out
    after its data, and the answer, which begins only then, comes in whole.
    """
    need(client[0])
    data, answer = os.urandom(3 << 20), os.urandom(2 << 20)
    heard = []

    def serve(conn):
        heard.append(read_all(conn))
        conn.sendall(answer)
    with scene.world:
        server = Server(address, serve)
    with server:
        got = run(guest, client + [address, str(server.port)], data)
    assert [digest(h) for h in heard] == [digest(data)]
    assert digest(got) == digest(answer)


@BOTH
def test_bash_hears_all_then_speaks(guest, scene, address):
    """The other way round: the far end closes its half first."""
    data, heard = os.urandom(3 << 20), []

    def serve(conn):
        conn.sendall(data)
        conn.shutdown(socket.SHUT_WR)
        heard.append(read_all(conn))
    with scene.world:
        server = Server(address, serve)
    with server:
        run(guest, ["bash", "-c", "exec 3<>/dev/tcp/$0/$1;"
                    "sha256sum <&3 >&3", address, str(server.port)])
        until(lambda: heard, 5, "its last words")
    assert heard[0].split() == [digest(data).encode(), b"-"]


@BOTH
def test_ncat_speaks_udp(guest, world, address):
    need("ncat")
    with guest:
        child = subprocess.Popen(["ncat", "-u", address, "7"],
                                 stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
    with child:
        for word in (b"one\n", b"two\n"):
            child.stdin.write(word)
            child.stdin.flush()
            assert child.stdout.readline() == word
        child.kill()


SIZES = {f"n{n}.test": n for n in (1, 400, 700, 1100, 1300, 4000, 60000)}


class Sized(Dns):
    """Texts of each size, for TXT and for ANY."""

    def record(self, name, qtype):
        if name not in SIZES or qtype not in (TXT, ANY):
            return super().record(name, qtype)
        full, rest = divmod(SIZES[name], 255)
        return (b"\xff" + b"x" * 255) * full + bytes([rest]) + b"x" * rest


@pytest.fixture(scope="module")
def asker(root, world):
    """A guest whose gateway asks a server with such answers."""
    with root.scene.world, Sized(FAR4):
        with contextlib.closing(root.guest("--dns", FAR4)) as g:
            yield g


def text_of(answer):
    return sum(len(part) for part in re.findall(r'"(x*)"', answer))


@pytest.mark.parametrize("how", ["+edns=0 +bufsize=4096",
                                 "+edns=0 +bufsize=512", "+noedns", "+tcp"])
@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_a_large_answer_arrives_whole(asker, program, how):
    """Whatever UDP cannot hold comes by TCP, and whole."""
    need(program)
    for name, size in SIZES.items():
        done = asker.sh(f"{program} +time=4 {how} @{asker.gateway4} "
                        f"{name} TXT")
        assert text_of(done.stdout) == size, (name, done)


def test_an_answer_beyond_the_asked_size_is_truncated(asker):
    """TC, and no byte more than the client has room for."""
    for size, ask in ((700, 512), (1300, 1232), (4000, 1232)):
        done = asker.sh(f"dig +ignore +notcp +edns=0 +bufsize={ask} "
                        f"@{asker.gateway4} n{size}.test TXT")
        flags = re.search(r"flags: ([a-z ]+);", done.stdout).group(1)
        assert "tc" in flags.split(), done
        assert int(re.search(r"rcvd: (\d+)", done.stdout).group(1)) <= ask


@pytest.mark.parametrize("program", ["dig", "kdig"])
def test_any_is_answered(asker, program):
    need(program)
    done = asker.sh(f"{program} +time=4 @{asker.gateway4} n1.test ANY")
    assert re.search("NOERROR|NOTIMP", done.stdout), done


def test_many_questions_by_one_stream(asker):
    """kdig keeps its connection and asks all; each name is answered."""
    need("kdig")
    names = [f"n{n}.test TXT" for n in (1, 400, 4000, 60000)] * 10
    done = asker.sh(f"kdig +tcp +keepopen +time=4 @{asker.gateway4} "
                    + " ".join(names))
    assert text_of(done.stdout) == 10 * (1 + 400 + 4000 + 60000), done.stderr


def test_pipelined_questions_by_one_stream(asker):
    """All questions in one write; answers in whatever order."""
    def question(n, i):
        name = b"".join(bytes([len(p)]) + p
                        for p in (f"n{n}".encode(), b"test"))
        ask = i.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + name + \
            b"\0\0\x10\0\1"
        return len(ask).to_bytes(2, "big") + ask
    sizes = [(1, 400, 700, 4000)[i % 4] for i in range(100)]
    with asker, socket.create_connection((asker.gateway4, 53), 5) as s:
        s.sendall(b"".join(question(n, i) for i, n in enumerate(sizes)))
        stream, got = s.makefile("rb"), {}
        while len(got) < len(sizes):
            answer = stream.read(int.from_bytes(stream.read(2), "big"))
            got[int.from_bytes(answer[:2], "big")] = answer.count(b"x")
    assert [got[i] for i in range(len(sizes))] == sizes


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    need("openssl")
    at = tmp_path_factory.mktemp("tls")
    sh(f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
       f"-nodes -keyout {at}/key -out {at}/cert -days 2 -subj /CN=web.test "
       f"-addext subjectAltName=DNS:web.test,IP:{WORLD4}")
    return at


def s_server(at, address, port):
    return ["openssl", "s_server", "-accept", f"{bracketed(address)}:{port}",
            "-key", f"{at}/key", "-cert", f"{at}/cert", "-quiet", "-rev"]


def s_client(at, address, port):
    return ["openssl", "s_client", "-connect",
            f"{bracketed(address)}:{port}", "-CAfile", f"{at}/cert",
            "-verify_return_error", "-quiet", "-no_ign_eof"]


def speaks_tls(client, where):
    """Each line comes back reversed (s_server -rev)."""
    with where:
        child = subprocess.Popen(client, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
    with child:
        for n in range(20):
            word = f"{n}" * 200
            child.stdin.write(f"{word}\n".encode())
            child.stdin.flush()
            assert child.stdout.readline().decode() == word[::-1] + "\n"
        child.kill()


@BOTH
def test_tls_to_the_world(guest, scene, certificate, address):
    with serving(scene.world, s_server(certificate, address, 4433), address,
                 4433):
        speaks_tls(s_client(certificate, address, 4433), guest)


def test_tls_to_the_guest(guest, scene, certificate):
    """By localhost: the server is in the guest, its client on the host."""
    with serving(guest, s_server(certificate, "127.0.0.1", 4434),
                 "127.0.0.1", 4434):
        with scene.host:
            until(lambda: listens("127.0.0.1", 4434), 5, "the forward")
        speaks_tls(s_client(certificate, "127.0.0.1", 4434), scene.host)


@pytest.fixture(scope="module")
def sshd(user, tmp_path_factory):
    """dropbear for the one ordinary user there is: its command, a key."""
    need("dropbear", "dbclient", "dropbearkey")
    at = tmp_path_factory.mktemp("ssh")
    (at / ".ssh").mkdir(mode=0o700)
    at.chmod(0o700)
    keys = at / ".ssh" / "authorized_keys"
    sh(f"dropbearkey -t ed25519 -f {at}/host;"
       f"dropbearkey -t ed25519 -f {at}/key | grep ^ssh- >{keys};"
       f"chmod 600 {keys}; printf '%s:x:1000:1000::%s:/bin/sh\\n' "
       f"someone {at} >{at}/passwd")
    return ["unshare", "--mount", "sh", "-c",
            f'mount --bind {at}/passwd /etc/passwd; exec "$@"', "sh",
            *user.user.prefix, "dropbear", "-F", "-E", "-s", "-r",
            f"{at}/host", "-P", f"{at}/pid", "-p"], f"{at}/key"


@BOTH
def test_ssh_carries_much_both_ways(guest, scene, sshd, address):
    """There and back through one encrypted stream."""
    command, key = sshd
    data = os.urandom(8 << 20)
    command = command + [f"{bracketed(address)}:2222"]
    with serving(scene.world, command, address, 2222):
        got = run(guest, ["dbclient", "-y", "-y", "-i", key, "-p", "2222",
                          f"someone@{address}", "cat"], data)
    assert digest(got) == digest(data)


def test_a_long_silence_does_not_end_a_connection(guest, world):
    """As a web socket has it: nothing for long, then a word each way."""
    seconds = 300 if LONG else 5
    with guest:
        quiet = [socket.create_connection((a, 7), 5)
                 for a in (WORLD4, WORLD6)]
    time.sleep(seconds)                 # silence is the case
    for s in quiet:
        with s:
            s.sendall(b"still here?")
            assert s.recv(100) == b"still here?"


@BOTH
def test_quic_fetches_a_file(guest, scene, world, certificate, tmp_path,
                             address):
    """ngtcp2: handshake, path MTU discovery, 4 MiB with their sum."""
    need("gtlsserver", "gtlsclient")
    assert world
    data = os.urandom(4 << 20)
    (tmp_path / "docs").mkdir()
    (tmp_path / "got").mkdir()
    (tmp_path / "docs" / "file").write_bytes(data)
    with scene.world:
        server = subprocess.Popen(
            ["gtlsserver", "-q", "-d", tmp_path / "docs", address, "4433",
             certificate / "key", certificate / "cert"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
    try:
        with scene.world:
            until(lambda: sh(f"ss -Hlun 'src {bracketed(address)} and "
                             "sport = 4433'"), 10, "gtlsserver", 0.01)
        run(guest, ["gtlsclient", "-q", "--exit-on-all-streams-close",
                    "--download", tmp_path / "got", address, "4433",
                    f"https://{bracketed(address)}:4433/file"])
        assert (tmp_path / "got" / "file").read_bytes() == data
    finally:
        server.kill()
        server.wait()
