/* SPDX-License-Identifier: MIT */
#include "wire/dns.h"

#include <string.h>

#include "base/rd.h"
#include "wire/dns_records.h"

enum {
	FLAG_RESPONSE = 0x8000, FLAG_TRUNCATED = 0x0200,
	FLAG_RD = 0x0100, FLAG_RA = 0x0080,
	FLAG_AD = 0x0020, FLAG_CD = 0x0010,	/* RFC 4035 section 3.1.6 */
	FLAGS_ASKED = FLAG_RD | FLAG_AD | FLAG_CD,
	EDNS_DO = 0x8000,		/* in the TTL's lower half */
	OPTION_EDE = 15, EDE_PROHIBITED = 18,	/* RFC 8914 */
	KEY_EDNS = 1, KEY_DO = 2,
	OPCODE_SHIFT = 11, OPCODE_MASK = 15,
	CLASS_IN = 1,
	LABEL_MAX = 63,
	EDNS_OURS = 1232,		/* the value of DNS flag day 2020 */
	OWNER_POINTER = 0xc000 | DNS_HEADER_BYTES,
};

struct header {
	uint16_t id, flags, questions, answers, authorities, additional;
};

static struct header read_header(struct rd *r)
{
	struct header h;

	h.id = rd_be16(r);
	h.flags = rd_be16(r);
	h.questions = rd_be16(r);
	h.answers = rd_be16(r);
	h.authorities = rd_be16(r);
	h.additional = rd_be16(r);
	return h;
}

/* One octet of a label as text; 1 to 4 characters. */
static char *put_octet(char *s, uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		c = (uint8_t)(c - 'A' + 'a');
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_') {
		*s++ = (char)c;
		return s;
	}
	*s++ = '\\';
	*s++ = (char)('0' + c / 100);
	*s++ = (char)('0' + c / 10 % 10);
	*s++ = (char)('0' + c % 10);
	return s;
}

/* Step over a name without compression, as in a question. */
static enum drop check_name(struct rd *r)
{
	size_t octets = 1;

	for (;;) {
		const uint8_t len = rd_u8(r);

		rd_bytes(r, len <= LABEL_MAX ? len : 0);
		if (r->bad)
			return DROP_SHORT;
		if (len > LABEL_MAX)
			return DROP_VALUE;
		if (!len)
			return DROP_OK;
		octets += len + 1u;
		if (octets > DNS_NAME_OCTETS)
			return DROP_VALUE;
	}
}

/* The text of a name that check_name() accepted. */
static void read_name(struct rd r, char *text)
{
	char *s = text;

	for (;;) {
		struct rd label = rd_cut(&r, rd_u8(&r));

		if (!label.left)
			break;
		if (s != text)
			*s++ = '.';
		while (label.left)
			s = put_octet(s, rd_u8(&label));
	}
	*s = '\0';
}

/*
 * Find OPT among the records that follow; malformed ones end the search.
 * Plain is what holds nothing else.
 */
static void read_edns(struct rd r, unsigned records, struct dns_question *q)
{
	const bool single = records == 1;
	struct dns_record rec;

	q->plain = !records && !r.left;
	while (records-- && dns_next_record(&r, &rec)) {
		if (rec.type != DNS_OPT)
			continue;
		q->edns = true;
		q->dnssec_ok = rec.ttl & EDNS_DO;
		q->udp_bytes = rec.class < DNS_UDP_PLAIN_BYTES ?
			       DNS_UDP_PLAIN_BYTES : rec.class;
		q->plain = single && !r.left && !(rec.ttl >> 16 & 255);
		return;
	}
}

enum drop dns_parse_query(struct view msg, struct dns_question *out)
{
	struct rd r = rd(msg.p, msg.len);
	const struct header h = read_header(&r);
	const struct rd name = r;
	uint16_t type, class;
	enum drop drop;

	if (r.bad)
		return DROP_SHORT;
	if (h.flags & FLAG_RESPONSE)
		return DROP_NOTOURS;
	if (h.questions != 1)
		return DROP_VALUE;
	drop = check_name(&r);
	if (drop != DROP_OK)
		return drop;
	type = rd_be16(&r);
	class = rd_be16(&r);
	if (r.bad)
		return DROP_SHORT;
	read_name(name, out->name);
	out->type = type;
	out->class = class;
	out->id = h.id;
	out->opcode = h.flags >> OPCODE_SHIFT & OPCODE_MASK;
	out->recursion_desired = h.flags & FLAG_RD;
	out->flags = h.flags & FLAGS_ASKED;
	out->wire = (struct view){ .p = msg.p, .len = msg.len - r.left };
	out->udp_bytes = DNS_UDP_PLAIN_BYTES;
	out->edns = false;
	out->dnssec_ok = false;
	read_edns(r, (unsigned)h.answers + h.authorities + h.additional, out);
	return DROP_OK;
}

