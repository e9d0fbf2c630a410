/* SPDX-License-Identifier: MIT */
/* test/unit/wire_arp.c - links base and wire, nothing else. */
#include "wire/arp.h"

#include "exact.h"
#include "test.h"

static const uint8_t request[ARP_BYTES] = {
	0, 1, 8, 0, 6, 4, 0, 1,
	2, 0, 0, 0, 0, 2, 172, 20, 0, 2,
	0, 0, 0, 0, 0, 0, 172, 20, 0, 1,
};

/* One byte of a good request made another. */
static const struct {
	const char *name;
	size_t at;
	uint8_t byte;
	enum drop want;
} cases[] = {
	{ "request",		7,	1,	DROP_OK },
	{ "reply",		7,	2,	DROP_OK },
	{ "probe",		14,	0,	DROP_OK },
	{ "hardware 257",	0,	1,	DROP_NOTOURS },
	{ "hardware 6",		1,	6,	DROP_NOTOURS },
	{ "protocol 0900",	2,	9,	DROP_NOTOURS },
	{ "protocol 0801",	3,	1,	DROP_NOTOURS },
	{ "hardware of 0",	4,	0,	DROP_NOTOURS },
	{ "hardware of 255",	4,	255,	DROP_NOTOURS },
	{ "protocol of 16",	5,	16,	DROP_NOTOURS },
	{ "operation 0",	7,	0,	DROP_NOTOURS },
	{ "RARP",		7,	3,	DROP_NOTOURS },
	{ "operation 257",	6,	1,	DROP_NOTOURS },
};

static void check_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = cases[i].name;
		uint8_t *copy = exact(request, ARP_BYTES);
		uint8_t again[ARP_BYTES];
		struct wr w = wr(again, sizeof(again));
		struct arp a = { .sender_mac.b[0] = 0xa5 };

		copy[cases[i].at] = cases[i].byte;
		CHECK(name, arp_parse(rd(copy, ARP_BYTES), &a) ==
			    cases[i].want);
		if (cases[i].want == DROP_OK) {
			arp_emit(&w, &a);
			CHECK(name, !w.bad && !w.left);
			CHECK(name, !memcmp(again, copy, ARP_BYTES));
		} else {
			CHECK(name, a.sender_mac.b[0] == 0xa5);
		}
		free(copy);
	}
}

void test_wire_arp(void);
void test_wire_arp(void)
{
	uint8_t padded[60] = { 0 }, room[ARP_BYTES];
	struct arp a;

	check_cases();
	memcpy(padded, request, ARP_BYTES);
	CHECK("padded", arp_parse(rd(padded, sizeof(padded)), &a) == DROP_OK);
	CHECK("fields", a.op == ARP_REQUEST && a.sender_mac.b[5] == 2 &&
			ip_to_v4(a.sender) == 0xac140002 &&
			ip_to_v4(a.target) == 0xac140001);
	for (size_t len = 0; len < ARP_BYTES; len++) {
		uint8_t *copy = exact(request, len);
		struct wr w = wr(room, len);
		struct arp out = { .sender_mac.b[0] = 0xa5 };

		CHECK("cut", arp_parse(rd(copy, len), &out) == DROP_SHORT);
		CHECK("untouched", out.sender_mac.b[0] == 0xa5);
		arp_emit(&w, &a);
		CHECK("no room", w.bad);
		free(copy);
	}
}
