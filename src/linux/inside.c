/* SPDX-License-Identifier: MIT */
#include "linux/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/sockaddr.h"

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
	in->keeper_ch = keeper_ch;
	in->engine_ch = engine_ch;
	in->reply_fd = -1;
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

	return channel_send(in->keeper_ch, &m, sizeof(m), NULL, 0) == 0;
}

static void check_listeners(struct inside *in)
{
	/* A dump that failed (memory) is no news; the next tick asks again. */
	if (listeners_read(in->diag, &in->picked, &in->seen) == 0)
		listeners_diff(&in->known, &in->seen, tell_keeper, in);
}

/* A socket with its connect begun, or -errno. */
static int begin_connect(const struct endpoint *to, bool udp)
{
	const int on = 1;
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, to);
	const int fd = socket(sa.sa.sa_family,
			      (udp ? SOCK_DGRAM : SOCK_STREAM) |
			      SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (!udp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &sa.sa, len) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	err = errno;
	close(fd);
	return -err;
}

/* Send the reply that is owed; it stays so if there is no room for it. */
static void send_reply(struct inside *in)
{
	int err = channel_send(in->engine_ch, &in->reply, sizeof(in->reply),
			       &in->reply_fd, in->reply_fd >= 0);

	if (err == -EAGAIN)
		return;
	if (in->reply_fd >= 0)
		close(in->reply_fd);
	in->reply_owed = false;
	if (err && in->reply_fd >= 0) {	/* too many on their way: say so */
		in->reply.error = -err;
		in->reply_owed = true;
	}
	in->reply_fd = -1;
}

/* One request of the engine's. false: it is gone. */
static bool engine_message(struct inside *in)
{
	int fds[CHANNEL_MAX_FDS];
	struct msg_connect m;
	size_t n_fds;
	const ssize_t n = channel_recv(in->engine_ch, &m, sizeof(m), fds,
				       &n_fds);

	if (n == 0)
		return false;
	while (n_fds > 0)
		close(fds[--n_fds]);
	if (n != sizeof(m) || m.kind != MSG_CONNECT)
		return true;
	in->reply_fd = begin_connect(&m.to, m.udp);
	in->reply = (struct msg_connected){
		.kind = MSG_CONNECTED,
		.id = m.id,
		.error = in->reply_fd < 0 ? -in->reply_fd : 0,
	};
	in->reply_owed = true;
	send_reply(in);
	return true;
}

/* The keeper tells us nothing but its end. false: that. */
static bool keeper_message(struct inside *in)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds;
	char byte;
	const ssize_t n = channel_recv(in->keeper_ch, &byte, 1, fds, &n_fds);

	while (n_fds > 0)
		close(fds[--n_fds]);
	return n != 0;
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
		[KEEPER] = { .fd = in->keeper_ch, .events = POLLIN },
		[ENGINE] = { .fd = in->engine_ch },
		[MOUNTS] = { .fd = in->own_mounts ? in->mounts.changed : -1,
			     .events = POLLPRI },
	};

	for (;;) {
		tick(in);
		p[ENGINE].events = in->reply_owed ? POLLOUT : POLLIN;
		if (poll(p, N, wait_ms(in)) < 0)
			continue;
		if (p[MOUNTS].revents)
			mounts_heal(&in->mounts);
		if (p[KEEPER].revents && !keeper_message(in))
			return;
		if (!p[ENGINE].revents)
			continue;
		if (in->reply_owed)
			send_reply(in);
		else if (!engine_message(in))
			return;
	}
}
