/* SPDX-License-Identifier: MIT */
#include "keeper/forwards.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "keeper/owner.h"
#include "linux/channel.h"
#include "linux/messages.h"
#include "linux/sockaddr.h"

#define BACKLOG		4096
#define SEARCH_EVERY_NS	1000000000u	/* owners: /proc is not free */
#define SEND_WAIT_MS	1000

static struct ip loopback(unsigned half)
{
	struct ip six = { 0 };

	six.b[15] = 1;
	return half ? six : ip_from_v4(0x7f000001u);
}

/* How well a listener suits a half: 0 best, and the address it leads to. */
static unsigned rank(const struct guest_listener *l, unsigned half, struct ip *to)
{
	const bool local = ip_is_loopback(&l->ip) ||
			   ip_is_unspecified(&l->ip);
	const bool four = ip_is4(&l->ip);
	const bool dual = !four && ip_is_unspecified(&l->ip) && !l->v6only;

	*to = l->ip;
	if (ip_is_unspecified(&l->ip))
		*to = loopback(dual ? half : !four);
	if (half == 0)
		return four ? (local ? 0 : 2) : dual ? 1 : local ? 3 : 4;
	return !four ? (local ? 0 : 1) : local ? 2 : 3;
}

bool forwards_target(const struct guest_listener *l, size_t n, unsigned half,
		     struct ip *out)
{
	unsigned best = 5;

	for (size_t i = 0; i < n; i++) {
		struct ip to;
		const unsigned r = rank(&l[i], half, &to);

		if (r < best) {
			best = r;
			*out = to;
		}
	}
	return best < 5;
}

static bool wanted(const struct config *c, uint16_t port)
{
	switch (c->localhost) {
	case LOCALHOST_OFF:
		return false;
	case LOCALHOST_LIST:
		return port_list_has(&c->localhost_ports, port);
	case LOCALHOST_AUTO:
		return !port_list_has(&c->ignored_ports, port);
	}
	return false;
}

/* To the engine; it may be busy, but not for long. */
static int tell(const struct forwards *f, const struct msg_forward *m, int fd)
{
	struct pollfd p = { .fd = f->engine_ch, .events = POLLOUT };
	int rc;

	do
		rc = channel_send(f->engine_ch, m, sizeof(*m), &fd, fd >= 0);
	while (rc == -EAGAIN && poll(&p, 1, SEND_WAIT_MS) > 0);
	return rc;
}

/* A listening socket, or -errno. */
static int listen_at(const struct endpoint *at)
{
	const int on = 1;
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, at);
	const int fd = socket(sa.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC |
			      SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	/* Without it a restarted server waits a minute for its port. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &sa.sa, len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Who has the port, without searching for it again and again. */
static const char *owner(struct forwards *f, const struct endpoint *at)
{
	const uint64_t now = now_ns();

	if (f->last_search_ns && now - f->last_search_ns < SEARCH_EVERY_NS)
		return f->last_port == at->port ? f->last_owner :
						  "another process";
	f->last_search_ns = now;
	f->last_port = at->port;
	if (!owner_of(at, f->dir, f->last_owner, sizeof(f->last_owner)))
		strcpy(f->last_owner, "another process");
	return f->last_owner;
}

/* In words: why at could not be bound. */
static void explain(struct forwards *f, const struct endpoint *at, int error,
		    char why[STATUS_WHY_BYTES])
{
	switch (error) {
	case EADDRINUSE:
		snprintf(why, STATUS_WHY_BYTES, "%s has the port",
			 owner(f, at));
		break;
	case EACCES:
		snprintf(why, STATUS_WHY_BYTES, "not allowed; as root: sysctl "
			 "-w net.ipv4.ip_unprivileged_port_start=%u",
			 at->port);
		break;
	default:
		snprintf(why, STATUS_WHY_BYTES, "%s", strerror(error));
		break;
	}
}

static void unbind(struct forwards *f, size_t i, unsigned half)
{
	struct forward *fw = &f->forward[i];
	const struct msg_forward del = { .kind = MSG_FORWARD_DEL,
					 .id = fw->id[half] };

	if (fw->fd[half] < 0)
		return;
	shutdown(fw->fd[half], SHUT_RDWR);
	close(fw->fd[half]);
	fw->fd[half] = -1;
	(void)tell(f, &del, -1);
}

/* Bind one half and give it to the engine. */
static void bind_half(struct forwards *f, size_t i, unsigned half,
		      const struct endpoint *to)
{
	struct forward *fw = &f->forward[i];
	struct forward_half *st = &f->status[i].half[half];
	const struct endpoint at = { .ip = loopback(half),
				     .port = f->status[i].port };
	struct msg_forward add = { .kind = MSG_FORWARD_ADD, .to = *to };
	char text[ENDPOINT_TEXT_BYTES];
	int rc = fw->fd[half];

	if (rc < 0)
		rc = listen_at(&at);
	if (rc > (int)f->fd_max) {	/* the rest is for other things */
		close(rc);
		rc = -EMFILE;
	}
	st->to = *to;
	if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL) {
		st->state = FORWARD_NONE;	/* a host without IPv6 */
		return;
	}
	if (rc < 0) {
		st->state = FORWARD_FAILED;
		explain(f, &at, -rc, st->why);
		log_print(f->log, LOG_INFO, "%s is not forwarded: %s",
			  endpoint_format(&at, text), st->why);
		return;
	}
	fw->fd[half] = rc;
	fw->id[half] = add.id = ++f->next_id;
	st->state = FORWARD_OPEN;
	if (tell(f, &add, rc) < 0)
		log_print(f->log, LOG_ERROR, "the engine does not take %s",
			  endpoint_format(&at, text));
}

