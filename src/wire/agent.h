/* SPDX-License-Identifier: MIT */
/*
 * wire/agent.h - what the gateway and the agent in a machine tell each other
 *
 * `slipway guest` connects from the machine to AGENT_PORT of the gateway. A
 * stream begins with one message of the machine's, which says what it is:
 *
 *   AGENT_HELLO	the agent's own: messages both ways, as long as it runs
 *   AGENT_CARRY	asked for over that one, and known by its token: the
 *			bytes of one connection, or those of AGENT_RUN
 *
 * The agent is heard only from a port that root alone may bind; a token is
 * random, is good for one stream, or, of AGENT_BIND, for those of its port.
 *
 *   machine -> gateway		HELLO  LISTENER  FAILED  BOUND  BOOTED  ALIVE
 *   gateway -> machine		WELCOME  CONNECT  RUN  BIND  UNBIND  BOOT
 *   on the stream of a RUN	COMMAND  DATA  SIZE, and DATA  ENDED back
 *
 * Format: all have the same one, numbers in network order.
 *
 *   length 2	of what follows
 *   kind 1, flags 1, port 2, id 4, value 4, address 16 (IPv4 mapped), token 16
 *   length 2	of text; then that; then more, which is the rest
 *
 * What a kind does not use is zero, and passed over. A message of an unknown
 * kind is refused: who speaks another AGENT_VERSION says so in its hello.
 */
#ifndef WIRE_AGENT_H
#define WIRE_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/drop.h"
#include "base/span.h"
#include "base/wr.h"

#define AGENT_PORT		5399	/* of the gateway's, TCP */
#define AGENT_VERSION		2
#define AGENT_TOKEN_BYTES	16
#define AGENT_HEAD_BYTES	48
#define AGENT_MESSAGE_BYTES	1024	/* the longest, but for a RUN's */
#define AGENT_RUN_BYTES		65537	/* the longest on the stream of one */
#define AGENT_ALIVE_S		2	/* the agent says something so often */

enum agent_kind {
	AGENT_HELLO = 1,	/* value: version; text: hostname; more: of
				   the program */
	AGENT_CARRY,		/* token */
	AGENT_LISTENER,		/* at, flags: began, or ended if GONE */
	AGENT_FAILED,		/* id: of a CONNECT or RUN; value: an errno */
	AGENT_BOUND,		/* id: of a BIND; value: 0, or an errno */
	AGENT_BOOTED,		/* value: exit status, 128 and more: a signal */
	AGENT_ALIVE,
	AGENT_WELCOME,		/* value: version */
	AGENT_CONNECT,		/* id, token, at: connect there and carry it;
				   flags: UDP, of which each datagram is its
				   length, of 2 bytes, and its bytes */
	AGENT_RUN,		/* id, token: a command is to be run by it */
	AGENT_BIND,		/* id, token, at, flags: whom it accepts there
				   is carried */
	AGENT_UNBIND,		/* id */
	AGENT_BOOT,		/* text: for /bin/sh, as root */
	AGENT_COMMAND,		/* text: words, each with its NUL; none: a
				   shell; more: TERM; value: size; flags: TTY */
	AGENT_DATA,		/* value: descriptor 0..2; text: "": its end */
	AGENT_SIZE,		/* value: rows << 16 | columns */
	AGENT_ENDED,		/* value: as BOOTED; of what did not start, the
				   shell's 126 or 127, and text: why */
	AGENT_KIND_MAX
};

enum agent_flag {
	AGENT_GONE	= 1 << 0,
	AGENT_UDP	= 1 << 1,
	AGENT_V6ONLY	= 1 << 2,
	AGENT_CASUAL	= 1 << 3,	/* see linux/listeners.h */
	AGENT_TTY	= 1 << 4,
	AGENT_FLAGS	= (1 << 5) - 1,
};

struct agent_message {
	uint8_t kind;			/* enum agent_kind */
	uint8_t flags;			/* enum agent_flag */
	uint32_t id, value;
	struct endpoint at;
	uint8_t token[AGENT_TOKEN_BYTES];
	struct view text, more;		/* lent */
};

/*
 * Bytes of the message that begins at p, of which n are there; 0 while its
 * length is not.
 */
size_t agent_bytes(const uint8_t *p, size_t n);

/*
 * Read one whole message of so many bytes. DROP_SHORT, DROP_LENGTH, or
 * DROP_VALUE: of an unknown kind, or with unknown flags.
 */
MUST enum drop agent_parse(struct view whole, struct agent_message *out);

/* Write one. w goes bad if there is no room, or it is too long. */
void agent_emit(struct wr *w, const struct agent_message *m);

#endif
