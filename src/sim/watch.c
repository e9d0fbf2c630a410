/* SPDX-License-Identifier: MIT */
/*
 * sim/watch.c - every frame that the gateway emits, before the link's doing
 *
 * Fragments of one datagram leave the gateway in a row, so they are put
 * together here without a thought of loss.
 */
#include <string.h>

#include "base/csum.h"
#include "sim/world.h"
#include "wire/dns.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/udp.h"

static uint8_t whole[FRAME_MAX_BYTES];	/* a datagram of fragments */
static size_t whole_bytes;

/* Is the checksum right, or what the link can make right? */
static bool checksum_ok(const struct frame_meta *meta,
			const struct ip_packet *ip, const uint8_t *frame,
			unsigned offset)
{
	const size_t l4 = (size_t)(ip->payload.p - frame);
	const csum_t pseudo = ip->proto == PROTO_ICMP ? 0 :
		csum_pseudo(0, &ip->src, &ip->dst, ip->proto,
			    (uint32_t)ip->payload.len);
	struct rd r = rd(ip->payload.p, ip->payload.len);

	rd_bytes(&r, offset);
	if (!meta->needs_csum)
		return csum_fold(csum_add(pseudo, ip->payload.p,
					  ip->payload.len)) == 0xffff;
	return meta->csum_start == l4 && meta->csum_offset == offset &&
	       rd_be16(&r) == csum_fold(pseudo);
}

static void see_tcp(struct world *w, const struct frame_meta *meta,
		    const struct ip_packet *ip)
{
	struct tcp_segment s;
	unsigned i, most;

	if (tcp_parse(ip->payload, &s) != DROP_OK) {
		world_fail(w, "a malformed segment");
		return;
	}
	i = (unsigned)(s.dst_port - WORLD_GUEST_PORT);
	if (i >= w->plan.conns)
		return;			/* an answer to noise */
	most = w->plan.conn[i].guest_mss;
	most = !most ? (ip->v6 ? 1220 : 536) : most < 48 ? 48 : most;
	if ((meta->gso ? meta->gso_size : s.data.len) > most)
		world_fail(w, "a segment over the guest's MSS %u", most);
	if (meta->gso && s.data.len <= meta->gso_size)
		world_fail(w, "a batch of one segment");
}

static void see_answer(struct world *w, unsigned i, const struct udp *udp)
{
	w->asks[i].answered++;
	resolver_check(w, i, w->plan.ask[i].own, true, udp->data);
}

static void see_udp(struct world *w, const struct ip_packet *ip,
		    struct view payload)
{
	struct udp udp;
	unsigned i;

	if (udp_parse(payload, &udp) != DROP_OK) {
		world_fail(w, "a malformed datagram");
		return;
	}
	i = (unsigned)(udp.dst_port - WORLD_ASK_PORT);
	if (udp.src_port == WORLD_PORT_DNS && i < w->plan.asks) {
		see_answer(w, i, &udp);
		return;
	}
	i = (unsigned)(udp.src_port - WORLD_CHAT_PORT);
	if (i < w->plan.chats) {
		const struct plan_chat *c = &w->plan.chat[i];
		const struct ip from = world_peer(w, c->v6, c->via_gateway, i);

		w->chats[i].emitted++;
		if (!ip_equal(&ip->src, &from) ||
		    udp.dst_port != WORLD_CHAT_GUEST + c->guest_port ||
		    udp.data.len != c->reply_bytes ||
		    !pattern_is(PATTERN_CHAT(i, false), 0, udp.data.p,
				udp.data.len))
			world_fail(w, "chat %u: a wrong answer", i);
		return;
	}
	if (w->plan.garbage || w->plan.corrupt)
		return;
	world_fail(w, "a datagram of nobody's, ports %u to %u", udp.src_port,
		   udp.dst_port);
}

