/* SPDX-License-Identifier: MIT */
/*
 * wire/dns.h - DNS messages as far as a forwarder reads them (RFC 1035):
 * questions, answers of our own, and whose answer a message is. What is in
 * the records of others' answers: wire/dns_records.h.
 */
#ifndef WIRE_DNS_H
#define WIRE_DNS_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/span.h"
#include "base/wr.h"

#define DNS_HEADER_BYTES	12
#define DNS_NAME_TEXT_BYTES	1025	/* 255 octets, all escaped, and NUL */
#define DNS_UDP_PLAIN_BYTES	512	/* without EDNS */
#define DNS_NAME_OCTETS		255	/* on the wire, with the root label */
#define DNS_QUESTION_OCTETS	(DNS_NAME_OCTETS + 4)
#define DNS_KEY_BYTES		(DNS_QUESTION_OCTETS + 3)
#define DNS_REFUSAL_BYTES	(DNS_QUERY_BYTES + 64)
#define DNS_QUERY_BYTES		(DNS_HEADER_BYTES + DNS_QUESTION_OCTETS + 11)

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_ANY = 255 };
enum dns_rcode {
	DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5,
};

struct dns_question {
	uint16_t id;
	uint8_t opcode;			/* 0: standard query */
	bool recursion_desired;
	uint16_t flags;			/* RD, AD and CD, as in the header */
	uint16_t type, class;
	char name[DNS_NAME_TEXT_BYTES];	/* lower case, no final dot; "" root;
					   odd bytes as \DDD */
	uint16_t udp_bytes;		/* EDNS payload size; 512 without */
	bool edns;
	bool dnssec_ok;			/* EDNS: DO (RFC 3225) */
	bool plain;			/* nothing in it but the question and
					   perhaps an OPT of version 0 */
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
 * Write q as a query of our own: its id, flags and question; if q->edns, an
 * OPT of ours with q's DO bit, as EDNS is a matter of each hop (RFC 6891
 * section 6.1.1). At most DNS_QUERY_BYTES.
 */
void dns_emit_query(struct wr *w, const struct dns_question *q);

/*
 * The bytes that two plain questions share if one answer serves both: name
 * in lower case, type, class, flags, EDNS. Their number.
 */
size_t dns_key(const struct dns_question *q, uint8_t key[DNS_KEY_BYTES]);

/*
 * Turn the letters of the question in msg, a query that could be parsed,
 * to upper or lower case by the bits of chance, one for each octet
 * (draft-vixie-dnsext-dns0x20).
 */
void dns_mix_case(uint8_t *msg, const struct dns_question *q,
		  const uint8_t chance[DNS_QUESTION_OCTETS / 8 + 1]);

/*
 * Does response `msg` answer the question sent as `query` (same id not
 * asked; same question section byte for byte, case included)? Some servers
 * leave the question out of an error: that counts, too.
 */
bool dns_answers(struct view msg, struct view query_wire);

/* The same, letters of either case being equal. */
bool dns_answers_folded(struct view msg, struct view query_wire);

/*
 * Make msg, which answers a question that differs from q in nothing but id
 * and case, an answer to q. false: it holds no question, as an error may.
 */
MUST bool dns_answer_for(struct span msg, const struct dns_question *q);

/* Set the TC bit of a message of at least DNS_HEADER_BYTES. */
void dns_set_truncated(uint8_t *msg);

/* The same, and no record follows the question any more. */
void dns_set_cut(uint8_t *msg);

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
 * Write REFUSED, and where there is EDNS the reason: 18, Prohibited (RFC 8914
 * section 4.19). At most DNS_REFUSAL_BYTES.
 */
void dns_emit_refusal(struct wr *w, const struct dns_question *q);

/*
 * Write an answer for a query that could not be read: the header with the
 * query's id, QR and rcode, and no question. msg has at least 2 bytes.
 */
void dns_emit_error(struct wr *w, struct view msg, enum dns_rcode rcode);

/* Is name "…in-addr.arpa" or "…ip6.arpa" of one whole address? */
MUST bool dns_reverse_address(const char *name, struct ip *out);

#endif
