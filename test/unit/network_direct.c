/* SPDX-License-Identifier: MIT */
/*
 * test/unit/network_direct.c - what passes between the guest and the host's
 * own stack, and for how long. The fake checks that nothing passes which the
 * guest may not say (test/fake/).
 */
#include "network/direct.h"

#include "base/csum.h"
#include "network/state.h"
#include "rig.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define OPEN		8000		/* where the host waits */
#define SHUT		8001
#define GUEST		1234
#define SECOND		UINT64_C(1000000000)

struct scene {
	struct rig rig;
	uint64_t now;
	struct frame_meta meta;		/* of the guest's frames */
};

/* One packet, as either side sends it. */
struct say {
	bool from_host, v6;
	uint8_t proto;			/* 6, 17, 1: echo, 2: an ICMP error */
	uint16_t guest, host;		/* ports; of an echo: identifier, - */
	uint8_t flags;			/* of TCP; of an echo: 1, a reply */
	uint8_t quoted;			/* protocol that an error quotes: UDP */
	uint16_t data_bytes;		/* of UDP, zeros */
};

/* The checksum of TCP or UDP, which the fake looks at. */
static void sum(const struct ip_packet *ip, uint8_t *l4, size_t len)
{
	const size_t at = ip->proto == PROTO_TCP ? TCP_CSUM_OFFSET :
						   UDP_CSUM_OFFSET;
	struct wr field = wr(l4 + at, 2);

	if (ip->proto != PROTO_TCP && ip->proto != PROTO_UDP)
		return;
	wr_be16(&field, csum_finish(csum_add(
		csum_pseudo(0, &ip->src, &ip->dst, ip->proto, (uint32_t)len),
		l4, len)));
}

static size_t l4(struct wr *w, const struct say *s, const struct ip *src,
		 const struct ip *dst)
{
	const uint16_t from = s->from_host ? s->host : s->guest;
	const uint16_t to = s->from_host ? s->guest : s->host;
	struct tcp_segment seg = { .src_port = from, .dst_port = to,
				   .flags = s->flags,
				   .wscale = TCP_NO_WSCALE };
	const struct icmp_echo echo = { .id = s->guest, .reply = s->flags };
	const uint8_t *start = w->p;
	uint8_t quote[IPV6_HEADER_BYTES + UDP_HEADER_BYTES];
	struct wr q = wr(quote, sizeof(quote));
	struct ip_packet ip = { .src = *dst, .dst = *src, .ttl = 9,
				.proto = s->quoted ? s->quoted : PROTO_UDP };

	switch (s->proto) {
	case PROTO_TCP:
		tcp_emit(w, &seg, 0);
		break;
	case PROTO_UDP:
		udp_emit(w, from, to, s->data_bytes, 0);
		for (unsigned i = 0; i < s->data_bytes; i++)
			wr_u8(w, 0);
		break;
	case PROTO_ICMP:
		icmp_emit_echo(w, src, dst, &echo);
		break;
	default:			/* about the other side's datagram */
		ip_emit(&q, &ip, UDP_HEADER_BYTES);
		udp_emit(&q, to, from, 0, 0);
		icmp_emit_error(w, src, dst, ICMP_PORT_UNREACHABLE, 0,
				(struct view){ quote, (size_t)(q.p - quote) });
		break;
	}
	return (size_t)(w->p - start);
}

