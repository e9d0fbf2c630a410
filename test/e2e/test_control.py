# SPDX-License-Identifier: MIT
"""The control socket: HTTP as curl speaks it, and as it should not be."""

import contextlib
import json
import os
import re
import socket
import stat
import subprocess

import pytest

from plug import Serve
from scene import HOST4, HOST6, WORLD4, sh, until
from servers import Server, listener
from test_publish import asked, published, refused, who


def forget(slipway, name):
    """What is kept of published ports."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{slipway.state}/ports/{name}")


@pytest.fixture
def guest(slipway):
    with contextlib.closing(slipway.guest(name="ctl")) as g:
        yield g
    forget(slipway, "ctl")


def serving(guest, address, port, does=who):
    """A server that says who asks; slipway has noticed it."""
    with guest:
        server = Server(address, does, port)
    until(lambda: f":{port} " in guest.slipway("ports").stdout, 3,
          f"{port} to be known")
    return server


def path_of(guest):
    return f"{guest.slipway.runtime}/ctl.sock"


def curl(guest, path, *options):
    """Status and JSON that curl gets."""
    done = subprocess.run(
        guest.slipway.prefix + ["curl", "-sS", "-w", "\n%{http_code}",
                                "--unix-socket", path_of(guest), *options,
                                f"http://localhost{path}"],
        capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    body, status = done.stdout.rsplit("\n", 1)
    return int(status), json.loads(body)


def post(guest, path, value):
    return curl(guest, path, "-d", json.dumps(value))


def raw(guest, data):
    """Status and JSON that these bytes are answered with."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path_of(guest))
        with contextlib.suppress(BrokenPipeError):
            s.sendall(data)
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    head, body = answer.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), json.loads(body)


def test_what_can_be_asked(guest):
    status, index = curl(guest, "/v1")
    assert status == 200
    for call in index["calls"]:
        if call["method"] == "GET":
            assert curl(guest, call["path"])[0] == 200, call
    assert curl(guest, "/v1/status")[1]["name"] == "ctl"


def test_owner_only(guest):
    assert not stat.S_IMODE(os.stat(path_of(guest)).st_mode) & 0o077


@pytest.mark.parametrize("path,options,status,about", [
    ("/v2/status", (), 404, "GET /v1 lists"),
    ("/", (), 404, "GET /v1 lists"),
    ("/v1/status", ("-XDELETE",), 405, "GET /v1 lists"),
    ("/v1/publish", ("-d", "not JSON"), 400, "not a JSON object"),
    ("/v1/publish", ("-d", "[]"), 400, "not a JSON object"),
    ("/v1/publish", ("-d", "{}"), 400, '"publish" is missing'),
    ("/v1/publish", ("-d", '{"publish":1}'), 400, '"publish" is missing'),
    ("/v1/publish", ("-d", '{"publish":"80-70"}'), 400, "wrong way round"),
    ("/v1/publish", ("-d", '{"publish":"70000"}'), 400, "1 to 65535"),
    ("/v1/publish", ("-d", '{"publish":"1","publish":"2"}'), 400, "JSON"),
    ("/v1/publish", ("-d", '{"publish":"x%s"}' % ("\u00e9" * 60)), 400, "too "
     "long"),
    ("/v1/publish", ("-d", '{"publish":"%a\\n80:80"}'), 400, "interface"),
    ("/v1/unpublish", ("-d", '{"publish":"81"}'), 404, "not published"),
    ("/v1/take", ("-d", '{"port":0}'), 400, "1 to 65535"),
    ("/v1/take", ("-d", '{"port":"80"}'), 400, "1 to 65535"),
    ("/v1/take", ("-d", '{"port":80,"protocol":"sctp"}'), 400, "tcp or udp"),
    ("/v1/take", ("-d", '{"port":80}'), 404, "does not listen"),
    ("/v1/exec", ("-d", "{}"), 426, "Upgrade: slipway-exec"),
    ("/v1/publish", ("-H", "Transfer-Encoding: chunked", "-d", "{}"), 501,
     "understood"),
    ("/v1/publish", ("-H", "X: " + "x" * 9000, "-d", "{}"), 431,
     "understood"),
])
def test_a_refusal_is_a_problem_object(guest, path, options, status, about):
    got, problem = curl(guest, path, *options)
    assert got == status == problem["status"]
    assert about in problem["detail"], problem
    assert problem["title"] and problem["type"]


