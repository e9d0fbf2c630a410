/* SPDX-License-Identifier: MIT */
/*
 * test/unit/network_frames.c - what becomes of a guest's frame.
 *
 * A whole network over a host where everything works (test/fake/).
 */
#include "network/network.h"

#include <stdlib.h>
#include <string.h>

#include "base/csum.h"
#include "rig.h"
#include "test.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/ndp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define BYTES(s) .l4 = (s), .len = sizeof(s) - 1
#define NOW	RIG_START_NS
#define SILENCE	0xff

static void send_frame(struct rig *r, const uint8_t *buf, size_t len,
		       bool vouched)
{
	const struct frame_meta meta = { .csum_valid = vouched };

	network_frame(r->net, 0, &meta, buf, len, NOW);
	network_turn_end(r->net, NOW);
	network_check(r->net);
}

static uint64_t drops(const struct rig *r, enum drop drop)
{
	struct network_stats st;

	network_get_stats(r->net, &st);
	return st.drops[drop];
}

/* The first byte of what follows the IP header of the last frame. */
static uint8_t answer(const struct fake *f)
{
	struct rd r = rd(f->frame, f->frame_len);
	struct ip_packet ip;
	struct eth e;

	if (!f->frames || eth_parse(&r, &e) != DROP_OK ||
	    ip_parse_packet(r, e.type == ETH_IPV6, &ip) != DROP_OK ||
	    !ip.payload.len)
		return SILENCE;
	return ip.payload.p[0];
}

/* An unknown protocol in IPv6: the problem is where the header says so. */
static void check_parameter(void)
{
	/* Destination options, then SCTP, which their first byte says. */
	static const char extension[] = "\x84\0\x01\x04\0\0\0\0" "01234567";
	static const uint8_t protos[2] = { 132, 60 }, at[2] = { 6, 40 };

	for (unsigned i = 0; i < 2; i++) {
		const struct network_setup setup = fake_setup();
		const struct eth eth = { .dst = setup.gateway_mac,
					 .src = setup.guest_mac,
					 .type = ETH_IPV6 };
		struct ip_packet ip = { .src = setup.guest6, .ttl = 64,
					.proto = protos[i] };
		struct rig r = rig_start(&setup);
		uint8_t buf[100];
		struct wr w = wr(buf, sizeof(buf));

		CHECK("address", ip_parse("2001::1", &ip.dst));
		eth_emit(&w, &eth);
		ip_emit(&w, &ip, sizeof(extension) - 1);
		wr_bytes(&w, extension, sizeof(extension) - 1);
		send_frame(&r, buf, (size_t)(w.p - buf), true);
		CHECK("problem", answer(r.fake) == 4);
		CHECK("place", r.fake->frame[ETH_HEADER_BYTES +
					     IPV6_HEADER_BYTES + 7] == at[i]);
		rig_end(&r, "parameter problem");
	}
}

/* ---- IP ---- */

