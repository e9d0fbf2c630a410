/* SPDX-License-Identifier: MIT */
#include "guest/agent.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/carry.h"
#include "guest/command.h"
#include "guest/gateway.h"
#include "linux/dial.h"
#include "linux/listeners.h"
#include "linux/netlink.h"
#include "linux/proclisteners.h"

#define BINDS_MAX	2048
#define ACCEPTS		16	/* of one port, in a turn */
#define ALIVE_NS	(AGENT_ALIVE_S * UINT64_C(1000000000))

/* A port of the host's that is bound here. */
struct bind {
	uint32_t id;
	int fd;
	struct endpoint at;
	uint8_t token[AGENT_TOKEN_BYTES];
};

struct agent {
	const char *version;
	struct gateway_reader from;	/* .fd: the stream */
	uint8_t in[AGENT_MESSAGE_BYTES];
	bool broken;			/* it cannot be told any more */
	int diag;			/* -1: there is none, /proc is read */
	struct picked_ports picked;
	struct listeners known, seen;
	uint64_t tick_ns, said_ns;
	pid_t boot;			/* 0: does not run */
	unsigned commands;		/* that run */
	unsigned n_binds;
	struct bind binds[BINDS_MAX];
	struct carries carries;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool say(struct agent *a, const struct agent_message *m)
{
	if (!a->broken)
		a->broken = !gateway_say(a->from.fd, m);
	a->said_ns = now_ns();
	return !a->broken;
}

static struct view view_of(const char *text)
{
	return (struct view){ .p = (const uint8_t *)text,
			      .len = strlen(text) };
}

static bool hello(struct agent *a)
{
	char name[HOST_NAME_MAX + 1] = "";
	struct agent_message m = { .kind = AGENT_HELLO,
				   .value = AGENT_VERSION };

	gethostname(name, sizeof(name) - 1);
	m.text = view_of(name);
	m.more = view_of(a->version);
	return say(a, &m);
}

static bool tell_listener(void *ctx, bool gone, const struct listener *l)
{
	const struct agent_message m = {
		.kind = AGENT_LISTENER, .at = l->at,
		.flags = (uint8_t)((gone ? AGENT_GONE : 0) |
				   (l->udp ? AGENT_UDP : 0) |
				   (l->v6only ? AGENT_V6ONLY : 0) |
				   (l->casual ? AGENT_CASUAL : 0)),
	};

	return say(ctx, &m);
}

/* While we listen there nobody else does. Cookies came with Linux 4.12. */
static bool is_own(void *ctx, const struct listener *l, uint64_t cookie)
{
	const struct agent *a = ctx;

	(void)cookie;
	for (unsigned i = 0; !l->udp && i < a->n_binds; i++)
		if (a->binds[i].at.port == l->at.port &&
		    ip_equal(&a->binds[i].at.ip, &l->at.ip))
			return true;
	return false;
}

/* What has ended meanwhile: the boot command, or those of `exec`. */
static void reap(struct agent *a)
{
	struct agent_message m = { .kind = AGENT_BOOTED };
	int how;
	pid_t pid;

	while ((pid = waitpid(-1, &how, WNOHANG)) > 0) {
		if (pid != a->boot) {
			a->commands--;
			continue;
		}
		a->boot = 0;
		m.value = command_status(how);
		(void)say(a, &m);
	}
}

static void leave_out_own(struct agent *a)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < a->seen.n; i++)
		if (!is_own(a, &a->seen.v[i], 0))
			a->seen.v[kept++] = a->seen.v[i];
	a->seen.n = kept;
}

/*
 * A kernel without sock_diag is not asked again: it would look for a module
 * each time.
 */
static bool look(struct agent *a)
{
	int rc = -ENOENT;

	if (a->diag >= 0)
		rc = listeners_read(a->diag, &a->picked, is_own, a, &a->seen);
	if (rc == -ENOENT && a->diag >= 0) {
		close(a->diag);
		a->diag = -1;
	}
	if (a->diag < 0) {
		rc = proclisteners_read(&a->picked, &a->seen);
		leave_out_own(a);
	}
	return rc == 0;
}

static void tick(struct agent *a)
{
	static const struct agent_message alive = { .kind = AGENT_ALIVE };
	const uint64_t now = now_ns();

	if (now < a->tick_ns)
		return;
	a->tick_ns = now + AGENT_TICK_NS;
	/* A dump that failed (memory) is no news; the next tick asks again. */
	if (look(a))
		listeners_diff(&a->known, &a->seen, tell_listener, a);
	reap(a);
	if (a->said_ns + ALIVE_NS <= now)
		(void)say(a, &alive);
}

static void failed(void *ctx, uint32_t id, int error)
{
	const struct agent_message m = { .kind = AGENT_FAILED, .id = id,
					 .value = (uint32_t)error };

	(void)say(ctx, &m);
}

/* Streams of ours are close-on-exec; a child that serves one has no other. */
static void run(struct agent *a, const struct agent_message *m)
{
	pid_t pid = -1;

	if (a->commands < COMMANDS_MAX)
		pid = fork();
	else
		errno = EAGAIN;
	if (pid == 0) {
		close(a->from.fd);
		carry_end(&a->carries);
		command_serve(&a->carries.gateway, m->token);
	}
	if (pid < 0)
		failed(a, m->id, errno);
	else
		a->commands++;
}

