/* SPDX-License-Identifier: MIT */
/*
 * flow/table.h - which conversation a packet or an event belongs to.
 *
 * Packets are found by key, socket events and timers by handle. The table
 * does not know what a flow means: every slot begins with struct flow and
 * goes on as its owner likes.
 */
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/handle.h"
#include "base/siphash.h"

#define FLOW_MAX	(1u << 20)
#define FLOW_OWNERS_MAX	64u

/* What a slot holds; also part of its key. */
enum flow_kind {
	FLOW_FREE,
	FLOW_TCP,		/* one connection */
	FLOW_UDP_MAP,		/* a guest's UDP port and its host socket */
	FLOW_UDP,		/* that port's exchange with one peer */
	FLOW_PING,		/* one series of echo requests */
	FLOW_DIRECT_TCP,	/* what the guest says to the host's own */
	FLOW_DIRECT_UDP,	/* stack: network/direct.h */
	FLOW_DIRECT_PING,
	FLOW_SWITCH_TCP,		/* what guests say to each other: */
	FLOW_SWITCH_UDP,		/* network/switch.h */
	FLOW_SWITCH_PING,
	FLOW_SWITCH_OTHER,		/* of an IP protocol: the ports */
	FLOW_KIND_MAX
};

/*
 * The guest's view. Unused parts are zero (a UDP map has no peer, a ping
 * has its identifier as guest port). No padding: compared and hashed as
 * bytes.
 */
struct flow_key {
	struct ip guest_ip, peer_ip;
	uint16_t guest_port, peer_port;
	uint32_t kind;			/* enum flow_kind */
};

struct flow {
	struct flow_key key;		/* kind FLOW_FREE: not in use */
	uint32_t gen;			/* of the handle */
	uint32_t hash;			/* of the key, while in use */
	union {
		uint32_t next_free;	/* slot number + 1, while free */
		uint32_t owner;		/* while in use: see flow_give() */
	};
	uint32_t begun_s;		/* the owner's: proto_seconds() then */
};

/* Opaque to all but flow/table.c; here so that it can be embedded. */
struct flow_table {
	uint8_t *slots;
	size_t stride;			/* bytes per slot */
	uint32_t n_slots;
	uint32_t first_free;		/* slot number + 1; 0 none */
	uint32_t fresh;			/* slots from here were never used */
	uint32_t mask;			/* index entries - 1 */
	uint32_t *index;		/* slot number + 1, or 0 */
	uint32_t used[FLOW_KIND_MAX];	/* flows per kind */
	uint32_t owned[FLOW_OWNERS_MAX];	/* and per owner */
	struct siphash_key hash_key;
};

/* Bytes that flow_table_init() wants. n_slots 1..FLOW_MAX. */
size_t flow_table_bytes(uint32_t n_slots, size_t stride);

/* mem: zeroed, aligned to 64, the table's for good; stride multiple of 8. */
void flow_table_init(struct flow_table *t, void *mem, uint32_t n_slots,
		     size_t stride, const struct siphash_key *key);

/*
 * A zeroed slot under that key, which must not be in the table. NULL if
 * the table is full. Lent until flow_free().
 */
struct flow *flow_alloc(struct flow_table *t, const struct flow_key *key);

/* It is counted as that owner's from now on, and not as 0's, as at first. */
void flow_give(struct flow_table *t, struct flow *f, uint32_t owner);

/* Take it out of the table; its handle finds nothing from now on. */
void flow_free(struct flow_table *t, struct flow *f);

/* NULL if there is none. */
struct flow *flow_find(const struct flow_table *t,
		       const struct flow_key *key);
struct flow *flow_get(const struct flow_table *t, struct handle h);

struct handle flow_handle(const struct flow_table *t, const struct flow *f);

/* Slots from first on in use: the next one at or after *slot, or NULL. */
struct flow *flow_next(const struct flow_table *t, uint32_t *slot);

/* Does p point into the slots? Gives the flow whose slot holds it. */
struct flow *flow_of(const struct flow_table *t, const void *p);

/* Check the invariants at the head of flow/table.c by ASSERT. */
void flow_table_check(const struct flow_table *t);

#endif
