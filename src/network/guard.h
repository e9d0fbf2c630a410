/* SPDX-License-Identifier: MIT */
/*
 * network/guard.h - may a flow begin, and may it go on?
 *
 * Theory of operation
 * ===================
 *
 * Whatever begins a flow asks here once; packets of a flow that there is do
 * not. The rules (firewall/) are asked at each end that has a firewall:
 *
 *   path              checks             local end of `in`
 *   guest to world    out
 *   guest to host     out, then in       the gateway, or the host's address
 *   guest to guest    out, then in       the other guest
 *   host to guest     in                 the guest
 *   LAN to guest      in                 the guest
 *
 * What the gateway answers itself (DHCP, DNS, echo to it …) is no flow.
 * Without rules nothing passes.
 *
 * Programs. A rule may ask for the program at an end, which the driver can
 * find out, but not at once. Only where the answer would change the verdict
 * is it asked for (firewall_verdict.unsure); what began the flow *waits*
 * meanwhile: a packet, an accepted stream, a datagram, or a ticket of the
 * driver's own. With the answer it is taken up again as if it had come just
 * then, and asks here again; without one after GUARD_PATIENCE_NS it is
 * dropped: there is no verdict, and a guest may have seen to that, by so many
 * processes and files that nobody can be found among them. Other flows go on.
 * Of guests but the first, and of flows between guests, nobody can find it out.
 *
 * When rules change, a *sweep* asks for each flow that lives; those that may
 * not be any more are reset, so many in a turn. A flow whose program has to
 * be asked for goes on until it is known.
 *
 * Limits. GUARD_WAITING_MAX wait, GUARD_SAME_MAX of one flow; what they hold
 * is at most GUARD_KEPT_BYTES; more is dropped, and comes again. The driver
 * is told of GUARD_TOLD_BURST blocked flows at once and so many per second;
 * the others are counted.
 */
#ifndef NETWORK_GUARD_H
#define NETWORK_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/wheel.h"
#include "network/network.h"
#include "proto/ctx.h"
#include "wire/ip.h"

#define GUARD_WAITING_MAX	256u
#define GUARD_SAME_MAX		8u
#define GUARD_KEPT_BYTES	(4u << 20)
#define GUARD_PATIENCE_NS	UINT64_C(2000000000)
#define GUARD_TOLD_BURST	256u
#define GUARD_SWEEP_TURN	2048u	/* flows asked for in a turn */

enum guard_path {
	GUARD_TO_WORLD,
	GUARD_TO_HOST,
	GUARD_TO_GUEST,			/* another one */
	GUARD_FROM_HOST,
	GUARD_FROM_LAN,
};

/* Of a flow between guests the one that it is to is at the host's end. */
enum guard_end { GUARD_GUEST_END, GUARD_HOST_END, GUARD_ENDS };

/* What begins; the ends as the guest has them on its link. */
struct guard_flow {
	enum guard_path path;
	uint8_t protocol;		/* of IP */
	uint8_t icmp_type, icmp_code;
	struct endpoint guest, peer;
};

enum guard_verdict {
	GUARD_PASS,
	GUARD_BLOCK,			/* not told to who began it */
	GUARD_WAIT,			/* it is kept */
	GUARD_LIMIT,			/* it should be, but there is no room */
};

struct guard_programs {
	bool asked[GUARD_ENDS];
	const char *path[GUARD_ENDS];	/* NULL: unknown */
};

enum guard_kind {
	GUARD_NOTHING,
	GUARD_GUEST_PACKET,
	GUARD_HOST_PACKET,
	GUARD_STREAM,			/* of network_offer() */
	GUARD_DATAGRAM,			/* to an offer of UDP */
	GUARD_TICKET,			/* of network_judge() */
	GUARD_LIVING,			/* a flow that there is */
};

