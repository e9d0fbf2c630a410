/* SPDX-License-Identifier: MIT */
/*
 * service/dns_upstream.c - a query's way through the host's servers
 *
 * Servers are asked in their order, the next one DNS_TRY_NS after the last,
 * or at once if that one cannot be reached or says that it will not answer;
 * all of them may still answer, until the query is over. Who was silent
 * FAILURES_MAX times in a row is asked after the others for DOWN_NS, and
 * longer each time. One lost packet does not do that: the first server may
 * know names that the second does not.
 *
 * From the third round on a query goes by TCP, too, in case that UDP is
 * blocked; a server that then answers by TCP alone is asked by both at once
 * for TCP_NS. Questions that came by TCP are asked by TCP only, because a
 * cut answer would be none.
 *
 * Names of a domain that has servers of its own are asked of those alone, as
 * with a VPN's: no others know them, nor need to hear of them.
 *
 * An answer counts if it comes from a server that was asked, to the port of
 * the query's own socket, with its id and its question in the same case. A
 * server that does not keep the case is asked once more, with another port
 * and id, and then believed without (RFC 5452 sections 4 and 9).
 */
#include "service/dns_state.h"

#include <string.h>

#define UDP_ANSWER_BYTES	4608	/* what is longer counts as cut */
#define UDP_READS		8	/* per event */
#define TCP_ROUND		2
#define FAILURES_MAX		3
#define DOWN_NS			(30 * DNS_SECOND_NS)
#define DOWN_DOUBLINGS		3
#define TCP_NS			(300 * DNS_SECOND_NS)

static unsigned bit(unsigned server)
{
	return 1u << server;
}

static void note_failure(struct dns *dns, unsigned server)
{
	struct dns_server *s = &dns->servers[server];
	unsigned doublings;

	if (++s->failures < FAILURES_MAX)
		return;
	doublings = s->failures - FAILURES_MAX;
	if (doublings > DOWN_DOUBLINGS)
		doublings = DOWN_DOUBLINGS;
	s->down_until_ns = *dns->now_ns + (DOWN_NS << doublings);
}

unsigned dns_servers_of(const struct dns *dns, unsigned zone)
{
	const unsigned first = DNS_SERVERS_MAX +
			       (zone - 1) * DNS_ZONE_SERVERS_MAX;

	return zone ? (bit(dns->zones[zone - 1].n) - 1) << first :
		      bit(dns->n_servers) - 1;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

unsigned dns_zone_of(const struct dns *dns, const char *name)
{
	const size_t len = length(name);
	unsigned best = 0;
	size_t best_len = 0;

	for (unsigned i = 0; i < dns->n_zones; i++) {
		const char *zone = dns->zones[i].name;
		const size_t n = length(zone);

		if (n > best_len && n <= len &&
		    !memcmp(name + len - n, zone, n) &&
		    (n == len || name[len - n - 1] == '.')) {
			best = i + 1;
			best_len = n;
		}
	}
	return best;
}

/* The best server not yet asked in this round; -1: all were. */
static int pick(const struct dns *dns, const struct dns_query *q)
{
	const unsigned may = dns_servers_of(dns, q->zone);
	int fallback = -1;

	for (unsigned i = 0; i < DNS_SERVERS_ALL; i++) {
		if (q->asked & bit(i) || !(may & bit(i)))
			continue;
		if (dns->servers[i].down_until_ns <= *dns->now_ns)
			return (int)i;
		if (fallback < 0)
			fallback = (int)i;
	}
	return fallback;
}

/* ---- UDP ---- */

static void close_udp(struct dns *dns, struct dns_query *q)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		if (q->udp[v6] >= 0)
			dns->env.ops->dgram_close(dns->env.ctx, q->udp[v6]);
		q->udp[v6] = -1;
	}
	q->asked_udp = 0;
}

static int send_udp(struct dns *dns, struct dns_query *q, unsigned server)
{
	const struct endpoint *to = &dns->servers[server].at;
	const bool v6 = !ip_is4(&to->ip);
	const struct span v = { .p = q->query + 2, .len = q->len };

	if (q->udp[v6] < 0)
		q->udp[v6] = dns->env.ops->udp_open(dns->env.ctx, v6,
						    dns_query_handle(dns, q));
	if (q->udp[v6] < 0)
		return q->udp[v6];
	q->asked_udp |= bit(server);
	return dns->env.ops->dgram_send(dns->env.ctx, q->udp[v6], to, NULL,
					&v, 1);
}

/* ---- tries ---- */

