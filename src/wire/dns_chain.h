/* SPDX-License-Identifier: MIT */
/*
 * wire/dns_chain.h - the addresses that an answer has for its question
 *
 * Source: RFC 1034 section 3.6.2 (aliases), RFC 1035 section 4.1.4
 * (compression).
 */
#ifndef WIRE_DNS_CHAIN_H
#define WIRE_DNS_CHAIN_H

#include <stdint.h>

#include "base/addr.h"
#include "base/span.h"

#define DNS_CHAIN_LINKS		16	/* aliases that are followed */
#define DNS_CHAIN_RECORDS	256	/* of the answer that are looked at */

struct dns_address {
	struct ip ip;
	uint32_t ttl_s;			/* the least on the way to it */
};

/**
 * dns_addresses() - what an answer says of the name that was asked for
 * @msg: anything
 * @out: gets at most max
 *
 * Those are the A and AAAA records of the answer section whose owner is the
 * name of the question, or what that is an alias of (CNAME), in any order.
 * Records of other names or in other sections do not count, nor do the
 * hints of SVCB and HTTPS, nor an AAAA that is a mapped IPv4 address.
 *
 * Return: how many were written.
 */
unsigned dns_addresses(struct view msg, struct dns_address *out, unsigned max);

#endif
