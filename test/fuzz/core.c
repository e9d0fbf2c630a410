/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/core.c - a guest and a host that do anything, and the whole core
 *
 * The input is two bytes of setup, then a sequence of [op, len, bytes].
 * A turn of the loop ends after each op, but for one with MORE in it. Ops
 * that make packets know where the gateway stands (test/fake/), so that a
 * few bytes lead deep; FRAME gives the guest's bytes as they are.
 *
 * fuzz_town() has several guests, each on a link of its own: two bits of op say
 * which of them speaks, and OP_GUEST lets them come and go.
 *
 * After each turn every invariant holds and what the guest got is well
 * formed; at the end no socket and no memory is left.
 */
#include <string.h>
#include <sys/mman.h>

#include "base/csum.h"
#include "base/rd.h"
#include "fake/fake.h"
#include "fake/rules.h"
#include "fuzz/fuzz.h"
#include "network/state.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define MORE		0x80	/* in op: the turn goes on */
#define OPS_MAX		600
#define ARENA_BYTES	(4u << 20)	/* more than any network here wants */
#define SEED		UINT64_C(88172645463325252)

enum op {
	OP_FRAME,		/* meta, mend, frame */
	OP_TCP, OP_UDP, OP_ECHO,
	OP_EVENT,		/* socket, events */
	OP_TIME,		/* exponent, or to the next timer */
	OP_HOST,		/* what the host's next calls come to */
	OP_SAY, OP_MIRROR, OP_ERROR,	/* socket, zeros / 16, bytes: see
					   fake_say() */
	OP_RESOLVERS,		/* number; from 128 on see op_firewall() */
	OP_MAX,
	OP_GUEST = OP_MAX,	/* of a town: which, and what becomes of it */
	OP_TOWN_MAX,
};

enum { MEND_MACS = 1, MEND_IP = 2, MEND_SOURCE = 4, MEND_SUM = 8 };

struct run {
	struct fake *fake;
	struct network *net;
	uint64_t now;
	unsigned guest;			/* who speaks */
	unsigned guests;		/* of a town, as many as there may be */
};

/* Guest i has the i-th address and MAC after the first one's. */
static void of_guest(uint8_t *last, unsigned i)
{
	*last = (uint8_t)(*last + i);
}

/* The setup as if whoever speaks were the first. */
static struct network_setup speakers(const struct run *c)
{
	struct network_setup s = c->fake->setup;

	of_guest(&s.guest_mac.b[5], c->guest);
	of_guest(&s.guest4.b[15], c->guest);
	of_guest(&s.guest6.b[15], c->guest);
	return s;
}

static void deliver(struct run *c, const struct frame_meta *meta,
		    const uint8_t *buf, size_t len)
{
	uint8_t *exact = malloc(len + !len);

	if (!exact)
		abort();
	memcpy(exact, buf, len);
	network_frame(c->net, c->guest, meta, exact, len, c->now);
	free(exact);
}

/* ---- frames as they come ---- */

static void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Length, and for IPv4 its checksum, of the packet at p. */
static void mend_ip(uint8_t *p, size_t len, bool v6)
{
	const size_t header = (size_t)(p[0] & 15) * 4;

	if (v6) {
		put_be16(p + 4, (uint16_t)(len - IPV6_HEADER_BYTES));
		return;
	}
	put_be16(p + 2, (uint16_t)len);
	if (header > len || header < IPV4_HEADER_BYTES)
		return;
	put_be16(p + 10, 0);
	put_be16(p + 10, csum_finish(csum_add(0, p, header)));
}

static void mend_sum(uint8_t *p, size_t len, bool v6)
{
	struct ip_packet ip;
	size_t at;
	uint8_t *l4;
	csum_t sum;

	if (ip_parse_packet(rd(p, len), v6, &ip) != DROP_OK)
		return;
	l4 = p + (ip.payload.p - p);
	at = ip.proto == PROTO_TCP ? TCP_CSUM_OFFSET :
	     ip.proto == PROTO_UDP ? UDP_CSUM_OFFSET : 2;
	if (ip.payload.len < at + 2)
		return;
	put_be16(l4 + at, 0);
	sum = ip.proto == PROTO_ICMP ? 0 :
	      csum_pseudo(0, &ip.src, &ip.dst, ip.proto,
			  (uint32_t)ip.payload.len);
	put_be16(l4 + at, csum_finish(csum_add(sum, l4, ip.payload.len)));
}

