/* SPDX-License-Identifier: MIT */
#include "doctor/dnsanswer.h"

#include <string.h>

#include "wire/dns.h"
#include "wire/dns_records.h"

#define CLASS_IN	1

/* A name that is not compressed, dotted; "" if it does not fit. */
static void take_name(struct rd data, char out[PROBE_NAME_BYTES])
{
	size_t n = 0;

	for (;;) {
		const uint8_t len = rd_u8(&data);
		const uint8_t *label = rd_bytes(&data, len);

		if (!label || len > 63 || n + len + 2 > PROBE_NAME_BYTES)
			break;
		if (!len) {
			out[n ? n - 1 : 0] = '\0';
			return;
		}
		memcpy(out + n, label, len);
		n += len;
		out[n++] = '.';
	}
	out[0] = '\0';
}

static void take_record(const struct dns_record *rec,
			struct probe_answer *out)
{
	struct rd data = rec->data;
	struct ip ip = { 0 };

	if (rec->class == CLASS_IN && rec->type == DNS_PTR && !*out->name)
		take_name(data, out->name);
	if (out->n == PROBE_ADDRESSES || rec->class != CLASS_IN)
		return;
	if (rec->type == DNS_A && data.left == 4)
		ip = ip_from_v4(rd_be32(&data));
	else if (rec->type == DNS_AAAA && data.left == 16)
		memcpy(ip.b, rd_bytes(&data, 16), 16);
	else
		return;
	out->ip[out->n++] = ip;
}

/* An error may come without the question. */
static bool is_bare_error(struct view msg, struct view query)
{
	return msg.len < query.len && msg.p[2] & 0x80 && msg.p[3] & 0x0f;
}

bool dnsanswer_parse(struct view msg, struct view query,
		     struct probe_answer *out)
{
	struct rd r = rd(msg.p, msg.len);
	struct probe_answer got = { .n = 0 };
	struct dns_record rec;
	unsigned n;

	if (msg.len < DNS_HEADER_BYTES || memcmp(msg.p, query.p, 2))
		return false;
	if (msg.len < query.len || !dns_answers_folded(msg, query)) {
		if (!is_bare_error(msg, query))
			return false;
		*out = (struct probe_answer){ .rcode = msg.p[3] & 0x0f };
		return true;
	}
	rd_bytes(&r, 3);
	got.rcode = rd_u8(&r) & 0x0f;
	rd_bytes(&r, 2);
	n = rd_be16(&r);
	rd_bytes(&r, query.len - 8);	/* the rest of it, and the question */
	while (n-- && dns_next_record(&r, &rec))
		take_record(&rec, &got);
	*out = got;
	return true;
}
