/* SPDX-License-Identifier: MIT */
/*
 * test/unit/dns_play.h - the DNS service before servers that are played
 *
 * The sockets of its env remember what was sent last; answers are put into
 * them by hand. Time is a number.
 */
#ifndef DNS_PLAY_H
#define DNS_PLAY_H

#include <stdlib.h>
#include <string.h>

#include "service/dns.h"
#include "test.h"
#include "wire/dns.h"
#include "wire/dns_records.h"

#define SOCKETS		4096
#define MS		UINT64_C(1000000)
#define SECOND		(1000 * MS)
#define TICK		(2 * MS)	/* a timer may be as late */
#define MESSAGE_BYTES	2048

struct sock {
	bool open, tcp, connected;
	struct handle owner;
	struct endpoint to;		/* sent to last, or connected */
	unsigned sent;			/* messages */
	size_t len;			/* of the last one */
	uint8_t last[MESSAGE_BYTES];
	size_t in_len, in_at;		/* waits to be read */
	struct endpoint in_from;
	uint16_t in_segment;		/* it is a batch */
	uint8_t in[MESSAGE_BYTES];
	bool error;			/* waits, about in_from */
};

struct play {
	struct sock sock[SOCKETS];
	int last;			/* socket used last */
	unsigned open;
	int connect_result;		/* of tcp_connect(); 0: works */
	bool no_memory;
	uint64_t rng;
	uint64_t now_ns;
	struct wheel wheel;
	struct dns *dns;
	unsigned answers;		/* to UDP questions */
	struct dns_reply_to answered;
	size_t len;			/* of the last answer */
	uint8_t answer[MESSAGE_BYTES];
	unsigned events;		/* of the stream, since last asked */
	size_t memory;
};

/* ---- env ---- */

static inline int open_sock(struct play *p, struct handle owner, bool tcp)
{
	for (int i = 0; i < SOCKETS; i++) {
		struct sock *s = &p->sock[i];

		if (s->open)
			continue;
		*s = (struct sock){ .open = true, .tcp = tcp, .owner = owner };
		p->last = i;
		p->open++;
		return i;
	}
	return -ENV_LIMIT;
}

static inline int udp_open(void *ctx, bool v6, struct handle owner)
{
	(void)v6;
	return open_sock(ctx, owner, false);
}

static inline int tcp_connect(void *ctx, const struct endpoint *to, uint8_t ttl,
			      uint16_t mss, struct handle owner)
{
	struct play *p = ctx;
	int id;

	(void)ttl, (void)mss;
	if (p->connect_result)
		return p->connect_result;
	id = open_sock(p, owner, true);
	p->sock[id].to = *to;
	return id;
}

static inline void close_sock(struct play *p, int id)
{
	CHECK("closed once", p->sock[id].open);
	p->sock[id].open = false;
	p->open--;
}

static inline void dgram_close(void *ctx, int id)
{
	close_sock(ctx, id);
}

static inline void stream_close(void *ctx, int id, bool reset)
{
	(void)reset;
	close_sock(ctx, id);
}

static inline int dgram_send(void *ctx, int id, const struct endpoint *to,
			     const struct env_mark *mark, const struct span *v,
			     unsigned n)
{
	struct play *p = ctx;
	struct sock *s = &p->sock[id];

	(void)mark;
	CHECK("one piece", n == 1 && v->len <= MESSAGE_BYTES);
	s->to = *to;
	s->sent++;
	s->len = v->len;
	memcpy(s->last, v->p, v->len);
	p->last = id;
	return 0;
}

static inline int64_t dgram_recv(void *ctx, int id, struct endpoint *from,
				 struct env_mark *mark, void *buf, size_t cap)
{
	struct sock *s = &((struct play *)ctx)->sock[id];
	const size_t len = s->in_len < cap ? s->in_len : cap;

	if (!s->in_len || s->error)
		return -ENV_AGAIN;
	*mark = (struct env_mark){ .ttl = 64, .segment = s->in_segment };
	*from = s->in_from;
	memcpy(buf, s->in, len);
	s->in_len = 0;
	return (int64_t)len;
}