static void mend(const struct run *c, uint8_t *buf, size_t len, uint8_t how)
{
	const struct network_setup s = speakers(c);
	uint8_t *p = buf + ETH_HEADER_BYTES;
	bool v6;

	if (len < ETH_HEADER_BYTES + IPV6_HEADER_BYTES)
		return;
	len -= ETH_HEADER_BYTES;
	v6 = buf[12] == 0x86;
	if (how & MEND_MACS) {
		memcpy(buf, s.gateway_mac.b, 6);
		memcpy(buf + 6, s.guest_mac.b, 6);
	}
	if (buf[12] == 8 && buf[13] == 6)
		return;			/* ARP needs no more */
	if (how & MEND_SOURCE) {
		if (v6)
			memcpy(p + 8, s.guest6.b, 16);
		else
			memcpy(p + 12, s.guest4.b + 12, 4);
	}
	if (how & MEND_IP)
		mend_ip(p, len, v6);
	if (how & MEND_SUM)
		mend_sum(p, len, v6);
}

static void op_frame(struct run *c, struct rd r)
{
	const uint8_t what = rd_u8(&r), how = rd_u8(&r);
	const struct frame_meta meta = {
		.needs_csum = what & 1, .csum_valid = what & 2,
		.gso = (enum frame_gso)((what >> 2) % 5),
		.gso_size = (uint16_t)(what >> 5 << 4),
	};
	uint8_t buf[256];
	const size_t len = r.left;

	if (len)
		memcpy(buf, r.p, len);
	mend(c, buf, len, how);
	deliver(c, &meta, buf, len);
}

/* ---- packets that fit ---- */

/* Low bits: the guest's port or echo id; bit 4: IPv6; 6, 7: where to. */
static struct ip_packet packet(const struct run *c, uint8_t who, uint8_t proto)
{
	const struct network_setup s = speakers(c);
	const bool v6 = who & 16;
	struct ip_packet ip = {
		.src = v6 ? s.guest6 : s.guest4,
		.dst = v6 ? s.gateway6 : s.gateway4,
		.v6 = v6, .ttl = 64, .proto = proto,
	};

	if (c->guests && who >> 6 == 3) {
		ip.dst = v6 ? c->fake->setup.guest6 : c->fake->setup.guest4;
		of_guest(&ip.dst.b[15],
			 (c->guest + 1 + (who >> 5 & 1)) % c->guests);
	} else if (c->guests && who >> 6 == 2) {
		ip.dst = v6 ? (struct ip){ .b = { 0xff, 2, [15] = 251 } } :
			      ip_from_v4(0xe00000fb);
	} else if (who >> 6)
		ip.dst = v6 ? (struct ip){ .b = { 32, 1 } } :
			      ip_from_v4(0xc0000201);
	return ip;
}

static void send_packet(struct run *c, const struct ip_packet *ip,
			const struct frame_meta *meta, const uint8_t *l4,
			size_t len)
{
	static uint8_t buf[FRAME_MAX_BYTES];
	const struct network_setup s = speakers(c);
	const struct eth eth = {
		.dst = s.gateway_mac, .src = s.guest_mac,
		.type = ip->v6 ? ETH_IPV6 : ETH_IPV4,
	};
	struct wr w = wr(buf, sizeof(buf));

	eth_emit(&w, &eth);
	ip_emit(&w, ip, len);
	wr_bytes(&w, l4, len);
	PROPERTY(!w.bad);
	mend_sum(buf + ETH_HEADER_BYTES, (size_t)(w.p - buf) -
		 ETH_HEADER_BYTES, ip->v6);
	deliver(c, meta, buf, (size_t)(w.p - buf));
}

/* Of that many zeros as many as a frame holds behind `before` bytes. */
static size_t filler_bytes(const struct ip_packet *ip, size_t before,
			   uint16_t zeros)
{
	const size_t room = UINT16_MAX - ip_header_bytes(&ip->src) - before;

	return zeros < room ? zeros : room;
}

