/* SPDX-License-Identifier: MIT */
#include "wire/icmp.h"

#include "base/csum.h"
#include "base/rd.h"

enum {
	V4_ECHO_REPLY = 0, V4_ECHO = 8,
	V6_ECHO = 128, V6_ECHO_REPLY = 129,
	V4_QUOTE = 548, V6_QUOTE = ICMP_QUOTE_BYTES,
};

static bool is_v4_error(uint8_t type)
{
	return type == 3 || type == 4 || type == 5 || type == 11 ||
	       type == 12;
}

enum drop icmp_parse_echo(const struct ip_packet *ip, struct icmp_echo *out)
{
	const bool v4 = ip->proto == PROTO_ICMP;
	struct rd r = rd(ip->payload.p, ip->payload.len);
	struct icmp_echo e = { 0 };

	const uint8_t type = rd_u8(&r);
	const uint8_t code = rd_u8(&r);
	rd_be16(&r);					/* checksum */
	e.id = rd_be16(&r);
	e.seq = rd_be16(&r);

	if (r.bad)
		return DROP_SHORT;
	e.reply = type == (v4 ? V4_ECHO_REPLY : V6_ECHO_REPLY);
	if (!e.reply && type != (v4 ? V4_ECHO : V6_ECHO))
		return DROP_NOTOURS;
	if (code)
		return DROP_VALUE;
	e.data = (struct view){ .p = r.p, .len = r.left };
	*out = e;
	return DROP_OK;
}

/* Fill in the checksum of the message that starts at `start`. */
static void seal(struct wr *w, uint8_t *start, const struct ip *src,
		 const struct ip *dst)
{
	const size_t len = (size_t)(w->p - start);
	csum_t sum = 0;
	uint16_t v;

	if (w->bad)
		return;
	if (!ip_is4(src))
		sum = csum_pseudo(0, src, dst, PROTO_ICMP6, (uint32_t)len);
	v = csum_finish(csum_add(sum, start, len));
	start[2] = (uint8_t)(v >> 8);
	start[3] = (uint8_t)v;
}

void icmp_emit_echo(struct wr *w, const struct ip *src, const struct ip *dst,
		    const struct icmp_echo *e)
{
	const bool v4 = ip_is4(src);
	uint8_t *start = w->p;

	if (v4)
		wr_u8(w, e->reply ? V4_ECHO_REPLY : V4_ECHO);
	else
		wr_u8(w, e->reply ? V6_ECHO_REPLY : V6_ECHO);
	wr_u8(w, 0);
	wr_be16(w, 0);
	wr_be16(w, e->id);
	wr_be16(w, e->seq);
	wr_bytes(w, e->data.p, e->data.len);
	seal(w, start, src, dst);
}

struct type_code {
	uint8_t type, code;
};

static struct type_code words(bool v4, enum icmp_error error)
{
	static const struct type_code list[ICMP_ERROR_MAX][2] = {
#define X(name, type4, code4, type6, code6) \
	[ICMP_##name] = { { type6, code6 }, { type4, code4 } },
		ICMP_ERROR_LIST(X)
#undef X
	};

	return list[error][v4];
}

bool icmp_error_read(bool v4, uint8_t type, uint8_t code,
		     enum icmp_error *out)
{
	for (enum icmp_error e = 0; e < ICMP_ERROR_MAX; e++) {
		const struct type_code tc = words(v4, e);

		if (tc.type == type && tc.code == code) {
			*out = e;
			return true;
		}
	}
	return false;
}

/* What stands behind the checksum: an MTU, or a place (IPv4: a byte). */
static uint32_t second_word(enum icmp_error error, bool v4, uint32_t word)
{
	const struct type_code tc = words(v4, error);

	if (error == ICMP_TOO_BIG)
		return v4 && word > 0xffff ? 0xffff : word;
	if (v4)
		return tc.type == 12 && !tc.code ? word << 24 : 0;
	return tc.type == 4 ? word : 0;
}

void icmp_emit_error(struct wr *w, const struct ip *src, const struct ip *dst,
		     enum icmp_error error, uint32_t word, struct view quote)
{
	const bool v4 = ip_is4(src);
	const struct type_code tc = words(v4, error);
	const size_t most = v4 ? V4_QUOTE : V6_QUOTE;
	uint8_t *start = w->p;

	wr_u8(w, tc.type);
	wr_u8(w, tc.code);
	wr_be16(w, 0);
	wr_be32(w, second_word(error, v4, word));
	wr_bytes(w, quote.p, quote.len < most ? quote.len : most);
	seal(w, start, src, dst);
}

bool icmp_may_answer(const struct ip_packet *ip)
{
	if (ip_is_multicast(&ip->dst) || ip_is_broadcast(&ip->dst) ||
	    ip_is_multicast(&ip->src) || ip_is_unspecified(&ip->src))
		return false;
	if (ip->frag_offset)		/* whose type cannot be seen */
		return ip->v6 && ip->proto != PROTO_ICMP6;
	if (ip->proto == PROTO_ICMP && !ip->v6)
		return ip->payload.len && !is_v4_error(ip->payload.p[0]);
	if (ip->proto == PROTO_ICMP6 && ip->v6)
		return ip->payload.len && ip->payload.p[0] >= 128;
	return true;
}
