/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/wr.h"
#include "doctor/clock.h"
#include "doctor/dnsanswer.h"
#include "doctor/probe.h"
#include "linux/dial.h"
#include "wire/dns.h"

#define ANSWER_BYTES	4096
#define FLAG_RD		0x0100
#define CLASS_IN	1
#define TYPE_NS		2
#define DNS_PORT	53

struct query {
	uint8_t bytes[2 + DNS_QUERY_BYTES];	/* behind its length, of TCP */
	size_t len;				/* without that */
};

static void labels(struct wr *w, const char *name)
{
	while (*name) {
		const size_t n = strcspn(name, ".");

		wr_u8(w, (uint8_t)n);
		wr_bytes(w, name, n);
		name += n + (name[n] == '.');
	}
	wr_u8(w, 0);
}

static void make(struct query *q, const char *name, uint16_t type)
{
	struct wr w = wr(q->bytes + 2, sizeof(q->bytes) - 2);
	uint16_t id;

	ASSERT(getrandom(&id, sizeof(id), 0) == sizeof(id));
	wr_be16(&w, id);
	wr_be16(&w, FLAG_RD);
	wr_be16(&w, 1);
	wr_zero(&w, 6);
	labels(&w, name);
	wr_be16(&w, type);
	wr_be16(&w, CLASS_IN);
	ASSERT(!w.bad);			/* names are ours, and short */
	q->len = (size_t)(w.p - (q->bytes + 2));
	w = wr(q->bytes, 2);
	wr_be16(&w, (uint16_t)q->len);
}

static bool parse(const struct query *q, const uint8_t *msg, size_t len,
		  struct probe_answer *out)
{
	return dnsanswer_parse((struct view){ msg, len },
			       (struct view){ q->bytes + 2, q->len }, out);
}

static int over_udp(int fd, const struct query *q, int64_t end, int64_t again,
		    struct probe_answer *out)
{
	uint8_t msg[ANSWER_BYTES];
	bool twice = false;
	ssize_t n;

	if (send(fd, q->bytes + 2, q->len, MSG_NOSIGNAL) < 0)
		return -errno;
	for (;;) {
		if (!clock_wait(fd, POLLIN, twice ? end : again)) {
			if (twice)
				return -ETIMEDOUT;
			twice = true;
			(void)!send(fd, q->bytes + 2, q->len, MSG_NOSIGNAL);
			continue;
		}
		n = recv(fd, msg, sizeof(msg), 0);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0 && parse(q, msg, (size_t)n, out))
			return 0;
	}
}

/* Exactly n bytes. 0 or -errno. */
static int read_full(int fd, uint8_t *to, size_t n, int64_t end)
{
	while (n) {
		ssize_t got;

		if (!clock_wait(fd, POLLIN, end))
			return -ETIMEDOUT;
		got = recv(fd, to, n, 0);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return got ? -errno : -ECONNRESET;
		to += got;
		n -= (size_t)got;
	}
	return 0;
}

static int over_tcp(int fd, const struct query *q, int64_t end,
		    struct probe_answer *out)
{
	uint8_t head[2], msg[ANSWER_BYTES];
	struct rd r = rd(head, sizeof(head));
	size_t len;
	int err;

	if (!clock_wait(fd, POLLOUT, end))
		return -ETIMEDOUT;
	if (send(fd, q->bytes, q->len + 2, MSG_NOSIGNAL) < 0)
		return -errno;
	err = read_full(fd, head, sizeof(head), end);
	if (err)
		return err;
	len = rd_be16(&r);
	if (len > sizeof(msg))
		return -EPROTO;
	err = read_full(fd, msg, len, end);
	if (err)
		return err;
	return parse(q, msg, len, out) ? 0 : -EPROTO;
}

int probe_dns(const struct endpoint *server, bool tcp, const char *name,
	      uint16_t type, int ms, struct probe_answer *out)
{
	const int64_t now = clock_ms();
	const int fd = dial(server, !tcp);
	struct query q;
	int err;

	if (fd < 0)
		return fd;
	make(&q, name, type);
	err = tcp ? over_tcp(fd, &q, now + ms, out) :
		    over_udp(fd, &q, now + ms, now + ms / 2, out);
	close(fd);
	return err;
}

int probe_root(const struct ip *server, int ms)
{
	const struct endpoint at = { .ip = *server, .port = DNS_PORT };
	struct probe_answer a;
	const int err = probe_dns(&at, false, "", TYPE_NS, ms, &a);

	if (err)
		return err;
	return a.rcode == DNS_SERVFAIL ? -EREMOTEIO :
	       a.rcode == DNS_REFUSED ? -EACCES : 0;
}
