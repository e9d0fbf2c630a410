/* SPDX-License-Identifier: MIT */
/* test/unit/wire_offload.c - a batch cut up reads as what it was. */
#include "wire/offload.h"

#include <stdlib.h>
#include <string.h>

#include "base/csum.h"
#include "test.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define DATA_MAX 4000

static const struct {
	const char *name;
	bool v6;
	size_t data, mss;
	uint8_t flags;
	size_t split;		/* where the second span of data begins */
} cases[] = {
	{ "two and a bit", false, 3000, 1448, TCP_ACK | TCP_PSH, 3000 },
	{ "two and a bit, IPv6", true, 3000, 1428, TCP_ACK | TCP_PSH, 100 },
	{ "exact", false, 2896, 1448, TCP_ACK, 1448 },
	{ "FIN", false, 3001, 1448, TCP_ACK | TCP_FIN, 1 },
	{ "CWR", true, 3001, 1000, TCP_ACK | TCP_CWR, 2999 },
	{ "odd segments", false, 2000, 537, TCP_ACK, 777 },
	{ "one byte more", true, 1001, 1000, TCP_ACK | TCP_PSH, 500 },
};

static void check_segment(const char *name, size_t c, const uint8_t *frame,
			  size_t len, size_t from, bool first, bool last,
			  const uint8_t *data)
{
	struct rd r = rd(frame, len);
	struct tcp_segment seg;
	struct ip_packet ip;
	struct eth eth;
	uint8_t flags = cases[c].flags;

	if (!last)
		flags &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (!first)
		flags &= (uint8_t)~TCP_CWR;
	CHECK(name, eth_parse(&r, &eth) == DROP_OK);
	CHECK(name, ip_parse_packet(r, cases[c].v6, &ip) == DROP_OK);
	CHECK(name, ip.whole.len == len - ETH_HEADER_BYTES);
	CHECK(name, csum_fold(csum_add(csum_pseudo(0, &ip.src, &ip.dst,
						   PROTO_TCP,
						   (uint32_t)ip.payload.len),
				       ip.payload.p, ip.payload.len)) ==
		    0xffff);
	CHECK(name, tcp_parse(ip.payload, &seg) == DROP_OK);
	CHECK(name, seg.seq == 0xfffffff0 + (uint32_t)from);
	CHECK(name, seg.flags == flags && seg.has_ts && seg.ts_val == 5);
	CHECK(name, from + seg.data.len <= cases[c].data &&
		    !memcmp(seg.data.near.p, data + from, seg.data.len));
	CHECK(name, last ? from + seg.data.len == cases[c].data :
			   seg.data.len == cases[c].mss);
}

static void check_case(size_t c)
{
	const char *name = cases[c].name;
	const struct ip src = cases[c].v6 ? (struct ip){ .b = { 0xfd, 1 } } :
					    ip_from_v4(0xc0000201);
	const struct ip dst = cases[c].v6 ? (struct ip){ .b = { 0xfd, 2 } } :
					    ip_from_v4(0xac100002);
	const struct tcp_segment s = {
		.src_port = 80, .dst_port = 1234, .seq = 0xfffffff0,
		.flags = cases[c].flags, .wscale = TCP_NO_WSCALE,
		.has_ts = true, .ts_val = 5, .ts_ecr = 6, .window = 77,
	};
	const size_t l4 = tcp_header_bytes(&s) + cases[c].data;
	const struct ip_packet ip = { .src = src, .dst = dst, .ttl = 64,
				      .proto = PROTO_TCP, .frag_id = 0xffff };
	const struct eth eth = {
		.type = cases[c].v6 ? ETH_IPV6 : ETH_IPV4,
	};
	uint8_t head[200], data[DATA_MAX], *out = malloc(2000);
	struct wr w = wr(head, sizeof(head));
	struct frame_meta meta = {
		.needs_csum = true, .csum_offset = TCP_CSUM_OFFSET,
		.gso = cases[c].v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4,
		.gso_size = (uint16_t)cases[c].mss,
	};
	struct span v[3];
	unsigned frames;

	if (!out)
		abort();
	for (size_t i = 0; i < DATA_MAX; i++)
		data[i] = (uint8_t)(i * 13 + i / 256);
	eth_emit(&w, &eth);
	ip_emit(&w, &ip, l4);
	meta.csum_start = (uint16_t)(w.p - head);
	tcp_emit(&w, &s, csum_fold(csum_pseudo(0, &src, &dst, PROTO_TCP,
					       (uint32_t)l4)));
	meta.hdr_len = (uint16_t)(w.p - head);
	v[0] = (struct span){ head, meta.hdr_len };
	v[1] = (struct span){ data, cases[c].split };
	v[2] = (struct span){ data + cases[c].split,
			      cases[c].data - cases[c].split };
	frames = offload_frames(&meta, meta.hdr_len + cases[c].data);
	CHECK(name, frames == (cases[c].data + cases[c].mss - 1) /
			      cases[c].mss);
	for (unsigned i = 0; i < frames; i++)
		check_segment(name, c, out,
			      offload_emit(&meta, v, 3, i, out),
			      i * cases[c].mss, !i, i + 1 == frames, data);
	free(out);
}

