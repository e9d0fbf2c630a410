/* SPDX-License-Identifier: MIT */
#include "keeper/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/wr.h"
#include "keeper/process.h"
#include "linux/channel.h"

#define OWN		AGENT_CALLERS_MAX	/* epoll's word for it */
#define ASKER		(OWN + 1)
#define BINDS		(OWN + 2)		/* the first of them */
#define EVENTS		64
#define PORTS_OF_ROOT	1024
#define ENGINE_WAIT_MS	1000

static bool is_here(const struct agent *a)
{
	return a->own.fd >= 0;
}

static bool watch(const struct agent *a, int fd, uint32_t word, int how,
		  uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u32 = word };

	return epoll_ctl(a->epoll_fd, how, fd, &ev) == 0;
}

/* Without it the network is as useful as ever. */
static void cannot_hear(struct keeper *k)
{
	log_write(&k->in.log, LOG_ERROR, "no descriptor is left to hear the "
		  "guest's agent by; raise the limit of open files");
	k->agent.epoll_fd = -1;
}

void agent_begin(struct keeper *k)
{
	struct agent *a = &k->agent;

	for (unsigned i = 0; i < AGENT_CALLERS_MAX; i++)
		a->caller[i].fd = -1;
	a->own.fd = -1;
	if (!k->machine || !k->in.config->agent)
		return;
	a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (a->epoll_fd < 0 || channel_pair(a->bind_ch, true) < 0 ||
	    !watch(a, a->bind_ch[1], ASKER, EPOLL_CTL_ADD, EPOLLIN))
		cannot_hear(k);
}

/* What a guest does wrong is logged once a minute. */
static void tell(struct keeper *k, const char *text)
{
	const uint64_t now = keeper_now_ns();

	if (k->agent.told_ns && now - k->agent.told_ns < AGENT_TELL_NS)
		return;
	k->agent.told_ns = now;
	log_write(&k->in.log, LOG_WARN, text);
}

/* ---- answers to those who asked ---- */

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

/* It is there; fd is taken. */
static void grant(struct keeper *k, struct agent_ask *ask, int fd)
{
	struct client *cl = ask->run ? client_of(k, ask->id) : NULL;

	if (!ask->run)
		tell_engine(k, ask->relay, fd, 0);
	if (cl)
		clients_lend(cl, json_pack("{s:b}", "agent", 1), fd,
			     keeper_now_ns());
	else
		close(fd);
	ask->id = 0;
}

static struct agent_ask *ask_by_id(struct agent *a, uint32_t id)
{
	for (unsigned i = 0; id && i < AGENT_ASKS_MAX; i++)
		if (a->ask[i].id == id)
			return &a->ask[i];
	return NULL;
}

static struct agent_ask *ask_by_token(struct agent *a,
				      const uint8_t token[AGENT_TOKEN_BYTES])
{
	for (unsigned i = 0; i < AGENT_ASKS_MAX; i++)
		if (a->ask[i].id &&
		    !memcmp(a->ask[i].token, token, AGENT_TOKEN_BYTES))
			return &a->ask[i];
	return NULL;
}

/* ---- listeners ---- */

/*
 * Where to reach it: what is bound to all addresses is at the machine's. Of
 * UDP nothing else is reached. false: not at all.
 */
static bool place(const struct keeper *k, const struct listener *l,
		  struct listener *out)
{
	const struct ip *guest = &k->agent.own.from.ip;

	*out = *l;
	if (ip_is_unspecified(&l->at.ip) && !l->v6only) {
		out->at.ip = ip_is4(guest) ? *guest : k->in.plan.guest4;
		out->v6only = false;
	}
	return !l->udp || prefix_has(&k->in.plan.net4, &out->at.ip) ||
	       prefix_has(&k->in.plan.net6, &out->at.ip);
}

static bool same_place(const struct listener *a, const struct listener *b)
{
	return a->at.port == b->at.port && a->udp == b->udp &&
	       a->v6only == b->v6only && ip_equal(&a->at.ip, &b->at.ip);
}