/* Datagrams in one frame, each with the header as it will be cut. */
static void see_batch(struct world *w, const struct frame_meta *meta,
		      const struct ip_packet *ip)
{
	static uint8_t one[FRAME_MAX_BYTES];
	const size_t size = meta->gso_size;
	struct udp all;

	if (udp_parse(ip->payload, &all) != DROP_OK || !size ||
	    all.data.len <= size ||
	    meta->gso != (ip->v6 ? FRAME_GSO_UDP6 : FRAME_GSO_UDP4) ||
	    meta->hdr_len + size - ETH_HEADER_BYTES > w->plan.mtu) {
		world_fail(w, "a wrong batch of datagrams");
		return;
	}
	for (size_t at = 0; at < all.data.len; at += size) {
		const size_t left = all.data.len - at;
		const size_t len = left < size ? left : size;
		struct wr out = wr(one, sizeof(one));

		udp_emit(&out, all.src_port, all.dst_port, len, 0);
		wr_bytes(&out, all.data.p + at, len);
		see_udp(w, ip, (struct view){ .p = one,
					      .len = (size_t)(out.p - one) });
	}
}

static void see_fragment(struct world *w, const struct ip_packet *ip)
{
	struct ip_packet full = *ip;

	if (ip->frag_offset == 0)
		whole_bytes = 0;
	if (ip->frag_offset != whole_bytes ||
	    whole_bytes + ip->payload.len > sizeof(whole)) {
		world_fail(w, "a fragment at %u, not %zu", ip->frag_offset,
			   whole_bytes);
		return;
	}
	memcpy(whole + whole_bytes, ip->payload.p, ip->payload.len);
	whole_bytes += ip->payload.len;
	if (ip->more) {
		if (ip->payload.len % 8)
			world_fail(w, "a fragment not of eights");
		return;
	}
	full.payload = (struct view){ .p = whole, .len = whole_bytes };
	if (csum_fold(csum_add(csum_pseudo(0, &ip->src, &ip->dst, PROTO_UDP,
					   (uint32_t)whole_bytes), whole,
			       whole_bytes)) != 0xffff)
		world_fail(w, "a wrong checksum of fragments");
	see_udp(w, &full, full.payload);
}

/* An echo reply: to a ping of ours? */
static void see_echo(struct world *w, const struct ip_packet *ip,
		     const struct icmp_echo *echo)
{
	const unsigned i = (unsigned)(echo->id - WORLD_PING_ID);
	const struct plan_chat *c;
	struct ip from;

	if (i >= w->plan.pings)
		return;
	c = &w->plan.ping[i];
	from = world_peer(w, c->v6, c->via_gateway, 50 + i);
	w->pings[i].emitted++;
	if (!echo->reply || !ip_equal(&ip->src, &from) ||
	    echo->data.len != c->bytes ||
	    !pattern_is(PATTERN_PING(i), echo->seq, echo->data.p,
			echo->data.len))
		world_fail(w, "ping %u: a wrong reply", i);
}

/* An ICMP error: whose packet does it quote? */
static void see_error(struct world *w, const struct ip_packet *ip)
{
	struct rd r = rd(ip->payload.p, ip->payload.len);
	const uint8_t type = rd_u8(&r), code = rd_u8(&r);
	const bool port = type == (ip->v6 ? 1 : 3) && code == (ip->v6 ? 4 : 3);
	struct ip_packet quote = { 0 };
	uint16_t src, dst;

	rd_bytes(&r, 6);
	quote.proto = r.left > 9 ? r.p[ip->v6 ? 6 : 9] : 0;
	rd_bytes(&r, ip_header_bytes(&ip->src));
	src = rd_be16(&r);
	dst = rd_be16(&r);
	if (quote.proto == PROTO_UDP && port &&
	    dst - WORLD_CHAT_PORT < (int)w->plan.chats &&
	    dst >= WORLD_CHAT_PORT) {
		w->chats[dst - WORLD_CHAT_PORT].errors_told++;
		if (src != WORLD_CHAT_GUEST +
			   w->plan.chat[dst - WORLD_CHAT_PORT].guest_port)
			world_fail(w, "an error quotes port %u", src);
	}
	if (quote.proto != ip->proto || !port)
		return;
	src = rd_be16(&r);		/* the echo's identifier */
	if (src >= WORLD_PING_ID && src - WORLD_PING_ID < (int)w->plan.pings)
		w->pings[src - WORLD_PING_ID].errors_told++;
}

