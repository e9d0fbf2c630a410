/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/dns.c - questions, and answers to them
 *
 * The input is two messages: two bytes of length, the question, and then
 * what somebody might answer.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rd.h"
#include "fuzz/fuzz.h"
#include "wire/dns.h"
#include "wire/dns_chain.h"
#include "wire/dns_records.h"

static bool is_name(const char *s)
{
	const char *all = "abcdefghijklmnopqrstuvwxyz0123456789-_.\\";
	const size_t n = strlen(s);

	return n < DNS_NAME_TEXT_BYTES && strspn(s, all) == n;
}

/* Our answer is one, and as a question it asks what was asked. */
static void check_answer(const struct dns_question *q, uint8_t *msg,
			 size_t len)
{
	const struct view m = { .p = msg, .len = len };
	bool response, truncated;
	struct dns_question again;
	uint8_t rcode;
	uint16_t id;

	PROPERTY(dns_parse_header(m, &id, &response, &truncated, &rcode) ==
		 DROP_OK);
	PROPERTY(id == q->id && response && !truncated);
	PROPERTY(dns_answers(m, q->wire));
	PROPERTY(dns_parse_query(m, &again) == DROP_NOTOURS);
	msg[2] &= 0x7f;
	PROPERTY(dns_parse_query(m, &again) == DROP_OK);
	PROPERTY(!strcmp(q->name, again.name));
	PROPERTY(q->type == again.type && q->class == again.class);
	PROPERTY(q->opcode == again.opcode);
	/* Records of an answer to a question for OPT read as one. */
	PROPERTY(q->edns == again.edns || q->type == DNS_OPT);
	PROPERTY(q->recursion_desired == again.recursion_desired);
}

/* Of an answer with n records the addresses are found again. */
static void check_addresses(const struct dns_question *q, const uint8_t *msg,
			    size_t len, size_t n, const struct ip *addrs)
{
	const struct view m = { .p = msg, .len = len };
	struct dns_address at[4];
	const unsigned found = dns_addresses(m, at, 4);

	PROPERTY(found <= n);
	if (q->opcode || (q->type != DNS_A && q->type != DNS_AAAA))
		return;
	for (unsigned i = 0; i < found; i++)
		PROPERTY(at[i].ttl_s == 60 &&
			 ip_equal(&at[i].ip, &addrs[q->type == DNS_AAAA]));
	PROPERTY(found == (q->type == DNS_A ? n >= 1 : n >= 2));
}

static void answer(const struct dns_question *q)
{
	const struct ip addrs[] = { ip_from_v4(0xc0000201), { { 0x20, 1 } } };
	uint8_t buf[1280];
	struct wr w;

	for (size_t n = 0; n <= 2; n++) {
		w = wr(buf, sizeof(buf));
		dns_emit_response(&w, q, n ? DNS_NOERROR : DNS_NXDOMAIN,
				  addrs, n, 60);
		PROPERTY(!w.bad);
		check_addresses(q, buf, sizeof(buf) - w.left, n, addrs);
		check_answer(q, buf, sizeof(buf) - w.left);
	}
	w = wr(buf, DNS_REFUSAL_BYTES);
	dns_emit_refusal(&w, q);
	PROPERTY(!w.bad);
	check_answer(q, buf, DNS_REFUSAL_BYTES - w.left);
	w = wr(buf, sizeof(buf));
	dns_emit_ptr(&w, q, "host.slipway.internal", 60);
	PROPERTY(!w.bad);
	check_answer(q, buf, sizeof(buf) - w.left);
	/* A name out of a packet: too long is said, not written. */
	w = wr(buf, sizeof(buf));
	dns_emit_ptr(&w, q, q->name, 60);
	if (!w.bad)
		check_answer(q, buf, sizeof(buf) - w.left);
}

/* Our own query asks the same, whatever becomes of its case. */
static void check_query(const struct dns_question *q)
{
	uint8_t buf[DNS_QUERY_BYTES], key[DNS_KEY_BYTES];
	uint8_t key2[DNS_KEY_BYTES], chance[DNS_QUESTION_OCTETS / 8 + 1];
	struct wr w = wr(buf, sizeof(buf));
	struct dns_question again;
	size_t len;

	dns_emit_query(&w, q);
	PROPERTY(!w.bad);
	for (size_t i = 0; i < sizeof(chance); i++)
		chance[i] = (uint8_t)(q->id >> i % 9);
	dns_mix_case(buf, q, chance);
	PROPERTY(dns_parse_query((struct view){ .p = buf,
				 .len = sizeof(buf) - w.left }, &again) ==
		 DROP_OK);
	PROPERTY(again.plain && !strcmp(q->name, again.name));
	PROPERTY(q->flags == again.flags && q->edns == again.edns &&
		 q->dnssec_ok == again.dnssec_ok);
	len = dns_key(q, key);
	PROPERTY(len <= DNS_KEY_BYTES && len == dns_key(&again, key2) &&
		 !memcmp(key, key2, len));
}

