/* SPDX-License-Identifier: MIT */
/*
 * service/dns.h - the gateway's DNS server: a forwarder that always answers.
 *
 * Questions come from the guest over UDP (dns_udp_query()) or TCP (a
 * stream end, dns_stream_*). They are answered from our own names, the
 * host's hosts file, or what is kept of earlier answers; else they go to
 * the host's resolvers over sockets of env. Before all but the first of
 * these stands the gate of dns_ops: a name that may not be asked for is
 * REFUSED. Each is answered exactly once: by a resolver, or with SERVFAIL
 * when none answered within DNS_GIVE_UP_NS, none can, or none is known.
 */
#ifndef SERVICE_DNS_H
#define SERVICE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/dns_zone.h"
#include "base/handle.h"
#include "base/hosts.h"
#include "base/span.h"
#include "base/wheel.h"
#include "env/env.h"

#define DNS_SERVERS_MAX		8
#define DNS_QUERIES_MAX		1024	/* in flight; over it: SERVFAIL */
#define DNS_ASKERS_MAX		2048	/* questions that wait for those */
#define DNS_GUESTS_MAX		64
#define DNS_STREAMS_MAX		256	/* guest's TCP connections to us */
#define DNS_SECOND_NS		UINT64_C(1000000000)
/* A stub resolver's own patience is 5 s: it shall hear of ours. */
#define DNS_GIVE_UP_NS		(4 * DNS_SECOND_NS)
/* Then the next server is asked as well (UDP), or instead (TCP). */
#define DNS_TRY_NS		(DNS_SECOND_NS / 2)
#define DNS_TCP_TRY_NS		(3 * DNS_SECOND_NS / 2)
/* A guest's TCP connection without a question on it (RFC 7766, 6.2.3). */
#define DNS_IDLE_NS		(30 * DNS_SECOND_NS)
#define DNS_SLOT_BASE		0x40000000u	/* owner handles of ours */

struct dns_setup {
	struct ip gateway4, gateway6;
	bool v6;
	bool host_access;	/* false: host.* names are not answered */
};

/* A guest's name, and what it stands for. */
struct dns_guest {
	const char *name;	/* lent for good; NULL, "": none */
	struct ip ip4, ip6;	/* ip6: ::, none */
};

/* How an answer to a UDP question reaches the guest. msg is borrowed. */
struct dns_reply_to {
	struct endpoint guest;	/* asked from there */
	struct ip gateway;	/* asked this address of ours */
};

/* An address that the guest is given for a name that is not our own. */
struct dns_answered {
	const char *name;	/* that it asked for: lower case, no final
				   dot, odd bytes as \DDD; borrowed */
	struct ip ip;
	uint32_t ttl_s;
};

enum dns_gate {
	DNS_MAY_ASK,		/* and say what it likes */
	DNS_MAY_ASK_PLAINLY,	/* for the name, and no word more */
	DNS_MAY_NOT_ASK,
};

struct dns_ops {
	/*
	 * May the guest ask for a name that is not our own? What it may not
	 * is refused and goes nowhere. The question came over UDP (to), or
	 * on a stream (to: NULL). NULL: it may.
	 */
	enum dns_gate (*gate)(void *ctx, const char *name,
			      const struct dns_reply_to *to,
			      struct handle owner);
	/*
	 * May who asks have one more of `all`, of which each guest has has[]?
	 * Its number, below DNS_GUESTS_MAX, or -1. NULL: it may, as 0.
	 */
	int (*share)(void *ctx, const uint32_t *has, uint32_t all,
		     const struct dns_reply_to *to, struct handle owner);
	/*
	 * Of each such address, before the answer goes out to who asked, as
	 * for gate. May be NULL.
	 */
	void (*answered)(void *ctx, const struct dns_answered *what,
			 const struct dns_reply_to *to, struct handle owner);
	void (*udp_answer)(void *ctx, const struct dns_reply_to *to,
			   const uint8_t *msg, size_t len);
	/* The stream's owner shall look again: readable, writable, failed. */
	void (*stream_event)(void *ctx, struct handle owner, unsigned events);
	void *ctx;
};

/* Since the start. */
struct dns_stats {
	uint64_t questions;	/* of the guest's that are questions */
	uint64_t from_cache;
	uint64_t failed;	/* no server answered: SERVFAIL from us */
	uint64_t refused;	/* by the gate */
	uint64_t kept_bytes;	/* now: memory for answers */
};

struct dns;

size_t dns_bytes(void);
/*
 * Make the service in mem (zeroed, dns_bytes() long). now_ns is the caller's
 * clock, lent for as long as the service lives: the time of each call.
 */
struct dns *dns_init(void *mem, const struct dns_setup *setup,
		     const struct env *env, const struct dns_ops *ops,
		     struct wheel *wheel, const uint64_t *now_ns);
void dns_fini(struct dns *dns);

/*
 * The servers, best first, n <= DNS_SERVERS_MAX: one is asked if those
 * before it do not answer. What is kept of answers is dropped. The same ones
 * again: as dns_routes_changed().
 */
void dns_set_resolvers(struct dns *dns, const struct endpoint *at, size_t n);

/* Servers that it may ask, those of single domains last; n at most. How many. */
unsigned dns_servers(const struct dns *dns, struct ip *out, unsigned n);

/*
 * Domains with servers of their own, which alone are asked for their names; of
 * two that hold a name the longer one counts. n <= DNS_ZONES_MAX; before the
 * first question.
 */
void dns_set_zones(struct dns *dns, const struct dns_zone *zones, size_t n);

/*
 * The same servers may be others now, or have others behind them: the host's
 * routes or addresses have changed. What is kept is dropped, what is asked
 * is asked again, and nobody is thought to be down.
 */
void dns_routes_changed(struct dns *dns);

/* Guest number id, below DNS_GUESTS_MAX, has that name from now on. */
void dns_set_guest(struct dns *dns, unsigned id, const struct dns_guest *g);

/* The host's hosts file, lent until the next call; NULL: none. */
void dns_set_hosts(struct dns *dns, const struct hosts *hosts);

/* A question's UDP payload; anything is safe. Answers later or at once. */
void dns_udp_query(struct dns *dns, const struct dns_reply_to *to,
		   struct view msg);

/*
 * A new stream of the guest's to port 53: its id for dns_stream_ops(), or
 * -ENV_LIMIT. The ops' ctx is the struct dns.
 */
int dns_stream_open(struct dns *dns, struct handle owner);
const struct stream_ops *dns_stream_ops(void);

/* Event of a socket whose owner handle has slot >= DNS_SLOT_BASE. */
void dns_sock_event(struct dns *dns, struct handle h, unsigned events);

/* A timer popped from the wheel: ours? Then handled, and true. */
bool dns_timer(struct dns *dns, struct timer *t);

/* Queries in flight now, for stats and leak checks. */
uint32_t dns_in_flight(const struct dns *dns);

void dns_get_stats(const struct dns *dns, struct dns_stats *out);

#endif
