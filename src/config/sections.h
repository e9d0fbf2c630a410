/* SPDX-License-Identifier: MIT */
/* config/sections.h - a text of INI sections, parted without losing count. */
#ifndef CONFIG_SECTIONS_H
#define CONFIG_SECTIONS_H

#include <stdbool.h>

#include "base/check.h"
#include "base/span.h"

/*
 * Does a section begin with that line ("[word]", "[word NAME]")? The case of
 * ASCII letters does not matter.
 */
bool sections_is(struct view line, const char *word);

/*
 * A copy of text, allocated, of *len bytes and a NUL, in which the lines of
 * the sections of that word are empty, or if `only`, all others. So what a
 * line says stands where it stood. NULL: no memory.
 */
MUST char *sections_part(struct view text, const char *word, bool only,
			 size_t *len);

#endif