/* Say it; did the other side's stack get it? */
static bool passes(struct scene *c, const struct say *s)
{
	const struct network_setup *n = &c->rig.fake->setup;
	const struct ip *guest = s->v6 ? &n->guest6 : &n->guest4;
	const struct ip *gateway = s->v6 ? &n->gateway6 : &n->gateway4;
	const struct frame_meta meta = { .csum_valid = true };
	const bool icmp = s->proto < PROTO_TCP;
	const struct ip_packet ip = {
		.src = s->from_host ? *gateway : *guest,
		.dst = s->from_host ? *guest : *gateway, .ttl = 64,
		.proto = !icmp ? s->proto : s->v6 ? PROTO_ICMP6 : PROTO_ICMP,
	};
	const struct eth eth = { .src = n->guest_mac, .dst = n->gateway_mac,
				 .type = s->v6 ? ETH_IPV6 : ETH_IPV4 };
	const uint64_t host = c->rig.fake->host_packets;
	const uint64_t to_guest = c->rig.fake->frames;
	uint8_t buf[400], body[300];
	struct wr w = wr(buf, sizeof(buf)), b = wr(body, sizeof(body));
	const size_t len = l4(&b, s, &ip.src, &ip.dst);

	sum(&ip, body, len);
	if (!s->from_host)
		eth_emit(&w, &eth);
	ip_emit(&w, &ip, len);
	wr_bytes(&w, body, len);
	if (s->from_host)
		network_host_packet(c->rig.net, &meta, buf,
				    (size_t)(w.p - buf), c->now);
	else
		network_frame(c->rig.net, 0, &c->meta, buf, (size_t)(w.p - buf),
			      c->now);
	network_turn_end(c->rig.net, c->now);
	network_check(c->rig.net);
	if (s->from_host)	/* not an answer of the network's own */
		return c->rig.fake->frames > to_guest &&
		       c->rig.fake->host_packets == host;
	return c->rig.fake->host_packets > host;
}

static void later(struct scene *c, uint64_t ns)
{
	const uint64_t end = c->now + ns;

	for (uint64_t next; (next = network_next_timer(c->rig.net)) <= end;) {
		c->now = next > c->now ? next : c->now;
		network_timers(c->rig.net, c->now);
	}
	c->now = end;
}

/* only: the port that the guest may reach; 0: all. */
static struct scene begin_with(bool access, uint16_t only)
{
	struct network_setup setup = fake_setup();
	struct scene c = { .now = RIG_START_NS,
			   .meta.csum_valid = true };

	setup.host_port = true;
	setup.host_access = access;
	setup.host_ports = (struct port_list){
		.n = only ? 1 : 0, .range = { { only, only } },
	};
	c.rig = rig_start(&setup);
	c.rig.fake->host_waits = OPEN;
	return c;
}

static struct scene begin(bool access)
{
	return begin_with(access, 0);
}

#define TCP(host_says, port, f) \
	(struct say){ .from_host = (host_says), .proto = PROTO_TCP, \
		      .guest = GUEST, .host = (port), .flags = (f) }
#define UDP(host_says, port) \
	(struct say){ .from_host = (host_says), .proto = PROTO_UDP, \
		      .guest = GUEST, .host = (port) }
#define OF(...) passes(&c, &__VA_ARGS__)

static void check_who_may_begin(bool access)
{
	struct scene c = begin(access);

	CHECK("SYN where the host waits",
	      OF(TCP(false, OPEN, TCP_SYN)) == access);
	CHECK("and what follows", OF(TCP(false, OPEN, TCP_ACK)) == access);
	CHECK("nobody waits", !OF(TCP(false, SHUT, TCP_SYN)));
	CHECK("no SYN", !OF(TCP(false, SHUT, TCP_ACK)));
	CHECK("SYN-ACK to nobody", !OF(TCP(false, 9, TCP_SYN | TCP_ACK)));
	CHECK("a datagram", OF(UDP(false, OPEN)) == access);
	CHECK("one to nobody", !OF(UDP(false, SHUT)));
	c.rig.fake->host_waits = 53;
	CHECK("DNS is the gateway's", !OF(UDP(false, 53)) &&
				      !OF(TCP(false, 53, TCP_SYN)));
	CHECK("so is ping", !OF((struct say){ .proto = PROTO_ICMP,
					      .guest = 7 }));
	CHECK("a reply to nobody", !OF((struct say){ .proto = PROTO_ICMP,
						     .guest = 7,
						     .flags = 1 }));
	CHECK("an error about nothing", !OF((struct say){
		.proto = 2, .guest = 77, .host = 88 }));
	rig_end(&c.rig, "who may begin");
}

