/* SPDX-License-Identifier: MIT */
#include "engine/owners.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/messages.h"

#define ANSWERS_PER_TURN 64

static struct owners_question *question(struct owners *o, uint32_t number)
{
	return &o->questions[number % OWNERS_MAX];
}

void owners_init(struct owners *o, owners_told_fn *told, void *ctx)
{
	*o = (struct owners){ .ch = -1, .told = told, .ctx = ctx };
}

/* Pass over those that have been told. */
static void move_on(struct owners *o)
{
	while (o->first != o->next && !question(o, o->first)->open)
		o->first++;
}

static void tell(struct owners *o, uint32_t number,
		 enum owners_answer answer, const char *path, uint64_t now_ns)
{
	const uint32_t id = question(o, number)->id;

	question(o, number)->open = false;
	move_on(o);
	o->late += answer == OWNER_LATE;
	o->told(o->ctx, id, answer, path, now_ns);
}

/* There is no helper now, so meanwhile nothing is asked. */
static void tell_all(struct owners *o, uint64_t now_ns)
{
	while (o->first != o->next)
		tell(o, o->first, OWNER_UNKNOWN, NULL, now_ns);
}

void owners_set_helper(struct owners *o, int ch, uint64_t now_ns)
{
	if (o->ch >= 0)
		close(o->ch);
	o->ch = -1;
	tell_all(o, now_ns);
	(void)!fcntl(ch, F_SETFL, O_NONBLOCK);
	o->ch = ch;
}

bool owners_ask(struct owners *o, uint32_t id,
		  const struct owners_socket *what, uint64_t now_ns)
{
	const struct msg_owner_ask m = {
		.kind = MSG_OWNER_ASK, .id = o->next,
		.in_guest = what->in_guest, .listens = what->listens,
		.protocol = what->protocol,
		.local = what->local, .remote = what->remote,
	};

	if (o->ch < 0)
		return false;
	if (o->next - o->first == OWNERS_MAX ||
	    channel_send(o->ch, &m, sizeof(m), NULL, 0) < 0) {
		o->refused++;
		return false;
	}
	*question(o, o->next++) = (struct owners_question){
		.id = id, .open = true,
		.until_ns = now_ns + OWNERS_PATIENCE_NS,
	};
	o->asked++;
	return true;
}

static void take_answer(struct owners *o, struct msg_owner *m,
			uint64_t now_ns)
{
	enum owners_answer answer = m->known ? OWNER_KNOWN :
				      m->late ? OWNER_LATE : OWNER_UNKNOWN;

	if (m->id - o->first >= o->next - o->first ||
	    !question(o, m->id)->open)
		return;			/* it was not waited for that long */
	m->path[sizeof(m->path) - 1] = '\0';
	tell(o, m->id, answer, m->known ? m->path : NULL, now_ns);
}

bool owners_event(struct owners *o, uint64_t now_ns)
{
	struct msg_owner m;
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds;

	for (unsigned i = 0; o->ch >= 0 && i < ANSWERS_PER_TURN; i++) {
		const ssize_t n = channel_recv(o->ch, &m, sizeof(m), fds,
					       &n_fds);

		if (n == -EAGAIN)
			return true;
		while (n_fds > 0)
			close(fds[--n_fds]);
		if (n <= 0) {
			close(o->ch);
			o->ch = -1;
			tell_all(o, now_ns);
			return false;
		}
		if (n == sizeof(m) && m.kind == MSG_OWNER)
			take_answer(o, &m, now_ns);
	}
	return true;
}

uint64_t owners_next_timer(const struct owners *o)
{
	return o->first == o->next ? UINT64_MAX :
	       o->questions[o->first % OWNERS_MAX].until_ns;
}

void owners_expire(struct owners *o, uint64_t now_ns)
{
	while (owners_next_timer(o) <= now_ns)
		tell(o, o->first, OWNER_LATE, NULL, now_ns);
}