static inline bool dgram_error(void *ctx, int id, struct env_net_error *out,
			       void *payload, size_t cap)
{
	struct sock *s = &((struct play *)ctx)->sock[id];

	(void)payload, (void)cap;
	if (!s->error)
		return false;
	s->error = false;
	*out = (struct env_net_error){ .to = s->in_from };
	return true;
}

static inline int connected(void *ctx, int id)
{
	const struct sock *s = &((struct play *)ctx)->sock[id];

	if (s->error)
		return -ENV_REFUSED;
	return s->connected ? 0 : -ENV_AGAIN;
}

static inline int64_t stream_send(void *ctx, int id, const struct span *v,
				  unsigned n)
{
	struct sock *s = &((struct play *)ctx)->sock[id];

	(void)n;
	memcpy(s->last + s->len, v->p, v->len);
	s->len += v->len;
	s->sent++;
	return (int64_t)v->len;
}

static inline int64_t stream_recv(void *ctx, int id, const struct span *v,
				  unsigned n)
{
	struct sock *s = &((struct play *)ctx)->sock[id];
	const size_t left = s->in_len - s->in_at;
	const size_t len = left < v->len ? left : v->len;

	(void)n;
	if (!len)
		return -ENV_AGAIN;
	memcpy(v->p, s->in + s->in_at, len);
	s->in_at += len;
	return (int64_t)len;
}

static inline void *mem_alloc(void *ctx, size_t bytes)
{
	struct play *p = ctx;

	if (p->no_memory)
		return NULL;
	p->memory += bytes;
	return malloc(bytes);
}

static inline void mem_free(void *ctx, void *at, size_t bytes)
{
	((struct play *)ctx)->memory -= bytes;
	free(at);
}

static inline void random_bytes(void *ctx, void *buf, size_t len)
{
	struct play *p = ctx;

	for (size_t i = 0; i < len; i++) {
		p->rng = p->rng * UINT64_C(6364136223846793005) + 1;
		((uint8_t *)buf)[i] = (uint8_t)(p->rng >> 56);
	}
}

static inline void udp_answer(void *ctx, const struct dns_reply_to *to,
			      const uint8_t *msg, size_t len)
{
	struct play *p = ctx;

	p->answers++;
	p->answered = *to;
	p->len = len;
	memcpy(p->answer, msg, len < MESSAGE_BYTES ? len : MESSAGE_BYTES);
}

static inline void stream_event(void *ctx, struct handle owner, unsigned events)
{
	(void)owner;
	((struct play *)ctx)->events |= events;
}

/* ---- the play ---- */

static const struct endpoint server[] = {
	{ .ip = { { [10] = 0xff, 0xff, 192, 0, 2, 53 } }, .port = 53 },
	{ .ip = { { [10] = 0xff, 0xff, 192, 0, 2, 54 } }, .port = 53 },
	{ .ip = { { 0x20, 0x01, 0x0d, 0xb8, [15] = 53 } }, .port = 53 },
};

/* gate, answered: as of dns_ops. */
static inline struct play *
start_with(size_t servers,
	   enum dns_gate (*gate)(void *ctx, const char *name,
				 const struct dns_reply_to *to,
				 struct handle owner),
	   void (*answered)(void *ctx, const struct dns_answered *what,
			    const struct dns_reply_to *to, struct handle owner))
{
	static const struct env_ops ops = {
		.tcp_connect = tcp_connect, .udp_open = udp_open,
		.tcp = { .connected = connected, .send = stream_send,
			 .recv = stream_recv, .close = stream_close },
		.dgram_send = dgram_send, .dgram_recv = dgram_recv,
		.dgram_error = dgram_error, .dgram_close = dgram_close,
		.mem_alloc = mem_alloc, .mem_free = mem_free,
		.random = random_bytes,
	};
	struct play *p = calloc(1, sizeof(*p));
	const struct dns_setup setup = {
		.gateway4 = ip_from_v4(0xac140001),
		.host_access = true,
	};
	const struct dns_guest guest = {
		.name = "box", .ip4 = ip_from_v4(0xac140002),
	};
	const struct dns_ops dns_ops = { .gate = gate, .answered = answered,
					 .udp_answer = udp_answer,
					 .stream_event = stream_event,
					 .ctx = p };
	const struct env env = { .ops = &ops, .ctx = p };

	if (!p)
		abort();
	p->rng = 7;
	p->now_ns = SECOND;
	wheel_init(&p->wheel, p->now_ns);
	p->dns = dns_init(calloc(1, dns_bytes()), &setup, &env, &dns_ops,
			  &p->wheel, &p->now_ns);
	dns_set_guest(p->dns, 0, &guest);
	dns_set_resolvers(p->dns, server, servers);
	return p;
}

