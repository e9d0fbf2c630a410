/* SPDX-License-Identifier: MIT */
#include "guest/carry.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/dial.h"

#define LENGTH_BYTES	2
#define DATAGRAMS	64	/* each way, in a turn */

static struct carry *carry_new(struct carries *c)
{
	for (unsigned i = 0; i < CARRIES_MAX; i++) {
		struct carry *y = &c->at[i];

		if (y->state != CARRY_FREE)
			continue;
		y->fd[0] = y->fd[1] = -1;
		y->polled = 0;
		y->udp = false;
		for (unsigned side = 0; side < 2; side++) {
			y->from[side].at = y->from[side].n = 0;
			y->from[side].eof = y->from[side].shut = false;
		}
		return y;
	}
	return NULL;
}

static void carry_free(struct carry *y, bool reset)
{
	const struct linger now = { .l_onoff = 1 };

	for (unsigned side = 0; side < 2; side++) {
		if (y->fd[side] < 0)
			continue;
		if (reset)
			(void)!setsockopt(y->fd[side], SOL_SOCKET, SO_LINGER,
					  &now, sizeof(now));
		close(y->fd[side]);
	}
	y->state = CARRY_FREE;
}

static void no_delay(int fd)
{
	const int one = 1;

	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static bool udp_is_full(const struct carries *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CARRIES_MAX; i++)
		n += c->at[i].state != CARRY_FREE && c->at[i].udp;
	return n >= CARRIES_UDP_MAX;
}

int carry_connect(struct carries *c, const struct agent_message *m)
{
	struct carry *y = carry_new(c);
	int fd;

	if (!y || (m->flags & AGENT_UDP && udp_is_full(c)))
		return EMFILE;
	y->udp = m->flags & AGENT_UDP;
	fd = dial(&m->at, y->udp);
	if (fd < 0)
		return -fd;
	if (!y->udp)
		no_delay(fd);
	y->fd[SIDE_LOCAL] = fd;
	y->state = CARRY_LOCAL;
	y->id = m->id;
	memcpy(y->token, m->token, sizeof(y->token));
	return 0;
}

/* Its own socket is connected: now the way to the gateway. 0 or an errno. */
static int call_gateway(const struct carries *c, struct carry *y)
{
	const struct endpoint to = { .ip = c->gateway, .port = AGENT_PORT };
	struct agent_message m = { .kind = AGENT_CARRY };
	struct carry_way *way = &y->from[SIDE_LOCAL];
	struct wr w = wr(way->buf, sizeof(way->buf));
	const int fd = dial(&to, false);

	if (fd < 0)
		return -fd;
	no_delay(fd);
	y->fd[SIDE_GATEWAY] = fd;
	y->state = CARRY_GATEWAY;
	memcpy(m.token, y->token, sizeof(m.token));
	agent_emit(&w, &m);		/* ahead of all else */
	way->n = sizeof(way->buf) - w.left;
	return 0;
}

void carry_accepted(struct carries *c, int fd,
		    const uint8_t token[AGENT_TOKEN_BYTES])
{
	struct carry *y = carry_new(c);

	if (!y) {
		close(fd);
		return;
	}
	no_delay(fd);
	y->fd[SIDE_LOCAL] = fd;
	y->id = 0;
	memcpy(y->token, token, sizeof(y->token));
	if (call_gateway(c, y))
		carry_free(y, true);
}

static int outcome(int fd)
{
	int error = 0;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ?
	       errno : error;
}

/* What is to be awaited of one side's socket. */
static short wanted(const struct carry *y, enum carry_side side)
{
	const struct carry_way *out = &y->from[side], *in = &y->from[!side];

	if (y->state == CARRY_LOCAL)
		return side == SIDE_LOCAL ? POLLOUT : 0;
	if (y->state == CARRY_GATEWAY)
		return side == SIDE_GATEWAY ? POLLOUT : 0;
	if (y->udp && side == SIDE_GATEWAY)
		return (short)(POLLIN | (in->n ? POLLOUT : 0));
	if (y->udp)
		return out->n ? 0 : POLLIN;
	return (short)((!out->n && !out->eof ? POLLIN : 0) |
		       (in->n ? POLLOUT : 0));
}

size_t carry_fill(struct carries *c, struct pollfd *p)
{
	size_t n = 0;

	for (unsigned i = 0; i < CARRIES_MAX; i++) {
		struct carry *y = &c->at[i];

		if (y->state == CARRY_FREE)
			continue;
		y->polled = n + 1;
		for (unsigned side = 0; side < 2; side++) {
			const short events = wanted(y, side);

			/*
			 * Who wants nothing hears of a reset; but of both
			 * directions' end it would hear for ever.
			 */
			p[n++] = (struct pollfd){
				.fd = events || (y->state == CARRY_OPEN &&
						 !y->udp &&
						 !y->from[!side].shut) ?
				      y->fd[side] : -1,
				.events = events,
			};
		}
	}
	return n;
}

