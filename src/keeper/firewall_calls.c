/* SPDX-License-Identifier: MIT */
#include "keeper/firewall_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/keys.h"
#include "keeper/hits.h"
#include "keeper/process.h"

#define ERRORS_TOLD	16
#define OFF_S_MAX	(30 * 86400)

static void refuse(struct client *cl, int status, const char *detail)
{
	clients_refuse(cl, status, detail, keeper_now_ns());
}

static const char *text_of(const struct client *cl, const char *key)
{
	return json_string_value(json_object_get(cl->body, key));
}

static bool is_true(const struct client *cl, const char *key)
{
	return json_is_true(json_object_get(cl->body, key));
}

static bool keeps_flows(const struct keeper *k, const struct client *cl)
{
	json_t *said = json_object_get(cl->body, "keep_flows");

	return said ? json_is_true(said) : k->in.config->rules_keep_flows;
}

/* ---- the list ---- */

static const char *finding_name(enum firewall_finding finding)
{
	switch (finding) {
	case RULE_WORKS:
		return "works";
	case RULE_OFF:
		return "off";
	case RULE_ELSEWHERE:
		return "elsewhere";
	case RULE_NEVER:
		return "never";
	case RULE_SHADOWED:
		return "shadowed";
	}
	return "works";
}

static const char *from_name(const struct rulebook_origin *o)
{
	switch (o->source) {
	case SOURCE_FILE:
		return o->file;
	case SOURCE_ADDED:
		return "added";
	case SOURCE_ALLOW:
		return "allow";
	case SOURCE_PUBLISH:
		return "publish";
	}
	return "added";
}

static json_t *rule_text(const struct rules *set, const struct rule *r)
{
	char small[1024], *buf;
	const size_t len = text_print(set, r, small, sizeof(small));
	json_t *j;

	if (len < sizeof(small))
		return api_text(small);
	buf = malloc(len + 1);
	if (!buf)
		return NULL;
	text_print(set, r, buf, len + 1);
	j = api_text(buf);
	free(buf);
	return j;
}

static json_t *rule_json(const struct keeper *k, const struct firewall *fw,
			 uint32_t i, const struct hits *hits)
{
	const struct rulebook_origin *o = &k->firewall.book.origin[i];
	const struct rules *set = &k->firewall.book.all.set;
	const struct rule *r = &set->rule[i];
	enum firewall_finding finding;
	uint32_t by = 0;
	json_t *j;

	j = json_pack("{s:o, s:o, s:o, s:o, s:b}",
		      "name", api_text(set->text + r->name),
		      "from", api_text(from_name(o)),
		      "text", rule_text(set, r),
		      "id", api_text(set->text + r->id),
		      "enabled", (int)r->enabled);
	if (o->source == SOURCE_ADDED)
		json_object_set_new(j, "kept", json_boolean(o->kept));
	if (o->changed)
		json_object_set_new(j, "changed", json_true());
	if (hits)
		json_object_set_new(j, "hits",
				    json_integer((json_int_t)hits->at[i]));
	if (!fw)
		return j;
	finding = firewall_check(fw, i, &by);
	json_object_set_new(j, "finding", json_string(finding_name(finding)));
	if (finding == RULE_SHADOWED)
		json_object_set_new(j, "by", api_text(set->text +
						      set->rule[by].name));
	return j;
}

static const char *verdict(bool allow)
{
	return allow ? "allow" : "block";
}

static json_t *defaults_json(const struct keeper *k)
{
	const struct firewall_defaults d = firewalling_defaults(k);

	return json_pack("{s:s, s:s, s:s, s:s}",
			 "in_from_guest", verdict(d.in_from_guest),
			 "in_from_host", verdict(d.in_from_host),
			 "in_from_lan", verdict(d.in_from_lan),
			 "out", verdict(d.out));
}

static const char *profile_name(const struct keeper *k)
{
	const enum rule_profile profile = firewalling_profile(k);

	for (unsigned i = 0; i < 3; i++)
		if (profile_words[i].value == profile)
			return profile_words[i].name;
	return "private";
}

