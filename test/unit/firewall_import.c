/* SPDX-License-Identifier: MIT */
/* test/unit/firewall_import.c - links firewall and base. */
#include "firewall/import.h"

#include "firewall_set.h"

#define V "v2.30|Action=Block|Active=TRUE|Dir=In|"

static const struct windows_map map[] = {
	{ "python.exe", "/usr/bin/python3" },
	{ "C:\\java\\bin\\java.exe", "/usr/bin/java" },
};
static const struct windows_maps maps = { map, 2 };

struct notes {
	unsigned n[NOTE_SKIPPED + 1];
	struct windows_note last[NOTE_SKIPPED + 1];
};

static void take_note(void *ctx, const struct windows_note *note)
{
	struct notes *notes = ctx;

	notes->n[note->kind]++;
	notes->last[note->kind] = *note;
}

/* A file in a block of its size, so that a sanitizer sees one byte more. */
static struct import_result import(struct rules *set, const void *file,
				   size_t len, struct notes *notes)
{
	const struct windows_sink sink = { take_note, notes };
	uint8_t *copy = malloc(len + !len);
	struct import_needs needs;
	struct import_result result;
	void *scratch;

	if (!copy)
		abort();
	memcpy(copy, file, len);
	CHECK("not too long", import_needs((struct view){ copy, len }, &maps,
					   &needs));
	scratch = malloc(needs.scratch_bytes);
	if (!scratch)
		abort();
	memset(notes, 0, sizeof(*notes));
	set_open(set, needs.set);
	result = import_read(set, (struct view){ copy, len }, &maps, &sink,
			     scratch);
	free(scratch);
	free(copy);
	return result;
}

/* A rule string and what it is in our text, behind the [rule …] line. */
static const struct {
	const char *name, *string, *text;
	int kind;			/* a note that there is, or -1 */
} good[] = {
	{ "least", "v2.0|Action=Allow|Dir=Out|",
	  "action = allow\ndirection = out\nenabled = false\n", -1 },
	{ "without the last bar", "v2.32|Action=Allow|Dir=Out|Active=TRUE",
	  "action = allow\ndirection = out\n", -1 },
	{ "python", V "Profile=Public|Protocol=6|"
	  "App=%SystemRoot%\\Python311\\PYTHON.EXE|Name=python.exe|"
	  "Desc=python.exe|Defer=User|",
	  "action = block\ndirection = in\nprofile = public\n"
	  "protocol = tcp\nprogram = /usr/bin/python3\n"
	  "description = python.exe\nwindows = Defer=User\n", NOTE_KEPT },
	{ "whole path", V "App=C:\\Java\\bin\\java.exe|",
	  "action = block\ndirection = in\nprogram = /usr/bin/java\n", -1 },
	{ "another path", V "App=C:\\java.exe|",
	  "action = block\ndirection = in\nprogram = C:\\java.exe\n",
	  NOTE_PROGRAM },
	{ "ports", V "Protocol=17|LPort=53|LPort2_10=5000-5010|LPort=RPC-EPMap"
	  "|LPort2_24=mDNS|RPort=7|RPort2_10=IPHTTPSOut|",
	  "action = block\ndirection = in\nprotocol = udp\n"
	  "localPort = 53, 5000-5010, RPC-EPMap, mDNS\n"
	  "remotePort = 7, IPHTTPSOut\n", -1 },
	{ "a word for nothing", V "Protocol=6|LPort=RPC|",
	  "action = block\ndirection = in\nprotocol = tcp\n"
	  "localPort = RPC\n", NOTE_WORD },
	{ "ICMP", V "Protocol=1|ICMP4=8:*|ICMP4=3:4|",
	  "action = block\ndirection = in\nprotocol = icmp\n"
	  "icmpType = 8:*, 3:4\n", -1 },
	{ "ICMPv6", V "Protocol=58|ICMP6=128:0|",
	  "action = block\ndirection = in\nprotocol = icmpv6\n"
	  "icmpType = 128:0\n", -1 },
	{ "addresses", V "LA4=10.0.0.1|RA4=10.0.0.0/255.0.0.0|"
	  "RA4=192.0.2.7/24|RA4=LocalSubnet|RA4=192.0.2.1-192.0.2.9|"
	  "RA6=LocalSubnet|RA6=2001:db8::/32|RA42=IntErnet|RA62=IntErnet|"
	  "RA4=DefaultGateway|",
	  "action = block\ndirection = in\nlocalAddress = 10.0.0.1\n"
	  "remoteAddress = 10.0.0.0/8, 192.0.2.0/24, LocalSubnet4, "
	  "192.0.2.1-192.0.2.9, LocalSubnet6, 2001:db8::/32, IntErnet4, "
	  "IntErnet6, Gateway4\n", -1 },
	{ "a service", V "App=/usr/bin/x|Svc=Dnscache|",
	  "action = block\ndirection = in\nprogram = /usr/bin/x\n"
	  "windows = Svc=Dnscache\n", NOTE_NEVER },
	{ "what later versions may add", "v2.99|Action=Block|Dir=In|New=a,b|",
	  "action = block\ndirection = in\nenabled = false\n"
	  "windows = \"New=a,b\"\n", NOTE_KEPT },
	{ "any case", "V2.10|ACTION=byPass|dir=OUT|active=true|",
	  "action = bypass\ndirection = out\n", NOTE_NEVER },
	{ "profiles", V "Profile=Domain|Profile=Private|",
	  "action = block\ndirection = in\nprofile = domain, private\n", -1 },
};

