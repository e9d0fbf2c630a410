/* SPDX-License-Identifier: MIT */
/* service/dns_state.h - what the files of the DNS service share. */
#ifndef SERVICE_DNS_STATE_H
#define SERVICE_DNS_STATE_H

#include "base/siphash.h"
#include "service/dns.h"
#include "service/dns_cache.h"
#include "wire/dns.h"

#define DNS_QUESTION_BYTES	1280	/* longest question carried */
#define DNS_ANSWER_BYTES	65535
#define DNS_SMALL_BYTES		1500	/* any answer that we make ourselves */
#define DNS_PIPELINE_MAX	16	/* on a stream: without answer, or with
					   one that was not read yet */
#define DNS_CHAINS		256u	/* of the index of queries */

/*
 * Servers: first those for all names, then those of each domain in turn,
 * each at a place of its own.
 */
#define DNS_SERVERS_ALL	(DNS_SERVERS_MAX +				\
			 DNS_ZONES_MAX * DNS_ZONE_SERVERS_MAX)

/* A server of the host's, and what became of what it was asked. */
struct dns_server {
	struct endpoint at;
	unsigned failures;		/* in a row; none of them an answer */
	uint64_t down_until_ns;		/* the others are asked before it */
	uint64_t tcp_until_ns;		/* it answered by TCP alone */
	bool folds_case;		/* answers without the case asked */
};

/* Who waits for the answer of a query: a question of the guest's. */
struct dns_asker {
	uint32_t next;			/* slot + 1: of the query, or free */
	uint8_t guest;			/* as ops.share has it */
	bool by_stream;
	struct dns_reply_to to;		/* unless by_stream */
	struct handle stream;
	bool edns, dnssec_ok;
	uint16_t udp_bytes;
	uint16_t len;
	uint8_t wire[DNS_HEADER_BYTES + DNS_QUESTION_OCTETS];	/* as asked */
};

/* One question on its way to the servers. */
struct dns_query {
	uint32_t gen;			/* of the handle; never 0 in use */
	uint32_t next_free;		/* slot + 1 */
	bool used;
	bool full;			/* a cut answer is of no use: TCP */
	struct timer timer;
	uint64_t give_up_ns;
	unsigned round;			/* times that all servers were asked */
	unsigned server;		/* asked last */
	unsigned tcp_server;		/* that `tcp` leads to */
	/* Servers, a bit each: asked in this round; that cannot answer by
	   UDP, by TCP, or at all; asked by UDP since the socket is open. */
	unsigned zone;			/* number + 1; 0: of all names */
	unsigned asked, failed_udp, failed_tcp, failed, asked_udp;
	uint8_t rcode;			/* what one of them said; 0 none */
	int udp[2], tcp;		/* sockets, [IPv6]; -1 none */
	uint16_t id;
	uint32_t askers;		/* slot + 1 of the first */
	uint64_t hash;			/* of the key, if there is one */
	uint32_t next_same;		/* slot + 1, in its chain */
	uint16_t key_len;		/* 0: neither joined nor kept */
	uint8_t key[DNS_KEY_BYTES];
	uint16_t question_len;		/* header and question only */
	uint16_t len;			/* bytes of the query */
	uint8_t query[2 + DNS_QUESTION_BYTES];	/* from [2] on; before it
					   room for the length of TCP */
	/* over TCP */
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
	bool used;
	bool eof;			/* the guest has said all */
	bool idle;			/* and we have, being left alone */
	bool broken;			/* an answer was lost: to be reset */
	uint8_t guest;			/* as ops.share has it */
	struct handle owner;
	struct timer timer;		/* RFC 7766 section 6.2.3 */
	unsigned pending;		/* questions without answer */
	unsigned unread;		/* answers not read */
	uint32_t in_len;
	uint8_t in[2 + DNS_QUESTION_BYTES];
	struct dns_out *out, **out_end;
};

