/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/wire.c - the parsers of wire/, but DNS
 *
 * What a parser accepts, its emitter writes and the parser reads again as
 * the same value. What it points to lies in the input. What it refuses, it
 * leaves alone.
 */
#include <string.h>

#include "base/csum.h"
#include "fuzz/fuzz.h"
#include "wire/agent.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ndp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

static bool inside(struct view v, const uint8_t *data, size_t size)
{
	return !v.len || (v.p >= data && v.len <= size &&
			  (size_t)(v.p - data) <= size - v.len);
}

static bool same_bytes(struct view a, struct view b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

void fuzz_eth(const uint8_t *data, size_t size)
{
	struct rd r = rd(data, size);
	uint8_t buf[ETH_HEADER_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	struct eth e;

	if (eth_parse(&r, &e) != DROP_OK)
		return;
	PROPERTY(r.left == size - ETH_HEADER_BYTES);
	eth_emit(&w, &e);
	PROPERTY(!w.bad && !w.left);
	PROPERTY(!memcmp(buf, data, sizeof(buf)));
}

void fuzz_arp(const uint8_t *data, size_t size)
{
	uint8_t buf[ARP_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	struct arp a = { .op = ARP_REPLY };

	if (arp_parse(rd(data, size), &a) != DROP_OK)
		return;
	arp_emit(&w, &a);
	PROPERTY(!w.bad && !w.left);
	PROPERTY(!memcmp(buf, data, sizeof(buf)));
	/* Cut short it is refused. */
	PROPERTY(arp_parse(rd(data, ARP_BYTES - 1), &a) == DROP_SHORT);
}

/* ---- IP ---- */

/* The first byte says what is mended before the parser sees it. */
enum { IP_V6 = 1, IP_SUM = 2, IP_LENGTH = 4 };

static void mend_ip(uint8_t *p, size_t size, uint8_t how)
{
	const size_t header = (size_t)(p[0] & 15) * 4;
	uint16_t v;

	if (how & IP_LENGTH) {
		v = (uint16_t)(how & IP_V6 ? size - 40 : size);
		p[how & IP_V6 ? 4 : 2] = (uint8_t)(v >> 8);
		p[how & IP_V6 ? 5 : 3] = (uint8_t)v;
	}
	if (how & IP_V6 || !(how & IP_SUM) || header > size || header < 20)
		return;
	p[10] = p[11] = 0;
	v = csum_finish(csum_add(0, p, header));
	p[10] = (uint8_t)(v >> 8);
	p[11] = (uint8_t)v;
}

static bool is_extension(uint8_t proto)
{
	return proto == 0 || proto == 43 || proto == 44 || proto == 60;
}

static void ip_round_trip(const struct ip_packet *p)
{
	static uint8_t buf[IPV6_HEADER_BYTES + 65536];
	struct wr w = wr(buf, sizeof(buf));
	const size_t header = ip_header_bytes(&p->src) +
			      (p->v6 && p->fragment ? IPV6_FRAGMENT_BYTES : 0);
	struct ip_packet q;

	/* No payload, or what reads as more headers: not what we emit. */
	if (p->v6 && ((!p->payload.len && !p->fragment) ||
		      is_extension(p->proto)))
		return;
	ip_emit(&w, p, p->payload.len);
	PROPERTY(sizeof(buf) - w.left == header);
	wr_bytes(&w, p->payload.p, p->payload.len);
	PROPERTY(!w.bad);
	PROPERTY(ip_parse_packet(rd(buf, sizeof(buf) - w.left), p->v6, &q) ==
		 DROP_OK);
	PROPERTY(ip_equal(&p->src, &q.src) && ip_equal(&p->dst, &q.dst));
	PROPERTY(p->proto == q.proto && p->ttl == q.ttl && p->tos == q.tos);
	PROPERTY(same_bytes(p->payload, q.payload));
	PROPERTY(p->dont_fragment == q.dont_fragment && p->more == q.more);
	PROPERTY(p->fragment == q.fragment);
	PROPERTY(p->frag_offset == q.frag_offset);
	if (!p->v6 || p->fragment)
		PROPERTY(p->frag_id == q.frag_id);
}

void fuzz_ip(const uint8_t *data, size_t size)
{
	struct ip_packet p = { .ttl = 77 };
	const uint8_t how = size ? data[0] : 0;
	uint8_t *copy;

	if (size < 1 + IPV6_HEADER_BYTES)
		return;
	copy = malloc(--size);
	if (!copy)
		abort();
	memcpy(copy, data + 1, size);
	mend_ip(copy, size, how);
	if (ip_parse_packet(rd(copy, size), how & IP_V6, &p) == DROP_OK) {
		PROPERTY(p.v6 == (how & IP_V6));
		PROPERTY(p.whole.p == copy && inside(p.whole, copy, size));
		PROPERTY(inside(p.payload, copy, p.whole.len));
		PROPERTY(p.fragment == (p.more || p.frag_offset));
		/* One byte less than it says: cut off. */
		PROPERTY(ip_parse_packet(rd(copy, p.whole.len - 1), p.v6,
					 &p) == DROP_SHORT);
		(void)icmp_may_answer(&p);
		ip_round_trip(&p);
	} else {
		PROPERTY(p.ttl == 77);
	}
	free(copy);
}

/* ---- TCP, UDP ---- */

static void tcp_same(const struct tcp_segment *s, const struct tcp_segment *t)
{
	PROPERTY(s->src_port == t->src_port && s->dst_port == t->dst_port);
	PROPERTY(s->seq == t->seq && s->ack == t->ack);
	PROPERTY(s->flags == t->flags && s->window == t->window);
	PROPERTY(s->urgent == t->urgent && s->mss == t->mss);
	PROPERTY(s->wscale == t->wscale && s->sack_ok == t->sack_ok);
	PROPERTY(s->has_ts == t->has_ts);
	PROPERTY(s->ts_val == t->ts_val && s->ts_ecr == t->ts_ecr);
	/* Blocks that no longer fit are left out. */
	PROPERTY(t->sacks <= s->sacks && s->sacks <= TCP_SACK_MAX);
	for (unsigned i = 0; i < t->sacks; i++)
		PROPERTY(s->sack[i].from == t->sack[i].from &&
			 s->sack[i].to == t->sack[i].to);
}

void fuzz_tcp(const uint8_t *data, size_t size)
{
	const struct view l4 = { .p = data, .len = size };
	struct tcp_segment s = { .seq = 77 }, t;
	uint8_t buf[TCP_MAX_HEADER_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	size_t len;

	if (tcp_parse(l4, &s) != DROP_OK) {
		PROPERTY(s.seq == 77);
		return;
	}
	PROPERTY(inside(s.data.near, data, size));
	PROPERTY(s.data.len == s.data.near.len);
	PROPERTY(s.wscale <= 14 || s.wscale == TCP_NO_WSCALE);
	tcp_emit(&w, &s, 0x1234);
	len = sizeof(buf) - w.left;
	PROPERTY(!w.bad && len == tcp_header_bytes(&s));
	PROPERTY(len % 4 == 0 && len >= TCP_HEADER_BYTES);
	PROPERTY(tcp_parse((struct view){ .p = buf, .len = len }, &t) ==
		 DROP_OK);
	PROPERTY(!t.data.len);
	tcp_same(&s, &t);
}

void fuzz_udp(const uint8_t *data, size_t size)
{
	const struct view l4 = { .p = data, .len = size };
	struct udp u = { .src_port = 77 };
	uint8_t buf[UDP_HEADER_BYTES];
	struct wr w = wr(buf, sizeof(buf));

	if (udp_parse(l4, &u) != DROP_OK) {
		PROPERTY(u.src_port == 77 && !u.data.len);
		return;
	}
	PROPERTY(inside(u.data, data, size));
	PROPERTY(u.data.len <= size - UDP_HEADER_BYTES);
	udp_emit(&w, u.src_port, u.dst_port, u.data.len,
		 (uint16_t)(data[6] << 8 | data[7]));
	PROPERTY(!w.bad && !w.left && !memcmp(buf, data, sizeof(buf)));
	PROPERTY(u.no_csum == (!data[6] && !data[7]));
}

/* ---- ICMP ---- */

/*
 * A packet around the rest of the input. First come flags, the hop limit
 * and, for each address, its first and last two bytes.
 */
enum { PACKET_V6 = 1, PACKET_SUM = 2, PACKET_HOPS = 4 };

static struct ip read_address(struct rd *r, bool v6)
{
	struct ip ip = { { 0 } };

	if (!v6)
		return ip_from_v4(rd_be32(r));
	ip.b[0] = rd_u8(r);
	ip.b[1] = rd_u8(r);
	ip.b[14] = rd_u8(r);
	ip.b[15] = rd_u8(r);
	return ip;
}

/* The payload is a copy, to be freed. */
static struct ip_packet read_packet(struct rd *r)
{
	const uint8_t how = rd_u8(r), hops = rd_u8(r);
	struct ip_packet p = {
		.v6 = how & PACKET_V6,
		.proto = how & PACKET_V6 ? PROTO_ICMP6 : PROTO_ICMP,
		.ttl = how & PACKET_HOPS ? hops : 255,
	};
	uint8_t *copy;
	uint16_t v;

	p.src = read_address(r, p.v6);
	p.dst = read_address(r, p.v6);
	copy = malloc(r->left + !r->left);
	if (!copy)
		abort();
	if (r->left)
		memcpy(copy, r->p, r->left);
	if (how & PACKET_SUM && r->left >= 4) {
		copy[2] = copy[3] = 0;
		v = csum_finish(csum_add(csum_pseudo(0, &p.src, &p.dst,
						     p.proto,
						     (uint32_t)r->left),
					 copy, r->left));
		copy[2] = (uint8_t)(v >> 8);
		copy[3] = (uint8_t)v;
	}
	p.payload = (struct view){ .p = copy, .len = r->left };
	return p;
}

/* An ICMP message from src to dst with its checksum right. */
static bool sum_ok(const struct ip *src, const struct ip *dst,
		   const uint8_t *msg, size_t len)
{
	const csum_t sum = ip_is4(src) ? 0 :
		csum_pseudo(0, src, dst, PROTO_ICMP6, (uint32_t)len);

	return csum_fold(csum_add(sum, msg, len)) == 0xffff;
}

static void icmp_errors(const struct ip_packet *p)
{
	uint8_t buf[1500];

	for (enum icmp_error e = 0; e < ICMP_ERROR_MAX; e++) {
		struct wr w = wr(buf, sizeof(buf));
		size_t len;

		icmp_emit_error(&w, &p->src, &p->dst, e, 70000, p->payload);
		len = sizeof(buf) - w.left;
		PROPERTY(!w.bad && len >= ICMP_HEADER_BYTES && len <= 1280);
		PROPERTY(sum_ok(&p->src, &p->dst, buf, len));
	}
}

void fuzz_icmp(const uint8_t *data, size_t size)
{
	static uint8_t buf[65536];
	struct rd r = rd(data, size);
	struct ip_packet p = read_packet(&r), q = p;
	struct wr w = wr(buf, sizeof(buf));
	struct icmp_echo e = { .id = 77, .seq = 78 }, f;

	(void)icmp_may_answer(&p);
	/* Mapped addresses are IPv4's: never in IPv6 packets. */
	icmp_errors(&p);
	if (icmp_parse_echo(&p, &e) != DROP_OK) {
		PROPERTY(e.id == 77 && e.seq == 78);
	} else if (e.data.len < 65000) {
		PROPERTY(inside(e.data, p.payload.p, p.payload.len));
		icmp_emit_echo(&w, &p.src, &p.dst, &e);
		PROPERTY(!w.bad);
		q.payload = (struct view){ .p = buf,
					   .len = sizeof(buf) - w.left };
		PROPERTY(sum_ok(&p.src, &p.dst, buf, q.payload.len));
		PROPERTY(icmp_parse_echo(&q, &f) == DROP_OK);
		PROPERTY(e.reply == f.reply && e.id == f.id && e.seq == f.seq);
		PROPERTY(same_bytes(e.data, f.data));
	}
	free((void *)(uintptr_t)p.payload.p);
}

static void ndp_round_trip(const struct ip_packet *p, const struct ndp *n)
{
	uint8_t buf[64];
	struct wr w = wr(buf, sizeof(buf));
	struct ip_packet q = *p;
	struct ndp m;

	ndp_emit_advert(&w, &p->src, &p->dst, n);
	PROPERTY(!w.bad);
	q.payload = (struct view){ .p = buf, .len = sizeof(buf) - w.left };
	q.ttl = 255;
	PROPERTY(ndp_parse(&q, &m) == DROP_OK);
	PROPERTY(m.type == NDP_NEIGHBOR_ADVERT && m.has_mac);
	PROPERTY(ip_equal(&m.target, &n->target));
	PROPERTY(mac_equal(&m.mac, &n->mac));
	PROPERTY(m.router == n->router && m.solicited == n->solicited &&
		 m.override == n->override);
}

void fuzz_ndp(const uint8_t *data, size_t size)
{
	struct rd r = rd(data, size);
	struct ip_packet p = read_packet(&r);
	struct ndp n = { .type = NDP_ROUTER_ADVERT };

	if (!p.v6)
		goto out;
	if (ndp_parse(&p, &n) != DROP_OK) {
		PROPERTY(n.type == NDP_ROUTER_ADVERT);
		goto out;
	}
	PROPERTY(p.ttl == 255 && n.type != NDP_ROUTER_ADVERT);
	PROPERTY(n.type == NDP_ROUTER_SOLICIT || !ip_is_multicast(&n.target));
	if (n.type == NDP_NEIGHBOR_ADVERT)
		ndp_round_trip(&p, &n);
out:
	free((void *)(uintptr_t)p.payload.p);
}

/* ---- what a machine's agent says ---- */

void fuzz_agent(const uint8_t *data, size_t size)
{
	static uint8_t buf[AGENT_RUN_BYTES];
	const struct view whole = { .p = data, .len = size };
	const size_t bytes = agent_bytes(data, size);
	struct agent_message m = { .id = 77 }, n;
	struct wr w = wr(buf, sizeof(buf));

	PROPERTY(bytes <= AGENT_RUN_BYTES);
	if (agent_parse(whole, &m) != DROP_OK) {
		PROPERTY(m.id == 77 && !m.text.p);
		return;
	}
	PROPERTY(bytes == size);
	PROPERTY(inside(m.text, data, size) && inside(m.more, data, size));
	agent_emit(&w, &m);
	PROPERTY(!w.bad && sizeof(buf) - w.left == size);
	PROPERTY(!memcmp(buf, data, size));
	PROPERTY(agent_parse((struct view){ .p = buf, .len = size }, &n) ==
		 DROP_OK);
	PROPERTY(n.kind == m.kind && n.text.len == m.text.len);
}
