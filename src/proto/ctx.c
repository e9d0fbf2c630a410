/* SPDX-License-Identifier: MIT */
#include "proto/ctx.h"

#include "proto/share.h"

#define ERRORS_BURST	1000u		/* ICMP errors at once */
#define ERROR_NS	UINT64_C(1000000)	/* and 1,000 per second */

/* A link that cannot tell when it has room again is tried so often. */
#define FULL_NS		UINT64_C(10000000)

#define ERROR_BYTES (PROTO_HEAD_BYTES + 1280)

void proto_emit_ip(struct proto *p, struct wr *w, const struct ip *src,
		   const struct ip *dst, uint8_t proto, size_t l4_len)
{
	const struct eth eth = {
		.dst = *proto_mac(p, dst),
		.src = p->gateway_mac,
		.type = ip_is4(src) ? ETH_IPV4 : ETH_IPV6,
	};
	const struct ip_packet ip = {
		.src = *src,
		.dst = *dst,
		.proto = proto,
		.ttl = PROTO_HOP_LIMIT,
		.dont_fragment = true,
		.frag_id = p->ip_id++,
	};

	eth_emit(w, &eth);
	ip_emit(w, &ip, l4_len);
}

bool proto_can_be_seen(const struct proto *p, const struct ip *ip,
		       const struct ip *guest)
{
	return ip_is4(ip) == ip_is4(guest) && !ip_is_unspecified(ip) &&
	       !ip_is_loopback(ip) && !ip_is_multicast(ip) &&
	       !ip_is_link_local(ip) && !ip_is_broadcast(ip) &&
	       !prefix_has(ip_is4(ip) ? &p->net4 : &p->net6, ip);
}

void proto_cut_for(struct proto *p, struct proto_cut *cut, int sock,
		   const struct ip *to, bool whole, size_t bytes)
{
	const bool v6 = !ip_is4(to);
	struct proto_cut want = { .whole = whole };

	if (bytes <= PROTO_NARROW_BYTES)
		return;
	if (v6 && !whole)
		want.mtu = p->path_takes(p, to);
	if (cut->whole == want.whole && cut->mtu == want.mtu)
		return;
	*cut = want;
	p->env.ops->dgram_fragment(p->env.ctx, sock, v6, !whole, want.mtu);
}

static void note_full(struct proto *p, unsigned link)
{
	p->full |= UINT32_C(1) << link;
	if (!timer_armed(&p->full_timer))
		wheel_arm(&p->wheel, &p->full_timer, p->now_ns + FULL_NS);
}

bool proto_send_link(struct proto *p, unsigned link,
		     const struct frame_meta *meta, const struct span *v,
		     unsigned n)
{
	const int rc = p->env.ops->link_send(p->env.ctx, link, meta, v, n);

	if (rc == -ENV_OTHER)
		return false;		/* the link has no part in it */
	if (rc)
		note_full(p, link);
	if (rc < 0) {
		p->drops[DROP_LINKFULL]++;
		return false;
	}
	p->frames_to_guest++;
	p->bytes_to_guest += spans_bytes(v, n) + meta->unread.bytes;
	return true;
}

int proto_link_to(const struct proto *p, const struct ip *to)
{
	const int id = guests_to(&p->guests, to);
	const unsigned link = id < 0 ? NETWORK_LINK_ANY :
				       p->guests.at[id].link;

	return link == NETWORK_LINK_ANY ? -1 : (int)link;
}

bool proto_send(struct proto *p, const struct ip *to,
		const struct frame_meta *meta, const struct span *v,
		unsigned n)
{
	const int id = guests_to(&p->guests, to);
	struct guest *of = id < 0 ? NULL : &p->guests.at[id];

	if (!of || of->link == NETWORK_LINK_ANY) {
		p->drops[DROP_AWAY]++;
		return false;
	}
	if (!proto_send_link(p, of->link, meta, v, n))
		return false;
	of->frames_to++;
	of->bytes_to += spans_bytes(v, n) + meta->unread.bytes;
	return true;
}

/*
 * A bucket of tokens, one for each error: RFC 4443 section 2.4 (f), RFC 1812
 * section 4.3.2.8. Those that the host has learned pass here, too, so that
 * there is room for many; a flood stays bounded.
 */
static bool may_send_error(struct proto *p, const struct ip *to)
{
	uint64_t *empty_ns = &p->errors_ns[share_owner(p, to)];
	const uint64_t full_ns = ERRORS_BURST * ERROR_NS;
	const uint64_t passed = p->now_ns - *empty_ns;

	/* empty_ns: when the bucket was empty, or would have been. */
	if (passed > full_ns)
		*empty_ns = p->now_ns - full_ns;
	else if (passed < ERROR_NS)
		return false;
	*empty_ns += ERROR_NS;
	return true;
}

void proto_icmp_error(struct proto *p, const struct ip *from,
		      const struct ip_packet *ip, enum icmp_error error,
		      uint32_t word)
{
	const struct frame_meta meta = { 0 };
	uint8_t icmp[ERROR_BYTES], head[PROTO_HEAD_BYTES];
	struct wr body = wr(icmp, sizeof(icmp)), w = wr(head, sizeof(head));
	const size_t room = p->mtu - ip_header_bytes(from) - ICMP_HEADER_BYTES;
	struct view quote = ip->whole;
	struct span v[2];

	if (!icmp_may_answer(ip))
		return;
	if (!may_send_error(p, &ip->src)) {
		p->drops[DROP_LIMIT]++;
		return;
	}
	if (quote.len > room)
		quote.len = room;
	icmp_emit_error(&body, from, &ip->src, error, word, quote);
	ASSERT(!body.bad);
	v[1] = (struct span){ .p = icmp, .len = (size_t)(body.p - icmp) };
	proto_emit_ip(p, &w, from, &ip->src,
		      ip_is4(from) ? PROTO_ICMP : PROTO_ICMP6, v[1].len);
	v[0] = (struct span){ .p = head, .len = (size_t)(w.p - head) };
	proto_send(p, &ip->src, &meta, v, 2);
}
