/* SPDX-License-Identifier: MIT */
/*
 * keeper/agents.h - the agents of all guests that are machines
 *
 * Each guest has one of its own (keeper/agent.h), made when it first calls and
 * kept from then on, so that what is asked for is asked of the right one. A
 * command that has joined has none: whoever calls there is not heard.
 *
 * The first guest's has the network's `[boot] command`, any other the
 * `bootCommand` of its section.
 */
#ifndef KEEPER_AGENTS_H
#define KEEPER_AGENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/network_guest.h"
#include "config/publish.h"
#include "keeper/agent.h"

struct keeper;
struct client;
struct msg_agent;
struct msg_open;

struct agents {
	int epoll_fd;			/* of all streams; -1: none is heard */
	uint32_t next_id;		/* of what is asked for */
	uint32_t n_binds;		/* of all, see agentbinds.h */
	struct agent *of[NETWORK_GUESTS_MAX];	/* by the keeper's number */
};

/* Before the engine starts. Unless the configuration says so, nothing. */
void agents_begin(struct keeper *k);

/* The engine has one more stream; fd is taken. */
void agents_called(struct keeper *k, const struct msg_agent *m, int fd);

/* agents.epoll_fd is readable. */
void agents_event(struct keeper *k);

/* Do what is due; when to be called again. */
uint64_t agents_tick(struct keeper *k, uint64_t now_ns);

/* The host's listeners have been looked at. */
void agents_follow(struct keeper *k);

/* The engine wants a connection in a guest; it is told MSG_CONNECTED. */
void agents_connect(struct keeper *k, const struct msg_open *m);

/*
 * A client wants to run a command in that guest; it is WAITING, and will be
 * answered by clients_switch(), with the stream of AGENT_RUN, or refused.
 */
void agents_run(struct keeper *k, unsigned guest, struct client *cl);

/* An entry has been added: what the guest's listeners ask of it. */
void agents_published(struct keeper *k, const struct publish *what);

/* One that nobody has: of whatever is asked of any of them. */
uint32_t agents_next_id(struct keeper *k);

/* That guest's; NULL: it has never called. */
struct agent *agents_of(const struct keeper *k, unsigned guest);

/* Free all ports at once; the engine is told nothing. */
void agents_shut(struct keeper *k);

#endif