#define ECHO4	"\x08\0..\0\x01\0\x02" "abc"
#define ECHO6	"\x80\0..\0\x01\0\x02" "abc"
#define UDP7	"\x04\xd2\0\x07\0\x0b\x12\x34" "abc"
#define TEN	"0123456789"
#define HUNDRED	TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
	const char *name, *src, *dst;	/* NULL src: the guest */
	uint8_t proto;
	const char *l4;
	size_t len;
	uint8_t ttl;			/* 0: 64 */
	enum drop want;
	uint8_t answer;			/* ICMP type, or SILENCE */
	bool no_access, forged;		/* checksum not vouched for */
} packets[] = {
	{ "ping the gateway", NULL, "172.20.0.1", PROTO_ICMP, BYTES(ECHO4),
	  .answer = 0 },
	{ "and with a TTL of 1", NULL, "172.20.0.1", PROTO_ICMP,
	  BYTES(ECHO4), 1, .answer = 0 },
	{ "ping the gateway 6", NULL, "fd01::1", PROTO_ICMP6, BYTES(ECHO6),
	  .answer = 129 },
	{ "ping its link-local address", "fe80::2", "fe80::ff:fe00:1",
	  PROTO_ICMP6, BYTES(ECHO6), .answer = 129 },
	{ "the same from elsewhere", NULL, "fe80::ff:fe00:1", PROTO_ICMP6,
	  BYTES(ECHO6), .answer = 129 },
	{ "ping all routers", "fe80::2", "ff02::2", PROTO_ICMP6, BYTES(ECHO6),
	  .answer = 129 },
	{ "ping all nodes", NULL, "ff02::1", PROTO_ICMP6, BYTES(ECHO6),
	  .answer = 129 },
	{ "ping another link-local address", "fe80::2", "fe80::3",
	  PROTO_ICMP6, BYTES(ECHO6), 0, DROP_SOURCE, SILENCE },
	{ "ping the gateway from there", "fe80::2", "fd01::1", PROTO_ICMP6,
	  BYTES(ECHO6), 0, DROP_SOURCE, SILENCE },
	{ "a stranger pings its link-local address", "2001::9",
	  "fe80::ff:fe00:1", PROTO_ICMP6, BYTES(ECHO6), 0, DROP_SOURCE,
	  SILENCE },
	{ "ping another group", NULL, "ff02::3", PROTO_ICMP6, BYTES(ECHO6),
	  0, DROP_DEST, SILENCE },
	{ "join a group", "fe80::2", "ff02::16", PROTO_ICMP6,
	  BYTES("\x8f\0..\0\0\0\0"), .answer = SILENCE },
	{ "the same before there is an address", "::", "ff02::16",
	  PROTO_ICMP6, BYTES("\x8f\0..\0\0\0\0"), .answer = SILENCE },
	{ "a reply to it", "fe80::2", "fe80::ff:fe00:1", PROTO_ICMP6,
	  BYTES("\x81\0..\0\x01\0\x02"), .answer = SILENCE },
	{ "more than ping", "fe80::2", "fe80::ff:fe00:1", PROTO_UDP,
	  BYTES(UDP7), 0, DROP_POLICY, 1 },
	{ "more than ping, to all", "fe80::2", "ff02::1", PROTO_UDP,
	  BYTES(UDP7), 0, DROP_POLICY, SILENCE },
	{ "a wrong checksum on the link", "fe80::2", "ff02::2", PROTO_ICMP6,
	  BYTES(ECHO6), 0, DROP_CHECKSUM, SILENCE, .forged = true },
	{ "an echo reply", NULL, "172.20.0.1", PROTO_ICMP,
	  BYTES("\0\0..\0\x01\0\x02"), .answer = SILENCE },
	{ "a redirect", NULL, "172.20.0.1", PROTO_ICMP,
	  BYTES("\x05\0..\0\x01\0\x02"), 0, DROP_NOTOURS, SILENCE },
	{ "wrong checksum", NULL, "172.20.0.1", PROTO_ICMP, BYTES(ECHO4), 0,
	  DROP_CHECKSUM, SILENCE, .forged = true },
	{ "wrong checksum 6", NULL, "fd01::1", PROTO_ICMP6, BYTES(ECHO6), 0,
	  DROP_CHECKSUM, SILENCE, .forged = true },
	{ "wrong checksum, UDP", NULL, "192.0.2.1", PROTO_UDP, BYTES(UDP7),
	  0, DROP_CHECKSUM, SILENCE, .forged = true },
	{ "wrong checksum, TCP", NULL, "192.0.2.1", PROTO_TCP,
	  BYTES(TEN TEN), 0, DROP_CHECKSUM, SILENCE, .forged = true },
	{ "no checksum in IPv6", NULL, "2001::1", PROTO_UDP,
	  BYTES("\x04\xd2\0\x07\0\x08\0\0"), 0, DROP_CHECKSUM, SILENCE },
	{ "no checksum in IPv4", NULL, "192.0.2.1", PROTO_UDP,
	  BYTES("\x04\xd2\0\x07\0\x08\0\0"), .answer = SILENCE },
	{ "to port 0", NULL, "192.0.2.1", PROTO_UDP,
	  BYTES("\x04\xd2\0\0\0\x08\x12\x34"), 0, DROP_VALUE, SILENCE },
	{ "UDP that is cut", NULL, "192.0.2.1", PROTO_UDP, BYTES("\x04\xd2"),
	  0, DROP_SHORT, SILENCE },
	{ "TCP that is cut", NULL, "192.0.2.1", PROTO_TCP, BYTES("\x04\xd2"),
	  0, DROP_SHORT, SILENCE },
	{ "on its last hop", NULL, "192.0.2.1", PROTO_UDP, BYTES(UDP7), 1,
	  DROP_DEST, 11 },
	{ "on its last hop 6", NULL, "2001::1", PROTO_UDP, BYTES(UDP7), 1,
	  DROP_DEST, 3 },
	{ "to loopback", NULL, "127.0.0.1", PROTO_UDP, BYTES(UDP7), 0,
	  DROP_POLICY, 3 },
	{ "to loopback 6", NULL, "::1", PROTO_ICMP6, BYTES(ECHO6), 0,
	  DROP_POLICY, 1 },
	{ "to the host, not allowed", NULL, "172.20.0.1", PROTO_UDP,
	  BYTES(UDP7), 0, DROP_POLICY, 3, .no_access = true },
	{ "to the host", NULL, "172.20.0.1", PROTO_UDP, BYTES(UDP7),
	  .answer = SILENCE },
	{ "to a group", NULL, "224.0.0.251", PROTO_UDP, BYTES(UDP7), 0,
	  DROP_DEST, SILENCE },
	{ "from another", "172.20.0.9", "192.0.2.1", PROTO_UDP, BYTES(UDP7),
	  0, DROP_SOURCE, SILENCE },
	{ "unknown protocol", NULL, "192.0.2.1", 132, BYTES(TEN), 0,
	  DROP_PROTO, 3 },
	{ "unknown protocol 6", NULL, "2001::1", 132, BYTES(TEN), 0,
	  DROP_PROTO, 4 },
	{ "unknown protocol to a group", NULL, "224.0.0.1", 132, BYTES(TEN),
	  0, DROP_PROTO, SILENCE },
	{ "ICMP in IPv6", NULL, "2001::1", PROTO_ICMP, BYTES(ECHO4), 0,
	  DROP_PROTO, 4 },
	{ "ICMPv6 in IPv4", NULL, "192.0.2.1", PROTO_ICMP6, BYTES(ECHO6), 0,
	  DROP_PROTO, 3 },
	/* The error, too, has to fit the link (fake.c looks). */
	{ "a long packet, a small MTU", NULL, "192.0.2.1", 132,
	  BYTES(HUNDRED), 0, DROP_PROTO, 3, 68 },
};

