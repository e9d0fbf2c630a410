/* SPDX-License-Identifier: MIT */
#include "wire/dns_chain.h"

#include <string.h>

#include "base/rd.h"
#include "wire/dns.h"
#include "wire/dns_records.h"

enum {
	FLAG_RESPONSE = 0x8000, FLAGS_RCODE = 15,
	TYPE_CNAME = 5, CLASS_IN = 1,
	LABEL_MAX = 63,
};

/* A name as on the wire, but in lower case and not compressed. */
struct name {
	size_t len;
	uint8_t b[DNS_NAME_OCTETS];
};

/* Where an answer has got to from its question. */
struct chain {
	struct view msg;
	struct rd answers;		/* at the first record */
	unsigned n;			/* records */
	struct name name;		/* the question's, or an alias of it */
	uint32_t ttl_s;
};

static uint8_t lower(uint8_t c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* One label, or the end. false: too long. */
static bool put_label(struct name *out, struct rd label)
{
	if (out->len + 1 + label.left > sizeof(out->b))
		return false;
	out->b[out->len++] = (uint8_t)label.left;
	while (label.left)
		out->b[out->len++] = lower(rd_u8(&label));
	return true;
}

/*
 * The name at r, which steps over it. A pointer leads to before where it
 * stands and where every one before it led: so there is an end.
 */
static bool read_name(struct view msg, struct rd *r, struct name *out)
{
	size_t before = (size_t)(r->p - msg.p);
	struct rd at = *r;
	bool jumped = false;
	struct rd label;

	out->len = 0;
	do {
		const uint8_t len = rd_u8(&at);

		if (len >> 6 == 3) {
			const size_t to = (len & 63u) << 8 | rd_u8(&at);

			if (at.bad || to >= before)
				return false;
			if (!jumped)
				*r = at;
			jumped = true;
			before = to;
			at = rd(msg.p + to, msg.len - to);
			label.left = 1;
			continue;
		}
		label = rd_cut(&at, len);
		if (at.bad || len > LABEL_MAX || !put_label(out, label))
			return false;
	} while (label.left);
	if (!jumped)
		*r = at;
	return true;
}

static bool same(const struct name *a, const struct name *b)
{
	return a->len == b->len && !memcmp(a->b, b->b, a->len);
}

/* The answers that say something; the chain begins at the question. */
static bool begin(struct chain *c, struct view msg)
{
	struct rd r = rd(msg.p, msg.len);
	uint16_t flags, questions;

	rd_be16(&r);
	flags = rd_be16(&r);
	questions = rd_be16(&r);
	c->n = rd_be16(&r);
	rd_be32(&r);
	if (r.bad || !(flags & FLAG_RESPONSE) ||
	    (flags & FLAGS_RCODE) != DNS_NOERROR || questions != 1)
		return false;
	c->msg = msg;
	if (!read_name(msg, &r, &c->name))
		return false;
	rd_be32(&r);			/* type, class */
	c->answers = r;
	c->ttl_s = UINT32_MAX;
	if (c->n > DNS_CHAIN_RECORDS)
		c->n = DNS_CHAIN_RECORDS;
	return !r.bad;
}

/* The next of *left records that is the name's own. false: there is none. */
static bool next_own(const struct chain *c, struct rd *r, unsigned *left,
		     struct dns_record *rec)
{
	while (*left) {
		struct rd at = *r;
		struct name owner;

		--*left;
		if (!read_name(c->msg, &at, &owner) ||
		    !dns_next_record(r, rec))
			return false;
		if (rec->class == CLASS_IN && same(&owner, &c->name))
			return true;
	}
	return false;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Over 31 bits: as if it were 0 (RFC 2181 section 8). */
static uint32_t ttl_of(const struct dns_record *rec)
{
	return rec->ttl >> 31 ? 0 : rec->ttl;
}

static bool address_of(const struct dns_record *rec, struct ip *out)
{
	struct rd data = rec->data;

	if (rec->type == DNS_A && data.left == 4) {
		*out = ip_from_v4(rd_be32(&data));
		return true;
	}
	if (rec->type != DNS_AAAA || data.left != sizeof(out->b))
		return false;
	memcpy(out->b, rd_bytes(&data, sizeof(out->b)), sizeof(out->b));
	return !ip_is4(out);
}

static unsigned take(const struct chain *c, struct dns_address *out,
		     unsigned max)
{
	struct rd r = c->answers;
	unsigned left = c->n, n = 0;
	struct dns_record rec;

	while (n < max && next_own(c, &r, &left, &rec))
		if (address_of(&rec, &out[n].ip))
			out[n++].ttl_s = least(c->ttl_s, ttl_of(&rec));
	return n;
}

/* To the name that this one is an alias of. false: it is none. */
static bool follow(struct chain *c)
{
	struct rd r = c->answers;
	unsigned left = c->n;
	struct dns_record rec;
	struct name to;

	while (next_own(c, &r, &left, &rec)) {
		if (rec.type != TYPE_CNAME)
			continue;
		if (!read_name(c->msg, &rec.data, &to))
			return false;
		c->name = to;
		c->ttl_s = least(c->ttl_s, ttl_of(&rec));
		return true;
	}
	return false;
}

unsigned dns_addresses(struct view msg, struct dns_address *out, unsigned max)
{
	struct chain c;
	unsigned n;

	if (!begin(&c, msg))
		return 0;
	n = take(&c, out, max);
	for (unsigned i = 0; i < DNS_CHAIN_LINKS && follow(&c); i++)
		n += take(&c, out + n, max - n);
	return n;
}