static void see_packet(struct world *w, const struct frame_meta *meta,
		       const struct ip_packet *ip, const uint8_t *frame)
{
	static const uint8_t offsets[] = {
		[PROTO_ICMP] = 2, [PROTO_TCP] = TCP_CSUM_OFFSET,
		[PROTO_UDP] = UDP_CSUM_OFFSET, [PROTO_ICMP6] = 2,
	};
	struct icmp_echo echo;

	if (ip->proto >= sizeof(offsets) || !offsets[ip->proto]) {
		world_fail(w, "a packet of protocol %u", ip->proto);
		return;
	}
	if (ip->fragment) {
		see_fragment(w, ip);
		return;
	}
	if (!checksum_ok(meta, ip, frame, offsets[ip->proto]))
		world_fail(w, "a wrong checksum, protocol %u", ip->proto);
	if (ip->proto == PROTO_TCP)
		see_tcp(w, meta, ip);
	else if (ip->proto == PROTO_UDP && meta->gso)
		see_batch(w, meta, ip);
	else if (ip->proto == PROTO_UDP)
		see_udp(w, ip, ip->payload);
	else if (icmp_parse_echo(ip, &echo) == DROP_OK)
		see_echo(w, ip, &echo);
	else
		see_error(w, ip);
}

/* Is it of that guest's, and does it come to nobody else? */
static bool is_its_own(const struct world *w, unsigned link,
		       const struct eth *eth, const struct ip_packet *ip)
{
	const struct mac mac = world_guest_mac(w, link);
	const struct ip own = world_guest_ip(w, link, ip->v6);

	return ip_is_multicast(&ip->dst) ||
	       (mac_equal(&eth->dst, &mac) && ip_equal(&ip->dst, &own));
}

/* From another guest: what it says is heard by whom it is for. */
static void see_neighbour(struct world *w, const struct frame_meta *meta,
			  const struct eth *eth, const struct ip_packet *ip)
{
	const size_t all = ip->whole.len;
	unsigned from = 0;
	struct mac mac;

	do
		mac = world_guest_mac(w, from);
	while (!mac_equal(&eth->src, &mac) && ++from < w->plan.guests);
	if (from == w->plan.guests)
		world_fail(w, "a frame of a guest that there is not");
	if (meta->gso ? meta->hdr_len + (size_t)meta->gso_size -
			ETH_HEADER_BYTES > w->plan.mtu :
			all > w->plan.mtu)
		world_fail(w, "a guest's packet of %zu bytes over the MTU",
			   all);
	if (meta->gso && meta->hdr_len != ETH_HEADER_BYTES + 20u +
					  ip_header_bytes(&ip->src))
		world_fail(w, "a guest's batch with headers of %u bytes",
			   meta->hdr_len);
	if (meta->needs_csum && meta->csum_start != ETH_HEADER_BYTES + all -
						    ip->payload.len)
		world_fail(w, "a guest's checksum elsewhere");
}

void watch_frame(struct world *w, unsigned link,
		 const struct frame_meta *meta, const uint8_t *frame,
		 size_t len)
{
	struct rd r = rd(frame, len);
	struct ip_packet ip;
	struct eth eth;

	if (eth_parse(&r, &eth) != DROP_OK ||
	    (w->plan.guests == 1 &&
	     !mac_equal(&eth.src, &w->setup.gateway_mac))) {
		world_fail(w, "a frame without the right Ethernet header");
		return;
	}
	if (eth.type == ETH_ARP)
		return;			/* an answer to noise */
	if (ip_parse_packet(r, eth.type == ETH_IPV6, &ip) != DROP_OK) {
		world_fail(w, "a malformed IP packet");
		return;
	}
	if (w->plan.guests > 1 && !is_its_own(w, link, &eth, &ip))
		world_fail(w, "a frame on link %u that is another's", link);
	if (!mac_equal(&eth.src, &w->setup.gateway_mac)) {
		see_neighbour(w, meta, &eth, &ip);
		return;
	}
	if (len != ETH_HEADER_BYTES + ip.whole.len || len > FRAME_MAX_BYTES)
		world_fail(w, "a frame of %zu bytes", len);
	if (!meta->gso && ip.whole.len > w->plan.mtu)
		world_fail(w, "a packet of %zu bytes over the MTU",
			   ip.whole.len);
	see_packet(w, meta, &ip, frame);
}