/* A port of the host's: bound, and listening; or why not. */
static void bind_port(struct agent *a, const struct agent_message *m)
{
	struct agent_message answer = { .kind = AGENT_BOUND, .id = m->id };
	struct bind *b = &a->binds[a->n_binds];
	int fd = a->n_binds < BINDS_MAX ? dial_bind(&m->at, "", false) :
					  -EMFILE;

	if (fd >= 0 && listen(fd, DIAL_BACKLOG) < 0) {
		answer.value = (uint32_t)errno;
		close(fd);
	} else if (fd < 0) {
		answer.value = (uint32_t)-fd;
	} else {
		*b = (struct bind){ .id = m->id, .fd = fd, .at = m->at };
		memcpy(b->token, m->token, sizeof(b->token));
		a->n_binds++;
	}
	(void)say(a, &answer);
}

static void unbind_port(struct agent *a, uint32_t id)
{
	for (unsigned i = 0; i < a->n_binds; i++) {
		if (a->binds[i].id != id)
			continue;
		close(a->binds[i].fd);
		a->binds[i] = a->binds[--a->n_binds];
		return;
	}
}

static void accept_all(struct agent *a, const struct bind *b)
{
	for (unsigned i = 0; i < ACCEPTS; i++) {
		const int fd = accept4(b->fd, NULL, NULL,
				       SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			return;
		carry_accepted(&a->carries, fd, b->token);
	}
}

static void heed(struct agent *a, const struct agent_message *m)
{
	int error;

	switch ((enum agent_kind)m->kind) {
	case AGENT_CONNECT:
		error = carry_connect(&a->carries, m);
		if (error)
			failed(a, m->id, error);
		break;
	case AGENT_RUN:
		run(a, m);
		break;
	case AGENT_BIND:
		bind_port(a, m);
		break;
	case AGENT_UNBIND:
		unbind_port(a, m->id);
		break;
	case AGENT_BOOT:
		if (!a->boot)
			a->boot = command_boot(m->text, AGENT_BOOTED_FILE);
		break;
	/* What is of no concern here, or of a later version. */
	case AGENT_WELCOME:
	case AGENT_HELLO: case AGENT_CARRY: case AGENT_LISTENER:
	case AGENT_FAILED: case AGENT_BOUND: case AGENT_BOOTED:
	case AGENT_ALIVE: case AGENT_COMMAND: case AGENT_DATA:
	case AGENT_SIZE: case AGENT_ENDED: case AGENT_KIND_MAX:
		break;
	}
}

/* false: the gateway has gone. */
static bool hear(struct agent *a)
{
	struct agent_message m;

	for (;;) {
		switch (gateway_hear(&a->from, &m)) {
		case GATEWAY_WHOLE:
			heed(a, &m);
			break;
		case GATEWAY_PART:
			return true;
		case GATEWAY_END:
			return false;
		}
	}
}

static int wait_ms(const struct agent *a)
{
	const uint64_t now = now_ns();

	return now >= a->tick_ns ? 0 :
	       (int)((a->tick_ns - now + 999999) / 1000000);
}

/* Until the gateway goes. true: it had heard us. */
static bool serve(struct agent *a)
{
	static struct pollfd p[1 + 2 * CARRIES_MAX + BINDS_MAX];
	bool heard = false;

	a->broken = false;
	a->from.n = 0;
	a->known.n = 0;
	a->tick_ns = 0;
	if (!hello(a))
		return false;
	for (;;) {
		size_t n;

		p[0] = (struct pollfd){ .fd = a->from.fd, .events = POLLIN };
		n = carry_fill(&a->carries, p + 1);
		for (unsigned i = 0; i < a->n_binds; i++)
			p[1 + n + i] = (struct pollfd){
				.fd = a->binds[i].fd, .events = POLLIN };
		if (poll(p, 1 + n + a->n_binds, wait_ms(a)) < 0)
			continue;
		for (unsigned i = 0; i < a->n_binds; i++)
			if (p[1 + n + i].revents)
				accept_all(a, &a->binds[i]);
		if (p[0].revents) {
			if (!hear(a))
				return heard;
			heard = true;
		}
		carry_turn(&a->carries, p + 1, failed, a);
		tick(a);
		if (a->broken)
			return heard;
	}
}

/* Where the default routes lead: IPv4's first. How many. */
static unsigned find_gateways(struct ip out[2])
{
	struct netlink *nl = netlink_open();
	unsigned n = 0;

	if (!nl)
		return 0;
	n += netlink_default_gateway(nl, &out[n]);
	n += netlink_default_gateway6(nl, &out[n]);
	netlink_close(nl);
	return n;
}

/* One try. true: the gateway has heard us for a while. */
static bool try_one(struct agent *a, const struct ip *gateway)
{
	bool heard;

	a->carries.gateway = *gateway;
	a->from.fd = gateway_connect(&a->carries.gateway, true);
	if (a->from.fd < 0)
		return false;
	heard = serve(a);
	close(a->from.fd);
	while (a->n_binds)
		unbind_port(a, a->binds[0].id);
	carry_end(&a->carries);
	return heard;
}

/* The other one only if the first is none that hears us. */
static bool try(struct agent *a, const struct ip *gateway)
{
	struct ip found[2];
	unsigned n = 0;

	if (gateway)
		return try_one(a, gateway);
	n = find_gateways(found);
	for (unsigned i = 0; i < n; i++)
		if (try_one(a, &found[i]))
			return true;
	return false;
}

void agent_serve(const struct ip *gateway, const char *version)
{
	static struct agent a;
	int wait = AGENT_AGAIN_FIRST_MS;

	a.version = version;
	a.from.buf = a.in;
	a.from.cap = sizeof(a.in);
	a.picked = listeners_picked();
	a.diag = listeners_open();
	/* Ignored, as some callers have it, ends would not be told. */
	signal(SIGCHLD, SIG_DFL);
	for (;;) {
		if (try(&a, gateway))
			wait = AGENT_AGAIN_FIRST_MS;
		poll(NULL, 0, wait);
		reap(&a);
		wait = wait < AGENT_AGAIN_MOST_MS ? 2 * wait : wait;
	}
}
