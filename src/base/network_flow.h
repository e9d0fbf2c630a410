/* SPDX-License-Identifier: MIT */
/*
 * base/network_flow.h - a flow, as one tells of it.
 *
 * Of TCP: the state of the gateway's end, as RFC 9293 section 3.3.2 names it;
 * CONNECTING is ours: the host's connect is under way. DIRECT: of any protocol,
 * between the guest and the host's own stack (network/direct.h). SWITCHED: to
 * another guest (network/switch.h), of IP protocol number `port` if OTHER.
 * RELAYED:
 * spliced between two sockets (engine/relay.h).
 */
#ifndef BASE_NETWORK_FLOW_H
#define BASE_NETWORK_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define FLOW_PROTOCOLS(X)						\
	X(TCP, "tcp")							\
	X(UDP, "udp")							\
	X(PING, "ping")							\
	X(OTHER, "ip")

#define FLOW_STATES(X)							\
	X(NONE, "-")							\
	X(CONNECTING, "connecting")					\
	X(SYN_SENT, "syn-sent")						\
	X(SYN_RECEIVED, "syn-received")					\
	X(ESTABLISHED, "established")					\
	X(FIN_WAIT_1, "fin-wait-1")					\
	X(FIN_WAIT_2, "fin-wait-2")					\
	X(CLOSE_WAIT, "close-wait")					\
	X(CLOSING, "closing")						\
	X(TIME_WAIT, "time-wait")					\
	X(DIRECT, "direct")						\
	X(SWITCHED, "switched")						\
	X(RELAYED, "relayed")

enum flow_protocol {
#define X(id, text) FLOW_PROTOCOL_##id,
	FLOW_PROTOCOLS(X)
#undef X
	FLOW_PROTOCOL_MAX
};

enum flow_state {
#define X(id, text) FLOW_STATE_##id,
	FLOW_STATES(X)
#undef X
	FLOW_STATE_MAX
};

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

#endif
