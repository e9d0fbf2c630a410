/* SPDX-License-Identifier: MIT */
/* test/unit/config_options.c - links config and base. */
#include "config/options.h"

#include <string.h>

#include "config/settings.h"
#include "test.h"

#define WORDS_MAX 8

/* Good command lines of run: how many words are left, and the first. */
static const struct {
	const char *name;
	const char *argv[WORDS_MAX];
	int left;
	const char *first;
} good[] = {
	{ "nothing", { NULL }, 0, NULL },
	{ "command", { "true" }, 1, "true" },
	{ "long", { "--name", "a", "true" }, 1, "true" },
	{ "long with =", { "--name=a", "true" }, 1, "true" },
	{ "letter", { "-n", "a", "true" }, 1, "true" },
	{ "letter, joined", { "-na", "true" }, 1, "true" },
	{ "letters", { "-qvna", "true" }, 1, "true" },
	{ "ends at a word", { "echo", "--name", "-v" }, 3, "echo" },
	{ "two dashes", { "-q", "--", "--name", "x" }, 2, "--name" },
	{ "two dashes after", { "echo", "--", "x" }, 3, "echo" },
	{ "one dash is a word", { "-", "-q" }, 2, "-" },
	{ "value like an option", { "--name", "a", "--", "-q" }, 1, "-q" },
	{ "empty list", { "--search=", "true" }, 1, "true" },
};

/* Bad ones, and what the error must speak of. */
static const struct {
	const char *name;
	const char *argv[WORDS_MAX];
	const char *says;
} bad[] = {
	{ "unknown", { "--no-such-thing-at-all" }, "no such option; see" },
	{ "misspelt", { "--nmae", "x" }, "did you mean --name?" },
	{ "unfinished", { "--host", "off" }, "did you mean --host" },
	{ "unknown letter", { "-x" }, "-x: no such option" },
	{ "of status", { "--json" }, "no such option" },
	{ "no value", { "--name" }, "--name: its NAME is missing" },
	{ "no value, letter", { "-n" }, "-n: its NAME is missing" },
	{ "value for a flag", { "--quiet=1" }, "takes no argument" },
	{ "name with a slash", { "--name", "../x" }, "--name ../x: not a name" },
	{ "name with a capital", { "--name", "Web" }, "not a name" },
	{ "name too long", { "--name", "aaaaaaaaaabbbbbbbbbbccccccccccddd" },
	  "not a name" },
	{ "empty name", { "--name=" }, "not a name" },
	{ "hidden name", { "--name=.x" }, "not a name" },
	{ "mtu in words", { "--mtu", "many" }, "--mtu many: neither auto nor a number" },
	{ "negative mtu", { "--mtu", "-1" }, "neither auto" },
	{ "mtu too small", { "--mtu", "67" }, "out of range" },
	{ "mtu too large", { "--mtu", "65521" }, "out of range" },
	{ "huge mtu", { "--mtu", "99999999999999999999" }, "neither auto" },
	{ "subnet without length", { "--subnet", "172.20.0.0" }, "not a prefix" },
	{ "subnet with host bits", { "--subnet", "172.20.0.1/20" },
	  "not a prefix" },
	{ "subnet too short", { "--subnet", "172.0.0.0/7" }, "length" },
	{ "subnet too long", { "--subnet", "172.20.0.0/31" }, "length" },
	{ "subnet of six", { "--subnet", "fd00::/64" }, "not IPv4" },
	{ "loopback subnet", { "--subnet", "127.0.0.0/8" }, "no guest" },
	{ "multicast subnet", { "--subnet", "224.0.0.0/8" }, "no guest" },
	{ "address", { "--address", "172.20.0" }, "not an IPv4 address" },
	{ "address of six", { "--address", "fd00::2" }, "not an IPv4" },
	{ "mac", { "--mac", "02:00" }, "not an Ethernet address" },
	{ "group mac", { "--mac", "01:00:00:00:00:01" }, "one station" },
	{ "zero mac", { "--mac", "00:00:00:00:00:00" }, "one station" },
	{ "hostname", { "--hostname", "a b" }, "not a host name" },
	{ "hostname, dots", { "--hostname", "a..b" }, "not a host name" },
	{ "dns", { "--dns", "resolver.test" }, "not an address" },
	{ "dns, second", { "--dns", "192.0.2.1,x" }, "not an address" },
	{ "dns, none", { "--dns=," }, "empty" },
	{ "dns, too many", { "--dns", "::1,::1,::1,::1,::1,::1,::1,::1,::1" },
	  "more than 8" },
	{ "search", { "--search", "a,b/c" }, "not a domain" },
	{ "dns domain", { "--dns-domain", "a.test" }, "not DOMAIN=ADDR" },
	{ "dns domain, none", { "--dns-domain", "=::1" }, "not DOMAIN=ADDR" },
	{ "dns domain, bad", { "--dns-domain", "a..b=::1" }, "not a domain" },
	{ "dns domain, server", { "--dns-domain", "a=b" }, "not an address" },
	{ "dns domain, no server", { "--dns-domain", "a=" }, "without a" },
	{ "dns domain, servers", { "--dns-domain", "a=::1,::1,::1" },
	  "more than 2" },
	{ "localhost", { "--localhost", "on" }, "--localhost on: not a port" },
	{ "localhost, none", { "--localhost=" }, "empty" },
	{ "port 0", { "--localhost", "0" }, "not a port" },
	{ "port 65536", { "--localhost", "65536" }, "not a port" },
	{ "range backwards", { "--localhost", "90-80" }, "not a port" },
	{ "half a range", { "--localhost", "80-" }, "not a port" },
	{ "host access", { "--host-access", "perhaps" },
	  "give gateway, localhost, off, or ports" },
	{ "host access, none", { "--host-access=," }, "empty" },
	{ "host access, port 0", { "--host-access", "80,0" }, "not a port" },
	{ "closed descriptor", { "--ready-fd", "999" }, "not open" },
	{ "descriptor", { "--ready-fd", "one" }, "not a descriptor" },
};