static void check_list(void)
{
	struct scene c = begin_with(true, OPEN);

	CHECK("on the list", OF(TCP(false, OPEN, TCP_SYN)) &&
			     OF(UDP(false, OPEN)));
	c.rig.fake->host_waits = SHUT;
	CHECK("not on it", !OF(TCP(false, SHUT, TCP_SYN)) &&
			   !OF(UDP(false, SHUT)));
	rig_end(&c.rig, "a list");
}

/* Where the host begins the guest may answer, whatever its access is. */
static void check_host_begins(bool v6)
{
	struct scene c = begin(false);
	struct say syn = TCP(true, 40000, TCP_SYN);
	struct say answer = TCP(false, 40000, TCP_SYN | TCP_ACK);
	struct say datagram = UDP(true, 40001), back = UDP(false, 40001);
	struct say error = { .proto = 2, .v6 = v6, .guest = GUEST,
			     .host = 40001 };
	struct say ping = { .from_host = true, .v6 = v6, .proto = PROTO_ICMP,
			    .guest = 5 };
	struct say pong = { .v6 = v6, .proto = PROTO_ICMP, .guest = 5,
			    .flags = 1 };

	syn.v6 = answer.v6 = datagram.v6 = back.v6 = v6;
	CHECK("not yet", !OF(answer) && !OF(back) && !OF(error) && !OF(pong));
	CHECK("SYN", OF(syn) && OF(answer));
	CHECK("datagram", OF(datagram) && OF(back) && OF(error));
	CHECK("ping", OF(ping) && OF(pong));
	answer.host++;
	back.host++;
	pong.guest++;
	CHECK("another", !OF(answer) && !OF(back) && !OF(pong));
	rig_end(&c.rig, "the host begins");
}

/* The host's word is no leave for the guest to begin with the same ports. */
static void check_begun_by_host(bool access)
{
	struct scene c = begin(access);
	const struct say syn = TCP(false, OPEN, TCP_SYN);
	struct network_stats before, after;

	OF(TCP(true, OPEN, TCP_SYN));
	OF(TCP(false, OPEN, TCP_SYN | TCP_ACK));
	network_get_stats(c.rig.net, &before);
	CHECK("it lives", !OF(syn));
	network_get_stats(c.rig.net, &after);
	CHECK("counted", after.drops[DROP_POLICY] ==
			 before.drops[DROP_POLICY] + 1);
	CHECK("it lives on", OF(TCP(true, OPEN, TCP_ACK)) &&
			     OF(TCP(false, OPEN, TCP_ACK)));
	OF(TCP(true, OPEN, TCP_FIN | TCP_ACK));
	OF(TCP(false, OPEN, TCP_FIN | TCP_ACK));
	CHECK("last ACK", OF(TCP(true, OPEN, TCP_ACK)));
	CHECK("closed", OF(syn) == access);

	c.now += SECOND;
	OF(TCP(true, OPEN + 2, TCP_SYN));
	OF(TCP(false, OPEN + 2, TCP_RST | TCP_ACK));
	CHECK("refused, and nobody waits", !OF(TCP(false, OPEN + 2, TCP_SYN)));
	rig_end(&c.rig, "begun by the host");
}

/* One that the guest began: the SYN again is no news, whoever waits now. */
static void check_syn_again(void)
{
	struct scene c = begin(true);
	const struct say syn = TCP(false, OPEN, TCP_SYN);

	CHECK("SYN", OF(syn));
	c.rig.fake->host_waits = SHUT;
	CHECK("again", OF(syn));
	OF(TCP(true, OPEN, TCP_RST | TCP_ACK));
	CHECK("after the end", !OF(syn));
	rig_end(&c.rig, "SYN again");
}

