/* SPDX-License-Identifier: MIT */
/* wire/eth.h - Ethernet II header (IEEE 802.3 clause 3.2.6). */
#ifndef WIRE_ETH_H
#define WIRE_ETH_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/rd.h"
#include "base/wr.h"

#define ETH_HEADER_BYTES 14

enum eth_type {
	ETH_IPV4 = 0x0800,
	ETH_ARP = 0x0806,
	ETH_IPV6 = 0x86dd,
};

struct eth {
	struct mac dst, src;
	uint16_t type;		/* host order; any value */
};

/*
 * Consume the header; what is left in r is the payload. DROP_SHORT if cut,
 * DROP_SOURCE if the source is a group address.
 */
MUST enum drop eth_parse(struct rd *r, struct eth *out);
void eth_emit(struct wr *w, const struct eth *e);

#endif
