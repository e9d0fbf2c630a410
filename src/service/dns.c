/* SPDX-License-Identifier: MIT */
/*
 * service/dns.c - questions and their answers
 *
 * A question is answered from the names known here, from the cache, or
 * waits as an *asker* of a *query* to the servers (dns_upstream.c).
 * Questions that one answer serves share a query: many at once would help
 * nobody but who guesses ids (RFC 5452 section 5). What is more than a
 * question and an OPT (a signature, say) is carried as it is, for itself, but
 * not where there are names that the gate does not let through: the rest of
 * the message would be a way to say them.
 *
 * Limits: DNS_QUERIES_MAX, DNS_ASKERS_MAX; what is over them gets SERVFAIL.
 */
#include "service/dns.h"

#include <string.h>

#include "service/dns_state.h"
#include "wire/dns_chain.h"

#define ADDRESSES_TOLD 64		/* of an answer */

size_t dns_bytes(void)
{
	return sizeof(struct dns);
}

struct dns *dns_init(void *mem, const struct dns_setup *setup,
		     const struct env *env, const struct dns_ops *ops,
		     struct wheel *wheel, const uint64_t *now_ns)
{
	struct dns *dns = mem;

	dns->setup = *setup;
	dns->env = *env;
	dns->ops = *ops;
	dns->wheel = wheel;
	dns->now_ns = now_ns;
	env->ops->random(env->ctx, &dns->key, sizeof(dns->key));
	return dns;
}

static bool same_servers(const struct dns *dns, const struct endpoint *at,
			 size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (at[i].port != dns->servers[i].at.port ||
		    !ip_equal(&at[i].ip, &dns->servers[i].at.ip))
			return false;
	return n == dns->n_servers;
}

void dns_set_resolvers(struct dns *dns, const struct endpoint *at, size_t n)
{
	ASSERT(n <= DNS_SERVERS_MAX);
	if (same_servers(dns, at, n)) {
		dns_routes_changed(dns);
		return;
	}
	for (size_t i = 0; i < n; i++)
		dns->servers[i] = (struct dns_server){ .at = at[i] };
	dns->n_servers = (unsigned)n;
	for (uint32_t i = 0; i < dns->query_fresh; i++)
		if (dns->queries[i].used)
			dns_upstream_reset(dns, &dns->queries[i]);
	dns_cache_clear(&dns->cache, &dns->env);
}

unsigned dns_servers(const struct dns *dns, struct ip *out, unsigned n)
{
	unsigned found = 0;

	for (unsigned i = 0; i < DNS_SERVERS_ALL && found < n; i++) {
		const struct endpoint *at = &dns->servers[i].at;

		if (i < DNS_SERVERS_MAX ? i < dns->n_servers : at->port)
			out[found++] = at->ip;
	}
	return found;
}

void dns_set_zones(struct dns *dns, const struct dns_zone *zones, size_t n)
{
	ASSERT(n <= DNS_ZONES_MAX);
	for (size_t i = 0; i < n; i++) {
		const size_t at = DNS_SERVERS_MAX + i * DNS_ZONE_SERVERS_MAX;

		ASSERT(zones[i].n && zones[i].n <= DNS_ZONE_SERVERS_MAX);
		dns->zones[i] = zones[i];
		for (uint32_t s = 0; s < zones[i].n; s++)
			dns->servers[at + s] = (struct dns_server){
				.at = zones[i].at[s],
			};
	}
	dns->n_zones = (unsigned)n;
}

void dns_routes_changed(struct dns *dns)
{
	dns_cache_clear(&dns->cache, &dns->env);
	for (unsigned i = 0; i < DNS_SERVERS_ALL; i++)
		dns->servers[i] = (struct dns_server){
			.at = dns->servers[i].at,
		};
	for (uint32_t i = 0; i < dns->query_fresh; i++) {
		struct dns_query *q = &dns->queries[i];

		if (!q->used)
			continue;
		dns_upstream_reset(dns, q);
		dns_upstream_start(dns, q);
	}
}

void dns_set_guest(struct dns *dns, unsigned id, const struct dns_guest *g)
{
	ASSERT(id < DNS_GUESTS_MAX);
	dns->guests[id] = *g;
	if (g->name && g->name[0] && id >= dns->n_guests)
		dns->n_guests = id + 1;
}