/* Of UDP the guest keeps alive only what it might begin. */
static void check_kept_alive(bool access)
{
	struct scene c = begin(access);
	bool lives = true;

	c.rig.fake->host_waits = SHUT;
	OF(UDP(true, 40000));
	for (unsigned i = 0; i < 3; i++) {
		later(&c, 50 * SECOND);
		lives = OF(UDP(false, 40000));
	}
	CHECK("kept alive", lives == access);
	OF(UDP(true, 40000));
	for (unsigned i = 0; i < 3; i++) {
		later(&c, 50 * SECOND);
		CHECK("by the host", OF(UDP(true, 40000)) &&
				     OF(UDP(false, 40000)));
	}
	rig_end(&c.rig, "kept alive");
}

/* What an error quotes has ports where we look for them, or it is none. */
static void check_quotes(void)
{
	static const struct {
		uint8_t proto;
		bool v6, passes;
	} cases[] = {
		{ PROTO_UDP, false, true }, { PROTO_UDP, true, true },
		{ PROTO_TCP, false, false },
		{ PROTO_ICMP, false, false },
		{ 50, false, false }, { 132, false, false },
		{ 60, true, false }, { 43, true, false },
		{ 44, true, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene c = begin(false);
		struct say first = UDP(true, 1536);	/* 6, 0: TCP follows */

		first.v6 = cases[i].v6;
		CHECK("the host begins", OF(first));
		CHECK("quote", OF((struct say){
			.proto = 2, .v6 = cases[i].v6, .guest = GUEST,
			.host = 1536, .quoted = cases[i].proto,
		}) == cases[i].passes);
		rig_end(&c.rig, "quotes");
	}
}

static void check_time(void)
{
	struct scene c = begin(true);
	const struct say fin = TCP(false, OPEN, TCP_FIN | TCP_ACK);
	const struct say ack = TCP(false, OPEN, TCP_ACK);
	struct network_stats st;

	OF(UDP(true, 40000));
	later(&c, 100 * SECOND);
	CHECK("UDP", OF(UDP(false, 40000)));
	later(&c, 130 * SECOND);
	CHECK("UDP was idle", !OF(UDP(false, 40000)));

	OF(TCP(false, OPEN, TCP_SYN));
	later(&c, 250 * SECOND);
	CHECK("a SYN without answer", !OF(ack));
	OF(TCP(false, OPEN, TCP_SYN));
	OF(TCP(true, OPEN, TCP_SYN | TCP_ACK));
	later(&c, 7000 * SECOND);
	CHECK("established", OF(ack));
	OF(fin);
	later(&c, 7000 * SECOND);
	CHECK("half closed", OF(TCP(true, OPEN, TCP_ACK)) && OF(ack));
	OF(TCP(true, OPEN, TCP_FIN | TCP_ACK));
	later(&c, 9 * SECOND);
	CHECK("lingers", OF(ack));
	later(&c, 11 * SECOND);
	CHECK("closed", !OF(ack));

	OF(TCP(false, OPEN, TCP_SYN));
	OF(TCP(true, OPEN, TCP_RST | TCP_ACK));
	CHECK("the same ports again", OF(TCP(false, OPEN, TCP_SYN)));
	OF(TCP(true, OPEN, TCP_SYN | TCP_ACK));
	later(&c, 20 * SECOND);
	CHECK("it lives", OF(ack));
	OF(TCP(true, OPEN, TCP_RST));
	later(&c, 11 * SECOND);
	CHECK("reset", !OF(ack));
	later(&c, 10 * SECOND);
	network_get_stats(c.rig.net, &st);
	CHECK("all are gone", !st.flows_tcp && !st.flows_udp);
	rig_end(&c.rig, "time");
}

/* A connection that the gateway carries is not taken from it. */
static void check_gateways(void)
{
	struct scene c = begin(true);

	CHECK("to loopback", !OF(TCP(false, SHUT, TCP_SYN)));
	c.rig.fake->host_waits = SHUT;
	CHECK("a SYN again", !OF(TCP(false, SHUT, TCP_SYN)));
	CHECK("nor by the host", !OF(TCP(true, SHUT, TCP_SYN)));
	CHECK("UDP", !OF(UDP(false, OPEN)));
	c.rig.fake->host_waits = OPEN;
	CHECK("UDP again", !OF(UDP(false, OPEN)));
	rig_end(&c.rig, "gateway's own");
}

/* What the link says of a packet goes on with it only if it is so. */
static void check_meta(void)
{
	const uint16_t l4 = ETH_HEADER_BYTES + IPV4_HEADER_BYTES;
	const struct {
		struct frame_meta meta;
		bool passes;
	} cases[] = {
		{ { .needs_csum = true, .csum_start = l4, .csum_offset = 16 },
		  true },
		{ { .needs_csum = true, .csum_start = l4, .csum_offset = 6 },
		  false },
		{ { .needs_csum = true, .csum_start = l4 - 1,
		    .csum_offset = 16 }, false },
		{ { .needs_csum = true, .csum_offset = 16 }, false },
		{ { .csum_valid = true, .gso = FRAME_GSO_TCP4,
		    .gso_size = 1000 }, false },
		{ { .needs_csum = true, .csum_start = l4, .csum_offset = 16,
		    .gso = FRAME_GSO_TCP4, .gso_size = 1000 }, true },
		{ { .needs_csum = true, .csum_start = l4, .csum_offset = 16,
		    .gso = FRAME_GSO_TCP4 }, false },
		{ { .needs_csum = true, .csum_start = l4, .csum_offset = 16,
		    .gso = FRAME_GSO_TCP6, .gso_size = 1000 }, false },
		{ { .needs_csum = true, .csum_start = l4, .csum_offset = 16,
		    .gso = FRAME_GSO_UDP4, .gso_size = 1000 }, false },
	};

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene c = begin(true);

		if (i % 2)		/* in a conversation, too */
			OF(TCP(false, OPEN, TCP_SYN));
		c.meta = cases[i / 2].meta;
		CHECK("meta", OF(TCP(false, OPEN, TCP_SYN)) ==
			      cases[i / 2].passes);
		rig_end(&c.rig, "meta");
	}
}