/* Does any of those known listen there? */
static bool is_taken(const struct keeper *k, const struct listener *at)
{
	const struct listeners *known = &k->agent.known;
	struct listener l;

	for (uint32_t i = 0; i < known->n; i++)
		if (place(k, &known->v[i], &l) && same_place(&l, at))
			return true;
	return false;
}

static void forward(struct keeper *k, const struct listener *l, bool gone)
{
	const struct config *c = k->in.config;
	struct listener at;

	if (!place(k, l, &at) || (gone && is_taken(k, &at)))
		return;
	/* Of a list these are there from the start, listener or not. */
	if (c->localhost == LOCALHOST_LIST &&
	    ip_equal(&at.at.ip, &k->in.plan.guest4))
		return;
	forwards_listener(&k->forwards, &at, gone);
}

/*
 * Not the gateway's, nor another guest's: of these it has no say. Those beyond
 * the network it dials itself.
 */
static bool may_listen(const struct keeper *k, const struct ip *ip)
{
	const char *own = roster_name_of(k, &k->agent.own.from.ip);
	const char *whose = roster_name_of(k, ip);

	if (whose)
		return own && !strcmp(whose, own);
	return !ip_equal(ip, &k->in.gateway4) &&
	       !ip_equal(ip, &k->in.gateway6);
}

static void set_listener(struct keeper *k, const struct agent_message *m)
{
	struct listeners *known = &k->agent.known;
	const struct listener l = {
		.at = m->at, .udp = m->flags & AGENT_UDP,
		.v6only = m->flags & AGENT_V6ONLY,
		.casual = m->flags & AGENT_CASUAL,
	};
	uint32_t i = 0;

	while (i < known->n && !same_place(&known->v[i], &l))
		i++;
	if (m->flags & AGENT_GONE) {
		if (i == known->n)
			return;
		known->v[i] = known->v[--known->n];
		forward(k, &l, true);
	} else if (i == known->n && i < LISTENERS_MAX && l.at.port &&
		   may_listen(k, &l.at.ip)) {
		known->v[known->n++] = l;
		forward(k, &l, false);
	}
}

/* ---- the host's ports in the guest ---- */

/* It has no port any more, or, error, could not get one. */
static void unbind(struct keeper *k, struct agent_bind *b, int error)
{
	const uint32_t id = b->id;
	const bool asked = b->fd < 0;

	if (!asked)
		close(b->fd);
	b->id = 0;
	if (asked)
		mirrors_bound(&k->mirrors, id, -1, error);
}

static struct agent_bind *bind_by_id(struct agent *a, uint32_t id)
{
	for (unsigned i = 0; id && i < AGENT_BINDS_MAX; i++)
		if (a->bind[i].id == id)
			return &a->bind[i];
	return NULL;
}

static struct agent_bind *bind_by_token(struct agent *a,
					const uint8_t token[AGENT_TOKEN_BYTES])
{
	for (unsigned i = 0; i < AGENT_BINDS_MAX; i++)
		if (a->bind[i].id && a->bind[i].fd >= 0 &&
		    !memcmp(a->bind[i].token, token, AGENT_TOKEN_BYTES))
			return &a->bind[i];
	return NULL;
}

/* The agent has bound it, or has not: error, an errno. */
static void bound(struct keeper *k, struct agent_bind *b, uint32_t error)
{
	struct agent *a = &k->agent;
	const uint32_t word = BINDS + (uint32_t)(b - a->bind);
	int pair[2];

	if (b->fd >= 0)
		return;			/* it says so again */
	if (error || channel_pair(pair, true) < 0) {
		unbind(k, b, error ? (int)(error & 0xfff) : EMFILE);
		return;
	}
	if (!watch(a, pair[1], word, EPOLL_CTL_ADD, EPOLLIN)) {
		close(pair[0]);
		close(pair[1]);
		unbind(k, b, EMFILE);
		return;
	}
	b->fd = pair[1];
	mirrors_bound(&k->mirrors, b->id, pair[0], 0);
}

