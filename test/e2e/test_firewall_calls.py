# SPDX-License-Identifier: MIT
"""The firewall by the control socket: rules, what is kept, why, the log."""

import contextlib
import json
import os
import re
import socket
import time

import pytest

from scene import FAR4, WORLD4, WORLD6, until
from servers import Server
from test_control import curl as curl_ctl

BLOCK_WEB = "[rule no web]\naction = block\ndirection = out\n" \
            "protocol = tcp\nremotePort = 80\n"


def curl(guest, path, *options):
    return curl_ctl(guest, "/v1/firewall" + path, *options)


def post(guest, path, want=200, **body):
    status, answer = curl(guest, path, "-d", json.dumps(body))
    assert status == want, answer
    return answer if want == 200 else answer["detail"]


def rules(guest):
    status, answer = curl(guest, "")
    assert status == 200
    return answer, {r["name"]: r for r in answer["rules"]}


def forget(slipway, name="ctl"):
    for what in ("rules", "log", "log.old"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{slipway.state}/firewall/{name}.{what}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{slipway.state}/ports/{name}")


@pytest.fixture
def start(slipway):
    """Starts guests `ctl`, one after the other's end, of one state."""
    running = []

    def end():
        while running:
            running.pop().close()

    def begin(*options):
        end()
        running.append(slipway.guest(*options, name="ctl"))
        return running[0]
    forget(slipway)
    yield begin
    end()
    forget(slipway)


@pytest.fixture
def guest(start, world):
    return start()


def reaches(guest, address=WORLD4, port=80, timeout=1):
    with guest:
        s = socket.socket(socket.AF_INET6 if ":" in address else
                          socket.AF_INET)
    with s:
        s.settimeout(timeout)
        try:
            s.connect((address, port))
        except (TimeoutError, ConnectionError, OSError):
            return False
        return True


def blocks(guest, **kw):
    """The engine hears of a change in its own time, though soon."""
    until(lambda: not reaches(guest, timeout=0.2, **kw), 3, "the block")


def passes(guest, **kw):
    until(lambda: reaches(guest, **kw), 3, "the way to be open")


def test_what_there_is(guest):
    answer, by_name = rules(guest)
    assert not by_name
    assert answer["name"] == "ctl" and answer["generation"] == 1
    assert answer["profile"] == "private" and answer["on"] is True
    assert answer["off_for_s"] == 0 and answer["block_action"] == "drop"
    assert answer["defaults"] == {
        "in_from_guest": "allow", "in_from_host": "allow",
        "in_from_lan": "block", "out": "allow"}
    assert answer["blocked"] == answer["not_told"] == 0
    assert answer["log"] == f"{guest.slipway.state}/firewall/ctl.log"
    assert curl(guest, "/blocked") == (200, {"blocked": []})


def test_a_rule_comes_and_goes(guest):
    assert reaches(guest)
    assert post(guest, "/add", text=BLOCK_WEB) == \
        {"generation": 2, "rules": 1}
    blocks(guest)
    assert reaches(guest, port=7)
    rule = rules(guest)[1]["no web"]
    assert rule["text"] == BLOCK_WEB and rule["from"] == "added"
    assert rule["kept"] and rule["enabled"] and rule["finding"] == "works"
    assert rule["hits"] >= 1 and "changed" not in rule
    post(guest, "/change", rule="no web", change="disable")
    passes(guest)
    assert rules(guest)[1]["no web"]["finding"] == "off"
    post(guest, "/change", rule="no web", change="enable")
    blocks(guest)
    post(guest, "/change", rule="no web", change="except",
         **{"from": ["guest ctl"]})
    passes(guest)
    assert "except = guest ctl\n" in rules(guest)[1]["no web"]["text"]
    post(guest, "/change", rule="no web", change="delete")
    assert not rules(guest)[1]
    assert not os.path.exists(f"{guest.slipway.state}/firewall/ctl.rules")


def test_kept_or_for_once(start, world):
    guest = start()
    post(guest, "/add", text=BLOCK_WEB)
    post(guest, "/add", text="[rule once]\naction=block\ndirection=in\n",
         once=True)
    post(guest, "/profile", profile="public")
    post(guest, "/change", rule="no web", change="disable", once=True)
    passes(guest)
    assert rules(guest)[1]["once"]["kept"] is False
    guest = start()
    answer, by_name = rules(guest)
    assert list(by_name) == ["no web"] and answer["profile"] == "public"
    assert by_name["no web"]["enabled"] and not reaches(guest, timeout=0.3)


def test_a_file_is_changed_beside_it(start, world, tmp_path):
    conf = tmp_path / "s.conf"
    conf.write_text("[firewall]\nprofile = domain\nblockAction = refuse\n"
                    + BLOCK_WEB)
    os.chmod(tmp_path, 0o755)
    before = conf.read_text()
    guest = start("--config", str(conf))
    answer, by_name = rules(guest)
    assert answer["profile"] == "domain"
    assert answer["block_action"] == "refuse"
    assert by_name["no web"]["from"] == str(conf)
    with guest, socket.socket() as s, pytest.raises(ConnectionRefusedError):
        s.settimeout(5)
        s.connect((WORLD4, 80))
    assert f"it comes from {conf}" in post(
        guest, "/change", 409, rule="no web", change="delete")
    post(guest, "/change", rule="no web", change="disable")
    passes(guest)
    guest = start("--config", str(conf))
    rule = rules(guest)[1]["no web"]
    assert rule["changed"] and not rule["enabled"] and reaches(guest)
    assert conf.read_text() == before
    post(guest, "/change", rule="no web", change="enable")
    blocks(guest)


def test_off_for_a_while(guest):
    post(guest, "/add", text=BLOCK_WEB)
    blocks(guest)
    answer = post(guest, "/switch", on=False, for_s=1)
    assert answer["on"] is False and answer["off_for_s"] == 1
    began = time.monotonic()
    passes(guest)
    assert rules(guest)[0]["on"] is False
    blocks(guest)
    assert time.monotonic() - began > 0.7
    assert rules(guest)[0]["on"] is True
    post(guest, "/switch", on=False)
    passes(guest)
    post(guest, "/switch", on=True)
    blocks(guest)


def test_what_runs_ends_or_is_spared(guest):
    def connected():
        with guest:
            s = socket.socket()
        s.settimeout(5)
        s.connect((WORLD4, 7))
        return s

    text = "[rule r]\naction = block\ndirection = out\nprotocol = tcp\n" \
           "remotePort = 7\n"
    with connected() as s:
        post(guest, "/add", text=text, keep_flows=True)
        until(lambda: not reaches(guest, port=7, timeout=0.2), 3, "the block")
        s.sendall(b"still")
        assert s.recv(5) == b"still"
        post(guest, "/change", rule="r", change="disable", keep_flows=True)
        post(guest, "/change", rule="r", change="enable")
        with pytest.raises(ConnectionResetError):
            s.recv(1)


def test_published_has_a_rule(guest):
    with guest:
        server = Server("0.0.0.0", lambda c: c.sendall(b"hello"), 8080)
    with server:
        until(lambda: ":8080 " in guest.slipway("ports").stdout, 3, "it")
        done = guest.slipway("publish", "ctl", "8081:8080")
        assert done.returncode == 0, done.stderr
        rule = rules(guest)[1]["publish 8081:8080"]
        assert rule["from"] == "publish" and rule["finding"] == "works"
        assert "localPort = 8080\n" in rule["text"]

        def world_reads(want):
            with guest.slipway.scene.world:
                s = socket.socket()
            with s:
                s.settimeout(1)
                try:
                    s.connect(("192.0.2.2", 8081))
                    return s.recv(9) == want
                except OSError:
                    return want is None
        until(lambda: world_reads(b"hello"), 3, "the port")
        # An explicit block beats it, and so does taking the rule away.
        post(guest, "/add", text="[rule b]\naction = block\ndirection = in\n"
             "localPort = 8080\nremoteAddress = 192.0.2.1\n", once=True)
        until(lambda: world_reads(None), 3, "the block")
        post(guest, "/change", rule="b", change="delete")
        until(lambda: world_reads(b"hello"), 3, "the port")
        post(guest, "/change", rule="publish 8081:8080", change="disable",
             once=True)
        until(lambda: world_reads(None), 3, "the block")
        # Nor does it open the host's own port to the guest.
        post(guest, "/profile", profile="public")
        answer = post(guest, "/why", protocol="tcp", to=f"{guest.gateway4}"
                      ":8080", **{"from": guest.address4})
        assert answer["allowed"] is False
        assert guest.slipway("unpublish", "ctl", "8081:8080").returncode == 0
        assert list(rules(guest)[1]) == []


def test_why(guest):
    def why(to, **kw):
        return post(guest, "/why", to=to, **({
            "protocol": "tcp", "from": guest.address4} | kw))

    post(guest, "/add", text=BLOCK_WEB + "[rule web]\naction = allow\n"
         "direction = out\nremoteAddress = 192.0.2.0/24\n")
    answer = why(f"{WORLD4}:80")
    assert answer["allowed"] is False
    check, = answer["checks"]
    assert check["reason"] == "block" and check["rule"] == "no web"
    assert check["blocks"] == ["no web"] and check["allows"] == ["web"]
    assert check["direction"] == "out" and check["origin"] == "guest"
    command = answer["change"]["command"]
    assert command == ["slipway", "firewall", "except", "no web", "--from",
                       "guest ctl"]
    done = guest.slipway(*command[1:4], "--from", "guest ctl")
    if done.returncode == 2:            # without such a command yet
        post(guest, "/change", rule="no web", change="except",
             **{"from": ["guest ctl"]})
    passes(guest)
    answer = why(f"{WORLD4}:80")
    assert answer["allowed"] and answer["checks"][0]["rule"] == "web"
    assert answer["checks"][0]["excepted"] == ["no web"]
    assert answer["change"]["kind"] == "block"
    answer = why(f"{guest.gateway4}:9")
    assert [c["direction"] for c in answer["checks"]] == ["out", "in"]
    answer = why(f"[{guest.address6}]:22", protocol="udp",
                 **{"from": f"[{WORLD6}]:53"})
    check, = answer["checks"]
    assert (check["direction"], check["origin"]) == ("in", "lan")
    assert answer["allowed"] is False and check["reason"] == "default"
    assert answer["change"]["command"] == [
        "slipway", "firewall", "add", "action=allow", "direction=in",
        "protocol=udp", "localPort=22", f"remoteAddress={WORLD6}"]
    answer = why(f"{guest.address4}:22", **{"from": guest.gateway4})
    assert answer["checks"][0]["origin"] == "host" and answer["allowed"]
    assert post(guest, "/why", protocol="dns", to="a.test")["allowed"]


def test_what_is_blocked_is_told_and_logged(guest):
    post(guest, "/add", text=BLOCK_WEB)
    with guest, socket.socket() as s:
        s.settimeout(0.3)
        with pytest.raises(TimeoutError):
            s.connect((WORLD4, 80))
        port = s.getsockname()[1]

    def last():
        return curl(guest, "/blocked")[1]["blocked"]
    entry = until(last, 3, "it")[0]
    assert entry["rule"] == "no web" and entry["direction"] == "out"
    assert entry["from"] == f"{guest.address4}:{port}"
    assert entry["to"] == f"{WORLD4}:80" and entry["protocol"] == "tcp"
    assert entry["origin"] == "guest" and entry["told"] is False
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}",
                        entry["time"])
    path = rules(guest)[0]["log"]
    line = re.compile(rf'\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d DROP TCP '
                      rf'{guest.address4} {WORLD4} {port} 80 \d+ S \d+ 0 '
                      rf'\d+ - - - SEND "no web"\n')

    def logged():
        with contextlib.suppress(FileNotFoundError), open(path) as f:
            return line.search(f.read())
    until(logged, 3, "the line of the log")
    with open(path) as f:
        head = f.read().split("\n")
    assert head[0] == "#Version: 1.5" and head[2] == "#Time Format: Local"
    assert head[3].startswith("#Fields: date time action protocol src-ip ")


