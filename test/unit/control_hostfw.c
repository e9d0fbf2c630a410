/* SPDX-License-Identifier: MIT */
/*
 * test/unit/control_hostfw.c - what becomes of a packet in real rulesets
 *
 * test/unit/rulesets/ has what `nft -j list ruleset` printed of them (.json),
 * and `nft -a` of those that iptables and ufw made (.txt); the sources of
 * the others are beside them (.nft).
 */
#include "control/hostfw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/hostfw_warn.h"
#include "test.h"

enum { TCP4, TCP6, UDP4, UDP6 };

static const struct {
	const char *rules;
	unsigned kind;
	uint16_t port;
	enum hostfw_answer want;
	const char *chain;		/* that decided, if DROPPED */
	bool policy;			/* and it was its policy */
} cases[] = {
	{ "sets", TCP4, 80, HOSTFW_ALLOWED },
	{ "sets", TCP6, 8010, HOSTFW_ALLOWED },
	{ "sets", TCP4, 8011, HOSTFW_DROPPED, "input", true },
	{ "sets", UDP4, 80, HOSTFW_DROPPED, "input" },
	{ "sets", UDP6, 9009, HOSTFW_DROPPED, "input", true },
	{ "sets", TCP4, 22, HOSTFW_ALLOWED },
	{ "sets", TCP4, 23, HOSTFW_DROPPED, "closed" },
	{ "sets", TCP4, 6, HOSTFW_DROPPED, "input" },
	{ "sets", TCP4, 9, HOSTFW_DROPPED, "closed" },
	{ "sets", TCP4, 10, HOSTFW_DROPPED, "closed" },
	{ "sets", TCP4, 99, HOSTFW_ALLOWED },
	{ "sets", UDP4, 99, HOSTFW_DROPPED, "input" },
	{ "sets", UDP4, 98, HOSTFW_ALLOWED },
	{ "sets", TCP4, 100, HOSTFW_ALLOWED },
	{ "sets", UDP4, 101, HOSTFW_ALLOWED },
	{ "sets", UDP4, 53, HOSTFW_ALLOWED },
	{ "sets", TCP4, 53, HOSTFW_DROPPED, "input", true },
	{ "sets", TCP4, 54, HOSTFW_ALLOWED },
	{ "sets", UDP4, 54, HOSTFW_ALLOWED },
	{ "sets", TCP4, 1100, HOSTFW_ALLOWED },
	{ "sets", TCP4, 1101, HOSTFW_DROPPED, "input", true },
	{ "sets", TCP4, 59999, HOSTFW_DROPPED, "input", true },
	{ "sets", TCP4, 60000, HOSTFW_ALLOWED },
	{ "sets", TCP4, 9000, HOSTFW_DROPPED, "input", true },
	{ "sets", TCP6, 9000, HOSTFW_ALLOWED },
	{ "sets", TCP4, 9001, HOSTFW_ALLOWED },
	{ "sets", TCP4, 9002, HOSTFW_UNKNOWN },
	{ "sets", TCP6, 9002, HOSTFW_DROPPED, "input", true },
	{ "sets", TCP4, 9003, HOSTFW_UNKNOWN },
	{ "sets", TCP4, 9004, HOSTFW_ALLOWED },
	{ "sets", TCP4, 9005, HOSTFW_DROPPED, "input", true },
	{ "sets", TCP4, 9006, HOSTFW_ALLOWED },
	{ "sets", TCP4, 9007, HOSTFW_DROPPED, "input", true },
	{ "sets", TCP4, 9008, HOSTFW_UNKNOWN },

	/* The reverse path filter may drop what nothing else does. */
	{ "order", TCP4, 80, HOSTFW_UNKNOWN },
	{ "order", TCP6, 80, HOSTFW_DROPPED, "input" },
	{ "order", TCP4, 7000, HOSTFW_DROPPED, "PREROUTING" },
	{ "order", TCP4, 7001, HOSTFW_DROPPED, "input" },
	{ "order", TCP4, 7002, HOSTFW_UNKNOWN },
	{ "order", TCP6, 7002, HOSTFW_DROPPED, "input" },
	{ "order", TCP4, 7003, HOSTFW_UNKNOWN },
	{ "order", TCP6, 7003, HOSTFW_ALLOWED },
	{ "order", TCP6, 7004, HOSTFW_DROPPED, "deeper" },
	{ "order", TCP4, 7004, HOSTFW_UNKNOWN },
	{ "order", TCP6, 7005, HOSTFW_ALLOWED },
	{ "order", UDP4, 7000, HOSTFW_UNKNOWN },	/* 192.0.2.0/24 may */
	{ "order", UDP6, 7006, HOSTFW_DROPPED, "input" },

	{ "nat", TCP4, 8080, HOSTFW_UNKNOWN },
	{ "nat", TCP4, 8081, HOSTFW_UNKNOWN },
	{ "nat", TCP6, 8080, HOSTFW_DROPPED, "input", true },
	{ "nat", TCP4, 8082, HOSTFW_DROPPED, "input", true },

	{ "firewalld", TCP4, 8080, HOSTFW_ALLOWED },
	{ "firewalld", TCP4, 8081, HOSTFW_DROPPED, "filter_IN_public" },
	{ "firewalld", UDP6, 8080, HOSTFW_DROPPED, "filter_IN_public" },
	{ "firewalld", UDP6, 546, HOSTFW_UNKNOWN },

	{ "ufw", TCP4, 22, HOSTFW_ALLOWED },
	{ "ufw", TCP4, 443, HOSTFW_ALLOWED },
	{ "ufw", TCP4, 23, HOSTFW_UNKNOWN },		/* limit */
	{ "ufw", TCP4, 8080, HOSTFW_DROPPED, "INPUT", true },
	{ "ufw", TCP6, 8080, HOSTFW_DROPPED, "INPUT", true },
	{ "ufw", UDP4, 137, HOSTFW_DROPPED, "ufw-skip-to-policy-input" },

	{ "iptables", TCP4, 22, HOSTFW_ALLOWED },
	{ "iptables", TCP4, 443, HOSTFW_ALLOWED },
	{ "iptables", TCP4, 90, HOSTFW_ALLOWED },
	{ "iptables", TCP4, 91, HOSTFW_ALLOWED },
	{ "iptables", TCP4, 92, HOSTFW_UNKNOWN },	/* -m recent */
	{ "iptables", TCP4, 93, HOSTFW_ALLOWED },
	{ "iptables", TCP4, 94, HOSTFW_UNKNOWN },	/* --sports */
	{ "iptables", TCP4, 8080, HOSTFW_DROPPED, "INPUT", true },
	{ "iptables", UDP4, 8080, HOSTFW_DROPPED, "INPUT" },
	{ "iptables", TCP6, 8080, HOSTFW_ALLOWED },
};