void dns_set_hosts(struct dns *dns, const struct hosts *hosts)
{
	dns->hosts = hosts ? *hosts : (struct hosts){ .n = 0 };
}

uint32_t dns_in_flight(const struct dns *dns)
{
	return dns->in_flight;
}

void dns_get_stats(const struct dns *dns, struct dns_stats *out)
{
	*out = dns->stats;
	out->kept_bytes = dns->cache.block ? DNS_CACHE_BYTES : 0;
}

struct handle dns_query_handle(const struct dns *dns,
			       const struct dns_query *q)
{
	return (struct handle){
		.slot = DNS_SLOT_BASE + (uint32_t)(q - dns->queries),
		.gen = q->gen,
	};
}

/* ---- queries ---- */

static struct dns_query *query_alloc(struct dns *dns)
{
	struct dns_query *q;
	uint32_t gen;

	if (dns->query_free) {
		q = &dns->queries[dns->query_free - 1];
		dns->query_free = q->next_free;
	} else if (dns->query_fresh < DNS_QUERIES_MAX) {
		q = &dns->queries[dns->query_fresh++];
	} else {
		return NULL;
	}
	gen = q->gen + 1 ? q->gen + 1 : 1;
	memset(q, 0, offsetof(struct dns_query, key));
	q->gen = gen;
	q->used = true;
	q->udp[0] = q->udp[1] = q->tcp = -1;
	q->answer = NULL;
	q->give_up_ns = *dns->now_ns + DNS_GIVE_UP_NS;
	dns->in_flight++;
	return q;
}

static void unlink_same(struct dns *dns, const struct dns_query *q)
{
	uint32_t *at = &dns->chain[q->hash % DNS_CHAINS];
	const uint32_t slot = (uint32_t)(q - dns->queries) + 1;

	while (*at != slot)
		at = &dns->queries[*at - 1].next_same;
	*at = q->next_same;
}

static void query_free(struct dns *dns, struct dns_query *q)
{
	ASSERT(!q->askers);
	dns_upstream_close(dns, q);
	wheel_cancel(dns->wheel, &q->timer);
	if (q->key_len)
		unlink_same(dns, q);
	q->used = false;
	q->next_free = dns->query_free;
	dns->query_free = (uint32_t)(q - dns->queries) + 1;
	dns->in_flight--;
}

/* The query on its way that will answer this, too. NULL: there is none. */
static struct dns_query *find_same(struct dns *dns, uint64_t hash,
				   struct view key, bool full)
{
	uint32_t at = dns->chain[hash % DNS_CHAINS];

	while (at) {
		struct dns_query *q = &dns->queries[at - 1];

		if (q->hash == hash && (q->full || !full) &&
		    q->key_len == key.len && !memcmp(q->key, key.p, key.len))
			return q;
		at = q->next_same;
	}
	return NULL;
}

/* ---- askers ---- */

static struct dns_asker *asker_alloc(struct dns *dns)
{
	struct dns_asker *a;

	if (dns->asker_free) {
		a = &dns->askers[dns->asker_free - 1];
		dns->asker_free = a->next;
		return a;
	}
	if (dns->asker_fresh == DNS_ASKERS_MAX)
		return NULL;
	return &dns->askers[dns->asker_fresh++];
}

/* The first asker is cut off the query, and free; it may still be read. */
static struct dns_asker *next_asker(struct dns *dns, struct dns_query *q)
{
	struct dns_asker *a;

	if (!q->askers)
		return NULL;
	a = &dns->askers[q->askers - 1];
	q->askers = a->next;
	dns->askers_of[a->guest]--;
	a->next = dns->asker_free;
	dns->asker_free = (uint32_t)(a - dns->askers) + 1;
	return a;
}

int dns_share(struct dns *dns, const uint32_t *has, uint32_t all,
	      const struct dns_reply_to *to, struct handle owner)
{
	return dns->ops.share ? dns->ops.share(dns->ops.ctx, has, all, to,
					       owner) : 0;
}

