/* SPDX-License-Identifier: MIT */
#include "control/render_firewall.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "control/member.h"
#include "control/shown.h"
#include "control/table.h"

#define NAME_CELL	60
#define FROM_CELL	256		/* the path of a file */
#define FOR_CELL	160

static long long number_at(json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

/* A line "KEY = VALUE" of a rule's text. */
struct line {
	const char *key, *value;
	int key_len, value_len;
};

/* The next one; false at the end. Others are passed over. */
static bool next_line(const char **text, struct line *out)
{
	while (**text) {
		const char *s = *text, *end = s + strcspn(s, "\n");
		const char *is = memmem(s, (size_t)(end - s), " = ", 3);

		*text = end + (*end == '\n');
		if (*s == '[' || !is)
			continue;
		*out = (struct line){ .key = s, .value = is + 3,
				      .key_len = (int)(is - s),
				      .value_len = (int)(end - is) - 3 };
		return true;
	}
	return false;
}

static bool is_key(const struct line *l, const char *key)
{
	return strlen(key) == (size_t)l->key_len &&
	       !memcmp(key, l->key, (size_t)l->key_len);
}

/* What says nothing about the flows that a rule is for. */
static bool is_aside(const struct line *l)
{
	static const char *const aside[] = { "action", "direction", "enabled",
					     "id", "group", "description" };

	for (size_t i = 0; i < sizeof(aside) / sizeof(aside[0]); i++)
		if (is_key(l, aside[i]))
			return true;
	return false;
}

static void value_of(const char *text, const char *key, char *buf, size_t cap)
{
	struct line l;

	*buf = '\0';
	while (next_line(&text, &l))
		if (is_key(&l, key))
			snprintf(buf, cap, "%.*s", l.value_len, l.value);
}

/* "tcp; localPort 80, 443; program /usr/bin/x"; "everything". */
static void conditions(const char *text, char *buf, size_t cap)
{
	char *long_text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&long_text, &len);
	struct line l;

	*buf = '\0';
	if (!f)
		return;
	while (next_line(&text, &l)) {
		if (is_aside(&l))
			continue;
		if (ftell(f) > 0)
			fputs("; ", f);
		if (!is_key(&l, "protocol"))
			fprintf(f, "%.*s ", l.key_len, l.key);
		fprintf(f, "%.*s", l.value_len, l.value);
	}
	fclose(f);
	shown(long_text && *long_text ? long_text : "everything", buf, cap);
	free(long_text);
}

static json_t *row_of(json_t *rule)
{
	char name[NAME_CELL], from[FROM_CELL], what[FOR_CELL];
	char action[32], direction[16], hits[24];
	const char *text = text_at(rule, "text");
	size_t n;

	value_of(text, "action", action, sizeof(action) - 8);
	value_of(text, "direction", direction, sizeof(direction));
	conditions(text, what, sizeof(what));
	n = strlen(action);
	if (json_is_false(json_object_get(rule, "enabled")))
		snprintf(action + n, sizeof(action) - n, " (off)");
	snprintf(hits, sizeof(hits), "%lld", number_at(rule, "hits"));
	return json_pack("[s, s, s, s, s, s]",
			 shown(text_at(rule, "name"), name, sizeof(name)),
			 shown(text_at(rule, "from"), from, sizeof(from)),
			 direction, action, hits, what);
}

static const char *word_of_default(json_t *answer, const char *key)
{
	return text_at(json_object_get(answer, "defaults"), key);
}

static void print_switch(FILE *out, json_t *answer)
{
	const long long s = number_at(answer, "off_for_s");

	if (!json_is_false(json_object_get(answer, "on")))
		return;
	if (s >= 120)
		fprintf(out, "OFF for %lld minutes more: everything passes\n",
			(s + 59) / 60);
	else if (s > 0)
		fprintf(out, "OFF for %lld seconds more: everything passes\n",
			s);
	else
		fputs("OFF until `slipway firewall on': everything passes\n",
		      out);
}

