/* SPDX-License-Identifier: MIT */
#include "wire/dns_records.h"

#include "base/wr.h"
#include "wire/dns.h"

enum {
	FLAGS_RCODE = 15, FLAGS_TC = 0x0200,
	LABEL_MAX = 63,
	SOA_NUMBERS = 20,		/* bytes behind its two names */
};

/* Step over a name: labels, then an end or a pointer. */
static bool skip_name(struct rd *r)
{
	for (;;) {
		const uint8_t len = rd_u8(r);

		if (r->bad)
			return false;
		if (len >> 6 == 3) {
			rd_u8(r);
			return !r->bad;
		}
		if (len > LABEL_MAX)
			return false;
		if (!len)
			return true;
		rd_bytes(r, len);
	}
}

bool dns_next_record(struct rd *r, struct dns_record *out)
{
	if (!skip_name(r))
		return false;
	out->type = rd_be16(r);
	out->class = rd_be16(r);
	out->ttl_at = r->p;
	out->ttl = rd_be32(r);
	out->data = rd_cut(r, rd_be16(r));
	return !r->bad;
}

struct sections {
	uint16_t flags;
	unsigned answers, authorities, others;
};

/* Header and question are behind r then. */
static bool skip_question(struct rd *r, struct sections *out)
{
	uint16_t questions;

	rd_be16(r);
	out->flags = rd_be16(r);
	questions = rd_be16(r);
	out->answers = rd_be16(r);
	out->authorities = rd_be16(r);
	out->others = rd_be16(r);
	if (r->bad || questions != 1 || !skip_name(r))
		return false;
	rd_be32(r);
	return !r->bad;
}

/* The last field of an SOA: for how long there is nothing. */
static uint32_t soa_minimum(struct rd data)
{
	if (data.left < SOA_NUMBERS)
		return 0;
	rd_bytes(&data, data.left - 4);
	return rd_be32(&data);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

bool dns_ttl(struct view msg, uint32_t *ttl_s)
{
	struct rd r = rd(msg.p, msg.len);
	struct sections s;
	struct dns_record rec;
	uint32_t ttl = UINT32_MAX;
	bool soa = false;
	unsigned rcode;

	if (!skip_question(&r, &s) || s.flags & FLAGS_TC)
		return false;
	rcode = s.flags & FLAGS_RCODE;
	if (rcode != DNS_NOERROR && rcode != DNS_NXDOMAIN)
		return false;
	for (unsigned i = 0; i < s.answers + s.authorities + s.others; i++) {
		if (!dns_next_record(&r, &rec))
			return false;
		if (rec.type == DNS_OPT)
			continue;
		/* Over 31 bits: as if it were 0 (RFC 2181 section 8). */
		ttl = least(ttl, rec.ttl >> 31 ? 0 : rec.ttl);
		if (rec.type == DNS_SOA && i >= s.answers &&
		    i < s.answers + s.authorities) {
			soa = true;
			ttl = least(ttl, soa_minimum(rec.data));
		}
	}
	if (!ttl || ttl == UINT32_MAX ||
	    ((rcode != DNS_NOERROR || !s.answers) && !soa))
		return false;
	*ttl_s = ttl;
	return true;
}

bool dns_has_answers(struct view msg)
{
	struct rd r = rd(msg.p, msg.len);
	struct sections s;

	return skip_question(&r, &s) && s.answers;
}

void dns_age(struct span msg, uint32_t age_s)
{
	struct rd r = rd(msg.p, msg.len);
	struct sections s;
	struct dns_record rec;
	unsigned left;

	if (!skip_question(&r, &s))
		return;
	left = s.answers + s.authorities + s.others;
	while (left-- && dns_next_record(&r, &rec)) {
		struct wr w = wr((uint8_t *)msg.p +
				 (rec.ttl_at - (const uint8_t *)msg.p), 4);

		if (rec.type != DNS_OPT)
			wr_be32(&w, rec.ttl > age_s ? rec.ttl - age_s : 0);
	}
}
