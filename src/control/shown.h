/* SPDX-License-Identifier: MIT */
/* control/shown.h - texts that others chose, on a terminal and for a shell. */
#ifndef CONTROL_SHOWN_H
#define CONTROL_SHOWN_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/*
 * text as a cell shows it: control characters as ?, cut at whole characters
 * with … if it is longer than cap. buf holds cap bytes, 4 at least. Returns
 * buf.
 */
const char *shown(const char *text, char *buf, size_t cap);

/* One word of a command, quoted for sh if need be; $'…' only where a
   control character stands in it. */
void shown_word(FILE *out, const char *word);

/* Words of an array, with blanks between. */
void shown_command(FILE *out, json_t *words);

#endif
