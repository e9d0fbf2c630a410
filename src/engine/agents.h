/* SPDX-License-Identifier: MIT */
/*
 * engine/agents.h - streams between a guest's agent and the keeper
 *
 * A connection of the guest's to the gateway's AGENT_PORT (wire/agent.h) ends
 * here, and its bytes go on over a pair of sockets: one end is the flow's, the
 * other one the keeper's. It has no address, so nobody else on the host can
 * have it, and the guest reaches nothing but the keeper by it. The engine
 * understands none of the bytes.
 *
 * Each stream is a guest's, by the address that it comes from, and of the link
 * that this one is behind then. When a link ends, the agents behind it are
 * gone with it: what the keeper has of them ends at once, though no packet
 * says so, and nothing of the others'.
 *
 * A pair of sockets knows no reset. So where the keeper's end has become a
 * relay's (engine/relay.h), that and the flow tell each other here of one: it
 * comes out behind what was said before it, instead of the end.
 *
 * Limits. AGENT_STREAMS_MAX at a time, AGENT_STREAMS_EACH of one guest; one
 * more is refused, and so is one that the keeper is too busy to take:
 * DROP_SYSTEM counts them.
 */
#ifndef ENGINE_AGENTS_H
#define ENGINE_AGENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/handle.h"
#include "env/env.h"

#define AGENT_STREAMS_MAX	2048
#define AGENT_STREAMS_EACH	512	/* all that its agent has, and callers */

struct agent_flow {
	int fd;				/* the flow's end */
	uint8_t guest, link;		/* the core's numbers */
	bool reset;			/* the other end was: so its end is */
	uint64_t other;			/* cookie of the other end (linux/dial.h) */
	struct handle relay;		/* which has that; gen 0: none */
};

struct agents {
	uint32_t n;
	struct agent_flow at[AGENT_STREAMS_MAX];	/* in no order */
};

/* Set what env does for an agent; ctx is the engine's `host`. */
void agents_ops(struct env_ops *ops);

/* Of a relay, to ctx, the engine: relay_agent_fn. */
void agents_relay(void *ctx, uint64_t cookie, struct handle relay, bool reset);

/* That link has ended. */
void agents_hang_up(struct agents *a, unsigned link);

#endif