static void check_packet(size_t i)
{
	const char *name = packets[i].name;
	struct network_setup setup = fake_setup();
	struct ip_packet ip = { .proto = packets[i].proto,
				.ttl = packets[i].ttl ? packets[i].ttl : 64 };
	struct eth eth = { .dst = setup.gateway_mac, .src = setup.guest_mac };
	uint8_t buf[300];
	struct wr w = wr(buf, sizeof(buf));
	struct rig r;

	setup.host_access = !packets[i].no_access;
	r = rig_start(&setup);
	CHECK(name, ip_parse(packets[i].dst, &ip.dst));
	ip.src = ip_is4(&ip.dst) ? setup.guest4 : setup.guest6;
	if (packets[i].src)
		CHECK(name, ip_parse(packets[i].src, &ip.src));
	eth.type = ip_is4(&ip.dst) ? ETH_IPV4 : ETH_IPV6;
	eth_emit(&w, &eth);
	ip_emit(&w, &ip, packets[i].len);
	wr_bytes(&w, packets[i].l4, packets[i].len);
	send_frame(&r, buf, (size_t)(w.p - buf), !packets[i].forged);
	CHECK(name, drops(&r, packets[i].want) > 0);
	CHECK(name, answer(r.fake) == packets[i].answer);
	rig_end(&r, name);
}

