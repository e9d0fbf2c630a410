/* SPDX-License-Identifier: MIT */
/* test/unit/network_policy.c - links base and network/policy. */
#include "network/policy.h"

#include "test.h"

enum { OPEN = 1, LOCAL = 2 };		/* host_access, link_local */

/* What the host has at two ports, and what the guest is told to reach. */
static const struct {
	const char *dst;
	uint16_t port;
	enum env_route route;
	enum policy_verdict want;
} listed[] = {
	{ "172.20.0.1", 80, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "172.20.0.1", 8000, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "172.20.0.1", 8010, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "fd01::1", 80, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "192.0.2.2", 80, ENV_ROUTE_HOST, POLICY_CARRY },
	{ "192.0.2.1", 81, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "192.0.2.1", 0, ENV_ROUTE_WORLD, POLICY_CARRY },

	{ "172.20.0.1", 79, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "172.20.0.1", 81, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "172.20.0.1", 7999, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "172.20.0.1", 8011, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "172.20.0.1", 65535, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "fd01::1", 81, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "192.0.2.2", 81, ENV_ROUTE_HOST, POLICY_REFUSE },
	{ "2001:db8::2", 81, ENV_ROUTE_HOST, POLICY_REFUSE },
	{ "192.0.2.255", 81, ENV_ROUTE_OTHER, POLICY_REFUSE },
	{ "192.0.2.2", 0, ENV_ROUTE_HOST, POLICY_REFUSE },
	{ "127.0.0.1", 80, ENV_ROUTE_HOST, POLICY_REFUSE },
	{ "::1", 80, ENV_ROUTE_HOST, POLICY_REFUSE },
	{ "0.0.0.0", 80, ENV_ROUTE_HOST, POLICY_REFUSE },
	{ "169.254.169.254", 80, ENV_ROUTE_WORLD, POLICY_REFUSE },
};

static const struct {
	const char *dst;
	unsigned how;
	enum env_route route;
	enum policy_verdict want;
	const char *to;			/* NULL: as dst */
	const char *next;		/* NULL: none */
} cases[] = {
	{ "192.0.2.1", OPEN, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "192.0.2.1", 0, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "2001:db8::1", 0, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "192.0.2.1", 0, ENV_ROUTE_NONE, POLICY_CARRY },
	{ "192.0.2.1", 0, ENV_ROUTE_HOST, POLICY_REFUSE },
	{ "192.0.2.1", 0, ENV_ROUTE_OTHER, POLICY_REFUSE },
	{ "192.0.2.1", OPEN, ENV_ROUTE_HOST, POLICY_CARRY },
	{ "172.20.0.1", OPEN, ENV_ROUTE_WORLD, POLICY_CARRY, "127.0.0.1",
	  "::1" },
	{ "fd01::1", OPEN, ENV_ROUTE_WORLD, POLICY_CARRY, "::1",
	  "127.0.0.1" },
	{ "172.20.0.1", 0, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "fd01::1", 0, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "127.0.0.1", OPEN, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "127.255.0.1", 0, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "::1", OPEN, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "0.0.0.0", OPEN, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "0.1.2.3", OPEN, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "240.0.0.1", OPEN, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "::", OPEN, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "169.254.169.254", OPEN, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "169.254.169.254", OPEN | LOCAL, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "fe80::1", OPEN, ENV_ROUTE_WORLD, POLICY_REFUSE },
	{ "fe80::1", LOCAL, ENV_ROUTE_WORLD, POLICY_CARRY },
	{ "224.0.0.251", OPEN, ENV_ROUTE_WORLD, POLICY_IGNORE },
	{ "255.255.255.255", OPEN, ENV_ROUTE_WORLD, POLICY_IGNORE },
	{ "ff02::1", OPEN, ENV_ROUTE_WORLD, POLICY_IGNORE },
};

static enum env_route route(void *ctx, const struct ip *ip)
{
	(void)ip;
	return *(enum env_route *)ctx;
}

static bool is(const char *text, const struct ip *ip)
{
	struct ip want;

	return ip_parse(text, &want) && ip_equal(&want, ip);
}

static void check_listed(size_t i)
{
	enum env_route answer = listed[i].route;
	const struct env_ops ops = { .route = route };
	const struct env env = { .ops = &ops, .ctx = &answer };
	struct policy pol = {
		.gateway4 = ip_from_v4(0xac140001), .v6 = true,
		.gateway6.b = { 0xfd, 1, [15] = 1 }, .host_access = true,
		.ports = { .n = 2, .range = { { 80, 80 }, { 8000, 8010 } } },
	};
	struct ip dst;

	CHECK(listed[i].dst, ip_parse(listed[i].dst, &dst));
	CHECK(listed[i].dst, policy_route(&pol, &env, &dst, listed[i].port)
			     .verdict == listed[i].want);
	/* Off is off, whatever list is left there. */
	pol.host_access = false;
	if (answer != ENV_ROUTE_WORLD)
		CHECK("off", policy_route(&pol, &env, &dst, listed[i].port)
			     .verdict == POLICY_REFUSE);
}

void test_network_policy(void);
void test_network_policy(void)
{
	for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++)
		check_listed(i);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *name = cases[i].dst, *next = cases[i].next;
		enum env_route answer = cases[i].route;
		const struct env_ops ops = { .route = route };
		const struct env env = { .ops = &ops, .ctx = &answer };
		const struct policy pol = {
			.gateway4 = ip_from_v4(0xac140001), .v6 = true,
			.gateway6.b = { 0xfd, 1, [15] = 1 },
			.host_access = cases[i].how & OPEN,
			.link_local = cases[i].how & LOCAL,
		};
		struct policy_route r;
		struct ip dst;

		CHECK(name, ip_parse(name, &dst));
		r = policy_route(&pol, &env, &dst, 80);
		CHECK(name, r.verdict == cases[i].want);
		if (r.verdict != POLICY_CARRY)
			continue;
		CHECK(name, is(cases[i].to ? cases[i].to : name, &r.to));
		CHECK(name, r.has_next == !!next);
		CHECK(name, !next || is(next, &r.next_to));
	}
}
