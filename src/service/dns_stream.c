/* SPDX-License-Identifier: MIT */
/*
 * service/dns_stream.c - DNS over TCP (RFC 7766), on both sides
 *
 * The guest's side is a stream end like a socket of the host: bytes sent
 * to it are cut into questions by their two-byte length, answers are read
 * from it in the order in which they came. The other side is one stream of
 * env per question.
 */
#include "service/dns_state.h"

#include <string.h>

static struct handle stream_handle(const struct dns *dns,
				   const struct dns_stream *s)
{
	return (struct handle){ .slot = (uint32_t)(s - dns->streams),
				.gen = s->gen };
}

static struct dns_stream *stream_get(struct dns *dns, struct handle h)
{
	struct dns_stream *s = &dns->streams[h.slot % DNS_STREAMS_MAX];

	return s->used && s->gen == h.gen ? s : NULL;
}

int dns_stream_open(struct dns *dns, struct handle owner, uint64_t now_ns)
{
	struct dns_stream *s;
	uint32_t gen;

	dns->now_ns = now_ns;
	if (dns->stream_free) {
		s = &dns->streams[dns->stream_free - 1];
		dns->stream_free = s->next_free;
	} else if (dns->stream_fresh < DNS_STREAMS_MAX) {
		s = &dns->streams[dns->stream_fresh++];
	} else {
		return -ENV_LIMIT;
	}
	gen = s->gen + 1 ? s->gen + 1 : 1;
	*s = (struct dns_stream){ .gen = gen, .used = true, .owner = owner };
	s->out_end = &s->out;
	return (int)(s - dns->streams);
}

static int connected(void *ctx, int id)
{
	(void)ctx;
	(void)id;
	return 0;
}

/* A block of env memory for n bytes; a power of two. NULL without. */
static void *take_block(struct dns *dns, size_t n, size_t *cap)
{
	size_t bytes = 4096;

	while (bytes < n)
		bytes *= 2;
	*cap = bytes;
	return dns->env.ops->mem_alloc(dns->env.ctx, bytes);
}

static void wake(struct dns *dns, const struct dns_stream *s, unsigned events)
{
	dns->ops.stream_event(dns->ops.ctx, s->owner, events);
}

void dns_stream_answer(struct dns *dns, struct handle stream,
		       const uint8_t *msg, size_t len)
{
	struct dns_stream *s = stream_get(dns, stream);
	struct dns_out *o;
	struct wr w;
	size_t cap;

	if (!s)
		return;			/* the guest did not wait */
	ASSERT(s->pending && len <= DNS_ANSWER_BYTES);
	s->pending--;
	o = take_block(dns, sizeof(*o) + 2 + len, &cap);
	if (o) {
		*o = (struct dns_out){ .cap = cap, .len = (uint32_t)len + 2 };
		w = wr(o + 1, len + 2);
		wr_be16(&w, (uint16_t)len);
		wr_bytes(&w, msg, len);
		*s->out_end = o;
		s->out_end = &o->next;
	}
	wake(dns, s, ENV_READABLE | ENV_WRITABLE);
}

/* Ask every whole question of the input. */
static void ask_all(struct dns *dns, struct dns_stream *s)
{
	const struct handle h = stream_handle(dns, s);

	while (s->in_len >= 2 && s->pending < DNS_PIPELINE_MAX) {
		const uint32_t len = (uint32_t)s->in[0] << 8 | s->in[1];
		const struct view msg = { .p = s->in + 2, .len = len };
		const unsigned before = s->pending;

		if (s->in_len < 2 + len)
			return;
		s->pending++;
		if (len >= DNS_HEADER_BYTES && !(s->in[4] & 0x80))
			dns_ask(dns, NULL, &h, msg);
		else
			s->pending = before;	/* no question: no answer */
		s->in_len -= 2 + len;
		memmove(s->in, s->in + 2 + len, s->in_len);
	}
}

static int64_t stream_send(void *ctx, int id, const struct span *v, unsigned n)
{
	struct dns *dns = ctx;
	struct dns_stream *s = &dns->streams[id];
	int64_t taken = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *p = v[i].p;
		size_t left = v[i].len;

		while (left) {
			const size_t room = sizeof(s->in) - s->in_len;
			const size_t step = left < room ? left : room;

			memcpy(s->in + s->in_len, p, step);
			s->in_len += (uint32_t)step;
			p += step;
			left -= step;
			taken += (int64_t)step;
			ask_all(dns, s);
			if (s->in_len == sizeof(s->in))
				break;
		}
		if (left)
			break;
	}
	/* A length that we never carry: as good as a broken connection. */
	if (s->in_len >= 2 && ((uint32_t)s->in[0] << 8 | s->in[1]) >
	    DNS_QUESTION_BYTES)
		return -ENV_RESET;
	return taken ? taken : -ENV_AGAIN;
}

