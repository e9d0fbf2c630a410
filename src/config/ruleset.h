/* SPDX-License-Identifier: MIT */
/*
 * config/ruleset.h - rules of the firewall in a set that grows.
 *
 * Limits: RULESET_RULES_MAX rules, RULESET_ITEMS_MAX items of their lists,
 * RULESET_TEXT_MAX bytes of text. What would exceed one is refused whole.
 */
#ifndef CONFIG_RULESET_H
#define CONFIG_RULESET_H

#include "base/check.h"
#include "firewall/rule.h"
#include "firewall/text.h"

#define RULESET_RULES_MAX	100000u
#define RULESET_ITEMS_MAX	1000000u
#define RULESET_TEXT_MAX	(32u << 20)

struct ruleset {
	struct rules set;	/* .rule: the block, owned; NULL: no rules */
	uint32_t *from;		/* of each rule: where it is from, a text of
				   the set; owned, set.max.rules long */
};

/* All zero is an empty set. This makes it one again. */
void ruleset_fini(struct ruleset *s);

/*
 * Room for at least so much more, the text `from` of each rule not counted,
 * or if that is none: no room to spare. 0 or -ENOMEM.
 */
MUST int ruleset_reserve(struct ruleset *s, const struct rules_size *more);

/* NULL, or which limit the set exceeds: "more than 100,000 rules". */
const char *ruleset_excess(const struct ruleset *s);

/* All rules from one on are from there. false: no memory; they are gone. */
MUST bool ruleset_mark(struct ruleset *s, uint32_t first, const char *from);

/**
 * ruleset_read() - add the rules of a text
 * @from:	what to say of where they are from; borrowed
 * @sink:	is told each error
 *
 * If there is one, none of them is added. What is no error of the text (a
 * limit, memory) is told with line 0.
 *
 * Return: how many errors there were.
 */
MUST unsigned ruleset_read(struct ruleset *s, struct view text,
			   const char *from, const struct text_sink *sink);

/*
 * The same of one rule, whose lists and texts are in a small set; it need not
 * be one of that. false: no memory, or a limit.
 */
MUST bool ruleset_add(struct ruleset *s, const struct rules *of,
		      const struct rule *r, const char *from);

#endif
