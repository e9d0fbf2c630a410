/* SPDX-License-Identifier: MIT */
/*
 * service/dns.c - questions, tries and answers
 *
 * A question is answered from our own names, or becomes a query: sent to
 * the server that answered last, to the next one after DNS_TRY_NS or an
 * error, round and round until DNS_GIVE_UP_NS, then SERVFAIL. The query
 * carries an id of its own and a socket, so a port, of its own; an answer
 * counts if it comes from a server that was asked, with that id and the
 * same question.
 */
#include "service/dns.h"

#include <string.h>

#include "service/dns_state.h"

#define SMALL_BYTES		1500	/* any answer that we make ourselves */
#define UDP_ANSWER_BYTES	4608	/* longer ones are asked for over TCP */

size_t dns_bytes(void)
{
	return sizeof(struct dns);
}

struct dns *dns_init(void *mem, const struct dns_setup *setup,
		     const struct env *env, const struct dns_ops *ops,
		     struct wheel *wheel, uint64_t now_ns)
{
	struct dns *dns = mem;

	dns->setup = *setup;
	dns->env = *env;
	dns->ops = *ops;
	dns->wheel = wheel;
	dns->now_ns = now_ns;
	return dns;
}

void dns_set_resolvers(struct dns *dns, const struct endpoint *at, size_t n)
{
	ASSERT(n <= DNS_SERVERS_MAX);
	for (size_t i = 0; i < n; i++)
		dns->servers[i] = at[i];
	dns->n_servers = n;
	dns->good = 0;
}

uint32_t dns_in_flight(const struct dns *dns)
{
	return dns->in_flight;
}

struct handle dns_query_handle(const struct dns *dns,
			       const struct dns_query *q)
{
	return (struct handle){
		.slot = DNS_SLOT_BASE + (uint32_t)(q - dns->queries),
		.gen = q->gen,
	};
}

static struct dns_query *query_alloc(struct dns *dns)
{
	struct dns_query *q;

	if (dns->query_free) {
		q = &dns->queries[dns->query_free - 1];
		dns->query_free = q->next_free;
	} else if (dns->query_fresh < DNS_QUERIES_MAX) {
		q = &dns->queries[dns->query_fresh++];
	} else {
		return NULL;
	}
	q->gen = q->gen + 1 ? q->gen + 1 : 1;
	q->used = true;
	q->sock = -1;
	q->tries = 0;
	q->answer = NULL;
	dns->in_flight++;
	return q;
}

static void close_socket(struct dns *dns, struct dns_query *q)
{
	if (q->by_stream)
		dns_tcp_stop(dns, q);
	else if (q->sock >= 0)
		dns->env.ops->dgram_close(dns->env.ctx, q->sock);
	q->sock = -1;
}

static void query_free(struct dns *dns, struct dns_query *q)
{
	close_socket(dns, q);
	wheel_cancel(dns->wheel, &q->timer);
	q->used = false;
	q->next_free = dns->query_free;
	dns->query_free = (uint32_t)(q - dns->queries) + 1;
	dns->in_flight--;
}

static void reply(struct dns *dns, const struct dns_reply_to *to,
		  const struct handle *stream, const uint8_t *msg, size_t len)
{
	if (stream)
		dns_stream_answer(dns, *stream, msg, len);
	else
		dns->ops.udp_answer(dns->ops.ctx, to, msg, len);
}

/* The one answer of a query; msg may lie in the query. */
void dns_finish(struct dns *dns, struct dns_query *q, const uint8_t *msg,
		size_t len)
{
	reply(dns, &q->to, q->by_stream ? &q->stream : NULL, msg, len);
	query_free(dns, q);
}

static struct view question_of(const struct dns_query *q)
{
	return (struct view){ .p = q->question + 2, .len = q->len };
}

