/* SPDX-License-Identifier: MIT */
#include "config/sections.h"

#include <stdlib.h>
#include <string.h>

#include "firewall/word.h"

bool sections_is(struct view line, const char *word)
{
	const struct view wanted = word_of(word);
	struct view at = word_trim(line);
	uint8_t behind;

	if (!at.len || at.p[0] != '[')
		return false;
	at = word_trim((struct view){ .p = at.p + 1, .len = at.len - 1 });
	if (at.len <= wanted.len)
		return false;
	behind = at.p[wanted.len];
	at.len = wanted.len;
	return word_is(at, word) &&
	       (behind == ' ' || behind == '\t' || behind == ']');
}

static bool begins_section(struct view line)
{
	const struct view at = word_trim(line);

	return at.len && at.p[0] == '[';
}

char *sections_part(struct view text, const char *word, bool only,
		    size_t *len)
{
	char *copy = malloc(text.len + 1), *to = copy;
	bool inside = false;

	if (!copy)
		return NULL;
	while (text.len) {
		const size_t left = text.len;
		const struct view line = word_cut(&text, '\n');

		if (begins_section(line))
			inside = sections_is(line, word);
		if (inside == only) {
			memcpy(to, line.p, line.len);
			to += line.len;
		}
		if (left - text.len > line.len)
			*to++ = '\n';
	}
	*to = '\0';
	*len = (size_t)(to - copy);
	return copy;
}
