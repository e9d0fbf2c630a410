/* SPDX-License-Identifier: MIT */
/* test/unit/config_firewall.c - links config, firewall and base. */
#include "config/config.h"

#include <string.h>

#include "config/file.h"
#include "config/options.h"
#include "config/sections.h"
#include "config/settings.h"
#include "firewall_set.h"

struct told {
	unsigned n;
	char text[8][400];
};

static void take_note(void *ctx, enum log_level level, const char *text)
{
	struct told *t = ctx;

	CHECK("an error", level == LOG_ERROR);
	if (t->n < 8)
		snprintf(t->text[t->n], sizeof(t->text[0]), "%s", text);
	t->n++;
}

/* One more file of the configuration. */
static int read_file(struct config *c, const char *name, const char *text,
		     size_t len, struct told *told, struct fail *fail)
{
	const struct log_sink sink = { .write = take_note, .ctx = told };
	FILE *f = fmemopen((void *)(uintptr_t)text, len, "r");
	int rc;

	fail->text[0] = '\0';
	told->n = 0;
	if (!f)
		abort();
	rc = file_read_stream(c, f, name, &sink, fail);
	fclose(f);
	return rc;
}

#define READ(c, name, text) \
	read_file(c, name, text, sizeof(text) - 1, &told, &fail)

static const char *text_of(const struct ruleset *s, uint32_t text)
{
	return s->set.text + text;
}

static void check_rules(void)
{
	struct fail fail;
	struct told told;
	struct config c;

	config_defaults(&c);
	CHECK("first", READ(&c, "a.conf",
		"\xef\xbb\xbf[rule no web]\naction = block\r\n"
		"direction = out\nremotePort = 80,\\\n"
		"[network]\nmtu = 9000\n") < 0);
	CHECK("its error", !strncmp(fail.text, "a.conf:4:17: \\: no port", 22));
	CHECK("no rule of it", !c.rules.set.used.rules && c.mtu == 1500);
	CHECK("first", READ(&c, "a.conf",
		"\xef\xbb\xbf[rule no web]\naction = block\r\n"
		"direction = out\nremotePort = 80\n; nothing\nremotePort=443\n"
		"[network]\nmtu = 9000\n"
		" [ RULE \"two; #\" ]\ndirection = in\naction = allow") == 0);
	CHECK("second", READ(&c, "b.conf",
		"[rule three]\naction = block\ndirection = in\n") == 0);
	CHECK("settings, too", c.mtu == 9000);
	CHECK("all", c.rules.set.used.rules == 3);
	CHECK("name", !strcmp(text_of(&c.rules, c.rules.set.rule[1].name),
			      "two; #"));
	CHECK("from", !strcmp(text_of(&c.rules, c.rules.from[1]), "a.conf"));
	CHECK("from", !strcmp(text_of(&c.rules, c.rules.from[2]), "b.conf"));
	/* What is wrong takes nothing with it. */
	CHECK("third", READ(&c, "c.conf", "[rule 4]\naction = block\n") < 0);
	CHECK("all", c.rules.set.used.rules == 3);
	config_fini(&c);
}

static void check_every_error(void)
{
	struct fail fail;
	struct told told;
	struct config c;

	config_defaults(&c);
	CHECK("several", READ(&c, "f",
		"[rule a]\nacton = block\n[dns]\nsearch = a\n[rule b]\n"
		"action = blck\ndirection = in\n\n[rule c]\naction=block\n"
		"direction = in\n") < 0);
	CHECK("all are told", told.n == 2);
	CHECK("where", !strncmp(told.text[0], "f:2:1: acton: no such key; did "
				"you mean action?", 47));
	CHECK("where", !strncmp(told.text[1], "f:6:10: blck: no such", 20));
	CHECK("how many", !strcmp(fail.text, "f: 2 errors in its rules; mend "
				  "them"));
	CHECK("nothing is taken", !c.rules.set.used.rules && !c.has_search);
	CHECK("one", READ(&c, "f", "[rule a]\nacton = block\n") < 0 &&
		     told.n == 0 && !strncmp(fail.text, "f:2:1:", 6));
	CHECK("NUL", READ(&c, "f", "[network]\nmtu = 15\0" "00\n") < 0 &&
		     !strncmp(fail.text, "f:2: a NUL byte;", 16));
	config_fini(&c);
}

/* More rules than there may be. */
static void check_limit(void)
{
	static const char rule[] = "[rule a]\naction=block\ndirection=in\n";
	const size_t n = RULESET_RULES_MAX, one = sizeof(rule) - 1;
	char *text = malloc((n + 1) * one);
	struct told told;
	struct fail fail;
	struct config c;

	if (!text)
		abort();
	for (size_t i = 0; i <= n; i++)
		memcpy(text + i * one, rule, one);
	config_defaults(&c);
	CHECK("too many", read_file(&c, "f", text, (n + 1) * one, &told,
				    &fail) < 0);
	CHECK("says so", !strcmp(fail.text, "f: more than 100,000 rules; give "
				 "fewer or shorter rules"));
	CHECK("none", !c.rules.set.used.rules);
	CHECK("as many as may be", read_file(&c, "f", text, n * one, &told,
					     &fail) == 0);
	CHECK("and one more", READ(&c, "g", "[rule a]\naction=block\n"
				   "direction=in\n") < 0);
	CHECK("as before", c.rules.set.used.rules == n);
	config_fini(&c);
	free(text);
}

