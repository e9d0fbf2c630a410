/* SPDX-License-Identifier: MIT */
/*
 * service/dns_tcp.c - a query to a server over TCP (RFC 7766)
 *
 * One connection for one question: nothing that a server could hold up or
 * mix up. The answer is read into memory of its announced length.
 */
#include "service/dns_state.h"

#define DNS_MSS	1220		/* passes everywhere: RFC 8200 section 5 */

void dns_tcp_close(struct dns *dns, struct dns_query *q)
{
	if (q->tcp >= 0)
		dns->env.ops->tcp.close(dns->env.ctx, q->tcp, true);
	if (q->answer)
		dns->env.ops->mem_free(dns->env.ctx, q->answer,
				       q->answer_cap);
	q->tcp = -1;
	q->answer = NULL;
}

int dns_tcp_start(struct dns *dns, struct dns_query *q, unsigned server)
{
	struct wr w = wr(q->query, 2);

	dns_tcp_close(dns, q);
	wr_be16(&w, q->len);
	q->sent = 0;
	q->got = 0;
	q->tcp_server = server;
	q->tcp = dns->env.ops->tcp_connect(dns->env.ctx,
					   &dns->servers[server].at, 0, DNS_MSS,
					   dns_query_handle(dns, q));
	return q->tcp < 0 ? q->tcp : 0;
}

/* All of the question that goes now. 0, or why not. */
static int send_question(struct dns *dns, struct dns_query *q)
{
	while (q->sent < q->len + 2u) {
		const struct span v = { .p = q->query + q->sent,
					.len = q->len + 2u - q->sent };
		const int64_t n = dns->env.ops->tcp.send(dns->env.ctx,
							 q->tcp, &v, 1);

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
				q->answer = dns_block(dns, answer_len(q),
						       &q->answer_cap);
			if (!q->answer)
				return -ENV_LIMIT;
			if (have == answer_len(q))
				return 1;
			v = (struct span){ .p = q->answer + have,
					   .len = answer_len(q) - have };
		}
		n = dns->env.ops->tcp.recv(dns->env.ctx, q->tcp, &v, 1);
		if (n <= 0)
			return n ? (int)n : -ENV_RESET;
		q->got += (uint32_t)n;
	}
}

void dns_tcp_event(struct dns *dns, struct dns_query *q)
{
	const unsigned server = q->tcp_server;
	int r = dns->env.ops->tcp.connected(dns->env.ctx, q->tcp);
	struct span answer;

	if (r == 0)
		r = send_question(dns, q);
	if (r == 0)
		r = recv_answer(dns, q);
	if (r == -ENV_AGAIN)
		return;
	if (r > 0) {
		answer = (struct span){ .p = q->answer,
					.len = answer_len(q) };
		if (dns_upstream_take(dns, q, server, true, answer))
			return;
	}
	dns_tcp_close(dns, q);
	dns_upstream_failed(dns, q, server, true);
}
