/* SPDX-License-Identifier: MIT */
/*
 * service/dns.h - the gateway's DNS server: a forwarder that always answers.
 *
 * Questions come from the guest over UDP (dns_udp_query()) or TCP (a
 * stream end, dns_stream_*), go to the host's resolvers over sockets of
 * env, and are answered exactly once: by the resolver's answer, or with
 * SERVFAIL when none came within DNS_GIVE_UP_NS or none is known.
 */
#ifndef SERVICE_DNS_H
#define SERVICE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/handle.h"
#include "base/siphash.h"
#include "base/span.h"
#include "base/wheel.h"
#include "env/env.h"

#define DNS_QUERIES_MAX		1024	/* in flight; over it: SERVFAIL */
#define DNS_STREAMS_MAX		256	/* guest's TCP connections to us */
#define DNS_GIVE_UP_NS		(5 * UINT64_C(1000000000))
#define DNS_TRY_NS		(1 * UINT64_C(1000000000))	/* per server */
#define DNS_SLOT_BASE		0x40000000u	/* owner handles of ours */

struct dns_setup {
	struct ip gateway4, gateway6, guest4, guest6;
	bool v6;
	bool host_access;	/* false: host.* names are not answered */
	char guest_name[64];	/* "" none */
};

/* How an answer to a UDP question reaches the guest. msg is borrowed. */
struct dns_reply_to {
	struct endpoint guest;	/* asked from there */
	struct ip gateway;	/* asked this address of ours */
};

struct dns_ops {
	void (*udp_answer)(void *ctx, const struct dns_reply_to *to,
			   const uint8_t *msg, size_t len);
	/* The stream's owner shall look again: readable, writable, failed. */
	void (*stream_event)(void *ctx, struct handle owner, unsigned events);
	void *ctx;
};

struct dns;

size_t dns_bytes(void);
/* Names host.slipway.internal and friends, the guest's, forward + PTR. */
struct dns *dns_init(void *mem, const struct dns_setup *setup,
		     const struct env *env, const struct dns_ops *ops,
		     struct wheel *wheel, uint64_t now_ns);
void dns_fini(struct dns *dns);
void dns_set_resolvers(struct dns *dns, const struct endpoint *at, size_t n);

/* A question's UDP payload; anything is safe. Answers later or at once. */
void dns_udp_query(struct dns *dns, const struct dns_reply_to *to,
		   struct view msg, uint64_t now_ns);

/*
 * A new stream of the guest's to port 53: its id for dns_stream_ops(), or
 * -ENV_LIMIT. The ops' ctx is the struct dns.
 */
int dns_stream_open(struct dns *dns, struct handle owner, uint64_t now_ns);
const struct stream_ops *dns_stream_ops(void);

/* Event of a socket whose owner handle has slot >= DNS_SLOT_BASE. */
void dns_sock_event(struct dns *dns, struct handle h, unsigned events,
		    uint64_t now_ns);

/* A timer popped from the wheel: ours? Then handled, and true. */
bool dns_timer(struct dns *dns, struct timer *t, uint64_t now_ns);

/* Queries in flight now, for stats and leak checks. */
uint32_t dns_in_flight(const struct dns *dns);

#endif