/* Move what can be moved from one side. false: a socket is broken. */
static bool pump(struct carry *y, enum carry_side side)
{
	struct carry_way *way = &y->from[side];
	ssize_t n;

	if (!way->n && !way->eof) {
		n = recv(y->fd[side], way->buf, sizeof(way->buf),
			 MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return false;
		way->eof = n == 0;
		way->at = 0;
		way->n = n > 0 ? (size_t)n : 0;
	}
	if (way->n) {
		n = send(y->fd[!side], way->buf + way->at, way->n,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return false;
		way->at += n > 0 ? (size_t)n : 0;
		way->n -= n > 0 ? (size_t)n : 0;
	}
	if (way->eof && !way->n && !way->shut) {
		way->shut = true;
		shutdown(y->fd[!side], SHUT_WR);
	}
	return true;
}

/*
 * One datagram of the gateway's, or a part of it. false: there is no more, now
 * or, *over, ever.
 */
static bool from_gateway(struct carry *y, bool *over)
{
	struct carry_way *way = &y->from[SIDE_GATEWAY];
	const size_t len = way->n < LENGTH_BYTES ? 0 :
			   (size_t)way->buf[0] << 8 | way->buf[1];
	const size_t want = LENGTH_BYTES + len;
	ssize_t n;

	*over = want > sizeof(way->buf);
	if (*over)
		return false;
	if (way->n >= LENGTH_BYTES && way->n == want) {
		(void)!send(y->fd[SIDE_LOCAL], way->buf + LENGTH_BYTES, len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		way->n = 0;
		return true;
	}
	n = recv(y->fd[SIDE_GATEWAY], way->buf + way->n, want - way->n,
		 MSG_DONTWAIT);
	*over = n == 0 || (n < 0 && errno != EAGAIN);
	way->n += n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* To the gateway what waits, then one datagram. false: as above. */
static bool from_local(struct carry *y, bool *over)
{
	struct carry_way *way = &y->from[SIDE_LOCAL];
	ssize_t n;

	*over = false;
	if (!way->n) {
		n = recv(y->fd[SIDE_LOCAL], way->buf + LENGTH_BYTES,
			 sizeof(way->buf) - LENGTH_BYTES, MSG_DONTWAIT);
		if (n < 0)		/* also: nobody listens there */
			return errno != EAGAIN;
		way->buf[0] = (uint8_t)(n >> 8);
		way->buf[1] = (uint8_t)n;
		way->at = 0;
		way->n = LENGTH_BYTES + (size_t)n;
	}
	n = send(y->fd[SIDE_GATEWAY], way->buf + way->at, way->n,
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	*over = n < 0 && errno != EAGAIN;
	way->at += n > 0 ? (size_t)n : 0;
	way->n -= n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* false: it is over. */
static bool pump_datagrams(struct carry *y)
{
	bool over = false;

	for (unsigned i = 0; i < DATAGRAMS && from_gateway(y, &over); i++)
		;
	for (unsigned i = 0; !over && i < DATAGRAMS && from_local(y, &over);
	     i++)
		;
	return !over;
}

/* 0, or the errno by which it has failed before it was open. */
static int advance(const struct carries *c, struct carry *y)
{
	int error = 0;

	switch (y->state) {
	case CARRY_LOCAL:
		error = outcome(y->fd[SIDE_LOCAL]);
		return error ? error : call_gateway(c, y);
	case CARRY_GATEWAY:
		error = outcome(y->fd[SIDE_GATEWAY]);
		if (error)
			return error;
		y->state = CARRY_OPEN;
		/* fall through */
	case CARRY_OPEN:
		if (y->udp ? !pump_datagrams(y) :
			     !pump(y, SIDE_LOCAL) || !pump(y, SIDE_GATEWAY))
			carry_free(y, true);
		else if (y->from[0].shut && y->from[1].shut)
			carry_free(y, false);
		break;
	case CARRY_FREE:
		break;
	}
	return 0;
}

/* Has a side been reset that is not read from now, and so would not say so? */
static bool is_reset(const struct carry *y, const struct pollfd of[2])
{
	for (unsigned side = 0; side < 2; side++)
		if (of[side].revents & POLLERR &&
		    (y->from[side].n || y->from[side].eof))
			return true;
	return false;
}

void carry_turn(struct carries *c, const struct pollfd *p,
		void (*failed)(void *ctx, uint32_t id, int error), void *ctx)
{
	for (unsigned i = 0; i < CARRIES_MAX; i++) {
		struct carry *y = &c->at[i];
		const struct pollfd *of = p + y->polled - 1;
		int error = 0;

		if (y->state == CARRY_FREE || !y->polled)
			continue;
		if (of[SIDE_GATEWAY].revents || of[SIDE_LOCAL].revents)
			error = advance(c, y);
		if (y->state == CARRY_OPEN && !y->udp && is_reset(y, of))
			carry_free(y, true);
		if (!error)
			continue;
		failed(ctx, y->id, error);
		carry_free(y, true);
	}
}

void carry_end(struct carries *c)
{
	for (unsigned i = 0; i < CARRIES_MAX; i++)
		if (c->at[i].state != CARRY_FREE)
			carry_free(&c->at[i], true);
}
