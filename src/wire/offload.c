/* SPDX-License-Identifier: MIT */
#include "wire/offload.h"

#include <string.h>

#include "base/check.h"
#include "base/csum.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum {
	V4_LENGTH = 2, V4_ID = 4, V4_CSUM = 10, V4_SRC = 12, V4_ADDR = 4,
	V6_LENGTH = 4, V6_SRC = 8, V6_ADDR = 16,
	TCP_SEQ_AT = 4, TCP_FLAGS_AT = 13, UDP_LENGTH_AT = 4,
};

unsigned offload_frames(const struct frame_meta *meta, size_t len)
{
	if (meta->gso == FRAME_GSO_NONE || len <= meta->hdr_len)
		return 1;
	return (unsigned)((len - meta->hdr_len + meta->gso_size - 1) /
			  meta->gso_size);
}

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
	       (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, (uint16_t)(v >> 16));
	put16(at + 2, (uint16_t)v);
}

/* Bytes [at, at + len) of the frame. */
static void gather(const struct span *v, unsigned n, size_t at, size_t len,
		   uint8_t *out)
{
	for (unsigned i = 0; i < n && len; i++) {
		size_t part;

		if (at >= v[i].len) {
			at -= v[i].len;
			continue;
		}
		part = v[i].len - at < len ? v[i].len - at : len;
		memcpy(out, (const uint8_t *)v[i].p + at, part);
		out += part;
		len -= part;
		at = 0;
	}
}

static void fix_tcp(const struct frame_meta *meta, unsigned i, bool last,
		    uint8_t *tcp)
{
	put32(tcp + TCP_SEQ_AT, get32(tcp + TCP_SEQ_AT) +
				i * (uint32_t)meta->gso_size);
	if (i)
		tcp[TCP_FLAGS_AT] &= (uint8_t)~TCP_CWR;
	if (!last)
		tcp[TCP_FLAGS_AT] &= (uint8_t)~(TCP_FIN | TCP_PSH);
}

/* The headers of segment i of a batch; all of it is len bytes long. */
static void fix_headers(const struct frame_meta *meta, unsigned i, bool last,
			uint8_t *frame, size_t len)
{
	const bool tcp = meta->gso == FRAME_GSO_TCP4 ||
			 meta->gso == FRAME_GSO_TCP6;
	const bool v4 = meta->gso == FRAME_GSO_TCP4 ||
			meta->gso == FRAME_GSO_UDP4;
	uint8_t *ip = frame + ETH_HEADER_BYTES;
	uint8_t *l4 = frame + meta->csum_start;
	const size_t ip_len = len - ETH_HEADER_BYTES;
	const uint16_t l4_len = (uint16_t)(len - meta->csum_start);
	uint8_t tail[4] = { 0, tcp ? PROTO_TCP : PROTO_UDP };
	csum_t sum;
	uint16_t id;

	if (v4) {
		put16(ip + V4_LENGTH, (uint16_t)ip_len);
		id = (uint16_t)(ip[V4_ID] << 8 | ip[V4_ID + 1]);
		put16(ip + V4_ID, (uint16_t)(id + i));
		put16(ip + V4_CSUM, 0);
		put16(ip + V4_CSUM,
		      csum_finish(csum_add(0, ip, IPV4_HEADER_BYTES)));
	} else {
		put16(ip + V6_LENGTH, (uint16_t)(ip_len - IPV6_HEADER_BYTES));
	}
	if (tcp)
		fix_tcp(meta, i, last, l4);
	else
		put16(l4 + UDP_LENGTH_AT, l4_len);
	/* The pseudo header's sum, for this length: RFC 9293 section 3.1 */
	put16(tail + 2, l4_len);
	sum = csum_add(0, tail, sizeof(tail));
	sum = csum_add(sum, ip + (v4 ? V4_SRC : V6_SRC),
		       2 * (v4 ? V4_ADDR : V6_ADDR));
	put16(l4 + meta->csum_offset, csum_fold(sum));
}

static void complete_csum(const struct frame_meta *meta, uint8_t *frame,
			  size_t len)
{
	const size_t field = (size_t)meta->csum_start + meta->csum_offset;
	uint16_t sum;

	ASSERT(field + 2 <= len);
	sum = csum_finish(csum_add(0, frame + meta->csum_start,
				   len - meta->csum_start));
	/* 0 means none in UDP (RFC 768); the same sum in TCP. */
	put16(frame + field, sum ? sum : 0xffff);
}

size_t offload_emit(const struct frame_meta *meta, const struct span *v,
		    unsigned n, unsigned i, uint8_t *out)
{
	const bool cuts = meta->gso != FRAME_GSO_NONE;
	const size_t head = cuts ? meta->hdr_len : 0;
	size_t all = 0, from, len;

	for (unsigned k = 0; k < n; k++)
		all += v[k].len;
	if (!cuts) {
		gather(v, n, 0, all, out);
		if (meta->needs_csum)
			complete_csum(meta, out, all);
		return all;
	}
	from = head + (size_t)i * meta->gso_size;
	ASSERT(from < all);
	len = all - from < meta->gso_size ? all - from : meta->gso_size;
	gather(v, n, 0, head, out);
	gather(v, n, from, len, out + head);
	fix_headers(meta, i, from + len == all, out, head + len);
	complete_csum(meta, out, head + len);
	return head + len;
}
