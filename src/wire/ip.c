/* SPDX-License-Identifier: MIT */
#include "wire/ip.h"

#include <string.h>

#include "base/csum.h"

enum {
	V4_MORE = 0x2000, V4_DONT = 0x4000, V4_OFFSET = 0x1fff,
	EXT_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_DEST = 60,
	EXT_MAX = 8, V4_PROTO_AT = 9, V6_NEXT_AT = 6,
};

static enum drop parse_v4(struct rd r, size_t far, struct ip_packet *p)
{
	const uint8_t *start = r.p;
	const size_t all = r.left;

	const uint8_t ver_ihl = rd_u8(&r);
	p->tos = rd_u8(&r);
	const uint16_t total = rd_be16(&r);
	p->frag_id = rd_be16(&r);
	const uint16_t frag = rd_be16(&r);
	p->ttl = rd_u8(&r);
	p->proto = rd_u8(&r);
	rd_be16(&r);					/* checksum */
	p->src = ip_from_v4(rd_be32(&r));
	p->dst = ip_from_v4(rd_be32(&r));
	const size_t header = (size_t)(ver_ihl & 15) * 4;

	if (r.bad)
		return DROP_SHORT;
	if (ver_ihl >> 4 != 4)
		return DROP_VALUE;
	if (header < IPV4_HEADER_BYTES || total < header)
		return DROP_LENGTH;
	if (total > all + far || header > all)
		return DROP_SHORT;
	if (far && total != all + far)
		return DROP_LENGTH;
	if (csum_fold(csum_add(0, start, header)) != 0xffff)
		return DROP_CHECKSUM;
	p->dont_fragment = frag & V4_DONT;
	p->more = frag & V4_MORE;
	p->frag_offset = (uint16_t)((frag & V4_OFFSET) * 8);
	p->fragment = p->more || p->frag_offset;
	p->proto_at = V4_PROTO_AT;
	p->whole = (struct view){ .p = start, .len = total - far };
	p->payload = (struct view){ .p = start + header,
				    .len = total - far - header };
	return DROP_OK;
}

/* One extension header; what follows it is *next. */
static enum drop parse_extension(struct rd *r, uint8_t type, uint8_t *next,
				 struct ip_packet *p)
{
	*next = rd_u8(r);
	const uint8_t len = rd_u8(r);

	if (type == EXT_FRAGMENT) {
		const uint16_t frag = rd_be16(r);

		p->frag_id = rd_be32(r);
		p->more = frag & 1;
		p->frag_offset = frag & 0xfff8;
		/* An atomic fragment is a whole packet: RFC 6946 */
		p->fragment = p->more || p->frag_offset;
		return r->bad ? DROP_SHORT : DROP_OK;
	}
	if (type == EXT_ROUTING) {
		rd_u8(r);
		if (rd_u8(r))		/* segments left: RFC 5095 */
			return DROP_VALUE;
		rd_bytes(r, 4u + len * 8u);
	} else {
		rd_bytes(r, 6u + len * 8u);
	}
	return r->bad ? DROP_SHORT : DROP_OK;
}

static enum drop walk_extensions(struct rd *r, uint8_t next,
				 struct ip_packet *p)
{
	p->proto_at = V6_NEXT_AT;
	for (unsigned n = 0; n <= EXT_MAX; n++) {
		const bool known = next == EXT_ROUTING || next == EXT_DEST ||
				   next == EXT_FRAGMENT ||
				   (next == EXT_HOP && n == 0);
		enum drop drop;

		/* What follows is whole only when all pieces are here. */
		if (!known || p->fragment) {
			p->proto = next;
			return DROP_OK;
		}
		p->proto_at = (uint16_t)(r->p - p->whole.p);
		drop = parse_extension(r, next, &next, p);
		if (drop != DROP_OK)
			return drop;
	}
	return DROP_VALUE;
}

static enum drop parse_v6(struct rd r, size_t far, struct ip_packet *p)
{
	const uint8_t *start = r.p;
	enum drop drop;
	struct rd body;

	const uint32_t first = rd_be32(&r);
	const uint16_t len = rd_be16(&r);
	const uint8_t next = rd_u8(&r);
	p->ttl = rd_u8(&r);
	const uint8_t *src = rd_bytes(&r, 16);
	const uint8_t *dst = rd_bytes(&r, 16);

