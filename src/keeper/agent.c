/* SPDX-License-Identifier: MIT */
#include "keeper/agent.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/wr.h"
#include "keeper/process.h"
#include "keeper/publishing.h"

#define PORTS_OF_ROOT	1024

_Static_assert(AGENT_WORD_BINDS + AGENT_BINDS_MAX <= AGENT_WORDS,
	       "a guest's words are its own");

bool agent_is_here(const struct agent *a)
{
	return a->own.fd >= 0;
}

bool agent_watch(const struct agent *a, int fd, uint32_t word, int how,
		 uint32_t events)
{
	struct epoll_event ev = {
		.events = events,
		.data.u32 = a->guest * (uint32_t)AGENT_WORDS + word,
	};

	return epoll_ctl(a->epoll_fd, how, fd, &ev) == 0;
}

bool agent_init(struct agent *a, unsigned guest, int epoll_fd)
{
	a->guest = (uint8_t)guest;
	a->epoll_fd = epoll_fd;
	for (unsigned i = 0; i < AGENT_CALLERS_MAX; i++)
		a->caller[i].fd = -1;
	a->own.fd = -1;
	return agentbinds_init(a);
}

const char *agent_whose(const struct keeper *k, const struct agent *a)
{
	return a->guest ? k->roster.at[a->guest].name : "the guest";
}

/* What a guest does wrong is logged once a minute. */
static void tell(struct keeper *k, struct agent *a, const char *text)
{
	const uint64_t now = keeper_now_ns();

	if (a->told_ns && now - a->told_ns < AGENT_TELL_NS)
		return;
	a->told_ns = now;
	log_print(&k->in.log, LOG_WARN, "%s: %s", agent_whose(k, a), text);
}

/* ---- listeners ---- */

static bool is_of_network(const struct keeper *k, const struct ip *ip)
{
	return prefix_has(&k->in.plan.net4, ip) ||
	       prefix_has(&k->in.plan.net6, ip);
}

static const struct ip *own_ip4(const struct keeper *k, const struct agent *a)
{
	return a->guest ? &k->roster.at[a->guest].ip4 : &k->in.plan.guest4;
}

/* Where to reach it: what is bound to all addresses is at the machine's. */
static void place(const struct keeper *k, const struct agent *a,
		  const struct listener *l, struct listener *out)
{
	const struct ip *guest = &a->own.from.ip;

	*out = *l;
	if (ip_is_unspecified(&l->at.ip) && !l->v6only) {
		out->at.ip = ip_is4(guest) ? *guest : *own_ip4(k, a);
		out->v6only = false;
	}
}

static bool same_place(const struct listener *a, const struct listener *b)
{
	return a->at.port == b->at.port && a->udp == b->udp &&
	       a->v6only == b->v6only && ip_equal(&a->at.ip, &b->at.ip);
}

/* Does any of those known listen there? */
static bool is_taken(const struct keeper *k, const struct agent *a,
		     const struct listener *at)
{
	struct listener l;

	for (uint32_t i = 0; i < a->known.n; i++) {
		place(k, a, &a->known.v[i], &l);
		if (same_place(&l, at))
			return true;
	}
	return false;
}

/* On the host's localhost are the first guest's alone. */
static void on_localhost(struct keeper *k, const struct agent *a,
			 const struct listener *at, bool gone)
{
	/* Of a list these are there from the start, listener or not. */
	if (a->guest || (k->in.config->localhost == LOCALHOST_LIST &&
			 ip_equal(&at->at.ip, own_ip4(k, a))))
		return;
	forwards_listener(&k->forwards, at, gone);
}

static void forward(struct keeper *k, const struct agent *a,
		    const struct listener *l, bool gone)
{
	struct listener at;

	place(k, a, l, &at);
	if (gone && is_taken(k, a, &at))
		return;
	/* What goes over to the other goes there by its last word. */
	if (gone)
		on_localhost(k, a, &at, true);
	/* At the machine's own address all that is published is, anyway. */
	if (!is_of_network(k, &at.at.ip))
		publishing_by_agent(k, a->guest ? agent_whose(k, a) : "",
				    a->guest, &at, gone);
	if (!gone)
		on_localhost(k, a, &at, false);
}

void agent_retell(struct keeper *k, const struct agent *a)
{
	for (uint32_t i = 0; i < a->known.n; i++)
		forward(k, a, &a->known.v[i], false);
}

/*
 * Not the gateway's, nor another guest's: of these it has no say. Those beyond
 * the network it dials itself.
 */
