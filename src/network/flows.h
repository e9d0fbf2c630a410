/* SPDX-License-Identifier: MIT */
/*
 * network/flows.h - the flows of a network, as one tells of them.
 *
 * Pure: reads the flow table, changes nothing.
 */
#ifndef NETWORK_FLOWS_H
#define NETWORK_FLOWS_H

#include <stdint.h>

#include "base/network_flow.h"
#include "network/network.h"

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
