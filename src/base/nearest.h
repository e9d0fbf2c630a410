/* SPDX-License-Identifier: MIT */
/* base/nearest.h - which known word a misspelt one was meant to be. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

/* Longer words are near nothing. */
#define NEAREST_MAX 40

/*
 * Edits (insert, delete, replace, swap of neighbours) from a to b without
 * regard to case: 0.., NEAREST_MAX + 1 if either is too long.
 */
unsigned nearest_distance(const char *a, const char *b);

/* The search for the word that text was meant to be: zero but for text. */
struct nearest {
	const char *text;
	const char *best;		/* NULL: none of those offered is near */
	unsigned distance;
};

/* One of the words that there are; the search keeps a pointer to it. */
void nearest_offer(struct nearest *n, const char *word);

#endif
