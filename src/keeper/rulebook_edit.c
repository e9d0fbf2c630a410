/* SPDX-License-Identifier: MIT */
/* keeper/rulebook_edit.c - what is added and changed; see keeper/rulebook.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/word.h"
#include "keeper/rulebook.h"

static const struct rules_size none;

/* What goes through a set of rules and makes it anew. */
struct edit {
	/* Change a copy in to; false: leave it out. */
	bool (*rule)(struct edit *e, struct rules *to, struct rule *copy);
	const struct rulebook_asked *what;
	const struct known *known;	/* sorted: what goes */
	size_t n_known;
	const struct rule *except;	/* exceptions to be added, and of */
	const struct rules *of;		/* which set */
	struct rules_size room;		/* for each rule, besides */
	unsigned n;			/* rules that were touched */
};

/* false: no memory. */
static bool edit_set(struct edit *e, struct ruleset *s)
{
	struct ruleset new = { .from = NULL };
	struct rules_size need = none;
	struct rule r;

	if (!s->set.rule)
		return true;
	need = rules_needed(&s->set);
	need.items += e->room.items;
	need.text_bytes += e->room.text_bytes;
	if (ruleset_reserve(&new, &need) < 0)
		return false;
	for (uint32_t i = 0; i < s->set.used.rules; i++) {
		ASSERT(rules_copy(&new.set, &s->set, &s->set.rule[i], &r));
		if (e->rule(e, &new.set, &r))
			ASSERT(rules_add(&new.set, &r));
	}
	ruleset_fini(s);
	*s = new;
	return ruleset_mark(s, 0, "");
}

static bool is_named(const struct rules *set, const struct rule *r,
		     const char *name)
{
	return !strcmp(set->text + r->id, name) ||
	       !strcmp(set->text + r->name, name);
}

/* ---- adding ---- */

/* What a rule is known by: its id, or where it has none, its name. */
struct known {
	bool by_id;
	const char *text;
};

static struct known known_by(const struct rules *set, const struct rule *r)
{
	return (struct known){ .by_id = r->id,
			       .text = set->text + (r->id ? r->id : r->name) };
}

static int compare(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	if (x->by_id != y->by_id)
		return x->by_id ? 1 : -1;
	return strcmp(x->text, y->text);
}

/* Of all rules of a set, sorted; NULL: no memory. */
static struct known *all_known(const struct rules *set)
{
	struct known *k = malloc((set->used.rules + 1u) * sizeof(*k));

	for (uint32_t i = 0; k && i < set->used.rules; i++)
		k[i] = known_by(set, &set->rule[i]);
	if (k)
		qsort(k, set->used.rules, sizeof(*k), compare);
	return k;
}

static bool is_known(const struct known *k, size_t n, const struct rules *set,
		     const struct rule *r)
{
	const struct known wanted = known_by(set, r);

	return bsearch(&wanted, k, n, sizeof(*k), compare);
}

static bool leave_out_known(struct edit *e, struct rules *to,
			    struct rule *copy)
{
	return !is_known(e->known, e->n_known, to, copy);
}

/* The first rule of a set that is one of those; NULL: none. */
static const char *find_clash(const struct ruleset *s, const struct known *k,
			      size_t n)
{
	for (uint32_t i = 0; s->set.rule && i < s->set.used.rules; i++)
		if (is_known(k, n, &s->set, &s->set.rule[i]))
			return s->set.text + s->set.rule[i].name;
	return NULL;
}

static unsigned tell_memory(const struct text_sink *sink)
{
	const struct text_error e = { .what = "no memory",
				      .expected = "fewer rules" };

	sink->error(sink->ctx, &e);
	return 1;
}

/* Those that stand in the way of new ones. false: no memory. */
static bool make_way(struct rulebook *b, const struct rules *new,
		     bool replace, const char **clash)
{
	struct known *k = all_known(new);
	struct edit e = { .rule = leave_out_known, .known = k,
			  .n_known = new->used.rules };
	bool ok = k;

	if (k && !replace)
		*clash = find_clash(&b->all, k, e.n_known);
	else if (k)
		ok = edit_set(&e, &b->now.kept) && edit_set(&e, &b->now.once);
	free(k);
	return ok;
}

