/* SPDX-License-Identifier: MIT */
/*
 * keeper/agent.h - the gateway's end of `slipway guest`, which runs in a VM
 *
 * Theory of operation
 * ===================
 *
 * The engine hands over each stream that the machine opens to AGENT_PORT
 * (engine/agents.h). Its first message says what it is (wire/agent.h):
 *
 *   CALLER	not said yet; within AGENT_CALLER_NS it must be
 *   the agent	HELLO, from a port that root alone may bind: the one stream by
 *		which all else is asked. A new one from the same machine takes
 *		the old one's place, as after a reboot; from another it is
 *		refused.
 *   carried	CARRY: what was asked for; from then on it is whosever asked
 *
 * So the agent stands in for the inside helper that a machine has not: of the
 * listeners that it tells, those at the machine's address are reached by
 * frames, as by `--localhost PORTS`, all others by the agent (the engine asks
 * with MSG_CONNECT), and `exec` gets the stream of a command as it is.
 *
 * All that it says is a guest's word: each message is read whole into a buffer
 * of fixed size and parsed there, and what it may cause is what the
 * configuration allows: ports of localhost are bound by forwards_listener().
 * Whoever says what makes no sense is cut off, and that is logged.
 *
 * With host access `localhost`, or a list, keeper/mirrors.h asks for ports to
 * be bound in the guest, as it asks the inside helper. A port that the agent has
 * bound is a channel here, whose other end is the engine's instead of a
 * listening socket: what the agent accepts is carried, and the stream handed
 * on over it. Its end, from the engine's side, unbinds the port.
 *
 * When it goes, or has been silent for AGENT_SILENT_NS, its ports go at once,
 * and whoever waits for it is told.
 *
 * Limits. AGENT_CALLERS_MAX streams that have not said what they are, further
 * ones are refused; AGENT_ASKS_MAX questions on their way, each for
 * AGENT_ASK_NS; AGENT_BINDS_MAX ports; LISTENERS_MAX listeners, further ones are passed over; 64 KiB
 * that the agent has not read: then it is cut off.
 */
#ifndef KEEPER_AGENT_H
#define KEEPER_AGENT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/addr.h"
#include "linux/listeners.h"
#include "wire/agent.h"

#define AGENT_CALLERS_MAX	32
#define AGENT_ASKS_MAX		256
#define AGENT_CALLER_NS		UINT64_C(2000000000)
#define AGENT_ASK_NS		UINT64_C(5000000000)
#define AGENT_SILENT_NS		UINT64_C(10000000000)
#define AGENT_TELL_NS		UINT64_C(60000000000)	/* what it did wrong */
#define AGENT_OUT_BYTES		65536
#define AGENT_BINDS_MAX		2048	/* all that mirrors have: two for each */
#define AGENT_NAME_BYTES	65

struct keeper;
struct client;
struct msg_agent;
struct msg_open;
struct status;

/* What has come of a message, and of which stream. */
struct agent_stream {
	int fd;				/* -1: free */
	struct endpoint from;		/* in the guest */
	uint64_t since_ns;		/* when it said something last */
	size_t n;
	uint8_t in[AGENT_MESSAGE_BYTES];
};

struct agent_ask {
	uint32_t id;			/* 0: free; then the agent's answer has
					   it, and a client that waits */
	bool run;			/* a client's, else the engine's: */
	uint32_t relay;			/* as that calls it */
	uint64_t until_ns;
	uint8_t token[AGENT_TOKEN_BYTES];
};

/* A port of the host's in the guest. */
struct agent_bind {
	uint32_t id;			/* 0: free; else the asker's */
	int fd;				/* to the engine; -1: not bound yet */
	uint8_t token[AGENT_TOKEN_BYTES];
};

struct agent {
	int epoll_fd;			/* of all streams; -1: none is heard */
	struct agent_stream caller[AGENT_CALLERS_MAX], own;
	uint32_t next_id;
	struct agent_ask ask[AGENT_ASKS_MAX];
	int bind_ch[2];			/* the asker's end, and ours */
	struct agent_bind bind[AGENT_BINDS_MAX];
	struct listeners known;
	time_t since;			/* of own */
	char hostname[AGENT_NAME_BYTES], version[AGENT_NAME_BYTES];
	bool booted;			/* the boot command has ended, */
	uint32_t boot_status;		/* thus */
	uint64_t told_ns;		/* of what was wrong; 0: never */
	size_t n_out;
	uint8_t out[AGENT_OUT_BYTES];
};

/* Before the engine starts. Unless the configuration says so, nothing. */
void agent_begin(struct keeper *k);

/* The engine has one more stream; fd is taken. */
void agent_called(struct keeper *k, const struct msg_agent *m, int fd);

/* agent.epoll_fd is readable. */
void agent_event(struct keeper *k);

/* Do what is due; when to be called again. */
uint64_t agent_tick(struct keeper *k, uint64_t now_ns);

/* The engine wants a connection in the guest; it is told MSG_CONNECTED. */
void agent_connect(struct keeper *k, const struct msg_open *m);

/*
 * A client wants to run a command; it is WAITING, and will be answered by
 * clients_switch(), with the stream of AGENT_RUN, or refused.
 */
void agent_run(struct keeper *k, struct client *cl);

/* What of it `status` tells; borrowed. */
void agent_status(const struct agent *a, struct status *out);

#endif
