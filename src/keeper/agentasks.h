/* SPDX-License-Identifier: MIT */
/*
 * keeper/agentasks.h - what a guest's agent is asked for, and by whom
 *
 * The engine wants a connection to a listener of the machine's (MSG_CONNECT),
 * or a client of the control socket one to run a command by. The agent is told
 * a number and a token, and calls with the token (AGENT_CARRY), or answers with
 * the number that it cannot: whichever it is, or if it does neither in time,
 * whoever asked is told.
 *
 * Limit. AGENT_ASKS_MAX on their way, each for AGENT_ASK_NS.
 */
#ifndef KEEPER_AGENTASKS_H
#define KEEPER_AGENTASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/agent.h"

#define AGENT_ASKS_MAX	256
#define AGENT_ASK_NS	UINT64_C(5000000000)

struct keeper;
struct agent;
struct client;
struct msg_open;

struct agent_ask {
	uint32_t id;			/* 0: free; then the agent's answer has
					   it, and a client that waits */
	bool run;			/* a client's, else the engine's: */
	uint32_t relay;			/* as that calls it */
	uint64_t until_ns;
	uint8_t token[AGENT_TOKEN_BYTES];
};

struct agent_asks {
	struct agent_ask at[AGENT_ASKS_MAX];
};

/* The engine wants a connection there; it is told MSG_CONNECTED. */
void agentasks_connect(struct keeper *k, struct agent *a,
		       const struct msg_open *m);

/* The same where there is no agent. */
void agentasks_refuse_connect(struct keeper *k, const struct msg_open *m);

/* A client wants to run a command; it is WAITING. */
void agentasks_run(struct keeper *k, struct agent *a, struct client *cl);

/* A stream with that token has come: true if one has asked for it; taken. */
bool agentasks_grant(struct keeper *k, struct agent *a,
		     const uint8_t token[AGENT_TOKEN_BYTES], int fd);

/* The agent cannot do that. */
void agentasks_failed(struct keeper *k, struct agent *a, uint32_t id);

/* There is no agent any more. */
void agentasks_end(struct keeper *k, struct agent *a);

/* Refuse what has waited too long; when to be called again. */
uint64_t agentasks_expire(struct keeper *k, struct agent *a, uint64_t now_ns);

#endif