/* Make a half what its listeners ask for; anew: try a failed one again. */
static void settle(struct forwards *f, size_t i, unsigned half, bool anew)
{
	struct forward *fw = &f->forward[i];
	struct forward_half *st = &f->status[i].half[half];
	struct endpoint to = { .port = f->status[i].port };
	const struct msg_forward del = { .kind = MSG_FORWARD_DEL,
					 .id = fw->id[half] };

	if (!forwards_target(fw->listener, fw->n_listeners, half, &to.ip)) {
		unbind(f, i, half);
		st->state = FORWARD_NONE;
		return;
	}
	switch (st->state) {
	case FORWARD_OPEN:
		if (ip_equal(&st->to.ip, &to.ip))
			return;
		/* The socket stays: clients in its queue are not lost. */
		(void)tell(f, &del, -1);
		break;
	case FORWARD_FAILED:
		if (!anew)
			return;
		break;
	case FORWARD_NONE:
		break;
	}
	bind_half(f, i, half, &to);
}

static bool grow(struct forwards *f)
{
	const size_t n = f->n + 1;
	struct forward *fw;
	struct forward_status *st;

	if (f->n == FORWARDS_MAX)
		return false;
	fw = realloc(f->forward, n * sizeof(*fw));
	if (!fw)
		return false;
	f->forward = fw;
	st = realloc(f->status, n * sizeof(*st));
	if (!st)
		return false;
	f->status = st;
	memset(&fw[f->n], 0, sizeof(*fw));
	memset(&st[f->n], 0, sizeof(*st));
	fw[f->n].fd[0] = fw[f->n].fd[1] = -1;
	return true;
}

/* The entry of a port, made if it is not there; -1: no room. */
static ssize_t entry(struct forwards *f, uint16_t port, bool make)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->status[i].port == port)
			return (ssize_t)i;
	if (!make)
		return -1;
	if (!grow(f)) {
		if (!f->full)
			log_print(f->log, LOG_WARN, "more than %u ports: the "
				  "rest is not on localhost", FORWARDS_MAX);
		f->full = true;
		return -1;
	}
	f->status[f->n].port = port;
	return (ssize_t)f->n++;
}

static bool same(const struct guest_listener *a, const struct ip *ip, bool v6only)
{
	return ip_equal(&a->ip, ip) && a->v6only == v6only;
}

static void add_listener(struct forward *fw, const struct ip *ip, bool v6only)
{
	for (unsigned i = 0; i < fw->n_listeners; i++)
		if (same(&fw->listener[i], ip, v6only))
			return;
	if (fw->n_listeners < FORWARD_LISTENERS_MAX)
		fw->listener[fw->n_listeners++] =
			(struct guest_listener){ .ip = *ip, .v6only = v6only };
}

static void del_listener(struct forward *fw, const struct ip *ip, bool v6only)
{
	for (unsigned i = 0; i < fw->n_listeners; i++)
		if (same(&fw->listener[i], ip, v6only)) {
			fw->listener[i] = fw->listener[--fw->n_listeners];
			return;
		}
}

void forwards_listener(struct forwards *f, const struct endpoint *at,
		       bool v6only, bool gone)
{
	ssize_t i;

	if (!at->port || !wanted(f->config, at->port))
		return;
	i = entry(f, at->port, !gone);
	if (i < 0)
		return;
	if (gone)
		del_listener(&f->forward[i], &at->ip, v6only);
	else
		add_listener(&f->forward[i], &at->ip, v6only);
	settle(f, (size_t)i, 0, !gone);
	settle(f, (size_t)i, 1, !gone);
	if (f->forward[i].n_listeners == 0) {
		f->n--;
		f->forward[i] = f->forward[f->n];
		f->status[i] = f->status[f->n];
	}
}

void forwards_shut(struct forwards *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (unsigned half = 0; half < 2; half++)
			if (f->forward[i].fd[half] >= 0) {
				shutdown(f->forward[i].fd[half], SHUT_RDWR);
				close(f->forward[i].fd[half]);
				f->forward[i].fd[half] = -1;
			}
	f->n = 0;
}
