/* SPDX-License-Identifier: MIT */
/*
 * proto/udp_map.h - the guest's UDP ports, their sockets, and who talks there
 *
 * Theory of operation
 * ===================
 *
 * A guest's (address, port) has one *map* while it talks to anybody: one
 * unconnected host socket, so every peer sees the same source port
 * (endpoint-independent mapping, RFC 4787 section 4.1). Each peer has an
 * *exchange* under that map. Who was not written to is refused (section 5:
 * filtering by address and port). An exchange ends when it was idle for its
 * time-out, a map with its last exchange.
 *
 * A port of the host's that is *offered* is a map, too, which lasts as long
 * as the offer, and at which anybody may begin an exchange. One guest port
 * may so have several sockets: an exchange is of that one which its peer
 * spoke to last. What the guest begins goes by its own map, or by the offer
 * that is bound to no address, so that the port which peers know is the port
 * that they hear from.
 *
 * When an offer is withdrawn its exchanges are *stale*: they are found no
 * more, and free themselves when they would be, or by their timers. A map's
 * epoch, of which each exchange has a copy, tells.
 *
 * Limits. One flow-table slot per map and per exchange; of the exchanges
 * that peers began a quarter of the table, and 30 s unless the guest answers.
 */
#ifndef PROTO_UDP_MAP_H
#define PROTO_UDP_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/wheel.h"
#include "flow/table.h"
#include "proto/ctx.h"

struct udp_map {
	struct flow flow;		/* first; FLOW_UDP_MAP */
	int sock;			/* -1: the offer was withdrawn */
	struct proto_cut cut;
	bool offered;
	uint32_t epoch;			/* how many sockets it has lost */
	uint32_t exchanges;		/* stale ones, too */
};

struct udp_flow {
	struct flow flow;		/* first; FLOW_UDP */
	struct timer timer;
	struct handle map;
	uint32_t epoch;			/* of the map, when it was begun */
	bool called;			/* by the peer */
	bool answered;			/* the guest has sent something */
	uint64_t idle_ns;		/* since when nothing was sent */
	struct endpoint to;		/* the peer as the host reaches it */
	uint64_t from_guest, to_guest;	/* bytes of datagrams */
	uint32_t dev;			/* of an offer: where the peer spoke */
	struct ip local;		/* to, see struct env_mark */
};

/* The exchange of that key; NULL: none, or it is stale. */
struct udp_flow *udp_exchange_find(struct proto *p,
				   const struct flow_key *key);

/* One that the guest begins; NULL with the reason. */
struct udp_flow *udp_exchange_open(struct proto *p,
				   const struct flow_key *key,
				   const struct endpoint *to,
				   enum drop *why);

/* The one of a map's peer, as the host names that; NULL: none. */
struct udp_flow *udp_exchange_of(struct proto *p, const struct udp_map *m,
				 const struct endpoint *peer);

/*
 * Datagrams came by call->map from its peer: the exchange that they belong to,
 * begun if the map is offered and they may; NULL with the reason. `shown` is
 * filled in.
 */
struct udp_flow *udp_exchange_from(struct proto *p, struct udp_map *m,
				   struct proto_call *call, enum drop *why);

/* It is over, whatever else it might have had to say. */
void udp_exchange_end(struct proto *p, struct udp_flow *u);

/* Something was sent: the time-out begins anew. */
void udp_exchange_used(struct proto *p, struct udp_flow *u);

/* An exchange's map. */
struct udp_map *udp_map_of(struct proto *p, const struct udp_flow *u);

/* It has an exchange less; freed with the last one, unless it is offered. */
void udp_map_leave(struct proto *p, struct udp_map *m);

/* Did a peer begin the exchange of that key? Then *to is where that is. */
bool udp_is_called(struct proto *p, const struct flow_key *key,
		   struct endpoint *to);

/*
 * Offer the bound socket sock for the guest's port `to`; see
 * network_udp_offer(). false: no room, and sock is still the caller's.
 */
MUST bool udp_offer(struct proto *p, int sock, const struct endpoint *to,
		    bool own, struct handle *out);
/* Close its socket. A stale handle is fine. */
void udp_withdraw(struct proto *p, struct handle map);

void udp_timer(struct proto *p, struct udp_flow *u);

/* For network_fini(): close without further ado. */
void udp_map_free(struct proto *p, struct udp_map *m);

#endif
