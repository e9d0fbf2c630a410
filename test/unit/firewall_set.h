/* SPDX-License-Identifier: MIT */
/* test/unit/firewall_set.h - sets of rules on the heap. */
#ifndef FIREWALL_SET_H
#define FIREWALL_SET_H

#include <stdlib.h>
#include <string.h>

#include "firewall/text.h"
#include "test.h"

static inline struct view view_of(const char *s)
{
	return (struct view){ .p = (const uint8_t *)s, .len = strlen(s) };
}

/* An empty set; free(set->rule) gives it back. */
static inline void set_open(struct rules *set, struct rules_size max)
{
	void *block = malloc(rules_bytes(&max));

	if (!block)
		abort();
	rules_init(set, block, &max);
}

/* A set of exactly the room that text_needs() says. */
static inline unsigned set_read(struct rules *set, const char *text,
				const struct text_sink *sink)
{
	set_open(set, text_needs(view_of(text)));
	return text_parse(set, view_of(text), sink);
}

#endif
