/* SPDX-License-Identifier: MIT */
/*
 * sim/guest.c - the guest's end of the link: frames in, frames out
 *
 * What arrives may be damaged; what is found to be so is thrown away as a
 * kernel does. What the gateway itself gets wrong sim/watch.c has seen.
 */
#include "sim/world.h"

#include "base/check.h"
#include "base/csum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/udp.h"

void sim_guest_send(struct world *w, const struct sim_packet *p,
		    const uint8_t *l4, size_t len)
{
	static uint8_t frame[FRAME_MAX_BYTES];
	const struct eth eth = { .dst = p->by ? *p->by : w->setup.gateway_mac,
				 .src = world_guest_mac(w, p->guest),
				 .type = p->v6 ? ETH_IPV6 : ETH_IPV4 };
	const struct ip_packet ip = {
		.src = world_guest_ip(w, p->guest, p->v6),
		.dst = p->dst, .proto = p->proto, .ttl = p->ttl,
	};
	struct frame_meta meta = {
		.needs_csum = p->offload, .gso = p->gso,
		.gso_size = p->gso_size, .csum_offset = p->csum_offset,
	};
	struct wr out = wr(frame, sizeof(frame)), field;
	csum_t sum = csum_pseudo(0, &ip.src, &ip.dst, p->proto,
				 (uint32_t)len);
	uint16_t v;

	eth_emit(&out, &eth);
	ip_emit(&out, &ip, len);
	meta.csum_start = (uint16_t)(out.p - frame);
	wr_bytes(&out, l4, len);
	ASSERT(!out.bad);
	if (p->proto != PROTO_ICMP && p->proto != PROTO_ICMP6) {
		v = p->offload ? csum_fold(sum) :
		    csum_finish(csum_add(sum, l4, len));
		field = wr(frame + meta.csum_start + p->csum_offset, 2);
		wr_be16(&field, v ? v : 0xffff);
	}
	link_to_gateway(w, p->guest, &meta, frame, (size_t)(out.p - frame),
			p->tag);
}

static void count(unsigned *whole, unsigned *bad, unsigned n, bool damaged)
{
	*(damaged ? bad : whole) += n;
}

void sim_guest_arrived(struct world *w, unsigned tag, bool damaged,
		       const uint8_t *frame, size_t len)
{
	const unsigned i = tag & 0xff;
	struct sim_count *c = &w->chats[i % PLAN_CHATS_MAX];
	struct sim_count *p = &w->pings[i % PLAN_PINGS_MAX];
	struct sim_ask *a = &w->asks[i % PLAN_ASKS_MAX];

	if ((tag & ~0xffu) == TAG_CHAT)
		count(&c->arrived, &c->damaged, w->plan.chat[i].batch,
		      damaged);
	else if ((tag & ~0xffu) == TAG_PING)
		count(&p->arrived, &p->damaged, 1, damaged);
	else if ((tag & ~0xffu) == TAG_ASK)
		count(&a->arrived, &a->damaged, 1, damaged);
	else if ((tag & ~0xffu) == TAG_CONN && !damaged)
		guest_tcp_arrived(w, i, frame, len);
}

static bool spoilt(const struct frame_meta *meta, const struct ip_packet *ip)
{
	const csum_t pseudo = csum_pseudo(0, &ip->src, &ip->dst, ip->proto,
					  (uint32_t)ip->payload.len);

	return !meta->needs_csum &&
	       csum_fold(csum_add(pseudo, ip->payload.p, ip->payload.len)) !=
	       0xffff;
}

/* Does that connection go there? */
static bool is_port_of(const struct world *w, unsigned conn, bool v6,
		       uint16_t to)
{
	const struct plan_conn *c = &w->plan.conn[conn];

	return c->v6 == v6 && to == (c->questions ? WORLD_PORT_DNS :
						    WORLD_PORT + conn);
}

/*
 * An ICMP error that ends a connect, as Linux has it: of a segment that the
 * guest has sent, not of one whose port was changed on the way.
 */
static void take_icmp(struct world *w, const struct ip_packet *ip)
{
	struct rd r = rd(ip->payload.p, ip->payload.len);
	const uint8_t type = rd_u8(&r), code = rd_u8(&r);
	const bool hard = ip->v6 ? type == 1 && code != 4 :
			  type == 3 && (code <= 1 || code == 13);
	uint8_t proto;
	uint16_t port, to;

	rd_bytes(&r, 6);
	proto = r.left > 9 ? r.p[ip->v6 ? 6 : 9] : 0;
	rd_bytes(&r, ip->v6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES);
	port = rd_be16(&r);
	to = rd_be16(&r);
	if (!r.bad && hard && proto == PROTO_TCP &&
	    port >= WORLD_GUEST_PORT &&
	    port < WORLD_GUEST_PORT + w->plan.conns &&
	    is_port_of(w, port - (unsigned)WORLD_GUEST_PORT, ip->v6, to))
		guest_tcp_refused(w, port - (unsigned)WORLD_GUEST_PORT);
}

void sim_guest_frame(struct world *w, unsigned guest,
		     const struct frame_meta *meta, const uint8_t *frame,
		     size_t len)
{
	const struct mac own = world_guest_mac(w, guest);
	struct rd r = rd(frame, len);
	struct tcp_segment s;
	struct ip_packet ip;
	struct eth eth;
	unsigned i;

	if (eth_parse(&r, &eth) != DROP_OK ||
	    !mac_equal(&eth.dst, &own) ||
	    ip_parse_packet(r, eth.type == ETH_IPV6, &ip) != DROP_OK)
		return;
	if (ip.proto == (ip.v6 ? PROTO_ICMP6 : PROTO_ICMP)) {
		take_icmp(w, &ip);
		return;
	}
	if (!spoilt(meta, &ip) && sim_talk_packet(w, guest, &ip))
		return;
	if (ip.proto != PROTO_TCP || spoilt(meta, &ip) ||
	    tcp_parse(ip.payload, &s) != DROP_OK)
		return;
	i = (unsigned)(s.dst_port - WORLD_GUEST_PORT);
	if (i < w->plan.conns && world_whose(w, i) == guest)
		guest_tcp_segment(w, i, &s);
}

void sim_guest_start(struct world *w)
{
	guest_tcp_start(w);
	guest_dgram_start(w);
}

void sim_guest_end(struct world *w)
{
	guest_tcp_end(w);
	guest_dgram_end(w);
}