/* An answer of the host's over UDP; len bytes of data. */
static void check_answer(const char *name, bool v6, size_t len,
			 uint64_t frames, uint64_t dropped)
{
	const struct network_setup setup = fake_setup();
	struct rig r = rig_start(&setup);
	const struct eth eth = { .dst = setup.gateway_mac,
				 .src = setup.guest_mac,
				 .type = v6 ? ETH_IPV6 : ETH_IPV4 };
	const struct ip_packet ip = {
		.src = v6 ? setup.guest6 : setup.guest4, .ttl = 64,
		.dst = v6 ? setup.gateway6 : setup.gateway4,
		.proto = PROTO_UDP,
	};
	uint8_t buf[100];
	struct wr w = wr(buf, sizeof(buf));

	eth_emit(&w, &eth);
	ip_emit(&w, &ip, sizeof(UDP7) - 1);
	wr_bytes(&w, UDP7, sizeof(UDP7) - 1);
	send_frame(&r, buf, (size_t)(w.p - buf), true);
	fake_say(r.fake, 0, FAKE_BYTES, rd("", 0), len);
	network_sock_event(r.net, r.fake->sock[0].owner, ENV_READABLE, NOW);
	CHECK(name, r.fake->frames == frames);
	CHECK(name, drops(&r, DROP_FRAGMENT) == dropped);
	rig_end(&r, name);
}

/* ---- below IP ---- */

#define US	"\x02\0\0\0\0\x01"
#define GUEST	"\x02\0\0\0\0\x02"
#define ALL	"\xff\xff\xff\xff\xff\xff"
#define WHO_HAS	"\0\x01\x08\0\x06\x04\0\x01" GUEST
#define NOBODY	"\0\0\0\0\0\0"

static const struct {
	const char *name;
	const char *l4;			/* the frame */
	size_t len;
	enum drop want;
	bool answered, no_v6;
} frames[] = {
	{ "who has the gateway", BYTES(ALL GUEST "\x08\x06" WHO_HAS
	  "\xac\x14\0\x02" NOBODY "\xac\x14\0\x01"), .answered = true },
	{ "who has a neighbour", BYTES(ALL GUEST "\x08\x06" WHO_HAS
	  "\xac\x14\0\x02" NOBODY "\xac\x14\0\x09"), .answered = true },
	{ "who has the guest", BYTES(ALL GUEST "\x08\x06" WHO_HAS
	  "\xac\x14\0\x02" NOBODY "\xac\x14\0\x02") },
	{ "who has somebody elsewhere", BYTES(ALL GUEST "\x08\x06" WHO_HAS
	  "\xac\x14\0\x02" NOBODY "\xc0\0\x02\x01") },
	{ "probe of a neighbour", BYTES(ALL GUEST "\x08\x06" WHO_HAS
	  "\0\0\0\0" NOBODY "\xac\x14\0\x09") },
	{ "announcement", BYTES(ALL GUEST "\x08\x06" WHO_HAS
	  "\xac\x14\0\x09" NOBODY "\xac\x14\0\x09") },
	{ "probe of the gateway", BYTES(ALL GUEST "\x08\x06" WHO_HAS
	  "\0\0\0\0" NOBODY "\xac\x14\0\x01"), .answered = true },
	{ "ARP that is cut", BYTES(ALL GUEST "\x08\x06" WHO_HAS),
	  DROP_SHORT },
	{ "frame that is cut", BYTES(ALL GUEST), DROP_SHORT },
	{ "from a group", BYTES(US "\x03\0\0\0\0\x02" "\x08\0"),
	  DROP_SOURCE },
	{ "to another station", BYTES("\x02\0\0\0\0\x07" GUEST "\x08\0"),
	  DROP_NOTFORUS },
	{ "VLAN", BYTES(US GUEST "\x81\0" "\0\x01\x08\0"), DROP_ETHERTYPE },
	{ "empty packet", BYTES(US GUEST "\x08\0"), DROP_SHORT },
	{ "IPv6 that is off", BYTES(US GUEST "\x86\xdd" "\x60\0\0\0\0\x01"
	  "\x3b\x40" "\xfd\x01" TEN "0123" "\xfd\x01" TEN "0123" "x"),
	  DROP_ETHERTYPE, .no_v6 = true },
	{ "a stranger's fragment", BYTES(US GUEST "\x86\xdd" "\x60\0\0\0\0\x09"
	  "\x2c\x40" "\xfd\x01" TEN "0123" "\xfd\x01" TEN "0123"
	  "\x11\0\0\x01\0\0\0\x01x"), DROP_SOURCE },
};

