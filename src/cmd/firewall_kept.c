/* SPDX-License-Identifier: MIT */
#include "cmd/firewall_kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/member.h"
#include "firewall/keys.h"
#include "keeper/names.h"
#include "keeper/rulebook.h"
#include "keeper/state.h"

struct kept {
	const char *name;
	struct rulebook book;
	bool there;			/* there was something */
	struct fail *fail;
};

bool firewall_kept_does(enum api_op op)
{
	return op == API_FIREWALL || op == API_FIREWALL_ADD ||
	       op == API_FIREWALL_CHANGE || op == API_FIREWALL_PROFILE;
}

static bool is_true(json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

static void take_error(void *ctx, const struct text_error *e)
{
	char text[TEXT_ERROR_BYTES];

	fail_set(ctx, "%s", text_error_format(e, text));
}

static int load(struct kept *k)
{
	const struct text_sink sink = { take_error, k->fail };
	char *text = state_load_rules(k->name);
	bool ok = true;

	k->there = text;
	k->fail->text[0] = '\0';
	if (text)
		ok = rulebook_load(&k->book, (struct view){
			(const uint8_t *)text, strlen(text) }, &sink);
	free(text);
	/* What it would pass over, it would not write either. */
	if (k->fail->text[0])
		return fail_set(k->fail, "%s: its kept rules have an error; "
				"mend its file in the state, see slipway(1), "
				"FILES", k->name);
	if (!ok || rulebook_merge(&k->book))
		return fail_set(k->fail, "no memory; try again");
	return 0;
}

static int save(struct kept *k)
{
	char *text = rulebook_text(&k->book);
	int rc;

	if (!text)
		return fail_set(k->fail, "no memory; try again");
	rc = state_save_rules(k->name, rulebook_keeps(&k->book) ? text :
								   NULL);
	free(text);
	return rc < 0 ? fail_set(k->fail, "%s: its state cannot be written: "
				 "%s; nothing was changed", k->name,
				 strerror(-rc)) : 0;
}

static int add(struct kept *k, json_t *body)
{
	const struct text_sink sink = { take_error, k->fail };
	const char *text = text_at(body, "text"), *clash = NULL;
	unsigned added;

	if (!rulebook_add(&k->book, (struct view){ (const uint8_t *)text,
						   strlen(text) },
			  false, is_true(body, "replace"), &sink, &added,
			  &clash))
		return 0;
	if (clash)
		return fail_set(k->fail, "%.100s: there is a rule of that name "
				"or id; give another, or --replace", clash);
	return -1;
}

/* The words of `from`, as a value of the key. */
static char *join(json_t *list)
{
	char *text = NULL;
	json_t *word;
	size_t i, len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	json_array_foreach(list, i, word)
		fprintf(f, "%s%s", i ? ", " : "", json_string_value(word));
	fclose(f);
	return text;
}

static const char *outcome_text(enum rulebook_outcome outcome)
{
	switch (outcome) {
	case CHANGE_NONE: case CHANGE_NOT_ADDED:
		return "no rule of that name or id is kept; those of files "
		       "are changed there, or while the network runs";
	case CHANGE_NO_BLOCK:
		return "it is no block, so there is nothing to make an "
		       "exception from; delete it, or make it narrower";
	case CHANGE_BAD_WORDS:
		return "whom --from names is not understood; see slipway(1), "
		       "FIREWALL";
	case CHANGE_FULL:
		return "there are too many rules, or too many words in it; "
		       "take some away";
	case CHANGE_DONE:
		break;
	}
	return "";
}

static int change(struct kept *k, json_t *body)
{
	static const struct known_word verbs[] = {
		{ "enable", VERB_ENABLE }, { "disable", VERB_DISABLE },
		{ "delete", VERB_DELETE }, { "except", VERB_EXCEPT },
	};
	char *except = join(json_object_get(body, "from"));
	struct rulebook_asked asked = { .rule = text_at(body, "rule"),
					.except = except };
	enum rulebook_outcome outcome = CHANGE_FULL;
	struct text_error error;
	unsigned verb, n;

	if (except && word_known(word_of(text_at(body, "change")), verbs, 4,
				 &verb)) {
		asked.verb = verb;
		outcome = rulebook_change(&k->book, &asked, &n, &error);
	}
	free(except);
	return outcome == CHANGE_DONE ? 0 :
	       fail_set(k->fail, "%.100s: %s", text_at(body, "rule"),
			outcome_text(outcome));
}

static int set_profile(struct kept *k, json_t *body)
{
	unsigned profile;

	if (!word_known(word_of(text_at(body, "profile")), profile_words, 3,
			&profile))
		return fail_set(k->fail, "no such profile; give private, "
				"public or domain");
	k->book.now.profile = (enum rule_profile)profile;
	return 0;
}

static json_t *rule_json(const struct rules *set, const struct rule *r)
{
	const size_t len = text_print(set, r, NULL, 0) + 1;
	char *text = malloc(len);
	json_t *o = NULL;

	if (text) {
		text_print(set, r, text, len);
		o = json_pack("{s:o, s:o, s:s, s:b, s:b, s:o}", "name",
			      api_text(set->text + r->name), "id",
			      api_text(set->text + r->id), "from", "added",
			      "kept", 1, "enabled", (int)r->enabled, "text",
			      api_text(text));
	}
	free(text);
	return o;
}

static json_t *answer(const struct kept *k)
{
	const struct rules *set = &k->book.all.set;
	json_t *rules = json_array(), *o;

	for (uint32_t i = 0; i < set->used.rules; i++)
		json_array_append_new(rules, rule_json(set, &set->rule[i]));
	o = json_pack("{s:s, s:b, s:o}", "name", k->name, "running", 0,
		      "rules", rules);
	for (unsigned i = 0; i < 3; i++)
		if (profile_words[i].value == k->book.now.profile)
			json_object_set_new(o, "profile", json_string(
				profile_words[i].name));
	return o;
}

static int perform(struct kept *k, enum api_op op, json_t *body)
{
	const char *why;
	int rc;

	if (op == API_FIREWALL)
		return k->there ? 0 : fail_set(k->fail, "%s: no guest of that "
				"name runs, and nothing is kept for it; see "
				"slipway status", k->name);
	if (is_true(body, "once"))
		return fail_set(k->fail, "%s: does not run, so there is "
				"nothing that --once could be for; leave it "
				"away", k->name);
	rc = op == API_FIREWALL_ADD ? add(k, body) :
	     op == API_FIREWALL_CHANGE ? change(k, body) :
					 set_profile(k, body);
	if (rc < 0)
		return rc;
	why = rulebook_merge(&k->book);
	return why ? fail_set(k->fail, "%s; nothing was changed", why) :
		     save(k);
}

/* A keeper that is about to start reads what we write, or we what it wrote. */
static int lock(char dir[NAMES_DIR_BYTES], const char *name,
		struct fail *fail)
{
	int fd;

	if (names_make_dir(dir, fail) < 0)
		return -1;
	fd = names_lock(dir, name);
	return fd >= 0 ? fd : fail_set(fail, "%s: %s; try again", name,
				       fd == -EWOULDBLOCK ? "is starting or "
				       "ending" : strerror(-fd));
}

json_t *firewall_kept(const char *name, enum api_op op, json_t *body,
		      struct fail *fail)
{
	const struct ruleset none = { .set = { .rule = NULL } };
	struct kept k = { .name = name, .fail = fail,
			  .book = { .files = &none, .allow = &none } };
	char dir[NAMES_DIR_BYTES];
	const int fd = lock(dir, name, fail);
	json_t *o = NULL;

	if (fd < 0)
		return NULL;
	if (load(&k) == 0 && perform(&k, op, body) == 0)
		o = answer(&k);
	rulebook_fini(&k.book);
	names_remove(dir, name, true);
	close(fd);
	return o;
}
