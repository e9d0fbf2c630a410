# SPDX-License-Identifier: MIT
"""
Frames that no program should send, one table for each protocol.

Each row is a label, what becomes of it, and the frame: REFUSED is counted as
dropped; None is let pass, as odd, but allowed, or answered with an error of
its own protocol; ANY depends on the moment or is counted elsewhere. A row never
speaks for another station, so that a gateway which believes what it may
believe goes on serving the guest.
"""

import struct

import scapy.all as scapy

REFUSED, ANY = "refused", "any"
PAD = scapy.PadN(optdata=b"\0" * 4)


class At:
    """Where the frames come from and go to."""

    def __init__(self, mac, gateway_mac, own, gateway, world, live):
        self.mac, self.gateway_mac = mac, gateway_mac
        self.own4, self.own6 = own
        self.gateway4, self.gateway6 = gateway
        self.world4, self.world6 = world
        self.live = live            # ports, next sequence number of a stream

    def ether(self, kind, body=b"", dst=None, src=None):
        addresses = bytes.fromhex((dst or self.gateway_mac).replace(":", "")
                                  + (src or self.mac).replace(":", ""))
        return addresses + struct.pack("!H", kind) + bytes(body)

    def four(self, body=b"", **kw):
        """An IPv4 packet in its frame; fields as scapy calls them."""
        kw = {"src": self.own4, "dst": self.world4} | kw
        return self.ether(0x0800, scapy.IP(**kw) / body)

    def six(self, *body, **kw):
        kw = {"src": self.own6, "dst": self.world6} | kw
        packet = scapy.IPv6(**kw)
        for part in body:
            packet = packet / part
        return self.ether(0x86dd, packet)


def patched(frame, at, new):
    """The frame with some bytes replaced; no sum is mended."""
    return frame[:at] + new + frame[at + len(new):]


def ethernet(at):
    four = bytes(at.four(scapy.ICMP()))[14:]
    yield from ((f"a runt of {n} bytes", REFUSED, bytes(n))
                for n in (1, 6, 13))
    for kind in (0x0800, 0x0806, 0x86dd):
        yield f"a header alone {kind:x}", REFUSED, at.ether(kind)
    for kind in (0, 3, 46, 1500, 1535, 1536, 0x1234, 0x8035, 0x8100, 0x8847,
                 0x8863, 0x88a8, 0x88cc, 0xffff):
        yield f"type {kind:x}", REFUSED, at.ether(kind, four)
    for station in ("01:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"):
        yield "from a group", REFUSED, at.ether(0x0800, four, src=station)
    for station in ("02:00:00:00:00:77", "00:00:00:00:00:00"):
        yield "for another", REFUSED, at.ether(0x0800, four, dst=station)
    yield "with padding", None, at.ether(0x0800, four + bytes(60))
    yield "of 1500 zeros", REFUSED, at.ether(0x0800, bytes(1500))
    yield "IPv6 of IPv4's type", REFUSED, at.ether(
        0x0800, at.six(scapy.ICMPv6EchoRequest())[14:])
    yield "IPv4 of IPv6's type", REFUSED, at.ether(0x86dd, four + bytes(40))


def arp(at):
    def ask(**kw):
        kw = {"hwsrc": at.mac, "psrc": at.own4, "pdst": at.gateway4} | kw
        return at.ether(0x0806, scapy.ARP(**kw))
    good = ask()
    yield "a good one", None, good
    yield "a probe", None, ask(psrc="0.0.0.0")
    yield "gratuitous", None, ask(pdst=at.own4)
    yield "for nobody", None, ask(pdst="0.0.0.0")
    yield "for everybody", None, ask(pdst="255.255.255.255")
    yield "of another subnet", None, ask(psrc="198.18.7.7")
    yield "as the gateway", None, ask(psrc=at.gateway4)
    for name, where, values in (
            ("hardware", 14, (0, 2, 6, 0xffff)),
            ("protocol", 16, (0, 0x0801, 0x86dd, 0xffff)),
            ("operation", 20, (0, 3, 8, 0xffff))):
        for value in values:
            yield f"{name} {value}", REFUSED, patched(
                good, where, struct.pack("!H", value))
    for value in (0, 5, 7, 255):
        yield f"hardware length {value}", REFUSED, patched(
            good, 18, bytes([value]))
        yield f"protocol length {value}", REFUSED, patched(
            good, 19, bytes([value]))
    for n in range(14, 42):
        yield f"cut at {n}", REFUSED, good[:n]