static void fail(struct dns *dns, struct dns_query *q)
{
	uint8_t buf[SMALL_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	struct dns_question asked;

	ASSERT(dns_parse_query(question_of(q), &asked) == DROP_OK);
	dns_emit_response(&w, &asked, DNS_SERVFAIL, NULL, 0, 0);
	dns_finish(dns, q, buf, (size_t)(w.p - buf));
}

/* Send the question to the query's server over UDP. */
static bool send_udp(struct dns *dns, struct dns_query *q)
{
	const struct endpoint *to = &dns->servers[q->server];
	const bool v6 = !ip_is4(&to->ip);
	uint8_t copy[DNS_QUESTION_BYTES];
	const struct span v = { .p = copy, .len = q->len };

	if (q->sock >= 0 && q->v6_sock != v6)
		close_socket(dns, q);
	if (q->sock < 0) {
		q->sock = dns->env.ops->udp_open(dns->env.ctx, v6,
						 dns_query_handle(dns, q));
		q->v6_sock = v6;
	}
	if (q->sock < 0)
		return false;
	memcpy(copy, q->question + 2, q->len);
	dns_set_id(copy, q->upstream_id);
	return dns->env.ops->dgram_send(dns->env.ctx, q->sock, to, NULL, &v,
					1) == 0;
}

static void try_server(struct dns *dns, struct dns_query *q)
{
	const uint64_t next = dns->now_ns + DNS_TRY_NS;
	bool begun = true;

	q->server %= (unsigned)dns->n_servers;
	q->tries++;
	if (q->by_stream)
		dns_tcp_start(dns, q);
	else
		begun = send_udp(dns, q);
	/* What failed at once is tried elsewhere soon, not in a tight loop. */
	if (!begun && q->tries < dns->n_servers) {
		q->server++;
		try_server(dns, q);
		return;
	}
	wheel_arm(dns->wheel, &q->timer,
		  next < q->give_up_ns ? next : q->give_up_ns);
}

void dns_next_try(struct dns *dns, struct dns_query *q)
{
	if (dns->now_ns >= q->give_up_ns || !dns->n_servers) {
		fail(dns, q);
		return;
	}
	q->server++;
	try_server(dns, q);
}

/* A question that is not ours to answer. */
static bool forward(struct dns *dns, const struct dns_reply_to *to,
		    const struct handle *stream, struct view msg)
{
	struct dns_query *q;

	if (!dns->n_servers || msg.len > DNS_QUESTION_BYTES)
		return false;
	q = query_alloc(dns);
	if (!q)
		return false;
	q->by_stream = stream;
	if (stream)
		q->stream = *stream;
	else
		q->to = *to;
	q->len = (uint16_t)msg.len;
	memcpy(q->question + 2, msg.p, msg.len);
	q->give_up_ns = dns->now_ns + DNS_GIVE_UP_NS;
	q->server = dns->good;
	dns->env.ops->random(dns->env.ctx, &q->upstream_id,
			     sizeof(q->upstream_id));
	try_server(dns, q);
	return true;
}

void dns_ask(struct dns *dns, const struct dns_reply_to *to,
	     const struct handle *stream, struct view msg)
{
	uint8_t buf[SMALL_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	struct dns_question q;
	const enum drop drop = dns_parse_query(msg, &q);

	if (drop == DROP_NOTOURS || msg.len < DNS_HEADER_BYTES)
		return;			/* not a question at all */
	if (drop != DROP_OK)
		dns_emit_error(&w, msg, DNS_FORMERR);
	else if (q.opcode != 0)
		dns_emit_error(&w, msg, DNS_NOTIMP);
	else if (dns_own_answer(dns, &q, &w))
		;
	else if (forward(dns, to, stream, msg))
		return;
	else
		dns_emit_response(&w, &q, DNS_SERVFAIL, NULL, 0, 0);
	ASSERT(!w.bad);
	reply(dns, to, stream, buf, (size_t)(w.p - buf));
}

void dns_udp_query(struct dns *dns, const struct dns_reply_to *to,
		   struct view msg, uint64_t now_ns)
{
	dns->now_ns = now_ns;
	dns_ask(dns, to, NULL, msg);
}

static bool from_server(const struct dns *dns, const struct endpoint *from,
			unsigned *which)
{
	for (size_t i = 0; i < dns->n_servers; i++)
		if (ip_equal(&from->ip, &dns->servers[i].ip) &&
		    from->port == dns->servers[i].port) {
			*which = (unsigned)i;
			return true;
		}
	return false;
}

/* Header, question and the TC bit: ask again over TCP (RFC 2181, 9). */
static size_t truncate_answer(uint8_t *msg, const struct dns_question *asked)
{
	msg[2] |= 2;
	memset(msg + 6, 0, 6);
	return asked->wire.len;
}

/* Is it the answer? Then the query is over, and true. */
static bool take_udp(struct dns *dns, struct dns_query *q,
		     const struct endpoint *from, uint8_t *msg, size_t len)
{
	const struct view m = { .p = msg, .len = len };
	struct dns_question asked;
	bool response, truncated;
	uint8_t rcode;
	uint16_t id;

	if (!from_server(dns, from, &q->server) ||
	    dns_parse_header(m, &id, &response, &truncated, &rcode) !=
	    DROP_OK || id != q->upstream_id)
		return false;
	ASSERT(dns_parse_query(question_of(q), &asked) == DROP_OK);
	if (!dns_answers(m, asked.wire))
		return false;
	if ((rcode == DNS_SERVFAIL || rcode == DNS_REFUSED) &&
	    q->tries < dns->n_servers) {
		dns_next_try(dns, q);	/* another may know better */
		return true;
	}
	dns->good = q->server;
	dns_set_id(msg, asked.id);
	if (len > asked.udp_bytes || len == UDP_ANSWER_BYTES)
		len = truncate_answer(msg, &asked);
	dns_finish(dns, q, msg, len);
	return true;
}

static void udp_event(struct dns *dns, struct dns_query *q, unsigned events)
{
	uint8_t msg[UDP_ANSWER_BYTES];
	struct env_dgram_error e;
	struct endpoint from;
	bool failed = false;
	struct env_mark mark;

	if (events & ENV_FAILED)
		while (dns->env.ops->dgram_error(dns->env.ctx, q->sock, &e,
						 msg, sizeof(msg)))
			failed = true;
	for (unsigned i = 0; i < 8; i++) {
		const int64_t len = dns->env.ops->dgram_recv(dns->env.ctx,
				q->sock, &from, &mark, msg, sizeof(msg));

		if (len == -ENV_AGAIN)
			break;
		if (len < 0)
			failed = true;
		else if (take_udp(dns, q, &from, msg, (size_t)len))
			return;
	}
	if (failed && q->tries < dns->n_servers)
		dns_next_try(dns, q);
}

void dns_sock_event(struct dns *dns, struct handle h, unsigned events,
		    uint64_t now_ns)
{
	const uint32_t slot = h.slot - DNS_SLOT_BASE;
	struct dns_query *q = &dns->queries[slot % DNS_QUERIES_MAX];

	dns->now_ns = now_ns;
	if (slot >= DNS_QUERIES_MAX || !q->used || q->gen != h.gen)
		return;
	if (q->sock < 0)
		return;			/* of a try that was given up */
	if (q->by_stream)
		dns_tcp_event(dns, q);
	else
		udp_event(dns, q, events);
}

bool dns_timer(struct dns *dns, struct timer *t, uint64_t now_ns)
{
	const uint8_t *at = (const uint8_t *)t;
	const uint8_t *first = (const uint8_t *)dns->queries;
	const uint8_t *end = first + sizeof(dns->queries);

	if (at < first || at >= end)
		return false;
	dns->now_ns = now_ns;
	dns_next_try(dns, &dns->queries[(size_t)(at - first) /
					sizeof(dns->queries[0])]);
	return true;
}

void dns_fini(struct dns *dns)
{
	for (uint32_t i = 0; i < dns->query_fresh; i++)
		if (dns->queries[i].used)
			query_free(dns, &dns->queries[i]);
	for (uint32_t i = 0; i < dns->stream_fresh; i++)
		if (dns->streams[i].used)
			dns_stream_ops()->close(dns, (int)i, true);
}
