/* SPDX-License-Identifier: MIT */
#include "linux/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/dial.h"

#define TICK_NS		20000000ull	/* how late we may see a listener */
#define HEAL_NS		100000000ull	/* and a directory to be covered */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int set_nonblock(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ?
	       -errno : 0;
}

int inside_open(struct inside *in, int keeper_ch, int engine_ch,
		struct fail *fail)
{
	in->keeper = (struct desk){ .ch = keeper_ch, .reply_fd = -1 };
	in->engine = (struct desk){ .ch = engine_ch, .reply_fd = -1 };
	in->picked = listeners_picked();
	in->diag = listeners_open();
	if (in->diag < 0)
		return fail_set(fail, "cannot watch the guest's listeners: %s",
				strerror(-in->diag));
	if (set_nonblock(keeper_ch) || set_nonblock(engine_ch))
		return fail_set(fail, "cannot use a channel: %s",
				strerror(errno));
	return 0;
}

static bool tell_keeper(void *ctx, bool gone, const struct listener *l)
{
	const struct inside *in = ctx;
	const struct msg_listener m = {
		.kind = MSG_LISTENER,
		.gone = gone,
		.what = *l,
	};

	return channel_send(in->keeper.ch, &m, sizeof(m), NULL, 0) == 0;
}

static uint64_t *own_at(struct inside *in, const struct endpoint *at, bool udp)
{
	return &in->own[at->port][udp][!ip_is4(&at->ip)];
}

static bool is_own(void *ctx, const struct listener *l, uint64_t cookie)
{
	return *own_at(ctx, &l->at, l->udp) == cookie;
}

static void check_listeners(struct inside *in)
{
	/* A dump that failed (memory) is no news; the next tick asks again. */
	if (listeners_read(in->diag, &in->picked, is_own, in, &in->seen) == 0)
		listeners_diff(&in->known, &in->seen, tell_keeper, in);
}

/* Bound, and listening; known as ours before the next look. Or -errno. */
static int bind_for_keeper(struct inside *in, const struct endpoint *at,
			   bool udp)
{
	const int fd = dial_bind(at, "", udp);
	int error;

	if (fd < 0)
		return fd;
	if (!udp && listen(fd, DIAL_BACKLOG) < 0) {
		error = errno;
		close(fd);
		return -error;
	}
	*own_at(in, at, udp) = dial_cookie(fd);
	return fd;
}

/* Send the reply that is owed; it stays so if there is no room for it. */
static void send_reply(struct desk *d)
{
	int err = channel_send(d->ch, &d->reply, sizeof(d->reply),
			       &d->reply_fd, d->reply_fd >= 0);

	if (err == -EAGAIN)
		return;
	if (d->reply_fd >= 0)
		close(d->reply_fd);
	d->owed = false;
	if (err && d->reply_fd >= 0) {	/* too many on their way: say so */
		d->reply.error = -err;
		d->owed = true;
	}
	d->reply_fd = -1;
}

/* One request: the engine's to connect, the keeper's to bind. false: gone. */
static bool request(struct inside *in, struct desk *d)
{
	const bool binds = d == &in->keeper;
	int fds[CHANNEL_MAX_FDS];
	struct msg_open m;
	size_t n_fds;
	const ssize_t n = channel_recv(d->ch, &m, sizeof(m), fds, &n_fds);

	if (n == 0)
		return false;
	while (n_fds > 0)
		close(fds[--n_fds]);
	if (n != sizeof(m) || m.kind != (binds ? MSG_BIND : MSG_CONNECT))
		return true;
	d->reply_fd = binds ? bind_for_keeper(in, &m.at, m.udp) :
			      dial(&m.at, m.udp);
	d->reply = (struct msg_opened){
		.kind = binds ? MSG_BOUND : MSG_CONNECTED,
		.id = m.id,
		.error = d->reply_fd < 0 ? -d->reply_fd : 0,
	};
	d->owed = true;
	send_reply(d);
	return true;
}

/* What an event at a desk asks for. false: whoever asks there is gone. */
static bool attend(struct inside *in, struct desk *d, short revents)
{
	if (!revents)
		return true;
	if (!d->owed)
		return request(in, d);
	send_reply(d);
	return true;
}

static void tick(struct inside *in)
{
	const uint64_t now = now_ns();

	if (now < in->next_tick_ns)
		return;
	check_listeners(in);
	in->next_tick_ns = now + TICK_NS;
	if (!in->own_mounts || now < in->next_heal_ns)
		return;
	mounts_heal(&in->mounts);
	in->next_heal_ns = now + HEAL_NS;
}

static int wait_ms(const struct inside *in)
{
	const uint64_t now = now_ns();

	return now >= in->next_tick_ns ? 0 :
	       (int)((in->next_tick_ns - now + 999999) / 1000000);
}

void inside_serve(struct inside *in)
{
	enum { KEEPER, ENGINE, MOUNTS, N };
	struct pollfd p[N] = {
		[KEEPER] = { .fd = in->keeper.ch },
		[ENGINE] = { .fd = in->engine.ch },
		[MOUNTS] = { .fd = in->own_mounts ? in->mounts.changed : -1,
			     .events = POLLPRI },
	};

	for (;;) {
		tick(in);
		p[KEEPER].events = in->keeper.owed ? POLLOUT : POLLIN;
		p[ENGINE].events = in->engine.owed ? POLLOUT : POLLIN;
		if (poll(p, N, wait_ms(in)) < 0)
			continue;
		if (p[MOUNTS].revents)
			mounts_heal(&in->mounts);
		if (!attend(in, &in->keeper, p[KEEPER].revents) ||
		    !attend(in, &in->engine, p[ENGINE].revents))
			return;
	}
}