static void check_good(void)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *name = good[i].name, *body;
		struct import_result result;
		struct notes notes;
		char text[2048];
		struct rules set;

		result = import(&set, good[i].string, strlen(good[i].string),
				&notes);
		CHECK(name, result.rules == 1 && !result.errors);
		if (!result.rules)
			continue;
		text_print(&set, &set.rule[0], text, sizeof(text));
		body = strchr(text, '\n') + 1;
		if (strcmp(body, good[i].text)) {
			fprintf(stderr, "%s", text);
			CHECK(name, false);
		}
		CHECK(name, good[i].kind < 0 ?
		      !notes.n[NOTE_WORD] && !notes.n[NOTE_NEVER] &&
		      !notes.n[NOTE_PROGRAM] : notes.n[good[i].kind] >= 1);
		free(set.rule);
	}
}

static const struct {
	const char *name, *string;
	unsigned column;		/* of what is wrong */
} bad[] = {
	{ "version", "v3.0|Action=Block|Dir=In|", 1 },
	{ "no minor version", "v2|Action=Block|Dir=In|", 1 },
	{ "no action", "v2.0|Dir=In|", 1 },
	{ "no direction", "v2.0|Action=Block|", 1 },
	{ "action", "v2.0|Action=Reject|Dir=In|", 13 },
	{ "direction", "v2.0|Action=Block|Dir=Up|", 23 },
	{ "active", V "Active=TRUE|", 39 },
	{ "profile", V "Profile=Home|", 47 },
	{ "protocol", V "Protocol=256|", 48 },
	{ "protocol twice", V "Protocol=6|Protocol=17|", 50 },
	{ "port before protocol", V "LPort=80|Protocol=6|", 45 },
	{ "port of ICMP", V "Protocol=1|LPort=80|", 56 },
	{ "port", V "Protocol=6|LPort=65536|", 56 },
	{ "port word", V "Protocol=6|LPort=http|", 56 },
	{ "ports backwards", V "Protocol=6|LPort2_10=9-8|", 60 },
	{ "ICMP4 of IPv6", V "Protocol=58|ICMP4=8:*|", 57 },
	{ "ICMP code", V "Protocol=1|ICMP4=8:999|", 56 },
	{ "address", V "RA4=10.0.0.0/33|", 43 },
	{ "other family", V "RA4=::1|", 43 },
	{ "address word", V "RA6=Everybody|", 43 },
	{ "empty program", V "App=|", 43 },
	{ "no value", V "Name|", 39 },
};

static void check_bad(void)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct import_result result;
		struct notes notes;
		struct rules set;

		result = import(&set, bad[i].string, strlen(bad[i].string),
				&notes);
		CHECK(bad[i].name, result.errors == 1 && !result.rules);
		CHECK(bad[i].name, notes.n[NOTE_ERROR] == 1);
		CHECK(bad[i].name, notes.last[NOTE_ERROR].column ==
				   bad[i].column);
		CHECK(bad[i].name, set.used.items == 0 &&
				   set.used.text_bytes == 1);
		free(set.rule);
	}
}

#define KEY "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\" \
	"SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"

static const char query[] =
	"\r\n" KEY "\r\n"
	"    {11-22}    REG_SZ    " V "Name=one|\r\n"
	"    two words    REG_SZ    " V "Protocol=6|LPort=80|Name=two|\r\n"
	"    other    REG_SZ    hello\r\n"
	"    number    REG_DWORD    0x1\r\n\r\n"
	"End of search: 4 match(es) found.\r\n";

static const char registry[] =
	"Windows Registry Editor Version 5.00\r\n\r\n[" KEY "]\r\n"
	"\"{11-22}\"=\"" V "Name=one|\"\r\n"
	"\"two \\\"w\\\"\"=\"" V "App=C:\\\\a\\\\python.exe|Name=two|\"\r\n"
	"\"three\"=hex(1):76,00,32,00,2e,00,30,00,7c,00,41,00,63,00,74,00"
	",\\\r\n"
	"  69,00,6f,00,6e,00,3d,00,42,00,6c,00,6f,00,63,00,6b,00,7c,00,\\\r\n"
	"  44,00,69,00,72,00,3d,00,49,00,6e,00,7c,00,4e,00,61,00,6d,00,\\\r\n"
	"  65,00,3d,00,ac,20,7c,00,00,00\r\n"
	"\"number\"=dword:00000001\r\n"
	"\"bytes\"=hex:01,02,\\\r\n  03\r\n"
	"@=\"v2.0|Action=Allow|Dir=Out|Name=default|\"\r\n"
	"\"open\"=\"v2.0|\r\n";

