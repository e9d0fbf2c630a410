/* SPDX-License-Identifier: MIT */
#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

static int low(const char *s, size_t i)
{
	const unsigned char c = (unsigned char)s[i];

	return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: three rows of the usual matrix. */
unsigned nearest_distance(const char *a, const char *b)
{
	unsigned row[3][NEAREST_MAX + 1];
	const size_t n = strlen(a), m = strlen(b);

	if (n > NEAREST_MAX || m > NEAREST_MAX)
		return NEAREST_MAX + 1;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *now = row[i % 3];
		const unsigned *last = row[(i + 2) % 3];
		const unsigned *before = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			const unsigned cost = low(a, i - 1) != low(b, j - 1);

			now[j] = least(least(last[j] + 1, now[j - 1] + 1),
				       last[j - 1] + cost);
			if (i > 1 && j > 1 &&
			    low(a, i - 1) == low(b, j - 2) &&
			    low(a, i - 2) == low(b, j - 1))
				now[j] = least(now[j], before[j - 2] + 1);
		}
	}
	return row[n % 3][m];
}

static bool begins(const char *word, const char *text)
{
	while (*text && *text == *word) {
		text++;
		word++;
	}
	return !*text;
}

void nearest_offer(struct nearest *n, const char *word)
{
	const size_t len = strlen(n->text);
	const unsigned near = len < 4 ? 1 : len < 8 ? 2 : 3;
	unsigned d = nearest_distance(n->text, word);

	/* A word that was not finished is nearer than one misspelt. */
	if (len >= 2 && begins(word, n->text))
		d = 0;
	if (d <= near && (!n->best || d < n->distance)) {
		n->best = word;
		n->distance = d;
	}
}
