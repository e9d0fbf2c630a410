/* SPDX-License-Identifier: MIT */
/*
 * network/flows.h - the flows of a network, as one tells of them.
 *
 * Pure: reads the flow table, changes nothing.
 */
#ifndef NETWORK_FLOWS_H
#define NETWORK_FLOWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/flow_state.h"
#include "network/network.h"

struct network_flow {
	enum flow_protocol protocol;
	enum flow_state state;	/* NONE but for TCP */
	struct endpoint guest, peer;	/* as the guest calls them; of a ping
					   the guest's port is the identifier */
	bool by_peer;			/* the peer began it (UDP) or was
					   offered (TCP) */
	uint64_t from_guest, to_guest;	/* bytes of data, acknowledged ones if
					   TCP; 0 for a ping */
	uint32_t rtt_us;		/* to the guest, TCP; 0: not known */
	uint32_t age_s;
};

/**
 * network_flows() - some of the flows that live
 * @from:	where to begin, 0 at first; moved to where to go on. Flows that
 *		come and go in between may be missed
 * @out:	room for n
 *
 * Return: how many. Less than n: there are no more.
 */
unsigned network_flows(const struct network *net, uint32_t *from,
		       struct network_flow *out, unsigned n);

#endif
