/* SPDX-License-Identifier: MIT */
/*
 * load_udp.c - datagrams: request and response, and streams both ways
 *
 * All goes over one socket and so one flow. The first byte of a datagram
 * says what it is: DATA is counted; RESET begins a count anew, REPORT asks
 * for it; STREAM asks for datagrams to be sent, SENT how many bytes that
 * were; all else is sent back.
 */
#include "load.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CALL_DATAGRAMS	64
#define BATCH_BYTES	65000u
#define RECV_BYTES	65536
#define QUIET_NS	200000000	/* then a stream is over */

enum what {
	DATA = 'd', RESET = 'z', REPORT = 'r', STREAM = 's', SENT = 't',
	ECHO = 'e'
};

struct message {
	uint8_t what;
	struct stream stream;
	uint64_t bytes, took_ns;
};

/* What was counted since the last RESET. */
struct count {
	uint64_t bytes, first_ns, last_ns, sent;
};

static void count_data(struct count *c, size_t bytes)
{
	c->last_ns = clock_ns();
	if (!c->bytes)
		c->first_ns = c->last_ns;
	c->bytes += bytes;
}

static void take_batches(int fd)
{
	const int on = 1, room = 4 << 20;

	setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
}

/* One call's worth: up to 64 datagrams, or one batch of `batch`. */
static long send_some(int fd, const struct address *to,
		      const struct stream *s, uint8_t *data)
{
	struct iovec iov = { .iov_base = data, .iov_len = s->bytes };
	struct mmsghdr m[CALL_DATAGRAMS] = { 0 };
	uint32_t n = 0;
	long sent;

	if (s->batch) {
		uint32_t len = s->batch * s->bytes;

		if (len > BATCH_BYTES)
			len = BATCH_BYTES - BATCH_BYTES % s->bytes;
		sent = sendto(fd, data, len, MSG_NOSIGNAL,
			      (const void *)&to->sa, to->len);
		return sent < 0 ? 0 : sent;
	}
	while (n < CALL_DATAGRAMS)
		m[n++].msg_hdr = (struct msghdr){
			.msg_name = (void *)(uintptr_t)&to->sa,
			.msg_namelen = to->len,
			.msg_iov = &iov, .msg_iovlen = 1,
		};
	sent = sendmmsg(fd, m, n, MSG_NOSIGNAL);
	return sent < 0 ? 0 : sent * (long)s->bytes;
}

/* Sends at the rate asked for, or as near to it as can be. Bytes sent. */
static uint64_t send_stream(int fd, const struct address *to,
			    const struct stream *s)
{
	const uint64_t begin = clock_ns();
	const uint64_t end = begin + (uint64_t)(s->seconds * 1e9);
	const int size = s->batch ? (int)s->bytes : 0;
	uint8_t *data = calloc(1, BATCH_BYTES);
	uint64_t now = begin, sent = 0;

	if (!data)
		fail("malloc");
	must(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)),
	     "UDP_SEGMENT");
	for (size_t at = 0; at < BATCH_BYTES; at += s->bytes)
		data[at] = DATA;
	while (now < end) {
		const double due_ns = (double)sent * 8e3 / s->mbit_s;
		const struct timespec until = {
			.tv_sec = (time_t)((begin + (uint64_t)due_ns) /
					   1000000000u),
			.tv_nsec = (long)((begin + (uint64_t)due_ns) %
					  1000000000u),
		};

		if (begin + (uint64_t)due_ns > now + 20000)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
					&until, NULL);
		sent += (uint64_t)send_some(fd, to, s, data);
		now = clock_ns();
	}
	must(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &(int){ 0 }, sizeof(int)),
	     "UDP_SEGMENT");
	free(data);
	return sent;
}

static void handle(int fd, const struct address *from, struct count *c,
		   uint8_t *buf, size_t n)
{
	struct message m = { .what = buf[0] };

	switch (buf[0]) {
	case DATA:
		count_data(c, n);
		return;
	case RESET:
		*c = (struct count){ 0 };
		break;
	case REPORT:
		m.bytes = c->bytes;
		m.took_ns = c->last_ns - c->first_ns;
		break;
	case STREAM:
		if (n < sizeof(m))
			return;
		memcpy(&m, buf, sizeof(m));
		c->sent = send_stream(fd, from, &m.stream);
		return;
	case SENT:
		m.bytes = c->sent;
		break;
	default:
		sendto(fd, buf, n, MSG_NOSIGNAL, (const void *)&from->sa,
		       from->len);
		return;
	}
	sendto(fd, &m, sizeof(m), MSG_NOSIGNAL, (const void *)&from->sa,
	       from->len);
}

