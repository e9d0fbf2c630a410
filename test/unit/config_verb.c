/* SPDX-License-Identifier: MIT */
/* test/unit/config_verb.c - the options of firewall and why. */
#include "config/verb.h"

#include <stdio.h>
#include <string.h>

#include "config/options.h"
#include "config/settings.h"
#include "test.h"

static const struct {
	const char *text;
	unsigned seconds;
} durations[] = {
	{ "1", 1 }, { "90", 90 }, { "90s", 90 }, { "5m", 300 },
	{ "2h", 7200 }, { "7d", 604800 }, { "604800", 604800 },
	{ "0", 0 }, { "0m", 0 }, { "", 0 }, { "m", 0 }, { "-1", 0 },
	{ "+1", 0 }, { " 1", 0 }, { "1 m", 0 }, { "1mm", 0 }, { "1.5h", 0 },
	{ "8d", 0 }, { "604801", 0 }, { "169h", 0 },
	{ "99999999999999999999", 0 }, { "213503982334601d", 0 },
};

/* What an option may be said of, and what it may not. */
static const struct {
	unsigned command;
	const char *argv[4];
	bool ok;
} lines[] = {
	{ FOR_FW_LIST, { "--check", "web" }, true },
	{ FOR_FW_LIST, { "--for", "5m" }, false },
	{ FOR_FW_OFF, { "--for", "5m" }, true },
	{ FOR_FW_OFF, { "--for=8d" }, false },
	{ FOR_FW_OFF, { "--for" }, false },
	{ FOR_FW_ON, { "--for", "5m" }, false },
	{ FOR_FW_EXCEPT, { "a", "--from", "guest web" }, true },
	{ FOR_FW_EXCEPT, { "a", "--from=" }, false },
	{ FOR_FW_DELETE, { "--once", "a" }, false },
	{ FOR_FW_ADD, { "--once", "--replace", "--keep-flows" }, true },
	{ FOR_FW_IMPORT, { "f", "--map", "a.exe=/bin/a" }, true },
	{ FOR_FW_IMPORT, { "f", "--map", "a.exe=a" }, false },
	{ FOR_FW_IMPORT, { "f", "--map", "=/bin/a" }, false },
	{ FOR_FW_IMPORT, { "f", "--map", "/bin/a" }, false },
	{ FOR_FW_LOG, { "-f" }, true },
	{ FOR_FW_SHOW, { "-f" }, false },
	{ FOR_WHY, { "--last", "--program", "/bin/a" }, true },
	{ FOR_WHY, { "--program", "a" }, false },
	{ FOR_RUN, { "--last" }, false },
	{ FOR_STATUS, { "--name", "web" }, false },
	{ FOR_WHY, { "-n", "web" }, true },
	{ FOR_WHY, { "-n", "../x" }, false },
};

static bool parses(unsigned command, const char *const argv[4],
		   struct config *c)
{
	char *words[5] = { NULL };
	struct fail fail = { "" };

	for (unsigned i = 0; i < 4; i++)
		words[i] = (char *)(uintptr_t)argv[i];
	config_defaults(c);
	return options_parse(c, command, true, words, &fail);
}

/* What may be said again is bounded. */
static void check_many(void)
{
	struct config c;

	config_defaults(&c);
	for (unsigned i = 0; i < VERB_FROM_MAX; i++)
		CHECK("from", !value_from(&c, "a"));
	CHECK("from", value_from(&c, "a") && c.verb.n_from == VERB_FROM_MAX);
	for (unsigned i = 0; i < VERB_MAPS_MAX; i++)
		CHECK("map", !value_map(&c, "a=/a"));
	CHECK("map", value_map(&c, "a=/a") && c.verb.n_maps == VERB_MAPS_MAX);
}

void test_config_verb(void);
void test_config_verb(void)
{
	struct config c;

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
		CHECK(durations[i].text, verb_duration(durations[i].text) ==
					 durations[i].seconds);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		CHECK(lines[i].argv[0], parses(lines[i].command,
					       lines[i].argv, &c) ==
					lines[i].ok);
	CHECK("two of them", parses(FOR_FW_EXCEPT, (const char *const[4]){
		"--from", "a", "--from", "b" }, &c) && c.verb.n_from == 2 &&
	      !strcmp(c.verb.from[1], "b"));
	check_many();
}
