/* SPDX-License-Identifier: MIT */
/* test/unit/network_switch.c - what guests say to each other. */
#include "network/switch.h"

#include "network/flows.h"
#include "network/state.h"
#include "town.h"
#include "wire/arp.h"
#include "wire/icmp.h"
#include "wire/ndp.h"

#define SECOND UINT64_C(1000000000)

static const struct mac everyone = { { 255, 255, 255, 255, 255, 255 } };

static uint64_t drops(const struct town *t, enum drop drop)
{
	return t->r.net->p.drops[drop];
}

/* The last frame, as it came to that link; .whole.p NULL: none has. */
static struct ip_packet at_link(struct town *t, unsigned link,
				struct eth *eth)
{
	struct rd r = rd(t->r.fake->frame, t->r.fake->frame_len);
	struct ip_packet ip = { .v6 = false };

	if (t->r.fake->link != link || eth_parse(&r, eth) != DROP_OK ||
	    ip_parse_packet(r, eth->type == ETH_IPV6, &ip) != DROP_OK)
		return (struct ip_packet){ .v6 = false };
	return ip;
}

/* Has nothing come to anybody since? */
static bool quiet(struct town *t, uint64_t *frames)
{
	const bool is = t->r.fake->frames == *frames;

	*frames = t->r.fake->frames;
	return is;
}

struct segment {
	const struct citizen *from, *to;
	uint16_t src, dst;
	uint8_t flags;
	bool v6, damaged;
	const struct mac *by;		/* NULL: the gateway's */
};

static void segment(struct town *t, const struct segment *s)
{
	const struct ip_packet ip = {
		.v6 = s->v6, .proto = PROTO_TCP, .ttl = 9,
		.src = s->v6 ? s->from->ip6 : s->from->ip4,
		.dst = s->v6 ? s->to->ip6 : s->to->ip4,
		.dont_fragment = true,
	};
	uint8_t l4[24] = { (uint8_t)(s->src >> 8), (uint8_t)s->src,
			   (uint8_t)(s->dst >> 8), (uint8_t)s->dst,
			   [12] = 0x50, [13] = s->flags, [16] = 1, 2,
			   [20] = 'd', 'a' };

	town_packet(t, s->from, s->by ? s->by :
		    &t->r.net->setup.gateway_mac, &ip, l4,
		    s->flags & TCP_SYN ? 20 : 24,
		    s->damaged ? 0 : TCP_CSUM_OFFSET);
}

static uint32_t tcp_flows(const struct town *t)
{
	struct network_stats st;

	network_get_stats(t->r.net, &st);
	return st.flows_tcp;
}

static void pass_time(struct town *t, uint64_t ns)
{
	t->now += ns;
	network_timers(t->r.net, t->now);
	network_turn_end(t->r.net, t->now);
}

/* ---- connections ---- */

static void check_tcp(bool v6, bool aside)
{
	struct town t = town_start(3);
	const struct citizen *a = &t.citizen[0], *b = &t.citizen[1];
	struct segment s = { .from = a, .to = b, .src = 7, .dst = 80,
			     .flags = TCP_SYN, .v6 = v6,
			     .by = aside ? &b->mac : NULL };
	struct segment back = { .from = b, .to = a, .src = 80, .dst = 7,
				.flags = TCP_SYN | TCP_ACK, .v6 = v6 };
	uint64_t frames = 0;
	struct ip_packet ip;
	struct eth eth;

	segment(&t, &s);
	ip = at_link(&t, 1, &eth);
	CHECK("there", ip.whole.p && mac_equal(&eth.src, &a->mac) &&
	      mac_equal(&eth.dst, &b->mac) && ip.ttl == 9 &&
	      ip_equal(&ip.src, v6 ? &a->ip6 : &a->ip4));
	segment(&t, &back);
	ip = at_link(&t, 0, &eth);
	CHECK("and back", ip.whole.p && mac_equal(&eth.dst, &a->mac) &&
	      t.r.fake->frames == 2 && tcp_flows(&t) == 1);
	back.flags = TCP_SYN;
	frames = t.r.fake->frames;
	segment(&t, &back);
	CHECK("the other may not begin there", quiet(&t, &frames));
	s.flags = TCP_FIN | TCP_ACK;
	segment(&t, &s);
	back.flags = TCP_FIN | TCP_ACK;
	segment(&t, &back);
	CHECK("all of it", t.r.fake->frames == 4 &&
	      t.r.net->p.guests.at[1].frames_to == 2);
	pass_time(&t, 9 * SECOND);
	CHECK("the last word", tcp_flows(&t) == 1);
	pass_time(&t, 2 * SECOND);
	CHECK("over", tcp_flows(&t) == 0);
	town_end(&t, "TCP");
}