def test_an_allow_list_and_its_end(slipway, start, world):
    guest = start("--allow", f"{WORLD4},*.allowed.test")
    answer, by_name = rules(guest)
    assert answer["mode"] == "allow-list"
    assert answer["defaults"]["out"] == "block"
    assert by_name[f"allow {WORLD4}"]["from"] == "allow"
    assert reaches(guest) and not reaches(guest, FAR4)
    assert not post(guest, "/why", protocol="dns", to="no.test")["allowed"]
    assert post(guest, "/why", protocol="dns",
                to="A.allowed.test.")["allowed"]
    code = ("import socket\nfor n in range(2):\n for a in '%s', '%s':\n"
            "  try: socket.create_connection((a, 80), 3).close()\n"
            "  except OSError as e: print(a, e.errno)\n" % (WORLD4, FAR4))
    done = slipway("run", "--allow", WORLD4, "python3", "-c", code)
    assert done.stdout == f"{FAR4} 111\n" * 2, done
    assert done.stderr == (
        "slipway: the allow list has kept the command from some places; "
        "these would let it there:\n"
        f"slipway:   --allow {FAR4} (tcp port 80, 2 times)\n")
    done = slipway("run", "-q", "--allow", WORLD4, "python3", "-c", code)
    assert done.stderr == ""
    done = slipway("run", "--allow", f"{WORLD4},{FAR4}", "python3", "-c",
                   code)
    assert (done.stdout, done.stderr) == ("", "")