static bool by_tcp(const struct dns *dns, const struct dns_query *q,
		   unsigned server)
{
	return q->full || q->round >= TCP_ROUND ||
	       dns->servers[server].tcp_until_ns > *dns->now_ns;
}

/* Neither way that it is asked by leads to an answer. */
static bool is_out(const struct dns *dns, const struct dns_query *q,
		   unsigned server)
{
	return (q->full || q->failed_udp & bit(server)) &&
	       (!by_tcp(dns, q, server) || q->failed_tcp & bit(server));
}

/* Our own shortage is not the server's fault: there is time. */
static bool is_fault(int err)
{
	return err && err != -ENV_LIMIT && err != -ENV_AGAIN;
}

/* Ask a server. false: it cannot be reached at all. */
static bool ask(struct dns *dns, struct dns_query *q, unsigned server)
{
	const bool tcp = by_tcp(dns, q, server);
	const uint64_t next = *dns->now_ns + (tcp ? DNS_TCP_TRY_NS :
						   DNS_TRY_NS);

	q->server = server;
	q->asked |= bit(server);
	if (!q->full && is_fault(send_udp(dns, q, server)))
		q->failed_udp |= bit(server);
	if (tcp && is_fault(dns_tcp_start(dns, q, server)))
		q->failed_tcp |= bit(server);
	wheel_arm(dns->wheel, &q->timer,
		  next < q->give_up_ns ? next : q->give_up_ns);
	return !is_out(dns, q, server);
}

static void new_round(struct dns_query *q, unsigned round)
{
	q->round = round;
	q->asked = q->failed = q->failed_udp = q->failed_tcp = 0;
}

/* All were asked: once more, or is there no hope? Then false. */
static bool next_round(const struct dns *dns, struct dns_query *q)
{
	const bool hopeless = q->failed == dns_servers_of(dns, q->zone);

	if (hopeless && (q->full || q->rcode || q->round >= TCP_ROUND))
		return false;
	new_round(q, hopeless ? TCP_ROUND : q->round + 1);
	return true;
}

static void try_next(struct dns *dns, struct dns_query *q)
{
	int server;

	while (dns_servers_of(dns, q->zone) && *dns->now_ns < q->give_up_ns) {
		server = pick(dns, q);
		if (server < 0) {
			if (!next_round(dns, q))
				break;
			continue;
		}
		if (ask(dns, q, (unsigned)server))
			return;
		q->failed |= bit((unsigned)server);
		note_failure(dns, (unsigned)server);
	}
	dns_fail(dns, q, q->rcode ? q->rcode : DNS_SERVFAIL);
}

void dns_upstream_start(struct dns *dns, struct dns_query *q)
{
	try_next(dns, q);
}

void dns_upstream_reset(struct dns *dns, struct dns_query *q)
{
	dns_upstream_close(dns, q);
	new_round(q, 0);
	q->rcode = 0;
}

void dns_upstream_failed(struct dns *dns, struct dns_query *q,
			 unsigned server, bool tcp)
{
	if (tcp)
		q->failed_tcp |= bit(server);
	else
		q->failed_udp |= bit(server);
	if (q->failed & bit(server) || !is_out(dns, q, server))
		return;
	q->failed |= bit(server);
	note_failure(dns, server);
	if (server == q->server)
		try_next(dns, q);
}

void dns_upstream_timer(struct dns *dns, struct dns_query *q)
{
	if (q->asked & ~q->failed & bit(q->server))
		note_failure(dns, q->server);
	try_next(dns, q);
}

/* ---- answers ---- */

/* The same server again, and nobody who listened to the first time. */
static void ask_again(struct dns *dns, struct dns_query *q, unsigned server)
{
	close_udp(dns, q);
	dns->env.ops->random(dns->env.ctx, &q->id, sizeof(q->id));
	dns_set_id(q->query + 2, q->id);
	if (!ask(dns, q, server))
		dns_upstream_failed(dns, q, server, false);
}

/* It will not say; somebody else may. */
static void take_refusal(struct dns *dns, struct dns_query *q,
			 unsigned server, uint8_t rcode)
{
	q->rcode = rcode;
	q->failed |= bit(server);
	if (server == q->server)
		try_next(dns, q);
}

