/* SPDX-License-Identifier: MIT */
#include "wire/ndp.h"

#include <string.h>

#include "base/csum.h"
#include "base/rd.h"
#include "wire/domains.h"

enum {
	OPT_SOURCE_MAC = 1, OPT_TARGET_MAC = 2, OPT_PREFIX = 3, OPT_MTU = 5,
	OPT_RDNSS = 25, OPT_DNSSL = 31,
	HOP_LIMIT = 255, ROUTER_HOP_LIMIT = 64,
	PREFIX_ON_LINK = 0x80, PREFIX_AUTONOMOUS = 0x40,
	DNSSL_BYTES = 256,
	FLAG_ROUTER = 0x80, FLAG_SOLICITED = 0x40, FLAG_OVERRIDE = 0x20,
	FLAG_MANAGED = 0x80, FLAG_OTHER = 0x40,	/* of a router's advert */
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
		if (units != 1)		/* RFC 2464 section 6 */
			return DROP_LENGTH;
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

/* The checksum of the message that begins at start. */
static void seal(struct wr *w, uint8_t *start, const struct ip *src,
		 const struct ip *dst)
{
	const size_t len = (size_t)(w->p - start);
	uint16_t sum;

	if (w->bad)
		return;
	sum = csum_finish(csum_add(csum_pseudo(0, src, dst, PROTO_ICMP6,
					       (uint32_t)len), start, len));
	start[2] = (uint8_t)(sum >> 8);
	start[3] = (uint8_t)sum;
}

static void emit_prefix(struct wr *w, const struct ndp_router *r)
{
	wr_u8(w, OPT_PREFIX);
	wr_u8(w, 4);
	wr_u8(w, (uint8_t)r->net6.bits);
	wr_u8(w, PREFIX_ON_LINK | PREFIX_AUTONOMOUS);
	wr_be32(w, r->valid_s);
	wr_be32(w, r->preferred_s);
	wr_zero(w, 4);
	wr_bytes(w, r->net6.ip.b, 16);
}

/* RFC 8106 section 5.2: padded with zeros to a multiple of 8 bytes. */
static void emit_search(struct wr *w, const struct ndp_router *r)
{
	uint8_t names[DNSSL_BYTES] = { 0 };
	struct wr n = wr(names, sizeof(names));
	size_t len;

	domains_emit(&n, r->search, sizeof(names));
	len = ((size_t)(n.p - names) + 7) & ~(size_t)7;
	if (!len)
		return;
	wr_u8(w, OPT_DNSSL);
	wr_u8(w, (uint8_t)(1 + len / 8));
	wr_zero(w, 2);
	wr_be32(w, r->router_s);
	wr_bytes(w, names, len);
}

void ndp_emit_router(struct wr *w, const struct ip *src, const struct ip *dst,
		     const struct ndp_router *r)
{
	uint8_t *start = w->p;

	wr_u8(w, NDP_ROUTER_ADVERT);
	wr_u8(w, 0);
	wr_be16(w, 0);
	wr_u8(w, ROUTER_HOP_LIMIT);
	wr_u8(w, r->dhcp6 ? FLAG_MANAGED | FLAG_OTHER : 0);
	wr_be16(w, r->router_s);
	wr_zero(w, 8);			/* reachable and retransmit: theirs */
	wr_u8(w, OPT_SOURCE_MAC);
	wr_u8(w, 1);
	wr_bytes(w, r->mac.b, 6);
	wr_u8(w, OPT_MTU);
	wr_u8(w, 1);
	wr_zero(w, 2);
	wr_be32(w, r->mtu);
	emit_prefix(w, r);
	wr_u8(w, OPT_RDNSS);
	wr_u8(w, 3);
	wr_zero(w, 2);
	wr_be32(w, r->router_s);
	wr_bytes(w, r->dns.b, 16);
	if (r->search && r->search[0])
		emit_search(w, r);
	seal(w, start, src, dst);
}

void ndp_emit_advert(struct wr *w, const struct ip *src, const struct ip *dst,
		     const struct ndp *n)
{
	uint8_t *start = w->p;

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
	seal(w, start, src, dst);
}
