/* SPDX-License-Identifier: MIT */
#include "keeper/rulebook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/word.h"

static const struct rules_size none;

static void change_fini(struct rulebook_change *c)
{
	free(c->rule);
	free(c->except);
}

void rulebook_pages_fini(struct rulebook_pages *p)
{
	ruleset_fini(&p->kept);
	ruleset_fini(&p->once);
	for (size_t i = 0; i < p->n_changes; i++)
		change_fini(&p->change[i]);
	p->n_changes = 0;
}

void rulebook_fini(struct rulebook *b)
{
	rulebook_pages_fini(&b->now);
	ruleset_fini(&b->publish);
	ruleset_fini(&b->all);
	free(b->origin);
	b->origin = NULL;
}

/* ---- a copy, to go back to ---- */

static bool copy_set(const struct ruleset *from, struct ruleset *to)
{
	const struct rules_size need = from->set.rule ?
				       rules_needed(&from->set) : none;
	struct rule r;

	*to = (struct ruleset){ .from = NULL };
	if (!from->set.rule)
		return true;
	if (ruleset_reserve(to, &need) < 0)
		return false;
	for (uint32_t i = 0; i < need.rules; i++)
		ASSERT(rules_copy(&to->set, &from->set, &from->set.rule[i],
				  &r) && rules_add(&to->set, &r));
	return ruleset_mark(to, 0, "");
}

bool rulebook_copy(const struct rulebook *b, struct rulebook_pages *out)
{
	const struct rulebook_pages *p = &b->now;
	bool ok;

	*out = (struct rulebook_pages){ .profile = p->profile };
	ok = copy_set(&p->kept, &out->kept) && copy_set(&p->once, &out->once);
	for (size_t i = 0; ok && i < p->n_changes; i++) {
		struct rulebook_change *c = &out->change[out->n_changes++];

		*c = p->change[i];
		c->rule = strdup(p->change[i].rule);
		c->except = c->except ? strdup(c->except) : NULL;
		ok = c->rule && !c->except == !p->change[i].except;
	}
	if (!ok)
		rulebook_pages_fini(out);
	return ok;
}

void rulebook_restore(struct rulebook *b, struct rulebook_pages *pages)
{
	rulebook_pages_fini(&b->now);
	b->now = *pages;
	*pages = (struct rulebook_pages){ .n_changes = 0 };
}

/* ---- one set of all ---- */

static bool is_named(const struct rules *set, const struct rule *r,
		     const char *name)
{
	return !strcmp(set->text + r->id, name) ||
	       !strcmp(set->text + r->name, name);
}

/* The next change of a rule, from *at on; NULL: no more. */
static const struct rulebook_change *next_change(const struct rulebook *b,
						 const struct rules *set,
						 const struct rule *r,
						 size_t *at)
{
	while (*at < b->now.n_changes) {
		const struct rulebook_change *c = &b->now.change[(*at)++];

		if (is_named(set, r, c->rule))
			return c;
	}
	return NULL;
}

static void add_size(struct rules_size *to, struct rules_size more)
{
	to->rules += more.rules;
	to->items += more.items;
	to->text_bytes += more.text_bytes;
}

/* What the rules of a set need, with their changes. */
static void measure(const struct rulebook *b, const struct ruleset *s,
		    struct rules_size *need)
{
	if (!s->set.rule)
		return;
	add_size(need, rules_needed(&s->set));
	for (uint32_t i = 0; b->now.n_changes && i < s->set.used.rules; i++) {
		const struct rulebook_change *c;
		size_t at = 0;

		while ((c = next_change(b, &s->set, &s->set.rule[i], &at)))
			if (c->except)
				add_size(need,
					 text_needs(word_of(c->except)));
	}
}

/* Exceptions, given by the words of that key. */
static bool take_except(struct rules *set, struct rule *r, const char *words,
			struct text_error *error)
{
	struct text_draft d;

	text_begin(&d);
	d.rule = *r;
	if (!text_take(set, &d, word_of("except"), word_of(words), error))
		return false;
	*r = d.rule;
	return true;
}

/* Changes of a rule, in its copy; what is for this run, last. */
static bool apply_changes(const struct rulebook *b, const struct rules *set,
			  const struct rule *of, struct rules *all,
			  struct rule *copy)
{
	const struct rulebook_change *c;
	struct text_error error;
	bool any = false;