/* A small number, or a large one, of either sign: 5 bits shifted by 11. */
static uint32_t far_or_near(uint16_t v)
{
	const uint32_t n = (uint32_t)(v & 0x7ff) << (v >> 11 & 15);

	return v >> 15 ? 0 - n : n;
}

static void op_tcp(struct run *c, struct rd r)
{
	static uint8_t l4[TCP_MAX_HEADER_BYTES + 65536];
	const struct frame_meta meta = { 0 };
	const uint8_t who = rd_u8(&r), flags = rd_u8(&r), how = rd_u8(&r);
	struct ip_packet ip = packet(c, who, PROTO_TCP);
	const struct fake_peer *peer =
		&c->fake->peer[ip.v6][who % FAKE_PORTS];
	struct tcp_segment s = {
		.src_port = (uint16_t)(FAKE_PORT + who % FAKE_PORTS),
		.dst_port = who & 32 ? 80 : 53,
		.flags = flags,
		.seq = peer->ack + far_or_near(rd_be16(&r)),
		.ack = peer->end + far_or_near(rd_be16(&r)),
		.window = rd_be16(&r),
		.mss = how & 1 ? rd_be16(&r) : 0,
		.wscale = how & 2 ? rd_u8(&r) % 15 : TCP_NO_WSCALE,
		.sack_ok = how & 4, .has_ts = how & 8, .sacks = how >> 4 & 3,
	};
	const uint16_t filler = how & 64 ? rd_be16(&r) : 0;
	struct wr w = wr(l4, sizeof(l4));

	for (unsigned i = 0; i < s.sacks; i++) {
		s.sack[i].from = peer->end + far_or_near(rd_be16(&r));
		s.sack[i].to = s.sack[i].from + rd_be16(&r);
	}
	tcp_emit(&w, &s, 0);
	wr_bytes(&w, r.p, r.left);
	wr_zero(&w, filler_bytes(&ip, (size_t)(w.p - l4), filler));
	PROPERTY(!w.bad);
	send_packet(c, &ip, &meta, l4, (size_t)(w.p - l4));
}

static void op_udp(struct run *c, struct rd r)
{
	static uint8_t l4[UDP_HEADER_BYTES + 65536];
	const uint8_t who = rd_u8(&r), how = rd_u8(&r);
	const uint16_t filler = how & 64 ? rd_be16(&r) : 0;
	struct ip_packet ip = packet(c, who, PROTO_UDP);
	const struct frame_meta meta = {
		.gso = how & 1 ? ip.v6 ? FRAME_GSO_UDP6 : FRAME_GSO_UDP4 :
				 FRAME_GSO_NONE,
		.gso_size = how & 1 ? rd_be16(&r) : 0,
	};
	const size_t len = r.left +
			   filler_bytes(&ip, UDP_HEADER_BYTES + r.left, filler);
	struct wr w = wr(l4, sizeof(l4));

	ip.ttl = how & 2 ? how >> 2 : 64;
	udp_emit(&w, (uint16_t)(FAKE_PORT + who % FAKE_PORTS),
		 who & 32 ? 7 : 53, len, 1);
	wr_bytes(&w, r.p, r.left);
	wr_zero(&w, len - r.left);
	PROPERTY(!w.bad);
	send_packet(c, &ip, &meta, l4, (size_t)(w.p - l4));
}

static void op_echo(struct run *c, struct rd r)
{
	const struct frame_meta meta = { 0 };
	const uint8_t who = rd_u8(&r), how = rd_u8(&r);
	struct ip_packet ip = packet(c, who, who & 16 ? PROTO_ICMP6 :
							PROTO_ICMP);
	const struct icmp_echo echo = {
		.id = who % FAKE_PORTS, .seq = how, .reply = how & 1,
		.data = { .p = r.p, .len = r.left },
	};
	uint8_t l4[512];
	struct wr w = wr(l4, sizeof(l4));

	ip.ttl = how & 2 ? how >> 2 : 64;
	icmp_emit_echo(&w, &ip.src, &ip.dst, &echo);
	PROPERTY(!w.bad);
	send_packet(c, &ip, &meta, l4, (size_t)(w.p - l4));
}