enum drop dns_parse_header(struct view msg, uint16_t *id, bool *response,
			   bool *truncated, uint8_t *rcode)
{
	struct rd r = rd(msg.p, msg.len);
	const struct header h = read_header(&r);

	if (r.bad)
		return DROP_SHORT;
	*id = h.id;
	*response = h.flags & FLAG_RESPONSE;
	*truncated = h.flags & FLAG_TRUNCATED;
	*rcode = h.flags & 15;
	return DROP_OK;
}

static uint8_t lower(uint8_t c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* No octet of a length is a letter: a name can be folded as it is. */
static bool same_name(const uint8_t *a, const uint8_t *b, size_t len,
		      bool folded)
{
	if (!folded)
		return !memcmp(a, b, len);
	for (size_t i = 0; i < len; i++)
		if (lower(a[i]) != lower(b[i]))
			return false;
	return true;
}

static bool answers(struct view msg, struct view query_wire, bool folded)
{
	struct rd r = rd(msg.p, msg.len);
	const struct header h = read_header(&r);
	const size_t len = query_wire.len - DNS_HEADER_BYTES;
	const uint8_t *asked = query_wire.p + DNS_HEADER_BYTES;
	const uint8_t *question;

	if (r.bad || !(h.flags & FLAG_RESPONSE))
		return false;
	if (h.questions == 0)
		return (h.flags & 15) != DNS_NOERROR;
	question = rd_bytes(&r, len);
	return h.questions == 1 && question &&
	       same_name(question, asked, len - 4, folded) &&
	       !memcmp(question + len - 4, asked + len - 4, 4);
}

bool dns_answers(struct view msg, struct view query_wire)
{
	return answers(msg, query_wire, false);
}

bool dns_answers_folded(struct view msg, struct view query_wire)
{
	return answers(msg, query_wire, true);
}

bool dns_answer_for(struct span msg, const struct dns_question *q)
{
	const struct view v = { .p = msg.p, .len = msg.len };
	struct rd r = rd(msg.p, msg.len);

	if (read_header(&r).questions != 1 ||
	    !dns_answers_folded(v, q->wire))
		return false;
	dns_set_id(msg.p, q->id);
	memcpy((uint8_t *)msg.p + DNS_HEADER_BYTES,
	       q->wire.p + DNS_HEADER_BYTES,
	       q->wire.len - DNS_HEADER_BYTES);
	return true;
}

size_t dns_key(const struct dns_question *q, uint8_t key[DNS_KEY_BYTES])
{
	const size_t len = q->wire.len - DNS_HEADER_BYTES;
	struct wr w = wr(key, DNS_KEY_BYTES);

	for (size_t i = 0; i < len - 4; i++)
		wr_u8(&w, lower(q->wire.p[DNS_HEADER_BYTES + i]));
	wr_bytes(&w, q->wire.p + q->wire.len - 4, 4);
	wr_be16(&w, q->flags);
	wr_u8(&w, (uint8_t)((q->edns ? KEY_EDNS : 0) |
			    (q->dnssec_ok ? KEY_DO : 0)));
	return len + 3;
}

void dns_mix_case(uint8_t *msg, const struct dns_question *q,
		  const uint8_t chance[DNS_QUESTION_OCTETS / 8 + 1])
{
	uint8_t *name = msg + DNS_HEADER_BYTES;

	for (size_t i = 0; i < q->wire.len - DNS_HEADER_BYTES - 4; i++) {
		const uint8_t c = lower(name[i]);

		if (c >= 'a' && c <= 'z')
			name[i] = c ^ (chance[i / 8] >> i % 8 & 1 ? 0x20 : 0);
	}
}

void dns_set_truncated(uint8_t *msg)
{
	msg[2] |= FLAG_TRUNCATED >> 8;
}

void dns_set_cut(uint8_t *msg)
{
	struct wr w = wr(msg + 6, 6);

	dns_set_truncated(msg);
	wr_zero(&w, 6);
}

void dns_set_id(uint8_t *msg, uint16_t id)
{
	struct wr w = wr(msg, 2);

	wr_be16(&w, id);
}

/* Header and question. */
static void begin(struct wr *w, const struct dns_question *q, unsigned flags,
		  size_t records)
{
	wr_be16(w, q->id);
	wr_be16(w, (uint16_t)((unsigned)q->opcode << OPCODE_SHIFT | flags));
	wr_be16(w, 1);
	wr_be16(w, (uint16_t)records);
	wr_be16(w, 0);
	wr_be16(w, q->edns);
	wr_bytes(w, q->wire.p + DNS_HEADER_BYTES,
		 q->wire.len - DNS_HEADER_BYTES);
}

/* OPT, up to the options that it is to hold. */
static void opt(struct wr *w, const struct dns_question *q, size_t len)
{
	wr_u8(w, 0);
	wr_be16(w, DNS_OPT);
	wr_be16(w, EDNS_OURS);
	wr_be32(w, q->dnssec_ok ? EDNS_DO : 0);
	wr_be16(w, (uint16_t)len);
}

static void end(struct wr *w, const struct dns_question *q)
{
	if (q->edns)
		opt(w, q, 0);
}

void dns_emit_query(struct wr *w, const struct dns_question *q)
{
	begin(w, q, q->flags, 0);
	end(w, q);
}

/* Of a response of ours: CD is copied (RFC 4035 section 3.2.2). */
static unsigned reply_flags(const struct dns_question *q, enum dns_rcode rcode)
{
	return FLAG_RESPONSE | FLAG_RA | (q->flags & (FLAG_RD | FLAG_CD)) |
	       rcode;
}

static void record(struct wr *w, uint16_t type, uint32_t ttl_s, size_t len)
{
	wr_be16(w, OWNER_POINTER);
	wr_be16(w, type);
	wr_be16(w, CLASS_IN);
	wr_be32(w, ttl_s);
	wr_be16(w, (uint16_t)len);
}

void dns_emit_response(struct wr *w, const struct dns_question *q,
		       enum dns_rcode rcode, const struct ip *addrs, size_t n,
		       uint32_t ttl_s)
{
	begin(w, q, reply_flags(q, rcode), n);
	for (size_t i = 0; i < n; i++) {
		const size_t skip = ip_is4(&addrs[i]) ? 12 : 0;

		record(w, q->type, ttl_s, 16 - skip);
		wr_bytes(w, addrs[i].b + skip, 16 - skip);
	}
	end(w, q);
}

void dns_emit_refusal(struct wr *w, const struct dns_question *q)
{
	static const char why[] = "the firewall's rules do not allow it";
	const size_t len = 2 + sizeof(why) - 1;

	begin(w, q, reply_flags(q, DNS_REFUSED), 0);
	if (!q->edns)
		return;
	opt(w, q, 4 + len);
	wr_be16(w, OPTION_EDE);
	wr_be16(w, (uint16_t)len);
	wr_be16(w, EDE_PROHIBITED);
	wr_bytes(w, why, len - 2);
}

void dns_emit_ptr(struct wr *w, const struct dns_question *q,
		  const char *name, uint32_t ttl_s)
{
	uint8_t wire[DNS_NAME_OCTETS + 1];
	struct wr n = wr(wire, sizeof(wire));
	const char *label = name;

	while (*label) {
		size_t len = 0;

		while (label[len] && label[len] != '.')
			len++;
		wr_u8(&n, (uint8_t)len);
		wr_bytes(&n, label, len);
		label += len + (label[len] == '.');
	}
	wr_u8(&n, 0);
	begin(w, q, reply_flags(q, DNS_NOERROR), 1);
	record(w, DNS_PTR, ttl_s, (size_t)(n.p - wire));
	wr_bytes(w, wire, (size_t)(n.p - wire));
	end(w, q);
	w->bad |= n.bad;
}

void dns_emit_error(struct wr *w, struct view msg, enum dns_rcode rcode)
{
	struct rd r = rd(msg.p, msg.len);
	const uint16_t id = rd_be16(&r);
	const uint16_t flags = rd_be16(&r);

	wr_be16(w, id);
	wr_be16(w, (uint16_t)(FLAG_RESPONSE | FLAG_RA |
			      (flags & (OPCODE_MASK << OPCODE_SHIFT |
					FLAG_RD)) | rcode));
	wr_zero(w, 8);
}

/* Text ends with suffix; how much stands before it. */
static bool has_suffix(const char *text, const char *suffix, size_t *before)
{
	size_t n = 0, m = 0;

	while (text[n])
		n++;
	while (suffix[m])
		m++;
	*before = n - m;
	return n >= m && !memcmp(text + n - m, suffix, m);
}

/* "4.3.2.1" is 1.2.3.4. */
static bool reverse_v4(const char *s, size_t len, struct ip *out)
{
	uint32_t v4 = 0;
	size_t at = 0;

	for (unsigned i = 0; i < 4; i++) {
		unsigned v = 0, digits = 0;

		if (i && (at >= len || s[at++] != '.'))
			return false;
		for (; at < len && s[at] >= '0' && s[at] <= '9'; at++) {
			v = v * 10 + (unsigned)(s[at] - '0');
			if (++digits > 3 || v > 255)
				return false;
		}
		if (!digits)
			return false;
		v4 |= v << (8 * i);
	}
	*out = ip_from_v4(v4);
	return at == len;
}

/* 32 hexadecimal digits, the last one first, dots between. */
static bool reverse_v6(const char *s, size_t len, struct ip *out)
{
	struct ip ip = { { 0 } };

	if (len != 63)
		return false;
	for (unsigned i = 0; i < 32; i++) {
		const char c = s[2 * i];
		unsigned v;

		if (i < 31 && s[2 * i + 1] != '.')
			return false;
		if (c >= '0' && c <= '9')
			v = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = (unsigned)(c - 'a') + 10;
		else
			return false;
		ip.b[15 - i / 2] |= (uint8_t)(v << (4 * (i % 2)));
	}
	*out = ip;
	return true;
}

bool dns_reverse_address(const char *name, struct ip *out)
{
	size_t len;

	if (has_suffix(name, ".in-addr.arpa", &len))
		return reverse_v4(name, len, out);
	if (has_suffix(name, ".ip6.arpa", &len))
		return reverse_v6(name, len, out);
	return false;
}
