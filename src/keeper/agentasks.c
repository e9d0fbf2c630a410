/* SPDX-License-Identifier: MIT */
#include "keeper/agentasks.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "keeper/process.h"
#include "linux/channel.h"

#define ENGINE_WAIT_MS	1000

/* To the engine; it may be busy, but not for long. fd: borrowed, or -1. */
static void tell_engine(struct keeper *k, uint32_t relay, int fd, int error)
{
	const struct msg_opened m = { .kind = MSG_CONNECTED, .id = relay,
				      .error = error };
	struct pollfd p = { .fd = k->engine_ch, .events = POLLOUT };
	int rc;

	do
		rc = channel_send(k->engine_ch, &m, sizeof(m), &fd, fd >= 0);
	while (rc == -EAGAIN && poll(&p, 1, ENGINE_WAIT_MS) > 0);
	if (rc < 0)
		log_write(&k->in.log, LOG_ERROR, "the engine does not take "
			  "what it asked the agent for");
}

static struct client *client_of(struct keeper *k, uint32_t id)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *cl = &k->clients.at[i];

		if (cl->state == CLIENT_WAITING && cl->asked == id)
			return cl;
	}
	return NULL;
}

/* It will not be; why and what to do, for a client. */
static void refuse(struct keeper *k, struct agent_ask *ask, int error,
		   const char *why)
{
	struct client *cl = ask->run ? client_of(k, ask->id) : NULL;

	if (cl)
		clients_refuse(cl, 503, why, keeper_now_ns());
	if (!ask->run)
		tell_engine(k, ask->relay, -1, error);
	ask->id = 0;
}

bool agentasks_grant(struct keeper *k, struct agent *a,
		     const uint8_t token[AGENT_TOKEN_BYTES], int fd)
{
	struct agent_ask *ask = NULL;
	struct client *cl;

	for (unsigned i = 0; !ask && i < AGENT_ASKS_MAX; i++)
		if (a->asks.at[i].id && !memcmp(a->asks.at[i].token, token,
						AGENT_TOKEN_BYTES))
			ask = &a->asks.at[i];
	if (!ask)
		return false;
	cl = ask->run ? client_of(k, ask->id) : NULL;
	if (!ask->run)
		tell_engine(k, ask->relay, fd, 0);
	if (cl)
		clients_lend(cl, json_pack("{s:b}", "agent", 1), fd,
			     keeper_now_ns());
	else
		close(fd);
	ask->id = 0;
	return true;
}

void agentasks_failed(struct keeper *k, struct agent *a, uint32_t id)
{
	for (unsigned i = 0; id && i < AGENT_ASKS_MAX; i++)
		if (a->asks.at[i].id == id)
			refuse(k, &a->asks.at[i], ECONNREFUSED, "the agent in "
			       "the virtual machine can run no more commands; "
			       "end one of them");
}

void agentasks_end(struct keeper *k, struct agent *a)
{
	for (unsigned i = 0; i < AGENT_ASKS_MAX; i++)
		if (a->asks.at[i].id)
			refuse(k, &a->asks.at[i], ECONNREFUSED, "the agent in "
			       "the virtual machine has gone; see "
			       "slipway-guest there");
}

uint64_t agentasks_expire(struct keeper *k, struct agent *a, uint64_t now_ns)
{
	uint64_t next = NEVER;

	for (unsigned i = 0; i < AGENT_ASKS_MAX; i++) {
		struct agent_ask *ask = &a->asks.at[i];

		if (ask->id && ask->until_ns <= now_ns)
			refuse(k, ask, ETIMEDOUT, "the agent in the virtual "
			       "machine does not answer; see slipway-guest "
			       "there");
		if (ask->id && ask->until_ns < next)
			next = ask->until_ns;
	}
	return next;
}

/* One with a number and a token; NULL: there are too many. */
static struct agent_ask *ask_new(struct keeper *k, struct agent *a)
{
	for (unsigned i = 0; i < AGENT_ASKS_MAX; i++) {
		struct agent_ask *ask = &a->asks.at[i];

		if (ask->id)
			continue;
		if (getrandom(ask->token, sizeof(ask->token), 0) !=
		    (ssize_t)sizeof(ask->token))
			return NULL;
		ask->id = agents_next_id(k);
		ask->until_ns = keeper_now_ns() + AGENT_ASK_NS;
		return ask;
	}
	return NULL;
}

static void send_ask(struct keeper *k, struct agent *a,
		     const struct agent_ask *ask, enum agent_kind kind,
		     const struct endpoint *at, uint8_t flags)
{
	struct agent_message m = { .kind = (uint8_t)kind, .id = ask->id,
				   .at = *at, .flags = flags };

	memcpy(m.token, ask->token, sizeof(m.token));
	agent_say(k, a, &m);
}

void agentasks_refuse_connect(struct keeper *k, const struct msg_open *m)
{
	tell_engine(k, m->id, -1, ECONNREFUSED);
}

void agentasks_connect(struct keeper *k, struct agent *a,
		       const struct msg_open *m)
{
	struct agent_ask *ask = agent_is_here(a) ? ask_new(k, a) : NULL;

	if (!ask) {
		agentasks_refuse_connect(k, m);
		return;
	}
	ask->run = false;
	ask->relay = m->id;
	send_ask(k, a, ask, AGENT_CONNECT, &m->at, m->udp ? AGENT_UDP : 0);
}

void agentasks_run(struct keeper *k, struct agent *a, struct client *cl)
{
	static const struct endpoint nowhere;
	struct agent_ask *ask = ask_new(k, a);

	if (!ask) {
		clients_refuse(cl, 503, "the agent in the virtual machine has "
			       "too much to do; try again", keeper_now_ns());
		return;
	}
	ask->run = true;
	cl->asked = ask->id;
	send_ask(k, a, ask, AGENT_RUN, &nowhere, 0);
}