/* What asks for more than to be delivered is not the host's to see. */
static void check_options(void)
{
	static const uint8_t route[] = { 0x83, 7, 4, 192, 0, 2, 1, 0 };
	static const uint8_t pad[] = { PROTO_TCP, 0, 1, 4, 0, 0, 0, 0 };
	const struct frame_meta meta = { .csum_valid = true };

	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct scene c = begin(true);
		const struct network_setup *n = &c.rig.fake->setup;
		const struct eth eth = { .src = n->guest_mac,
					 .dst = n->gateway_mac,
					 .type = v6 ? ETH_IPV6 : ETH_IPV4 };
		const struct ip_packet ip = {
			.src = v6 ? n->guest6 : n->guest4,
			.dst = v6 ? n->gateway6 : n->gateway4, .ttl = 64,
			.proto = v6 ? 60 : PROTO_TCP,
		};
		const struct tcp_segment syn = { .src_port = GUEST,
			.dst_port = OPEN, .flags = TCP_SYN,
			.wscale = TCP_NO_WSCALE };
		uint8_t buf[120], *p = buf + ETH_HEADER_BYTES;
		struct wr w = wr(buf, sizeof(buf)), f;

		eth_emit(&w, &eth);
		ip_emit(&w, &ip, 8 + 20);
		wr_bytes(&w, v6 ? pad : route, 8);
		tcp_emit(&w, &syn, 0);
		if (!v6) {		/* ip_emit() knows no options */
			p[0] = 0x47;
			f = wr(p + 10, 2);
			wr_be16(&f, 0);
			f = wr(p + 10, 2);
			wr_be16(&f, csum_finish(csum_add(0, p, 28)));
		}
		network_frame(c.rig.net, 0, &meta, buf, (size_t)(w.p - buf),
			      c.now);
		CHECK("options", !c.rig.fake->host_packets);
		CHECK("the same without", OF((struct say){
			.v6 = v6, .proto = PROTO_TCP, .guest = GUEST + 1,
			.host = OPEN, .flags = TCP_SYN }));
		rig_end(&c.rig, "options");
	}
}