def large(guest, path, body):
    """More than fits into a word of a command line."""
    file = f"{guest.slipway.env['HOME']}/large"
    with open(file, "w") as f:
        json.dump(body, f)
    return curl(guest, "/" + path, "-d", "@" + file)


def test_a_long_rule_is_told_whole(guest):
    ports = ", ".join(str(p) for p in range(1, 2000, 2))
    text = f"[rule long]\naction = block\ndirection = in\n" \
           f"protocol = tcp\nlocalPort = {ports}\n"
    assert post(guest, "/add", text=text)["rules"] == 1
    assert rules(guest)[1]["long"]["text"] == text


def test_a_clash_and_replace(guest):
    post(guest, "/add", text=BLOCK_WEB)
    assert "no web: there is such a rule" in post(guest, "/add", 409,
                                                  text=BLOCK_WEB)
    post(guest, "/add", text=BLOCK_WEB.replace("80", "443"), replace=True)
    assert "443" in rules(guest)[1]["no web"]["text"]
    assert len(rules(guest)[0]["rules"]) == 1


def test_many_rules(guest):
    text = "".join(f"[rule r{i}]\naction = block\ndirection = out\n"
                   f"remoteAddress = 198.18.{i >> 8}.{i & 255}\n"
                   for i in range(10_000))
    status, answer = large(guest, "add", {"text": text})
    assert status == 200 and answer["rules"] == 10_000, answer
    answer = rules(guest)[0]
    assert len(answer["rules"]) == 10_000
    assert sum(r["hits"] for r in answer["rules"]) == 0
    blocks(guest, address="198.18.39.15")
    assert reaches(guest)
    assert rules(guest)[1]["r9999"]["hits"] > 0


