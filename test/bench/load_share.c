/* SPDX-License-Identifier: MIT */
/* load_share.c - many bulk streams at once, and how they share the way */
#include "load.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS	256
#define PIECE	(64u << 10)	/* of one call, so that all get their turn */

static char zeros[PIECE];

struct bulk {
	int fd, down;
	uint64_t bytes;		/* arrived so far, here or (up) there */
};

static void watch(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = { .events = events, .data.u64 = data };

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev), "epoll");
}

/* Takes what is there and forgets it. False at the end of the stream. */
static int sink(int fd, uint64_t *bytes)
{
	const ssize_t n = recv(fd, zeros, PIECE, MSG_DONTWAIT | MSG_TRUNC);

	if (n > 0)
		*bytes += (uint64_t)n;
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static int source(int fd)
{
	return send(fd, zeros, PIECE, MSG_DONTWAIT | MSG_NOSIGNAL) > 0 ||
	       errno == EAGAIN;
}

/* The first byte of a connection says which way its bytes go. */
static void welcome(int epoll, int listener)
{
	const int fd = accept4(listener, NULL, NULL, 0);
	char way;

	if (fd < 0)
		return;
	if (recv(fd, &way, 1, 0) != 1)
		close(fd);
	else
		watch(epoll, fd, way == 'd' ? EPOLLOUT : EPOLLIN,
		      (uint64_t)fd);
}

void serve_bulk(int listener)
{
	const int epoll = (int)must(epoll_create1(0), "epoll");
	struct epoll_event ev[EVENTS];
	uint64_t bytes = 0;

	watch(epoll, listener, EPOLLIN, (uint64_t)listener);
	for (;;) {
		const int n = epoll_wait(epoll, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			const int fd = (int)ev[i].data.u64;

			if (fd == listener)
				welcome(epoll, listener);
			else if (!(ev[i].events & EPOLLOUT ? source(fd) :
				   sink(fd, &bytes)))
				close(fd);
		}
	}
}

static void transfer(int epoll, struct bulk *b, uint64_t until)
{
	struct epoll_event ev[EVENTS];

	while (clock_ns() < until) {
		const int n = epoll_wait(epoll, ev, EVENTS, 10);

		for (int i = 0; i < n; i++) {
			struct bulk *of = &b[ev[i].data.u64];

			if (!(of->down ? sink(of->fd, &of->bytes) :
			      source(of->fd))) {
				errno = ECONNRESET;
				fail("the server closed");
			}
		}
	}
}

/* What has arrived of each. */
static void note(const struct bulk *b, unsigned long n, uint64_t *bytes)
{
	for (unsigned long i = 0; i < n; i++) {
		struct tcp_info info;
		socklen_t len = sizeof(info);

		bytes[i] = b[i].bytes;
		if (b[i].down)
			continue;
		must(getsockopt(b[i].fd, IPPROTO_TCP, TCP_INFO, &info, &len),
		     "TCP_INFO");
		bytes[i] = info.tcpi_bytes_acked;
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * By RST: what is unsent or unread would else stay in the kernel for minutes,
 * as part of the memory that all TCP of the machine shares (tcp_mem).
 */
static void abort_all(struct bulk *b, unsigned long n)
{
	const struct linger at_once = { .l_onoff = 1 };

	for (unsigned long i = 0; i < n; i++) {
		must(setsockopt(b[i].fd, SOL_SOCKET, SO_LINGER, &at_once,
				sizeof(at_once)), "SO_LINGER");
		close(b[i].fd);
	}
}

static void print_shares(const uint64_t *before, uint64_t *after,
			 unsigned long n, double seconds)
{
	double all = 0;

	for (unsigned long i = 0; i < n; i++) {
		after[i] -= before[i];
		all += (double)after[i];
	}
	qsort(after, n, sizeof(*after), by_value);
	printf("gbit_s %.3f least_kb %.1f p5_kb %.1f p95_kb %.1f most_kb %.1f\n",
	       all * 8 / seconds / 1e9, (double)after[0] / 1e3,
	       (double)after[n / 20] / 1e3, (double)after[n * 19 / 20] / 1e3,
	       (double)after[n - 1] / 1e3);
}

void tcp_share(const struct address *to, double seconds, unsigned long n,
	       int down)
{
	const uint64_t ns = (uint64_t)(seconds * 1e9);
	const int epoll = (int)must(epoll_create1(0), "epoll");
	struct bulk *b = calloc(n, sizeof(*b));
	uint64_t *before = calloc(n, sizeof(*before));
	uint64_t *after = calloc(n, sizeof(*after));

	if (!b || !before || !after || !n)
		fail("malloc");
	for (unsigned long i = 0; i < n; i++) {
		b[i] = (struct bulk){ .fd = tcp_connected(to), .down = down };
		must(send(b[i].fd, down ? "d" : "u", 1, MSG_NOSIGNAL), "send");
	}
	for (unsigned long i = 0; i < n; i++)
		watch(epoll, b[i].fd, down ? EPOLLIN : EPOLLOUT, i);
	transfer(epoll, b, clock_ns() + ns);	/* until windows have opened */
	note(b, n, before);
	transfer(epoll, b, clock_ns() + ns);
	note(b, n, after);
	abort_all(b, n);
	print_shares(before, after, n, seconds);
	free(after);
	free(before);
	free(b);
}
