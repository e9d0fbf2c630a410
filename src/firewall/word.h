/* SPDX-License-Identifier: MIT */
/* firewall/word.h - words of a text that somebody else owns. */
#ifndef FIREWALL_WORD_H
#define FIREWALL_WORD_H

#include <stdbool.h>

#include "base/check.h"
#include "base/span.h"

/* One of a few known words and what it stands for. */
struct known_word {
	const char *name;
	unsigned value;
};

struct view word_of(const char *s);

/* Is it this, without regard to the case of ASCII letters? */
bool word_is(struct view w, const char *s);

/* Byte for byte. */
bool word_equal(struct view a, struct view b);

/* Without blanks (space, tab, CR) at either end. */
struct view word_trim(struct view w);

/* Up to the first such byte, which goes too; all of it if there is none. */
struct view word_cut(struct view *rest, uint8_t at);

/* 1 to 9 decimal digits, at most max. */
MUST bool word_number(struct view w, unsigned max, unsigned *out);

/* What it stands for. */
MUST bool word_known(struct view w, const struct known_word *known,
		     unsigned n, unsigned *out);

/* The known word nearest to a misspelt one; NULL if none is. */
const char *word_nearest(struct view w, const struct known_word *known,
			 unsigned n);

#endif