static size_t copy(char **out, const char *const *in)
{
	size_t n = 0;

	/* options_parse() moves the words about, but writes to none. */
	for (; in[n]; n++)
		out[n] = (char *)(uintptr_t)in[n];
	out[n] = NULL;
	return n;
}

static void check_good(size_t i)
{
	const char *name = good[i].name;
	char *argv[WORDS_MAX + 1], **rest;
	struct fail fail = { 0 };
	struct config c;
	int left = 0;

	copy(argv, good[i].argv);
	config_defaults(&c);
	rest = options_parse(&c, FOR_RUN, false, argv, &fail);
	CHECK(name, rest != NULL);
	if (!rest)
		return;
	while (rest[left])
		left++;
	CHECK(name, left == good[i].left);
	if (good[i].first && left)
		CHECK(name, !strcmp(rest[0], good[i].first));
}

static void check_bad(size_t i)
{
	const char *name = bad[i].name, *colon;
	char *argv[WORDS_MAX + 1];
	struct fail fail = { 0 };
	struct config c;

	copy(argv, bad[i].argv);
	config_defaults(&c);
	CHECK(name, !options_parse(&c, FOR_RUN, false, argv, &fail));
	CHECK(name, strstr(fail.text, bad[i].says));
	/* "what: why; what to do" */
	colon = strstr(fail.text, ": ");
	CHECK(name, colon && strstr(colon, "; "));
}

static void check_values(void)
{
	char *argv[] = {
		(char[]){ "--subnet=172.30.16.0/20" },
		(char[]){ "--address=172.30.16.9" },
		(char[]){ "--mac=02:00:00:00:00:42" },
		(char[]){ "--mtu=1400" }, (char[]){ "--no-ipv6" },
		(char[]){ "--dns=192.0.2.1, 2001:db8::1" },
		(char[]){ "--search=a.test,b.test" },
		(char[]){ "--localhost=80,8000-8010" },
		(char[]){ "--host-access=off" }, (char[]){ "--root" }, NULL,
	};
	struct fail fail = { 0 };
	struct config c;

	config_defaults(&c);
	CHECK("values", options_parse(&c, FOR_RUN, false, argv, &fail));
	CHECK("values", config_check(&c, &fail) == 0);
	CHECK("subnet", c.has_subnet && c.subnet.bits == 20);
	CHECK("address", ip_to_v4(c.address) == 0xac1e1009);
	CHECK("mac", c.has_mac && c.mac.b[5] == 0x42);
	CHECK("mtu", c.mtu == 1400 && !c.ipv6);
	CHECK("dns", c.n_dns == 2 && ip_is4(&c.dns[0]) && !ip_is4(&c.dns[1]));
	CHECK("search", c.has_search && !strcmp(c.search, "a.test b.test"));
	CHECK("ports", c.localhost == LOCALHOST_LIST &&
	      port_list_has(&c.localhost_ports, 80) &&
	      port_list_has(&c.localhost_ports, 8010) &&
	      !port_list_has(&c.localhost_ports, 8011));
	CHECK("access", c.host_access == CONFIG_ACCESS_OFF && c.as_root);
}