static void check_settings(void)
{
	struct fail fail;
	struct told told;
	struct config c;

	config_defaults(&c);
	CHECK("defaults", c.firewall && !c.profile && !c.has_block_action &&
			  !c.rules_keep_flows && c.log_blocked && !c.log_file[0] &&
			  c.log_bytes == 4u << 20);
	CHECK("settings", READ(&c, "f",
		"[firewall]\nprofile = Public\nblockAction = refuse\n"
		"keepFlows = yes\nlog = /tmp/a b.log\nlogSize = 64k\n"
		"[wsl2]\nfirewall = false\n") == 0);
	CHECK("profile", c.profile == RULE_PUBLIC && !c.profile_given);
	CHECK("block action", c.has_block_action && c.block_refuse);
	CHECK("log", !strcmp(c.log_file, "/tmp/a b.log") &&
		     c.log_bytes == 65536);
	CHECK("rest", !c.firewall && c.rules_keep_flows);
	CHECK("log off", READ(&c, "f", "[firewall]\nlog = off\n"
			      "logSize = 1024M\n") == 0);
	CHECK("log off", !c.log_blocked && c.log_bytes == 1u << 30);
	config_fini(&c);
}

/* An allow list shuts the host, but where the same place says otherwise. */
static void check_allow(void)
{
	char *argv[] = { (char[]){ "--allow" },
			 (char[]){ "*.A.test, 10.0.0.0/8,,2001:db8::1" },
			 (char[]){ "--allow=b.test" },
			 (char[]){ "--profile=domain" }, (char[]){ "curl" },
			 (char[]){ "--allow=not-read" }, NULL };
	char *open[] = { (char[]){ "--allow=b.test" },
			 (char[]){ "--host-access=5432" },
			 (char[]){ "--localhost=auto" }, NULL };
	struct fail fail = { 0 };
	struct told told;
	struct config c;
	char text[300];

	config_defaults(&c);
	CHECK("file", READ(&c, "f", "[network]\nhostAccess = localhost\n"
			   "localhost = auto\n[firewall]\nallow=c.\n") == 0);
	CHECK("the same file", c.host_access == CONFIG_ACCESS_LOCALHOST &&
			       c.localhost == LOCALHOST_AUTO);
	CHECK("options", options_parse(&c, FOR_RUN, false, argv, &fail));
	CHECK("they shut it", c.host_access == CONFIG_ACCESS_OFF &&
			      c.localhost == LOCALHOST_OFF);
	CHECK("profile", c.profile == RULE_DOMAIN && c.profile_given);
	CHECK("all of them", c.allow.set.used.rules == 5);
	text_print(&c.allow.set, &c.allow.set.rule[1], text, sizeof(text));
	CHECK("as a rule", !strcmp(text, "[rule allow *.A.test]\n"
				   "action = allow\ndirection = out\n"
				   "remoteAddress = *.a.test\n"));
	text_print(&c.allow.set, &c.allow.set.rule[2], text, sizeof(text));
	CHECK("a prefix", strstr(text, "remoteAddress = 10.0.0.0/8\n"));
	CHECK("again", options_parse(&c, FOR_RUN, false, open, &fail));
	CHECK("asked for", c.host_access == CONFIG_ACCESS_LIST &&
			   c.localhost == LOCALHOST_AUTO);
	config_fini(&c);
}

static void check_bad_allow(void)
{
	static const char *const bad[] = {
		"", "10.0.0.1/8", "a..test", "a.*.test", "-", "a b",
		"10.0.0.256", "\"", "\x80.test",
	};
	struct config c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		config_defaults(&c);
		CHECK(bad[i], value_allow(&c, bad[i]) != NULL);
		CHECK(bad[i], !c.allow.set.used.rules);
		config_fini(&c);
	}
}

static void check_parts(void)
{
	static const struct {
		const char *text, *rules, *others;
	} cases[] = {
		{ "", "", "" },
		{ "a", "", "a" },
		{ "a\n[rule x]\nb\n[Rule\ty]\nc", "\n[rule x]\nb\n[Rule\ty]\nc",
		  "a\n\n\n\n" },
		{ "[rules x]\nb\n[rule]\n [dns]\nc\n", "\n\n[rule]\n\n\n",
		  "[rules x]\nb\n\n [dns]\nc\n" },
		{ "[rule x]\n\n[", "[rule x]\n\n", "\n\n[" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct view v = view_of(cases[i].text);
		size_t n, m;
		char *rules = sections_part(v, "rule", true, &n);
		char *others = sections_part(v, "rule", false, &m);

		CHECK(cases[i].text, rules && !strcmp(rules, cases[i].rules) &&
				     n == strlen(rules));
		CHECK(cases[i].text, others && m == strlen(others) &&
				     !strcmp(others, cases[i].others));
		free(rules);
		free(others);
	}
}

void test_config_firewall(void);
void test_config_firewall(void)
{
	check_rules();
	check_every_error();
	check_limit();
	check_settings();
	check_allow();
	check_bad_allow();
	check_parts();
}