def test_the_log_is_put_aside(start, world, tmp_path):
    conf = tmp_path / "s.conf"
    log = tmp_path / "f.log"
    os.chmod(tmp_path, 0o777)
    conf.write_text(f"[firewall]\nlog = {log}\nlogSize = 64K\n"
                    "blockAction = refuse\n" + BLOCK_WEB)
    guest = start("--config", str(conf))
    old = tmp_path / "f.log.old"

    def refused_many():
        for _ in range(100):
            reaches(guest, timeout=3)
        return old.exists()
    until(refused_many, 60, "the file to be put aside", pause=0.2)
    assert old.stat().st_size >= 65536 and log.stat().st_size < 65536
    assert log.read_text().startswith("#Version: 1.5\n")
    assert old.read_text().endswith('"no web"\n')


def test_a_log_that_takes_nothing(slipway, start, world, tmp_path):
    """A pipe that is full: the guest does not notice, nor does its end."""
    conf, log = tmp_path / "s.conf", tmp_path / "pipe"
    os.mkfifo(log)
    os.chmod(log, 0o666)
    os.chmod(tmp_path, 0o777)
    conf.write_text(f"[firewall]\nlog = {log}\nblockAction = refuse\n"
                    + BLOCK_WEB)
    reader = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        guest = start("--config", str(conf))
        for _ in range(3000):
            assert not reaches(guest, timeout=3)
        began = time.monotonic()
        assert rules(guest)[1]["no web"]["hits"] >= 3000
        assert slipway("stop", "ctl").returncode == 0
        assert time.monotonic() - began < 3
        assert os.read(reader, 100).startswith(b"#Version: 1.5\n")
    finally:
        os.close(reader)