	for (unsigned once = 0; once < 2; once++)
		for (size_t at = 0; (c = next_change(b, set, of, &at));) {
			if (c->kept == once)
				continue;
			any = true;
			if (c->enabled >= 0)
				copy->enabled = c->enabled;
			/* It was read once: it can be again. */
			if (c->except && copy->action == RULE_BLOCK)
				ASSERT(take_except(all, copy, c->except,
						   &error));
		}
	return any;
}

/* Copy a set into @all; there is room. */
static void append(const struct rulebook *b, const struct ruleset *s,
		   struct rulebook_origin origin, struct rules *all,
		   struct rulebook_origin *origins)
{
	for (uint32_t i = 0; s->set.rule && i < s->set.used.rules; i++) {
		const struct rule *of = &s->set.rule[i];
		struct rulebook_origin o = origin;
		struct rule r;

		ASSERT(rules_copy(all, &s->set, of, &r));
		o.changed = apply_changes(b, &s->set, of, all, &r);
		if (o.source == SOURCE_FILE)
			o.file = s->set.text + s->from[i];
		origins[all->used.rules] = o;
		ASSERT(rules_add(all, &r));
	}
}

const char *rulebook_merge(struct rulebook *b)
{
	const struct {
		const struct ruleset *set;
		struct rulebook_origin origin;
	} parts[] = {
		{ b->files, { .source = SOURCE_FILE } },
		{ &b->now.kept, { .source = SOURCE_ADDED, .kept = true } },
		{ &b->now.once, { .source = SOURCE_ADDED } },
		{ b->allow, { .source = SOURCE_ALLOW } },
		{ &b->publish, { .source = SOURCE_PUBLISH } },
	};
	const size_t n = sizeof(parts) / sizeof(parts[0]);
	struct ruleset all = { .from = NULL };
	struct rulebook_origin *origin;
	struct rules_size need = none;
	const char *why;

	for (size_t i = 0; i < n; i++)
		measure(b, parts[i].set, &need);
	origin = calloc(need.rules + 1u, sizeof(*origin));
	if (!origin || ruleset_reserve(&all, &need) < 0) {
		free(origin);
		return "no memory";
	}
	for (size_t i = 0; i < n; i++)
		append(b, parts[i].set, parts[i].origin, &all.set, origin);
	why = ruleset_excess(&all);
	if (why) {
		ruleset_fini(&all);
		free(origin);
		return why;
	}
	ruleset_fini(&b->all);
	free(b->origin);
	b->all = all;
	b->origin = origin;
	return NULL;
}

/* ---- what is published ---- */

bool rulebook_publish(struct rulebook *b, const struct publish *what,
		      const char *guest, const struct rulebook_range to[2])
{
	const struct rules_size need = {
		.rules = 1, .items = 5,
		.text_bytes = 2 * PUBLISH_TEXT_BYTES + sizeof(what->guest),
	};
	struct rule_item port = { .kind = ITEM_PORTS };
	struct rule_item whose = { .kind = ITEM_TEXT };
	struct ruleset one = { .from = NULL };
	char name[PUBLISH_TEXT_BYTES + 16];
	bool ok = ruleset_reserve(&one, &need) == 0;
	struct rule r;

	rule_init(&r);
	r.action = RULE_ALLOW;
	r.direction = RULE_IN;
	snprintf(name, sizeof(name), "publish %s", what->text);
	ok = ok && rules_text(&one.set, word_of(name), &r.name);
	if (!what->automatic) {
		r.protocol = what->udp ? RULE_UDP : RULE_TCP;
		port.port.first = what->guest_first;
		port.port.last = (uint16_t)(what->guest_first + what->last -
					    what->first);
		ok = ok && rules_append(&one.set, &r, RULE_LOCAL_PORTS, &port);
	}
	for (unsigned i = 0; i < 2; i++) {
		const struct rule_item range = { .kind = ITEM_ADDRS,
			.addr = { to[i].first, to[i].last } };

		if (!ip_is_unspecified(&to[i].first))
			ok = ok && rules_append(&one.set, &r, RULE_LOCAL,
						&range);
	}
	ok = ok && rules_text(&one.set, word_of(guest), &whose.text) &&
	     rules_append(&one.set, &r, RULE_GUESTS, &whose);
	ok = ok && ruleset_add(&b->publish, &one.set, &r, "");
	ruleset_fini(&one);
	return ok;
}

void rulebook_unpublish_all(struct rulebook *b)
{
	ruleset_fini(&b->publish);
}