/* What has no flow is refused, and nobody has to wait for nothing. */
static void check_strays(void)
{
	struct town t = town_start(2);
	const struct citizen *a = &t.citizen[0], *b = &t.citizen[1];
	struct segment s = { .from = a, .to = b, .src = 7, .dst = 80,
			     .flags = TCP_ACK };
	struct tcp_segment seg;
	struct ip_packet ip;
	struct eth eth;

	segment(&t, &s);
	ip = at_link(&t, 0, &eth);
	CHECK("a reset", ip.whole.p && ip_equal(&ip.src, &b->ip4) &&
	      tcp_parse(ip.payload, &seg) == DROP_OK &&
	      (seg.flags & TCP_RST) && drops(&t, DROP_NOFLOW) == 1);
	s.flags = TCP_RST;
	segment(&t, &s);
	CHECK("none of a reset", t.r.fake->frames == 1 && !tcp_flows(&t));
	s.damaged = true;
	s.flags = TCP_ACK;
	segment(&t, &s);
	s.flags = TCP_SYN;
	segment(&t, &s);
	CHECK("nor of what is damaged", t.r.fake->frames == 1 &&
	      !tcp_flows(&t) && drops(&t, DROP_CHECKSUM) == 2);
	s.damaged = false;
	segment(&t, &s);
	s.damaged = true;
	s.flags = TCP_RST;
	segment(&t, &s);
	CHECK("which ends nothing", t.r.fake->frames == 2 &&
	      drops(&t, DROP_CHECKSUM) == 3);
	town_end(&t, "strays");
}

static void check_limit(void)
{
	struct town t = town_start(3);
	struct segment s = { .from = &t.citizen[0], .to = &t.citizen[1],
			     .flags = TCP_SYN, .dst = 80 };
	const unsigned most = t.r.net->setup.max_flows / SWITCH_GUEST_PART;

	for (s.src = 1; s.src <= most + 10; s.src++)
		segment(&t, &s);
	CHECK("so many", tcp_flows(&t) == most &&
	      drops(&t, DROP_FLOWS) == 10);
	s.from = &t.citizen[2];
	segment(&t, &s);
	CHECK("another's", tcp_flows(&t) == most + 1);
	pass_time(&t, 241 * SECOND);
	CHECK("silent ones go", tcp_flows(&t) == 0);
	segment(&t, &s);
	network_guest_remove(t.r.net, 1, t.now);
	CHECK("with whom they are", tcp_flows(&t) == 0);
	town_end(&t, "limit");
}

/* ---- datagrams ---- */

static void udp(struct town *t, unsigned from, unsigned to, uint16_t src,
		uint16_t dst)
{
	town_udp(t, &t->citizen[from], &(struct town_udp){
		.src = { .port = src },
		.dst = { .ip = t->citizen[to].ip4, .port = dst },
		.src_ip = t->citizen[from].ip4,
		.bytes = { (const uint8_t *)"hello", 5 },
	});
}

static void icmp(struct town *t, unsigned from, unsigned to, uint8_t *l4,
		 size_t len)
{
	const struct ip_packet ip = {
		.src = t->citizen[from].ip4, .dst = t->citizen[to].ip4,
		.proto = PROTO_ICMP, .ttl = 64,
	};

	town_packet(t, &t->citizen[from], &t->r.net->setup.gateway_mac, &ip,
		    l4, len, 2);
}

