/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_roster.c - which addresses further guests get. */
#include "keeper/roster.h"

#include <string.h>

#include "keeper/plan.h"
#include "test.h"

#define NET	0xac1e1000u		/* 172.30.16.0/20 */

static struct plan plan_of(uint8_t bits)
{
	return (struct plan){
		.net4 = { .ip = ip_from_v4(NET), .bits = bits },
		.net6 = { .ip.b = { 0xfd, 1, 2, 3, 4, 5 }, .bits = 64 },
		.guest4 = ip_from_v4(NET + 2),
		.guest6.b = { 0xfd, 1, 2, 3, 4, 5, [15] = 2 },
	};
}

static struct config config_with(const char *name, uint32_t address)
{
	struct config c;

	config_defaults(&c);
	CHECK("enter", !config_enter_guest(&c, name));
	c.guests[c.guest_now].has_address = true;
	c.guests[c.guest_now].address = ip_from_v4(address);
	return c;
}

static uint32_t address(const struct roster *r, const struct plan *p,
			const struct config *c, const char *name)
{
	struct ip ip;

	return roster_address(r, p, c, name, &ip) ? ip_to_v4(ip) : 0;
}

static void take(struct roster *r, unsigned at, const char *name,
		 uint32_t ip4)
{
	r->at[at] = (struct roster_guest){ .used = true,
					   .ip4 = ip_from_v4(ip4) };
	strcpy(r->at[at].name, name);
}

static void check_order(void)
{
	static struct roster r;
	const struct plan p = plan_of(20);
	const struct config c = config_with("web", NET + 4);

	CHECK("the third", address(&r, &p, &c, "a") == NET + 3);
	CHECK("the section's", address(&r, &p, &c, "web") == NET + 4);
	take(&r, 1, "a", NET + 3);
	CHECK("still its own", address(&r, &p, &c, "a") == NET + 3);
	CHECK("none of a section's", address(&r, &p, &c, "b") == NET + 5);
	take(&r, 2, "b", NET + 4);
	CHECK("another has it", !address(&r, &p, &c, "web"));
	r.at[1].used = false;
	CHECK("free again", address(&r, &p, &c, "c") == NET + 3);
}

static void check_kept(void)
{
	static struct roster r;
	const struct plan p = plan_of(20);
	struct config c;

	config_defaults(&c);
	roster_parse("# Addresses\na = 172.30.16.3\nb = 172.30.16.9\n"
		     "nonsense\nB = 172.30.16.4\nb = 172.30.16.5\n"
		     "gate = 172.30.16.1\nfar = 10.0.0.1\nc = 172.30.16.2", &r);
	CHECK("lines that make sense", r.n_kept == 5);
	CHECK("kept", address(&r, &p, &c, "b") == NET + 9);
	CHECK("promised", address(&r, &p, &c, "new") == NET + 4);
	CHECK("the gateway's", address(&r, &p, &c, "gate") == NET + 4);
	CHECK("of another subnet", address(&r, &p, &c, "far") == NET + 4);
	CHECK("the first guest's", address(&r, &p, &c, "c") == NET + 4);
	take(&r, 1, "x", NET + 9);
	CHECK("taken since", address(&r, &p, &c, "b") == NET + 4);
}

static void check_full(void)
{
	static struct roster r;
	const struct plan p = plan_of(29);	/* 1 to 6 */
	struct config c;

	config_defaults(&c);
	for (unsigned i = 1; i <= 4; i++) {
		char name[2] = { (char)('a' + i), '\0' };

		CHECK("room", address(&r, &p, &c, name) == NET + 2 + i);
		take(&r, i, name, NET + 2 + i);
	}
	CHECK("no broadcast", !address(&r, &p, &c, "z"));
}

static void check_ip6(void)
{
	const struct plan p = plan_of(8);
	const struct ip ip4 = ip_from_v4(0xac010203);
	char text[IP_TEXT_BYTES];
	struct ip ip6 = roster_ip6(&p, &ip4);

	ip_format(&ip6, text);
	CHECK("the same number", !strcmp(text, "fd01:203:405::1:203"));
}

void test_keeper_roster(void);
void test_keeper_roster(void)
{
	check_order();
	check_kept();
	check_full();
	check_ip6();
}