static void print_head(FILE *out, const char *name, json_t *answer)
{
	const bool refuse = !strcmp(text_at(answer, "block_action"), "refuse");
	const long long not_told = number_at(answer, "not_told");

	const char *profile = text_at(answer, "profile");

	if (json_is_false(json_object_get(answer, "running"))) {
		fprintf(out, "%s: does not run; kept for its next run:\n",
			name);
		if (*profile)
			fprintf(out, "profile %s\n", profile);
		return;
	}
	fprintf(out, "%s: profile %s\n", name, profile);
	print_switch(out, answer);
	fprintf(out, "without a rule: in from guests %s, from the host %s, "
		"from other machines %s; out %s\n",
		word_of_default(answer, "in_from_guest"),
		word_of_default(answer, "in_from_host"),
		word_of_default(answer, "in_from_lan"),
		word_of_default(answer, "out"));
	fprintf(out, "%lld flows were blocked, and %s",
		number_at(answer, "blocked"),
		refuse ? "refused" : "dropped silently");
	if (not_told)
		fprintf(out, "; %lld of them were too many for the log",
			not_told);
	fputc('\n', out);
}

static bool has_no_effect(json_t *rule)
{
	const char *finding = text_at(rule, "finding");

	return *finding && strcmp(finding, "works");
}

/* Is that worth a word without being asked? Off and elsewhere are meant. */
static bool is_in_vain(json_t *rule)
{
	const char *finding = text_at(rule, "finding");

	return !strcmp(finding, "never") || !strcmp(finding, "shadowed");
}

void render_firewall(FILE *out, const char *name, json_t *answer)
{
	static const char *const heads[] = { "RULE", "FROM", "DIR", "ACTION",
					     "HITS", "FOR" };
	json_t *rows = json_array(), *rule;
	unsigned vain = 0;
	size_t i;

	print_head(out, name, answer);
	json_array_foreach(json_object_get(answer, "rules"), i, rule) {
		json_array_append_new(rows, row_of(rule));
		vain += is_in_vain(rule);
	}
	fputc('\n', out);
	if (json_array_size(rows))
		table_print(out, heads, 6, rows);
	else
		fputs("There are no rules.\n", out);
	if (vain)
		fprintf(out, "\n%u of these rules can have no effect; see "
			"slipway firewall list --check\n", vain);
	json_decref(rows);
}

static void print_finding(FILE *out, json_t *rule)
{
	const char *finding = text_at(rule, "finding");
	char name[NAME_CELL], by[NAME_CELL];

	fprintf(out, "%s: ", shown(text_at(rule, "name"), name, sizeof(name)));
	if (!strcmp(finding, "shadowed"))
		fprintf(out, "shadowed: the block '%s' holds for all that it "
			"allows; give that an exception, or delete one\n",
			shown(text_at(rule, "by"), by, sizeof(by)));
	else if (!strcmp(finding, "never"))
		fputs("never matches: its conditions hold for nothing here; "
		      "see slipway firewall show\n", out);
	else if (!strcmp(finding, "off"))
		fputs("off: it is not enabled\n", out);
	else if (!strcmp(finding, "elsewhere"))
		fputs("elsewhere: it is for other profiles or networks\n",
		      out);
	else
		fprintf(out, "%s\n", finding);
}

void render_firewall_check(FILE *out, const char *name, json_t *answer)
{
	json_t *rules = json_object_get(answer, "rules"), *rule;
	unsigned idle = 0;
	size_t i;

	json_array_foreach(rules, i, rule)
		idle += has_no_effect(rule);
	fprintf(out, "%s: %u of %zu rules are without effect\n", name, idle,
		json_array_size(rules));
	json_array_foreach(rules, i, rule)
		if (has_no_effect(rule))
			print_finding(out, rule);
}

void render_rule(FILE *out, json_t *rule)
{
	const char *text = text_at(rule, "text");
	char from[NAME_CELL];

	fprintf(out, "# from %s", shown(text_at(rule, "from"), from,
					sizeof(from)));
	if (json_object_get(rule, "hits"))
		fprintf(out, "; has decided %lld flows",
			number_at(rule, "hits"));
	fputc('\n', out);
	if (has_no_effect(rule)) {
		fputs("# ", out);
		print_finding(out, rule);
	}
	fputs(text, out);
	if (*text && text[strlen(text) - 1] != '\n')
		fputc('\n', out);
}
