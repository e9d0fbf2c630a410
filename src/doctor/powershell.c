/* SPDX-License-Identifier: MIT */
#include "doctor/powershell.h"

#include <stdbool.h>
#include <string.h>

/* Bytes of a single quote at p, of which PowerShell knows five; 0: none. */
static size_t quote_at(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	if (*p == '\'')
		return 1;
	/* U+2018 to U+201B */
	return u[0] == 0xe2 && u[1] == 0x80 && u[2] >= 0x98 && u[2] <= 0x9b ?
	       3 : 0;
}

static const char *quote(const char *text, const char *wild, char *out,
			 size_t cap)
{
	size_t n = 0;

	out[n++] = '\'';
	while (*text && n + 8 < cap) {
		const size_t q = quote_at(text);

		if (q) {
			memcpy(out + n, text, q);
			n += q;
		} else if (strchr(wild, *text)) {
			out[n++] = '`';
		}
		memcpy(out + n, text, q ? q : 1);
		n += q ? q : 1;
		text += q ? q : 1;
	}
	out[n++] = '\'';
	out[n] = '\0';
	return out;
}

const char *powershell_quote(const char *text, char *out, size_t cap)
{
	return quote(text, "", out, cap);
}

const char *powershell_pattern(const char *text, char *out, size_t cap)
{
	return quote(text, "*?[]`", out, cap);
}
