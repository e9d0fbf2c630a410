/* SPDX-License-Identifier: MIT */
#include "wire/tcp.h"

#include "base/rd.h"

enum tcp_option {			/* RFC 9293 section 3.2 unless noted */
	OPT_END = 0, OPT_NOP = 1, OPT_MSS = 2,
	OPT_WSCALE = 3, OPT_TS = 8,	/* RFC 7323 */
	OPT_SACK_OK = 4, OPT_SACK = 5,	/* RFC 2018 */
};

#define WSCALE_MAX 14			/* RFC 7323 section 2.3 */

static void parse_sack(struct rd v, struct tcp_segment *s)
{
	while (v.left >= 8 && s->sacks < TCP_SACK_MAX) {
		s->sack[s->sacks].from = rd_be32(&v);
		s->sack[s->sacks].to = rd_be32(&v);
		s->sacks++;
	}
}

/* The value of one option; v holds exactly its length. */
static void parse_option(uint8_t kind, struct rd v, struct tcp_segment *s)
{
	const size_t len = v.left;

	switch (kind) {
	case OPT_MSS:
		if (len == 2)
			s->mss = rd_be16(&v);
		break;
	case OPT_WSCALE:
		if (len == 1)
			s->wscale = rd_u8(&v);
		if (len == 1 && s->wscale > WSCALE_MAX)
			s->wscale = WSCALE_MAX;
		break;
	case OPT_SACK_OK:
		s->sack_ok = s->sack_ok || len == 0;
		break;
	case OPT_SACK:
		parse_sack(v, s);
		break;
	case OPT_TS:
		if (len != 8)
			break;
		s->has_ts = true;
		s->ts_val = rd_be32(&v);
		s->ts_ecr = rd_be32(&v);
		break;
	default:
		break;
	}
}

static void parse_options(struct rd r, struct tcp_segment *s)
{
	while (r.left) {
		const uint8_t kind = rd_u8(&r);
		uint8_t len;
		struct rd v;

		if (kind == OPT_NOP)
			continue;
		if (kind == OPT_END)
			return;
		len = rd_u8(&r);
		if (len < 2)
			return;
		v = rd_cut(&r, len - 2u);
		if (v.bad)
			return;
		parse_option(kind, v, s);
	}
}

enum drop tcp_parse(struct view l4, struct tcp_segment *out)
{
	struct tcp_segment s = { .wscale = TCP_NO_WSCALE };
	struct rd r = rd(l4.p, l4.len);

	s.src_port = rd_be16(&r);
	s.dst_port = rd_be16(&r);
	s.seq = rd_be32(&r);
	s.ack = rd_be32(&r);
	const size_t header = (size_t)(rd_u8(&r) >> 4) * 4;
	s.flags = rd_u8(&r);
	s.window = rd_be16(&r);
	rd_be16(&r);					/* checksum */
	s.urgent = rd_be16(&r);

	if (r.bad)
		return DROP_SHORT;
	if (header < TCP_HEADER_BYTES || header > l4.len)
		return DROP_LENGTH;
	parse_options(rd_cut(&r, header - TCP_HEADER_BYTES), &s);
	s.data.near = (struct view){ .p = r.p, .len = r.left };
	s.data.len = r.left;
	*out = s;
	return DROP_OK;
}

/* Bytes of all options but SACK, each padded to 4 where it stands. */
static size_t plain_options(const struct tcp_segment *s)
{
	return (s->mss ? 4u : 0u) + (s->wscale != TCP_NO_WSCALE ? 4u : 0u) +
	       (s->sack_ok ? 4u : 0u) + (s->has_ts ? TCP_TS_BYTES : 0u);
}

/* SACK blocks that fit behind the other options. */
static unsigned sacks_that_fit(const struct tcp_segment *s)
{
	const size_t room = TCP_MAX_HEADER_BYTES - TCP_HEADER_BYTES -
			    plain_options(s);
	const size_t fit = room < 12 ? 0 : (room - 4) / 8;

	return s->sacks < fit ? s->sacks : (unsigned)fit;
}

size_t tcp_header_bytes(const struct tcp_segment *s)
{
	const unsigned sacks = sacks_that_fit(s);

	return TCP_HEADER_BYTES + plain_options(s) +
	       (sacks ? 4u + 8u * sacks : 0u);
}

static void emit_options(struct wr *w, const struct tcp_segment *s)
{
	const unsigned sacks = sacks_that_fit(s);

	if (s->mss) {
		wr_be16(w, OPT_MSS << 8 | 4);
		wr_be16(w, s->mss);
	}
	if (s->wscale != TCP_NO_WSCALE)
		wr_be32(w, (uint32_t)OPT_NOP << 24 | OPT_WSCALE << 16 |
			   3u << 8 | s->wscale);
	if (s->sack_ok)
		wr_be32(w, OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK_OK << 8 |
			   2);
	if (s->has_ts) {
		wr_be32(w, OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | 10);
		wr_be32(w, s->ts_val);
		wr_be32(w, s->ts_ecr);
	}
	if (sacks)
		wr_be32(w, OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8 |
			   (2u + 8u * sacks));
	for (unsigned i = 0; i < sacks; i++) {
		wr_be32(w, s->sack[i].from);
		wr_be32(w, s->sack[i].to);
	}
}

void tcp_emit(struct wr *w, const struct tcp_segment *s, uint16_t csum)
{
	wr_be16(w, s->src_port);
	wr_be16(w, s->dst_port);
	wr_be32(w, s->seq);
	wr_be32(w, s->ack);
	wr_u8(w, (uint8_t)(tcp_header_bytes(s) / 4 << 4));
	wr_u8(w, s->flags);
	wr_be16(w, s->window);
	wr_be16(w, csum);
	wr_be16(w, s->urgent);
	emit_options(w, s);
}