static struct hostfw_packet packet(unsigned kind, uint16_t port)
{
	return (struct hostfw_packet){ .v6 = kind & 1, .udp = kind >> 1,
				       .port = port };
}

static char *read_text(const char *path)
{
	static char buf[65536];
	FILE *f = fopen(path, "r");
	size_t n;

	if (!f)
		return NULL;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	buf[n] = '\0';
	fclose(f);
	return buf;
}

/* words: with nft's text, if there is one. */
static struct hostfw *load(const char *rules, bool words)
{
	char path[256];
	json_t *j;

	snprintf(path, sizeof(path), "%s/%s.json", RULESETS, rules);
	j = json_load_file(path, 0, NULL);
	CHECK(rules, j);
	snprintf(path, sizeof(path), "%s/%s.txt", RULESETS, rules);
	return hostfw_load(j, words ? read_text(path) : NULL);
}

static void check_case(size_t i)
{
	const struct hostfw_packet p = packet(cases[i].kind, cases[i].port);
	struct hostfw *fw = load(cases[i].rules, true);
	struct hostfw_why why = { .chain = "" };
	char name[64];
	enum hostfw_answer answer;

	snprintf(name, sizeof(name), "%s, %s port %u over IPv%u",
		 cases[i].rules, p.udp ? "udp" : "tcp", p.port, p.v6 ? 6 : 4);
	CHECK(name, fw);
	if (!fw)
		return;
	answer = hostfw_ask(fw, &p, &why);
	CHECK(name, answer == cases[i].want);
	if (answer == HOSTFW_DROPPED && cases[i].want == answer) {
		CHECK(name, !strcmp(why.chain, cases[i].chain));
		CHECK(name, (why.handle == 0) == cases[i].policy);
	}
	hostfw_free(fw);
}