static inline struct play *start(size_t servers)
{
	return start_with(servers, NULL, NULL);
}

static inline void end(struct play *p, const char *name)
{
	dns_fini(p->dns);
	CHECK(name, p->open == 0);
	CHECK(name, p->memory == 0);
	CHECK(name, dns_in_flight(p->dns) == 0);
	free(p->dns);
	free(p);
}

static inline void pass(struct play *p, uint64_t ns)
{
	const uint64_t until = p->now_ns + ns;
	struct timer *t;

	while (wheel_next(&p->wheel) <= until) {
		if (wheel_next(&p->wheel) > p->now_ns)
			p->now_ns = wheel_next(&p->wheel);
		while ((t = wheel_pop(&p->wheel, p->now_ns)))
			CHECK("a timer of ours", dns_timer(p->dns, t));
	}
	p->now_ns = until;
}

/* A question: name with dots, in the case given. The number of its bytes. */
static inline size_t question(uint8_t *buf, const char *name, uint16_t type,
			      uint16_t id, int edns)
{
	struct wr w = wr(buf, MESSAGE_BYTES);

	wr_be16(&w, id);
	wr_be16(&w, 0x0100);
	wr_be16(&w, 1);
	wr_be32(&w, 0);
	wr_be16(&w, edns >= 0);
	while (*name) {
		const size_t n = strcspn(name, ".");

		wr_u8(&w, (uint8_t)n);
		wr_bytes(&w, name, n);
		name += n + (name[n] == '.');
	}
	wr_u8(&w, 0);
	wr_be16(&w, type);
	wr_be16(&w, 1);
	if (edns >= 0) {
		wr_bytes(&w, "\0\0\x29\x04\xd0\0\0", 7);
		wr_be16(&w, (uint16_t)edns);
		wr_be16(&w, 0);
	}
	return (size_t)(w.p - buf);
}

/* The guest asks. Its port is its id. */
static inline void ask_more(struct play *p, const char *name, uint16_t type,
			    uint16_t id, int edns)
{
	uint8_t buf[MESSAGE_BYTES];
	const struct dns_reply_to to = { .guest = { .port = id } };
	const struct view msg = {
		.p = buf, .len = question(buf, name, type, id, edns),
	};

	p->answers = 0;
	dns_udp_query(p->dns, &to, msg);
}

static inline void ask(struct play *p, const char *name, uint16_t id)
{
	ask_more(p, name, DNS_A, id, -1);
}

/* The message sent last, without the length of TCP. */
static inline struct view sent(const struct play *p)
{
	const struct sock *s = &p->sock[p->last];
	const size_t skip = s->tcp ? 2 : 0;

	return (struct view){ .p = s->last + skip, .len = s->len - skip };
}

static inline void event(struct play *p, int id, unsigned events)
{
	dns_sock_event(p->dns, p->sock[id].owner, events);
}

/* To be written into a socket's inbox, an answer to what it sent last. */
static inline struct wr inbox(struct play *p, int id,
			      const struct endpoint *from,
			      struct dns_question *q)
{
	struct sock *s = &p->sock[id];
	struct view v = { .p = s->last, .len = s->len };

