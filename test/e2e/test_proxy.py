# SPDX-License-Identifier: MIT
"""The host's HTTP proxy on its localhost, as programs of a guest find it."""

import contextlib
import socket

import pytest

from scene import WORLD4, need
from servers import Server


def shovel(conn, far):
    """Bytes both ways until either ends."""
    import select
    with far:
        while True:
            for s in select.select([conn, far], [], [], 20)[0] or [None]:
                data = s.recv(65536) if s else b""
                if not data:
                    return
                (far if s is conn else conn).sendall(data)


def proxy(conn):
    """RFC 9112 section 3.2.2 and RFC 9110 section 9.3.6, no more."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = conn.recv(4096)
        if not piece:
            return
        head += piece
    method, target, _ = head.split(b" ", 2)
    if method == b"CONNECT":
        host, port = target.rsplit(b":", 1)
        far = socket.create_connection((host.decode(), int(port)), 10)
        conn.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        shovel(conn, far)
    else:
        body = b"by proxy: " + target
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
                     b"Connection: close\r\n\r\n%s" % (len(body), body))


@pytest.fixture(params=["127.0.0.1", "::1"])
def url(request, scene):
    with scene.host, contextlib.closing(
            Server(request.param, proxy)) as server:
        at = f"[{request.param}]" if ":" in request.param else request.param
        yield f"http://{at}:{server.port}"


def curl(slipway, url, *options, where="http://page.example/"):
    slipway.env["http_proxy"] = url
    try:
        return slipway("run", *options, "curl", "-sS", "--max-time", "10",
                       where)
    finally:
        del slipway.env["http_proxy"]


def test_it_is_found_by_the_environment(slipway, url):
    need("curl")
    done = curl(slipway, url)
    assert done.stdout == "by proxy: http://page.example/", done.stderr
    done = curl(slipway, url.replace("127.0.0.1", "localhost"))
    assert done.stdout == "by proxy: http://page.example/", done.stderr


def test_it_is_left_alone_where_nobody_may_reach_it(root, url, tmp_path):
    need("curl")
    done = curl(root, url, "--host-access", "off")
    assert done.returncode == 7, "refused, on the guest's own localhost"
    conf = tmp_path / "conf"
    conf.write_text("[wsl2]\nautoProxy = false\n")
    assert curl(root, url, "--config", conf).returncode == 7


def test_of_exec_too(root, url):
    need("curl")
    with contextlib.closing(root.guest(name="proxied")):
        root.env["http_proxy"] = url
        try:
            done = root("exec", "proxied", "curl", "-sS", "--max-time", "10",
                        "http://page.example/")
        finally:
            del root.env["http_proxy"]
    assert done.stdout == "by proxy: http://page.example/", done.stderr


@pytest.mark.parametrize("tunnel", [False, True], ids=["plain", "connect"])
def test_by_the_gateways_name(root, url, world, tunnel):
    """As one types it, for programs that do not read the environment."""
    need("curl")
    port = url.rsplit(":", 1)[1]
    done = root("run", "curl", "-sS", "--max-time", "10",
                *(["--proxytunnel"] if tunnel else []),
                "--proxy", f"http://host.slipway.internal:{port}",
                f"http://{WORLD4}:{world.web[WORLD4].port}/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("by proxy") != tunnel