struct dns {
	struct dns_setup setup;
	struct env env;
	struct dns_ops ops;
	struct wheel *wheel;
	const uint64_t *now_ns;
	struct siphash_key key;
	struct dns_server servers[DNS_SERVERS_ALL];
	unsigned n_servers;		/* for all names */
	struct dns_zone zones[DNS_ZONES_MAX];
	unsigned n_zones;
	struct hosts hosts;
	struct dns_guest guests[DNS_GUESTS_MAX];
	unsigned n_guests;		/* none has a name from there on */
	struct dns_stats stats;
	uint32_t in_flight;
	uint32_t query_fresh, query_free, stream_fresh, stream_free;
	uint32_t asker_fresh, asker_free;
	uint32_t askers_of[DNS_GUESTS_MAX], streams_of[DNS_GUESTS_MAX];
	uint32_t chain[DNS_CHAINS];	/* of queries with a key: slot + 1 */
	struct dns_cache cache;
	struct dns_query queries[DNS_QUERIES_MAX];
	struct dns_stream streams[DNS_STREAMS_MAX];
	struct dns_asker askers[DNS_ASKERS_MAX];
};

/* dns_names.c: answer a question about names of ours, if it is one; about
   those of the hosts file. */
MUST bool dns_own_answer(const struct dns *dns, const struct dns_question *q,
			 struct wr *w);
MUST bool dns_hosts_answer(const struct dns *dns,
			   const struct dns_question *q, struct wr *w);

/* dns.c: take a question; answered at once or later, exactly once. */
void dns_ask(struct dns *dns, const struct dns_reply_to *to,
	     const struct handle *stream, struct view msg);
/* To each who asks, the answer; its bytes are changed. The query is over. */
void dns_finish(struct dns *dns, struct dns_query *q, struct span msg);
/* To each who asks, an error. The query is over. */
void dns_fail(struct dns *dns, struct dns_query *q, enum dns_rcode rcode);
struct handle dns_query_handle(const struct dns *dns,
			       const struct dns_query *q);

/* dns_upstream.c: the domain of a name, as in struct dns_query. */
unsigned dns_zone_of(const struct dns *dns, const char *name);
/* Who may be asked for names of that domain, a bit each. */
unsigned dns_servers_of(const struct dns *dns, unsigned zone);
/*
 * dns_upstream.c: begin to ask the servers; the query may be over already
 * when it returns.
 */
void dns_upstream_start(struct dns *dns, struct dns_query *q);
void dns_upstream_event(struct dns *dns, struct dns_query *q, unsigned events);
void dns_upstream_timer(struct dns *dns, struct dns_query *q);
void dns_upstream_close(struct dns *dns, struct dns_query *q);
/*
 * What came from a server, by either transport: is it an answer, and the
 * query over, or tried elsewhere? Else false.
 */
MUST bool dns_upstream_take(struct dns *dns, struct dns_query *q,
			    unsigned server, bool by_tcp, struct span msg);
/* A server cannot be reached that way: perhaps the next try, or the end. */
void dns_upstream_failed(struct dns *dns, struct dns_query *q,
			 unsigned server, bool by_tcp);
/* The servers are others now: forget what those before were asked. */
void dns_upstream_reset(struct dns *dns, struct dns_query *q);

/* dns_tcp.c: a try over TCP, instead of the one before. 0 or -ENV_*. */
MUST int dns_tcp_start(struct dns *dns, struct dns_query *q, unsigned server);
void dns_tcp_event(struct dns *dns, struct dns_query *q);
void dns_tcp_close(struct dns *dns, struct dns_query *q);

/* As ops.share(). */
int dns_share(struct dns *dns, const uint32_t *has, uint32_t all,
	      const struct dns_reply_to *to, struct handle owner);

/* dns_stream.c: whose a stream is, which may have gone. */
struct handle dns_stream_owner(const struct dns *dns, struct handle stream);
void dns_stream_answer(struct dns *dns, struct handle stream,
		       const uint8_t *msg, size_t len);
void dns_stream_timer(struct dns *dns, struct dns_stream *s);
/* A block of env memory for n bytes; a power of two. NULL without. */
void *dns_block(struct dns *dns, size_t n, size_t *cap);

#endif