/* An error of by's, about what udp(from, to, src, dst) has sent. */
static void port_error_by(struct town *t, unsigned by, unsigned from,
			  unsigned to, uint16_t src, uint16_t dst)
{
	const struct ip_packet ip = {
		.src = t->citizen[from].ip4, .dst = t->citizen[to].ip4,
		.proto = PROTO_UDP, .ttl = 64,
	};
	uint8_t l4[36] = { 3, 3 };
	struct wr w = wr(l4 + 8, 28);

	ip_emit(&w, &ip, 8);
	udp_emit(&w, src, dst, 0, 0);
	icmp(t, by, from, l4, sizeof(l4));
}

static void port_error(struct town *t, unsigned from, unsigned to,
		       uint16_t src, uint16_t dst)
{
	port_error_by(t, to, from, to, src, dst);
}

static void check_udp(void)
{
	struct town t = town_start(3);
	uint64_t frames = 0;

	udp(&t, 0, 1, 5, 6);
	CHECK("there", t.r.fake->link_frames[1] == 1);
	udp(&t, 1, 0, 6, 5);
	CHECK("back", t.r.fake->link_frames[0] == 1);
	port_error(&t, 0, 1, 5, 6);
	CHECK("an error", t.r.fake->link_frames[0] == 2);
	frames = t.r.fake->frames;
	port_error(&t, 0, 1, 5, 7);
	CHECK("of no flow", quiet(&t, &frames) &&
	      drops(&t, DROP_NOFLOW) == 1);
	port_error(&t, 0, 2, 5, 6);
	CHECK("another's", quiet(&t, &frames) &&
	      drops(&t, DROP_NOFLOW) == 2);
	port_error_by(&t, 1, 0, 2, 5, 6);
	CHECK("of somebody else", quiet(&t, &frames) &&
	      drops(&t, DROP_SOURCE) == 1);
	udp(&t, 1, 0, 67, 68);
	udp(&t, 1, 0, 67, 99);
	CHECK("no server of DHCP", quiet(&t, &frames) &&
	      drops(&t, DROP_ROLE) == 2);
	pass_time(&t, 121 * SECOND);
	port_error(&t, 0, 1, 5, 6);
	CHECK("forgotten", quiet(&t, &frames));
	town_end(&t, "UDP");
}

static void check_echo(void)
{
	uint8_t ask[12] = { 8, 0, 0, 0, 1, 2 }, answer[12] = { 0, 0, 0, 0,
								1, 2 };
	struct town t = town_start(2);
	uint64_t frames = 0;

	icmp(&t, 1, 0, answer, sizeof(answer));
	CHECK("nobody asked", quiet(&t, &frames) &&
	      drops(&t, DROP_NOFLOW) == 1);
	icmp(&t, 0, 1, ask, sizeof(ask));
	CHECK("asked", t.r.fake->link_frames[1] == 1);
	icmp(&t, 1, 0, answer, sizeof(answer));
	CHECK("answered", t.r.fake->link_frames[0] == 1);
	icmp(&t, 1, 0, ask, sizeof(ask));
	CHECK("the other asks", t.r.fake->link_frames[0] == 2 &&
	      t.r.net->switched == 2);
	town_end(&t, "echo");
}

/* A protocol that the gateway does not know is the guests' own affair. */
static void check_other(void)
{
	struct town t = town_start(2);
	const struct ip_packet ip = {
		.src = t.citizen[0].ip4, .dst = t.citizen[1].ip4,
		.proto = 47, .ttl = 64,
	};
	struct network_flow flow;
	uint8_t l4[8] = { 0 };
	uint32_t slot = 0;

	town_packet(&t, &t.citizen[0], &t.citizen[1].mac, &ip, l4,
		    sizeof(l4), 0);
	CHECK("told", network_flows(t.r.net, &slot, &flow, 1) == 1 &&
	      flow.protocol == FLOW_PROTOCOL_OTHER && flow.guest.port == 47 &&
	      flow.state == FLOW_STATE_SWITCHED && flow.from_guest == 8);
	CHECK("there", t.r.net->p.guests.at[1].frames_to == 1);
	town_end(&t, "others");
}

