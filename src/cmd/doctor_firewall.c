/* SPDX-License-Identifier: MIT */
/*
 * cmd/doctor_firewall.c - what the firewall of a guest's network has to say
 *
 * What it blocks as its rules want it is not broken: it is told who blocks,
 * and what would change that. An instance of an earlier version has none.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/ask.h"
#include "cmd/doctor.h"
#include "control/member.h"

#define COMMAND_BYTES 512

void doctor_firewall(struct doctor *d, const char *name)
{
	struct fail fail;
	json_t *fw = ask_once(name, API_FIREWALL, NULL, &fail);
	const size_t n = json_array_size(json_object_get(fw, "rules"));
	const json_int_t off_s = json_integer_value(json_object_get(
		fw, "off_for_s"));

	if (!fw)
		return;
	if (json_is_true(json_object_get(fw, "on"))) {
		report_add(&d->report, REPORT_OK, "firewall", "firewall",
			   "%s%s, %zu rule%s", text_at(fw, "profile"),
			   *text_at(fw, "mode") ? ", an allow list" : "", n,
			   n == 1 ? "" : "s");
	} else {
		report_add(&d->report, REPORT_NOTE, "firewall", "firewall",
			   "off%s", off_s ? ", for a while" : "");
		report_todo(&d->report, "slipway firewall on");
	}
	json_decref(fw);
}

/* A word as a shell reads it back. */
static void put_word(char *command, const char *word)
{
	const bool plain = *word && !word[strspn(word, "abcdefghijklmnopqrstuv"
		"wxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,@%+")];
	size_t n = strlen(command);

	if (n && n + 1 < COMMAND_BYTES)
		command[n++] = ' ';
	if (plain) {
		snprintf(command + n, COMMAND_BYTES - n, "%s", word);
		return;
	}
	/* Each quote takes four bytes; room is left for the last. */
	if (n + 2 < COMMAND_BYTES)
		command[n++] = '\'';
	for (; *word && n + 6 < COMMAND_BYTES; word++) {
		if (*word == '\'') {
			memcpy(command + n, "'\\'", 3);
			n += 3;
		}
		command[n++] = *word;
	}
	command[n++] = '\'';
	command[n] = '\0';
}

static void tell_change(struct report *r, json_t *why)
{
	json_t *commands = json_object_get(json_object_get(why, "change"),
					   "commands"), *words, *word;
	size_t i, j;

	json_array_foreach(commands, i, words) {
		char command[COMMAND_BYTES] = "";

		json_array_foreach(words, j, word)
			if (json_string_value(word) &&
			    strlen(command) < COMMAND_BYTES - 16)
				put_word(command, json_string_value(word));
		report_todo(r, "%s", command);
	}
}

/* The check that says no, of those that all have to say yes. */
static json_t *blocking(json_t *why)
{
	json_t *checks = json_object_get(why, "checks"), *c;
	size_t i;

	json_array_foreach(checks, i, c)
		if (json_is_false(json_object_get(c, "allowed")))
			return c;
	return NULL;
}

bool doctor_firewall_blocks(struct doctor *d, const char *name,
			    const struct ip *from, const struct endpoint *to,
			    enum report_state state, const char *id,
			    const char *tried)
{
	char a[IP_TEXT_BYTES], b[ENDPOINT_TEXT_BYTES];
	struct fail fail;
	json_t *why = ask_once(name, API_FIREWALL_WHY, json_pack(
		"{s:s, s:s, s:s}", "protocol", "tcp", "from",
		ip_format(from, a), "to", endpoint_format(to, b)), &fail);
	const bool blocks = json_is_false(json_object_get(why, "allowed"));
	const char *rule = blocks ? text_at(blocking(why), "rule") : "";

	if (blocks) {
		report_add(&d->report, state, id, tried, *rule ? "blocked by "
			   "the rule '%s' of slipway's own firewall" :
			   "blocked by default, by slipway's own firewall%s",
			   rule);
		tell_change(&d->report, why);
	}
	json_decref(why);
	return blocks;
}
