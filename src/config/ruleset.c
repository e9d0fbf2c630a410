/* SPDX-License-Identifier: MIT */
#include "config/ruleset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/word.h"

void ruleset_fini(struct ruleset *s)
{
	free(s->set.rule);
	free(s->from);
	*s = (struct ruleset){ .from = NULL };
}

/* All in it is named by number: it may be moved. */
static void move(struct rules *to, const struct rules *from)
{
	memcpy(to->rule, from->rule, from->used.rules * sizeof(*to->rule));
	memcpy(to->item, from->item, from->used.items * sizeof(*to->item));
	memcpy(to->text, from->text, from->used.text_bytes);
	to->used = from->used;
}

int ruleset_reserve(struct ruleset *s, const struct rules_size *more)
{
	const struct rules_size used = s->set.rule ? rules_needed(&s->set) :
					(struct rules_size){ .rules = 0 };
	const struct rules_size max = {
		.rules = used.rules + more->rules,
		.items = used.items + more->items,
		.text_bytes = used.text_bytes + more->text_bytes,
	};
	void *block = malloc(rules_bytes(&max));
	uint32_t *from = realloc(s->from, (max.rules + 1u) * sizeof(*from));
	struct rules set;

	if (from)
		s->from = from;
	if (!from || !block) {
		free(block);
		return -ENOMEM;
	}
	rules_init(&set, block, &max);
	if (s->set.rule)
		move(&set, &s->set);
	free(s->set.rule);
	s->set = set;
	return 0;
}

const char *ruleset_excess(const struct ruleset *s)
{
	const struct rules_size *used = &s->set.used;

	if (used->rules > RULESET_RULES_MAX)
		return "more than 100,000 rules";
	if (used->items > RULESET_ITEMS_MAX)
		return "more than 1,000,000 items in the lists of rules";
	if (used->text_bytes > RULESET_TEXT_MAX)
		return "more than 32 MiB of text in rules";
	return NULL;
}

bool ruleset_mark(struct ruleset *s, uint32_t first, const char *from)
{
	uint32_t text;

	if (!rules_text(&s->set, word_of(from), &text))
		return false;
	for (uint32_t i = first; i < s->set.used.rules; i++)
		s->from[i] = text;
	return true;
}

static unsigned tell(const struct text_sink *sink, const char *what,
		     const char *expected)
{
	const struct text_error e = { .what = what, .expected = expected };

	if (sink)
		sink->error(sink->ctx, &e);
	return 1;
}

static struct rules_size with_from(struct rules_size need, const char *from)
{
	need.text_bytes += (uint32_t)strlen(from) + 1;
	return need;
}

unsigned ruleset_read(struct ruleset *s, struct view text, const char *from,
		      const struct text_sink *sink)
{
	const struct rules_size none = { .rules = 0 };
	struct rules_size before, need;
	unsigned errors;

	if (text.len > RULESET_TEXT_MAX)
		return tell(sink, "more than 32 MiB of text in rules",
			    "fewer or shorter rules");
	need = with_from(text_needs(text), from);
	if (ruleset_reserve(s, &need) < 0)
		return tell(sink, "no memory", "fewer rules");
	before = s->set.used;
	errors = text_parse(&s->set, text, sink);
	if (!errors && ruleset_excess(s))
		errors = tell(sink, ruleset_excess(s),
			      "fewer or shorter rules");
	if (errors)
		rules_rewind(&s->set, &before);
	else
		ASSERT(ruleset_mark(s, before.rules, from));
	/* text_needs() is generous. Without memory it stays so. */
	if (!s->set.used.rules)
		ruleset_fini(s);
	else
		(void)!ruleset_reserve(s, &none);
	return errors;
}

bool ruleset_add(struct ruleset *s, const struct rules *of,
		 const struct rule *r, const char *from)
{
	struct rules_size need = with_from(rules_needed(of), from);
	struct rules_size before;
	struct rule copy;

	need.rules = 1;
	if (ruleset_reserve(s, &need) < 0)
		return false;
	before = s->set.used;
	if (rules_copy(&s->set, of, r, &copy) && rules_add(&s->set, &copy) &&
	    !ruleset_excess(s) && ruleset_mark(s, before.rules, from))
		return true;
	rules_rewind(&s->set, &before);
	return false;
}
