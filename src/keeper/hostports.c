/* SPDX-License-Identifier: MIT */
#include "keeper/hostports.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "keeper/owner.h"
#include "linux/channel.h"
#include "linux/dial.h"
#include "linux/messages.h"

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
			 hp->in_guest ? "a program of the guest" :
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
	const int rc = dial_bind(at, dev, udp);

	if (rc >= 0)
		close(rc);
	return outcome(hp, at, udp, rc, why);
}

bool hostports_busy(const struct endpoint *at, bool udp)
{
	const int rc = dial_bind(at, "", udp);

	if (rc >= 0)
		close(rc);
	return rc == -EADDRINUSE;
}

/* The same for one that is wanted, and told if there is none. */
static enum forward_state told(struct hostports *hp,
			       const struct endpoint *at, bool udp, int rc,
			       char why[STATUS_WHY_BYTES])
{
	const enum forward_state state = outcome(hp, at, udp, rc, why);
	char text[ENDPOINT_TEXT_BYTES];

	if (state == FORWARD_FAILED)
		log_print(hp->log, LOG_INFO, "%s%s is not %s: %s",
			  endpoint_format(at, text), udp ? "/udp" : "",
			  hp->in_guest ? "the host's in the guest" :
					 "forwarded", why);
	return state;
}

/* A socket, if it is one: the highest are for other things. */
static int in_limits(const struct hostports *hp, int fd)
{
	if (fd <= (int)hp->fd_max)
		return fd;
	close(fd);
	return -EMFILE;
}

/* Bound, and listening, or -errno. */
static int bind_here(const struct hostports *hp, const struct endpoint *at,
		     const char *dev, bool udp)
{
	const int fd = in_limits(hp, dial_bind(at, dev, udp));
	int error;

	if (fd < 0 || udp || listen(fd, DIAL_BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	return -error;
}

/* Ask the guest's helper, unless it has enough to do: then in its turn. */
static int ask(struct hostports *hp, struct hostport *p,
	       const struct endpoint *at, bool udp)
{
	struct msg_open m = { .kind = MSG_BIND, .at = *at, .udp = udp };
	int rc;

	if (hp->asked == HOSTPORTS_ASKED_MAX)
		return 0;
	do
		m.id = ++hp->next_ask;
	while (!m.id);
	rc = channel_send(hp->inside_ch, &m, sizeof(m), NULL, 0);
	if (rc < 0)
		return rc;
	p->asked = m.id;
	hp->asked++;
	return 0;
}

enum forward_state hostports_bound(struct hostports *hp, struct hostport *p,
				   const struct endpoint *at, bool udp,
				   int fd, int error,
				   char why[STATUS_WHY_BYTES])
{
	const int rc = fd >= 0 ? in_limits(hp, fd) : -(error ? error : EIO);

	p->asked = 0;
	hp->asked--;
	if (rc < 0)
		return told(hp, at, udp, rc, why);
	p->fd = rc;
	p->udp = udp;
	return FORWARD_NONE;
}

/* The sockets of ours, in order. */
static uint32_t own_place(const struct hostports *hp, uint64_t cookie)
{
	uint32_t lo = 0, hi = hp->n_own;

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;

		if (hp->own[mid] < cookie)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool hostports_own(const struct hostports *hp, uint64_t cookie)
{
	const uint32_t at = own_place(hp, cookie);

	return at < hp->n_own && hp->own[at] == cookie;
}

static void own_add(struct hostports *hp, uint64_t cookie)
{
	const uint32_t at = own_place(hp, cookie);

	ASSERT(hp->n_own < HOSTPORTS_OWN_MAX);
	memmove(&hp->own[at + 1], &hp->own[at],
		(hp->n_own - at) * sizeof(hp->own[0]));
	hp->own[at] = cookie;
	hp->n_own++;
}

static void own_del(struct hostports *hp, uint64_t cookie)
{
	const uint32_t at = own_place(hp, cookie);

	if (!hostports_own(hp, cookie))
		return;
	hp->n_own--;
	memmove(&hp->own[at], &hp->own[at + 1],
		(hp->n_own - at) * sizeof(hp->own[0]));
}

enum forward_state hostports_bind(struct hostports *hp, struct hostport *p,
				  const struct endpoint *at, const char *dev,
				  const struct hostport_way *way,
				  char why[STATUS_WHY_BYTES])
{
	struct msg_forward add = {
		.kind = MSG_FORWARD_ADD, .to = way->to,
		.to_host = hp->in_guest,
		.by_frames = way->by_frames, .udp = way->udp,
		.guest = hp->in_guest ? hp->guest : way->guest,
		.own = ip_is_unspecified(&at->ip) && !*dev,
	};
	char text[ENDPOINT_TEXT_BYTES];

	if (p->fd < 0 && hp->in_guest) {
		const int rc = ask(hp, p, at, way->udp);

		return rc < 0 ? told(hp, at, way->udp, rc, why) :
				FORWARD_ASKED;
	}
	if (p->fd < 0) {
		const int rc = bind_here(hp, at, dev, way->udp);

		if (rc < 0)
			return told(hp, at, way->udp, rc, why);
		p->fd = rc;
		p->udp = way->udp;
		own_add(hp, dial_cookie(rc));
	}
	p->id = add.id = ++*hp->next_id;
	if (tell(hp, &add, p->fd) < 0)
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
	own_del(hp, dial_cookie(p->fd));
	shutdown(p->fd, SHUT_RDWR);
	close(p->fd);
	if (!engine_gone)
		hostports_withdraw(hp, p);
	p->fd = -1;		/* not before: it says that there is one */
}
