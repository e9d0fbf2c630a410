/* SPDX-License-Identifier: MIT */
/* cmd/import_notes.h - what is to be said of a file of imported rules. */
#ifndef CMD_IMPORT_NOTES_H
#define CMD_IMPORT_NOTES_H

#include <jansson.h>
#include <stdio.h>

#include "firewall/import.h"

#define IMPORT_ERRORS_SHOWN 50	/* the others are counted */

struct import_notes {
	json_t *seen;		/* notes by what they say; in order */
	json_t *errors;		/* an array, of the first */
	unsigned n_errors;
};

struct import_counts {
	unsigned rules, enabled;
	unsigned kept;		/* have fields that say nothing here */
	unsigned never;		/* match nothing here … */
	json_t *never_block;	/* … and are enabled blocks: names */
};

void import_notes_init(struct import_notes *n);
void import_notes_fini(struct import_notes *n);

/* windows_sink's: take a note; ctx is a struct import_notes. */
void import_note(void *ctx, const struct windows_note *note);

/* "FILE:LINE:COLUMN: …", a line for each. */
void import_errors_print(FILE *out, const char *file,
			 const struct import_notes *n);

/* The same for what is no error: each finding once, and how often it was. */
void import_notes_print(FILE *out, const char *file,
			const struct import_notes *n);

/* never_block is the caller's to json_decref(). */
void import_count(const struct rules *set, struct import_counts *out);
void import_counts_print(FILE *out, const char *file,
			 const struct import_counts *c,
			 const struct import_result *result);

/* All of it as one object. */
json_t *import_summary(const struct import_notes *n,
		       const struct import_counts *c,
		       const struct import_result *result);

#endif