static bool add_asker(struct dns *dns, struct dns_query *q,
		      const struct dns_reply_to *to,
		      const struct handle *stream,
		      const struct dns_question *asked)
{
	const struct handle none = { .slot = 0 };
	/* Each has a query at most: those are shared by that, too. */
	const int guest = dns_share(dns, dns->askers_of, DNS_QUERIES_MAX, to,
				    stream ? dns_stream_owner(dns, *stream) :
					     none);
	struct dns_asker *a = guest < 0 ? NULL : asker_alloc(dns);

	if (!a)
		return false;
	a->guest = (uint8_t)guest;
	dns->askers_of[guest]++;
	a->by_stream = stream;
	if (stream)
		a->stream = *stream;
	else
		a->to = *to;
	a->edns = asked->edns;
	a->dnssec_ok = asked->dnssec_ok;
	a->udp_bytes = asked->udp_bytes;
	a->len = (uint16_t)asked->wire.len;
	memcpy(a->wire, asked->wire.p, asked->wire.len);
	a->next = q->askers;
	q->askers = (uint32_t)(a - dns->askers) + 1;
	return true;
}

static void asked_by(const struct dns_asker *a, struct dns_question *out)
{
	const struct view wire = { .p = a->wire, .len = a->len };

	ASSERT(dns_parse_query(wire, out) == DROP_OK);
	out->edns = a->edns;
	out->dnssec_ok = a->dnssec_ok;
	out->udp_bytes = a->udp_bytes;
}

/* ---- answers ---- */

static void reply(struct dns *dns, const struct dns_reply_to *to,
		  const struct handle *stream, const uint8_t *msg, size_t len)
{
	if (stream)
		dns_stream_answer(dns, *stream, msg, len);
	else
		dns->ops.udp_answer(dns->ops.ctx, to, msg, len);
}

/* An answer without records; cut: ask again over TCP (RFC 2181, 9). */
static void reply_empty(struct dns *dns, const struct dns_reply_to *to,
			const struct handle *stream,
			const struct dns_question *q, enum dns_rcode rcode,
			bool cut)
{
	uint8_t buf[DNS_SMALL_BYTES];
	struct wr w = wr(buf, sizeof(buf));

	dns_emit_response(&w, q, rcode, NULL, 0, 0);
	ASSERT(!w.bad);
	if (cut)
		dns_set_truncated(buf);
	reply(dns, to, stream, buf, (size_t)(w.p - buf));
}

/* Whose the stream is that it came by; nobody's, if it came by none. */
static struct handle owner_of(const struct dns *dns,
			      const struct handle *stream)
{
	return stream ? dns_stream_owner(dns, *stream) :
			(struct handle){ .gen = 0 };
}

/* Of an answer for a guest: each address in it. */
static void tell(struct dns *dns, const struct dns_reply_to *to,
		 const struct handle *stream, const struct dns_question *q,
		 struct view msg)
{
	const struct handle owner = owner_of(dns, stream);
	struct dns_address at[ADDRESSES_TOLD];
	unsigned n;

	if (!dns->ops.answered)
		return;
	n = dns_addresses(msg, at, ADDRESSES_TOLD);
	for (unsigned i = 0; i < n; i++) {
		const struct dns_answered a = {
			.name = q->name, .ip = at[i].ip,
			.ttl_s = at[i].ttl_s,
		};

		dns->ops.answered(dns->ops.ctx, &a, stream ? NULL : to, owner);
	}
}

/* msg: an answer to the question, whatever its id and case. */
static void reply_answer(struct dns *dns, const struct dns_reply_to *to,
			 const struct handle *stream,
			 const struct dns_question *q, struct span msg)
{
	const struct view m = { .p = msg.p, .len = msg.len };
	bool response, truncated;
	uint8_t rcode;
	uint16_t id;

	ASSERT(dns_parse_header(m, &id, &response, &truncated, &rcode) ==
	       DROP_OK);
	if (!dns_answer_for(msg, q)) {
		reply_empty(dns, to, stream, q, rcode, false);
	} else if (!stream && msg.len > q->udp_bytes) {
		reply_empty(dns, to, stream, q, rcode, true);
	} else {
		tell(dns, to, stream, q, m);
		reply(dns, to, stream, msg.p, msg.len);
	}
}

