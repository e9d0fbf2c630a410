/* SPDX-License-Identifier: MIT */
/* control/render_why.c - a verdict for people; see render_firewall.h. */
#include <stdbool.h>
#include <string.h>

#include "control/member.h"
#include "control/render_firewall.h"
#include "control/shown.h"

#define CELL 120

static bool is_true(json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

/* "'a', 'b' and 3 more"; those in the list that are `but` are left out. */
static unsigned names(json_t *list, const char *but, char *buf, size_t cap)
{
	unsigned n = 0;
	size_t len = 0;
	json_t *item;
	size_t i;

	*buf = '\0';
	json_array_foreach(list, i, item) {
		const char *name = json_string_value(item);
		char cell[CELL];

		if (!name || (but && !strcmp(name, but)))
			continue;
		n++;
		if (len + sizeof(cell) + 8 > cap)
			continue;
		len += (size_t)snprintf(buf + len, cap - len, "%s'%s'",
					n > 1 ? ", " : "",
					shown(name, cell, sizeof(cell)));
	}
	return n;
}

static void print_names(FILE *out, json_t *check, const char *key,
			const char *but, const char *what)
{
	char list[1024];

	if (names(json_object_get(check, key), but, list, sizeof(list)))
		fprintf(out, "       %s: %s\n", what, list);
}

static void print_program(FILE *out, json_t *check)
{
	const char *program = text_at(check, "program");
	char list[1024], cell[256];

	if (*program)
		fprintf(out, "       the program is %s\n",
			shown(program, cell, sizeof(cell)));
	if (names(json_object_get(check, "unsure"), NULL, list, sizeof(list)))
		fprintf(out, "       the program is not known; it matters to "
			"%s: --program PATH supposes one\n", list);
}

static void print_check(FILE *out, json_t *check)
{
	const char *rule = text_at(check, "rule");
	char cell[CELL];

	fprintf(out, "  %-3s  %s by ", text_at(check, "direction"),
		is_true(check, "allowed") ? "allowed" : "blocked");
	if (*rule)
		fprintf(out, "the rule '%s'\n",
			shown(rule, cell, sizeof(cell)));
	else
		fputs("default: no rule is about it\n", out);
	print_names(out, check, "blocks", rule, "blocked by these, too");
	print_names(out, check, "allows", rule, is_true(check, "allowed") ?
		    "allowed by these, too" :
		    "would be allowed by these, but a block beats them");
	print_names(out, check, "excepted", NULL,
		    "would be blocked by these, but for their exceptions");
	print_program(out, check);
}

static void print_flow(FILE *out, json_t *answer)
{
	const char *protocol = text_at(answer, "protocol");
	char from[CELL], to[CELL];

	shown(text_at(answer, "to"), to, sizeof(to));
	if (!strcmp(protocol, "dns"))
		fprintf(out, "the question for %s\n", to);
	else
		fprintf(out, "%s %s -> %s\n", protocol,
			shown(text_at(answer, "from"), from, sizeof(from)),
			to);
}

/* Is it what is known already, but for the addresses? */
static bool is_same(json_t *answer, json_t *before)
{
	static const char *const keys[] = { "allowed", "checks", "change" };

	for (unsigned i = 0; i < 3; i++)
		if (!json_equal(json_object_get(answer, keys[i]),
				json_object_get(before, keys[i])))
			return false;
	return true;
}

/* Do the rules allow it, whether they are in force or not? */
static bool rules_allow(json_t *answer)
{
	json_t *checks = json_object_get(answer, "checks"), *check;
	size_t i;

	json_array_foreach(checks, i, check)
		if (!is_true(check, "allowed"))
			return false;
	return json_array_size(checks) || is_true(answer, "allowed");
}

static bool is_off(json_t *answer)
{
	return json_is_false(json_object_get(answer, "on"));
}

/* Each on a line of its own: an exception may need an allow rule, too. */
static void print_change(FILE *out, json_t *answer, json_t *change)
{
	json_t *commands = json_object_get(change, "commands"), *command;
	size_t i;

	if (!json_array_size(commands))
		return;
	fprintf(out, "to %s it%s:\n", rules_allow(answer) ? "block" : "allow",
		is_off(answer) ? " when the firewall is on" : "");
	json_array_foreach(commands, i, command) {
		fputs("  ", out);
		shown_command(out, command);
		fputc('\n', out);
	}
}

static bool is_unsure(json_t *answer)
{
	json_t *check;
	size_t i;

	json_array_foreach(json_object_get(answer, "checks"), i, check)
		if (json_array_size(json_object_get(check, "unsure")))
			return true;
	return false;
}

void render_why(FILE *out, json_t *answer, json_t *before)
{
	json_t *change = json_object_get(answer, "change"), *check;
	size_t i;

	fprintf(out, "%s%s: ", is_true(answer, "allowed") ? "allowed" :
							    "blocked",
		is_off(answer) ? ", as the firewall is off" :
		is_unsure(answer) ? ", unless a program matters" : "");
	print_flow(out, answer);
	if (before && is_same(answer, before)) {
		fputs("  for the same reason\n", out);
		return;
	}
	json_array_foreach(json_object_get(answer, "checks"), i, check)
		print_check(out, check);
	print_change(out, answer, change);
}
