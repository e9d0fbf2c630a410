/* SPDX-License-Identifier: MIT */
#include "keeper/agentbinds.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "keeper/process.h"
#include "linux/channel.h"

bool agentbinds_init(struct agent *a)
{
	struct agent_binds *b = &a->binds;
	const int rc = channel_pair(b->ch, true);

	errno = -rc;
	return rc == 0 && agent_watch(a, b->ch[1], AGENT_WORD_ASKER,
				      EPOLL_CTL_ADD, EPOLLIN);
}

static void let_go(struct keeper *k, struct agent_bind *b)
{
	b->id = 0;
	k->agents.n_binds--;
}

/* It has no port any more, or, error, could not get one. */
static void unbind(struct keeper *k, struct agent *a, struct agent_bind *b,
		   int error)
{
	const uint32_t id = b->id;
	const bool asked = b->fd < 0;

	if (!asked)
		close(b->fd);
	let_go(k, b);
	if (asked)
		mirrors_bound(&a->binds.mirrors, id, -1, error);
}

static struct agent_bind *by_id(struct agent *a, uint32_t id)
{
	for (unsigned i = 0; id && i < AGENT_BINDS_MAX; i++)
		if (a->binds.at[i].id == id)
			return &a->binds.at[i];
	return NULL;
}

bool agentbinds_accepted(struct agent *a,
			 const uint8_t token[AGENT_TOKEN_BYTES], int fd)
{
	for (unsigned i = 0; i < AGENT_BINDS_MAX; i++) {
		const struct agent_bind *b = &a->binds.at[i];

		if (!b->id || b->fd < 0 ||
		    memcmp(b->token, token, AGENT_TOKEN_BYTES))
			continue;
		/* Full of others: it is refused. */
		(void)!channel_send(b->fd, "", 1, &fd, 1);
		return true;
	}
	return false;
}

void agentbinds_bound(struct keeper *k, struct agent *a, uint32_t id,
		      uint32_t error)
{
	struct agent_bind *b = by_id(a, id);
	uint32_t word;
	int pair[2];

	if (!b || b->fd >= 0)
		return;			/* it says so again */
	if (error || channel_pair(pair, true) < 0) {
		unbind(k, a, b, error ? (int)(error & 0xfff) : EMFILE);
		return;
	}
	word = AGENT_WORD_BINDS + (uint32_t)(b - a->binds.at);
	if (!agent_watch(a, pair[1], word, EPOLL_CTL_ADD, EPOLLIN)) {
		close(pair[0]);
		close(pair[1]);
		unbind(k, a, b, EMFILE);
		return;
	}
	b->fd = pair[1];
	mirrors_bound(&a->binds.mirrors, b->id, pair[0], 0);
}

void agentbinds_begin(struct keeper *k, struct agent *a)
{
	struct mirrors *m = &a->binds.mirrors;
	int rc;

	if (!mirrors_wanted(k->in.config))
		return;
	rc = mirrored_start(&k->mirrored, &k->ports, keeper_now_ns());
	if (rc < 0) {
		log_print(&k->in.log, LOG_ERROR, "the host's listeners cannot "
			  "be watched: %s", strerror(-rc));
		return;
	}
	m->tcp_only = true;
	m->guest = a->guest;
	mirrors_start(m, k->in.config, &k->mirrored, a->binds.ch[0]);
}

/* Nobody looks for what nobody mirrors. */
static void rest(struct keeper *k)
{
	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++)
		if (k->agents.of[i] && k->agents.of[i]->binds.mirrors.on)
			return;
	mirrored_end(&k->mirrored);
}

void agentbinds_end(struct keeper *k, struct agent *a)
{
	struct mirrors *m = &a->binds.mirrors;
	int fds[CHANNEL_MAX_FDS];
	struct msg_open open;
	size_t n_fds;

	mirrors_end(m);
	while (channel_recv(a->binds.ch[1], &open, sizeof(open), fds,
			    &n_fds) == sizeof(open))
		mirrors_bound(m, open.id, -1, ECONNREFUSED);
	for (unsigned i = 0; i < AGENT_BINDS_MAX; i++)
		if (a->binds.at[i].id)
			unbind(k, a, &a->binds.at[i], ECONNREFUSED);
	rest(k);
}

/* One that is free, if there may be one more. */
static struct agent_bind *bind_new(struct keeper *k, struct agent *a)
{
	for (unsigned i = 0; k->agents.n_binds < AGENT_BINDS_ALL &&
			     i < AGENT_BINDS_MAX; i++)
		if (!a->binds.at[i].id)
			return &a->binds.at[i];
	return NULL;
}

void agentbinds_asked(struct keeper *k, struct agent *a)
{
	struct agent_message m = { .kind = AGENT_BIND };
	struct agent_bind *b;
	int fds[CHANNEL_MAX_FDS];
	struct msg_open open;
	size_t n_fds;

	if (channel_recv(a->binds.ch[1], &open, sizeof(open), fds, &n_fds) !=
	    sizeof(open))
		return;
	b = agent_is_here(a) ? bind_new(k, a) : NULL;
	if (!b || getrandom(m.token, sizeof(m.token), 0) !=
			  (ssize_t)sizeof(m.token)) {
		mirrors_bound(&a->binds.mirrors, open.id, -1,
			      agent_is_here(a) ? EMFILE : ECONNREFUSED);
		return;
	}
	*b = (struct agent_bind){ .id = open.id, .fd = -1 };
	memcpy(b->token, m.token, sizeof(b->token));
	k->agents.n_binds++;
	m.id = open.id;
	m.at = open.at;
	agent_say(k, a, &m);
}

void agentbinds_event(struct keeper *k, struct agent *a, unsigned n)
{
	struct agent_bind *b = n < AGENT_BINDS_MAX ? &a->binds.at[n] : NULL;
	struct agent_message m = { .kind = AGENT_UNBIND };

	if (!b || !b->id || b->fd < 0)
		return;
	m.id = b->id;
	unbind(k, a, b, 0);
	agent_say(k, a, &m);
}
