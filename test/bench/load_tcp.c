/* SPDX-License-Identifier: MIT */
/* load_tcp.c - request and response over TCP, one byte each */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS		256
#define LATENCIES_MAX	(1u << 22)

static void no_delay(int fd)
{
	const int on = 1;

	must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)),
	     "TCP_NODELAY");
}

static void watch(int epoll, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev), "epoll");
}

/* All bytes come back; at the end of the stream it is closed. */
static void answer(int fd)
{
	char buf[64];
	const ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n > 0 && send(fd, buf, (size_t)n, MSG_NOSIGNAL) == n)
		return;
	if (n < 0 && errno == EAGAIN)
		return;
	close(fd);
}

void serve_tcp(int listener)
{
	const int epoll = (int)must(epoll_create1(0), "epoll");
	struct epoll_event ev[EVENTS];

	watch(epoll, listener);
	for (;;) {
		const int n = epoll_wait(epoll, ev, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (fd != listener) {
				answer(fd);
				continue;
			}
			fd = accept4(listener, NULL, NULL, 0);
			if (fd >= 0) {
				no_delay(fd);
				watch(epoll, fd);
			}
		}
	}
}

int tcp_connected(const struct address *to)
{
	const int fd = (int)must(socket(to->sa.ss_family, SOCK_STREAM, 0),
				 "socket");

	must(connect(fd, (const void *)&to->sa, to->len), "connect");
	no_delay(fd);
	return fd;
}

static void ask(int fd)
{
	char byte = 'x';

	must(send(fd, &byte, 1, MSG_NOSIGNAL), "send");
	if (must(recv(fd, &byte, 1, 0), "recv") == 0) {
		errno = ECONNRESET;
		fail("the server closed");
	}
}

static uint64_t *room_for_latencies(void)
{
	uint64_t *ns = malloc(LATENCIES_MAX * sizeof(*ns));

	if (!ns)
		fail("malloc");
	return ns;
}

/* One byte and its answer after the other; anew: a connection for each. */
static void series(const struct address *to, double seconds, int anew)
{
	uint64_t *ns = room_for_latencies();
	int fd = anew ? -1 : tcp_connected(to);
	const uint64_t begin = clock_ns();
	const uint64_t end = begin + (uint64_t)(seconds * 1e9);
	uint64_t now = begin;
	size_t n = 0;

	while (now < end && n < LATENCIES_MAX) {
		const uint64_t start = now;

		if (anew)
			fd = tcp_connected(to);
		ask(fd);
		if (anew)
			close(fd);
		now = clock_ns();
		ns[n++] = now - start;
	}
	print_latencies(ns, n, now - begin);
	free(ns);
}

void tcp_rr(const struct address *to, double seconds)
{
	series(to, seconds, 0);
}

void tcp_crr(const struct address *to, double seconds)
{
	series(to, seconds, 1);
}

/* Connects [from, to); connections per second. */
static double connect_some(const struct address *a, int *fd,
			   unsigned long from, unsigned long to)
{
	const uint64_t start = clock_ns();

	for (unsigned long i = from; i < to; i++)
		fd[i] = tcp_connected(a);
	return to > from ?
	       (double)(to - from) * 1e9 / (double)(clock_ns() - start) : 0;
}

void tcp_hold(const struct address *to, unsigned long n)
{
	const unsigned long first = n < 1000 ? n / 2 : 500;
	const unsigned long last = n < 2000 ? n / 2 : 1000;
	int *fd = calloc(n, sizeof(*fd));
	double first_per_s, last_per_s;
	char end;

	if (!fd)
		fail("malloc");
	first_per_s = connect_some(to, fd, 0, first);
	connect_some(to, fd, first, n - last);
	last_per_s = connect_some(to, fd, n - last, n);
	printf("held %lu first_per_s %.1f last_per_s %.1f\n", n,
	       first_per_s, last_per_s);
	fflush(stdout);
	while (read(0, &end, 1) > 0)
		;
	for (unsigned long i = 0; i < n; i++)
		ask(fd[i]);
	printf("answered %lu\n", n);
	free(fd);
}