/* Seconds until it is on again, rounded up; 0: not by itself. */
static json_int_t off_for_s(const struct keeper *k)
{
	const uint64_t now = keeper_now_ns(), at = k->firewall.on_ns;

	if (at == NEVER || at <= now)
		return 0;
	return (json_int_t)((at - now + 999999999u) / 1000000000u);
}

static json_t *list_json(struct keeper *k, const struct hits *hits)
{
	const struct rules *set = &k->firewall.book.all.set;
	const struct firewall *fw = set->rule ? firewalling_compiled(k) :
						NULL;
	json_t *rules = json_array(), *j;
	const char *log = k->blocked.log.path;

	for (uint32_t i = 0; set->rule && i < set->used.rules; i++)
		json_array_append_new(rules, rule_json(k, fw, i, hits));
	j = json_pack("{s:s, s:I, s:s, s:b, s:I, s:s, s:b, s:o, s:s*, s:o}",
		      "name", k->in.name, "generation",
		      (json_int_t)k->firewall.generation,
		      "profile", profile_name(k),
		      "on", (int)k->firewall.on, "off_for_s", off_for_s(k),
		      "block_action", firewalling_refuses(k) ? "refuse" :
							       "drop",
		      "keep_flows", (int)k->in.config->rules_keep_flows,
		      "defaults", defaults_json(k), "log", log,
		      "rules", rules);
	if (firewalling_has_list(k))
		json_object_set_new(j, "mode", json_string("allow-list"));
	if (hits) {
		json_object_set_new(j, "blocked",
				    json_integer((json_int_t)hits->blocked));
		json_object_set_new(j, "not_told",
				    json_integer((json_int_t)hits->not_told));
	}
	return j;
}

void firewall_calls_list(struct keeper *k, const struct hits *hits)
{
	json_t *j = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *cl = &k->clients.at[i];

		if (cl->state != CLIENT_WAITING || cl->op != API_FIREWALL)
			continue;
		if (!j)
			j = list_json(k, hits);
		/* Of many rules that took its time: not at the client's cost. */
		clients_reply(cl, 200, json_incref(j), false,
			      keeper_now_ns());
	}
	json_decref(j);
}

/* ---- changes ---- */

/* What is there so far, to go back to. false: the client was refused. */
static bool begin(struct keeper *k, struct client *cl,
		  struct rulebook_pages *before)
{
	if (rulebook_copy(&k->firewall.book, before))
		return true;
	refuse(cl, 503, "no memory; try again");
	return false;
}

/* As before. before is taken. */
static void take_back(struct keeper *k, struct client *cl,
		      struct rulebook_pages *before, int status,
		      const char *detail)
{
	rulebook_restore(&k->firewall.book, before);
	if (rulebook_merge(&k->firewall.book))
		log_write(&k->in.log, LOG_ERROR, "the rules of the firewall "
			  "are not listed as they are in force: no memory");
	refuse(cl, status, detail);
}

/* What was asked for is written: have it in force. before is taken. */
static void commit(struct keeper *k, struct client *cl,
		   struct rulebook_pages *before, json_t *answer)
{
	const char *why = rulebook_merge(&k->firewall.book);
	char detail[256];
	int rc;

	if (why) {
		snprintf(detail, sizeof(detail), "%s; delete some first", why);
		take_back(k, cl, before, 409, detail);
		json_decref(answer);
		return;
	}
	rc = is_true(cl, "once") ? 0 : firewalling_save(k);
	if (rc < 0) {
		snprintf(detail, sizeof(detail), "it cannot be kept: %.60s; "
			 "do it --once", strerror(-rc));
		take_back(k, cl, before, 500, detail);
		json_decref(answer);
		return;
	}
	rulebook_pages_fini(before);
	firewalling_tell(k, keeps_flows(k, cl));
	json_object_set_new(answer, "generation", json_integer(
		(json_int_t)k->firewall.generation));
	clients_reply(cl, 200, answer, false, keeper_now_ns());
}

/* Errors of a text, joined. */
struct errors {
	FILE *out;
	unsigned n;
};

static void take_error(void *ctx, const struct text_error *e)
{
	struct errors *errors = ctx;
	char text[TEXT_ERROR_BYTES];

	if (errors->out && errors->n < ERRORS_TOLD)
		fprintf(errors->out, "%s%s", errors->n ? "\n" : "",
			text_error_format(e, text));
	errors->n++;
}