def ipv4(at):
    udp = scapy.UDP(sport=4100, dport=7) / b"variant"
    for version in (0, 5, 6, 15):
        yield f"version {version}", REFUSED, at.four(udp, version=version)
    for ihl in (0, 1, 4):
        yield f"header of {ihl} words", REFUSED, at.four(udp, ihl=ihl)
    yield "header longer than the packet", REFUSED, at.four(
        b"", ihl=15, len=40)
    for length in (0, 1, 19):
        yield f"length {length}", REFUSED, at.four(udp, len=length)
    for length in (36, 1000, 65535):
        yield f"length {length}", REFUSED, at.four(udp, len=length)
    yield "cut in the header", REFUSED, at.four(udp)[:33]
    for value in (0, 1, 0xffff):
        yield f"checksum {value}", REFUSED, at.four(udp, chksum=value)
    for ttl in (0, 1):
        yield f"ttl {ttl}", REFUSED, at.four(udp, ttl=ttl)
    for proto in (0, 2, 4, 41, 47, 50, 51, 58, 89, 103, 132, 253, 255):
        yield f"protocol {proto}", REFUSED, at.four(bytes(20), proto=proto)
    for src in ("0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255",
                "240.0.0.1", at.gateway4, at.world4):
        yield f"from {src}", REFUSED, at.four(udp, src=src)
    for dst in ("0.0.0.0", "224.0.0.251", "239.1.2.3", "255.255.255.255",
                "240.0.0.1"):
        yield f"to {dst}", REFUSED, at.four(udp, dst=dst)
    yield "reserved flag", None, at.four(udp, flags=4)
    yield "traffic class", None, at.four(udp, tos=0xff)
    for name, options in (
            ("padding", b"\1" * 40), ("an end", b"\0" * 4),
            ("record route", b"\7\x27\4" + bytes(37)),
            ("source route", b"\x83\7\4" + bytes(4) + b"\0"),
            ("strict source route", b"\x89\7\4" + bytes(4) + b"\0"),
            ("timestamp", b"\x44\x24\5\0" + bytes(32)),
            ("alert", b"\x94\4\0\0"), ("length 0", b"\7\0\0\0"),
            ("length 1", b"\7\1\0\0"), ("past the end", b"\7\xff\4\0"),
            ("unknown", b"\xff\4xx")):
        yield f"options: {name}", None, with_options(at, options, udp)