@pytest.mark.parametrize("path,body,status,about", [
    ("add", {}, 400, '"text" is missing'),
    ("add", {"text": 1}, 400, '"text" is missing'),
    ("add", {"text": "[rule a]\nacton = block\n[rule b]\naction = blok\n"},
     400, "2:1: acton: no such key; did you mean action?\n4:10: blok"),
    ("add", {"text": "mtu = 1500\n"}, 400, "1:1: mtu: a key before any"),
    ("add", {"text": "x" * 8_400_000}, 413, "understood"),
    ("change", {}, 400, '"rule" is missing'),
    ("change", {"rule": "a"}, 400, 'give "change"'),
    ("change", {"rule": "a", "change": "enabl"}, 400, 'give "change"'),
    ("change", {"rule": "a", "change": "except"}, 400, 'give "from"'),
    ("change", {"rule": "a", "change": "except", "from": [1]}, 400, "from"),
    ("change", {"rule": "a", "change": "except", "from": ["guest a\nb"]},
     400, 'give "from"'),
    ("change", {"rule": "a", "change": "delete"}, 404, "a: no rule"),
    ("change", {"rule": "", "change": "delete"}, 404, "no rule"),
    ("change", {"rule": "here", "change": "except", "from": ["gest a"]},
     400, "gest a: no address"),
    ("change", {"rule": "pass", "change": "except", "from": ["guest a"]},
     409, "pass: it blocks nothing"),
    ("profile", {}, 400, "private, public or domain"),
    ("profile", {"profile": "privat"}, 400, "private, public or domain"),
    ("switch", {}, 400, "true or false"),
    ("switch", {"on": 1}, 400, "true or false"),
    ("switch", {"on": False, "for_s": -1}, 400, "30 days"),
    ("switch", {"on": False, "for_s": 99999999}, 400, "30 days"),
    ("why", {}, 400, '"protocol"'),
    ("why", {"protocol": "tcp", "from": "1.2.3.4"}, 400, '"from" and "to"'),
    ("why", {"protocol": "tcp", "from": "1.2.3.4", "to": "::1"}, 400, "one "
     "family"),
    ("why", {"protocol": "tcp", "from": "1.2.3.4", "to": ":"}, 400, "from"),
    ("why", {"protocol": "tcp", "from": "[1.2.3.4]:1", "to": "]:1"}, 400,
     '"from"'),
    ("why", {"protocol": "dns"}, 400, "a name"),
])
def test_what_is_refused_changes_nothing(refused, path, body, status, about):
    guest, before = refused
    got, problem = curl(guest, "/" + path, "-d", json.dumps(body)) \
        if len(json.dumps(body)) < 100_000 else large(guest, path, body)
    assert got == status, problem
    assert about in problem["detail"]
    after = rules(guest)[0]
    assert after == before


@pytest.fixture(scope="module")
def refused(root, world):
    forget(root)
    with contextlib.closing(root.guest(name="ctl")) as guest:
        post(guest, "/add", text="[rule here]\naction=block\ndirection=in\n"
             "[rule pass]\naction=allow\ndirection=in\n", once=True)
        yield guest, rules(guest)[0]
    forget(root)