def test_a_request_that_is_too_long(guest):
    head = b"POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    assert raw(guest, head % 65537 + b"x" * 1000)[0] == 413
    assert raw(guest, head % 65536 + b"x" * 65536)[0] == 400
    assert raw(guest, b"GET /v1 HTTP/1.1\r\nHost: \0\r\n\r\n")[0] == 400


def test_clients_that_never_read_or_never_write(guest):
    """As many as there may be: they are cut off, and others are heard."""
    with contextlib.ExitStack() as stack:
        idle = []
        for i in range(200):
            s = stack.enter_context(socket.socket(socket.AF_UNIX))
            s.connect(path_of(guest))   # waits, if many do
            s.settimeout(10)
            if i % 2:
                s.sendall(b"GET /v1/status HTTP/1.1\r\n")
            idle.append(s)
        for s in idle[:100]:
            assert s.recv(1) == b"", "cut off"
        assert curl(guest, "/v1/status")[0] == 200


def test_exec_by_hand(guest):
    """Descriptors come only over a connection that has switched."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(path_of(guest))
        s.sendall(b"POST /v1/exec HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: upgrade\r\nUpgrade: slipway-exec\r\n\r\n")
        text, fds = b"", []
        while text.count(b"\n") < 5:
            data, more, _, _ = socket.recv_fds(s, 4096, 8)
            assert data
            text += data
            fds += more
        assert text.startswith(b"HTTP/1.1 101 ")
        line = json.loads(text.split(b"\r\n\r\n")[1])
        assert line["gateway"] == guest.gateway4 and len(fds) >= 2
        for fd in fds:
            os.close(fd)
        guest.end()
        assert s.recv(1) == b"", "held until the guest ends"


# ---- ports while a guest runs ----

def test_publish_and_unpublish(guest, scene, slipway):
    with serving(guest, "0.0.0.0", 80):
        done = slipway("publish", "ctl", "8080:80")
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(r"ctl: 0\.0\.0\.0:8080 -> 172\.\S+:80\n",
                            done.stdout)
        assert asked(scene.world, HOST4, 8080) == WORLD4, "ready on return"
        assert slipway("publish", "ctl", "8080:80").stdout == done.stdout
        assert asked(scene.world, HOST4, 8080) == WORLD4
        table = slipway("ports", "ctl").stdout
        assert re.search(r"^ctl +0\.0\.0\.0:8080 +172\.\S+:80 +"
                         r"published, kept$", table, re.M), table
        done = slipway("unpublish", "ctl", "8080:80")
        assert done.returncode == 0 and not done.stdout, done
        assert refused(scene.world, HOST4, 8080), "gone on return"
        assert slipway("unpublish", "ctl", "8080:80").returncode == 1
        assert slipway("publish", "ctl", "8080:80").returncode == 0
        assert slipway("unpublish", "ctl", "8080:81").returncode == 1
        assert slipway("unpublish", "ctl", "8080/udp").returncode == 1
        assert slipway("unpublish", "ctl", "8080").returncode == 0
        assert refused(scene.world, HOST4, 8080), "the host's port says which"


def test_published_before_the_guest_listens(guest, scene, slipway):
    done = slipway("publish", "ctl", "8081")
    assert done.stdout == "ctl: 8081 opens when the guest listens there\n"
    assert refused(scene.world, HOST4, 8081)
    assert "does not listen there" in slipway("ports").stdout
    with guest:
        server = Server("0.0.0.0", who, 8081)
    with server:
        assert published(scene.world, HOST4, 8081) == WORLD4


def test_kept_over_a_restart(slipway, scene):
    def run(expect):
        with contextlib.closing(slipway.guest(name="kept")) as guest:
            with serving(guest, "0.0.0.0", 8082), \
                    serving(guest, "0.0.0.0", 8083):
                if expect:
                    assert published(scene.world, HOST4, 8082) == WORLD4
                else:
                    slipway("publish", "kept", "8082")
                    slipway("publish", "--once", "kept", "8083")
                    assert asked(scene.world, HOST4, 8083) == WORLD4
                assert refused(scene.world, HOST4, 8083) == expect
                assert ("8082" in slipway("ports", "kept").stdout)
                if expect:
                    slipway("unpublish", "kept", "8082")
    run(False)
    run(True)
    with contextlib.closing(slipway.guest(name="kept")) as guest:
        with serving(guest, "0.0.0.0", 8082):
            assert refused(scene.world, HOST4, 8082), "unpublished for good"


def test_no_half_of_it_is_made(guest, scene, slipway):
    """IPv6's port is another's: IPv4's is not published either."""
    with scene.host:
        other = listener(HOST6, 8084)
    with serving(guest, "::", 8084), other:
        done = slipway("publish", "ctl", "8084")
        assert done.returncode == 1
        assert "8084: " in done.stderr and "has the port" in done.stderr
        assert refused(scene.world, HOST4, 8084)
        assert "published" not in slipway("ports").stdout
    assert slipway("publish", "ctl", "8084").returncode == 0


