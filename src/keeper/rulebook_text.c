/* SPDX-License-Identifier: MIT */
/*
 * keeper/rulebook_text.c - what is kept of the rules, as text
 *
 *	[network]
 *	profile = public
 *
 *	[change]
 *	rule = no web
 *	enabled = false
 *	except = guest build, 10.0.0.0/8
 *
 *	[rule no mail]
 *	…
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/sections.h"
#include "firewall/keys.h"
#include "keeper/rulebook.h"

static const struct rules_size none;

/* ---- out ---- */

bool rulebook_keeps(const struct rulebook *b)
{
	const struct rulebook_pages *p = &b->now;

	for (size_t i = 0; i < p->n_changes; i++)
		if (p->change[i].kept)
			return true;
	return p->profile || (p->kept.set.rule && p->kept.set.used.rules);
}

static const char *profile_name(enum rule_profile profile)
{
	for (unsigned i = 0; i < 3; i++)
		if (profile_words[i].value == profile)
			return profile_words[i].name;
	return "private";
}

static bool put_rule(FILE *f, const struct rules *set, const struct rule *r)
{
	const size_t len = text_print(set, r, NULL, 0);
	char *buf = malloc(len + 1);

	if (!buf)
		return false;
	text_print(set, r, buf, len + 1);
	fprintf(f, "\n%s", buf);
	free(buf);
	return true;
}

static bool put_change(FILE *f, const struct rulebook_change *c)
{
	const size_t len = text_word(c->rule, NULL, 0);
	char *word = malloc(len + 1);

	if (!word)
		return false;
	text_word(c->rule, word, len + 1);
	fprintf(f, "\n[change]\nrule = %s\n", word);
	free(word);
	if (c->enabled >= 0)
		fprintf(f, "enabled = %s\n", c->enabled ? "true" : "false");
	if (c->except)
		fprintf(f, "except = %s\n", c->except);
	return true;
}

char *rulebook_text(const struct rulebook *b)
{
	const struct rulebook_pages *p = &b->now;
	const struct rules *set = &p->kept.set;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool ok = true;

	if (!f)
		return NULL;
	fputs("# What `slipway firewall' has set here, for the next time, "
	      "too.\n", f);
	if (p->profile)
		fprintf(f, "\n[network]\nprofile = %s\n",
			profile_name(p->profile));
	for (size_t i = 0; ok && i < p->n_changes; i++)
		if (p->change[i].kept)
			ok = put_change(f, &p->change[i]);
	for (uint32_t i = 0; ok && set->rule && i < set->used.rules; i++)
		ok = put_rule(f, set, &set->rule[i]);
	if (fclose(f) == 0 && ok)
		return text;
	free(text);
	return NULL;
}

/* ---- in ---- */

struct load {
	struct rulebook *b;
	const struct text_sink *sink;
	unsigned line;
	bool in_change;			/* else in [network] */
	/* The change that is being read. */
	struct ruleset scratch;
	struct text_draft draft;
	struct view except;
	int enabled;			/* -1: not said */
};

static void tell(const struct load *l, struct text_error e)
{
	e.line = l->line;
	e.column = e.column ? e.column : 1;
	l->sink->error(l->sink->ctx, &e);
}

static char *copy_of(struct view v)
{
	char *s = malloc(v.len + 1);

	if (!s)
		return NULL;
	memcpy(s, v.p, v.len);
	s[v.len] = '\0';
	return s;
}

/* The change is whole: have it. */
static void end_change(struct load *l)
{
	struct rulebook_pages *p = &l->b->now;
	struct rulebook_change *c = &p->change[p->n_changes];
	const uint32_t id = l->draft.rule.id;

	if (!l->in_change || !id || p->n_changes == RULEBOOK_CHANGES_MAX)
		return;
	*c = (struct rulebook_change){ .kept = true };
	c->rule = strdup(l->scratch.set.text + id);
	c->enabled = l->enabled;
	if (l->except.len && l->except.len < RULEBOOK_EXCEPT_BYTES)
		c->except = copy_of(l->except);
	p->n_changes += c->rule != NULL;
}

static void begin_section(struct load *l, struct view line)
{
	end_change(l);
	l->in_change = sections_is(line, "change");
	l->except.len = 0;
	l->enabled = -1;
	rules_rewind(&l->scratch.set, &(struct rules_size){ .text_bytes = 1 });
	text_begin(&l->draft);
	if (!l->in_change && !sections_is(line, "network"))
		tell(l, (struct text_error){ .word = line,
			.what = "no such section", .expected =
			"[network], [change] or [rule NAME]" });
}

static void take_change(struct load *l, struct view key, struct view value)
{
	const bool names = word_is(key, "rule"), except = word_is(key, "except");
	struct text_error e;

	if (!names && !except && !word_is(key, "enabled"))
		tell(l, (struct text_error){ .word = key,
			.what = "no such key",
			.expected = "rule, enabled or except" });
	else if (!text_take(&l->scratch.set, &l->draft,
			    names ? word_of("id") : key, value, &e))
		tell(l, e);
	else if (except)
		l->except = word_trim(value);
	else if (!names)
		l->enabled = l->draft.rule.enabled;
}

static void take_network(struct load *l, struct view key, struct view value)
{
	struct rulebook_pages *p = &l->b->now;
	const struct view w = word_trim(value);
	unsigned v;

	if (word_is(key, "profile") && word_known(w, profile_words, 3, &v))
		p->profile = (enum rule_profile)v;
	else
		tell(l, (struct text_error){ .word = key,
			.what = "nothing that is kept here", .expected =
			"profile = private, public or domain" });
}

static void read_line(struct load *l, struct view line)
{
	const struct view text = word_trim(line);
	struct view rest = text, key;

	l->line++;
	if (!text.len || text.p[0] == '#' || text.p[0] == ';')
		return;
	if (text.p[0] == '[') {
		begin_section(l, text);
		return;
	}
	key = word_trim(word_cut(&rest, '='));
	if (l->in_change)
		take_change(l, key, rest);
	else
		take_network(l, key, rest);
}

/* All but the rules. */
static bool load_others(struct load *l, struct view text)
{
	const struct rules_size room = text_needs(text);

	if (ruleset_reserve(&l->scratch, &room) < 0)
		return false;
	text_begin(&l->draft);
	while (text.len)
		read_line(l, word_cut(&text, '\n'));
	end_change(l);
	ruleset_fini(&l->scratch);
	return true;
}

/* The rules that are whole; ruleset_read() wants all of them to be. */
static bool load_rules(struct load *l, struct view text)
{
	const struct rules_size need = text_needs(text);
	struct ruleset *kept = &l->b->now.kept;

	if (ruleset_reserve(kept, &need) < 0)
		return false;
	(void)!text_parse(&kept->set, text, l->sink);
	return ruleset_mark(kept, 0, "") && ruleset_reserve(kept, &none) == 0;
}

bool rulebook_load(struct rulebook *b, struct view text,
		   const struct text_sink *sink)
{
	struct load l = { .b = b, .sink = sink };
	size_t n, m;
	char *rules = sections_part(text, "rule", true, &n);
	char *others = sections_part(text, "rule", false, &m);
	const bool ok = rules && others &&
		load_rules(&l, (struct view){ (uint8_t *)rules, n }) &&
		load_others(&l, (struct view){ (uint8_t *)others, m });

	free(rules);
	free(others);
	return ok;
}