static void check_frame(size_t i)
{
	struct network_setup setup = fake_setup();
	struct rig r;

	setup.v6 = !frames[i].no_v6;
	r = rig_start(&setup);
	send_frame(&r, (const uint8_t *)frames[i].l4, frames[i].len, true);
	CHECK(frames[i].name, drops(&r, frames[i].want) == 1);
	CHECK(frames[i].name, (r.fake->frames == 1) == frames[i].answered);
	rig_end(&r, frames[i].name);
}

static const struct {
	const char *name, *src, *target;
	bool mac;
	uint8_t flags;		/* router, solicited, override; 0: no answer */
} solicits[] = {
	{ "the gateway", "fd01::2", "fd01::1", true, 0xe0 },
	{ "the gateway, asked without MAC", "fd01::2", "fd01::1", false,
	  0xe0 },
	{ "its link-local address", "fe80::9", "fe80::ff:fe00:1", true,
	  0xe0 },
	{ "a neighbour", "fd01::2", "fd01::9", true, 0x60 },
	{ "the guest", "fd01::2", "fd01::2", true, 0 },
	{ "elsewhere", "fd01::2", "2001::9", true, 0 },
	{ "probe of the gateway", "::", "fd01::1", false, 0xa0 },
	{ "probe of a neighbour", "::", "fd01::9", false, 0 },
};

/* An advert is all that wire/ emits; turn it into a solicitation. */
static size_t put_solicit(size_t i, uint8_t *buf, size_t cap,
			  const struct network_setup *s)
{
	const struct eth eth = { .dst = { { 0x33, 0x33, 0, 0, 0, 1 } },
				 .src = s->guest_mac, .type = ETH_IPV6 };
	struct ip_packet ip = { .proto = PROTO_ICMP6, .ttl = 255,
				.dst.b = { 0xff, 2, [15] = 1 } };
	const size_t len = solicits[i].mac ? 32 : 24;
	struct wr w = wr(buf, cap);
	struct ndp n = { .mac = s->guest_mac };
	uint8_t body[32];
	struct wr b = wr(body, sizeof(body));
	uint16_t sum;

	CHECK("source", ip_parse(solicits[i].src, &ip.src));
	CHECK("target", ip_parse(solicits[i].target, &n.target));
	ndp_emit_advert(&b, &ip.src, &ip.dst, &n);
	body[0] = NDP_NEIGHBOR_SOLICIT;
	body[24] = 1;
	body[2] = body[3] = 0;
	sum = csum_finish(csum_add(csum_pseudo(0, &ip.src, &ip.dst,
					       PROTO_ICMP6, (uint32_t)len),
				   body, len));
	body[2] = (uint8_t)(sum >> 8);
	body[3] = (uint8_t)sum;
	eth_emit(&w, &eth);
	ip_emit(&w, &ip, len);
	wr_bytes(&w, body, len);
	CHECK("room", !w.bad);
	return (size_t)(w.p - buf);
}

static void check_solicit(size_t i)
{
	const struct network_setup setup = fake_setup();
	struct rig r = rig_start(&setup);
	uint8_t buf[128];
	const size_t len = put_solicit(i, buf, sizeof(buf), &setup);

	send_frame(&r, buf, len, false);
	CHECK(solicits[i].name, drops(&r, DROP_OK) == 1);
	CHECK(solicits[i].name,
	      (answer(r.fake) == NDP_NEIGHBOR_ADVERT) ==
	      !!solicits[i].flags);
	CHECK(solicits[i].name, !solicits[i].flags ||
	      r.fake->frame[ETH_HEADER_BYTES + IPV6_HEADER_BYTES + 4] ==
	      solicits[i].flags);
	rig_end(&r, solicits[i].name);
}

/* ---- TCP ---- */

