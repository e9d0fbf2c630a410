/* SPDX-License-Identifier: MIT */
/*
 * doctor/report.h - what was tried, what was seen, what to do
 *
 * A report has places (this guest, this host, a guest of it, Windows), each
 * with its checks, in the order in which they were made. As JSON:
 *
 *	{ "broken": N, "places": [{ "kind", "name", "about", "checks":
 *	  [{ "id", "state", "tried", "seen", "todo": [TEXT...] }...] }...] }
 *
 * Texts may come from anywhere: what is no UTF-8 is shown as ?, and so is
 * what a terminal obeys.
 */
#ifndef DOCTOR_REPORT_H
#define DOCTOR_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/check.h"

enum report_state {
	REPORT_OK,
	REPORT_NOTE,		/* worth knowing, nothing is broken */
	REPORT_SKIPPED,		/* could not be tried, or is off as set */
	REPORT_BROKEN,
};

struct report {
	json_t *places;
	unsigned broken;
};

void report_init(struct report *r);
void report_fini(struct report *r);

/* A new place; what is added from now on is of it. about may be "". */
void report_place(struct report *r, const char *kind, const char *name,
		  const char *about);

/*
 * One more check. id: for programs, kept as it is from version to version;
 * tried: a few words; then, as for printf(), what was seen.
 */
__attribute__((format(printf, 5, 6)))
void report_add(struct report *r, enum report_state state, const char *id,
		const char *tried, const char *format, ...);

/* One line of what to do about the latest check: a sentence or a command. */
__attribute__((format(printf, 2, 3)))
void report_todo(struct report *r, const char *format, ...);

/* The checks of the latest place, for another process; borrowed. */
json_t *report_checks(const struct report *r);

/*
 * Add checks (borrowed) that another process has made; whoever made them
 * need not be trusted. false: they are none.
 */
MUST bool report_merge(struct report *r, json_t *checks);

/* The whole as an object. NULL: no memory. */
MUST json_t *report_json(const struct report *r);

/* The same for people, aligned. */
void report_print(const struct report *r, FILE *out, bool colour);

#endif