/* ---- sizes ---- */

struct batch {
	const char *name;
	size_t data;
	uint16_t size;
	enum frame_gso gso;
	enum drop drop;
	uint16_t size_there;		/* of what comes out; 0: no batch */
	bool partial, far, lies;
};

static const struct batch batches[] = {
	{ "a batch", 4000, 1000, FRAME_GSO_TCP4, DROP_OK, 1000,
	  .partial = true },
	{ "in pieces", 4000, 1000, FRAME_GSO_TCP4, DROP_OK, 1000,
	  .partial = true, .far = true },
	{ "a batch of one", 900, 1000, FRAME_GSO_TCP4, DROP_OK, 0,
	  .partial = true },
	{ "one in pieces", 900, 0, FRAME_GSO_NONE, DROP_OK, 0,
	  .partial = true, .far = true },
	{ "a whole checksum", 900, 0, FRAME_GSO_NONE, DROP_OK, 0,
	  .partial = false },
	{ "too small", 4000, 87, FRAME_GSO_TCP4, DROP_LIMIT, 0,
	  .partial = true },
	{ "too large", 4000, 1461, FRAME_GSO_TCP4, DROP_TOOBIG, 0,
	  .partial = true },
	{ "just so", 4000, 1460, FRAME_GSO_TCP4, DROP_OK, 1460,
	  .partial = true },
	{ "no batch, too large", 1461, 0, FRAME_GSO_NONE, DROP_TOOBIG, 0,
	  .partial = true },
	{ "of IPv6", 4000, 1000, FRAME_GSO_TCP6, DROP_VALUE, 0,
	  .partial = true },
	{ "of UDP", 4000, 1000, FRAME_GSO_UDP4, DROP_VALUE, 0,
	  .partial = true },
	{ "without a checksum", 4000, 1000, FRAME_GSO_TCP4, DROP_VALUE, 0,
	  .partial = false },
	{ "elsewhere", 900, 0, FRAME_GSO_NONE, DROP_VALUE, 0,
	  .partial = true, .lies = true },
};

static void send_batch(struct town *t, const struct batch *b)
{
	const struct citizen *from = &t->citizen[0], *to = &t->citizen[1];
	const struct eth eth = { .dst = to->mac, .src = from->mac,
				 .type = ETH_IPV4 };
	const struct ip_packet ip = { .src = from->ip4, .dst = to->ip4,
				      .proto = PROTO_TCP, .ttl = 64,
				      .dont_fragment = true };
	const size_t far = b->far ? b->data / 2 : 0;
	uint8_t buf[5000] = { 0 };
	struct wr w = wr(buf, sizeof(buf));
	struct frame_meta meta = { .gso = b->gso, .gso_size = b->size,
				   .needs_csum = b->partial };
	struct span pieces[2];
	uint16_t field;
	csum_t sum;
	uint8_t *l4;

	eth_emit(&w, &eth);
	ip_emit(&w, &ip, 20 + b->data);
	l4 = w.p;
	l4[1] = 7;
	l4[3] = 80;
	l4[12] = 0x50;
	l4[13] = TCP_ACK;
	meta.csum_start = (uint16_t)(l4 - buf + b->lies);
	meta.csum_offset = TCP_CSUM_OFFSET;
	memset(l4 + 20, 'x', b->data);
	sum = csum_pseudo(0, &ip.src, &ip.dst, PROTO_TCP,
			  (uint32_t)(20 + b->data));
	field = b->partial ? csum_fold(sum) :
			     csum_finish(csum_add(sum, l4, 20 + b->data));
	l4[16] = (uint8_t)(field >> 8);
	l4[17] = (uint8_t)field;
	pieces[0] = (struct span){ .p = l4 + 20 + b->data - far,
				   .len = far / 3 };
	pieces[1] = (struct span){ .p = (uint8_t *)pieces[0].p + far / 3,
				   .len = far - far / 3 };
	meta.far = b->far ? pieces : NULL;
	meta.far_bytes = far;
	town_frame(t, from, &meta, buf,
		   (size_t)(l4 - buf) + 20 + b->data - far);
}