static void check_query(void)
{
	struct import_result result;
	struct notes notes;
	struct rules set;

	result = import(&set, query, sizeof(query) - 1, &notes);
	CHECK("query", result.rules == 2 && !result.errors &&
		       result.skipped == 2 && !result.broken);
	CHECK("by id", rules_find(&set, "two words") == 1);
	CHECK("by name", rules_find(&set, "one") == 0);
	free(set.rule);
}

static void check_export_set(const char *name, const struct rules *set,
			     const struct import_result *result)
{
	const struct rule *r = set->rule;

	CHECK(name, result->rules == 4 && !result->errors);
	CHECK(name, result->skipped == 3 && !result->broken);
	if (result->rules != 4)
		return;
	CHECK(name, !strcmp(set->text + r[1].id, "two \"w\""));
	CHECK(name, !strcmp(set->text + rule_first(set, &r[1],
				RULE_PROGRAMS)->text, "/usr/bin/python3"));
	CHECK(name, !strcmp(set->text + r[2].name, "\xe2\x82\xac"));
	CHECK(name, !strcmp(set->text + r[3].name, "default"));
}

/* The same file in each encoding, cut at every byte too. */
static void check_export(void)
{
	const size_t n = sizeof(registry) - 1;
	uint8_t wide[2 * sizeof(registry) + 2];
	struct import_result result;
	struct notes notes;
	struct rules set;

	result = import(&set, registry, n, &notes);
	check_export_set("bytes", &set, &result);
	free(set.rule);
	for (unsigned big = 0; big < 2; big++)
		for (unsigned mark = 0; mark < 2; mark++) {
			size_t len = 0;

			if (mark) {
				wide[len++] = big ? 0xfe : 0xff;
				wide[len++] = big ? 0xff : 0xfe;
			}
			for (size_t i = 0; i < n; i++) {
				wide[len + !big] = 0;
				wide[len + big] = (uint8_t)registry[i];
				len += 2;
			}
			result = import(&set, wide, len, &notes);
			check_export_set("UTF-16", &set, &result);
			free(set.rule);
		}
	for (size_t i = 0; i < n; i += 7) {
		result = import(&set, registry, i, &notes);
		CHECK("cut", result.rules <= 4 && result.errors <= 1);
		free(set.rule);
	}
}

static void check_broken(void)
{
	static const char ansi[] = "REGEDIT4\n\"a\"=hex(1):76,32,2e,30,7c,41,"
		"63,74,69,6f,6e,3d,42,6c,6f,63,6b,7c,44,69,72,3d,49,6e,00\n";
	static const char surrogate[] =
		"\xff\xfe" "v\0" "2\0" ".\0" "0\0" "|\0"
		"\0\xd8" "x\0" "\0\xdc";
	static const char latin[] = "v2.0|Action=Block|Dir=In|Name=\xe9\xff|";
	static const char nul[] = "v2.0|Action=Block|Dir=In|Name=a\0b|";
	struct import_result result;
	struct notes notes;
	struct rules set;

	result = import(&set, ansi, sizeof(ansi) - 1, &notes);
	CHECK("REGEDIT4", result.rules == 1);
	free(set.rule);
	result = import(&set, surrogate, sizeof(surrogate), &notes);
	CHECK("surrogates", result.errors == 1 && result.broken == 3);
	free(set.rule);
	result = import(&set, latin, sizeof(latin) - 1, &notes);
	CHECK("no UTF-8", result.rules == 1 && result.broken == 2 &&
	      !strcmp(set.text + set.rule[0].name, "\xef\xbf\xbd\xef\xbf\xbd"));
	free(set.rule);
	result = import(&set, nul, sizeof(nul) - 1, &notes);
	CHECK("NUL", result.errors == 1 && !result.rules);
	free(set.rule);
	result = import(&set, "", 0, &notes);
	CHECK("empty", !result.rules && !result.skipped);
	free(set.rule);
}

/* 100,000 rules, and a line of a megabyte. */
static void check_many(void)
{
	static const char line[] = "    {1}    REG_SZ    " V "Profile=Public|"
		"Protocol=6|LPort2_10=5000-5010|RA4=LocalSubnet|"
		"App=C:\\a\\python.exe|Name=python|EmbedCtxt=x|\r\n";
	const size_t n = 100000, step = sizeof(line) - 1;
	char *file = malloc(n * step);
	struct import_result result;
	struct notes notes;
	struct rules set;

	if (!file)
		abort();
	for (size_t i = 0; i < n; i++)
		memcpy(file + i * step, line, step);
	result = import(&set, file, n * step, &notes);
	CHECK("many", result.rules == n && !result.errors);
	free(set.rule);
	memset(file, '|', 1 << 20);
	memcpy(file, V, sizeof(V) - 1);
	result = import(&set, file, 1 << 20, &notes);
	CHECK("long", result.rules == 1);
	free(set.rule);
	free(file);
}

void test_firewall_import(void);
void test_firewall_import(void)
{
	check_good();
	check_bad();
	check_query();
	check_export();
	check_broken();
	check_many();
}