static const struct {
	const char *rules, *at, *protocol;
	const char *want;		/* the last words; NULL: no warning */
} told[] = {
	{ "sets", "0.0.0.0:80", "tcp", NULL },
	{ "sets", "127.0.0.1:81", "tcp", NULL },
	{ "sets", "[::1]:81", "tcp", NULL },
	{ "sets", "192.0.2.1:81", "tcp",
	  "81 is published, but the host's firewall drops it over IPv4: "
	  "nftables (table inet filter, chain input, policy drop); nft insert "
	  "rule inet filter input tcp dport 81 accept" },
	{ "sets", "[::]:23", "tcp", "23 is published, but the host's firewall "
	  "drops it over IPv6: nftables (table inet filter, chain closed, rule "
	  "6); nft insert rule inet filter input tcp dport 23 accept" },
	{ "ufw", "0.0.0.0:8080", "tcp", "8080 is published, but the host's "
	  "firewall drops it over IPv4: ufw (table ip filter, chain INPUT, "
	  "policy drop); ufw allow 8080/tcp" },
	{ "firewalld", "[::]:53", "udp", "; firewall-cmd --zone=public "
	  "--add-port=53/udp" },
	{ "iptables", "0.0.0.0:8080", "tcp", "; iptables -I INPUT -p tcp "
	  "--dport 8080 -j ACCEPT" },
	{ "order", "0.0.0.0:7000", "tcp", "; iptables -t raw -I PREROUTING -p "
	  "tcp --dport 7000 -j ACCEPT" },
	{ "nat", "0.0.0.0:8080", "tcp", NULL },
};

static bool ends_with(const char *text, const char *end)
{
	const size_t n = strlen(text), k = strlen(end);

	return n >= k && !strcmp(text + n - k, end);
}

static void warn(json_t *warnings, const char *rules, json_t *published)
{
	struct hostfw *fw = load(rules, true);
	struct hostfw_packet *p;
	size_t n;

	p = hostfw_packets(published, &n);
	if (p)
		hostfw_warn(warnings, fw, p, n);
	free(p);
	hostfw_free(fw);
}

static json_t *port(const char *at, const char *protocol)
{
	return json_pack("{s:s, s:s, s:s}", "at", at, "protocol", protocol,
			 "state", "open");
}

static void check_told(size_t i)
{
	json_t *warnings = json_array();
	json_t *published = json_pack("[o]", port(told[i].at,
						  told[i].protocol));
	const char *text;

	warn(warnings, told[i].rules, published);
	text = json_string_value(json_array_get(warnings, 0));
	if (told[i].want)
		CHECK(text ? text : told[i].at,
		      text && ends_with(text, told[i].want));
	else
		CHECK(told[i].at, !text);
	json_decref(warnings);
	json_decref(published);
}

/* Both families at once, if one command opens both; never more than five. */
static void check_many(void)
{
	json_t *warnings = json_array(), *published = json_array();
	const char *text;

	json_array_append_new(published, port("0.0.0.0:81", "tcp"));
	json_array_append_new(published, port("[::]:81", "tcp"));
	warn(warnings, "ufw", published);
	text = json_string_value(json_array_get(warnings, 0));
	CHECK("once", json_array_size(warnings) == 1 && text &&
		      strstr(text, "drops it: ufw ("));
	json_array_clear(warnings);
	for (int i = 0; i < 100; i++) {
		char at[32];

		snprintf(at, sizeof(at), "0.0.0.0:%d", 200 + i);
		json_array_append_new(published, port(at, "tcp"));
	}
	warn(warnings, "iptables", published);
	CHECK("not all", json_array_size(warnings) == HOSTFW_WARNINGS_MAX + 1);
	json_decref(warnings);
	json_decref(published);
}

/* Without nft's text, "-m conntrack" may match: nothing is told. */
static void check_without_text(void)
{
	const struct hostfw_packet p = packet(TCP4, 8080);
	struct hostfw *fw = load("iptables", false);
	struct hostfw_why why;

	CHECK("no text", fw && hostfw_ask(fw, &p, &why) == HOSTFW_UNKNOWN);
	hostfw_free(fw);
}

#define CHAIN(name) "{\"chain\": {\"family\": \"ip\", \"table\": \"t\", " \
	"\"name\": \"" name "\""
#define BASE CHAIN("input") ", \"hook\": \"input\", \"policy\": \"drop\"}}"
#define RULE(chain, expr) "{\"rule\": {\"family\": \"ip\", \"table\": " \
	"\"t\", \"chain\": \"" chain "\", \"expr\": [" expr "]}}"
#define JUMP(to) "{\"jump\": {\"target\": \"" to "\"}}"
#define NOT_TRACKED RULE("input", "{\"notrack\": null}")
#define NEW RULE("input", "{\"match\": {\"op\": \"in\", \"left\": {\"ct\": " \
	"{\"key\": \"state\"}}, \"right\": \"new\"}}, {\"accept\": null}")