def test_told_before_the_guest_listens(guest, scene, slipway):
    with scene.host:
        other = listener(HOST4, 8085)
    with other:
        done = slipway("publish", "ctl", "8085")
        assert done.returncode == 1 and "has the port" in done.stderr
    done = slipway("publish", "ctl", "198.51.100.77:8085")
    assert done.returncode == 1 and "no such address" in done.stderr
    done = slipway("publish", "ctl", "%nodev7:8085")
    assert done.returncode == 1 and "no such interface" in done.stderr


def test_loopback_only_is_refused_with_a_hint(guest, slipway):
    with serving(guest, "127.0.0.1", 8086):
        done = slipway("publish", "ctl", "8086")
        assert done.returncode == 1
        assert "listen on 0.0.0.0 or ::" in done.stderr
        assert slipway("publish", "ctl", "127.0.0.1:9086:8086") \
            .returncode == 0, "the host's own loopback may"


def test_the_same_port_twice(guest, slipway):
    assert slipway("publish", "ctl", "8087-8089").returncode == 0
    done = slipway("publish", "ctl", "8088:80")
    assert done.returncode == 1
    assert "8087-8089 has that port already; unpublish it" in done.stderr


def test_asked_again_for_what_is_only_there_in_part(guest, scene, slipway):
    """It is said, and what there is of it goes on."""
    assert slipway("publish", "ctl", "8093-8094").returncode == 0
    kept = open(f"{slipway.state}/ports/ctl").read()
    with scene.host:
        other = listener(HOST4, 8094)
    with other, serving(guest, "0.0.0.0", 8093), \
            serving(guest, "0.0.0.0", 8094):
        until(lambda: "has the port" in slipway("ports").stdout, 3)
        assert published(scene.world, HOST4, 8093) == WORLD4
        for again in ((), ("--once",)):
            done = slipway("publish", *again, "ctl", "8093-8094")
            assert done.returncode == 1 and "has the port" in done.stderr
            assert asked(scene.world, HOST4, 8093) == WORLD4, "it goes on"
    assert open(f"{slipway.state}/ports/ctl").read() == kept


def test_what_cannot_be_kept_is_not_made(guest, scene, slipway):
    """And what there is, though not to be kept, is left alone."""
    folder = f"{slipway.state}/ports"
    assert slipway("publish", "--once", "ctl", "8095").returncode == 0
    with serving(guest, "0.0.0.0", 8095), serving(guest, "0.0.0.0", 8096):
        assert published(scene.world, HOST4, 8095) == WORLD4
        with in_the_way(folder):
            for port in (8095, 8096):
                done = slipway("publish", "ctl", f"{port}")
                assert done.returncode == 1
                assert "cannot be kept" in done.stderr, done
                assert "--once" in done.stderr
        assert asked(scene.world, HOST4, 8095) == WORLD4
        assert refused(scene.world, HOST4, 8096)
        ports = json.loads(slipway("ports", "--json", "ctl").stdout)
        assert ports["publish"] == ["8095"] and not ports["kept"]


@contextlib.contextmanager
def in_the_way(path):
    """A file where a folder is wanted."""
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, path + ".aside")
    with open(path, "w", encoding="ascii"):
        pass
    try:
        yield
    finally:
        os.unlink(path)
        with contextlib.suppress(FileNotFoundError):
            os.rename(path + ".aside", path)


