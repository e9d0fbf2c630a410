/* SPDX-License-Identifier: MIT */
/*
 * sim/resolver.c - the host's DNS servers, and what may come of a question
 *
 * Question n asks for the address of qN.example, which is 203.0.113.N; the
 * gateway's own name has the gateway's. Where there is a gate, names of odd
 * numbers may not be asked for, and no server hears of them. A server answers, answers garbage,
 * fails, errs or is silent, each time by chance.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "sim/world.h"
#include "wire/dns.h"

#define MANY	40		/* records: more than 512 bytes */

bool resolver_is_shut(const struct world *w, unsigned n)
{
	return w->plan.gate && n % 2;
}

bool resolver_at(const struct world *w, const struct endpoint *to,
		 unsigned *server)
{
	for (unsigned i = 0; i < PLAN_SERVERS_MAX; i++)
		if (w->servers[i].port == to->port &&
		    ip_equal(&w->servers[i].ip, &to->ip)) {
			*server = i;
			return true;
		}
	return false;
}

static void put_label(struct wr *out, const char *s)
{
	wr_u8(out, (uint8_t)strlen(s));
	wr_bytes(out, s, strlen(s));
}

size_t resolver_question(unsigned n, bool own, uint8_t *buf, size_t cap)
{
	struct wr out = wr(buf, cap);
	char label[16];

	snprintf(label, sizeof(label), "q%u", n);
	wr_be16(&out, (uint16_t)(WORLD_ASK_ID + n));
	wr_be16(&out, 0x0100);		/* recursion desired */
	wr_be16(&out, 1);
	wr_zero(&out, 6);
	put_label(&out, own ? "host" : label);
	put_label(&out, own ? "slipway" : "example");
	put_label(&out, own ? "internal" : "");
	if (own)
		wr_u8(&out, 0);
	wr_be16(&out, DNS_A);
	wr_be16(&out, 1);
	ASSERT(!out.bad);
	return (size_t)(out.p - buf);
}

static struct ip address_of(const struct world *w, unsigned n, bool own)
{
	return own ? w->setup.gateway4 : ip_from_v4(0xcb007100 + n);
}

/* Can nothing go wrong between a question and its answer? */
static bool must_succeed(const struct world *w)
{
	const struct plan *p = &w->plan;

	if (!p->servers || p->servers_change_ns != PLAN_NEVER ||
	    p->short_io || p->no_socket || p->send_fails || p->no_memory)
		return false;
	for (unsigned i = 0; i < p->servers; i++)
		if (p->server[i].answer < 1000 ||
		    p->server[i].delay_ns > 800 * WORLD_MS)
			return false;
	return true;
}

void resolver_check(struct world *w, unsigned n, bool own, bool udp,
		    struct view msg)
{
	const struct ip want = address_of(w, n, own);
	uint8_t asked[64];
	const size_t len = resolver_question(n, own, asked, sizeof(asked));
	const struct view q = { .p = asked, .len = len };
	const uint32_t v4 = ip_to_v4(want);
	bool response, truncated;
	struct rd r = rd(msg.p, msg.len);
	uint8_t rcode;
	uint16_t id;

	if (dns_parse_header(msg, &id, &response, &truncated, &rcode) !=
	    DROP_OK || !response || id != WORLD_ASK_ID + n ||
	    !dns_answers(msg, q)) {
		world_fail(w, "question %u: not an answer to it", n);
		return;
	}
	if (udp && msg.len > DNS_UDP_PLAIN_BYTES)
		world_fail(w, "question %u: an answer of %zu bytes", n,
			   msg.len);
	if (!own && resolver_is_shut(w, n)) {
		if (rcode != DNS_REFUSED)
			world_fail(w, "question %u: not refused", n);
		return;
	}
	if (rcode != DNS_NOERROR) {
		if (own || (must_succeed(w) && !w->leapt_ns) ||
		    (rcode != DNS_SERVFAIL && rcode != DNS_REFUSED))
			world_fail(w, "question %u: rcode %u", n, rcode);
		return;
	}
	if (truncated) {
		if (own || !udp)
			world_fail(w, "question %u: truncated", n);
		return;
	}
	rd_bytes(&r, len + 12);
	if (rd_be32(&r) != v4 || r.bad)
		world_fail(w, "question %u: a wrong address", n);
}

enum what { SAY_NOTHING, SAY_ANSWER, SAY_GARBAGE, SAY_FAILED, SAY_ERROR };

static enum what choose(struct world *w, const struct plan_server *p)
{
	uint32_t k = rng_below(&w->rng, 1000);

