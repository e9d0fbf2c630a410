/* SPDX-License-Identifier: MIT */
#include "wire/arp.h"

#include <string.h>

enum { HTYPE_ETHER = 1, PTYPE_IPV4 = 0x0800 };

static void take_mac(struct rd *r, struct mac *out)
{
	const uint8_t *p = rd_bytes(r, 6);

	if (p)
		memcpy(out->b, p, 6);
}

enum drop arp_parse(struct rd r, struct arp *out)
{
	struct arp a = { .op = ARP_REQUEST };

	const uint16_t htype = rd_be16(&r);
	const uint16_t ptype = rd_be16(&r);
	const uint8_t hlen = rd_u8(&r);
	const uint8_t plen = rd_u8(&r);
	const uint16_t op = rd_be16(&r);
	take_mac(&r, &a.sender_mac);
	a.sender = ip_from_v4(rd_be32(&r));
	take_mac(&r, &a.target_mac);
	a.target = ip_from_v4(rd_be32(&r));

	if (r.bad)
		return DROP_SHORT;
	if (htype != HTYPE_ETHER || ptype != PTYPE_IPV4 || hlen != 6 ||
	    plen != 4 || (op != ARP_REQUEST && op != ARP_REPLY))
		return DROP_NOTOURS;
	a.op = op == ARP_REQUEST ? ARP_REQUEST : ARP_REPLY;
	*out = a;
	return DROP_OK;
}

void arp_emit(struct wr *w, const struct arp *a)
{
	wr_be16(w, HTYPE_ETHER);
	wr_be16(w, PTYPE_IPV4);
	wr_u8(w, 6);
	wr_u8(w, 4);
	wr_be16(w, (uint16_t)a->op);
	wr_bytes(w, a->sender_mac.b, 6);
	wr_be32(w, ip_to_v4(a->sender));
	wr_bytes(w, a->target_mac.b, 6);
	wr_be32(w, ip_to_v4(a->target));
}
