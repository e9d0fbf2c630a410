/* SPDX-License-Identifier: MIT */
/*
 * network/paths.h - paths that take less than they say, and say nothing
 *
 * Theory of operation
 * ===================
 *
 * A router that cannot pass a packet on says so, and the host's kernel and
 * proto/ do the rest. This file is for those that are silent: tunnels whose
 * MTU is less than that of their interface, networks behind which the errors
 * get lost. Connections through such a hole are made and then hang.
 *
 * Tunnels. Of an interface that leads to a program (env_path.tunnel) nothing
 * is believed: connections by it begin with segments that pass everywhere
 * (PATHS_LEAST), and a destination is *probed*, by echo requests that may not
 * be cut: as soon as the host's routes or resolvers have changed a resolver,
 * or who was spoken to in the last minute, else the first that is spoken to. If the longest comes back the interface
 * is *whole*, and nothing is clamped any more; if only shorter ones do it is
 * *narrow*, of the MTU found; if none do, nothing is known, and the next
 * destination is asked. So nobody waits, and nobody has to be told.
 *
 * Elsewhere what the kernel believes is believed, until a connection stalls:
 * large segments are sent again and again, and never acknowledged. Then its
 * destination is probed; if that does not answer echo requests, a connection
 * to the same port tells whether small packets pass, and after it a segment
 * that is sent once more, and not acknowledged, that large ones do not.
 * If so that destination is narrow, and the connection, which nothing can
 * revive, is reset, so that its program tries again; unless the host's own
 * tcp_mtu_probing has done it, for then it is not stalled any more.
 *
 * A hole towards us shows less. A connection that waits for an answer, and
 * has never had a large segment, may wait for good reasons, so its destination
 * is probed once, up to what the far end may think to pass. Is it narrow, and
 * no router says so, it holds for new connections. This one is reset if it is
 * sure that it waits for what was lost: what lies behind that has come.
 *
 * What is narrow holds for new connections, as their greatest segment, and
 * for datagrams and pings that may not be cut: these are answered as too big
 * by the gateway. Those of IPv6 that may be are cut to it by the host.
 * (Of IPv4 the kernel cannot be told, and of IPv6 it cuts nothing that it
 * believes to pass in one.) What was found out is forgotten after PATHS_KEPT_NS, when
 * it is probed again, and at once when the host's routes change.
 *
 * A probe sends 2 sizes, then up to PATHS_SIZES between what passes and what
 * does not, each up to PROBE_TRIES times, until they are next to each other.
 *
 * Limits. PATHS_PROBES at a time, PATHS_DEVS interfaces, PATHS_DESTS
 * destinations: the oldest goes. TCP flows looked at for stalls: PATHS_LOOKS
 * in PATHS_LOOK_NS, and only while the guest sends. On a host that changes
 * all the time PATHS_FRESH_TRIES are probed unasked in PATHS_FRESH_GAP_NS.
 */
#ifndef NETWORK_PATHS_H
#define NETWORK_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/network_stats.h"
#include "base/wheel.h"
#include "env/env.h"
#include "wire/ip.h"

#define PATHS_SLOT_BASE	0x50000000u	/* owner handles of probes */
#define PATHS_LEAST	1280u		/* RFC 8200 section 5 */
#define PATHS_MOST	1500u		/* longest that is probed */
#define PATHS_PROBES	4u
#define PATHS_SIZES	7u
#define PATHS_DEVS	16u
#define PATHS_DESTS	64u
#define PATHS_SEEN	64u
#define PATHS_LOOKS	64u
#define PATHS_LOOK_NS	UINT64_C(1000000000)
#define PATHS_SETTLE_NS	UINT64_C(100000000)
#define PATHS_FRESH_GAP_NS UINT64_C(1000000000)
#define PATHS_FRESH_TRIES 4u
#define PATHS_IN_USE_NS	UINT64_C(60000000000)
#define PATHS_KEPT_NS	UINT64_C(600000000000)	/* RFC 1191 section 6.3 */

struct network;
struct proto;

