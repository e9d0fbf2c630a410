/* SPDX-License-Identifier: MIT */
/*
 * keeper/agentbinds.h - the host's ports in a machine, bound by its agent
 *
 * With host access `localhost`, or a list, keeper/mirrors.h asks for ports to
 * be bound in the guest, as it asks the inside helper. A port that the agent has
 * bound is a channel here, whose other end is the engine's instead of a
 * listening socket: what the agent accepts is carried, and the stream handed
 * on over it. Its end, from the engine's side, unbinds the port.
 *
 * Limits. AGENT_BINDS_MAX ports of a guest's, AGENT_BINDS_ALL of all of them
 * together; what is over them is refused, and `status` says so.
 */
#ifndef KEEPER_AGENTBINDS_H
#define KEEPER_AGENTBINDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "keeper/mirrors.h"
#include "wire/agent.h"

#define AGENT_BINDS_MAX		2048	/* all that mirrors have: two for each */
#define AGENT_BINDS_ALL		4096	/* with the forwards: the engine's */

struct keeper;
struct agent;

/* A port of the host's in the guest. */
struct agent_bind {
	uint32_t id;			/* 0: free; else the asker's */
	int fd;				/* to the engine; -1: not bound yet */
	uint8_t token[AGENT_TOKEN_BYTES];
};

struct agent_binds {
	int ch[2];			/* the asker's end, and ours */
	struct agent_bind at[AGENT_BINDS_MAX];
	struct mirrors mirrors;		/* who asks */
};

/* false with errno. */
MUST bool agentbinds_init(struct agent *a);

/* The agent is here: have what is wanted bound. */
void agentbinds_begin(struct keeper *k, struct agent *a);

/* It has gone: take all back, and answer what is asked for. */
void agentbinds_end(struct keeper *k, struct agent *a);

/* A port is asked for; the engine has let go of number n. */
void agentbinds_asked(struct keeper *k, struct agent *a);
void agentbinds_event(struct keeper *k, struct agent *a, unsigned n);

/* The agent has bound it, or has not: error, an errno. */
void agentbinds_bound(struct keeper *k, struct agent *a, uint32_t id,
		      uint32_t error);

/*
 * A stream with that token has come: true if it was accepted at one of the
 * ports; fd is borrowed.
 */
bool agentbinds_accepted(struct agent *a,
			 const uint8_t token[AGENT_TOKEN_BYTES], int fd);

#endif