def test_as_many_as_there_may_be(guest, slipway):
    words = [f"{port}" for port in range(10000, 10064)]
    done = slipway("publish", "--once", "ctl", *words)
    assert done.returncode == 0, done.stderr
    done = slipway("publish", "ctl", "10100")
    assert done.returncode == 1 and "as much" in done.stderr
    assert slipway("unpublish", "ctl", *words).returncode == 0
    assert slipway("publish", "ctl", "10100").returncode == 0


def test_a_large_range_costs_nothing(guest, scene, slipway):
    assert slipway("publish", "--once", "ctl", "20000-29999").returncode == 0
    with guest:
        server = Server("0.0.0.0", who, 25000)
    with server:
        assert published(scene.world, HOST4, 25000) == WORLD4
        listening = [a for a in sh("ss -Hltn").split() if
                     a.startswith("0.0.0.0:2")]
        assert listening == ["0.0.0.0:25000"], "no other is bound"


def test_a_machine_is_published_again_and_again(root, scene, tmp_path):
    """What is unpublished takes no room: more than there may be at once."""
    with contextlib.closing(Serve(root, tmp_path, "vm")):
        done = root("publish", "vm", "20000-21024")
        assert done.returncode == 1 and "room for 1,024" in done.stderr
        assert not json.loads(root("ports", "--json", "vm").stdout)["publish"]
        for first in range(20000, 26000, 1000):
            words = (f"{first}-{first + 999}",)
            done = root("publish", "--once", "vm", *words)
            assert done.returncode == 0, done.stderr
            assert done.stdout.count(" -> ") == 1000
            assert root("unpublish", "vm", *words).returncode == 0
        # A port of the guest's that two lead to stays for the other.
        for word in ("20000:80", "20001:80"):
            assert root("publish", "--once", "vm", word).returncode == 0
        assert root("unpublish", "vm", "20000:80").returncode == 0
        table = root("ports", "vm").stdout
        assert "0.0.0.0:20001 " in table and "0.0.0.0:20000 " not in table


def port_of_its_own(conn):
    """A server that tells its client at which port of the guest's it is."""
    conn.sendall(b"%d" % conn.getsockname()[1])


def test_auto_gives_way_to_an_entry(guest, scene, slipway):
    def at(port):
        return asked(scene.world, HOST4, port)
    with serving(guest, "0.0.0.0", 8090, port_of_its_own), \
            serving(guest, "0.0.0.0", 8091, port_of_its_own):
        assert slipway("publish", "--once", "ctl", "auto").returncode == 0
        assert (at(8090), at(8091)) == ("8090", "8091")
        assert slipway("publish", "--once", "ctl", "8090:8091") \
            .returncode == 0
        assert (at(8090), at(8091)) == ("8091", "8091")
        assert slipway("unpublish", "ctl", "8090:8091").returncode == 0
        assert (at(8090), at(8091)) == ("8090", "8091"), "auto has it again"
        assert slipway("unpublish", "ctl", "auto").returncode == 0
        assert refused(scene.world, HOST4, 8090)


def test_take_a_port_that_is_free_again(guest, scene, slipway):
    with scene.host:
        other = listener("127.0.0.1", 8092)
    with guest:
        server = Server("127.0.0.1", who, 8092)
    with server:
        with other:
            until(lambda: "has the port" in slipway("ports").stdout, 3)
            done = slipway("ports", "take", "ctl", "8092")
            assert done.returncode == 1
            assert "8092/tcp" in done.stderr and "has the port" in done.stderr
        assert asked(scene.host, "127.0.0.1", 8092) is None, "not grabbed"
        assert slipway("ports", "take", "ctl", "8092/tcp").returncode == 0
        assert asked(scene.host, "127.0.0.1", 8092) == "127.0.0.1"
        assert slipway("ports", "take", "ctl", "8092").returncode == 0


# ---- flows ----