def with_options(at, options, body):
    head = bytearray(at.four(body)[14:])
    head[0] = 0x40 | (5 + len(options) // 4)
    head[2:4] = struct.pack("!H", len(head) + len(options))
    head[10:12] = b"\0\0"
    whole = bytes(head[:20]) + options + bytes(head[20:])
    total = sum(struct.unpack(f"!{10 + len(options) // 2}H",
                              whole[:20 + len(options)]))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return at.ether(0x0800, whole[:10] + struct.pack("!H", ~total & 0xffff)
                    + whole[12:])


def fragments(at):
    """Of both families: pieces that overlap, overflow, never end."""
    data = bytes(range(64)) * 2
    for n, (offset, more, size) in enumerate((
            (8190, 1, 64), (8191, 0, 8), (8189, 1, 1400), (1, 0, 0),
            (0, 1, 7), (0, 1, 0), (3, 1, 13))):
        label = f"offset {offset * 8}, more {more}, {size} bytes"
        fate = REFUSED if size or more else ANY
        yield label, fate, at.four(
            (data * 11)[:size], id=900 + n, frag=offset, flags=more,
            proto=17)
        yield label + ", IPv6", fate, at.six(
            scapy.IPv6ExtHdrFragment(id=900 + n, offset=offset, m=more,
                                     nh=17), (data * 11)[:size])
    for label, pieces in (
            ("overlap", ((0, 1, 64), (4, 1, 64), (12, 0, 64))),
            ("two ends", ((0, 1, 64), (8, 0, 64), (4, 0, 8))),
            ("the same twice", ((0, 1, 64), (0, 1, 64))),
            ("inside out", ((8, 0, 64), (2, 1, 8), (0, 1, 128))),
            ("a tiny head", ((0, 1, 8), (1, 1, 8)))):
        number = 950 + len(label)
        for offset, more, size in pieces:
            yield f"{label}: {offset}", ANY, at.four(
                data[:size], id=number, frag=offset, flags=more, proto=17)
            yield f"{label}: {offset}, IPv6", ANY, at.six(
                scapy.IPv6ExtHdrFragment(id=number, offset=offset, m=more,
                                         nh=17), data[:size])
    yield "a fragment of a fragment", ANY, at.six(
        scapy.IPv6ExtHdrFragment(id=5, nh=44), scapy.IPv6ExtHdrFragment(
            id=6, m=1, nh=17), data)
    for n in range(64):
        yield "never completed", ANY, at.four(data, id=2000 + n, flags=1,
                                              proto=17)


def ipv6(at):
    udp = scapy.UDP(sport=4200, dport=7) / b"variant"
    good = at.six(udp)
    for version in (0, 4, 5, 15):
        yield f"version {version}", REFUSED, patched(
            good, 14, bytes([version << 4]))
    yield "cut in the header", REFUSED, good[:53]
    for length in (16, 1000, 65535):
        yield f"length {length}", REFUSED, at.six(udp, plen=length)
    yield "length 0", REFUSED, at.six(udp, plen=0)
    jumbo = scapy.IPv6ExtHdrHopByHop(options=[
        scapy.Jumbo(jumboplen=65536)])
    yield "a jumbogram", REFUSED, at.six(jumbo, udp, plen=0)
    yield "a jumbo option with a length", ANY, at.six(jumbo, udp)
    for hops in (0, 1):
        yield f"hop limit {hops}", REFUSED, at.six(udp, hlim=hops)
    for src in ("::", "::1", "ff02::1", "2001:db8:77::1", at.gateway6):
        yield f"from {src}", REFUSED, at.six(udp, src=src)
    for address in ("::ffff:192.0.2.1", "::ffff:127.0.0.1"):
        yield f"from {address}", REFUSED, at.six(udp, src=address)
        yield f"to {address}", REFUSED, at.six(udp, dst=address)
    for dst in ("::", "ff02::fb", "ff0e::1"):
        yield f"to {dst}", REFUSED, at.six(udp, dst=dst)
    for nh in (1, 2, 4, 50, 51, 59, 89, 132, 135, 140, 253, 255):
        yield f"next header {nh}", REFUSED, at.six(bytes(16), nh=nh)
    padded = scapy.IPv6ExtHdrDestOpt(options=[PAD])
    yield "eight extensions", None, at.six(*[padded] * 8, udp)
    yield "nine extensions", REFUSED, at.six(*[padded] * 9, udp)
    yield "forty extensions", REFUSED, at.six(*[padded] * 40, udp)
    yield "hop-by-hop second", REFUSED, at.six(
        padded, scapy.IPv6ExtHdrHopByHop(options=[PAD]), udp)
    yield "hop-by-hop twice", REFUSED, at.six(
        scapy.IPv6ExtHdrHopByHop(options=[PAD]),
        scapy.IPv6ExtHdrHopByHop(options=[PAD]), udp)
    for kind in (0, 2, 3, 4, 255):
        yield f"routing header {kind}", REFUSED, at.six(
            scapy.IPv6ExtHdrRouting(type=kind, segleft=1,
                                    addresses=[at.world6]), udp)
    yield "routing header, none left", None, at.six(
        scapy.IPv6ExtHdrRouting(segleft=0, addresses=[at.world6]), udp)
    for n in (1, 40, 255):
        yield f"an extension of {n} words", REFUSED, at.six(
            struct.pack("!BB6x", 17, n), nh=60)
    yield "half an extension", REFUSED, at.six(b"\x11", nh=60)
    yield "half a fragment header", REFUSED, at.six(b"\x11\0\0\0", nh=44)
    for action in (0x3e, 0x7e, 0xbe, 0xfe):
        yield f"unknown option {action:x}", ANY, at.six(
            struct.pack("!BBBB4x", 17, 0, action, 4), bytes(udp), nh=60)
    yield "option past the end", ANY, at.six(
        struct.pack("!BBBB4x", 17, 0, 0x3e, 200), bytes(udp), nh=60)


def icmp(at):
    for kind in range(256):
        if kind not in (8,):
            yield f"type {kind}", ANY, at.four(
                scapy.ICMP(type=kind, code=kind & 7) / bytes(40))
    good = at.four(scapy.ICMP(id=77) / b"ping")
    for n in range(34, 42):
        yield f"cut at {n}", REFUSED, good[:n]
    for n in range(8):
        yield f"{n} bytes in all", REFUSED, at.four(
            b"\x08\0\xf7\xff\0\0\0\0"[:n], proto=1)
    yield "checksum", REFUSED, at.four(scapy.ICMP(chksum=1) / b"ping")
    yield "echo of code 1", ANY, at.four(scapy.ICMP(code=1) / b"ping")
    yield "an answer nobody asked for", ANY, at.four(
        scapy.ICMP(type=0, id=78) / b"pong")
    quoted = bytes(at.four(scapy.UDP(sport=1, dport=2)))[14:]
    for kind, code in ((3, 1), (3, 4), (5, 0), (11, 0), (12, 0)):
        yield f"error {kind}/{code}", ANY, at.four(
            scapy.ICMP(type=kind, code=code) / quoted)
        yield f"error {kind}/{code} of nothing", ANY, at.four(
            scapy.ICMP(type=kind, code=code))


def icmpv6(at):
    for kind in range(256):
        if not 128 <= kind <= 137:
            yield f"type {kind}", ANY, at.six(
                scapy.ICMPv6Unknown(type=kind, code=0, msgbody=bytes(40)))
    good = at.six(scapy.ICMPv6EchoRequest(id=79, data=b"ping"))
    for n in range(54, 62):
        yield f"cut at {n}", REFUSED, good[:n]
    for n in range(1, 8):
        yield f"{n} bytes in all", ANY, at.six(b"\x80" * n, nh=58)
    yield "checksum", REFUSED, at.six(
        scapy.ICMPv6EchoRequest(cksum=1, data=b"ping"))
    yield "echo of code 1", ANY, at.six(
        scapy.ICMPv6EchoRequest(code=1, data=b"ping"))
    yield "an answer nobody asked for", ANY, at.six(
        scapy.ICMPv6EchoReply(id=80, data=b"pong"))
    for error in (scapy.ICMPv6DestUnreach, scapy.ICMPv6PacketTooBig,
                  scapy.ICMPv6TimeExceeded, scapy.ICMPv6ParamProblem):
        yield f"{error.__name__} of nothing", ANY, at.six(error())
        yield f"{error.__name__}", ANY, at.six(
            error() / scapy.IPv6(bytes(good[14:])))
    yield "MLD", ANY, at.six(scapy.ICMPv6MLReport(), dst="ff02::2", hlim=1)


def ndp(at):
    own = scapy.ICMPv6NDOptSrcLLAddr(lladdr=at.mac)

    def solicit(*options, tgt=None, **kw):
        kw = {"hlim": 255, "dst": at.gateway6} | kw
        return at.six(scapy.ICMPv6ND_NS(tgt=tgt or at.gateway6), *options,
                      **kw)
    yield "a good one", None, solicit(own)
    for hops in (0, 1, 64, 254):
        yield f"hop limit {hops}", REFUSED, solicit(own, hlim=hops)
    for name, message in (
            ("solicitation", scapy.ICMPv6ND_NS(tgt=at.gateway6, code=1)),
            ("router solicitation", scapy.ICMPv6ND_RS(code=1)),
            ("advertisement", scapy.ICMPv6ND_NA(tgt=at.own6, code=1))):
        yield f"code of a {name}", REFUSED, at.six(message, hlim=255)
    yield "target of many", REFUSED, solicit(own, tgt="ff02::1")
    yield "target unspecified", None, solicit(own, tgt="::")
    yield "from nobody, with an address", ANY, solicit(
        own, src="::", dst="ff02::1:ff00:1")
    for label, option in (
            ("of length 0", b"\1\0" + bytes(6)),
            ("past the end", b"\1\xff" + bytes(6)),
            ("of two words", b"\1\2" + bytes(14)),
            ("cut", b"\1"), ("cut behind its length", b"\1\1\2")):
        yield f"option {label}", ANY, solicit(option)
    yield "unknown options", None, solicit(
        b"".join(bytes([k, 1]) + bytes(6) for k in range(100, 160)))
    for n in range(1, 24):
        yield f"{n} bytes in all", ANY, at.six(
            bytes(solicit()[54:54 + n]), nh=58, hlim=255, dst=at.gateway6)
    yield "a router's advertisement", ANY, at.six(
        scapy.ICMPv6ND_RA(routerlifetime=0), scapy.ICMPv6NDOptPrefixInfo(
            prefix="2001:db8:bad::", prefixlen=64), hlim=255, dst="ff02::1")
    yield "a redirect", ANY, at.six(
        scapy.ICMPv6ND_Redirect(tgt=at.own6, dst=at.world6), hlim=255)
    yield "an advertisement of ours", ANY, at.six(
        scapy.ICMPv6ND_NA(tgt=at.gateway6, R=1, S=1, O=1), hlim=255,
        dst="ff02::1")


def udp(at):
    def four(**kw):
        return at.four(scapy.UDP(**({"sport": 4300, "dport": 7} | kw))
                       / b"variant")

    def six(**kw):
        return at.six(scapy.UDP(**({"sport": 4300, "dport": 7} | kw))
                      / b"variant")
    for name, make in (("", four), (", IPv6", six)):
        for length in (0, 1, 7):
            yield f"length {length}{name}", REFUSED, make(len=length)
        for length in (16, 1000, 65535):
            yield f"length {length}{name}", REFUSED, make(len=length)
        yield f"checksum{name}", REFUSED, make(chksum=1)
        yield f"to port 0{name}", REFUSED, make(dport=0)
        yield f"from port 0{name}", ANY, make(sport=0)
    yield "checksum 0", None, four(chksum=0)
    yield "checksum 0, IPv6", REFUSED, six(chksum=0)
    yield "shorter than the packet", ANY, four(len=8)
    for n in range(8):
        yield f"{n} bytes in all", REFUSED, at.four(
            bytes(n), proto=17)
        yield f"{n} bytes in all, IPv6", ANY, at.six(bytes(n), nh=17)


def tcp(at):
    sport, dport, seq = at.live

    def live(**kw):
        kw = {"sport": sport, "dport": dport, "seq": seq, "ack": 1,
              "flags": "A", "window": 500} | kw
        return at.four(scapy.TCP(**kw))

    def new(port, **kw):
        kw = {"sport": port, "dport": 9, "flags": "S"} | kw
        return at.four(scapy.TCP(**kw))
    for words in range(5):
        yield f"header of {words} words", REFUSED, live(dataofs=words)
    yield "header longer than the packet", REFUSED, live(dataofs=15)
    for n in range(20):
        yield f"{n} bytes in all", REFUSED, at.four(
            bytes(scapy.TCP(sport=sport, dport=dport))[:n], proto=6)
    far = (seq + (1 << 30)) & 0xffffffff
    yield "checksum", REFUSED, live(chksum=1)
    yield "reset with a bad checksum", REFUSED, live(flags="R", chksum=1)
    for flags in ("", "A", "FPU", "FSRPAUEC", "SF", "SA", "S", "F", "R", "RA",
                  "SR", "U", "P", "E", "C"):
        yield f"flags {flags or 'none'} beyond the window", ANY, live(
            seq=far, flags=flags)
    yield "acknowledges what was not sent", ANY, live(
        seq=far, ack=far)
    yield "reserved bits", ANY, live(seq=far, reserved=7)
    for n, (label, options) in enumerate((
            ("length 0", b"\2\0\5\xb4"), ("length 1", b"\2\1\5\xb4"),
            ("past the end", b"\2\xff\5\xb4"), ("cut", b"\1\1\1\2"),
            ("MSS of 3", b"\2\3\5\1"), ("MSS of 0", b"\2\4\0\0"),
            ("MSS of 1", b"\2\4\0\1"), ("scale 15", b"\3\3\x0f\1"),
            ("scale 255", b"\3\3\xff\1"), ("scale of 4", b"\3\4\1\1"),
            ("SACK of 3", b"\4\3\1\1"), ("stamps of 8", b"\x08\x08"
             + bytes(6)), ("blocks of 9", b"\5\x09" + bytes(7) + b"\1\1\1"),
            ("unknown", b"\xfe\4zz"), ("an end first", b"\0\2\4\5"),
            ("all padding", b"\1" * 40), ("MSS ten times",
                                          b"\2\4\5\xb4" * 10))):
        segment = bytearray(bytes(scapy.TCP(
            sport=4400 + n, dport=9, flags="S", seq=1)))
        segment[12] = (5 + len(options) // 4) << 4
        yield f"options: {label}", ANY, at.four(
            mended(at, bytes(segment) + options), proto=6)
    yield "to port 0", REFUSED, new(4500, dport=0)
    yield "from port 0", REFUSED, new(0)
    for flags in ("", "FPU", "FSRPAUEC", "SF", "F", "SR", "A", "SA", "R"):
        yield f"flags {flags or 'none'} to nobody", ANY, new(
            4600, flags=flags)
    yield "data with a SYN", ANY, at.four(
        scapy.TCP(sport=4700, dport=9, flags="S") / bytes(500))
    yield "urgent beyond the data", ANY, live(seq=far, flags="UA",
                                              urgptr=65535)


def mended(at, segment):
    """A TCP segment with its checksum."""
    segment = segment[:16] + b"\0\0" + segment[18:]
    total = scapy.in4_chksum(6, scapy.IP(src=at.own4, dst=at.world4),
                             segment)
    return segment[:16] + struct.pack("!H", total) + segment[18:]


def dhcpv4(at):
    def message(options, dst="255.255.255.255", **kw):
        kw = {"chaddr": bytes.fromhex(at.mac.replace(":", "")),
              "xid": 7} | kw
        raw = bytes(scapy.BOOTP(**kw))
        return raw[:236] + b"\x63\x82\x53\x63" + options

    def send(payload, src="0.0.0.0"):
        return at.ether(0x0800, scapy.IP(src=src, dst="255.255.255.255")
                        / scapy.UDP(sport=68, dport=67) / payload)
    discover, end = b"\x35\1\1", b"\xff"
    good = message(discover + end)
    yield "a good one", None, send(good)
    for value in (0, 3, 255):
        yield f"op {value}", REFUSED, send(patched(good, 0, bytes([value])))
    yield "a reply", REFUSED, send(patched(good, 0, b"\2"))
    for value in (0, 6, 255):
        yield f"hardware {value}", REFUSED, send(
            patched(good, 1, bytes([value])))
    for value in (0, 5, 7, 16, 255):
        yield f"hardware length {value}", REFUSED, send(
            patched(good, 2, bytes([value])))
    yield "cookie", REFUSED, send(patched(good, 239, b"\x64"))
    for n in (0, 1, 43, 44, 235, 236, 239, 240, 241, 242):
        yield f"cut at {n}", REFUSED, send(good[:n])
    for kind in (0, 9, 13, 255):
        yield f"type {kind}", REFUSED, send(
            message(b"\x35\1" + bytes([kind]) + end))
    yield "no type", REFUSED, send(message(end))
    yield "no end", REFUSED, send(message(discover))
    yield "type of two bytes", REFUSED, send(message(b"\x35\2\1\1" + end))
    for label, options, why in (
            ("past the end", b"\x3d\xff\1\2", REFUSED),
            ("address of 3", b"\x32\3\1\2\3" + end, REFUSED),
            ("server of 5", b"\x36\5" + bytes(5) + end, REFUSED),
            ("size of 1", b"\x39\1\2" + end, REFUSED),
            ("size 0", b"\x39\2\0\0" + end, ANY),
            ("size 65535", b"\x39\2\xff\xff" + end, None),
            ("id of 1", b"\x3d\1\1" + end, REFUSED),
            ("all parameters", b"\x37\xff" + bytes(range(1, 256)) + end,
             None),
            ("overload of 9", b"\x34\1\x09" + end, ANY),
            ("overload", b"\x34\1\3" + end, ANY),
            ("300 pads", bytes(300) + end, None),
            ("agent", b"\x52\4\1\2ab" + end, None)):
        yield f"option {label}", why, send(message(discover + options))
    yield "through a relay", None, send(message(discover + end,
                                                giaddr="198.18.0.9"))
    for kind in (2, 4, 5, 6, 7):
        yield f"what a server says or none answers: {kind}", None, send(
            message(b"\x35\1" + bytes([kind]) + end))
    yield "two types", ANY, send(message(discover + b"\x35\1\3" + end))


def dhcpv6(at):
    def send(payload):
        return at.ether(0x86dd, scapy.IPv6(
            src=link_local(at.mac), dst="ff02::1:2", hlim=1)
            / scapy.UDP(sport=546, dport=547) / payload,
            dst="33:33:00:01:00:02")
    ident = b"\0\1\0\x0a\0\3\0\1" + bytes.fromhex(at.mac.replace(":", ""))
    ia = struct.pack("!HHIII", 3, 12, 1, 0, 0)
    good = b"\1\0\0\7" + ident + ia
    yield "a good one", None, send(good)
    for kind in (0, 2, 7, 9, 10, 12, 13, 14, 36, 255):
        yield f"type {kind}", ANY, send(bytes([kind]) + good[1:])
    for n in range(len(good)):
        yield f"cut at {n}", ANY, send(good[:n])
    for label, option in (
            ("past the end", b"\0\3\xff\xff\0\0"),
            ("IA of 11", struct.pack("!HH11x", 3, 11)),
            ("IA in an IA", struct.pack("!HHIII", 3, 28, 1, 0, 0) + ia),
            ("address cut", struct.pack("!HHIIIHH", 3, 16, 1, 0, 0, 5, 24)),
            ("id of nothing", b"\0\1\0\0"),
            ("id of 200", b"\0\1\0\xc8" + bytes(200)),
            ("another id", ident), ("odd request", b"\0\6\0\3\0\x17\0"),
            ("many requests", b"\0\6\2\0" + bytes(512)),
            ("server's own", b"\0\2\0\4\0\3\0\1"),
            ("60 IAs", ia * 60)):
        yield f"option {label}", ANY, send(good + option)
    yield "a relay's", ANY, send(bytes([12, 0]) + bytes(32) + good)
    yield "relays in relays", ANY, send(
        (bytes([12, 0]) + bytes(32) + b"\0\x09\0\x26") * 20 + good)


def link_local(mac):
    return "fe80::" + scapy.in6_mactoifaceid(mac).lower()


def dns_questions(at):
    """The messages, for UDP and for TCP."""
    def head(flags=0x0100, counts=(1, 0, 0, 0), number=7):
        return struct.pack("!6H", number, flags, *counts)
    tail = b"\0\1\0\1"
    name = b"\3web\4test\0"
    good = head() + name + tail
    yield "a good one", good
    for n in range(len(good)):
        yield f"cut at {n}", good[:n]
    for count in (0, 2, 255, 65535):
        yield f"{count} questions", head(counts=(count, 0, 0, 0)) + name + tail
        yield f"{count} answers", head(counts=(1, count, 0, 0)) + name + tail
        yield f"{count} more", head(counts=(1, 0, 0, count)) + name + tail
    for opcode in range(1, 16):
        yield f"opcode {opcode}", head(opcode << 11) + name + tail
    yield "a response", head(0x8180) + name + tail
    yield "all flags", head(0xffff) + name + tail
    for label, wrong in (
            ("a loop", b"\xc0\x0c"), ("a loop of two", b"\xc0\x0e\xc0\x0c"),
            ("a pointer ahead", b"\xc0\x20"), ("past the end", b"\xff\xff"),
            ("half a pointer", b"\xc0"), ("label of 64", b"\x40" + b"a" * 64
             + b"\0"), ("label of 128", b"\x80" + b"a" * 128 + b"\0"),
            ("no end", b"\3web\4test"), ("256 bytes", (b"\x3f" + b"a" * 63)
             * 4 + b"\0"), ("127 labels", b"\1a" * 127 + b"\0"),
            ("128 labels", b"\1a" * 128 + b"\0"), ("the root", b"\0"),
            ("zeros in a label", b"\4\0\0\0\0\0"),
            ("a dot in a label", b"\x08web.test\0"),
            ("bytes over 127", b"\4\xff\xfe\xfd\xfc\0")):
        yield f"name: {label}", head() + wrong + tail
    for label, opt in (
            ("root cut", b""), ("cut", b"\0\0\x29"),
            ("version 1", b"\0\0\x29\4\xd0\0\1\0\0\0\0"),
            ("size 0", b"\0\0\x29\0\0\0\0\0\0\0\0"),
            ("past the end", b"\0\0\x29\4\xd0\0\0\0\0\xff\xff"),
            ("with a name", b"\1a\0\0\x29\4\xd0\0\0\0\0\0\0"),
            ("option past the end", b"\0\0\x29\4\xd0\0\0\0\0\0\4\0\x0a"
             b"\xff\xff")):
        yield f"EDNS {label}", head(counts=(1, 0, 0, 1)) + name + tail + opt
    opt = b"\0\0\x29\4\xd0\0\0\0\0\0\0"
    yield "EDNS twice", head(counts=(1, 0, 0, 2)) + name + tail + opt * 2
    for qtype in (0, 41, 249, 250, 251, 252, 254, 255, 65535):
        yield f"type {qtype}", head() + name + struct.pack("!HH", qtype, 1)
    for qclass in (0, 3, 254, 255, 65535):
        yield f"class {qclass}", head() + name + struct.pack("!HH", 1, qclass)
    yield "much behind it", good + bytes(1200)


def dns(at):
    for label, message in dns_questions(at):
        yield label, ANY, at.four(
            scapy.UDP(sport=4800, dport=53) / message, dst=at.gateway4)
        yield label + ", IPv6", ANY, at.six(
            scapy.UDP(sport=4800, dport=53), message, dst=at.gateway6)


TABLES = [ethernet, arp, ipv4, fragments, ipv6, icmp, icmpv6, ndp, udp, tcp,
          dhcpv4, dhcpv6, dns]
