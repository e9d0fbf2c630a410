/* SPDX-License-Identifier: MIT */
#include "keeper/hostports.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
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

/* To the engine; it may be busy, but not for long. */
static int tell(const struct hostports *hp, const struct msg_forward *m,
		int fd)
{
	struct pollfd p = { .fd = hp->engine_ch, .events = POLLOUT };
	int rc;

	do
		rc = channel_send(hp->engine_ch, m, sizeof(*m), &fd, fd >= 0);
	while (rc == -EAGAIN && poll(&p, 1, SEND_WAIT_MS) > 0);
	return rc;
}

/* A bound socket or -errno. */
static int bind_at(const struct endpoint *at, const char *dev, bool udp)
{
	const int on = 1;
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, at);
	const int fd = socket(sa.sa.sa_family,
			      (udp ? SOCK_DGRAM : SOCK_STREAM) |
			      SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error;

	if (fd < 0)
		return -errno;
	/*
	 * Without it a restarted server waits a minute for its port. To UDP it
	 * means to share the port with whoever asks for that, too.
	 */
	if (!udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if ((!*dev || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
				 (socklen_t)strlen(dev)) == 0) &&
	    bind(fd, &sa.sa, len) == 0)
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
static const char *owner(struct hostports *hp, const struct endpoint *at,
			 bool udp)
{
	const uint64_t now = now_ns();

	if (hp->last_search_ns && now - hp->last_search_ns < SEARCH_EVERY_NS)
		return hp->last_port == at->port && hp->last_udp == udp ?
		       hp->last_owner : "another process";
	hp->last_search_ns = now;
	hp->last_port = at->port;
	hp->last_udp = udp;
	if (!owner_of(at, udp, hp->dir, hp->last_owner,
		      sizeof(hp->last_owner)))
		strcpy(hp->last_owner, "another process");
	return hp->last_owner;
}

const char *hostports_owner(struct hostports *hp, uint16_t port, bool udp)
{
	const struct endpoint at = { .port = port };

	return owner(hp, &at, udp);
}

/* In words: why at could not be bound. */
static void explain(struct hostports *hp, const struct endpoint *at, bool udp,
		    int error, char why[STATUS_WHY_BYTES])
{
	switch (error) {
	case EADDRINUSE:
		snprintf(why, STATUS_WHY_BYTES, "%s has the port",
			 owner(hp, at, udp));
		break;
	case EACCES:
		snprintf(why, STATUS_WHY_BYTES, "not allowed; as root: sysctl "
			 "-w net.ipv4.ip_unprivileged_port_start=%u",
			 at->port);
		break;
	case ENODEV:
		snprintf(why, STATUS_WHY_BYTES, "the host has no such "
			 "interface");
		break;
	default:
		snprintf(why, STATUS_WHY_BYTES, "%s", strerror(error));
		break;
	}
}

/* What has come of binding at: a descriptor, or -errno, made a state. */
static enum forward_state outcome(struct hostports *hp,
				  const struct endpoint *at, bool udp, int rc,
				  char why[STATUS_WHY_BYTES])
{
	if (rc >= 0)
		return FORWARD_OPEN;
	if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL)
		return FORWARD_NONE;	/* a host without IPv6 */
	explain(hp, at, udp, -rc, why);
	return FORWARD_FAILED;
}

enum forward_state hostports_try(struct hostports *hp,
				 const struct endpoint *at, const char *dev,
				 bool udp, char why[STATUS_WHY_BYTES])
{
	const int rc = bind_at(at, dev, udp);

	if (rc >= 0)
		close(rc);
	return outcome(hp, at, udp, rc, why);
}

bool hostports_busy(const struct endpoint *at, bool udp)
{
	const int rc = bind_at(at, "", udp);

	if (rc >= 0)
		close(rc);
	return rc == -EADDRINUSE;
}

enum forward_state hostports_bind(struct hostports *hp, struct hostport *p,
				  const struct endpoint *at, const char *dev,
				  const struct hostport_way *way,
				  char why[STATUS_WHY_BYTES])
{
	struct msg_forward add = {
		.kind = MSG_FORWARD_ADD, .to = way->to,
		.by_frames = way->by_frames, .udp = way->udp,
		.own = ip_is_unspecified(&at->ip) && !*dev,
	};
	char text[ENDPOINT_TEXT_BYTES];
	enum forward_state state;
	int rc = p->fd;

	if (rc < 0)
		rc = bind_at(at, dev, way->udp);
	if (rc > (int)hp->fd_max) {	/* the rest is for other things */
		close(rc);
		rc = -EMFILE;
	}
	if (rc >= 0 && p->fd < 0 && !way->udp && listen(rc, BACKLOG) < 0) {
		const int error = errno;

		close(rc);
		rc = -error;
	}
	state = outcome(hp, at, way->udp, rc, why);
	if (state == FORWARD_FAILED)
		log_print(hp->log, LOG_INFO, "%s%s is not forwarded: %s",
			  endpoint_format(at, text), way->udp ? "/udp" : "",
			  why);
	if (state != FORWARD_OPEN)
		return state;
	p->fd = rc;
	p->udp = way->udp;
	p->id = add.id = ++hp->next_id;
	if (tell(hp, &add, rc) < 0)
		log_print(hp->log, LOG_ERROR, "the engine does not take %s",
			  endpoint_format(at, text));
	return FORWARD_OPEN;
}

void hostports_withdraw(struct hostports *hp, const struct hostport *p)
{
	const struct msg_forward del = { .kind = MSG_FORWARD_DEL,
					 .id = p->id };
	struct pollfd gone;
	int done[2];

	if (p->fd < 0)
		return;
	if (!p->udp || pipe2(done, O_CLOEXEC) < 0) {
		(void)tell(hp, &del, -1);
		return;
	}
	/* The other end hangs up when the engine has done it. */
	gone = (struct pollfd){ .fd = done[0] };
	if (tell(hp, &del, done[1]) < 0)
		log_print(hp->log, LOG_ERROR, "the engine does not let go of "
			  "a port");
	close(done[1]);
	(void)!poll(&gone, 1, SEND_WAIT_MS);
	close(done[0]);
}

void hostports_unbind(struct hostports *hp, struct hostport *p,
		      bool engine_gone)
{
	if (p->fd < 0)
		return;
	shutdown(p->fd, SHUT_RDWR);
	close(p->fd);
	if (!engine_gone)
		hostports_withdraw(hp, p);
	p->fd = -1;		/* not before: it says that there is one */
}
