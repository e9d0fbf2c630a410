/* SPDX-License-Identifier: MIT */
#include "keeper/agents.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "keeper/process.h"

#define EVENTS	64

/* Without it the network is as useful as ever. */
static void cannot_hear(struct keeper *k)
{
	log_write(&k->in.log, LOG_ERROR, "nothing is left to hear a guest's "
		  "agent by; raise the limit of open files");
}

void agents_begin(struct keeper *k)
{
	struct agents *all = &k->agents;

	if (!k->machine || !k->in.config->agent)
		return;
	all->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (all->epoll_fd < 0)
		cannot_hear(k);
}

struct agent *agents_of(const struct keeper *k, unsigned guest)
{
	return guest < NETWORK_GUESTS_MAX ? k->agents.of[guest] : NULL;
}

/* A machine's, made if it is not there; NULL: none is heard of that guest. */
static struct agent *of_machine(struct keeper *k, unsigned guest)
{
	struct agents *all = &k->agents;
	struct agent *a = agents_of(k, guest);

	if (a || all->epoll_fd < 0 || guest >= NETWORK_GUESTS_MAX ||
	    (guest && (!k->roster.at[guest].used ||
		       k->roster.at[guest].client)))
		return a;
	a = calloc(1, sizeof(*a));
	if (!a || !agent_init(a, guest, all->epoll_fd)) {
		cannot_hear(k);
		free(a);
		return NULL;
	}
	all->of[guest] = a;
	return a;
}

void agents_called(struct keeper *k, const struct msg_agent *m, int fd)
{
	struct agent *a = of_machine(k, m->guest);

	if (a)
		agent_called(a, &m->from, fd);
	else
		close(fd);
}

void agents_event(struct keeper *k)
{
	struct agents *all = &k->agents;
	struct epoll_event ev[EVENTS];
	const int n = epoll_wait(all->epoll_fd, ev, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		const uint32_t word = ev[i].data.u32;
		struct agent *a = agents_of(k, word / AGENT_WORDS);

		if (a)
			agent_event(k, a, word % AGENT_WORDS, ev[i].events);
	}
}

uint64_t agents_tick(struct keeper *k, uint64_t now_ns)
{
	uint64_t next = NEVER;

	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++) {
		struct agent *a = k->agents.of[i];
		const uint64_t tick = a ? agent_tick(k, a, now_ns) : NEVER;

		next = tick < next ? tick : next;
	}
	return next;
}

void agents_follow(struct keeper *k)
{
	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++)
		if (k->agents.of[i])
			mirrors_follow(&k->agents.of[i]->binds.mirrors,
				       &k->mirrored);
}

void agents_connect(struct keeper *k, const struct msg_open *m)
{
	struct agent *a = agents_of(k, m->guest);

	if (a)
		agentasks_connect(k, a, m);
	else
		agentasks_refuse_connect(k, m);
}

void agents_run(struct keeper *k, unsigned guest, struct client *cl)
{
	struct agent *a = agents_of(k, guest);

	if (a && agent_is_here(a))
		agentasks_run(k, a, cl);
	else
		clients_refuse(cl, 409, "the guest is a virtual machine in "
			       "which no agent runs; start slipway guest "
			       "there, or log in to it", keeper_now_ns());
}

void agents_published(struct keeper *k, const struct publish *what)
{
	const int guest = *what->guest ? roster_find(k, what->guest) : 0;
	const struct agent *a = guest < 0 ? NULL :
				agents_of(k, (unsigned)guest);

	if (a)
		agent_retell(k, a);
}

uint32_t agents_next_id(struct keeper *k)
{
	k->agents.next_id += k->agents.next_id == UINT32_MAX ? 2 : 1;
	return k->agents.next_id;
}

void agents_shut(struct keeper *k)
{
	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++)
		if (k->agents.of[i])
			mirrors_shut(&k->agents.of[i]->binds.mirrors);
}