/* What the kernel would not take, and what nobody has thought of. */
static const struct {
	const char *name, *rules;
	enum hostfw_answer want;
} odd[] = {
	{ "nothing", "", HOSTFW_ALLOWED },
	{ "policy", BASE, HOSTFW_DROPPED },
	{ "new", BASE "," NEW, HOSTFW_ALLOWED },
	{ "new, not tracked", BASE "," NOT_TRACKED "," NEW, HOSTFW_UNKNOWN },
	{ "circle", BASE "," CHAIN("a") "}}," RULE("input", JUMP("a")) ","
	  RULE("a", JUMP("a") "," JUMP("a")), HOSTFW_UNKNOWN },
	{ "circle that doubles", BASE "," CHAIN("a") "}},"
	  RULE("input", JUMP("a")) "," RULE("a", JUMP("a")) ","
	  RULE("a", JUMP("a")) "," RULE("a", JUMP("a")), HOSTFW_UNKNOWN },
	{ "to nowhere", BASE "," RULE("input", JUMP("a")), HOSTFW_UNKNOWN },
	{ "not heard of", BASE "," RULE("input", "{\"new\": 1}, "
	  "{\"accept\": null}"), HOSTFW_UNKNOWN },
	{ "not heard of, no verdict", BASE "," RULE("input", "{\"new\": 1}"),
	  HOSTFW_DROPPED },
	{ "old nft's xt", BASE "," RULE("input", "{\"xt\": null}"),
	  HOSTFW_UNKNOWN },
	{ "queue", BASE "," RULE("input", "{\"queue\": {\"num\": 1}}"),
	  HOSTFW_UNKNOWN },
	{ "not objects", BASE ", 1, [], \"x\", {\"rule\": 5}, "
	  "{\"set\": null}", HOSTFW_DROPPED },
};

static void check_odd(size_t i)
{
	const struct hostfw_packet p = packet(TCP4, 80);
	char text[4096];
	struct hostfw_why why;
	struct hostfw *fw;

	snprintf(text, sizeof(text), "{\"nftables\": [%s]}", odd[i].rules);
	fw = hostfw_load(json_loads(text, 0, NULL), NULL);
	CHECK(odd[i].name, fw);
	CHECK(odd[i].name, fw && hostfw_ask(fw, &p, &why) == odd[i].want);
	hostfw_free(fw);
}

/* One rule that accepts by "-m conntrack", and what nft's text says of it. */
static const struct {
	const char *text;
	enum hostfw_answer want;
} texts[] = {
	{ "table ip t {\n\t\tct state new accept # handle 0", HOSTFW_ALLOWED },
	{ "table ip t {\n\t\tct state related,established accept # handle 0\n",
	  HOSTFW_DROPPED },
	{ "table ip t {\n\t\tct state established log prefix \"ct state new\" "
	  "accept # handle 0", HOSTFW_DROPPED },
	{ "table ip t {\n\t\tct state ! new accept # handle 0",
	  HOSTFW_DROPPED },
	{ "table ip t {\n\t\tct state != invalid accept # handle 0",
	  HOSTFW_ALLOWED },
	{ "table ip t {\n\t\tct state new ct status dnat accept # handle 0",
	  HOSTFW_UNKNOWN },
	{ "table ip t {\n\t\tct state 8 accept # handle 0", HOSTFW_UNKNOWN },
	{ "table ip u {\n\t\tct state new accept # handle 0", HOSTFW_UNKNOWN },
	{ "table ip t {\n\t\tct state new accept # handle 7", HOSTFW_UNKNOWN },
	{ "", HOSTFW_UNKNOWN },
};

static void check_text(size_t i)
{
	static const char rules[] = "{\"nftables\": [" BASE ","
		RULE("input", "{\"xt\": {\"type\": \"match\", \"name\": "
		     "\"conntrack\"}}, {\"accept\": null}") "]}";
	const struct hostfw_packet p = packet(TCP4, 80);
	json_t *ruleset = json_loads(rules, 0, NULL);
	struct hostfw_why why;
	struct hostfw *fw;

	CHECK("wants text", hostfw_wants_text(ruleset));
	fw = hostfw_load(ruleset, texts[i].text);
	CHECK(texts[i].text, fw && hostfw_ask(fw, &p, &why) == texts[i].want);
	hostfw_free(fw);
}

void test_control_hostfw(void);
void test_control_hostfw(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		check_told(i);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		check_odd(i);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		check_text(i);
	check_many();
	check_without_text();
	CHECK("no ruleset", !hostfw_load(json_array(), NULL));
	CHECK("nothing", !hostfw_load(NULL, NULL));
}
