/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_plan.c - plans, their state, names. */
#include "keeper/plan.h"

#include <stdio.h>
#include <string.h>

#include "config/value.h"
#include "keeper/names.h"
#include "keeper/state.h"
#include "test.h"

/* Says no as often as told, and counts. */
struct routes {
	unsigned taken, asked;
};

static bool taken(void *ctx, const struct prefix *p)
{
	struct routes *r = ctx;

	CHECK("a /20", p->bits == 20);
	CHECK("of 172.16/12", ip_to_v4(p->ip) >> 20 == 0xac1);
	return r->asked++ < r->taken;
}

static struct plan derive(const char *name, unsigned n_taken)
{
	struct routes r = { .taken = n_taken };
	struct plan p;

	plan_derive(name, taken, &r, &p);
	return p;
}

static void check_derived(void)
{
	const struct plan a = derive("default", 0), b = derive("web", 0);
	const struct plan again = derive("web", 0);
	struct ip gateway = plan_gateway4(&a);

	CHECK("default", ip_to_v4(a.net4.ip) == 0xac140000);
	CHECK("gateway", ip_to_v4(gateway) == 0xac140001);
	CHECK("guest", ip_to_v4(a.guest4) == 0xac140002);
	CHECK("same again", !memcmp(&b, &again, sizeof(b)));
	CHECK("ula", a.net6.ip.b[0] == 0xfd && a.net6.bits == 64);
	CHECK("ula differs", !ip_equal(&a.net6.ip, &b.net6.ip));
	CHECK("mac", a.guest_mac.b[0] == 2);
	CHECK("mac differs", !mac_equal(&a.guest_mac, &b.guest_mac));
	gateway = plan_gateway6(&a);
	CHECK("v6", gateway.b[15] == 1 && a.guest6.b[15] == 2);
	CHECK("gateway's mac", plan_gateway_mac("web").b[0] == 2);
}

static void check_candidates(void)
{
	const struct plan first = derive("default", 0);
	const struct plan next = derive("default", 1);
	const struct plan wrapped = derive("default", 255);
	const struct plan none = derive("default", 1000);

	CHECK("next", ip_to_v4(next.net4.ip) ==
		      ip_to_v4(first.net4.ip) + 0x1000);
	CHECK("wraps", ip_to_v4(wrapped.net4.ip) ==
		       ip_to_v4(first.net4.ip) - 0x1000);
	CHECK("all taken", ip_equal(&none.net4.ip, &first.net4.ip));
	CHECK("ula stays", ip_equal(&next.net6.ip, &first.net6.ip));
}

static void check_overrides(void)
{
	struct plan p = derive("default", 0);
	const struct plan before = p;
	struct fail fail;
	struct config c;

	config_defaults(&c);
	CHECK("nothing set", plan_override(&p, &c, &fail) == 0 &&
	      !memcmp(&p, &before, sizeof(p)));
	CHECK("set", !value_subnet(&c, "10.1.2.0/24"));
	CHECK("subnet", plan_override(&p, &c, &fail) == 0 &&
	      ip_to_v4(p.guest4) == 0x0a010202);
	p = before;
	config_defaults(&c);
	CHECK("set", !value_address(&c, "172.20.3.4"));
	CHECK("address", plan_override(&p, &c, &fail) == 0 &&
	      ip_to_v4(p.guest4) == 0xac140304);
	CHECK("set", !value_address(&c, "10.9.9.9"));
	p = before;
	CHECK("elsewhere", plan_override(&p, &c, &fail) < 0 &&
	      !memcmp(&p, &before, sizeof(p)));
}

#define STATE "subnet = 172.20.0.0/20\naddress = 172.20.0.2\n"	\
	      "subnet6 = fd00:1:2::/64\naddress6 = fd00:1:2::2\n"
#define MAC   "mac = 02:00:00:00:00:01\n"
#define STATE4(net, guest) "subnet = " net "\naddress = " guest "\n"	\
	      "subnet6 = fd00::/64\naddress6 = fd00::2\n" MAC
#define STATE6(net, guest) "subnet = 172.20.0.0/20\n"			\
	      "address = 172.20.0.2\nsubnet6 = " net "\naddress6 = "	\
	      guest "\n" MAC

static void check_state(void)
{
	static const char *const bad[] = {
		"", STATE, MAC, "# only a comment\n",
		STATE "mac = 01:00:00:00:00:01\n", STATE "mac = x\n",
		"subnet = 172.20.0.0/20\naddress = 10.0.0.1\n"
		"subnet6 = fd00::/64\naddress6 = fd00::2\n" MAC,
		"subnet = fd00::/64\naddress = fd00::1\n"
		"subnet6 = fd00::/64\naddress6 = fd00::2\n" MAC,
		STATE4("172.20.0.0/20", "172.20.0.0"),
		STATE4("172.20.0.0/20", "172.20.0.1"),
		STATE4("172.20.0.0/20", "172.20.15.255"),
		STATE4("127.0.0.0/8", "127.0.0.2"),
		STATE4("224.0.0.0/8", "224.0.0.2"),
		STATE4("240.0.0.0/8", "240.0.0.2"),
		STATE4("0.0.0.0/8", "0.0.0.2"),
		STATE6("fd00::/64", "fd00::"), STATE6("fd00::/64", "fd00::1"),
		STATE6("::/64", "::2"), STATE6("fe80::/64", "fe80::2"),
		STATE6("ff0e::/64", "ff0e::2"),
	};
	struct plan p = { 0 };

	CHECK("state", state_parse("# c\n" STATE MAC, &p));
	CHECK("state", ip_to_v4(p.guest4) == 0xac140002);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct plan q = p;

		CHECK(bad[i], !state_parse(bad[i], &q));
		CHECK(bad[i], !memcmp(&p, &q, sizeof(p)));
	}
}

static void check_names(void)
{
	static const struct {
		const char *command, *name;
	} cases[] = {
		{ "python3", "python3" }, { "/usr/bin/python3", "python3" },
		{ "./Run Me.sh", "run-me.sh" }, { "-sh", "sh" },
		{ ".hidden", "hidden" }, { "", "guest" }, { "/", "guest" },
		{ "a\xc3\xa4" "b", "a--b" }, { "../..", "guest" },
		{ "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd",
		  "aaaaaaaaaabbbbbbbbbbccccccccccdd" },
	};
	char name[CONFIG_NAME_BYTES];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		names_from_command(cases[i].command, name);
		CHECK(cases[i].command, !strcmp(name, cases[i].name));
	}
	names_nth("web", 1, name);
	CHECK("first", !strcmp(name, "web"));
	names_nth("web", 12, name);
	CHECK("twelfth", !strcmp(name, "web-12"));
	names_nth("aaaaaaaaaabbbbbbbbbbccccccccccdd", 12, name);
	CHECK("cut", !strcmp(name, "aaaaaaaaaabbbbbbbbbbccccccccc-12"));
}

void test_keeper_plan(void);
void test_keeper_plan(void)
{
	check_derived();
	check_candidates();
	check_overrides();
	check_state();
	check_names();
}