static void check_batches(void)
{
	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		const struct batch *b = &batches[i];
		struct town t = town_start(2);
		const struct segment syn = {
			.from = &t.citizen[0], .to = &t.citizen[1],
			.src = 7, .dst = 80, .flags = TCP_SYN,
		};
		struct ip_packet ip;
		struct eth eth;
		uint64_t before;

		segment(&t, &syn);
		before = drops(&t, b->drop);
		send_batch(&t, b);
		CHECK(b->name, drops(&t, b->drop) == before + 1);
		ip = at_link(&t, 1, &eth);
		if (b->drop == DROP_OK)
			CHECK(b->name, ip.payload.len == 20 + b->data &&
			      ip.payload.p[19 + b->data] == 'x' &&
			      t.r.fake->meta.gso_size == b->size_there &&
			      (!b->size_there ||
			       t.r.fake->meta.hdr_len == 54) &&
			      t.r.fake->meta.needs_csum == b->partial);
		else
			CHECK(b->name, t.r.fake->link_frames[1] == 1);
		CHECK(b->name, t.r.fake->link_frames[0] ==
			       (b->drop == DROP_TOOBIG));
		town_end(&t, b->name);
	}
}

/* In fragments as it has come. */
static void check_fragments(void)
{
	struct town t = town_start(2);
	uint8_t l4[3008];
	struct wr w = wr(l4, sizeof(l4));
	struct ip_packet ip = {
		.src = t.citizen[0].ip4, .dst = t.citizen[1].ip4,
		.proto = PROTO_UDP, .ttl = 64, .frag_id = 77,
	};
	uint16_t sum;

	udp_emit(&w, 5, 6, 3000, 0);
	memset(l4 + 8, 'f', 3000);
	sum = csum_finish(csum_add(csum_pseudo(0, &ip.src, &ip.dst, PROTO_UDP,
					       sizeof(l4)), l4, sizeof(l4)));
	l4[6] = (uint8_t)(sum >> 8);
	l4[7] = (uint8_t)sum;
	for (unsigned at = 0; at < sizeof(l4); at += 1000) {
		const size_t left = sizeof(l4) - at;

		ip.frag_offset = (uint16_t)at;
		ip.more = left > 1000;
		town_packet(&t, &t.citizen[0], &t.citizen[1].mac, &ip,
			    l4 + at, left < 1000 ? left : 1000, 0);
	}
	CHECK("all that fit", t.r.fake->link_frames[1] == 3);
	town_end(&t, "fragments");
}

/* ---- neighbours ---- */

struct question {
	const char *name;
	unsigned from;
	const struct mac *to;		/* NULL: everyone */
	struct arp arp;
	int link;			/* where it comes to; -1: nowhere */
	enum drop drop;
};

