/* SPDX-License-Identifier: MIT */
/* test/unit/proto_icmp_map.c - links base and proto/icmp_map. */
#include "proto/icmp_map.h"

#include "test.h"

static const struct {
	bool v6;
	uint8_t type, code;
	enum icmp_error want;
} cases[] = {
	{ false, 3, 0, ICMP_NET_UNREACHABLE },
	{ false, 3, 1, ICMP_HOST_UNREACHABLE },
	{ false, 3, 2, ICMP_PROTO_UNREACHABLE },
	{ false, 3, 3, ICMP_PORT_UNREACHABLE },
	{ false, 3, 4, ICMP_TOO_BIG },
	{ false, 3, 9, ICMP_PROHIBITED },
	{ false, 3, 10, ICMP_PROHIBITED },
	{ false, 3, 13, ICMP_PROHIBITED },
	{ false, 3, 200, ICMP_HOST_UNREACHABLE },
	{ false, 11, 0, ICMP_TTL_EXCEEDED },
	{ false, 12, 0, ICMP_HOST_UNREACHABLE },
	{ true, 1, 0, ICMP_NET_UNREACHABLE },
	{ true, 1, 1, ICMP_PROHIBITED },
	{ true, 1, 3, ICMP_HOST_UNREACHABLE },
	{ true, 1, 4, ICMP_PORT_UNREACHABLE },
	{ true, 1, 200, ICMP_HOST_UNREACHABLE },
	{ true, 2, 0, ICMP_TOO_BIG },
	{ true, 3, 0, ICMP_TTL_EXCEEDED },
	{ true, 4, 1, ICMP_HOST_UNREACHABLE },
};

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
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct env_dgram_error e = {
			.to.ip = cases[i].v6 ? (struct ip){ .b = { 32 } } :
					       ip_from_v4(0xc0000201),
			.type = cases[i].type, .code = cases[i].code,
		};

		CHECK("error queue", icmp_map(&e) == cases[i].want);
	}
	for (size_t i = 0; i < sizeof(sends) / sizeof(sends[0]); i++) {
		enum icmp_error what = ICMP_TTL_EXCEEDED;

		CHECK("send", icmp_map_send((int)sends[i].error, &what) ==
			      sends[i].told);
		CHECK("send", what == (sends[i].told ? sends[i].want :
						       ICMP_TTL_EXCEEDED));
	}
}
