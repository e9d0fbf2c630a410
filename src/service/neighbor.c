/* SPDX-License-Identifier: MIT */
/*
 * service/neighbor.c - the gateway claims what no guest has
 *
 * Overlap is harmless: should the host have a route into our subnet, the
 * guest must still reach what lies there, so every address of the subnet
 * but the guests' own, which nobody asks about here, resolves to the gateway's Ethernet address. Probes
 * of duplicate address detection are left alone (RFC 5227 section 2.1.1,
 * RFC 4862 section 5.4), or no guest could ever take an address; only the
 * gateway's own address is defended.
 */
#include "service/neighbor.h"

bool neighbor_arp(const struct neighbor_setup *s, const struct arp *ask,
		  struct arp *answer)
{
	const bool gateway = ip_equal(&ask->target, &s->gateway4);

	if (ask->op != ARP_REQUEST || !prefix_has(&s->net4, &ask->target))
		return false;
	if (!gateway && (ip_is_unspecified(&ask->sender) ||
			 ip_equal(&ask->sender, &ask->target)))
		return false;
	*answer = (struct arp){
		.op = ARP_REPLY,
		.sender_mac = s->gateway_mac, .sender = ask->target,
		.target_mac = ask->sender_mac, .target = ask->sender,
	};
	return true;
}

bool neighbor_ndp(const struct neighbor_setup *s, const struct ip_packet *ip,
		  const struct ndp *ask, struct neighbor_answer *answer)
{
	static const struct ip all_nodes = { .b = { 0xff, 2, [15] = 1 } };
	const struct ip own = ip_link_local(&s->gateway_mac);
	const bool gateway = ip_equal(&ask->target, &s->gateway6) ||
			     ip_equal(&ask->target, &own);
	const bool probe = ip_is_unspecified(&ip->src);

	if (ask->type != NDP_NEIGHBOR_SOLICIT)
		return false;
	if (!gateway && (probe || !prefix_has(&s->net6, &ask->target)))
		return false;
	*answer = (struct neighbor_answer){
		.src = ask->target,
		.dst = probe ? all_nodes : ip->src,
		.dst_mac = { { 0x33, 0x33, 0, 0, 0, 1 } },
		.advert = {
			.type = NDP_NEIGHBOR_ADVERT, .target = ask->target,
			.has_mac = true, .mac = s->gateway_mac,
			.router = gateway, .solicited = !probe,
			.override = true,
		},
	};
	if (!probe && ask->has_mac)
		answer->dst_mac = ask->mac;
	return true;
}
