/* SPDX-License-Identifier: MIT */
/*
 * wire/tcp.h - TCP segments as bytes and as values.
 *
 * Source: RFC 9293 section 3.1, RFC 7323 (window scale, timestamps),
 * RFC 2018 (SACK).
 */
#ifndef WIRE_TCP_H
#define WIRE_TCP_H

#include "base/addr.h"
#include "base/drop.h"
#include "base/span.h"
#include "base/wr.h"

#define TCP_HEADER_BYTES	20
#define TCP_MAX_HEADER_BYTES	60
#define TCP_SACK_MAX		4
#define TCP_NO_WSCALE		0xff
#define TCP_TS_BYTES		12	/* of the timestamps option, padded */
#define TCP_CSUM_OFFSET		16	/* of the checksum in the header */

enum tcp_flag {
	TCP_FIN = 0x01, TCP_SYN = 0x02, TCP_RST = 0x04, TCP_PSH = 0x08,
	TCP_ACK = 0x10, TCP_URG = 0x20, TCP_ECE = 0x40, TCP_CWR = 0x80,
};

/* Sequence numbers [from, to). */
struct tcp_range {
	uint32_t from, to;
};

struct tcp_segment {
	uint16_t src_port, dst_port;
	uint32_t seq, ack;
	uint8_t flags;			/* enum tcp_flag */
	uint16_t window;		/* as sent, not scaled */
	uint16_t urgent;
	uint16_t mss;			/* 0 if absent */
	uint8_t wscale;			/* 0..14, or TCP_NO_WSCALE */
	bool sack_ok;
	bool has_ts;
	uint32_t ts_val, ts_ecr;
	uint8_t sacks;			/* number of blocks in sack */
	struct tcp_range sack[TCP_SACK_MAX];
	struct scatter data;
};

/**
 * tcp_parse() - read a segment
 * @l4: header and data; the checksum is not looked at
 * @out: written on success only; data points into l4
 *
 * Unknown options are skipped; a malformed option ends the list (what was
 * read before it counts), as other stacks do. A wscale over 14 is 14.
 *
 * Return: DROP_OK, DROP_SHORT, or DROP_LENGTH (data offset under 5 or past
 * the end).
 */
MUST enum drop tcp_parse(struct view l4, struct tcp_segment *out);

/**
 * tcp_emit() - write header and options, padded to 4 bytes; no data
 * @csum:	value for the checksum field, host order
 *
 * Options in this order: mss if not 0, wscale if not TCP_NO_WSCALE,
 * sack_ok, timestamps if has_ts, then as many SACK blocks as fit.
 */
void tcp_emit(struct wr *w, const struct tcp_segment *s, uint16_t csum);

/* The bytes that tcp_emit() writes for s: 20 to 60, a multiple of 4. */
size_t tcp_header_bytes(const struct tcp_segment *s);

/* Comparisons of sequence numbers, modulo 2^32 (RFC 9293 section 3.4). */
static inline bool seq_lt(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static inline bool seq_le(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) <= 0;
}

#endif