	if (k < p->answer)
		return SAY_ANSWER;
	k -= p->answer;
	if (k < p->garbage)
		return SAY_GARBAGE;
	k -= p->garbage;
	if (k < p->servfail)
		return SAY_FAILED;
	return k - p->servfail < p->error ? SAY_ERROR : SAY_NOTHING;
}

/* The answer that the server gives, into buf. 0: none. */
static size_t say(struct world *w, unsigned server, enum what what,
		  struct view query, uint8_t *buf, size_t cap)
{
	const struct plan_server *p = &w->plan.server[server];
	struct ip addrs[MANY];
	struct wr out = wr(buf, cap);
	struct dns_question q;
	unsigned n = 0;

	if (dns_parse_query(query, &q) != DROP_OK ||
	    sscanf(q.name, "q%u.example", &n) != 1) {
		world_fail(w, "a question to a resolver is not the guest's");
		return 0;
	}
	if (resolver_is_shut(w, n))
		world_fail(w, "question %u has gone out", n);
	for (unsigned i = 0; i < MANY; i++)
		addrs[i] = address_of(w, n, false);
	if (what == SAY_FAILED)
		dns_emit_response(&out, &q, rng_chance(&w->rng, 500) ?
				  DNS_SERVFAIL : DNS_REFUSED, NULL, 0, 0);
	else
		dns_emit_response(&out, &q, DNS_NOERROR, addrs,
				  rng_chance(&w->rng, p->many) ? MANY : 1,
				  60);
	ASSERT(!out.bad);
	return (size_t)(out.p - buf);
}

/* Spoil an answer so that it must not be believed. */
static size_t spoil(struct world *w, uint8_t *msg, size_t len,
		    struct endpoint *from)
{
	switch (rng_below(&w->rng, 5)) {
	case 0:				/* the id */
		msg[rng_below(&w->rng, 2)] ^= 0x10;
		return len;
	case 1:				/* the question */
		msg[DNS_HEADER_BYTES + 1 + rng_below(&w->rng, 3)] ^= 3;
		return len;
	case 2:				/* cut off */
		return rng_below(&w->rng, DNS_HEADER_BYTES + 8);
	case 3:				/* somebody else */
		from->ip.b[15] ^= 0x40;
		return len;
	default:			/* a question */
		msg[2] &= 0x7f;
		return len;
	}
}

void resolver_udp(struct world *w, struct sim_sock *s, unsigned server,
		  const void *data, size_t len)
{
	const struct plan_server *p = &w->plan.server[server];
	const struct view query = { .p = data, .len = len };
	const enum what what = choose(w, p);
	struct endpoint from = w->servers[server];
	uint8_t buf[2048];
	size_t n;

	s->dns = true;
	if (what == SAY_ERROR)
		sim_post_error(w, s, p->delay_ns, &from, NULL, data, len);
	if (what == SAY_ERROR || what == SAY_NOTHING)
		return;
	n = say(w, server, what, query, buf, sizeof(buf));
	if (what == SAY_GARBAGE)
		n = spoil(w, buf, n, &from);
	sim_post(w, s, p->delay_ns, &from, NULL, buf, n);
}

/* The answer is ready: let it be read. */
static void answer(struct world *w, struct sim_sock *s)
{
	s->written = 2u + ((size_t)s->answer[0] << 8 | s->answer[1]);
	s->wants_read = false;
	sim_notify(w, s, ENV_READABLE);
}

static void hang_up(struct world *w, struct sim_sock *s)
{
	s->fin_seen = true;		/* as the other end sees it */
	sim_notify(w, s, ENV_READABLE);
}

void resolver_tcp(struct world *w, struct sim_sock *s)
{
	const unsigned server = s->conn;
	const struct plan_server *p = &w->plan.server[server];
	const struct view query = { .p = s->ask + 2,
				    .len = s->received - 2 };
	struct endpoint from = w->servers[server];
	enum what what;
	uint8_t *buf;
	struct wr out;
	size_t n;

	if (s->received < 2 || s->answer ||
	    s->received < 2u + ((size_t)s->ask[0] << 8 | s->ask[1]))
		return;
	what = choose(w, p);
	if (what == SAY_ERROR)
		sim_sock_after(w, s, p->delay_ns, hang_up);
	if (what == SAY_ERROR || what == SAY_NOTHING)
		return;
	buf = malloc(2050);
	ASSERT(buf);
	n = say(w, server, what, query, buf + 2, 2048);
	if (what == SAY_GARBAGE)
		n = spoil(w, buf + 2, n, &from);
	out = wr(buf, 2);
	wr_be16(&out, (uint16_t)n);
	s->answer = buf;
	sim_sock_after(w, s, p->delay_ns, answer);
}