/* Why it cannot be added; the client is told, and all is as before. */
static void refuse_add(struct keeper *k, struct client *cl,
		       struct rulebook_pages *before, char *errors,
		       const char *clash)
{
	char detail[256];

	if (clash) {
		snprintf(detail, sizeof(detail), "%.120s: there is such a "
			 "rule; give another name, or replace it", clash);
		take_back(k, cl, before, 409, detail);
	} else {
		take_back(k, cl, before, 400, errors ? errors : "no memory; "
			  "try again");
	}
}

void firewall_calls_add(struct keeper *k, struct client *cl)
{
	json_t *text = json_object_get(cl->body, "text");
	const struct view v = {
		(const uint8_t *)json_string_value(text),
		json_string_length(text),
	};
	struct rulebook_pages before;
	struct errors errors = { .n = 0 };
	const struct text_sink sink = { take_error, &errors };
	const char *clash = NULL;
	unsigned n = 0, bad;
	char *told = NULL;
	size_t len;

	if (!v.p) {
		refuse(cl, 400, "the member \"text\" is missing; give rules");
		return;
	}
	if (!begin(k, cl, &before))
		return;
	errors.out = open_memstream(&told, &len);
	bad = rulebook_add(&k->firewall.book, v, is_true(cl, "once"),
			   is_true(cl, "replace"), &sink, &n, &clash);
	if (errors.n > ERRORS_TOLD && errors.out)
		fprintf(errors.out, "\nand %u more errors",
			errors.n - ERRORS_TOLD);
	if (errors.out)
		fclose(errors.out);
	if (bad)
		refuse_add(k, cl, &before, told, clash);
	else
		commit(k, cl, &before, json_pack("{s:i}", "rules", (int)n));
	free(told);
}

/*
 * The member `from` as the words of `except`, allocated. NULL: it is none of
 * those; a line end would be one in the state, too.
 */
static char *except_words(const struct client *cl)
{
	json_t *list = json_object_get(cl->body, "from"), *word;
	char *text = NULL;
	size_t i, len;
	FILE *f = json_array_size(list) ? open_memstream(&text, &len) : NULL;
	bool ok = f;

	json_array_foreach(list, i, word) {
		const char *s = json_string_value(word);

		ok = ok && s && !strpbrk(s, "\r\n");
		if (ok)
			fprintf(f, "%s%s", i ? ", " : "", s);
	}
	if (f)
		fclose(f);
	if (ok)
		return text;
	free(text);
	return NULL;
}

static bool read_verb(const char *text, enum rulebook_verb *out)
{
	static const struct known_word verbs[] = {
		{ "enable", VERB_ENABLE }, { "disable", VERB_DISABLE },
		{ "delete", VERB_DELETE }, { "except", VERB_EXCEPT },
	};
	unsigned v;

	if (!text || !word_known(word_of(text), verbs, 4, &v))
		return false;
	*out = (enum rulebook_verb)v;
	return true;
}

/* Whose the first rule of that name is, that is not ours. */
static const char *whose(const struct keeper *k, const char *rule)
{
	const struct rules *set = &k->firewall.book.all.set;
	const uint32_t i = rules_find(set, rule);
	const struct rulebook_origin *o = &k->firewall.book.origin[i];

	if (i == set->used.rules)
		return "somebody else's";
	switch (o->source) {
	case SOURCE_FILE:
		return o->file;
	case SOURCE_ALLOW:
		return "the allow list";
	case SOURCE_PUBLISH:
		return "what is published";
	case SOURCE_ADDED:
		break;
	}
	return "the rules that were added";
}