static int64_t stream_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	struct dns *dns = ctx;
	struct dns_stream *s = &dns->streams[id];
	struct dns_out *o = s->out;
	size_t len;

	ask_all(dns, s);		/* the pipeline may have room again */
	o = s->out;
	if (!o)
		return s->eof && !s->pending ? 0 : -ENV_AGAIN;
	ASSERT(n > 0);
	len = o->len - o->at < v[0].len ? o->len - o->at : v[0].len;
	memcpy(v[0].p, (const uint8_t *)(o + 1) + o->at, len);
	o->at += (uint32_t)len;
	if (o->at == o->len) {
		s->out = o->next;
		if (!s->out)
			s->out_end = &s->out;
		dns->env.ops->mem_free(dns->env.ctx, o, o->cap);
	}
	return (int64_t)len;
}

static void stream_shut(void *ctx, int id)
{
	struct dns *dns = ctx;

	dns->streams[id].eof = true;
	wake(dns, &dns->streams[id], ENV_READABLE);
}

static void stream_close(void *ctx, int id, bool reset)
{
	struct dns *dns = ctx;
	struct dns_stream *s = &dns->streams[id];

	(void)reset;
	while (s->out) {
		struct dns_out *o = s->out;

		s->out = o->next;
		dns->env.ops->mem_free(dns->env.ctx, o, o->cap);
	}
	s->used = false;
	s->next_free = dns->stream_free;
	dns->stream_free = (uint32_t)id + 1;
}

const struct stream_ops *dns_stream_ops(void)
{
	static const struct stream_ops ops = {
		.connected = connected,
		.send = stream_send,
		.recv = stream_recv,
		.shut = stream_shut,
		.close = stream_close,
	};

	return &ops;
}

/* ---- upstream ---- */

void dns_tcp_stop(struct dns *dns, struct dns_query *q)
{
	if (q->sock >= 0)
		dns->env.ops->tcp.close(dns->env.ctx, q->sock, true);
	if (q->answer)
		dns->env.ops->mem_free(dns->env.ctx, q->answer,
				       q->answer_cap);
	q->sock = -1;
	q->answer = NULL;
}

void dns_tcp_start(struct dns *dns, struct dns_query *q)
{
	struct wr w = wr(q->question, 2);

	dns_tcp_stop(dns, q);
	wr_be16(&w, q->len);
	q->sent = 0;
	q->got = 0;
	q->sock = dns->env.ops->tcp_connect(dns->env.ctx,
					    &dns->servers[q->server],
					    dns_query_handle(dns, q));
	/* If that failed, the timer tries the next server. */
}

/* All of the question that goes now. 0, or why not. */
static int send_question(struct dns *dns, struct dns_query *q)
{
	while (q->sent < q->len + 2u) {
		const struct span v = { .p = q->question + q->sent,
					.len = q->len + 2u - q->sent };
		const int64_t n = dns->env.ops->tcp.send(dns->env.ctx,
							 q->sock, &v, 1);

		if (n < 0)
			return (int)n;
		q->sent += (uint32_t)n;
	}
	return 0;
}

static uint32_t answer_len(const struct dns_query *q)
{
	return (uint32_t)q->prefix[0] << 8 | q->prefix[1];
}

/* Read on; 1 when the answer is whole, else why not. */
static int recv_answer(struct dns *dns, struct dns_query *q)
{
	for (;;) {
		struct span v;
		int64_t n;

		if (q->got < 2) {
			v = (struct span){ .p = q->prefix + q->got,
					   .len = 2 - q->got };
		} else {
			const uint32_t have = q->got - 2;

			if (!q->answer)
				q->answer = take_block(dns, answer_len(q),
						       &q->answer_cap);
			if (!q->answer)
				return -ENV_LIMIT;
			if (have == answer_len(q))
				return 1;
			v = (struct span){ .p = q->answer + have,
					   .len = answer_len(q) - have };
		}
		n = dns->env.ops->tcp.recv(dns->env.ctx, q->sock, &v, 1);
		if (n <= 0)
			return n ? (int)n : -ENV_RESET;
		q->got += (uint32_t)n;
	}
}

void dns_tcp_event(struct dns *dns, struct dns_query *q)
{
	const struct view asked = { .p = q->question + 2, .len = q->len };
	int r = dns->env.ops->tcp.connected(dns->env.ctx, q->sock);
	struct dns_question question;
	struct view answer;
	bool response, truncated;
	uint8_t rcode;
	uint16_t id;

	if (r == 0)
		r = send_question(dns, q);
	if (r == 0)
		r = recv_answer(dns, q);
	if (r == -ENV_AGAIN)
		return;
	if (r < 0) {
		if (q->tries < dns->n_servers)
			dns_next_try(dns, q);
		else
			dns_tcp_stop(dns, q);	/* the timer goes on */
		return;
	}
	ASSERT(dns_parse_query(asked, &question) == DROP_OK);
	answer = (struct view){ .p = q->answer, .len = answer_len(q) };
	if (dns_parse_header(answer, &id, &response, &truncated, &rcode) !=
	    DROP_OK || id != question.id ||
	    !dns_answers(answer, question.wire)) {
		dns_tcp_stop(dns, q);
		return;
	}
	dns->good = q->server;
	dns_finish(dns, q, answer.p, answer.len);
}
