/* SPDX-License-Identifier: MIT */
/* config/nearest.h - which known word a misspelt one was meant to be. */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

/* Longer words are near nothing. */
#define NEAREST_MAX 40

/*
 * Edits (insert, delete, replace, swap of neighbours) from a to b without
 * regard to case: 0.., NEAREST_MAX + 1 if either is too long.
 */
unsigned nearest_distance(const char *a, const char *b);

/* Is that distance near enough to propose word for text? */
int nearest_is_near(const char *text, const char *word, unsigned distance);

#endif