/* The last one counts, and brings its own ports. */
static void check_access(void)
{
	static const struct {
		const char *text;
		enum config_access want;
	} cases[] = {
		{ "gateway", CONFIG_ACCESS_GATEWAY },
		{ "localhost", CONFIG_ACCESS_LOCALHOST },
		{ "5432,8000-8010", CONFIG_ACCESS_LIST },
		{ "OFF", CONFIG_ACCESS_OFF },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *argv[] = { (char[]){ "--host-access=1" },
				 (char[]){ "--host-access" },
				 (char *)(uintptr_t)cases[i].text, NULL };
		struct fail fail = { 0 };
		struct config c;

		config_defaults(&c);
		CHECK(cases[i].text,
		      options_parse(&c, FOR_RUN, false, argv, &fail));
		CHECK(cases[i].text, c.host_access == cases[i].want);
		if (c.host_access == CONFIG_ACCESS_LIST)
			CHECK("its ports", port_list_has(&c.host_ports, 8010) &&
			      !port_list_has(&c.host_ports, 1));
	}
}

/* Addresses that agree with no subnet, MTUs that IPv6 does not allow. */
static void check_together(void)
{
	static const struct {
		const char *subnet, *address, *mtu;
		bool ok;
	} cases[] = {
		{ "172.30.16.0/20", "172.30.16.2", "1280", true },
		{ "172.30.16.0/20", "172.30.31.254", "1280", true },
		{ "172.30.16.0/20", "172.30.32.2", "1280", false },
		{ "172.30.16.0/20", "172.30.16.0", "1280", false },
		{ "172.30.16.0/20", "172.30.16.1", "1280", false },
		{ "172.30.16.0/20", "172.30.31.255", "1280", false },
		{ "172.30.16.0/30", "172.30.16.2", "1280", true },
		{ "172.30.16.0/20", "172.30.16.2", "1279", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fail fail = { 0 };
		struct config c;

		config_defaults(&c);
		CHECK(cases[i].address, !value_subnet(&c, cases[i].subnet));
		CHECK(cases[i].address, !value_address(&c, cases[i].address));
		CHECK(cases[i].address, !value_mtu(&c, cases[i].mtu));
		CHECK(cases[i].address,
		      (config_check(&c, &fail) == 0) == cases[i].ok);
	}
}

/* `status NAME --json': options after operands, operands in order. */
static void check_mixed(void)
{
	char *argv[] = { (char[]){ "a" }, (char[]){ "--json" },
			 (char[]){ "b" }, (char[]){ "--" },
			 (char[]){ "--json" }, NULL };
	struct fail fail = { 0 };
	struct config c;
	char **rest;

	config_defaults(&c);
	rest = options_parse(&c, FOR_STATUS, true, argv, &fail);
	CHECK("mixed", rest && c.json);
	CHECK("mixed", rest && !strcmp(rest[0], "a") &&
	      !strcmp(rest[1], "b") && !strcmp(rest[2], "--json") &&
	      !rest[3]);
}

/* No row of the table lacks what errors and help need. */
static void check_table(void)
{
	for (size_t i = 0; i < settings_n; i++) {
		const struct setting *s = &settings[i];
		const char *name = s->option ? s->option : s->key;

		CHECK(name, s->take && s->help);
		CHECK(name, (s->option && s->commands) || s->key);
		CHECK(name, !s->key == !s->section);
		CHECK(name, s->accepts || (!s->argument && !s->key));
		CHECK(name, s->help[strlen(s->help) - 1] != '.');
	}
}

void test_config_options(void);
void test_config_options(void)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		check_good(i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_bad(i);
	check_values();
	check_access();
	check_together();
	check_mixed();
	check_table();
}