void serve_udp(int sock)
{
	static uint8_t buf[RECV_BYTES];
	struct count c = { 0 };

	take_batches(sock);
	for (;;) {
		struct address from = { .len = sizeof(from.sa) };
		const ssize_t n = recvfrom(sock, buf, sizeof(buf), 0,
					   (void *)&from.sa, &from.len);

		if (n > 0)
			handle(sock, &from, &c, buf, (size_t)n);
	}
}

static int client(const struct address *to)
{
	const struct timeval second = { .tv_sec = 1 };
	const int fd = (int)must(socket(to->sa.ss_family, SOCK_DGRAM, 0),
				 "socket");

	must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second,
			sizeof(second)), "SO_RCVTIMEO");
	return fd;
}

/* Ask until it is answered: datagrams get lost. */
static struct message question(int fd, const struct address *to,
			       enum what what)
{
	struct message m = { .what = (uint8_t)what }, got = { 0 };

	for (int i = 0; i < 10; i++) {
		sendto(fd, &m, sizeof(m), 0, (const void *)&to->sa, to->len);
		while (recv(fd, &got, sizeof(got), 0) > 0)
			if (got.what == what)
				return got;
	}
	errno = ETIMEDOUT;
	fail("no answer by UDP");
}

static void print_stream(uint64_t sent, uint64_t received, uint64_t took_ns)
{
	printf("gbit_s %.4f loss_pct %.3f sent %llu received %llu\n",
	       took_ns ? (double)received * 8 / (double)took_ns : 0,
	       sent ? 100.0 * ((double)sent - (double)received) /
	       (double)sent : 0, (unsigned long long)sent,
	       (unsigned long long)received);
}

void udp_up(const struct address *to, const struct stream *s)
{
	const int fd = client(to);
	const struct timespec quiet = { .tv_nsec = QUIET_NS };
	struct message m;
	uint64_t sent;

	question(fd, to, RESET);
	sent = send_stream(fd, to, s);
	nanosleep(&quiet, NULL);	/* what is under way arrives */
	m = question(fd, to, REPORT);
	print_stream(sent, m.bytes, m.took_ns);
	close(fd);
}

void udp_down(const struct address *to, const struct stream *s)
{
	static uint8_t buf[RECV_BYTES];
	const int fd = client(to);
	struct message m = { .what = STREAM, .stream = *s };
	const struct timeval quiet = { .tv_usec = QUIET_NS / 1000 };
	struct count c = { 0 };
	ssize_t n;

	question(fd, to, RESET);	/* opens the way */
	take_batches(fd);
	sendto(fd, &m, sizeof(m), 0, (const void *)&to->sa, to->len);
	/* When none comes any more, that is the end. */
	must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &quiet, sizeof(quiet)),
	     "SO_RCVTIMEO");
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		if (buf[0] == DATA)
			count_data(&c, (size_t)n);
	m = question(fd, to, SENT);
	print_stream(m.bytes, c.bytes, c.last_ns - c.first_ns);
	close(fd);
}

void udp_rr(const struct address *to, double seconds)
{
	const size_t most = 1u << 22;
	uint64_t *ns = malloc(most * sizeof(*ns));
	const int fd = client(to);
	const uint64_t begin = clock_ns();
	const uint64_t end = begin + (uint64_t)(seconds * 1e9);
	uint64_t now = begin;
	size_t n = 0;

	if (!ns)
		fail("malloc");
	while (now < end && n < most) {
		const uint64_t start = now;
		char byte = ECHO;

		sendto(fd, &byte, 1, 0, (const void *)&to->sa, to->len);
		if (recv(fd, &byte, 1, 0) != 1)
			now = clock_ns();	/* lost: not a latency */
		else
			ns[n++] = (now = clock_ns()) - start;
	}
	print_latencies(ns, n, now - begin);
	free(ns);
	close(fd);
}