	if (s->tcp) {
		v.p += 2;
		v.len -= 2;
	}
	CHECK("a query", dns_parse_query(v, q) == DROP_OK);
	s->in_from = *from;
	s->in_at = 0;
	return wr(s->in + (s->tcp ? 2 : 0), MESSAGE_BYTES - 2);
}

static inline void deliver(struct play *p, int id, const struct wr *w)
{
	struct sock *s = &p->sock[id];

	s->in_len = (size_t)(w->p - s->in);
	if (s->tcp) {
		struct wr prefix = wr(s->in, 2);

		wr_be16(&prefix, (uint16_t)(s->in_len - 2));
	}
	event(p, id, ENV_READABLE);
}

static const struct ip there = { { [10] = 0xff, 0xff, 203, 0, 113, 1 } };

static inline void say(struct play *p, int id, const struct endpoint *from,
		       enum dns_rcode rcode, uint32_t ttl_s)
{
	struct dns_question q;
	struct wr w = inbox(p, id, from, &q);

	dns_emit_response(&w, &q, rcode, &there, rcode == DNS_NOERROR, ttl_s);
	deliver(p, id, &w);
}

/* NXDOMAIN, with the SOA of the root, unless its minimum is 0. */
static inline void deny(struct play *p, int id, uint32_t minimum_s)
{
	struct dns_question q;
	struct wr w = inbox(p, id, &server[0], &q);
	uint8_t *start = w.p;

	dns_emit_response(&w, &q, DNS_NXDOMAIN, NULL, 0, 0);
	if (minimum_s) {
		start[9] = 1;			/* one authority */
		wr_u8(&w, 0);
		wr_be16(&w, DNS_SOA);
		wr_be16(&w, 1);
		wr_be32(&w, 3600);
		wr_be16(&w, 22);
		wr_zero(&w, 18);
		wr_be32(&w, minimum_s);
	}
	deliver(p, id, &w);
}

static inline void fail_socket(struct play *p, int id,
			       const struct endpoint *about)
{
	p->sock[id].error = true;
	p->sock[id].in_from = *about;
	event(p, id, ENV_FAILED | ENV_READABLE);
}

static inline uint8_t rcode_of(const struct play *p)
{
	return p->answer[3] & 15;
}

/* The TTL of the answer's first record. */
static inline uint32_t ttl_of(const struct play *p, const char *name)
{
	uint8_t buf[MESSAGE_BYTES];
	const size_t len = question(buf, name, DNS_A, 0, -1);
	struct rd r = rd(p->answer, p->len);
	struct dns_record rec = { .ttl = 0 };

	rd_bytes(&r, len);
	CHECK(name, dns_next_record(&r, &rec));
	return rec.ttl;
}

/* Is the last answer to that question, byte for byte? */
static inline bool answers(const struct play *p, const char *name, uint16_t id)
{
	uint8_t buf[MESSAGE_BYTES];
	const size_t len = question(buf, name, DNS_A, id, -1);

	return p->answers == 1 && p->len >= len && p->answered.guest.port == id &&
	       p->answer[0] == id >> 8 && p->answer[1] == (id & 255) &&
	       !memcmp(p->answer + 12, buf + 12, len - 12);
}

static inline bool has_address(const struct play *p, const struct ip *ip)
{
	return p->len >= 4 && !memcmp(p->answer + p->len - 4, ip->b + 12, 4);
}

/* A question on a stream of the guest's. */
static inline int64_t put(struct play *p, int id, const char *name, uint16_t n)
{
	uint8_t buf[MESSAGE_BYTES];
	const size_t len = question(buf + 2, name, DNS_A, n, -1);
	const struct span v = { .p = buf, .len = len + 2 };

	buf[0] = (uint8_t)(len >> 8);
	buf[1] = (uint8_t)len;
	return dns_stream_ops()->send(p->dns, id, &v, 1);
}

/* The next bytes of its answers, into p->answer. */
static inline int64_t get(struct play *p, int id)
{
	const struct span v = { .p = p->answer, .len = sizeof(p->answer) };

	return dns_stream_ops()->recv(p->dns, id, &v, 1);
}

#endif
