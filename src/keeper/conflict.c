/* SPDX-License-Identifier: MIT */
#include "keeper/conflict.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "keeper/process.h"
#include "linux/bindcall.h"
#include "linux/channel.h"

#define LOG_EVERY_NS	(1000 * MS_NS)

/* The watcher's question; error: it asks nothing, but cannot look at calls. */
struct question {
	int32_t error;
	struct bindcall_port what;
};

struct answer {
	bool refuse;
};

struct watcher {
	const struct config *config;
	int notifier, net, ch;
	bool blind;			/* has been told */
};

bool conflict_refuses(const struct config *config)
{
	return config->localhost_conflict == CONFLICT_REFUSE &&
	       config->localhost != LOCALHOST_OFF;
}

bool conflict_concerns(const struct config *config, uint16_t port, bool udp)
{
	/* A new namespace has Linux's own range, whatever the host's is. */
	const struct picked_ports picked = LISTENERS_PICKED_NEW;
	const struct listener l = {
		.at.port = port, .udp = udp,
		.casual = udp && listeners_casual(&picked, port),
	};

	return port && forwards_wants(config, &l);
}

static bool busy(const struct bindcall_port *what)
{
	bool yes = false;

	for (unsigned half = 0; half < 2 && !yes; half++) {
		const struct endpoint at = { .ip = forwards_loopback(half),
					     .port = what->port };

		yes = hostports_busy(&at, what->udp);
	}
	return yes;
}

/* ---- the watcher ---- */

/* A port is taken: ask the keeper whether by others. */
static bool is_refused(const struct watcher *w,
		       const struct bindcall_port *what)
{
	const struct question q = { .what = *what };
	struct answer a = { .refuse = false };
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds;

	if (channel_send(w->ch, &q, sizeof(q), NULL, 0) < 0 ||
	    channel_recv(w->ch, &a, sizeof(a), fds, &n_fds) <= 0)
		_exit(0);		/* the keeper is gone */
	return a.refuse;
}

static void tell_blind(struct watcher *w, int error)
{
	const struct question q = { .error = error };

	if (w->blind)
		return;
	w->blind = true;
	if (channel_send(w->ch, &q, sizeof(q), NULL, 0) < 0)
		_exit(0);
}

/* What the call should come to: an errno, or 0 to let it go on. */
static int judge(struct watcher *w, const struct bindcall *call)
{
	struct bindcall_port what;
	const int rc = bindcall_look(w->notifier, call, w->net, &what);

	if (rc < 0)
		tell_blind(w, -rc);
	if (rc <= 0 || !conflict_concerns(w->config, what.port, what.udp) ||
	    !busy(&what) || !is_refused(w, &what))
		return 0;
	return EADDRINUSE;
}

_Noreturn static void watch(struct watcher *w)
{
	enum { KEEPER, CALLS, N };
	struct pollfd p[N] = {
		[KEEPER] = { .fd = w->ch, .events = POLLIN },
		[CALLS] = { .fd = w->notifier, .events = POLLIN },
	};
	struct bindcall call;

	for (;;) {
		if (poll(p, N, -1) < 0)
			continue;
		if (p[KEEPER].revents)		/* it only answers */
			_exit(0);
		if (p[CALLS].revents & POLLIN) {
			if (bindcall_take(w->notifier, &call))
				bindcall_answer(w->notifier, &call,
						judge(w, &call));
		} else if (p[CALLS].revents) {
			p[CALLS].fd = -1;	/* nobody is left to call */
		}
	}
}

_Noreturn static void be_watcher(struct watcher *w, pid_t keeper)
{
	int *const kept[] = { &w->notifier, &w->net, &w->ch };
	sigset_t none;

	/* The name's lock and ports of the host above all are not ours. */
	keeper_keep_only(kept, sizeof(kept) / sizeof(kept[0]));
	prctl(PR_SET_NAME, "slipway-watcher");
	/* Who hangs in a look at the guest sees no end of file. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	watch(w);
}

/* ---- the keeper ---- */

int conflict_start(struct conflict *c, const struct config *config,
		   int notifier, int net)
{
	struct watcher w = { .config = config, .notifier = notifier,
			     .net = net };
	const pid_t keeper = getpid();
	int ch[2];
	const int rc = channel_pair(ch, false);

	if (rc < 0)
		return rc;
	c->pid = fork();
	if (c->pid == 0) {
		w.ch = ch[1];
		be_watcher(&w, keeper);
	}
	close(ch[1]);
	c->ch = ch[0];
	if (c->pid < 0) {
		c->pid = 0;
		return -errno;
	}
	/* It waits for each answer, so there is always room for one. */
	(void)!fcntl(c->ch, F_SETFL, O_NONBLOCK);
	return 0;
}

static void refused(struct conflict *c, struct hostports *hp,
		    const struct bindcall_port *what)
{
	const uint64_t now = keeper_now_ns();

	c->refused++;
	if (c->logged_ns && now - c->logged_ns < LOG_EVERY_NS)
		return;
	c->logged_ns = now;
	log_print(hp->log, LOG_INFO, "bind of port %u%s is refused to the "
		  "guest: %s has it on localhost", what->port,
		  what->udp ? "/udp" : "",
		  hostports_owner(hp, what->port, what->udp));
}

bool conflict_event(struct conflict *c, struct hostports *hp,
		    const struct forwards *f)
{
	struct question q;
	struct answer a;
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	const ssize_t n = channel_recv(c->ch, &q, sizeof(q), fds, &n_fds);

	if (n == -EAGAIN)
		return true;
	while (n_fds)
		close(fds[--n_fds]);
	if (n != sizeof(q))
		return false;
	if (q.error) {
		log_print(hp->log, LOG_WARN, "calls of bind cannot be looked "
			  "at: %s; --localhost-conflict refuse is without "
			  "effect", strerror(q.error));
		return true;
	}
	/*
	 * A port that the guest has already is its kernel's to refuse. Tried
	 * again, as it may have been ours until a moment ago.
	 */
	a.refuse = !forwards_find(f, q.what.port, q.what.udp) &&
		   busy(&q.what);
	if (channel_send(c->ch, &a, sizeof(a), NULL, 0) < 0)
		return false;
	if (a.refuse)
		refused(c, hp, &q.what);
	return true;
}
