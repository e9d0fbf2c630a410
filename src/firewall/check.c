/* SPDX-License-Identifier: MIT */
/*
 * firewall/check.c - rules without effect.
 *
 * An allow rule is shadowed if one block matches all that it does. Those
 * that may are found by the rows of one flow that the allow rule is for:
 * what does not block that one cannot block all. Several blocks that do so
 * only together are not found.
 */
#include <string.h>

#include "firewall/index.h"

static bool asks(const struct entry *e, enum dimension d)
{
	return e->asks >> d & 1;
}

/* Are the ranges of `e` within those of `by`? */
static bool ranges_covered(const struct firewall *fw, const struct entry *e,
			   const struct entry *by, enum dimension d)
{
	if (!asks(by, d))
		return true;
	if (!asks(e, d))
		return false;
	for (uint32_t i = e->first[d]; i < e->first[d + 1]; i++)
		if (!range_covers(fw->range + by->first[d],
				  by->first[d + 1] - by->first[d],
				  &fw->range[i]))
			return false;
	return true;
}

static bool name_covered(const char *pattern, const char *by)
{
	if (pattern[0] == '*' && !strlen(pattern + 1))
		return by[0] == '*' && !strlen(by + 1);
	/* "*.b.a" is below "*.a" as the name "b.a" is, and below itself. */
	if (pattern[0] == '*' && rule_name_matches(by, pattern + 2))
		return by[0] == '*';
	return rule_name_matches(by, pattern) &&
	       (pattern[0] != '*' || by[0] == '*');
}

static bool text_covered(const struct rules *set, const char *text,
			 const struct rule_item *by, enum rule_item_kind kind)
{
	const size_t n = strlen(text) + 1;

	for (; by; by = rule_next(set, by)) {
		const char *other = set->text + by->text;

		if (by->kind != kind)
			continue;
		if (kind == ITEM_NAME ? name_covered(text, other) :
		    strlen(other) + 1 == n && !memcmp(text, other, n))
			return true;
	}
	return false;
}

/* Does the list of `by` have an item for each of this kind of those of e? */
static bool texts_covered(const struct rules *set, const struct entry *e,
			  const struct entry *by, enum rule_list list,
			  enum rule_item_kind kind)
{
	const struct rule_item *i = rule_first(set, &set->rule[e->rule], list);
	const struct rule_item *k = rule_first(set, &set->rule[by->rule],
					       list);

	for (; i; i = rule_next(set, i))
		if (i->kind == kind &&
		    !text_covered(set, set->text + i->text, k, kind))
			return false;
	return true;
}

static bool list_covered(const struct firewall *fw, const struct entry *e,
			 const struct entry *by, enum dimension d,
			 enum rule_list list)
{
	if (!asks(by, d))
		return true;
	return asks(e, d) && texts_covered(fw->set, e, by, list, ITEM_TEXT);
}

static bool covers(const struct firewall *fw, const struct entry *by,
		   const struct entry *e)
{
	if (asks(by, DIM_EXCEPT))
		return false;
	for (enum dimension d = 0; d < DIM_EXCEPT; d++)
		if (!ranges_covered(fw, e, by, d))
			return false;
	if (asks(by, DIM_REMOTE) && asks(e, DIM_NAME) &&
	    !texts_covered(fw->set, e, by, RULE_REMOTE, ITEM_NAME))
		return false;
	return list_covered(fw, e, by, DIM_GUEST, RULE_GUESTS) &&
	       list_covered(fw, e, by, DIM_PROGRAM, RULE_PROGRAMS);
}

/* The row of blocks that may match all that the allow rule does there. */
static const uint64_t *row_of(const struct firewall *fw,
			      const struct group *blocks,
			      const struct entry *e, enum dimension d)
{
	const struct rules *set = fw->set;
	const struct rule *r = &set->rule[e->rule];
	const enum rule_list list = d == DIM_GUEST ? RULE_GUESTS :
						     RULE_PROGRAMS;

	if (!blocks->dim[d].used || d == DIM_NAME || d == DIM_EXCEPT)
		return NULL;
	if (d == DIM_REMOTE && asks(e, DIM_NAME))
		return NULL;
	if (!asks(e, d))
		return blocks->dim[d].any;
	if (d < NUMBERS)
		return index_number_row(blocks, d,
					fw->range[e->first[d]].first);
	return index_text_row(blocks, d,
			      set->text + rule_first(set, r, list)->text);
}

static bool is_shadowed(const struct firewall *fw, const struct entry *e,
			const struct group *blocks, uint32_t *by)
{
	const uint64_t *row[DIMENSIONS];
	unsigned n = 0;

	for (enum dimension d = 0; d < DIMENSIONS; d++) {
		row[n] = row_of(fw, blocks, e, d);
		n += row[n] != NULL;
	}
	for (uint32_t w = 0; w < blocks->words; w++) {
		uint64_t left = UINT64_MAX;

		for (unsigned i = 0; i < n; i++)
			left &= row[i][w];
		for (; left; left &= left - 1) {
			const uint32_t i = w * 64 +
				(uint32_t)__builtin_ctzll(left);

			if (i >= blocks->n)
				break;
			if (covers(fw, &blocks->entry[i], e)) {
				*by = blocks->entry[i].rule;
				return true;
			}
		}
	}
	return false;
}

/* The entry of a rule in its group, which is in the order of the set. */
static const struct entry *entry_of(const struct group *g, uint32_t rule)
{
	uint32_t low = 0, high = g->n;

	while (low < high) {
		const uint32_t mid = low + (high - low) / 2;

		if (g->entry[mid].rule < rule)
			low = mid + 1;
		else
			high = mid;
	}
	ASSERT(low < g->n && g->entry[low].rule == rule);
	return &g->entry[low];
}

enum firewall_finding firewall_check(const struct firewall *fw, uint32_t rule,
				     uint32_t *by)
{
	const struct rule *r = &fw->set->rule[rule];
	const struct group *g = fw->group[r->direction];

	if (fw->finding[rule] != RULE_WORKS || r->action != RULE_ALLOW)
		return fw->finding[rule];
	return is_shadowed(fw, entry_of(&g[RULE_ALLOW], rule),
			   &g[RULE_BLOCK], by) ? RULE_SHADOWED : RULE_WORKS;
}