/* All of them; and what is asked for is answered. */
static void take_back(struct keeper *k)
{
	struct agent *a = &k->agent;
	int fds[CHANNEL_MAX_FDS];
	struct msg_open open;
	size_t n_fds;

	mirrors_end(&k->mirrors);
	while (channel_recv(a->bind_ch[1], &open, sizeof(open), fds,
			    &n_fds) == sizeof(open))
		mirrors_bound(&k->mirrors, open.id, -1, ECONNREFUSED);
	for (unsigned i = 0; i < AGENT_BINDS_MAX; i++)
		if (a->bind[i].id)
			unbind(k, &a->bind[i], ECONNREFUSED);
}

/* ---- the agent's own stream ---- */

static void gone(struct keeper *k, const char *why)
{
	struct agent *a = &k->agent;

	if (!is_here(a))
		return;
	close(a->own.fd);
	a->own.fd = -1;
	a->n_out = 0;
	while (a->known.n) {
		const struct listener l = a->known.v[--a->known.n];

		forward(k, &l, true);
	}
	for (unsigned i = 0; i < AGENT_ASKS_MAX; i++)
		if (a->ask[i].id)
			refuse(k, &a->ask[i], ECONNREFUSED, "the agent in the "
			       "virtual machine has gone; see slipway-guest "
			       "there");
	take_back(k);
	log_print(&k->in.log, LOG_INFO, "the agent in %s has gone: %s",
		  a->hostname, why);
}