/* Somebody's answer: how long it holds, and some seconds later. */
static void check_ttl(const struct dns_question *q, struct view other)
{
	uint8_t *copy = malloc(other.len + 1);
	const struct span s = { .p = copy, .len = other.len };
	const struct view v = { .p = copy, .len = other.len };
	uint32_t ttl = 0, less = 0;

	if (!copy || !other.len) {
		free(copy);
		return;
	}
	memcpy(copy, other.p, other.len);
	if (dns_answers_folded(v, q->wire) && dns_answer_for(s, q))
		PROPERTY(dns_answers(v, q->wire));
	if (dns_ttl(v, &ttl)) {
		PROPERTY(ttl > 0 && !(ttl >> 31));
		(void)dns_has_answers(v);
		dns_age(s, ttl - 1);
		PROPERTY(dns_ttl(v, &less) && less >= 1 && less <= ttl);
	}
	free(copy);
}

static void check_question(const struct dns_question *q, struct view msg,
			   struct view other)
{
	struct ip ip;

	PROPERTY(is_name(q->name));
	PROPERTY(q->wire.p == msg.p && q->wire.len <= msg.len);
	PROPERTY(q->wire.len >= DNS_HEADER_BYTES + 5);
	PROPERTY(q->udp_bytes >= DNS_UDP_PLAIN_BYTES);
	PROPERTY(!dns_answers(msg, q->wire));	/* a question does not */
	answer(q);
	(void)dns_answers(other, q->wire);
	check_query(q);
	check_ttl(q, other);
	if (dns_reverse_address(q->name, &ip))
		PROPERTY(strstr(q->name, ".arpa"));
}

/* Whatever it is: what is found in it stands in it. */
static void check_chain(struct view msg)
{
	struct dns_address at[4];
	const unsigned n = dns_addresses(msg, at, 4);

	PROPERTY(n <= 4 && dns_addresses(msg, at, 0) == 0);
	for (unsigned i = 0; i < n; i++) {
		const size_t skip = ip_is4(&at[i].ip) ? 12 : 0;
		bool there = false;

		for (size_t k = DNS_HEADER_BYTES; k + 16 - skip <= msg.len; k++)
			there |= !memcmp(msg.p + k, at[i].ip.b + skip,
					 16 - skip);
		PROPERTY(there && !(at[i].ttl_s >> 31));
	}
}

static void any_message(struct view msg)
{
	uint8_t buf[DNS_HEADER_BYTES], rcode = 77;
	struct wr w = wr(buf, sizeof(buf));
	bool response, truncated;
	uint16_t id = 7777;

	if (dns_parse_header(msg, &id, &response, &truncated, &rcode) ==
	    DROP_OK)
		PROPERTY(rcode < 16 && msg.len >= DNS_HEADER_BYTES);
	else
		PROPERTY(id == 7777 && rcode == 77);
	if (msg.len < 2)
		return;
	dns_emit_error(&w, msg, DNS_FORMERR);
	PROPERTY(!w.bad && !w.left && !memcmp(buf, msg.p, 2));
	PROPERTY(dns_parse_header((struct view){ .p = buf,
						 .len = sizeof(buf) },
				  &id, &response, &truncated, &rcode) ==
		 DROP_OK);
	PROPERTY(response && rcode == DNS_FORMERR);
}

void fuzz_dns(const uint8_t *data, size_t size)
{
	struct rd r = rd(data, size);
	const size_t len = rd_be16(&r);
	struct rd first = rd_cut(&r, len < r.left ? len : r.left);
	const struct view msg = { .p = first.p, .len = first.left };
	const struct view other = { .p = r.p, .len = r.left };
	struct dns_question q = { .id = 7777, .name = "before" };

	if (!msg.p)
		return;
	any_message(msg);
	check_chain(msg);
	check_chain(other);
	if (dns_parse_query(msg, &q) == DROP_OK)
		check_question(&q, msg, other);
	else
		PROPERTY(q.id == 7777 && !strcmp(q.name, "before"));
}
