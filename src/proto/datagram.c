/* SPDX-License-Identifier: MIT */
#include "proto/datagram.h"

#include "base/csum.h"

#define LONGEST_BYTES 65535u

/* Ethernet and IP header, then v: one frame. */
static void send_packet(struct proto *p, const struct ip_packet *ip,
			struct frame_meta *meta, const struct span *v,
			unsigned n, size_t len)
{
	const struct eth eth = {
		.dst = *proto_mac(p, &ip->dst), .src = p->gateway_mac,
		.type = ip_is4(&ip->src) ? ETH_IPV4 : ETH_IPV6,
	};
	uint8_t head[PROTO_HEAD_BYTES];
	struct wr w = wr(head, sizeof(head));
	struct span all[1 + DATAGRAM_SPANS] = { { .p = head } };

	eth_emit(&w, &eth);
	ip_emit(&w, ip, len);
	all[0].len = (size_t)(w.p - head);
	meta->csum_start = (uint16_t)all[0].len;
	for (unsigned i = 0; i < n; i++)
		all[1 + i] = v[i];
	proto_send(p, &ip->dst, meta, all, 1 + n);
}

/* The bytes [at, at + len) of v, in out; how many spans they are. */
static unsigned cut(const struct span *v, unsigned n, size_t at, size_t len,
		    struct span out[DATAGRAM_SPANS])
{
	unsigned k = 0;

	for (unsigned i = 0; i < n && len; i++) {
		size_t most;

		if (at >= v[i].len) {
			at -= v[i].len;
			continue;
		}
		most = v[i].len - at;
		out[k].p = (uint8_t *)v[i].p + at;
		out[k].len = len < most ? len : most;
		len -= out[k++].len;
		at = 0;
	}
	return k;
}

/* The sum of all goes where that of the pseudo header is. */
static void complete(const struct span *v, unsigned n, uint16_t csum_offset)
{
	uint8_t *field = (uint8_t *)v[0].p + csum_offset;
	csum_t sum = 0;
	uint16_t full;

	/* Only the last piece may be of odd length; v[0] is a header. */
	for (unsigned i = 0; i < n; i++)
		sum = csum_add(sum, v[i].p, v[i].len);
	full = csum_finish(sum);
	if (!full)
		full = 0xffff;		/* RFC 768: 0 means none */
	field[0] = (uint8_t)(full >> 8);
	field[1] = (uint8_t)full;
}

/* Pieces of a multiple of 8 bytes, but for the last. */
static void send_fragments(struct proto *p, struct ip_packet *ip,
			   const struct span *v, unsigned n, size_t len)
{
	const size_t header = ip_header_bytes(&ip->src) +
			      (ip_is4(&ip->src) ? 0 : IPV6_FRAGMENT_BYTES);
	const size_t room = (p->mtu - header) & ~(size_t)7;

	for (size_t at = 0; at < len; at += room) {
		const size_t piece = len - at < room ? len - at : room;
		struct frame_meta meta = { 0 };
		struct span part[DATAGRAM_SPANS];
		const unsigned k = cut(v, n, at, piece, part);

		ip->frag_offset = (uint16_t)at;
		ip->more = at + piece < len;
		send_packet(p, ip, &meta, part, k, piece);
	}
}

void datagram_send_batch(struct proto *p, const struct ip_packet *ip,
			 uint16_t csum_offset,
			 const struct span v[DATAGRAM_SPANS], size_t segment)
{
	const bool v4 = ip_is4(&ip->src);
	const size_t len = v[0].len + v[1].len;
	struct frame_meta meta = {
		.needs_csum = true, .csum_offset = csum_offset,
		.gso = v4 ? FRAME_GSO_UDP4 : FRAME_GSO_UDP6,
		.gso_size = (uint16_t)segment,
		.hdr_len = (uint16_t)(ETH_HEADER_BYTES +
				      ip_header_bytes(&ip->src) + v[0].len),
	};
	struct ip_packet out = *ip;

	ASSERT(ip_header_bytes(&ip->src) + len <= LONGEST_BYTES);
	out.frag_id = p->ip_id;
	p->ip_id += (uint32_t)(v[1].len / segment) + 1;
	send_packet(p, &out, &meta, v, DATAGRAM_SPANS, len);
}

void datagram_send(struct proto *p, const struct ip_packet *ip,
		   uint16_t csum_offset, const struct span *v, unsigned n)
{
	struct frame_meta meta = {
		.needs_csum = csum_offset, .csum_offset = csum_offset,
	};
	struct ip_packet out = *ip;
	size_t len = 0;

	ASSERT(n && n <= DATAGRAM_SPANS);
	for (unsigned i = 0; i < n; i++)
		len += v[i].len;
	out.frag_id = p->ip_id++;
	if (ip_header_bytes(&ip->src) + len <= p->mtu) {
		send_packet(p, &out, &meta, v, n, len);
		return;
	}
	if (len > LONGEST_BYTES - IPV4_HEADER_BYTES) {
		p->drops[DROP_LENGTH]++;
		return;
	}
	if (csum_offset)
		complete(v, n, csum_offset);
	send_fragments(p, &out, v, n, len);
}