void dns_finish(struct dns *dns, struct dns_query *q, struct span msg)
{
	const struct view m = { .p = msg.p, .len = msg.len };
	const struct dns_asker *a;
	struct dns_question asked;

	if (q->key_len)
		dns_cache_put(&dns->cache, &dns->env, q->hash,
			      (struct view){ .p = q->key, .len = q->key_len },
			      m, *dns->now_ns);
	while ((a = next_asker(dns, q))) {
		asked_by(a, &asked);
		reply_answer(dns, &a->to, a->by_stream ? &a->stream : NULL,
			     &asked, msg);
	}
	query_free(dns, q);
}

void dns_fail(struct dns *dns, struct dns_query *q, enum dns_rcode rcode)
{
	const struct dns_asker *a;
	struct dns_question asked;

	while ((a = next_asker(dns, q))) {
		asked_by(a, &asked);
		reply_empty(dns, &a->to, a->by_stream ? &a->stream : NULL,
			    &asked, rcode, false);
		dns->stats.failed++;
	}
	query_free(dns, q);
}

/* ---- questions ---- */

/* The query's own message. Case is chance: a guesser must hit it, too. */
static void write_query(struct dns *dns, struct dns_query *q,
			const struct dns_question *asked)
{
	struct wr w = wr(q->query + 2, DNS_QUESTION_BYTES);
	uint8_t chance[DNS_QUESTION_OCTETS / 8 + 1];
	struct dns_question own = *asked;

	dns->env.ops->random(dns->env.ctx, chance, sizeof(chance));
	own.id = q->id;
	dns_emit_query(&w, &own);
	ASSERT(!w.bad);
	q->len = (uint16_t)(w.p - (q->query + 2));
	dns_mix_case(q->query + 2, asked, chance);
}

/* A question that is more than one: as it is, but for the id. */
static void copy_query(struct dns_query *q, struct view msg)
{
	memcpy(q->query + 2, msg.p, msg.len);
	dns_set_id(q->query + 2, q->id);
	q->len = (uint16_t)msg.len;
}

/* A new query, not started; NULL if there is no room for it. */
static struct dns_query *make_query(struct dns *dns,
				    const struct dns_question *asked,
				    struct view msg, uint64_t hash,
				    struct view key)
{
	struct dns_query *q;

	if (!dns_servers_of(dns, dns_zone_of(dns, asked->name)) ||
	    msg.len > DNS_QUESTION_BYTES)
		return NULL;
	q = query_alloc(dns);
	if (!q)
		return NULL;
	dns->env.ops->random(dns->env.ctx, &q->id, sizeof(q->id));
	q->question_len = (uint16_t)asked->wire.len;
	q->zone = dns_zone_of(dns, asked->name);
	if (!key.len) {
		copy_query(q, msg);
		return q;
	}
	write_query(dns, q, asked);
	memcpy(q->key, key.p, key.len);
	q->key_len = (uint16_t)key.len;
	q->hash = hash;
	q->next_same = dns->chain[hash % DNS_CHAINS];
	dns->chain[hash % DNS_CHAINS] = (uint32_t)(q - dns->queries) + 1;
	return q;
}

/* A question that is not ours to answer. false: it cannot be carried. */
static bool forward(struct dns *dns, const struct dns_reply_to *to,
		    const struct handle *stream,
		    const struct dns_question *asked, struct view msg)
{
	uint8_t key_bytes[DNS_KEY_BYTES], kept[DNS_CACHE_ANSWER_MAX];
	const struct view key = {
		.p = key_bytes,
		.len = asked->plain ? dns_key(asked, key_bytes) : 0,
	};
	const uint64_t hash = siphash(&dns->key, key.p, key.len);
	struct dns_query *q = NULL;
	size_t n = 0;

	if (key.len) {
		n = dns_cache_get(&dns->cache, hash, key, *dns->now_ns, kept);
		q = find_same(dns, hash, key, stream);
	}
	if (n) {
		dns->stats.from_cache++;
		reply_answer(dns, to, stream, asked,
			     (struct span){ .p = kept, .len = n });
		return true;
	}
	if (q)
		return add_asker(dns, q, to, stream, asked);
	q = make_query(dns, asked, msg, hash, key);
	if (!q)
		return false;
	if (!add_asker(dns, q, to, stream, asked)) {
		query_free(dns, q);
		return false;
	}
	q->full = stream;
	dns_upstream_start(dns, q);
	return true;
}

