/* SPDX-License-Identifier: MIT */
/* service/dns_state.h - what the files of the DNS service share. */
#ifndef SERVICE_DNS_STATE_H
#define SERVICE_DNS_STATE_H

#include "service/dns.h"
#include "wire/dns.h"

#define DNS_SERVERS_MAX		8
#define DNS_QUESTION_BYTES	1280	/* longest question carried */
#define DNS_ANSWER_BYTES	65535
#define DNS_PIPELINE_MAX	16	/* unanswered questions per stream */

/*
 * One question on its way. UDP questions go upstream over UDP, those of a
 * stream over TCP.
 */
struct dns_query {
	uint32_t gen;			/* of the handle; never 0 in use */
	uint32_t next_free;		/* slot + 1 */
	bool used;
	bool v6_sock;			/* family of sock */
	bool by_stream;			/* else by `to` */
	struct timer timer;
	uint64_t give_up_ns;
	unsigned server, tries;
	int sock;			/* upstream; -1 none */
	uint16_t upstream_id;
	struct dns_reply_to to;
	struct handle stream;		/* if by_stream */
	uint16_t len;			/* bytes of question */
	uint8_t question[2 + DNS_QUESTION_BYTES];	/* from [2] on; before
					   it room for the length of TCP */
	/* upstream over TCP */
	uint32_t sent, got;
	uint8_t prefix[2];		/* of the answer: its length */
	uint8_t *answer;		/* env memory of answer_cap, or NULL */
	size_t answer_cap;
};

/* An answer that waits to be read by the guest's stream. */
struct dns_out {
	struct dns_out *next;
	size_t cap;			/* of this block of env memory */
	uint32_t len, at;		/* bytes behind this head; read so far */
};

struct dns_stream {
	uint32_t gen;
	uint32_t next_free;
	bool used, eof;
	struct handle owner;
	unsigned pending;		/* questions without answer */
	uint32_t in_len;
	uint8_t in[2 + DNS_QUESTION_BYTES];
	struct dns_out *out, **out_end;
};

struct dns {
	struct dns_setup setup;
	struct env env;
	struct dns_ops ops;
	struct wheel *wheel;
	uint64_t now_ns;
	struct endpoint servers[DNS_SERVERS_MAX];
	size_t n_servers;
	unsigned good;			/* the server that answered last */
	uint32_t in_flight;
	uint32_t query_fresh, query_free, stream_fresh, stream_free;
	struct dns_query queries[DNS_QUERIES_MAX];
	struct dns_stream streams[DNS_STREAMS_MAX];
};

/* dns_names.c: answer a question about our own names, if it is one. */
MUST bool dns_own_answer(const struct dns *dns, const struct dns_question *q,
			 struct wr *w);

/* dns.c: take a question; answered at once or later, exactly once. */
void dns_ask(struct dns *dns, const struct dns_reply_to *to,
	     const struct handle *stream, struct view msg);
void dns_finish(struct dns *dns, struct dns_query *q, const uint8_t *msg,
		size_t len);
/* This try came to nothing: the next server, or SERVFAIL. */
void dns_next_try(struct dns *dns, struct dns_query *q);
struct handle dns_query_handle(const struct dns *dns,
			       const struct dns_query *q);

/* dns_stream.c */
void dns_stream_answer(struct dns *dns, struct handle stream,
		       const uint8_t *msg, size_t len);
void dns_tcp_start(struct dns *dns, struct dns_query *q);
void dns_tcp_event(struct dns *dns, struct dns_query *q);
void dns_tcp_stop(struct dns *dns, struct dns_query *q);

#endif