/* What has begun a flow, so that it can do so again. Its bytes are lent. */
struct guard_cause {
	enum guard_kind kind;
	union {
		struct frame_meta meta;		/* of a packet */
		struct {
			int id;
			struct endpoint from, to;
		} stream;
		struct {
			struct handle map;
			struct endpoint peer;
			struct env_mark mark;
			unsigned n;
		} datagram;			/* as struct proto_call */
		uint32_t ticket;
		struct handle living;
	};
	struct view bytes;		/* an IP packet, or payload */
};

struct guard_waiting {
	struct guard_flow flow;
	struct guard_cause cause;	/* bytes: in the block */
	uint32_t id;			/* of the question; 0: not in use */
	enum guard_end end;		/* that is asked about */
	uint64_t order;
	uint64_t until_ns;
	struct guard_programs known;	/* paths: in the block */
	uint8_t *block;			/* env memory: paths, then bytes */
	uint32_t block_bytes;
};

struct guard {
	struct network_rules rules;
	bool in_matters;		/* the host's door may be shut */
	uint32_t last_id;
	uint64_t last_order;
	unsigned waiting;
	uint32_t kept_bytes;
	struct timer timer;		/* of the one that waits longest */
	const struct guard_waiting *again;	/* taken up just now */
	uint32_t sweep_at;		/* next slot; UINT32_MAX: none */
	bool sweep_stuck;		/* until something stops waiting */
	uint64_t blocked, not_told;
	uint64_t told_ns;		/* of the token bucket */
	struct guard_waiting slots[GUARD_WAITING_MAX];
};

struct network;

void guard_init(struct guard *g);
/* What waits is reset or dropped. */
void guard_fini(struct network *net);

/*
 * May that begin? cause is copied if it has to wait; then a stream's id and
 * a ticket are the guard's until it is taken up again.
 */
enum guard_verdict guard_begins(struct network *net,
				const struct guard_flow *flow,
				const struct guard_cause *cause);

/* The same of a packet of the guest's, for frames.c and direct.c. */
enum guard_verdict guard_packet_begins(struct network *net,
				       const struct guard_flow *flow,
				       enum guard_kind kind,
				       const struct ip_packet *ip,
				       const struct frame_meta *meta);

/* The same of datagrams to an offer; proto's may_call(). */
bool guard_call_begins(struct proto *p, const struct proto_call *call,
		       enum drop *why);

/* By which rules know the guest at that address; NULL: it has no name. */
const char *guard_guest_name(const struct network *net, const struct ip *ip);

/* Something is blocked, and counted: may env be told of it now? */
MUST bool guard_may_tell(struct network *net);

/* What to count for a verdict. */
/* The same of what is no flow: nothing waits, and nobody is told. */
bool guard_passes(const struct network *net, const struct guard_flow *flow);

enum drop guard_drop(enum guard_verdict verdict);

/* Is what the guest wrote the host's, where that makes a difference? */
enum guard_path guard_path_to(const struct network *net, const struct ip *dst);
/* From where does a client of the host's ports come? */
enum guard_path guard_path_from(const struct network *net,
				const struct ip *from);

void guard_timer(struct network *net);

/* The flow may not go on: whom it is between is told. */
void guard_end_flow(struct network *net, struct flow *f);

/* Go on with a sweep. */
void guard_turn_end(struct network *net);
bool guard_busy(const struct network *net);

/* ---- between the files of this module ---- */

#define GUARD_NO_SWEEP	UINT32_MAX

static inline bool guard_leaves(enum guard_path path)
{
	return path == GUARD_TO_WORLD || path == GUARD_TO_HOST ||
	       path == GUARD_TO_GUEST;
}

/* guard_wait.c: is it taken up again just now? */
bool guard_is_again(const struct guard *g, const struct guard_flow *f);

/*
 * Keep it until the program at that end is known. GUARD_PASS: nobody can
 * find that out.
 */
enum guard_verdict guard_keep(struct network *net,
			      const struct guard_flow *f,
			      const struct guard_cause *cause,
			      const struct guard_programs *known,
			      enum guard_end end);

/* guard_sweep.c: its program is known now, if it will ever be. */
void guard_judge_living(struct network *net, const struct guard_waiting *w);

#endif