unsigned rulebook_add(struct rulebook *b, struct view text, bool once,
		      bool replace, const struct text_sink *sink,
		      unsigned *added, const char **clash)
{
	struct ruleset new = { .from = NULL };
	unsigned errors = ruleset_read(&new, text, "", sink);

	*clash = NULL;
	if (!errors && !make_way(b, &new.set, replace, clash))
		errors = tell_memory(sink);
	if (!errors && !*clash)
		errors = ruleset_read(once ? &b->now.once : &b->now.kept, text,
				      "", sink);
	*added = new.set.used.rules;
	ruleset_fini(&new);
	return *clash ? 1 : errors;
}

/* ---- changing ---- */

static bool has_item(const struct rules *set, const struct rule *r,
		     const struct rules *of, const struct rule_item *item)
{
	const struct rule_item *i = rule_first(set, r, RULE_EXCEPT);

	while (i && !rule_item_equal(set, i, of, item))
		i = rule_next(set, i);
	return i;
}

/* The exceptions of one more rule, but those that it has. There is room. */
static void add_except(struct rules *set, struct rule *r,
		       const struct rules *of, const struct rule *more)
{
	const struct rule_item *i = rule_first(of, more, RULE_EXCEPT);

	for (; i; i = rule_next(of, i)) {
		struct rule_item item = *i;

		if (has_item(set, r, of, i))
			continue;
		if (i->kind == ITEM_GUEST || i->kind == ITEM_NETWORK)
			ASSERT(rules_text(set, word_of(of->text + i->text),
					  &item.text));
		ASSERT(rules_append(set, r, RULE_EXCEPT, &item));
	}
}

/* What was asked, of a rule that is ours. */
static bool change_rule(struct edit *e, struct rules *to, struct rule *copy)
{
	if (!is_named(to, copy, e->what->rule))
		return true;
	switch (e->what->verb) {
	case VERB_ENABLE: case VERB_DISABLE:
		copy->enabled = e->what->verb == VERB_ENABLE;
		break;
	case VERB_DELETE:
		e->n++;
		return false;
	case VERB_EXCEPT:
		if (copy->action != RULE_BLOCK)
			return true;
		add_except(to, copy, e->of, e->except);
		break;
	}
	e->n++;
	return true;
}

static struct rulebook_change *find_change(struct rulebook *b,
					   const char *rule, bool kept)
{
	for (size_t i = 0; i < b->now.n_changes; i++)
		if (b->now.change[i].kept == kept &&
		    !strcmp(b->now.change[i].rule, rule))
			return &b->now.change[i];
	return NULL;
}

static struct rulebook_change *new_change(struct rulebook *b,
					  const char *rule, bool kept)
{
	struct rulebook_change *c = &b->now.change[b->now.n_changes];

	if (b->now.n_changes == RULEBOOK_CHANGES_MAX)
		return NULL;
	*c = (struct rulebook_change){ .rule = strdup(rule), .kept = kept,
				       .enabled = -1 };
	if (!c->rule)
		return NULL;
	b->now.n_changes++;
	return c;
}

/* Words of a list behind others. false: too long, or no memory. */
static bool join_words(char **to, const char *more)
{
	const size_t n = *to ? strlen(*to) + 2 : 0, m = strlen(more);
	char *grown;

	if (*to && !strcmp(*to, more))
		return true;
	if (n + m >= RULEBOOK_EXCEPT_BYTES)
		return false;
	grown = realloc(*to, n + m + 1);
	if (!grown)
		return false;
	if (n)
		memcpy(grown + n - 2, ", ", 2);
	memcpy(grown + n, more, m + 1);
	*to = grown;
	return true;
}

/* The same of a rule that is not ours: beside it. false: CHANGE_FULL. */
static bool note_change(struct rulebook *b, const struct rulebook_asked *what)
{
	struct rulebook_change *c = find_change(b, what->rule, !what->once);

	if (!c)
		c = new_change(b, what->rule, !what->once);
	if (!c)
		return false;
	if (what->verb == VERB_EXCEPT)
		return join_words(&c->except, what->except);
	c->enabled = what->verb == VERB_ENABLE;
	return true;
}

