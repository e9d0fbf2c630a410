/* SPDX-License-Identifier: MIT */
#include "engine/agents.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/state.h"
#include "linux/channel.h"
#include "linux/dial.h"
#include "linux/messages.h"

static struct engine *engine_of(void *host)
{
	return (struct engine *)(void *)((char *)host -
					 offsetof(struct engine, host));
}

/* 0, or an errno. */
static int hand_over(const struct engine *e, const struct endpoint *from,
		     unsigned guest, int fd)
{
	const struct msg_agent m = {
		.kind = MSG_AGENT, .from = *from,
		.guest = engine_keepers_number(e, guest),
	};

	return -channel_send(e->setup.keeper_ch, &m, sizeof(m), &fd, 1);
}

static bool has_room(const struct agents *a, unsigned guest)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < a->n; i++)
		n += a->at[i].guest == guest;
	return a->n < AGENT_STREAMS_MAX && n < AGENT_STREAMS_EACH;
}

static int agent_open(void *ctx, const struct endpoint *from,
		      struct handle owner)
{
	struct engine *e = engine_of(ctx);
	struct network_guest whose;
	uint64_t other;
	int pair[2], error = 0;

	if (!network_guest_at(e->net, &from->ip, &whose) ||
	    !has_room(&e->agents, whose.id) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       pair) < 0)
		return -ENV_LIMIT;
	if (hostenv_enrol(&e->host, pair[0], owner) < 0)
		error = errno;
	else
		error = hand_over(e, from, whose.id, pair[1]);
	other = dial_cookie(pair[1]);
	close(pair[1]);
	if (error) {
		close(pair[0]);
		return -ENV_LIMIT;
	}
	e->agents.at[e->agents.n++] = (struct agent_flow){
		.fd = pair[0], .guest = whose.id, .link = whose.link,
		.other = other,
	};
	return pair[0];
}

static struct agent_flow *flow_of(struct agents *a, int fd)
{
	for (uint32_t i = 0; i < a->n; i++)
		if (a->at[i].fd == fd)
			return &a->at[i];
	return NULL;
}

static void agent_close(void *ctx, int id, bool reset)
{
	struct engine *e = engine_of(ctx);
	struct agents *a = &e->agents;

	struct agent_flow *f = flow_of(a, id);
	const struct handle relay = f ? f->relay : (struct handle){ 0 };

	if (f)
		*f = a->at[--a->n];
	if (relay.gen && reset)
		relays_reset(e->relays, relay);
	hostenv_ops.tcp.close(ctx, id, reset);
}

static int64_t agent_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	const int64_t got = hostenv_ops.tcp.recv(ctx, id, v, n);
	const struct agent_flow *f;

	if (got)
		return got;
	f = flow_of(&engine_of(ctx)->agents, id);
	return f && f->reset ? -ENV_RESET : 0;
}

static int agent_connected(void *ctx, int id)
{
	const struct agent_flow *f = flow_of(&engine_of(ctx)->agents, id);

	return f && f->reset ? -ENV_RESET :
			       hostenv_ops.tcp.connected(ctx, id);
}

void agents_relay(void *ctx, uint64_t cookie, struct handle relay, bool reset)
{
	struct engine *e = ctx;
	struct agents *a = &e->agents;

	for (uint32_t i = 0; i < a->n; i++) {
		if (a->at[i].other != cookie)
			continue;
		a->at[i].reset = reset;
		a->at[i].relay = reset ? (struct handle){ 0 } : relay;
		return;
	}
}

void agents_ops(struct env_ops *ops)
{
	ops->agent_open = agent_open;
	ops->agent = hostenv_ops.tcp;
	ops->agent.close = agent_close;
	ops->agent.recv = agent_recv;
	ops->agent.connected = agent_connected;
}

void agents_hang_up(struct agents *a, unsigned link)
{
	/* The flows see their end, and reset what nobody hears any more. */
	for (uint32_t i = 0; i < a->n; i++)
		if (a->at[i].link == link)
			shutdown(a->at[i].fd, SHUT_RDWR);
}
