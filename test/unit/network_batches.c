/* SPDX-License-Identifier: MIT */
/* test/unit/network_batches.c - UDP batches that a guest should not send. */
#include "base/csum.h"
#include "network/network.h"
#include "rig.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/udp.h"

/* A frame of UDP from the guest's port 1000, with its sum complete. */
static void datagrams(struct rig *r, const struct ip *dst, uint16_t port,
		      uint16_t gso_size, const uint8_t *data, size_t len)
{
	const struct network_setup *s = &r->fake->setup;
	const struct frame_meta meta = { .gso = FRAME_GSO_UDP4,
					 .gso_size = gso_size };
	const struct eth eth = { .dst = s->gateway_mac, .src = s->guest_mac,
				 .type = ETH_IPV4 };
	const struct ip_packet ip = { .src = s->guest4, .dst = *dst,
				      .proto = PROTO_UDP, .ttl = 64 };
	uint8_t buf[8192], *l4;
	struct wr w = wr(buf, sizeof(buf)), head;
	csum_t sum;

	eth_emit(&w, &eth);
	ip_emit(&w, &ip, UDP_HEADER_BYTES + len);
	l4 = w.p;
	head = w;
	udp_emit(&w, 1000, port, len, 0);
	wr_bytes(&w, data, len);
	sum = csum_add(csum_pseudo(0, &ip.src, &ip.dst, PROTO_UDP,
				   (uint32_t)(UDP_HEADER_BYTES + len)),
		       l4, UDP_HEADER_BYTES + len);
	udp_emit(&head, 1000, port, len, csum_finish(sum));
	network_frame(r->net, 0, &meta, buf, (size_t)(w.p - buf), RIG_START_NS);
	network_turn_end(r->net, RIG_START_NS);
}

static uint64_t dropped(const struct rig *r, enum drop why)
{
	struct network_stats s;

	network_get_stats(r->net, &s);
	return s.drops[why];
}

static void check_sizes(void)
{
	const struct network_setup setup = fake_setup();
	const struct ip there = ip_from_v4(0xcb007101);
	const uint8_t data[400] = { 0 };
	struct rig r = rig_start(&setup);

	datagrams(&r, &there, 9, 0, data, sizeof(data));
	CHECK("of nothing", dropped(&r, DROP_VALUE) == 1);
	datagrams(&r, &there, 9, 3, data, 128 * 3 + 1);
	CHECK("129", dropped(&r, DROP_LIMIT) == 1);
	CHECK("no socket", fake_nth_socket(r.fake, 0) < 0);
	datagrams(&r, &there, 9, 3, data, 128 * 3);
	CHECK("128", dropped(&r, DROP_LIMIT) == 1 &&
		     fake_nth_socket(r.fake, 0) >= 0);
	/* One that says it were several. */
	datagrams(&r, &there, 9, 400, data, sizeof(data));
	datagrams(&r, &there, 9, 65535, data, sizeof(data));
	CHECK("one", r.fake->sock[fake_nth_socket(r.fake, 0)].sent_len ==
		     FAKE_SENT_BYTES);
	rig_end(&r, "sizes");
}

/* Each question of a batch has its answer. */
static void check_questions(void)
{
	static const uint8_t ask[] = "\x12\x34\x01\0\0\x01\0\0\0\0\0\0"
		"\x04" "host\x07slipway\x08internal\0\0\x01\0\x01"
		"\x56\x78\x01\0\0\x01\0\0\0\0\0\0"
		"\x04" "host\x07slipway\x08internal\0\0\x01\0";
	const struct network_setup setup = fake_setup();
	struct rig r = rig_start(&setup);

	/* The second ends with the NUL of the text: it is of class 0. */
	datagrams(&r, &setup.gateway4, 53, sizeof(ask) / 2, ask, sizeof(ask));
	CHECK("two", r.fake->frames == 2);
	rig_end(&r, "questions");
}

void test_network_batches(void);
void test_network_batches(void)
{
	check_sizes();
	check_questions();
}
