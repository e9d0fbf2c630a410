/* SPDX-License-Identifier: MIT */
/* cmd/firewall_change.c - verbs that add and change rules */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/firewall.h"
#include "config/settings.h"
#include "config/value.h"
#include "control/shown.h"
#include "firewall/text.h"
#include "firewall/word.h"

#define NAME_BYTES 100		/* of a name that nobody gave */

/* A rule while its words are read, in a set of its own. */
struct making {
	struct rules set;
	struct text_draft draft;
	struct fail fail;
};

static int begin_rule(struct making *m, char *const *words)
{
	struct rules_size need = { .rules = 1, .items = 1,
				   .text_bytes = 2 * NAME_BYTES };
	void *block;

	for (; *words; words++) {
		need.text_bytes += (uint32_t)strlen(*words) + 2;
		need.items++;
		for (const char *p = *words; *p; p++) {
			need.items += *p == ',';
			need.text_bytes += *p == ',';
		}
	}
	block = malloc(rules_bytes(&need));
	if (!block)
		return fail_set(&m->fail, "no memory; try again");
	rules_init(&m->set, block, &need);
	text_begin(&m->draft);
	return 0;
}

/* Of a list, which of its words it is. */
static int bad_word(struct making *m, const char *word,
		    const struct text_error *e)
{
	const bool list = strchr(word, ',') && e->word.len < strlen(word);
	const struct view which = list ? e->word : word_of("");
	char cell[120];

	shown(word, cell, sizeof(cell));
	return fail_set(&m->fail, "%s: %.*s%s%s; %s%s%s", cell,
			(int)(which.len > 60 ? 60 : which.len),
			(const char *)which.p, which.len ? ": " : "", e->what,
			e->near ? "did you mean " : "give ",
			e->near ? e->near : e->expected, e->near ? "?" : "");
}

static int take_name(struct making *m, struct view name)
{
	if (m->draft.rule.name || !name.len)
		return fail_set(&m->fail, "name: %s; give it once",
				name.len ? "given twice" : "empty");
	if (!rules_text(&m->set, name, &m->draft.rule.name))
		return fail_set(&m->fail, "name: too long; give a shorter one");
	return 0;
}

static int take_word(struct making *m, const char *word)
{
	struct view rest = word_of(word), key;
	struct text_error error;

	if (!strchr(word, '='))
		return fail_set(&m->fail, "%s: no KEY=VALUE; give words such "
				"as action=block direction=in protocol=tcp "
				"localPort=8000", word);
	key = word_trim(word_cut(&rest, '='));
	if (word_is(key, "name"))
		return take_name(m, word_trim(rest));
	if (text_take(&m->set, &m->draft, key, rest, &error))
		return 0;
	return bad_word(m, word, &error);
}

/* "block in tcp 8000 /usr/bin/python3": what the words say, in their order. */
static int make_name(struct making *m, char *const *words)
{
	static const char *const aside[] = { "enabled", "profile", "id",
					     "group", "description" };
	char name[4 * NAME_BYTES] = "", cut[NAME_BYTES];
	size_t len = 0;

	for (; *words; words++) {
		struct view rest = word_of(*words);
		const struct view key = word_trim(word_cut(&rest, '='));
		bool says = true;

		for (size_t i = 0; i < sizeof(aside) / sizeof(aside[0]); i++)
			says &= !word_is(key, aside[i]);
		if (!says || len + 1 >= sizeof(name))
			continue;
		rest = word_trim(rest);
		len += (size_t)snprintf(name + len, sizeof(name) - len,
					"%s%.*s", len ? " " : "",
					(int)rest.len, rest.p);
	}
	shown(name, cut, sizeof(cut));
	return take_name(m, word_of(cut));
}

/* The rule as text, allocated; its name stays in the set. */
static char *finish_rule(struct making *m)
{
	struct text_error error;
	size_t len;
	char *text;

	if (!text_end(&m->set, &m->draft, &error)) {
		fail_set(&m->fail, "%s; give %s", error.what, error.expected);
		return NULL;
	}
	len = text_print(&m->set, &m->set.rule[0], NULL, 0) + 1;
	text = malloc(len);
	if (text)
		text_print(&m->set, &m->set.rule[0], text, len);
	else
		fail_set(&m->fail, "no memory; try again");
	return text;
}

/* m->set.rule is the caller's to free(). */
static char *rule_text(struct making *m, char *const *words)
{
	if (begin_rule(m, words) < 0)
		return NULL;
	for (char *const *w = words; *w; w++)
		if (take_word(m, *w) < 0)
			return NULL;
	if (!m->draft.rule.name && make_name(m, words) < 0)
		return NULL;
	return finish_rule(m);
}