static void flush(struct keeper *k)
{
	struct agent *a = &k->agent;
	ssize_t n;

	if (!a->n_out)
		return;
	n = send(a->own.fd, a->out, a->n_out, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		return;			/* its end is to be read */
	n = n < 0 ? 0 : n;
	a->n_out -= (size_t)n;
	memmove(a->out, a->out + n, a->n_out);
	(void)watch(a, a->own.fd, OWN, EPOLL_CTL_MOD,
		    EPOLLIN | (a->n_out ? EPOLLOUT : 0u));
}

static void say(struct keeper *k, const struct agent_message *m)
{
	struct agent *a = &k->agent;
	struct wr w = wr(a->out + a->n_out, sizeof(a->out) - a->n_out);

	if (!is_here(a))
		return;
	agent_emit(&w, m);
	if (w.bad) {
		tell(k, "the guest's agent does not read what it is told, and "
		     "was cut off");
		gone(k, "cut off");
		return;
	}
	a->n_out = sizeof(a->out) - w.left;
	flush(k);
}

static void booted(struct keeper *k, uint32_t status)
{
	k->agent.booted = true;
	k->agent.boot_status = status;
	log_print(&k->in.log, status ? LOG_WARN : LOG_INFO, "the boot command "
		  "has ended with status %u", status);
}

/* false: it makes no sense. */
static bool take(struct keeper *k, const struct agent_message *m)
{
	struct agent_ask *ask;
	struct agent_bind *bind;

	switch ((enum agent_kind)m->kind) {
	case AGENT_LISTENER:
		set_listener(k, m);
		return true;
	case AGENT_FAILED:
		ask = ask_by_id(&k->agent, m->id);
		if (ask)
			refuse(k, ask, ECONNREFUSED, "the agent in the "
			       "virtual machine can run no more commands; end "
			       "one of them");
		return true;
	case AGENT_BOOTED:
		booted(k, m->value);
		return true;
	case AGENT_BOUND:
		bind = bind_by_id(&k->agent, m->id);
		if (bind)
			bound(k, bind, m->value);
		return true;
	case AGENT_ALIVE:
		return true;
	case AGENT_HELLO: case AGENT_CARRY: case AGENT_WELCOME:
	case AGENT_CONNECT: case AGENT_RUN: case AGENT_BIND:
	case AGENT_UNBIND: case AGENT_BOOT: case AGENT_COMMAND:
	case AGENT_DATA: case AGENT_SIZE: case AGENT_ENDED:
	case AGENT_KIND_MAX:
		break;
	}
	return false;
}

/* ---- streams ---- */

enum got { GOT_WHOLE, GOT_PART, GOT_END, GOT_NONSENSE };

/*
 * Read on in one message, and not past it: what follows may be somebody
 * else's. GOT_WHOLE: m lies in s->in until the next call.
 */
static enum got receive(struct agent_stream *s, struct agent_message *m)
{
	for (;;) {
		const size_t head = agent_bytes(s->in, s->n);
		const size_t want = head ? head : 2;
		ssize_t n;

		if (want > sizeof(s->in))
			return GOT_NONSENSE;
		if (s->n == head && head) {
			const struct view whole = { .p = s->in, .len = s->n };

			s->n = 0;
			return agent_parse(whole, m) == DROP_OK ?
			       GOT_WHOLE : GOT_NONSENSE;
		}
		n = recv(s->fd, s->in + s->n, want - s->n, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return GOT_PART;
		if (n <= 0)
			return GOT_END;
		s->n += (size_t)n;
	}
}

/* What a guest says of itself, made fit for a terminal. */
static void copy_name(char out[AGENT_NAME_BYTES], struct view text)
{
	size_t n = 0;

	for (; n < text.len && n < AGENT_NAME_BYTES - 1; n++) {
		const uint8_t c = text.p[n];

		out[n] = c > ' ' && c < 0x7f ? (char)c : '?';
	}
	out[n] = '\0';
}

static void welcome(struct keeper *k)
{
	const struct agent_message hello = { .kind = AGENT_WELCOME,
					     .value = AGENT_VERSION };
	const char *boot = k->in.config->boot_command;
	const struct agent_message m = {
		.kind = AGENT_BOOT,
		.text = { .p = (const uint8_t *)boot, .len = strlen(boot) },
	};
	int rc;

	say(k, &hello);
	if (*boot)
		say(k, &m);
	k->mirrors.tcp_only = true;
	rc = mirrors_start(&k->mirrors, k->in.config, &k->ports,
			   k->agent.bind_ch[0], keeper_now_ns());
	if (rc < 0)
		log_print(&k->in.log, LOG_ERROR, "the host's listeners cannot "
			  "be watched: %s", strerror(-rc));
}

/* Why a hello is not heard; NULL: it is. */
static const char *objection(const struct keeper *k,
			     const struct agent_stream *s,
			     const struct agent_message *m)
{
	const struct agent *a = &k->agent;

	if (s->from.port >= PORTS_OF_ROOT)
		return "a program in the guest that is not root's says that "
		       "it is the agent, and was refused";
	if (m->value != AGENT_VERSION)
		return "the guest's agent is of another version of slipway; "
		       "install the same one there";
	if (is_here(a) && !ip_equal(&a->own.from.ip, &s->from.ip))
		return "another machine's agent came and was turned away: one "
		       "is heard";
	return NULL;
}

/* It is the agent; its stream is taken from the caller. */
static void hello(struct keeper *k, struct agent_stream *s,
		  const struct agent_message *m)
{
	struct agent *a = &k->agent;
	const char *wrong = objection(k, s, m);

	if (!wrong)
		gone(k, "there is a new one");
	if (wrong || !watch(a, s->fd, OWN, EPOLL_CTL_MOD, EPOLLIN)) {
		if (wrong)
			tell(k, wrong);
		close(s->fd);
	} else {
		a->own.fd = s->fd;
		a->own.from = s->from;
		a->own.since_ns = keeper_now_ns();
		a->own.n = 0;
		a->since = time(NULL);
		copy_name(a->hostname, m->text);
		copy_name(a->version, m->more);
		log_print(&k->in.log, LOG_INFO, "the agent in %s is here, "
			  "version %s", a->hostname, a->version);
		welcome(k);
	}
	s->fd = -1;
}

/* It carries what was asked for, and is its asker's from now on. */
static void carry(struct keeper *k, struct agent_stream *s,
		  const struct agent_message *m)
{
	struct agent_ask *ask = ask_by_token(&k->agent, m->token);
	const struct agent_bind *bind = bind_by_token(&k->agent, m->token);

	/* The asker's own loop hears it; ours would go on doing so. */
	(void)watch(&k->agent, s->fd, 0, EPOLL_CTL_DEL, 0);
	if (ask)
		grant(k, ask, s->fd);
	else if (bind)			/* full of others: it is refused */
		(void)!channel_send(bind->fd, "", 1, &s->fd, 1);
	if (!ask)
		close(s->fd);
	s->fd = -1;
}

static void caller_event(struct keeper *k, struct agent_stream *s)
{
	struct agent_message m;
	const enum got got = receive(s, &m);

	if (got == GOT_PART)
		return;
	if (got == GOT_WHOLE && m.kind == AGENT_HELLO) {
		hello(k, s, &m);
		return;
	}
	if (got == GOT_WHOLE && m.kind == AGENT_CARRY) {
		carry(k, s, &m);
		return;
	}
	if (got != GOT_END)
		tell(k, "a program in the guest called the agent's port and "
		     "made no sense; it was cut off");
	close(s->fd);
	s->fd = -1;
}

/* One message, so that a guest that says much does not hold us up. */
static void own_event(struct keeper *k)
{
	struct agent_message m;

	switch (receive(&k->agent.own, &m)) {
	case GOT_PART:
		break;
	case GOT_WHOLE:
		k->agent.own.since_ns = keeper_now_ns();
		if (take(k, &m))
			break;
		/* fall through */
	case GOT_NONSENSE:
		tell(k, "the guest's agent says what makes no sense, and was "
		     "cut off");
		gone(k, "cut off");
		break;
	case GOT_END:
		gone(k, "its connection has ended");
		break;
	}
}

void agent_called(struct keeper *k, const struct msg_agent *m, int fd)
{
	struct agent *a = &k->agent;
	uint32_t i = 0;

	while (i < AGENT_CALLERS_MAX && a->caller[i].fd >= 0)
		i++;
	if (a->epoll_fd < 0 || i == AGENT_CALLERS_MAX ||
	    !watch(a, fd, i, EPOLL_CTL_ADD, EPOLLIN)) {
		close(fd);
		return;
	}
	a->caller[i].fd = fd;
	a->caller[i].from = m->from;
	a->caller[i].since_ns = keeper_now_ns();
	a->caller[i].n = 0;
}

/* A port is asked for, as of the inside helper: MSG_BIND. */
static void asker_event(struct keeper *k)
{
	struct agent *a = &k->agent;
	struct agent_message m = { .kind = AGENT_BIND };
	struct agent_bind *b = NULL;
	int fds[CHANNEL_MAX_FDS];
	struct msg_open open;
	size_t n_fds;

	if (channel_recv(a->bind_ch[1], &open, sizeof(open), fds, &n_fds) !=
	    sizeof(open))
		return;
	for (unsigned i = 0; !b && i < AGENT_BINDS_MAX; i++)
		b = a->bind[i].id ? NULL : &a->bind[i];
	if (!is_here(a) || !b || getrandom(m.token, sizeof(m.token), 0) !=
				 (ssize_t)sizeof(m.token)) {
		mirrors_bound(&k->mirrors, open.id, -1, ECONNREFUSED);
		return;
	}
	*b = (struct agent_bind){ .id = open.id, .fd = -1 };
	memcpy(b->token, m.token, sizeof(b->token));
	m.id = open.id;
	m.at = open.at;
	say(k, &m);
}

/* The engine's side has let go of it. */
static void bind_event(struct keeper *k, struct agent_bind *b)
{
	const struct agent_message m = { .kind = AGENT_UNBIND, .id = b->id };

	unbind(k, b, 0);
	say(k, &m);
}

void agent_event(struct keeper *k)
{
	struct agent *a = &k->agent;
	struct epoll_event ev[EVENTS];
	const int n = epoll_wait(a->epoll_fd, ev, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		const uint32_t word = ev[i].data.u32;

		if (word < AGENT_CALLERS_MAX) {
			if (a->caller[word].fd >= 0)
				caller_event(k, &a->caller[word]);
			continue;
		}
		if (word == ASKER) {
			asker_event(k);
			continue;
		}
		if (word >= BINDS) {
			if (a->bind[word - BINDS].id &&
			    a->bind[word - BINDS].fd >= 0)
				bind_event(k, &a->bind[word - BINDS]);
			continue;
		}
		if (is_here(a) && ev[i].events & EPOLLOUT)
			flush(k);
		if (is_here(a) && ev[i].events & ~(uint32_t)EPOLLOUT)
			own_event(k);
	}
}

static void sooner(uint64_t *next, uint64_t when)
{
	if (when < *next)
		*next = when;
}

uint64_t agent_tick(struct keeper *k, uint64_t now_ns)
{
	struct agent *a = &k->agent;
	uint64_t next = NEVER;

	if (a->epoll_fd < 0)
		return NEVER;
	if (is_here(a) && a->own.since_ns + AGENT_SILENT_NS <= now_ns)
		gone(k, "it is silent");
	if (is_here(a))
		sooner(&next, a->own.since_ns + AGENT_SILENT_NS);
	for (unsigned i = 0; i < AGENT_CALLERS_MAX; i++) {
		struct agent_stream *s = &a->caller[i];

		if (s->fd >= 0 && s->since_ns + AGENT_CALLER_NS <= now_ns) {
			close(s->fd);
			s->fd = -1;
		}
		if (s->fd >= 0)
			sooner(&next, s->since_ns + AGENT_CALLER_NS);
	}
	for (unsigned i = 0; i < AGENT_ASKS_MAX; i++) {
		if (a->ask[i].id && a->ask[i].until_ns <= now_ns)
			refuse(k, &a->ask[i], ETIMEDOUT, "the agent in the "
			       "virtual machine does not answer; see "
			       "slipway-guest there");
		if (a->ask[i].id)
			sooner(&next, a->ask[i].until_ns);
	}
	return next;
}

/* ---- those who ask ---- */

/* One with a number and a token; NULL: there are too many. */
static struct agent_ask *ask_new(struct agent *a)
{
	for (unsigned i = 0; i < AGENT_ASKS_MAX; i++) {
		struct agent_ask *ask = &a->ask[i];

		if (ask->id)
			continue;
		if (getrandom(ask->token, sizeof(ask->token), 0) !=
		    (ssize_t)sizeof(ask->token))
			return NULL;
		a->next_id += a->next_id == UINT32_MAX ? 2 : 1;
		ask->id = a->next_id;
		ask->until_ns = keeper_now_ns() + AGENT_ASK_NS;
		return ask;
	}
	return NULL;
}

static void send_ask(struct keeper *k, const struct agent_ask *ask,
		     enum agent_kind kind, const struct endpoint *at)
{
	struct agent_message m = { .kind = (uint8_t)kind, .id = ask->id,
				   .at = *at };

	memcpy(m.token, ask->token, sizeof(m.token));
	say(k, &m);
}

void agent_connect(struct keeper *k, const struct msg_open *m)
{
	struct agent_ask *ask = is_here(&k->agent) ? ask_new(&k->agent) :
						     NULL;

	if (!ask) {
		tell_engine(k, m->id, -1, ECONNREFUSED);
		return;
	}
	ask->run = false;
	ask->relay = m->id;
	send_ask(k, ask, AGENT_CONNECT, &m->at);
}

void agent_run(struct keeper *k, struct client *cl)
{
	static const struct endpoint nowhere;
	struct agent_ask *ask;

	if (!is_here(&k->agent)) {
		clients_refuse(cl, 409, "the guest is a virtual machine in "
			       "which no agent runs; start slipway guest "
			       "there, or log in to it", keeper_now_ns());
		return;
	}
	ask = ask_new(&k->agent);
	if (!ask) {
		clients_refuse(cl, 503, "the agent in the virtual machine has "
			       "too much to do; try again", keeper_now_ns());
		return;
	}
	ask->run = true;
	cl->asked = ask->id;
	send_ask(k, ask, AGENT_RUN, &nowhere);
}

void agent_status(const struct agent *a, struct status *out)
{
	out->agent_heard = a->epoll_fd >= 0;
	out->boot_ended = a->booted;
	out->boot_status = a->boot_status;
	if (!is_here(a))
		return;
	out->agent_version = a->version;
	out->agent_hostname = a->hostname;
	out->agent_since = a->since;
	out->agent_from = a->own.from.ip;
}