/* ---- the rest ---- */

static void op_event(struct run *c, struct rd r)
{
	const int id = fake_nth_socket(c->fake, rd_u8(&r));
	const struct handle nobody = { .slot = rd_u8(&r), .gen = 1 };

	network_sock_event(c->net, id < 0 ? nobody : c->fake->sock[id].owner,
			   nobody.slot & 31, c->now);
}

static void op_time(struct run *c, struct rd r)
{
	const bool jump = r.left == 0;
	const uint8_t exponent = rd_u8(&r);
	const uint64_t next = network_next_timer(c->net);

	if (!jump)
		c->now += UINT64_C(1) << exponent % 44;	/* to 5 hours */
	else if (next != UINT64_MAX && next > c->now)
		c->now = next;
}

/* What is left of the last script is forgotten. */
static void op_host(struct run *c, struct rd r)
{
	c->fake->script = r;
}

static void op_say(struct run *c, enum fake_saying what, struct rd r)
{
	const unsigned n = rd_u8(&r);
	const size_t zeros = rd_u8(&r) * 16u;

	fake_say(c->fake, n, what, r, zeros);
}

/* What the firewall is given; n: which rules, or whose program it is. */
static void op_firewall(struct run *c, unsigned n)
{
	static const char *const programs[] = { NULL, "/bin/true",
						FAKE_PROGRAM };

	if (n % 16 < FAKE_RULES_MAX)
		fake_set_rules(c->net, &c->fake->setup,
			       (enum fake_rules)(n % 16), c->now);
	else
		network_program(c->net, c->fake->asked - n / 16 % 2,
				programs[n % 3], c->now);
}

static void op_resolvers(struct run *c, struct rd r)
{
	const unsigned n = rd_u8(&r);
	struct endpoint at[NETWORK_RESOLVERS_MAX];

	if (n >= 128) {
		op_firewall(c, n - 128);
		return;
	}
	for (unsigned i = 0; i < NETWORK_RESOLVERS_MAX; i++)
		at[i] = (struct endpoint){
			.ip = i % 2 ? (struct ip){ .b = { 32, 1,
						    [15] = (uint8_t)i } } :
				      ip_from_v4(0xc0000235 + i),
			.port = 53,
		};
	network_set_resolvers(c->net, at, n % (NETWORK_RESOLVERS_MAX + 1));
}

/* One that is not the first comes, goes, or its link does. */
static void op_guest(struct run *c, struct rd r)
{
	const uint8_t n = rd_u8(&r);
	const unsigned i = 1 + n % 3;
	struct network_setup s = c->fake->setup;
	struct network_guest_setup g = {
		.link = (uint8_t)(n & 64 ? NETWORK_LINK_ANY : i),
		.learn_mac = n & 128, .own_ip6 = n & 32,
	};

	if (i >= c->guests)
		return;
	of_guest(&s.guest_mac.b[5], i);
	of_guest(&s.guest4.b[15], i);
	of_guest(&s.guest6.b[15], i);
	g.mac = s.guest_mac;
	g.ip4 = s.guest4;
	g.ip6 = s.guest6;
	switch (n >> 2 & 3) {
	case 0:
		network_link_down(c->net, i);
		break;
	case 1:
		network_rejoined(c->net, i);
		break;
	case 2:
		if (c->net->p.guests.at[i].used)
			network_guest_remove(c->net, i, c->now);
		break;
	default:
		(void)network_guest_add(c->net, &g, c->now);
		break;
	}
}

static void turn(struct run *c)
{
	if (network_next_timer(c->net) <= c->now)
		network_timers(c->net, c->now);
	network_turn_end(c->net, c->now);
	network_check(c->net);
}

