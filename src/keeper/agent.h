/* SPDX-License-Identifier: MIT */
/*
 * keeper/agent.h - the gateway's end of one `slipway guest`, of a guest's VM
 *
 * Theory of operation
 * ===================
 *
 * The engine hands over each stream that a machine opens to AGENT_PORT, and
 * says which guest it is (keeper/agents.h). Its first message says what it is
 * for (wire/agent.h):
 *
 *   CALLER	not said yet; within AGENT_CALLER_NS it must be
 *   the agent	HELLO, from a port that root alone may bind: the one stream by
 *		which all else is asked. A new one of the guest's takes the old
 *		one's place, as after a reboot.
 *   carried	CARRY: what was asked for (keeper/agentasks.h), or accepted at
 *		a port of the host's (keeper/agentbinds.h); from then on it is
 *		whosever asked
 *
 * So the agent stands in for the inside helper that a machine has not: of the
 * listeners that it tells, those at the machine's address are reached by
 * frames, as by `--localhost PORTS`, all others by the agent. The first guest's
 * are on the host's localhost; those of any are, where an entry of its own
 * publishes them there.
 *
 * All that it says is a guest's word: each message is read whole into a buffer
 * of fixed size and parsed there, and what it may cause is what the
 * configuration allows: ports of localhost are bound by forwards_listener().
 * Whoever says what makes no sense is cut off, and that is logged.
 *
 * When it goes, or has been silent for AGENT_SILENT_NS, its ports go at once,
 * and whoever waits for it is told. What one guest does is none of another's:
 * all of this is there for each.
 *
 * Limits. AGENT_CALLERS_MAX streams that have not said what they are, further
 * ones are refused; LISTENERS_MAX listeners, further ones are passed over;
 * 64 KiB that the agent has not read: then it is cut off.
 */
#ifndef KEEPER_AGENT_H
#define KEEPER_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/addr.h"
#include "base/check.h"
#include "keeper/agentasks.h"
#include "keeper/agentbinds.h"
#include "linux/listeners.h"
#include "wire/agent.h"

#define AGENT_CALLERS_MAX	128
#define AGENT_CALLER_NS		UINT64_C(2000000000)
#define AGENT_SILENT_NS		UINT64_C(10000000000)
#define AGENT_TELL_NS		UINT64_C(60000000000)	/* what it did wrong */
#define AGENT_OUT_BYTES		65536
#define AGENT_NAME_BYTES	65

struct keeper;
struct guest_status;

/* What has come of a message, and of which stream. */
struct agent_stream {
	int fd;				/* -1: free */
	struct endpoint from;		/* in the guest */
	uint64_t since_ns;		/* when it said something last */
	size_t n;
	uint8_t in[AGENT_MESSAGE_BYTES];
};

struct agent {
	uint8_t guest;			/* the keeper's number; 0: the first */
	int epoll_fd;			/* of all agents' streams; borrowed */
	struct agent_stream caller[AGENT_CALLERS_MAX], own;
	struct agent_asks asks;
	struct agent_binds binds;
	struct listeners known;
	time_t since;			/* of own */
	char hostname[AGENT_NAME_BYTES], version[AGENT_NAME_BYTES];
	bool booted;			/* the boot command has ended, */
	uint32_t boot_status;		/* thus */
	uint64_t told_ns;		/* of what was wrong; 0: never */
	size_t n_out;
	uint8_t out[AGENT_OUT_BYTES];
};

/* What epoll calls what is whose: the guest's number, and what of it is. */
enum agent_word {
	AGENT_WORD_OWN = AGENT_CALLERS_MAX,
	AGENT_WORD_ASKER,
	AGENT_WORD_BINDS,		/* the first of them */
	AGENT_WORDS = 1 << 12,		/* more than that is not */
};

/* a: zeroed; of that guest. false with errno: it cannot be heard. */
MUST bool agent_init(struct agent *a, unsigned guest, int epoll_fd);

/* Has its own stream come, and not gone? */
bool agent_is_here(const struct agent *a);

/* Its name in the log: "GUEST", of the network's first "the guest". */
const char *agent_whose(const struct keeper *k, const struct agent *a);

/* One more stream of that guest's; fd is taken. */
void agent_called(struct agent *a, const struct endpoint *from, int fd);

/* epoll_fd has told of that word, without the guest's number. */
void agent_event(struct keeper *k, struct agent *a, uint32_t word,
		 uint32_t events);

/* Do what is due; when to be called again. */
uint64_t agent_tick(struct keeper *k, struct agent *a, uint64_t now_ns);

/*
 * Tell it something, if it is here. It may be gone then: who does not read is
 * cut off.
 */
void agent_say(struct keeper *k, struct agent *a,
	       const struct agent_message *m);

/* The guest's listeners once more, for what has been published since. */
void agent_retell(struct keeper *k, const struct agent *a);

/* What `status` tells of it; borrowed. */
void agent_status(const struct agent *a, struct guest_status *out);

/* Watch a descriptor as that word of the agent's. false with errno. */
MUST bool agent_watch(const struct agent *a, int fd, uint32_t word, int how,
		      uint32_t events);

#endif
