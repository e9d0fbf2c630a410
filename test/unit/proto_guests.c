/* SPDX-License-Identifier: MIT */
/* test/unit/proto_guests.c - who spoke last with an address has it. */
#include "proto/guests.h"

#include <string.h>

#include "test.h"

static const struct mac own = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac first = { { 2, 0, 0, 0, 0, 2 } };
static const struct mac a = { { 2, 0, 0, 0, 0, 0xa } };
static const struct mac b = { { 2, 0, 0, 0, 0, 0xb } };
static const struct ip none;

static struct guests g;

static struct ip four(unsigned i)
{
	return ip_from_v4(0xac140000 + i);
}

static struct ip six(unsigned i)
{
	return (struct ip){ .b = { 0xfd, [14] = (uint8_t)(i >> 8),
				   [15] = (uint8_t)i } };
}

static void start(bool fixed)
{
	const struct siphash_key key = { { 1, 2 } };
	const struct guests_new what = { .mac = first, .fixed = fixed,
					 .ip4 = four(2), .ip6 = six(2) };

	memset(&g, 0, sizeof(g));
	guests_init(&g, &own, &key);
	CHECK("the first", guests_add(&g, &what) == 0);
}

static bool at(const struct ip ip, const struct mac *mac)
{
	return mac_equal(guests_mac(&g, 0, &ip), mac);
}

static bool heard(unsigned id, const struct ip ip, const struct mac *mac)
{
	const bool is = guests_heard(&g, id, &ip, mac, true);

	guests_check(&g);
	return is;
}

static int hear(unsigned link, const struct mac *mac)
{
	return guests_hear(&g, link, mac, NULL);
}

static int found(const struct ip ip)
{
	return guests_find(&g, &ip);
}

/* ---- one guest ---- */

static void check_ip4(void)
{
	start(false);
	CHECK("not heard yet", at(four(2), &first));
	CHECK("heard", heard(0, four(2), &a) && at(four(2), &a) &&
	      at(six(1), &a));
	CHECK("moved", heard(0, four(2), &b) && at(four(2), &b) &&
	      at(six(1), &b));
	CHECK("no other", !heard(0, four(3), &a) && found(four(3)) < 0);
	start(true);
	CHECK("fixed", heard(0, four(2), &a) && at(four(2), &first));
}

static void check_ip6(void)
{
	start(false);
	CHECK("heard", heard(0, six(1), &a));
	CHECK("all that is known", at(four(2), &a) && at(six(2), &a));
	CHECK("another", heard(0, six(2), &b));
	CHECK("side by side", at(six(1), &a) && at(six(2), &b));
	CHECK("IPv4", heard(0, four(2), &a) && heard(0, six(2), &b));
	CHECK("IPv4 stays", at(four(2), &a) && at(six(3), &a));
	CHECK("moved", heard(0, six(1), &b) && at(six(1), &b));
	CHECK("none", !heard(0, none, &a));
}

/* As many as one likes: those that spoke last are known. */
static void check_many(void)
{
	start(false);
	CHECK("IPv4", heard(0, four(2), &a));
	for (unsigned i = 0; i < 1000; i++)
		CHECK("taken", heard(0, six(100 + i), &b));
	for (unsigned i = 1000 - GUESTS_SIX; i < 1000; i++)
		CHECK("known", at(six(100 + i), &b));
	CHECK("forgotten", at(six(1100 - GUESTS_SIX - 1), &a) &&
	      found(six(1100 - GUESTS_SIX - 1)) == GUESTS_NOBODY);
	CHECK("counted", g.addresses_lost == 1000 - GUESTS_SIX);
	CHECK("what was given is kept", found(six(2)) == 0);
	CHECK("a silent one goes first", heard(0, six(1100 - GUESTS_SIX), &b) &&
	      heard(0, six(1), &b) && found(six(1100 - GUESTS_SIX)) == 0 &&
	      found(six(1101 - GUESTS_SIX)) < 0);
}

/* ---- several ---- */

static void add_others(void)
{
	const struct guests_new by_link = { .link = 1, .ip4 = four(3) };
	const struct guests_new by_mac = { .link = NETWORK_LINK_ANY, .mac = b,
					   .ip4 = four(4), .ip6 = six(4) };

	start(false);
	CHECK("a link's", guests_add(&g, &by_link) == 1);
	CHECK("a MAC's", guests_add(&g, &by_mac) == 2);
	guests_check(&g);
}

