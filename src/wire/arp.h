/* SPDX-License-Identifier: MIT */
/* wire/arp.h - ARP for IPv4 over Ethernet (RFC 826, RFC 5227). */
#ifndef WIRE_ARP_H
#define WIRE_ARP_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/rd.h"
#include "base/wr.h"

#define ARP_BYTES 28

enum arp_op { ARP_REQUEST = 1, ARP_REPLY = 2 };

struct arp {
	enum arp_op op;
	struct mac sender_mac, target_mac;
	struct ip sender, target;	/* IPv4; sender 0.0.0.0 in a probe */
};

/* DROP_SHORT; DROP_NOTOURS: other hardware, protocol or operation. */
MUST enum drop arp_parse(struct rd r, struct arp *out);
void arp_emit(struct wr *w, const struct arp *a);

#endif