/* No batch: all of it, with its checksum complete. */
static void check_udp(void)
{
	const struct ip src = ip_from_v4(1), dst = ip_from_v4(2);
	uint8_t l4[11], out[32];
	struct wr w = wr(l4, sizeof(l4));
	const struct frame_meta meta = {
		.needs_csum = true, .csum_start = 4,
		.csum_offset = UDP_CSUM_OFFSET,
	};
	struct span v[2] = { { .p = (void *)(uintptr_t)"head", .len = 4 },
			     { .p = l4, .len = sizeof(l4) } };

	udp_emit(&w, 1, 2, 3,
		 csum_fold(csum_pseudo(0, &src, &dst, PROTO_UDP, 11)));
	wr_bytes(&w, (const uint8_t *)"abc", 3);
	CHECK("one frame", offload_frames(&meta, 15) == 1);
	CHECK("length", offload_emit(&meta, v, 2, 0, out) == 15);
	CHECK("checksum", csum_fold(csum_add(
		csum_pseudo(0, &src, &dst, PROTO_UDP, 11), out + 4, 11)) ==
		0xffff);
}

/* A batch of datagrams: three, the last one shorter, each complete. */
static void check_udp_batch(bool v6)
{
	enum { SIZE = 100, ALL = 250 };
	const struct ip src = v6 ? (struct ip){ { 0xfd, [15] = 1 } } :
				   ip_from_v4(0xac140001);
	const struct ip dst = v6 ? (struct ip){ { 0xfd, [15] = 2 } } :
				   ip_from_v4(0xac140002);
	const struct eth eth = { .type = v6 ? ETH_IPV6 : ETH_IPV4 };
	struct ip_packet ip = { .src = src, .dst = dst, .v6 = v6,
				.proto = PROTO_UDP, .ttl = 9, .frag_id = 7 };
	struct frame_meta meta = {
		.needs_csum = true, .csum_offset = UDP_CSUM_OFFSET,
		.gso = v6 ? FRAME_GSO_UDP6 : FRAME_GSO_UDP4, .gso_size = SIZE,
	};
	uint8_t head[100], l4[UDP_HEADER_BYTES], data[ALL];
	uint8_t out[FRAME_MAX_BYTES];
	struct wr w = wr(head, sizeof(head));
	struct span v[3] = { { .p = head },
			     { .len = UDP_HEADER_BYTES },
			     { .p = data, .len = ALL } };
	const char *name = v6 ? "IPv6" : "IPv4";

	for (unsigned i = 0; i < ALL; i++)
		data[i] = (uint8_t)(i * 7);
	eth_emit(&w, &eth);
	ip_emit(&w, &ip, UDP_HEADER_BYTES + ALL);
	meta.csum_start = (uint16_t)(w.p - head);
	udp_emit(&w, 1, 2, ALL, csum_fold(csum_pseudo(0, &src, &dst, PROTO_UDP,
						      UDP_HEADER_BYTES + ALL)));
	meta.hdr_len = (uint16_t)(w.p - head);
	/* Its headers come in two pieces. */
	v[0].len = meta.csum_start;
	memcpy(l4, head + meta.csum_start, sizeof(l4));
	memset(head + meta.csum_start, 0xee, sizeof(l4));
	v[1].p = l4;
	CHECK(name, offload_frames(&meta, meta.hdr_len + ALL) == 3);
	for (unsigned i = 0; i < 3; i++) {
		const size_t want = i < 2 ? SIZE : ALL - 2 * SIZE;
		const size_t len = offload_emit(&meta, v, 3, i, out);
		struct rd r = rd(out, len);
		struct ip_packet got = { 0 };
		struct eth e;
		struct udp udp;

		CHECK(name, len == meta.hdr_len + want);
		CHECK(name, eth_parse(&r, &e) == DROP_OK &&
			    ip_parse_packet(r, v6, &got) == DROP_OK);
		CHECK(name, v6 || got.frag_id == 7 + i);
		CHECK(name, udp_parse(got.payload, &udp) == DROP_OK &&
			    udp.data.len == want &&
			    !memcmp(udp.data.p, data + i * SIZE, want));
		CHECK(name, csum_fold(csum_add(csum_pseudo(0, &src, &dst,
			PROTO_UDP, (uint32_t)got.payload.len), got.payload.p,
			got.payload.len)) == 0xffff);
	}
}

void test_wire_offload(void);
void test_wire_offload(void)
{
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++)
		check_case(c);
	check_udp();
	check_udp_batch(false);
	check_udp_batch(true);
}