int firewall_add(char **argv)
{
	static const char command[] = "firewall add";
	struct making m = { .fail = { "" } };
	char name[4 * NAME_BYTES];
	struct config c;
	json_t *body;
	char *text;
	int done = cmd_options(&c, FOR_FW_ADD, argv, &argv);

	if (done >= 0)
		return done;
	if (!argv[0])
		return firewall_usage(command, "KEY=VALUE words are needed, "
			"such as: slipway firewall add action=block "
			"direction=in protocol=tcp localPort=8000");
	text = rule_text(&m, argv);
	if (text) {
		body = json_pack("{s:s, s:b, s:b}", "text", text, "once",
				 c.once, "replace", c.verb.replace);
		done = firewall_change(&c, command, API_FIREWALL_ADD, body);
	} else {
		done = firewall_usage(command, m.fail.text);
	}
	/* Nobody has to guess what it is called now. */
	if (text && done == EXIT_DONE && !c.json)
		printf("%s\n", shown(m.set.text + m.set.rule[0].name, name,
				     sizeof(name)));
	free(text);
	free(m.set.rule);
	return done;
}

/* Is it something that `except` may say? */
static bool is_who(struct making *m, const char *word)
{
	char *const words[] = { (char *)(uintptr_t)word, NULL };
	struct text_error error;
	bool ok;

	if (begin_rule(m, words) < 0)
		return false;
	ok = text_take(&m->set, &m->draft, word_of("except"), word_of(word),
		       &error);
	if (!ok)
		bad_word(m, word, &error);
	free(m->set.rule);
	return ok;
}

/* "web" alone is the guest of that name; else as `except` has it. */
static int add_who(struct making *m, json_t *list, const char *word)
{
	char guest[CONFIG_NAME_BYTES + 8];

	if (!is_who(m, word)) {
		if (!value_is_name(word))
			return -1;
		snprintf(guest, sizeof(guest), "guest %s", word);
		word = guest;
	}
	json_array_append_new(list, json_string(word));
	return 0;
}

/* Those of --from, and what else follows the rule's name. */
static json_t *whom(struct making *m, const struct config_verb *v,
		    char *const *more)
{
	json_t *list = json_array();
	int rc = 0;

	for (unsigned i = 0; i < v->n_from && rc == 0; i++)
		rc = add_who(m, list, v->from[i]);
	for (; *more && rc == 0; more++)
		rc = add_who(m, list, *more);
	if (rc == 0)
		return list;
	json_decref(list);
	return NULL;
}

int firewall_except(char **argv)
{
	static const char command[] = "firewall except";
	struct making m = { .fail = { "" } };
	struct config c;
	json_t *list;
	int done = cmd_options(&c, FOR_FW_EXCEPT, argv, &argv);

	if (done >= 0)
		return done;
	if (!argv[0] || !c.verb.n_from)
		return firewall_usage(command, "a RULE and --from WHO are "
			"needed, such as: slipway firewall except 'no web' "
			"--from 10.0.0.0/8");
	list = whom(&m, &c.verb, argv + 1);
	if (!list)
		return firewall_usage(command, m.fail.text);
	return firewall_change(&c, command, API_FIREWALL_CHANGE,
			       json_pack("{s:s, s:s, s:o, s:b}", "rule",
					 argv[0], "change", "except", "from",
					 list, "once", c.once));
}

/* Each of the rules in turn; the first that is refused ends it. */
static int change_each(char **argv, unsigned bit, const char *command,
		       const char *change)
{
	struct config c;
	int done = cmd_options(&c, bit, argv, &argv);

	if (done >= 0)
		return done;
	if (!argv[0])
		return firewall_usage(command, "a RULE is needed, by its name "
				      "as slipway firewall list has it");
	for (done = EXIT_DONE; *argv && done == EXIT_DONE; argv++)
		done = firewall_change(&c, command, API_FIREWALL_CHANGE,
				       json_pack("{s:s, s:s, s:b}", "rule",
						 *argv, "change", change,
						 "once", c.once));
	return done;
}

int firewall_delete(char **argv)
{
	return change_each(argv, FOR_FW_DELETE, "firewall delete", "delete");
}

int firewall_enable(char **argv)
{
	return change_each(argv, FOR_FW_ENABLE, "firewall enable", "enable");
}

int firewall_disable(char **argv)
{
	return change_each(argv, FOR_FW_DISABLE, "firewall disable",
			   "disable");
}