static void arp(struct town *t, const struct question *q)
{
	const struct eth eth = { .dst = q->to ? *q->to : everyone,
				 .src = t->citizen[q->from].mac,
				 .type = ETH_ARP };
	const struct frame_meta meta = { 0 };
	uint8_t buf[ETH_HEADER_BYTES + ARP_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	const uint64_t before = drops(t, q->drop), frames = t->r.fake->frames;

	eth_emit(&w, &eth);
	arp_emit(&w, &q->arp);
	town_frame(t, &t->citizen[q->from], &meta, buf, sizeof(buf));
	CHECK(q->name, drops(t, q->drop) == before + 1);
	CHECK(q->name, t->r.fake->frames == frames + (q->link >= 0));
	if (q->link >= 0)
		CHECK(q->name, t->r.fake->link == (unsigned)q->link);
}

static void check_arp(bool isolate)
{
	struct town t = town_begin(3, isolate);
	const struct citizen *a = &t.citizen[0], *b = &t.citizen[1],
			     *c = &t.citizen[2];
	const struct ip gateway = t.r.net->setup.gateway4, none = ip_from_v4(0);
	const struct question questions[] = {
		{ "who has b", 0, NULL, { ARP_REQUEST, a->mac, { { 0 } },
		  a->ip4, b->ip4 }, isolate ? 0 : 1, DROP_OK },
		{ "b has it", 1, &a->mac, { ARP_REPLY, b->mac, a->mac,
		  b->ip4, a->ip4 }, isolate ? -1 : 0, DROP_OK },
		{ "who has the gateway's", 1, NULL, { ARP_REQUEST, b->mac,
		  { { 0 } }, b->ip4, gateway }, 1, DROP_OK },
		{ "a probe for b's", 2, NULL, { ARP_REQUEST, c->mac,
		  { { 0 } }, none, b->ip4 }, isolate ? -1 : 1, DROP_OK },
		{ "b defends it", 1, &c->mac, { ARP_REPLY, b->mac, c->mac,
		  b->ip4, none }, isolate ? -1 : 2, DROP_OK },
		{ "of its own", 0, NULL, { ARP_REQUEST, a->mac, { { 0 } },
		  a->ip4, a->ip4 }, -1, DROP_OK },
		{ "c as the gateway", 2, &a->mac, { ARP_REPLY, c->mac, a->mac,
		  gateway, a->ip4 }, -1, isolate ? DROP_OK : DROP_SOURCE },
		{ "c as b", 2, &a->mac, { ARP_REPLY, c->mac, a->mac, b->ip4,
		  a->ip4 }, -1, isolate ? DROP_OK : DROP_SOURCE },
		{ "c with b's MAC", 2, &a->mac, { ARP_REPLY, b->mac, a->mac,
		  c->ip4, a->ip4 }, -1, isolate ? DROP_OK : DROP_SOURCE },
	};

	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		arp(&t, &questions[i]);
	town_end(&t, "ARP");
}

static void ndp(struct town *t, unsigned from, const struct ip *src,
		const struct ip *dst, uint8_t type, const struct ip *target,
		const struct mac *mac)
{
	const struct ip_packet ip = { .v6 = true, .src = *src, .dst = *dst,
				      .proto = PROTO_ICMP6, .ttl = 255 };
	const struct mac to = { { 0x33, 0x33, dst->b[12], dst->b[13],
				  dst->b[14], dst->b[15] } };
	const bool advert = type == NDP_NEIGHBOR_ADVERT;
	uint8_t l4[32] = { type, [4] = advert ? 0x20 : 0,
			   [24] = advert ? 2 : 1, 1 };

	memcpy(l4 + 8, target->b, 16);
	memcpy(l4 + 26, mac->b, 6);
	town_packet(t, &t->citizen[from], &to, &ip, l4,
		    ip_is_unspecified(src) ? 24 : 32, 2);
}

static void check_ndp(void)
{
	const struct ip all = { .b = { 0xff, 2, [15] = 1 } }, none = { { 0 } };
	const struct ip node = { .b = { 0xff, 2, [11] = 1, 0xff, 0, 0, 3 } };
	struct town t = town_start(3);
	const struct citizen *a = &t.citizen[0], *b = &t.citizen[1],
			     *c = &t.citizen[2];
	const uint64_t *at = t.r.fake->link_frames;

	for (unsigned i = 0; i < 3; i++)	/* up, each with an address */
		udp(&t, i, (i + 1) % 3, 1, 1);
	memset(t.r.fake->link_frames, 0, sizeof(t.r.fake->link_frames));
	ndp(&t, 0, &a->ip6, &node, NDP_NEIGHBOR_SOLICIT, &b->ip6, &a->mac);
	CHECK("who has b", at[1] == 1 && !at[0] && !at[2]);
	ndp(&t, 1, &b->ip6, &a->ip6, NDP_NEIGHBOR_ADVERT, &b->ip6, &b->mac);
	CHECK("b has it", at[0] == 1);
	ndp(&t, 2, &none, &node, NDP_NEIGHBOR_SOLICIT, &b->ip6, &c->mac);
	CHECK("may c have it", at[1] == 2 && !at[2]);
	ndp(&t, 1, &b->ip6, &all, NDP_NEIGHBOR_ADVERT, &b->ip6, &b->mac);
	CHECK("all are told", at[0] == 2 && at[1] == 2 && at[2] == 1);
	ndp(&t, 2, &c->ip6, &a->ip6, NDP_NEIGHBOR_ADVERT, &b->ip6, &c->mac);
	ndp(&t, 2, &c->ip6, &a->ip6, NDP_NEIGHBOR_ADVERT,
	    &t.r.net->setup.gateway6, &c->mac);
	ndp(&t, 2, &c->ip6, &a->ip6, NDP_NEIGHBOR_ADVERT, &c->ip6, &b->mac);
	ndp(&t, 2, &b->ip6, &a->ip6, NDP_NEIGHBOR_ADVERT, &c->ip6, &c->mac);
	CHECK("not for others", at[0] == 2 && drops(&t, DROP_SOURCE) == 4);
	ndp(&t, 2, &c->ip6, &all, NDP_ROUTER_ADVERT, &none, &c->mac);
	CHECK("no router", at[0] == 2 && at[1] == 2 &&
	      drops(&t, DROP_ROLE) == 1);
	town_end(&t, "NDP");
}

/* ---- what may not be ---- */

static const struct network_rules with = { .keep_flows = false };

static void check_isolated(void)
{
	struct town t = town_begin(2, true);
	const struct segment s = { .from = &t.citizen[0], .to = &t.citizen[1],
				   .src = 7, .dst = 80, .flags = TCP_SYN };
	struct ip_packet ip;
	struct eth eth;

	segment(&t, &s);
	ip = at_link(&t, 0, &eth);
	CHECK("told", ip.proto == PROTO_ICMP && ip.payload.p[0] == 3 &&
	      ip.payload.p[1] == 13);
	CHECK("counted", drops(&t, DROP_ISOLATED) == 1 &&
	      !t.r.fake->link_frames[1] && !t.r.net->switched);
	town_end(&t, "isolated");
}

static void check_rules(void)
{
	static const char *const texts[] = {
		"[rule a]\naction = block\ndirection = out\nguest = one\n",
		("[rule b]\naction = block\ndirection = in\nguest = two\n"
		 "remoteAddress = 172.20.0.3\n"),
		"[rule c]\naction = block\ndirection = in\nguest = one\n",
	};

	for (unsigned i = 0; i < 3; i++) {
		struct town t = town_start(3);
		const bool passes = i == 2;

		fake_set_rules_text(t.r.net, &t.r.fake->setup, texts[i], &with,
				    t.now);
		udp(&t, 1, 2, 5, 6);
		CHECK(texts[i], (t.r.fake->link_frames[2] == 1) == passes);
		CHECK(texts[i], drops(&t, DROP_FIREWALL) == !passes);
		CHECK("told", t.r.fake->blocked == !passes);
		udp(&t, 2, 1, 6, 5);
		CHECK("the other way", t.r.fake->link_frames[1] == 1);
		town_end(&t, texts[i]);
	}
}

/* Rules that change are asked about what lives. */
static void check_sweep(void)
{
	struct town t = town_start(3);
	uint8_t ask[12] = { 8, 0, 0, 0, 1, 2 };

	udp(&t, 1, 2, 5, 6);
	icmp(&t, 1, 2, ask, sizeof(ask));
	udp(&t, 0, 2, 5, 6);
	CHECK("three", t.r.net->switched == 3);
	fake_set_rules_text(t.r.net, &t.r.fake->setup, "[rule a]\n"
			    "action = block\ndirection = in\nguest = two\n"
			    "remoteAddress = 172.20.0.3\n", &with, t.now);
	network_turn_end(t.r.net, t.now);
	CHECK("one", t.r.net->switched == 1);
	network_check(t.r.net);
	town_end(&t, "sweep");
}

void test_network_switch(void);
void test_network_switch(void)
{
	for (unsigned i = 0; i < 4; i++)
		check_tcp(i & 1, i & 2);
	check_strays();
	check_limit();
	check_udp();
	check_echo();
	check_other();
	check_batches();
	check_fragments();
	check_arp(false);
	check_arp(true);
	check_ndp();
	check_isolated();
	check_rules();
	check_sweep();
}
