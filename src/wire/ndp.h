/* SPDX-License-Identifier: MIT */
/* wire/ndp.h - Neighbor Discovery solicitations and adverts (RFC 4861). */
#ifndef WIRE_NDP_H
#define WIRE_NDP_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/wr.h"
#include "wire/ip.h"

enum ndp_type {
	NDP_ROUTER_SOLICIT = 133,
	NDP_ROUTER_ADVERT = 134,
	NDP_NEIGHBOR_SOLICIT = 135,
	NDP_NEIGHBOR_ADVERT = 136,
};

struct ndp {
	enum ndp_type type;	/* SOLICIT or ADVERT of a neighbor, or RS */
	struct ip target;	/* neighbor messages */
	bool has_mac;		/* link-layer address option was there */
	struct mac mac;
	bool router, solicited, override;	/* adverts */
};

/**
 * ndp_parse() - read an ICMPv6 message as Neighbor Discovery
 * @ip: the packet. Validated as RFC 4861 sections 6.1.1 and 7.1 ask: hop
 *	limit 255, code 0, target not multicast, options not of length 0,
 *	no source link-layer option from an unspecified source. The
 *	checksum is verified.
 *
 * Return: DROP_OK, DROP_SHORT, DROP_LENGTH, DROP_VALUE, DROP_CHECKSUM,
 * DROP_NOTOURS (another type; router adverts from guests included).
 */
MUST enum drop ndp_parse(const struct ip_packet *ip, struct ndp *out);

/* What a router says of itself and the link (RFC 4861 section 4.2). */
struct ndp_router {
	struct mac mac;
	struct prefix net6;	/* on-link, for stateless addresses */
	uint16_t mtu;
	uint16_t router_s;	/* default router for so long */
	uint32_t valid_s, preferred_s;	/* lifetimes of addresses */
	bool dhcp6;		/* addresses and more are had by it: M and O */
	struct ip dns;		/* RFC 8106 section 5.1 */
	const char *search;	/* borrowed; RFC 8106 section 5.2; "" none */
};

/* Write a router advert, at most NDP_ROUTER_BYTES. */
#define NDP_ROUTER_BYTES 400
void ndp_emit_router(struct wr *w, const struct ip *src, const struct ip *dst,
		     const struct ndp_router *r);

/* Write a neighbor advert (32 bytes) with target link-layer option. */
void ndp_emit_advert(struct wr *w, const struct ip *src,
		     const struct ip *dst, const struct ndp *n);

#endif