/* What is known of an interface (by its index), or of a destination. */
struct path_fact {
	struct ip to;			/* of a destination */
	uint32_t dev;			/* of an interface */
	uint16_t mtu;			/* it takes so much; 0: all it says,
					   or, of a destination: no answer */
	bool whole;			/* of a destination: all it says */
	uint64_t until_ns;		/* 0: not in use */
};

struct path_probe {
	struct timer timer;
	bool used;
	bool waits;			/* of a flow that waits for an answer */
	bool told;			/* who lets nothing pass says so */
	bool by_tcp;			/* the second question, see above */
	unsigned stalled;		/* of the flow, when small ones passed */
	uint32_t gen;			/* of the owner's handle */
	int sock;			/* a ping socket, or a stream; -1: none */
	struct ip to;
	uint32_t dev;			/* to learn of; 0: of the destination */
	struct handle flow;		/* that stalls, if dev is 0 */
	uint16_t passes, fails;		/* bytes: known to; fails: or more */
	uint16_t first_seq;		/* of this round */
	uint16_t size[PATHS_SIZES];
	uint8_t n;			/* sizes in this round */
	uint8_t answered;		/* a bit each */
	uint8_t tries;
	uint64_t sent_ns, rtt_ns;	/* rtt: 0 not known */
};

/* What was said of a destination last, so that not each packet asks. */
struct path_seen {
	struct ip to;
	uint32_t epoch;			/* 0: nothing */
	uint16_t limit;			/* as paths_limit() */
	bool unproved;			/* a tunnel of which nothing is known */
	uint64_t until_ns;
	uint64_t asked_ns;		/* by the guest, last; 0: never */
};

struct paths {
	struct path_probe probe[PATHS_PROBES];
	struct path_fact dev[PATHS_DEVS], dest[PATHS_DESTS];
	struct path_seen seen[PATHS_SEEN];
	uint32_t epoch;			/* of what is known */
	uint16_t narrowest;		/* of the interfaces; 0: none is */
	struct timer timer;		/* of looks for stalls */
	uint32_t look_at;		/* slot of the flow table */
	struct timer fresh;		/* what changed has settled */
	unsigned begun;			/* probes, ever */
	unsigned fresh_tries;		/* to be made yet */
	uint64_t fresh_ns;		/* when the last one was; 0: never */
	uint64_t looked_bytes;		/* from the guest, at the last look */
	uint64_t looked_ns;
};

void paths_init(struct network *net);
void paths_fini(struct network *net);

/* The greatest segment for a new connection there; 0: any. May probe. */
uint16_t paths_mss(struct network *net, const struct ip *to);

/* What the path takes that is known to be narrow; 0: no such. May probe. */
uint16_t paths_limit(struct network *net, const struct ip *to);

/*
 * What is sure to pass there, where what may be cut is not to be as long as
 * the host believes; 0: no such. Never probes. Proto's path_takes().
 */
uint16_t paths_takes(struct proto *p, const struct ip *to);

/*
 * A packet of the guest's, or a batch of such of len bytes each, header and
 * all, for that address of the host's world: must it not be sent? Then the
 * guest has been told how much passes. May probe.
 */
bool paths_refuse(struct network *net, const struct ip_packet *ip,
		  const struct ip *to, size_t len);

/* The host's routes have changed: all is forgotten, and soon probed again. */
void paths_changed(struct network *net);

/* Its resolvers have: new ones are probed soon, if they are behind a tunnel. */
void paths_expect(struct network *net);

/* Event of a socket whose owner has slot >= PATHS_SLOT_BASE. */
void paths_sock_event(struct network *net, struct handle h, unsigned events);

/* A timer popped from the wheel: ours? Then handled, and true. */
bool paths_timer(struct network *net, struct timer *t);

/* The turn is over: is it time to look for connections that stall? */
void paths_turn_end(struct network *net);

/* What is narrow now; at most n. How many. */
unsigned paths_narrow(const struct network *net, struct network_narrow *out,
		      unsigned n);

#endif
