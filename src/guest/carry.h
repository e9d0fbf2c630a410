/* SPDX-License-Identifier: MIT */
/*
 * guest/carry.h - connections that the agent carries to and from the gateway
 *
 * Each has two sockets: one to the gateway, which begins with AGENT_CARRY and
 * the token, and one in the machine. Full duplex: what one side has said waits
 * in a buffer of CARRY_BYTES for the other, and a side is not read while its
 * buffer is full. The end of one direction is passed on behind its data; a
 * reset of either socket resets the other, behind what that takes at once.
 *
 * A socket of UDP in the machine is carried as wire/agent.h says: what the
 * gateway does not take waits in the socket, what the socket does not is lost,
 * and it ends with the stream.
 *
 *   CARRY_LOCAL	the socket in the machine connects
 *   CARRY_GATEWAY	the one to the gateway does
 *   CARRY_OPEN		both have
 *
 * Limit: CARRIES_MAX, of UDP CARRIES_UDP_MAX, which is more than the gateway
 * has at a time; the gateway is told of what is over that.
 */
#ifndef GUEST_CARRY_H
#define GUEST_CARRY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "wire/agent.h"

#define CARRIES_MAX	256
#define CARRIES_UDP_MAX	192
#define CARRY_BYTES	65536

enum carry_state { CARRY_FREE, CARRY_LOCAL, CARRY_GATEWAY, CARRY_OPEN };
enum carry_side { SIDE_GATEWAY, SIDE_LOCAL };

/* From one side to the other. */
struct carry_way {
	size_t at, n;			/* what waits in buf */
	bool eof;			/* the source has ended, */
	bool shut;			/* and the sink was told */
	uint8_t buf[CARRY_BYTES];
};

struct carry {
	enum carry_state state;
	bool udp;			/* the one in the machine is */
	uint32_t id;			/* of the gateway's question */
	uint8_t token[AGENT_TOKEN_BYTES];
	int fd[2];			/* by side; -1 */
	size_t polled;			/* its place in p, and 1; 0: none */
	struct carry_way from[2];	/* by source */
};

struct carries {
	struct ip gateway;
	struct carry at[CARRIES_MAX];
};

/* Carry the connection fd (taken) by that token. */
void carry_accepted(struct carries *c, int fd,
		    const uint8_t token[AGENT_TOKEN_BYTES]);

/* Connect to m->at and carry that. 0, or an errno for AGENT_FAILED. */
MUST int carry_connect(struct carries *c, const struct agent_message *m);

/* What to poll for; p has room for 2 * CARRIES_MAX. How many. */
size_t carry_fill(struct carries *c, struct pollfd *p);

/*
 * Deal with what poll() said; p as carry_fill() left it. failed(ctx, id,
 * errno) is called for those that could not be connected.
 */
void carry_turn(struct carries *c, const struct pollfd *p,
		void (*failed)(void *ctx, uint32_t id, int error), void *ctx);

/* Reset them all: the agent's stream has ended. */
void carry_end(struct carries *c);

#endif