static void step(struct run *c, enum op op, struct rd r)
{
	switch (op) {
	case OP_FRAME:		op_frame(c, r); break;
	case OP_TCP:		op_tcp(c, r); break;
	case OP_UDP:		op_udp(c, r); break;
	case OP_ECHO:		op_echo(c, r); break;
	case OP_EVENT:		op_event(c, r); break;
	case OP_TIME:		op_time(c, r); break;
	case OP_HOST:		op_host(c, r); break;
	case OP_SAY:		op_say(c, FAKE_BYTES, r); break;
	case OP_MIRROR:		op_say(c, FAKE_MIRROR, r); break;
	case OP_ERROR:		op_say(c, FAKE_ERROR, r); break;
	case OP_RESOLVERS:	op_resolvers(c, r); break;
	case OP_GUEST:		op_guest(c, r); break;
	case OP_TOWN_MAX:	break;
	}
}

static struct network_setup setup_of(uint8_t a, uint8_t b)
{
	static const unsigned mtus[] = { 1500, 68, 576, 1280, 9000, 65520,
					 1499, 100 };
	struct network_setup s = fake_setup();

	s.mtu = mtus[b % 8];
	s.v6 = !(a & 1) && s.mtu >= 1280;	/* as config_check() */
	s.host_access = !(a & 2);
	s.link_local = a & 4;
	s.host_port = b & 8;
	if (a & 8)
		memcpy(s.guest_name, "ship", 5);
	s.max_flows = 16 + (a >> 4) * 8u;
	return s;
}

/*
 * Zeroed memory that ends where a page begins that may not be touched. One
 * piece for all runs, of which only used pages are ever given: a network is
 * megabytes, of which most runs touch a few pages.
 */
static void *arena(size_t bytes)
{
	static uint8_t *start;

	if (!start) {
		start = mmap(NULL, 2 * ARENA_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (start == MAP_FAILED ||
		    mprotect(start + ARENA_BYTES, ARENA_BYTES, PROT_NONE) < 0)
			abort();
	} else if (madvise(start, ARENA_BYTES, MADV_DONTNEED) < 0) {
		abort();
	}
	PROPERTY(bytes <= ARENA_BYTES);
	return start + ARENA_BYTES - bytes;
}

/* Two bits of op say who speaks; and so a town's guests are there. */
static enum op op_of(struct run *c, uint8_t op)
{
	op &= (uint8_t)~MORE;
	if (!c->guests)
		return op % OP_MAX;
	c->guest = (op >> 5) % c->guests;
	return (op & 31) % OP_TOWN_MAX;
}

static void begin_town(struct run *c, unsigned guests)
{
	const uint8_t add[] = { 3 << 2 | 0 | 128, 3 << 2 | 1 | 128,
				3 << 2 | 2 | 128 };

	c->guests = c->fake->links = guests;
	for (unsigned i = 0; i < sizeof(add); i++)
		op_guest(c, rd(add + i, 1));
}

static void play(const uint8_t *data, size_t size, bool town)
{
	struct rd r = rd(data, size);
	const uint8_t a = rd_u8(&r), b = rd_u8(&r);
	struct network_setup setup = setup_of(a, b);
	static struct fake fake;
	const struct env env = { .ops = fake_ops(), .ctx = &fake };
	struct run c = { .fake = &fake, .now = 1000000000 };
	size_t bytes;

	setup.isolate = town && b >> 6 == 3;
	bytes = (network_bytes(&setup) + 63) & ~(size_t)63;
	fake_init(&fake, &setup, SEED);
	fake.scripted = true;
	c.net = network_init(arena(bytes), &setup, &env, c.now);
	fake_set_rules(c.net, &setup, FAKE_RULES_OPEN, c.now);
	op_resolvers(&c, rd(&b, 1));
	if (town)
		begin_town(&c, 2 + (b >> 4) % 3);
	for (unsigned n = 0; r.left && n < OPS_MAX; n++) {
		const uint8_t op = rd_u8(&r), len = rd_u8(&r);

		step(&c, op_of(&c, op),
		     rd_cut(&r, len < r.left ? len : r.left));
		if (!(op & MORE))
			turn(&c);
	}
	network_turn_end(c.net, c.now);
	network_fini(c.net);
	fake_check_end(&fake);
	if (fake.failure)
		fprintf(stderr, "fake: %s\n", fake.failure);
	PROPERTY(!fake.failure);
}

void fuzz_core(const uint8_t *data, size_t size)
{
	play(data, size, false);
}

void fuzz_town(const uint8_t *data, size_t size)
{
	play(data, size, true);
}