static bool may_listen(const struct keeper *k, const struct agent *a,
		       const struct ip *ip)
{
	const char *whose = roster_name_of(k, ip);

	if (whose)
		return roster_find(k, whose) == (int)a->guest;
	return !ip_equal(ip, &k->in.gateway4) &&
	       !ip_equal(ip, &k->in.gateway6);
}

static void set_listener(struct keeper *k, struct agent *a,
			 const struct agent_message *m)
{
	struct listeners *known = &a->known;
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
		forward(k, a, &l, true);
	} else if (i == known->n && i < LISTENERS_MAX && l.at.port &&
		   may_listen(k, a, &l.at.ip)) {
		known->v[known->n++] = l;
		forward(k, a, &l, false);
	}
}

/* ---- the agent's own stream ---- */

static void gone(struct keeper *k, struct agent *a, const char *why)
{
	if (!agent_is_here(a))
		return;
	close(a->own.fd);
	a->own.fd = -1;
	a->n_out = 0;
	while (a->known.n) {
		const struct listener l = a->known.v[--a->known.n];

		forward(k, a, &l, true);
	}
	agentasks_end(k, a);
	agentbinds_end(k, a);
	log_print(&k->in.log, LOG_INFO, "the agent in %s has gone: %s",
		  a->hostname, why);
}

