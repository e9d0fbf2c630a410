/* SPDX-License-Identifier: MIT */
/* wire/dns.h - DNS messages as far as a forwarder reads them (RFC 1035). */
#ifndef WIRE_DNS_H
#define WIRE_DNS_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/span.h"
#include "base/wr.h"

#define DNS_HEADER_BYTES	12
#define DNS_NAME_TEXT_BYTES	1025	/* 255 octets, all escaped, and NUL */
#define DNS_UDP_PLAIN_BYTES	512	/* without EDNS */

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_ANY = 255 };
enum dns_rcode {
	DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5,
};

struct dns_question {
	uint16_t id;
	uint8_t opcode;			/* 0: standard query */
	bool recursion_desired;
	uint16_t type, class;
	char name[DNS_NAME_TEXT_BYTES];	/* lower case, no final dot; "" root;
					   odd bytes as \DDD */
	uint16_t udp_bytes;		/* EDNS payload size; 512 without */
	bool edns;
	struct view wire;		/* header and question section */
};

/**
 * dns_parse_query() - read a message that asks exactly one question
 * @out: written on success only; wire points into msg
 *
 * Return: DROP_OK, DROP_SHORT, DROP_NOTOURS (a response), DROP_VALUE
 * (not one question, compression in the question, label or name too long).
 */
MUST enum drop dns_parse_query(struct view msg, struct dns_question *out);

/*
 * The question of any message with a readable header: its id and whether
 * it is a response. DROP_SHORT under 12 bytes.
 */
MUST enum drop dns_parse_header(struct view msg, uint16_t *id,
				bool *response, bool *truncated,
				uint8_t *rcode);

/*
 * Does response `msg` answer the question sent as `query` (same id not
 * asked; same question section byte for byte, case included)?
 */
bool dns_answers(struct view msg, struct view query_wire);

/* Write 16 bits of id over the first two bytes of a message of >= 2 bytes. */
void dns_set_id(uint8_t *msg, uint16_t id);

/*
 * Write a response to q: its question, rcode, RA set, and n address
 * records (all of type q->type; n may be 0) of the given TTL in seconds.
 * If q->edns, an OPT record of 1232 bytes follows.
 */
void dns_emit_response(struct wr *w, const struct dns_question *q,
		       enum dns_rcode rcode, const struct ip *addrs,
		       size_t n, uint32_t ttl_s);

/* As above with one PTR record that names `name` (dotted text). */
void dns_emit_ptr(struct wr *w, const struct dns_question *q,
		  const char *name, uint32_t ttl_s);

/*
 * Write an answer for a query that could not be read: the header with the
 * query's id, QR and rcode, and no question. msg has at least 2 bytes.
 */
void dns_emit_error(struct wr *w, struct view msg, enum dns_rcode rcode);

/* Is name "…in-addr.arpa" or "…ip6.arpa" of one whole address? */
MUST bool dns_reverse_address(const char *name, struct ip *out);

#endif
