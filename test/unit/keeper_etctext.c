/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_etctext.c - resolv.conf and hosts. */
#include "keeper/etctext.h"

#include <stdlib.h>
#include <string.h>

#include "base/hosts.h"

#include "test.h"

static const struct {
	const char *name, *text;
	unsigned n;
	const char *first;	/* server; NULL: not checked */
	const char *search;
} cases[] = {
	{ "nothing", "", 0, NULL, "" },
	{ "one", "nameserver 192.0.2.1\n", 1, "192.0.2.1", "" },
	{ "no newline", "nameserver 192.0.2.1", 1, "192.0.2.1", "" },
	{ "tabs and blanks", "\t nameserver\t 192.0.2.1 \r\n", 1,
	  "192.0.2.1", "" },
	{ "IPv6", "nameserver 2001:db8::1\nnameserver 192.0.2.1\n", 2,
	  "2001:db8::1", "" },
	{ "with a zone", "nameserver fe80::1%eth0\nnameserver 192.0.2.1\n", 1,
	  "192.0.2.1", "" },
	{ "comments", "# nameserver 192.0.2.9\n; x\nnameserver 192.0.2.1 # y\n",
	  1, "192.0.2.1", "" },
	{ "no address", "nameserver\nnameserver x\n", 0, NULL, "" },
	{ "stub", "nameserver 127.0.0.53\noptions edns0\n", 1, "127.0.0.53",
	  "" },
	{ "search", "search a.test b.test\n", 0, NULL, "a.test b.test" },
	{ "last search counts", "search a.test\ndomain b.test\n", 0, NULL,
	  "b.test" },
	{ "more than kept", "nameserver ::1\nnameserver ::1\nnameserver ::1\n"
	  "nameserver ::1\nnameserver ::1\nnameserver ::1\nnameserver ::1\n"
	  "nameserver ::1\nnameserver ::1\n", 8, "::1", "" },
	{ "like nameserver", "nameservers 192.0.2.1\n", 0, NULL, "" },
};

static void check_resolvconf(size_t i)
{
	char text[IP_TEXT_BYTES];
	struct resolvconf r;

	resolvconf_parse(cases[i].text, &r);
	CHECK(cases[i].name, r.n == cases[i].n);
	CHECK(cases[i].name, !strcmp(r.search, cases[i].search));
	if (cases[i].first && r.n)
		CHECK(cases[i].name, !strcmp(ip_format(&r.at[0], text),
					     cases[i].first));
}

static void check_long_search(void)
{
	char text[600] = "search";
	struct resolvconf r;

	for (unsigned i = 0; i < 40; i++)
		strcat(text, " domain.test");
	resolvconf_parse(text, &r);
	CHECK("whole domains only", strlen(r.search) < sizeof(r.search) &&
	      strlen(r.search) % 12 == 11);
}

static void check_made(void)
{
	const struct ip gateway = ip_from_v4(0xac140001);
	char buf[512];

	resolvconf_make(buf, sizeof(buf), &gateway, "a.test b.test");
	CHECK("made", !strcmp(buf, "nameserver 172.20.0.1\n"
			      "search a.test b.test\n"));
	resolvconf_make(buf, sizeof(buf), &gateway, "");
	CHECK("without search", !strcmp(buf, "nameserver 172.20.0.1\n"));
}

static void check_hosts(void)
{
	struct hosts_setup s = {
		.guest4 = ip_from_v4(0xac140002),
		.gateway4 = ip_from_v4(0xac140001),
		.hostname = "ship",
		.host_text = "127.0.0.1 localhost\n127.0.1.1 ship\n"
			"::1 ip6-localhost\n192.0.2.5\tdb db.test # ours\n"
			"192.0.2.6 Ship ship.test\n# a comment\n\n"
			"nonsense line\nff02::1 ip6-allnodes",
	};
	char *text = hosts_make(&s);

	CHECK("hosts", text != NULL);
	if (!text)
		return;
	CHECK("localhost", strstr(text, "127.0.0.1\tlocalhost\n") == text);
	CHECK("guest", strstr(text, "\n172.20.0.2\tship\n"));
	CHECK("host", strstr(text, "\n172.20.0.1\thost.slipway.internal\t"));
	CHECK("kept", strstr(text, "\n192.0.2.5\tdb db.test # ours\n"));
	CHECK("last", strstr(text, "\nff02::1 ip6-allnodes\n"));
	CHECK("host's own name is ours", !strstr(text, "192.0.2.6"));
	CHECK("no loopback of the host's", !strstr(text, "127.0.1.1"));
	CHECK("no nonsense", !strstr(text, "nonsense"));
	CHECK("no IPv6", !strstr(text, "fd00:"));
	free(text);

	s.v6 = true;
	s.guest6.b[0] = s.gateway6.b[0] = 0xfd;
	text = hosts_make(&s);
	CHECK("IPv6", text && strstr(text, "\nfd00::\tship\n"));
	free(text);
}

