/* SPDX-License-Identifier: MIT */
/*
 * service/dns_stream.c - the guest's DNS over TCP (RFC 7766)
 *
 * A stream end like a socket of the host: bytes sent to it are cut into
 * questions by their two-byte length, answers are read from it in the order
 * in which they came. At most DNS_PIPELINE_MAX of them are on their way or
 * unread; then no more questions are taken. A stream on which nothing is
 * pending or moves for DNS_IDLE_NS is ended, and, if the guest does not end
 * its side or does not read in as long again, reset.
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

struct handle dns_stream_owner(const struct dns *dns, struct handle stream)
{
	return dns->streams[stream.slot % DNS_STREAMS_MAX].owner;
}

/* Something came or went: the time of idleness begins anew. */
static void moved(struct dns *dns, struct dns_stream *s)
{
	s->idle = false;
	wheel_arm(dns->wheel, &s->timer, *dns->now_ns + DNS_IDLE_NS);
}

int dns_stream_open(struct dns *dns, struct handle owner)
{
	const int guest = dns_share(dns, dns->streams_of, DNS_STREAMS_MAX,
				    NULL, owner);
	struct dns_stream *s;
	uint32_t gen;

	if (guest < 0)
		return -ENV_LIMIT;
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
	s->guest = (uint8_t)guest;
	dns->streams_of[guest]++;
	moved(dns, s);
	return (int)(s - dns->streams);
}

static int connected(void *ctx, int id)
{
	const struct dns *dns = ctx;

	return dns->streams[id].broken ? -ENV_RESET : 0;
}

void *dns_block(struct dns *dns, size_t n, size_t *cap)
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
	moved(dns, s);
	o = dns_block(dns, sizeof(*o) + 2 + len, &cap);
	if (o) {
		*o = (struct dns_out){ .cap = cap, .len = (uint32_t)len + 2 };
		w = wr(o + 1, len + 2);
		wr_be16(&w, (uint16_t)len);
		wr_bytes(&w, msg, len);
		*s->out_end = o;
		s->out_end = &o->next;
		s->unread++;
	} else {
		s->broken = true;	/* better than an answer too few */
	}
	wake(dns, s, ENV_READABLE | ENV_WRITABLE |
	     (s->broken ? ENV_FAILED : 0));
}

void dns_stream_timer(struct dns *dns, struct dns_stream *s)
{
	if (s->pending) {
		moved(dns, s);		/* it is we who are waited for */
		return;
	}
	if (s->idle || s->out) {
		s->broken = true;
		wake(dns, s, ENV_READABLE | ENV_FAILED);
		return;
	}
	moved(dns, s);
	s->idle = true;
	wake(dns, s, ENV_READABLE);
}

/* Ask every whole question of the input. */
static void ask_all(struct dns *dns, struct dns_stream *s)
{
	const struct handle h = stream_handle(dns, s);

	while (s->in_len >= 2 &&
	       s->pending + s->unread < DNS_PIPELINE_MAX) {
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

	if (s->broken || s->idle)
		return -ENV_RESET;
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
	if (!taken)
		return -ENV_AGAIN;
	moved(dns, s);
	return taken;
}

static int64_t stream_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	struct dns *dns = ctx;
	struct dns_stream *s = &dns->streams[id];
	struct dns_out *o = s->out;
	size_t len;

	if (s->broken)
		return -ENV_RESET;
	ask_all(dns, s);		/* the pipeline may have room again */
	o = s->out;
	if (!o)
		return (s->eof || s->idle) && !s->pending ? 0 : -ENV_AGAIN;
	ASSERT(n > 0);
	len = o->len - o->at < v[0].len ? o->len - o->at : v[0].len;
	memcpy(v[0].p, (const uint8_t *)(o + 1) + o->at, len);
	o->at += (uint32_t)len;
	moved(dns, s);
	if (o->at == o->len) {
		s->unread--;
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
	wheel_cancel(dns->wheel, &s->timer);
	while (s->out) {
		struct dns_out *o = s->out;

		s->out = o->next;
		dns->env.ops->mem_free(dns->env.ctx, o, o->cap);
	}
	s->used = false;
	dns->streams_of[s->guest]--;
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
