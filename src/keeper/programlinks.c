/* SPDX-License-Identifier: MIT */
#include "keeper/programlinks.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/word.h"

/* Where that leads. false: nowhere else, or it is not there. */
static bool leads(const char *path, char to[PATH_MAX])
{
	return path[0] == '/' && realpath(path, to) && strcmp(path, to);
}

static const struct rule_item *first_program(const struct rules *set,
					     const struct rule *r)
{
	return r->enabled ? rule_first(set, r, RULE_PROGRAMS) : NULL;
}

/* Room for what is to be added. */
static struct rules_size measure(const struct rules *set)
{
	struct rules_size more = { .rules = 0 };
	char to[PATH_MAX];

	for (uint32_t i = 0; i < set->used.rules; i++) {
		const struct rule_item *p = first_program(set, &set->rule[i]);

		for (; p; p = rule_next(set, p)) {
			if (!leads(set->text + p->text, to))
				continue;
			more.items++;
			more.text_bytes += (uint32_t)strlen(to) + 1;
		}
	}
	return more;
}

/* A link may have changed since it was measured: then there is no room. */
static bool add(struct rules *out, const struct rules *set,
		const struct rule *r)
{
	const struct rule_item *p = first_program(set, r);
	struct rule copy;
	char to[PATH_MAX];
	bool ok = rules_copy(out, set, r, &copy);

	for (; ok && p; p = rule_next(set, p)) {
		struct rule_item item = { .kind = ITEM_TEXT };

		if (leads(set->text + p->text, to))
			ok = rules_text(out, word_of(to), &item.text) &&
			     rules_append(out, &copy, RULE_PROGRAMS, &item);
	}
	return ok && rules_add(out, &copy);
}

int programlinks_follow(const struct rules *set, struct ruleset *out)
{
	struct rules_size need = measure(set);
	bool ok = true;

	*out = (struct ruleset){ .from = NULL };
	if (!need.items)
		return 0;
	need.rules = set->used.rules;
	need.items += set->used.items;
	need.text_bytes += set->used.text_bytes;
	if (ruleset_reserve(out, &need) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->used.rules && ok; i++)
		ok = add(&out->set, set, &set->rule[i]);
	if (!ok)
		ruleset_fini(out);
	return ok ? 0 : -ENOMEM;
}