static bool may_ask(struct dns *dns, const struct dns_reply_to *to,
		    const struct handle *stream, const struct dns_question *q)
{
	if (!dns->ops.gate)
		return true;
	switch (dns->ops.gate(dns->ops.ctx, q->name, to,
			      owner_of(dns, stream))) {
	case DNS_MAY_ASK:
		return true;
	case DNS_MAY_ASK_PLAINLY:
		return q->plain;
	case DNS_MAY_NOT_ASK:
		break;
	}
	return false;
}

/* Write the answer to a question. false: it comes later, or has come. */
static bool answer_now(struct dns *dns, const struct dns_reply_to *to,
		       const struct handle *stream,
		       const struct dns_question *q, struct view msg,
		       struct wr *w)
{
	const uint8_t *start = w->p;

	if (dns_own_answer(dns, q, w))
		return true;
	if (!may_ask(dns, to, stream, q)) {
		dns->stats.refused++;
		dns_emit_refusal(w, q);
	} else if (dns_hosts_answer(dns, q, w)) {
		tell(dns, to, stream, q,
		     (struct view){ .p = start,
				    .len = (size_t)(w->p - start) });
	} else if (forward(dns, to, stream, q, msg)) {
		return false;
	} else {
		dns->stats.failed++;
		dns_emit_response(w, q, DNS_SERVFAIL, NULL, 0, 0);
	}
	return true;
}

void dns_ask(struct dns *dns, const struct dns_reply_to *to,
	     const struct handle *stream, struct view msg)
{
	uint8_t buf[DNS_SMALL_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	struct dns_question q;
	const enum drop drop = dns_parse_query(msg, &q);

	if (drop == DROP_NOTOURS || msg.len < DNS_HEADER_BYTES)
		return;			/* not a question at all */
	dns->stats.questions++;
	if (drop != DROP_OK)
		dns_emit_error(&w, msg, DNS_FORMERR);
	else if (q.opcode != 0)
		dns_emit_error(&w, msg, DNS_NOTIMP);
	else if (!answer_now(dns, to, stream, &q, msg, &w))
		return;
	ASSERT(!w.bad);
	reply(dns, to, stream, buf, (size_t)(w.p - buf));
}

void dns_udp_query(struct dns *dns, const struct dns_reply_to *to,
		   struct view msg)
{
	dns_ask(dns, to, NULL, msg);
}

/* ---- events ---- */

void dns_sock_event(struct dns *dns, struct handle h, unsigned events)
{
	const uint32_t slot = h.slot - DNS_SLOT_BASE;
	struct dns_query *q = &dns->queries[slot % DNS_QUERIES_MAX];

	if (slot >= DNS_QUERIES_MAX || !q->used || q->gen != h.gen)
		return;
	dns_upstream_event(dns, q, events);
}

/* t lies in an array of n elements of size bytes: in which? Else -1. */
static int64_t element_of(const struct timer *t, const void *array, size_t n,
			  size_t size)
{
	const uint8_t *at = (const uint8_t *)t, *first = array;

	return at >= first && at < first + n * size ?
	       (int64_t)((size_t)(at - first) / size) : -1;
}

bool dns_timer(struct dns *dns, struct timer *t)
{
	int64_t i = element_of(t, dns->queries, DNS_QUERIES_MAX,
			       sizeof(dns->queries[0]));

	if (i >= 0) {
		dns_upstream_timer(dns, &dns->queries[i]);
		return true;
	}
	i = element_of(t, dns->streams, DNS_STREAMS_MAX,
		       sizeof(dns->streams[0]));
	if (i >= 0)
		dns_stream_timer(dns, &dns->streams[i]);
	return i >= 0;
}

void dns_fini(struct dns *dns)
{
	for (uint32_t i = 0; i < dns->query_fresh; i++) {
		struct dns_query *q = &dns->queries[i];

		if (!q->used)
			continue;
		while (next_asker(dns, q))
			;
		query_free(dns, q);
	}
	for (uint32_t i = 0; i < dns->stream_fresh; i++)
		if (dns->streams[i].used)
			dns_stream_ops()->close(dns, (int)i, true);
	dns_cache_clear(&dns->cache, &dns->env);
}