static void refuse_change(struct keeper *k, struct client *cl,
			  struct rulebook_pages *before,
			  const struct rulebook_asked *what,
			  enum rulebook_outcome outcome,
			  const struct text_error *error)
{
	char detail[768], text[TEXT_ERROR_BYTES];
	int status = 409;

	switch (outcome) {
	case CHANGE_NONE:
		status = 404;
		snprintf(detail, sizeof(detail), "%.120s: no rule of that name "
			 "or id; `slipway firewall list' has them",
			 what->rule);
		break;
	case CHANGE_NOT_ADDED:
		snprintf(detail, sizeof(detail), "%.120s: it comes from "
			 "%.300s; remove it there, or disable it here",
			 what->rule, whose(k, what->rule));
		break;
	case CHANGE_NO_BLOCK:
		snprintf(detail, sizeof(detail), "%.120s: it blocks nothing; "
			 "exceptions are made from what blocks", what->rule);
		break;
	case CHANGE_BAD_WORDS:
		status = 400;
		snprintf(detail, sizeof(detail), "%s",
			 text_error_format(error, text));
		break;
	case CHANGE_FULL: case CHANGE_DONE:
		snprintf(detail, sizeof(detail), "%.120s: there is no room for "
			 "more changes, or memory; change the rule where it "
			 "comes from", what->rule);
		break;
	}
	take_back(k, cl, before, status, detail);
}

static void change(struct keeper *k, struct client *cl,
		   const struct rulebook_asked *what)
{
	struct text_error error = { .line = 1 };
	enum rulebook_outcome outcome;
	struct rulebook_pages before;
	unsigned n = 0;

	if (!begin(k, cl, &before))
		return;
	outcome = rulebook_change(&k->firewall.book, what, &n, &error);
	if (outcome == CHANGE_DONE)
		commit(k, cl, &before, json_pack("{s:i}", "rules", (int)n));
	else
		refuse_change(k, cl, &before, what, outcome, &error);
}

void firewall_calls_change(struct keeper *k, struct client *cl)
{
	struct rulebook_asked what = { .rule = text_of(cl, "rule"),
				       .once = is_true(cl, "once") };
	char *words = NULL;

	if (!what.rule) {
		refuse(cl, 400, "the member \"rule\" is missing; give its "
		       "name or id");
		return;
	}
	if (!read_verb(text_of(cl, "change"), &what.verb)) {
		refuse(cl, 400, "give \"change\": enable, disable, delete or "
		       "except");
		return;
	}
	if (what.verb == VERB_EXCEPT && !(words = except_words(cl))) {
		refuse(cl, 400, "give \"from\": [\"guest NAME\", \"network "
		       "NAME\", \"ADDRESS/BITS\" …]");
		return;
	}
	what.except = words;
	change(k, cl, &what);
	free(words);
}

void firewall_calls_profile(struct keeper *k, struct client *cl)
{
	const enum rule_profile before = k->firewall.profile;
	const char *text = text_of(cl, "profile");
	struct rulebook_pages pages;
	uint32_t generation = k->firewall.generation;
	unsigned v;

	if (!text || !word_known(word_of(text), profile_words, 3, &v)) {
		refuse(cl, 400, "give \"profile\": private, public or domain");
		return;
	}
	if (!begin(k, cl, &pages))
		return;
	k->firewall.profile = (enum rule_profile)v;
	if (!is_true(cl, "once"))
		k->firewall.book.now.profile = (enum rule_profile)v;
	commit(k, cl, &pages, json_pack("{s:s}", "profile", profile_name(k)));
	if (generation == k->firewall.generation)
		k->firewall.profile = before;
}

void firewall_calls_switch(struct keeper *k, struct client *cl)
{
	json_t *on = json_object_get(cl->body, "on"),
	       *for_s = json_object_get(cl->body, "for_s");
	const json_int_t s = json_integer_value(for_s);
	struct firewalling *f = &k->firewall;

	if (!json_is_boolean(on) || (for_s && !json_is_integer(for_s)) ||
	    s < 0 || s > OFF_S_MAX) {
		refuse(cl, 400, "give \"on\", true or false, and \"for_s\", "
		       "seconds up to 30 days, 0 for no end");
		return;
	}
	f->on = json_is_true(on);
	f->on_ns = f->on || !s ? NEVER :
		   keeper_now_ns() + (uint64_t)s * 1000000000u;
	firewalling_tell(k, keeps_flows(k, cl));
	clients_reply(cl, 200, json_pack("{s:b, s:I, s:I}", "on", (int)f->on,
					 "off_for_s", off_for_s(k),
					 "generation",
					 (json_int_t)f->generation),
		      false, keeper_now_ns());
}

void firewall_calls_blocked(struct keeper *k, struct client *cl)
{
	clients_reply(cl, 200, blocked_json(&k->blocked), false,
		      keeper_now_ns());
}
