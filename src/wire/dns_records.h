/* SPDX-License-Identifier: MIT */
/*
 * wire/dns_records.h - the records of a DNS message (RFC 1035 section 4.1.3)
 *
 * How long an answer holds, and the same answer some seconds later.
 */
#ifndef WIRE_DNS_RECORDS_H
#define WIRE_DNS_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/rd.h"
#include "base/span.h"

enum { DNS_SOA = 6, DNS_OPT = 41 };	/* types; OPT: RFC 6891 */

struct dns_record {
	uint16_t type, class;
	uint32_t ttl;			/* of OPT: flags instead */
	const uint8_t *ttl_at;		/* where it stands */
	struct rd data;
};

/*
 * The record at r, which steps over it; owner names may be compressed and
 * are not followed. false: none that is whole; r is of no more use.
 */
MUST bool dns_next_record(struct rd *r, struct dns_record *out);

/**
 * dns_ttl() - for how long an answer may be kept
 * @msg: an answer with one question, as dns_answers() takes it
 * @ttl_s: seconds, > 0; written on success only
 *
 * The least TTL of all its records (RFC 2181 section 5.2); if it says that
 * there is nothing, at most as the zone's SOA has it (RFC 2308 section 5).
 *
 * Return: false if it may not be kept: truncated, an error other than
 * NXDOMAIN, nothing without an SOA, a TTL of 0, or malformed.
 */
MUST bool dns_ttl(struct view msg, uint32_t *ttl_s);

/* Does the answer section hold anything? */
bool dns_has_answers(struct view msg);

/*
 * Take age_s off each TTL of an answer that dns_ttl() accepted, down to 0.
 */
void dns_age(struct span msg, uint32_t age_s);

#endif