static void send_tcp(struct rig *r, uint8_t flags, uint32_t seq, uint32_t ack,
		     size_t len)
{
	const struct network_setup *s = &r->fake->setup;
	const struct eth eth = { .dst = s->gateway_mac, .src = s->guest_mac,
				 .type = ETH_IPV4 };
	const struct ip_packet ip = { .src = s->guest4, .ttl = 64,
		.dst = ip_from_v4(0xc0000201), .proto = PROTO_TCP };
	const struct tcp_segment seg = {
		.src_port = FAKE_PORT, .dst_port = 80, .flags = flags,
		.seq = seq, .ack = ack, .window = 65535,
		.wscale = TCP_NO_WSCALE, .sack_ok = flags == TCP_SYN,
	};
	uint8_t buf[2000];
	struct wr w = wr(buf, sizeof(buf));

	eth_emit(&w, &eth);
	ip_emit(&w, &ip, tcp_header_bytes(&seg) + len);
	tcp_emit(&w, &seg, 0);
	wr_zero(&w, len);
	send_frame(r, buf, (size_t)(w.p - buf), true);
}

/* A guest that sends on behind its FIN, and sent there before it. */
static void check_data_behind_fin(void)
{
	const struct network_setup setup = fake_setup();
	struct rig r = rig_start(&setup);
	const struct fake_peer *peer = &r.fake->peer[0][0];

	send_tcp(&r, TCP_SYN, 100, 0, 0);
	network_sock_event(r.net, r.fake->sock[0].owner, ENV_WRITABLE, NOW);
	send_tcp(&r, TCP_ACK, 101, peer->end, 0);
	send_tcp(&r, TCP_ACK, 102, peer->end, 2);	/* a gap before */
	send_tcp(&r, TCP_ACK, 110, peer->end, 5);
	CHECK("not in order", peer->ack == 101);
	send_tcp(&r, TCP_ACK | TCP_FIN, 103, peer->end, 0);
	CHECK("a gap before the FIN", peer->ack == 101);
	send_tcp(&r, TCP_ACK, 101, peer->end, 20);
	CHECK("all up to the FIN, and it", peer->ack == 104);
	CHECK("no more than that for the host", r.fake->sock[0].sent_len == 2);
	rig_end(&r, "data behind a FIN");
}

/* The least MTU leaves room for 28 bytes of data beside the headers. */
static void check_least_mtu(void)
{
	struct network_setup setup = fake_setup();
	const struct fake_peer *peer;
	struct rig r;
	uint32_t iss;

	setup.mtu = 68;
	r = rig_start(&setup);
	peer = &r.fake->peer[0][0];
	send_tcp(&r, TCP_SYN, 100, 0, 0);
	network_sock_event(r.net, r.fake->sock[0].owner, ENV_WRITABLE, NOW);
	iss = peer->end;
	send_tcp(&r, TCP_ACK, 101, iss, 0);
	fake_say(r.fake, 0, FAKE_BYTES, rd("", 0), 1000);
	network_sock_event(r.net, r.fake->sock[0].owner, ENV_READABLE, NOW);
	CHECK("all was sent", peer->end == iss + 1000);
	/* Four gaps: as many SACK blocks would not fit. */
	for (uint32_t i = 0; i < 4; i++)
		send_tcp(&r, TCP_ACK, 201 + 100 * i, peer->end, 10);
	CHECK("an ACK with three blocks", r.fake->frame_len == ETH_HEADER_BYTES +
	      IPV4_HEADER_BYTES + TCP_HEADER_BYTES + 4 + 3 * 8);
	rig_end(&r, "MTU of 68");
}

void test_network_frames(void);
void test_network_frames(void)
{
	check_parameter();
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++)
		check_packet(i);
	check_answer("empty", false, 0, 1, 0);
	check_answer("all that fits", false, 1472, 1, 0);
	check_answer("two fragments", false, 1473, 2, 0);
	check_answer("three fragments", false, 2953, 3, 0);
	check_answer("all that fits 6", true, 1452, 1, 0);
	check_answer("two fragments 6", true, 1453, 2, 0);
	check_answer("three fragments 6", true, 2889, 3, 0);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		check_frame(i);
	for (size_t i = 0; i < sizeof(solicits) / sizeof(solicits[0]); i++)
		check_solicit(i);
	check_data_behind_fin();
	check_least_mtu();
}