static void check_table(void)
{
	static const char text[] =
		"127.0.0.1 localhost\n127.0.1.1 ship\n::1 ip6-localhost\n"
		"192.0.2.5\tDb db.test. # ours\n"
		"192.0.2.6 db bad..name -ok _x .. . a/b\n"
		"fe80::1%eth0 zone\nnonsense line\n2001:db8::5 db six\n";
	size_t bytes = 0;
	void *block = hosts_table(text, &bytes);
	struct hosts_found e;
	struct hosts h;
	struct ip ip = ip_from_v4(0xc0000206);

	CHECK("table", block && hosts_open((struct view){ block, bytes }, &h));
	if (!block)
		return;
	CHECK("by family, in the order of the file",
	      hosts_by_name(&h, "db", &e) && e.n4 == 2 && e.n6 == 1 &&
	      ip_to_v4(e.v4[0].ip) == 0xc0000205 &&
	      ip_equal(&e.v4[1].ip, &ip) && !ip_is4(&e.v6[0].ip));
	CHECK("without the dot", hosts_by_name(&h, "db.test", &e) &&
				 e.n4 == 1 && e.n6 == 0 && !e.v6);
	CHECK("first name", !strcmp(hosts_by_ip(&h, &ip), "db"));
	CHECK("odd, but names", hosts_by_name(&h, "-ok", &e) &&
				hosts_by_name(&h, "_x", &e));
	CHECK("of IPv6 only", hosts_by_name(&h, "six", &e) &&
			      !e.n4 && !e.v4 && e.n6 == 1);
	CHECK("no more", h.n == 7);
	CHECK("no name", !hosts_by_name(&h, "", &e) && !e.n4 && !e.n6 &&
			 !hosts_by_name(&h, "zz", &e));
	ip = ip_from_v4(0xffffffff);
	CHECK("no address", !hosts_by_ip(&h, &ip));
	free(block);
	CHECK("nothing", !hosts_table("127.0.0.1 localhost\n", &bytes));
}

/* Many names, each of them found. */
static void check_many(void)
{
	char *text = malloc(40 * 5000), *at = text;
	char name[32];
	size_t bytes = 0;
	struct hosts h = { .n = 0 };
	void *block;
	unsigned found = 0;

	if (!text)
		abort();
	for (unsigned i = 0; i < 5000; i++)
		at += sprintf(at, "10.1.%u.%u h%u\n", i >> 8, i & 255,
			      i * 7919 % 5000);
	block = hosts_table(text, &bytes);
	CHECK("table", block && hosts_open((struct view){ block, bytes }, &h));
	for (uint32_t i = 0; i < 5000; i++) {
		const struct ip ip = ip_from_v4(0x0a010000 + i);
		struct hosts_found e;

		snprintf(name, sizeof(name), "h%u", i * 7919 % 5000);
		found += hosts_by_name(&h, name, &e) && e.n4 == 1 && !e.n6 &&
			 ip_equal(&e.v4->ip, &ip) &&
			 !strcmp(hosts_by_ip(&h, &ip), name);
	}
	CHECK("all", found == 5000);
	free(block);
	free(text);
}

/*
 * A name that is there a thousand times costs no more than another: what
 * stands in most of its entries cannot matter, so they are not looked at.
 */
static void check_repeated(void)
{
	char *text = malloc(40 * 1001), *at = text;
	struct hosts_found e;
	size_t bytes = 0;
	struct hosts h = { .n = 0 };
	unsigned mattered = 0;
	void *block;

	if (!text)
		abort();
	at += sprintf(at, "2001:db8::1 many\n10.9.9.9 a\n");
	for (unsigned i = 0; i < 1000; i++)
		at += sprintf(at, "10.1.%u.%u many\n", i >> 8, i & 255);
	block = hosts_table(text, &bytes);
	CHECK("table", block && hosts_open((struct view){ block, bytes }, &h));
	CHECK("sorted", h.n == 1002 &&
			!strcmp(h.text + h.by_name[0].name, "a"));
	for (uint32_t i = 1; i < h.n; i++) {
		struct hosts_entry *x =
			(struct hosts_entry *)(uintptr_t)&h.by_name[i];
		const uint32_t name = x->name;

		x->name = h.by_name[0].name;
		mattered += !hosts_by_name(&h, "many", &e) || e.n4 != 1000 ||
			    e.n6 != 1;
		x->name = name;
	}
	CHECK("few are read", mattered > 0 && mattered <= 3 * 10);
	CHECK("all", hosts_by_name(&h, "many", &e) && e.n4 == 1000 &&
		     e.n6 == 1 && ip_to_v4(e.v4[999].ip) == 0x0a0103e7);
	free(block);
	free(text);
}

void test_keeper_etctext(void);
void test_keeper_etctext(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_resolvconf(i);
	check_long_search();
	check_made();
	check_hosts();
	check_table();
	check_many();
	check_repeated();
}