	if (r.bad)
		return DROP_SHORT;
	if (first >> 28 != 6)
		return DROP_VALUE;
	if (!len)
		return DROP_LENGTH;
	p->tos = (uint8_t)(first >> 20);
	p->dont_fragment = true;
	memcpy(p->src.b, src, 16);
	memcpy(p->dst.b, dst, 16);
	if (ip_is4(&p->src) || ip_is4(&p->dst))
		return DROP_VALUE;
	if (len > r.left + far)
		return DROP_SHORT;
	if (far && len != r.left + far)
		return DROP_LENGTH;
	body = rd_cut(&r, len - far);
	p->whole = (struct view){ .p = start,
				  .len = IPV6_HEADER_BYTES + body.left };
	drop = walk_extensions(&body, next, p);
	p->payload = (struct view){ .p = body.p, .len = body.left };
	return drop;
}

enum drop ip_parse_packet(struct rd r, bool v6, struct ip_packet *out)
{
	return ip_parse_head(r, 0, v6, out);
}

enum drop ip_parse_head(struct rd r, size_t far, bool v6,
			struct ip_packet *out)
{
	struct ip_packet p = { .v6 = v6 };
	const enum drop drop = v6 ? parse_v6(r, far, &p) :
				    parse_v4(r, far, &p);

	if (drop == DROP_OK)
		*out = p;
	return drop;
}

static void emit_v4(struct wr *w, const struct ip_packet *p,
		    size_t payload_len)
{
	uint8_t *start = w->p;
	uint16_t sum;

	wr_u8(w, 0x45);
	wr_u8(w, p->tos);
	wr_be16(w, (uint16_t)(IPV4_HEADER_BYTES + payload_len));
	wr_be16(w, (uint16_t)p->frag_id);
	wr_be16(w, (uint16_t)((p->dont_fragment ? V4_DONT : 0) |
			      (p->more ? V4_MORE : 0) | p->frag_offset / 8));
	wr_u8(w, p->ttl);
	wr_u8(w, p->proto);
	wr_be16(w, 0);
	wr_be32(w, ip_to_v4(p->src));
	wr_be32(w, ip_to_v4(p->dst));
	if (w->bad)
		return;
	sum = csum_finish(csum_add(0, start, IPV4_HEADER_BYTES));
	start[10] = (uint8_t)(sum >> 8);
	start[11] = (uint8_t)sum;
}

void ip_emit(struct wr *w, const struct ip_packet *p, size_t payload_len)
{
	const bool pieces = p->more || p->frag_offset;

	if (ip_is4(&p->src)) {
		emit_v4(w, p, payload_len);
		return;
	}
	wr_be32(w, 6u << 28 | (uint32_t)p->tos << 20);
	wr_be16(w, (uint16_t)(payload_len +
			      (pieces ? IPV6_FRAGMENT_BYTES : 0)));
	wr_u8(w, pieces ? EXT_FRAGMENT : p->proto);
	wr_u8(w, p->ttl);
	wr_bytes(w, p->src.b, 16);
	wr_bytes(w, p->dst.b, 16);
	if (!pieces)
		return;
	wr_u8(w, p->proto);
	wr_u8(w, 0);
	wr_be16(w, (uint16_t)(p->frag_offset | (p->more ? 1 : 0)));
	wr_be32(w, p->frag_id);
}

bool ip_peek(struct rd *r, bool v6, struct ip *src, struct ip *dst,
	     uint8_t *proto)
{
	const uint8_t first = rd_u8(r);
	const size_t options = v6 ? 0 : (first & 15u) * 4u;
	const uint8_t *addresses;

	rd_bytes(r, v6 ? 5 : 8);
	*proto = rd_u8(r);
	rd_bytes(r, v6 ? 1 : 2);
	if (!v6) {
		*src = ip_from_v4(rd_be32(r));
		*dst = ip_from_v4(rd_be32(r));
		if (options < IPV4_HEADER_BYTES)
			return false;
		rd_bytes(r, options - IPV4_HEADER_BYTES);
		return !r->bad && first >> 4 == 4;
	}
	addresses = rd_bytes(r, 32);
	if (r->bad || first >> 4 != 6)
		return false;
	memcpy(src->b, addresses, 16);
	memcpy(dst->b, addresses + 16, 16);
	return true;
}
