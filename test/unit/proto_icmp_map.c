/* SPDX-License-Identifier: MIT */
/* test/unit/proto_icmp_map.c - links base, wire/icmp and proto/icmp_map. */
#include "proto/icmp_map.h"

#include "test.h"

/*
 * Each code that a Linux socket reports (net/ipv4/icmp.c: destination
 * unreachable 0 to 15; net/ipv6/icmp.c: 0 to 6) reaches the guest as it
 * is. Others there are none of, and they are told as "unreachable".
 */
static const struct {
	bool v6;
	uint8_t type, last;		/* codes 0 to last are passed on */
} families[] = {
	{ false, 3, 15 }, { false, 11, 1 }, { false, 12, 2 },
	{ true, 1, 6 }, { true, 2, 0 }, { true, 3, 1 }, { true, 4, 2 },
	{ false, 200, 0 }, { true, 200, 0 },
};

static void check_code(bool v6, uint8_t type, uint8_t code, bool known)
{
	const struct ip ip = v6 ? (struct ip){ .b = { 32 } } :
				  ip_from_v4(0xc0000201);
	const struct env_net_error e = {
		.to.ip = ip, .type = type, .code = code,
	};
	const enum icmp_error what = icmp_map(&e);
	uint8_t out[ICMP_HEADER_BYTES];
	struct wr w = wr(out, sizeof(out));

	icmp_emit_error(&w, &ip, &ip, what, 0, (struct view){ 0 });
	CHECK("type", out[0] == (known ? type : v6 ? 1 : 3));
	CHECK("code", out[1] == (known ? code : v6 ? 3 : 1));
	CHECK("same", known || what == ICMP_HOST_UNREACHABLE);
}

static const struct {
	enum env_error error;
	bool told;
	enum icmp_error want;
} sends[] = {
	{ ENV_NET_UNREACHABLE, true, ICMP_NET_UNREACHABLE },
	{ ENV_HOST_UNREACHABLE, true, ICMP_HOST_UNREACHABLE },
	{ ENV_ACCESS, true, ICMP_PROHIBITED },
	{ ENV_AGAIN, false, 0 }, { ENV_REFUSED, false, 0 },
	{ ENV_TIMED_OUT, false, 0 }, { ENV_RESET, false, 0 },
	{ ENV_LIMIT, false, 0 }, { ENV_TOO_BIG, false, 0 },
	{ ENV_OTHER, false, 0 },
};

void test_proto_icmp_map(void);
void test_proto_icmp_map(void)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		for (unsigned code = 0; code < 256; code++)
			check_code(families[i].v6, families[i].type,
				   (uint8_t)code, families[i].type != 200 &&
				   code <= families[i].last);
	for (size_t i = 0; i < sizeof(sends) / sizeof(sends[0]); i++) {
		enum icmp_error what = ICMP_TTL_EXCEEDED;

		CHECK("send", icmp_map_send((int)sends[i].error, &what) ==
			      sends[i].told);
		CHECK("send", what == (sends[i].told ? sends[i].want :
						       ICMP_TTL_EXCEEDED));
	}
}
