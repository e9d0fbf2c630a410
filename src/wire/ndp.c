/* SPDX-License-Identifier: MIT */
#include "wire/ndp.h"

#include <string.h>

#include "base/csum.h"
#include "base/rd.h"

enum {
	OPT_SOURCE_MAC = 1, OPT_TARGET_MAC = 2,
	HOP_LIMIT = 255,
	FLAG_ROUTER = 0x80, FLAG_SOLICITED = 0x40, FLAG_OVERRIDE = 0x20,
};

static enum drop parse_options(struct rd r, uint8_t wanted, struct ndp *n)
{
	while (r.left) {
		const uint8_t type = rd_u8(&r);
		const uint8_t units = rd_u8(&r);
		struct rd v;
		const uint8_t *mac;

		if (r.bad)
			return DROP_SHORT;
		if (!units)
			return DROP_LENGTH;
		v = rd_cut(&r, units * 8u - 2u);
		if (v.bad)
			return DROP_SHORT;
		if (type != wanted)
			continue;
		mac = rd_bytes(&v, 6);
		n->has_mac = true;
		memcpy(n->mac.b, mac, 6);
	}
	return DROP_OK;
}

static bool checksum_ok(const struct ip_packet *ip)
{
	const csum_t sum = csum_pseudo(0, &ip->src, &ip->dst, PROTO_ICMP6,
				       (uint32_t)ip->payload.len);

	return csum_fold(csum_add(sum, ip->payload.p, ip->payload.len)) ==
	       0xffff;
}

/* Everything after the checksum, by type. */
static enum drop parse_body(struct rd r, const struct ip_packet *ip,
			    struct ndp *n)
{
	const bool advert = n->type == NDP_NEIGHBOR_ADVERT;
	const uint32_t flags = rd_be32(&r) >> 24;
	enum drop drop;

	if (n->type != NDP_ROUTER_SOLICIT) {
		const uint8_t *target = rd_bytes(&r, 16);

		if (!target)
			return DROP_SHORT;
		memcpy(n->target.b, target, 16);
		if (ip_is_multicast(&n->target) || ip_is4(&n->target))
			return DROP_VALUE;
	}
	if (r.bad)
		return DROP_SHORT;
	if (advert) {
		n->router = flags & FLAG_ROUTER;
		n->solicited = flags & FLAG_SOLICITED;
		n->override = flags & FLAG_OVERRIDE;
	}
	drop = parse_options(r, advert ? OPT_TARGET_MAC : OPT_SOURCE_MAC, n);
	if (drop == DROP_OK && n->has_mac && !advert &&
	    ip_is_unspecified(&ip->src))
		return DROP_VALUE;
	return drop;
}

enum drop ndp_parse(const struct ip_packet *ip, struct ndp *out)
{
	struct rd r = rd(ip->payload.p, ip->payload.len);
	struct ndp n = { .type = NDP_ROUTER_SOLICIT };
	enum drop drop;

	const uint8_t type = rd_u8(&r);
	const uint8_t code = rd_u8(&r);
	rd_be16(&r);					/* checksum */

	if (r.bad)
		return DROP_SHORT;
	switch (type) {
	case NDP_ROUTER_SOLICIT:
		n.type = NDP_ROUTER_SOLICIT;
		break;
	case NDP_NEIGHBOR_SOLICIT:
		n.type = NDP_NEIGHBOR_SOLICIT;
		break;
	case NDP_NEIGHBOR_ADVERT:
		n.type = NDP_NEIGHBOR_ADVERT;
		break;
	default:
		return DROP_NOTOURS;
	}
	if (ip->ttl != HOP_LIMIT || code)
		return DROP_VALUE;
	if (!checksum_ok(ip))
		return DROP_CHECKSUM;
	drop = parse_body(r, ip, &n);
	if (drop == DROP_OK)
		*out = n;
	return drop;
}

void ndp_emit_advert(struct wr *w, const struct ip *src, const struct ip *dst,
		     const struct ndp *n)
{
	uint8_t *start = w->p;
	size_t len;
	uint16_t sum;

	wr_u8(w, NDP_NEIGHBOR_ADVERT);
	wr_u8(w, 0);
	wr_be16(w, 0);
	wr_u8(w, (uint8_t)((n->router ? FLAG_ROUTER : 0) |
			   (n->solicited ? FLAG_SOLICITED : 0) |
			   (n->override ? FLAG_OVERRIDE : 0)));
	wr_zero(w, 3);
	wr_bytes(w, n->target.b, 16);
	wr_u8(w, OPT_TARGET_MAC);
	wr_u8(w, 1);
	wr_bytes(w, n->mac.b, 6);
	if (w->bad)
		return;
	len = (size_t)(w->p - start);
	sum = csum_finish(csum_add(csum_pseudo(0, src, dst, PROTO_ICMP6,
					       (uint32_t)len), start, len));
	start[2] = (uint8_t)(sum >> 8);
	start[3] = (uint8_t)sum;
}