def flows(guest):
    done = guest.slipway("flows", "ctl", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["flows"]


def test_flows_that_live(guest, scene, world):
    with guest:
        s = socket.create_connection((WORLD4, 7), 10)
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.settimeout(10)
        u.sendto(b"x" * 1000, (WORLD4, 7))
        assert len(u.recv(2000)) == 1000
    guest.sh(f"ping -c1 {WORLD4}")
    with s, u:
        data = b"y" * 100000
        s.sendall(data)
        got = 0
        while got < len(data):
            got += len(s.recv(1 << 16))
        by = {f["protocol"]: f for f in flows(guest)}
        assert set(by) == {"tcp", "udp", "ping"}
        tcp, udp = by["tcp"], by["udp"]
        assert tcp["peer"] == udp["peer"] == f"{WORLD4}:7"
        assert tcp["guest"] == "%s:%d" % s.getsockname()
        assert tcp["state"] == "established" and tcp["begun_by"] == "guest"
        assert tcp["from_guest"] == len(data)
        until(lambda: flows_of(guest, "tcp")["to_guest"] == len(data), 3,
              "the last acknowledgement")
        assert 0 < tcp["rtt_us"] < 1000000 and tcp["age_s"] < 60
        assert udp["from_guest"] == udp["to_guest"] == 1000
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
        until(lambda: flows_of(guest, "tcp")["state"] == "time-wait", 3)
        assert flows_of(guest, "tcp")["from_guest"] == len(data)
        table = guest.slipway("flows").stdout.splitlines()
    assert table[0].split() == ["NAME", "PROTO", "GUEST", "PEER", "STATE",
                                "SENT", "RECEIVED", "RTT", "AGE"]
    assert len({line.index(WORLD4) for line in table[1:]}) == 1, "aligned"


def test_flows_of_localhost(guest, scene):
    """They are no packets, and listed all the same."""
    with serving(guest, "127.0.0.1", 8098, everything_back), scene.host:
        with socket.create_connection(("127.0.0.1", 8098), 10) as s:
            s.sendall(b"z" * 300000)
            s.shutdown(socket.SHUT_WR)
            got = 0
            while piece := s.recv(1 << 16):
                got += len(piece)
            assert got == 300000
            with socket.create_connection(("127.0.0.1", 8098), 10) as t:
                t.sendall(b"12345")
                until(lambda: any(f["to_guest"] == 5 for f in flows(guest)),
                      3, "five bytes")
                flow, = (f for f in flows(guest) if f["to_guest"] == 5)
                here = "%s:%d" % t.getsockname()
    assert flow["state"] == "relayed" and flow["begun_by"] == "peer"
    assert flow["peer"] == here and flow["guest"] == "127.0.0.1:8098"
    assert flow["from_guest"] == 0 and flow["age_s"] < 60


def everything_back(conn):
    """To the end, then all of it."""
    data = bytearray()
    while piece := conn.recv(1 << 16):
        data += piece
    conn.sendall(data)


def flows_of(guest, protocol):
    return next(f for f in flows(guest) if f["protocol"] == protocol)


def test_more_flows_than_a_page(guest, scene):
    """And whom the guest did not begin is told apart."""
    with scene.world:
        waiting = listener(WORLD4, 0, 1000)
    with waiting, contextlib.ExitStack() as stack:
        with guest:
            for _ in range(300):
                stack.enter_context(socket.create_connection(
                    waiting.getsockname(), 10))
        with serving(guest, "0.0.0.0", 8099):
            guest.slipway("publish", "--once", "ctl", "8099")
            with scene.world:
                stack.enter_context(socket.create_connection((HOST4, 8099)))
            seen = []

            def all_there():
                seen[:] = flows(guest)
                return len(seen) >= 301
            until(all_there, 3, "301 flows")
        begun = [f["begun_by"] for f in seen]
        assert begun.count("peer") == 1, [f for f in seen if
                                          f["state"] != "established"]
        assert len({(f["guest"], f["peer"]) for f in seen}) == 301


@pytest.mark.parametrize("args,about", [
    (("flows", "a", "b"), "one NAME"),
    (("publish",), "a NAME and PORTS"),
    (("publish", "ctl"), "a NAME and PORTS"),
    (("publish", "ctl", "80", "99999"), "99999: its port is not"),
    (("unpublish", "ctl", "x"), "x: its port is not"),
    (("ports", "a", "b"), "one NAME"),
    (("ports", "take", "ctl"), "one PORT"),
    (("ports", "take", "ctl", "x"), "not a port"),
    (("ports", "take", "ctl", "80/sctp"), "not a port"),
])
def test_wrong_usage(root, args, about):
    done = root(*args)
    assert done.returncode == 2 and about in done.stderr, done


def test_no_such_guest(root):
    for command in (("publish", "nobody", "80"), ("unpublish", "nobody", "80"),
                    ("ports", "nobody"), ("ports", "take", "nobody", "80")):
        done = root(*command)
        assert done.returncode == 1
        assert "no guest of that name runs" in done.stderr