static void flush(struct agent *a)
{
	ssize_t n;

	if (!a->n_out)
		return;
	n = send(a->own.fd, a->out, a->n_out, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		return;			/* its end is to be read */
	n = n < 0 ? 0 : n;
	a->n_out -= (size_t)n;
	memmove(a->out, a->out + n, a->n_out);
	(void)!agent_watch(a, a->own.fd, AGENT_WORD_OWN, EPOLL_CTL_MOD,
			  EPOLLIN | (a->n_out ? EPOLLOUT : 0u));
}

void agent_say(struct keeper *k, struct agent *a,
	       const struct agent_message *m)
{
	struct wr w = wr(a->out + a->n_out, sizeof(a->out) - a->n_out);

	if (!agent_is_here(a))
		return;
	agent_emit(&w, m);
	if (w.bad) {
		tell(k, a, "its agent does not read what it is told, and was "
		     "cut off");
		gone(k, a, "cut off");
		return;
	}
	a->n_out = sizeof(a->out) - w.left;
	flush(a);
}

static void booted(struct keeper *k, struct agent *a, uint32_t status)
{
	a->booted = true;
	a->boot_status = status;
	log_print(&k->in.log, status ? LOG_WARN : LOG_INFO, "%s: the boot "
		  "command has ended with status %u", agent_whose(k, a),
		  status);
}

/* false: it makes no sense. */
static bool take(struct keeper *k, struct agent *a,
		 const struct agent_message *m)
{
	switch ((enum agent_kind)m->kind) {
	case AGENT_LISTENER:
		set_listener(k, a, m);
		return true;
	case AGENT_FAILED:
		agentasks_failed(k, a, m->id);
		return true;
	case AGENT_BOOTED:
		booted(k, a, m->value);
		return true;
	case AGENT_BOUND:
		agentbinds_bound(k, a, m->id, m->value);
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

/* What it is to run when its machine boots; "": nothing. */
static const char *boot_of(const struct keeper *k, const struct agent *a)
{
	const struct config *c = k->in.config;
	const struct config_guest *section;

	if (!a->guest)
		return c->boot_command;
	section = config_guest(c, k->roster.at[a->guest].name);
	return section ? section->boot_command : "";
}

static void welcome(struct keeper *k, struct agent *a)
{
	const struct agent_message hello = { .kind = AGENT_WELCOME,
					     .value = AGENT_VERSION };
	const char *boot = boot_of(k, a);
	const struct agent_message m = {
		.kind = AGENT_BOOT,
		.text = { .p = (const uint8_t *)boot, .len = strlen(boot) },
	};

	agent_say(k, a, &hello);
	if (*boot)
		agent_say(k, a, &m);
	agentbinds_begin(k, a);
}

/* Why a hello is not heard; NULL: it is. */
static const char *objection(const struct agent_stream *s,
			     const struct agent_message *m)
{
	if (s->from.port >= PORTS_OF_ROOT)
		return "a program there that is not root's says that it is "
		       "the agent, and was refused";
	if (m->value != AGENT_VERSION)
		return "its agent is of another version of slipway; install "
		       "the same one there";
	return NULL;
}

/* It is the agent; its stream is taken from the caller. */
static void hello(struct keeper *k, struct agent *a, struct agent_stream *s,
		  const struct agent_message *m)
{
	const char *wrong = objection(s, m);

	if (!wrong)
		gone(k, a, "there is a new one");
	if (wrong || !agent_watch(a, s->fd, AGENT_WORD_OWN, EPOLL_CTL_MOD,
				  EPOLLIN)) {
		if (wrong)
			tell(k, a, wrong);
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
			  "version %s, of %s", a->hostname, a->version,
			  agent_whose(k, a));
		welcome(k, a);
	}
	s->fd = -1;
}

/* It carries what was asked for, and is its asker's from now on. */
static void carry(struct keeper *k, struct agent *a, struct agent_stream *s,
		  const struct agent_message *m)
{
	/* The asker's own loop hears it; ours would go on doing so. */
	(void)!agent_watch(a, s->fd, 0, EPOLL_CTL_DEL, 0);
	if (!agentasks_grant(k, a, m->token, s->fd)) {
		(void)!agentbinds_accepted(a, m->token, s->fd);
		close(s->fd);
	}
	s->fd = -1;
}

static void caller_event(struct keeper *k, struct agent *a,
			 struct agent_stream *s)
{
	struct agent_message m;
	const enum got got = receive(s, &m);

	if (got == GOT_PART)
		return;
	if (got == GOT_WHOLE && m.kind == AGENT_HELLO) {
		hello(k, a, s, &m);
		return;
	}
	if (got == GOT_WHOLE && m.kind == AGENT_CARRY) {
		carry(k, a, s, &m);
		return;
	}
	if (got != GOT_END)
		tell(k, a, "a program there called the agent's port and made "
		     "no sense; it was cut off");
	close(s->fd);
	s->fd = -1;
}

/* One message, so that a guest that says much does not hold us up. */
static void own_event(struct keeper *k, struct agent *a)
{
	struct agent_message m;

	switch (receive(&a->own, &m)) {
	case GOT_PART:
		break;
	case GOT_WHOLE:
		a->own.since_ns = keeper_now_ns();
		if (take(k, a, &m))
			break;
		/* fall through */
	case GOT_NONSENSE:
		tell(k, a, "its agent says what makes no sense, and was cut "
		     "off");
		gone(k, a, "cut off");
		break;
	case GOT_END:
		gone(k, a, "its connection has ended");
		break;
	}
}

void agent_called(struct agent *a, const struct endpoint *from, int fd)
{
	uint32_t i = 0;

	while (i < AGENT_CALLERS_MAX && a->caller[i].fd >= 0)
		i++;
	if (i == AGENT_CALLERS_MAX ||
	    !agent_watch(a, fd, i, EPOLL_CTL_ADD, EPOLLIN)) {
		close(fd);
		return;
	}
	a->caller[i].fd = fd;
	a->caller[i].from = *from;
	a->caller[i].since_ns = keeper_now_ns();
	a->caller[i].n = 0;
}

void agent_event(struct keeper *k, struct agent *a, uint32_t word,
		 uint32_t events)
{
	if (word < AGENT_CALLERS_MAX) {
		if (a->caller[word].fd >= 0)
			caller_event(k, a, &a->caller[word]);
	} else if (word == AGENT_WORD_ASKER) {
		agentbinds_asked(k, a);
	} else if (word >= AGENT_WORD_BINDS) {
		agentbinds_event(k, a, word - AGENT_WORD_BINDS);
	} else {
		if (agent_is_here(a) && events & EPOLLOUT)
			flush(a);
		if (agent_is_here(a) && events & ~(uint32_t)EPOLLOUT)
			own_event(k, a);
	}
}

static void sooner(uint64_t *next, uint64_t when)
{
	if (when < *next)
		*next = when;
}

uint64_t agent_tick(struct keeper *k, struct agent *a, uint64_t now_ns)
{
	uint64_t next = NEVER;

	if (agent_is_here(a) && a->own.since_ns + AGENT_SILENT_NS <= now_ns)
		gone(k, a, "it is silent");
	if (agent_is_here(a))
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
	sooner(&next, agentasks_expire(k, a, now_ns));
	return next;
}

void agent_status(const struct agent *a, struct guest_status *out)
{
	out->boot_ended = a->booted;
	out->boot_status = a->boot_status;
	if (!agent_is_here(a))
		return;
	out->agent_version = a->version;
	out->agent_hostname = a->hostname;
	out->agent_since = a->since;
	out->agent_from = a->own.from.ip;
	if (!a->guest)
		return;			/* they stand beside `forwards` */
	out->mirrors = a->binds.mirrors.forwards.status;
	out->n_mirrors = a->binds.mirrors.forwards.n;
}