static void check_whose(void)
{
	const struct mac group = { { 3, 0, 0, 0, 0, 9 } };

	add_others();
	CHECK("the link's", hear(0, &a) == 0 && hear(1, &first) == 1);
	CHECK("nobody's link", hear(2, &own) == GUESTS_NOBODY &&
	      hear(2, &group) == GUESTS_NOBODY);
	CHECK("neither ours nor a group's", hear(0, &own) < 0 &&
	      hear(0, &group) < 0);
	CHECK("by its MAC, anywhere", hear(1, &b) == 2);
	CHECK("and nowhere else", hear(0, &b) == GUESTS_THIEF);
	CHECK("another's", hear(1, &a) == GUESTS_THIEF &&
	      hear(0, &first) == GUESTS_THIEF && hear(1, &first) == 1);
	CHECK("found", guests_by_mac(&g, &a) == 0 &&
	      guests_by_mac(&g, &b) == 2);
	guests_link_down(&g, 1);
	CHECK("gone", !g.at[1].up && !g.at[2].up && g.at[0].up);
	CHECK("free", hear(0, &b) == 2 && hear(0, &first) == 0);
	CHECK("no more", hear(1, &b) == GUESTS_THIEF &&
	      hear(1, &first) == GUESTS_THIEF);
}

static void check_macs(void)
{
	struct mac mac = a;

	add_others();
	for (unsigned i = 0; i < 100; i++) {
		mac.b[4] = (uint8_t)(1 + i);
		CHECK("heard", hear(0, &mac) == 0 && hear(0, &a) == 0);
	}
	CHECK("bounded", g.links[0].n == GUESTS_MACS && g.macs_lost > 80);
	CHECK("the last", guests_by_mac(&g, &mac) == 0);
}

/* What one guest has none else takes, nor what its MAC makes. */
static void check_taken(void)
{
	const struct ip of_b = ip_link_local(&b);

	add_others();
	CHECK("given", !heard(0, four(3), &a) && !heard(1, six(4), &a));
	CHECK("taken", heard(0, six(9), &a) && !heard(1, six(9), &b) &&
	      found(six(9)) == 0);
	CHECK("made", !heard(0, of_b, &a) && heard(2, of_b, &b) &&
	      found(of_b) == 2);
}

static void check_remove(void)
{
	const struct guests_new again = { .link = NETWORK_LINK_ANY, .mac = b,
					  .ip4 = four(4), .ip6 = six(9) };
	struct guests_new bad = again;

	add_others();
	CHECK("a MAC twice", guests_add(&g, &again) == GUESTS_THIEF);
	CHECK("speaks", hear(0, &b) == 2 && heard(2, six(8), &b));
	guests_remove(&g, 2);
	guests_check(&g);
	CHECK("gone", found(four(4)) < 0 && found(six(8)) < 0 &&
	      hear(0, &b) == 0);
	CHECK("taken meanwhile", heard(0, six(9), &a));
	CHECK("again", guests_add(&g, &again) == 2 && found(six(9)) == 2);
	bad.link = 1;
	bad.ip4 = four(9);
	bad.ip6 = none;
	CHECK("a link has its own", guests_add(&g, &bad) == GUESTS_THIEF);
	bad.link = NETWORK_LINKS_MAX;
	CHECK("no such link", guests_add(&g, &bad) == GUESTS_THIEF);
	bad.link = 2;
	bad.ip4 = four(3);
	CHECK("an address twice", guests_add(&g, &bad) == GUESTS_THIEF);
	for (unsigned i = 3; i <= NETWORK_GUESTS_MAX; i++) {
		const struct guests_new one = {
			.link = NETWORK_LINK_ANY, .ip4 = four(100 + i),
			.mac = { { 2, 1, 0, 0, 0, (uint8_t)i } },
		};

		CHECK("full", guests_add(&g, &one) ==
		      (i < NETWORK_GUESTS_MAX ? (int)i : GUESTS_NOBODY));
	}
	guests_check(&g);
}

void test_proto_guests(void);
void test_proto_guests(void)
{
	check_ip4();
	check_ip6();
	check_many();
	check_whose();
	check_macs();
	check_taken();
	check_remove();
}