/* What is kept from now on counts more than what was said for this run. */
static void forget_once(struct rulebook *b, const struct rulebook_asked *what)
{
	struct rulebook_change *c = find_change(b, what->rule, false);

	if (c && !what->once && what->verb != VERB_EXCEPT)
		c->enabled = -1;
}

/* Rules of @all that are meant, by what may be done to them. */
struct meant {
	unsigned ours;			/* to be changed themselves */
	unsigned others;
	unsigned blocks;
};

static bool is_ours(const struct rulebook_origin *o, bool once)
{
	return o->source == SOURCE_ADDED && (!o->kept || !once);
}

static struct meant count_meant(const struct rulebook *b,
				const struct rulebook_asked *what)
{
	const struct rules *all = &b->all.set;
	struct meant m = { 0 };

	for (uint32_t i = 0; all->rule && i < all->used.rules; i++) {
		const bool once = what->once && what->verb != VERB_DELETE;

		if (!is_named(all, &all->rule[i], what->rule))
			continue;
		if (all->rule[i].action == RULE_BLOCK)
			m.blocks++;
		else if (what->verb == VERB_EXCEPT)
			continue;
		if (is_ours(&b->origin[i], once))
			m.ours++;
		else
			m.others++;
	}
	return m;
}

/* The words as a rule's exceptions, in a set of their own. */
static bool read_except(const char *words, struct ruleset *out,
			struct text_error *error)
{
	const struct rules_size need = text_needs(word_of(words));
	struct text_draft d;

	*error = (struct text_error){ .what = "no memory",
				      .expected = "fewer words" };
	if (ruleset_reserve(out, &need) < 0)
		return false;
	text_begin(&d);
	return text_take(&out->set, &d, word_of("except"), word_of(words),
			 error) && rules_add(&out->set, &d.rule);
}

static bool is_any(const struct rulebook *b, const char *rule)
{
	const struct rules *all = &b->all.set;

	for (uint32_t i = 0; all->rule && i < all->used.rules; i++)
		if (is_named(all, &all->rule[i], rule))
			return true;
	return false;
}

static enum rulebook_outcome do_change(struct rulebook *b,
				       const struct rulebook_asked *what,
				       struct ruleset *except, unsigned *n)
{
	const struct meant m = count_meant(b, what);
	struct edit e = { .rule = change_rule, .what = what,
			  .of = &except->set, .except = except->set.rule };

	if (what->verb == VERB_EXCEPT && !m.blocks)
		return CHANGE_NO_BLOCK;
	if (what->verb == VERB_DELETE && !m.ours)
		return CHANGE_NOT_ADDED;
	if (except->set.rule) {
		const struct rules_size each = rules_needed(&except->set);

		e.room.items = each.items * m.ours;
		e.room.text_bytes = each.text_bytes * m.ours;
	}
	if (m.ours && ((!what->once || what->verb == VERB_DELETE) &&
		       !edit_set(&e, &b->now.kept)))
		return CHANGE_FULL;
	if (m.ours && !edit_set(&e, &b->now.once))
		return CHANGE_FULL;
	if (m.others && what->verb != VERB_DELETE && !note_change(b, what))
		return CHANGE_FULL;
	forget_once(b, what);
	*n = e.n + (what->verb == VERB_DELETE ? 0 : m.others);
	return CHANGE_DONE;
}

enum rulebook_outcome rulebook_change(struct rulebook *b,
				      const struct rulebook_asked *what,
				      unsigned *n, struct text_error *error)
{
	struct ruleset except = { .from = NULL };
	enum rulebook_outcome rc = CHANGE_NONE;

	if (!*what->rule || !is_any(b, what->rule))
		return rc;
	if (what->verb == VERB_EXCEPT &&
	    !read_except(what->except, &except, error))
		rc = CHANGE_BAD_WORDS;
	else
		rc = do_change(b, what, &except, n);
	ruleset_fini(&except);
	return rc;
}