/* The kernel tells how much lies in one piece, not where headers end. */
static void check_header_length(void)
{
	struct scene c = begin(true);
	const struct network_setup *n = &c.rig.fake->setup;
	const struct ip_packet ip = { .src = n->gateway4, .dst = n->guest4,
				      .ttl = 64, .proto = PROTO_UDP };
	const struct frame_meta meta = {
		.needs_csum = true, .csum_start = IPV4_HEADER_BYTES,
		.csum_offset = UDP_CSUM_OFFSET, .gso = FRAME_GSO_UDP4,
		.gso_size = 1000, .hdr_len = 1028,
	};
	static uint8_t buf[3000];
	struct wr w = wr(buf, sizeof(buf));

	ip_emit(&w, &ip, UDP_HEADER_BYTES + 2500);
	udp_emit(&w, 40000, 80, 2500, csum_fold(csum_pseudo(
		0, &ip.src, &ip.dst, PROTO_UDP, UDP_HEADER_BYTES + 2500)));
	network_host_packet(c.rig.net, &meta, buf,
			    IPV4_HEADER_BYTES + UDP_HEADER_BYTES + 2500,
			    c.now);
	CHECK("it came", c.rig.fake->frames == 1);
	CHECK("headers", c.rig.fake->meta.hdr_len == ETH_HEADER_BYTES +
	      IPV4_HEADER_BYTES + UDP_HEADER_BYTES);
	rig_end(&c.rig, "header length");
}

/* A batch of a byte each would be 65,000 datagrams for the host to cut. */
static void check_batches(void)
{
	struct scene c = begin(true);
	struct say batch = UDP(false, OPEN);

	CHECK("one", OF(batch));
	c.meta = (struct frame_meta){
		.needs_csum = true, .csum_offset = UDP_CSUM_OFFSET,
		.csum_start = ETH_HEADER_BYTES + IPV4_HEADER_BYTES,
		.gso = FRAME_GSO_UDP4, .gso_size = 1,
	};
	batch.data_bytes = UDP_BATCH_MAX;
	CHECK("as many as the gateway takes", OF(batch));
	batch.data_bytes++;
	CHECK("one more", !OF(batch));
	batch.guest++;
	CHECK("nor to begin with", !OF(batch));
	rig_end(&c.rig, "batches");
}

/* The host's own connections have the gateway's address, too. */
static void check_offered_port(void)
{
	struct scene c = begin(true);
	const struct endpoint to = { .ip = c.rig.fake->setup.guest4,
				     .port = FAKE_PORT };
	const struct endpoint from = { .ip = ip_from_v4(0x7f000001) };
	struct rd r;

	for (unsigned i = 0; i < 50; i++) {
		network_offer(c.rig.net, fake_accept(c.rig.fake), &from, &to,
			      c.now);
		r = rd(c.rig.fake->frame, c.rig.fake->frame_len);
		rd_bytes(&r, ETH_HEADER_BYTES + IPV4_HEADER_BYTES);
		CHECK("Linux does not pick it", rd_be16(&r) >= 61000);
	}
	rig_end(&c.rig, "offered");
}

/* Somebody on the host may pick them all the same: then it is his. */
static void check_offered_port_in_use(void)
{
	struct scene c = { .now = RIG_START_NS, .meta.csum_valid = true };
	struct network_setup setup = fake_setup();
	const struct endpoint to = { .ip = setup.guest4, .port = GUEST };
	const struct endpoint from = { .ip = ip_from_v4(0x7f000001) };
	struct rd r;

	setup.host_port = true;
	setup.max_flows = 5000;
	c.rig = rig_start(&setup);
	for (unsigned port = 61000; port < 65536; port++)
		if (port % 2)
			OF(TCP(true, (uint16_t)port, TCP_SYN));
	for (unsigned i = 0; i < 50; i++) {
		network_offer(c.rig.net, fake_accept(c.rig.fake), &from, &to,
			      c.now);
		r = rd(c.rig.fake->frame, c.rig.fake->frame_len);
		rd_bytes(&r, ETH_HEADER_BYTES + IPV4_HEADER_BYTES);
		CHECK("nobody's", rd_be16(&r) % 2 == 0);
	}
	rig_end(&c.rig, "offered, in use");
}

