#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""
Servers of the scene, as threads of the test process.

Each is opened in the namespace that the test is in at that moment, is
ready when its constructor returns, and ends with close() or `with`.
As a program (`servers.py dns|web ADDRESS PORT`) it serves the demo.
"""

import contextlib
import socket
import struct
import sys
import threading
import time


def listener(address, port=0, backlog=128):
    """A listening TCP socket of either family."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        s.bind((address, port))
        s.listen(backlog)
    except OSError:
        s.close()
        raise
    return s


def datagram(address, port=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        s.bind((address, port))
    except OSError:
        s.close()
        raise
    return s


class Server:
    """Hands each accepted connection to a function, in a thread."""

    def __init__(self, address, serve, port=0):
        self.sock = listener(address, port)
        self.address, self.port = self.sock.getsockname()[:2]
        self.serve = serve
        self.accepted = 0
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.sock.accept()
                self.accepted += 1
                threading.Thread(target=self.one, args=(conn,),
                                 daemon=True).start()

    def one(self, conn):
        with conn, contextlib.suppress(OSError):
            self.serve(conn)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def echo(conn):
    while data := conn.recv(65536):
        conn.sendall(data)


def web(conn):
    """One answer to one HTTP request: the path that was asked for."""
    request = b""
    while b"\r\n\r\n" not in request:
        data = conn.recv(4096)
        if not data:
            return
        request += data
    body = b"you asked for " + request.split()[1] + b"\n"
    conn.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n"
                 b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


class UdpEcho:
    """Answers each datagram with itself and its traffic class."""

    def __init__(self, address, port=0):
        self.sock = datagram(address, port)
        self.address, self.port = self.sock.getsockname()[:2]
        self.seen = 0
        threading.Thread(target=self.loop, daemon=True).start()

    def loop(self):
        level, recvtos = ((socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS)
                          if self.sock.family == socket.AF_INET6 else
                          (socket.IPPROTO_IP, socket.IP_RECVTOS))
        self.sock.setsockopt(level, recvtos, 1)
        with contextlib.suppress(OSError):
            while True:
                data, control, _, peer = self.sock.recvmsg(65536, 64)
                if data == b"":                 # close() says so
                    return
                self.seen += 1
                mark = [(at, kind, int.to_bytes(value[0], 4, sys.byteorder))
                        for at, kind, value in control]
                with contextlib.suppress(OSError):  # no way there any more
                    self.sock.sendmsg([data], mark, 0, peer)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.sendto(b"", self.sock.getsockname())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


A, TXT, AAAA = 1, 16, 28


class Dns:
    """
    A DNS server that does as told: .mode is "answer", "servfail" or
    "silent", .delay is in seconds, .names gives addresses; big.test has a
    TXT record that fits TCP only. .asked lists the questions seen.
    .folds answers in lower case; hold(n) keeps UDP answers until n wait.
    """

    def __init__(self, address, port=53, names=None):
        self.names = {"web.test": "198.51.100.1",
                      "demo.test": "192.0.2.1"} | (names or {})
        self.mode, self.delay, self.asked = "answer", 0, []
        self.folds, self.held, self.holding = False, {}, 0
        self.udp = datagram(address, port)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.tcp = Server(address, self.serve_tcp, port)
        self.thread = threading.Thread(target=self.serve_udp, daemon=True)
        self.thread.start()

    def serve_udp(self):
        with self.udp, contextlib.suppress(OSError):
            while True:
                data, peer = self.udp.recvfrom(4096)
                if data == b"":
                    return
                answer = self.answer(data, 512)
                if self.holding:
                    self.held[peer] = answer
                    self.release()
                elif answer:
                    self.tell(answer, peer)

    def tell(self, answer, peer):
        """Who cannot be reached any more is no reason to end."""
        with contextlib.suppress(OSError):
            self.udp.sendto(answer, peer)

    def hold(self, n):
        self.held, self.holding = {}, n

    def release(self):
        if len(self.held) < self.holding:
            return
        for peer, answer in self.held.items():
            self.tell(answer, peer)
        self.held, self.holding = {}, 0

    def serve_tcp(self, conn):
        stream = conn.makefile("rb")
        while head := stream.read(2):
            answer = self.answer(stream.read(struct.unpack("!H", head)[0]))
            if answer:
                conn.sendall(struct.pack("!H", len(answer)) + answer)

    def answer(self, query, limit=65535):
        """The reply to one query, or None for silence."""
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode(
                "latin-1").lower())
            at += 1 + query[at]
        name, question = ".".join(labels), query[12:at + 5]
        qtype = struct.unpack("!H", query[at + 1:at + 3])[0]
        self.asked.append(name)
        time.sleep(self.delay)
        if self.mode == "silent":
            return None
        data = self.record(name, qtype)
        flags = 0x8180 | (2 if self.mode == "servfail" else
                          0 if data or name in self.names else 3)
        if 12 + len(question) + 12 + len(data or b"") > limit:
            flags, data = flags | 0x0200, None
        count = 1 if data and self.mode == "answer" else 0
        reply = query[:2] + struct.pack("!5H", flags, 1, count, 0, 0)
        reply += question.lower() if self.folds else question
        if count:
            reply += struct.pack("!HHHIH", 0xc00c, qtype, 1, 60, len(data))
            reply += data
        return reply

    def record(self, name, qtype):
        address = self.names.get(name)
        if name == "big.test" and qtype == TXT:
            return (b"\xff" + b"x" * 255) * 12
        if address and qtype == A and ":" not in address:
            return socket.inet_pton(socket.AF_INET, address)
        if address and qtype == AAAA and ":" in address:
            return socket.inet_pton(socket.AF_INET6, address)
        return None

    def close(self):
        with contextlib.suppress(OSError):
            self.udp.sendto(b"", self.udp.getsockname())
        self.thread.join()
        self.tcp.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def main():
    what, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if what == "dns":
        Dns(address, port)
    else:
        Server(address, web, port)
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