bool dns_upstream_take(struct dns *dns, struct dns_query *q, unsigned server,
		       bool tcp, struct span msg)
{
	const struct view m = { .p = msg.p, .len = msg.len };
	const struct view sent = { .p = q->query + 2, .len = q->question_len };
	struct dns_server *s = &dns->servers[server];
	bool response, truncated;
	uint8_t rcode;
	uint16_t id;

	if (dns_parse_header(m, &id, &response, &truncated, &rcode) !=
	    DROP_OK || id != q->id || !dns_answers_folded(m, sent))
		return false;
	if (!tcp && !s->folds_case && !dns_answers(m, sent)) {
		s->folds_case = true;
		ask_again(dns, q, server);
		return true;
	}
	s->failures = 0;
	s->down_until_ns = 0;
	if (!tcp)
		s->tcp_until_ns = 0;
	else if (q->asked_udp & bit(server))
		s->tcp_until_ns = *dns->now_ns + TCP_NS;
	if (rcode == DNS_SERVFAIL || rcode == DNS_REFUSED)
		take_refusal(dns, q, server, rcode);
	else
		dns_finish(dns, q, msg);
	return true;
}

static int server_at(const struct dns *dns, const struct dns_query *q,
		     const struct endpoint *at)
{
	const unsigned may = dns_servers_of(dns, q->zone);

	for (unsigned i = 0; i < DNS_SERVERS_ALL; i++)
		if (may & bit(i) &&
		    ip_equal(&at->ip, &dns->servers[i].at.ip) &&
		    at->port == dns->servers[i].at.port)
			return (int)i;
	return -1;
}

/* One datagram. true: it changed what becomes of q. */
static bool take_udp(struct dns *dns, struct dns_query *q, int server,
		     uint8_t *msg, size_t len)
{
	if (server < 0 || !(q->asked_udp & bit((unsigned)server)))
		return false;
	if (len == UDP_ANSWER_BYTES) {
		dns_set_cut(msg);
		len = q->question_len;
	}
	return dns_upstream_take(dns, q, (unsigned)server, false,
				 (struct span){ .p = msg, .len = len });
}

/* All that has come to a socket. true: it changed what becomes of q. */
static bool recv_udp(struct dns *dns, struct dns_query *q, int sock)
{
	uint8_t msg[UDP_ANSWER_BYTES];

	for (unsigned i = 0; i < UDP_READS; i++) {
		struct env_mark mark;
		struct endpoint from;
		const int64_t len = dns->env.ops->dgram_recv(dns->env.ctx,
				sock, &from, &mark, msg, sizeof(msg));
		size_t step;

		if (len == -ENV_AGAIN)
			return false;
		if (len < 0)
			continue;	/* its cause is in the error queue */
		/* A batch may hold somebody's guess before the answer. */
		step = mark.segment ? mark.segment : sizeof(msg);
		for (size_t at = 0; at < (size_t)len; at += step) {
			const size_t left = (size_t)len - at;

			if (take_udp(dns, q, server_at(dns, q, &from), msg + at,
				     left < step ? left : step))
				return true;
		}
	}
	return false;
}

/* The servers that errors were told of, a bit each. */
static unsigned recv_errors(struct dns *dns, const struct dns_query *q,
			    int sock)
{
	struct env_net_error e;
	uint8_t quote[DNS_HEADER_BYTES];
	unsigned failed = 0;

	while (dns->env.ops->dgram_error(dns->env.ctx, sock, &e, quote,
					 sizeof(quote))) {
		const int server = server_at(dns, q, &e.to);

		if (server >= 0)
			failed |= bit((unsigned)server) & q->asked_udp;
	}
	return failed;
}

static void udp_event(struct dns *dns, struct dns_query *q, unsigned events)
{
	const unsigned last = q->server;
	unsigned failed = 0;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		if (q->udp[v6] < 0)
			continue;
		if (events & ENV_FAILED)
			failed |= recv_errors(dns, q, q->udp[v6]);
		if (recv_udp(dns, q, q->udp[v6]))
			return;
	}
	/* The one asked last comes last: that may end the query. */
	for (unsigned i = 0; i < DNS_SERVERS_ALL; i++)
		if (failed & bit(i) && i != last)
			dns_upstream_failed(dns, q, i, false);
	if (failed & bit(last))
		dns_upstream_failed(dns, q, last, false);
}

void dns_upstream_event(struct dns *dns, struct dns_query *q, unsigned events)
{
	const uint32_t gen = q->gen;

	udp_event(dns, q, events);
	if (q->used && q->gen == gen && q->tcp >= 0)
		dns_tcp_event(dns, q);
}

void dns_upstream_close(struct dns *dns, struct dns_query *q)
{
	close_udp(dns, q);
	dns_tcp_close(dns, q);
}