/* Only as the gateway, only to the guest; others are told of nobody. */
static void check_host_addresses(void)
{
	static const struct {
		const char *src, *dst;
		enum drop want;
		bool told;
	} cases[] = {
		{ "172.20.0.1", "172.20.0.2", DROP_OK, false },
		{ "172.20.0.1", "172.20.0.3", DROP_DEST, true },
		{ "172.20.0.1", "224.0.0.251", DROP_DEST, false },
		{ "172.20.0.1", "192.0.2.1", DROP_DEST, true },
		{ "192.0.2.2", "172.20.0.2", DROP_SOURCE, false },
		{ "127.0.0.1", "172.20.0.2", DROP_SOURCE, false },
		{ "fd01::1", "fd01::2", DROP_OK, false },
		{ "fd01::1", "fd01::7", DROP_OK, false },
		{ "fd01::1", "fd02::7", DROP_DEST, true },
		{ "fd01::1", "ff02::fb", DROP_DEST, false },
		{ "fe80::1", "fd01::2", DROP_SOURCE, false },
		{ "::", "ff02::16", DROP_SOURCE, false },
	};
	const struct frame_meta meta = { .csum_valid = true };
	struct scene c = begin(true);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ip_packet ip = { .ttl = 64, .proto = PROTO_UDP };
		struct network_stats before, after;
		const uint64_t host = c.rig.fake->host_packets;
		uint8_t buf[100];
		struct wr w = wr(buf, sizeof(buf));
		uint8_t *l4;

		CHECK("addresses", ip_parse(cases[i].src, &ip.src) &&
				   ip_parse(cases[i].dst, &ip.dst));
		ip_emit(&w, &ip, UDP_HEADER_BYTES);
		l4 = w.p;
		udp_emit(&w, 40000, 80, 0, 0);
		sum(&ip, l4, UDP_HEADER_BYTES);
		network_get_stats(c.rig.net, &before);
		network_host_packet(c.rig.net, &meta, buf,
				    (size_t)(w.p - buf), c.now);
		network_get_stats(c.rig.net, &after);
		CHECK(cases[i].dst, after.drops[cases[i].want] ==
				    before.drops[cases[i].want] + 1);
		CHECK(cases[i].dst, c.rig.fake->host_packets - host ==
				    cases[i].told);
	}
	network_host_packet(c.rig.net, &meta, NULL, 0, c.now);
	rig_end(&c.rig, "addresses of the host's packets");
}

/* Half of the table is the limit, and the rest the guest's. */
static void check_full(void)
{
	struct scene c = begin(true);
	unsigned n = 0;

	for (uint16_t port = 1; port < 1000; port++) {
		struct say s = UDP(true, port);

		n += passes(&c, &s);
	}
	CHECK("as many as there may be",
	      n == c.rig.fake->setup.max_flows / 2);
	CHECK("room for the guest", OF(UDP(false, OPEN)));
	later(&c, 130 * SECOND);
	CHECK("and room again", OF(UDP(true, 2000)));
	rig_end(&c.rig, "full");
}

void test_network_direct(void);
void test_network_direct(void)
{
	check_who_may_begin(true);
	check_who_may_begin(false);
	check_host_begins(false);
	check_host_begins(true);
	check_begun_by_host(false);
	check_begun_by_host(true);
	check_syn_again();
	check_kept_alive(false);
	check_kept_alive(true);
	check_quotes();
	check_list();
	check_time();
	check_gateways();
	check_meta();
	check_options();
	check_header_length();
	check_batches();
	check_offered_port();
	check_offered_port_in_use();
	check_host_addresses();
	check_full();
}
