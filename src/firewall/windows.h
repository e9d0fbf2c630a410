/* SPDX-License-Identifier: MIT */
/*
 * firewall/windows.h - rule strings of the Windows Defender Firewall.
 *
 * Source: [MS-GPFAS] section 2.2.2 (the grammar, schema versions 2.0 to
 * 2.32), [MS-FASP] section 2.2.37 (what the fields mean).
 *
 * A field is taken (it has a meaning here), or kept as it is written. What
 * is kept either says nothing about which flows a rule is for, or it is a
 * condition that nothing here fulfils: then the rule never matches, which
 * is what Windows would say of the same flow. A field that is in no
 * specification read here may be a condition: an allow rule with one never
 * matches, a block is in force without it.
 */
#ifndef FIREWALL_WINDOWS_H
#define FIREWALL_WINDOWS_H

#include "firewall/rule.h"

enum windows_meaning {
	WINDOWS_SAYS_NOTHING,
	WINDOWS_NEVER,
	WINDOWS_OUR_LINK,	/* a type of interface: one of ours … */
	WINDOWS_OTHER_LINK,	/* … and none of ours: these are a list */
	WINDOWS_UNKNOWN,
};

/* Of a kept field and its value. */
enum windows_meaning windows_kept(struct view field, struct view value);

/* "python.exe" (any folder) or a whole path, and the program here. */
struct windows_map {
	const char *from, *to;
};

struct windows_maps {
	const struct windows_map *map;	/* borrowed */
	unsigned n;
};

enum windows_note_kind {
	NOTE_ERROR,		/* the rule is not taken */
	NOTE_KEPT,		/* says nothing here */
	NOTE_NEVER,		/* for this the rule never matches */
	NOTE_WORD,		/* a word that stands for nothing here */
	NOTE_PROGRAM,		/* no path of this system: map it */
	NOTE_SKIPPED,		/* a value or line that is no rule */
};

/* Something to tell; what it points to is lent during the call. */
struct windows_note {
	enum windows_note_kind kind;
	unsigned line, column;	/* from 1; the column in bytes of UTF-8 */
	struct view rule;	/* name of the registry value, or empty */
	struct view word;	/* what it is about */
	const char *why;	/* what was expected, or what follows */
};

struct windows_sink {
	void (*note)(void *ctx, const struct windows_note *note);
	void *ctx;
};

/**
 * windows_rule() - read one rule string
 * @set:	gains the rule on success, is as it was on failure
 * @string:	"v2.30|Action=…|…|", UTF-8, borrowed
 * @id:		name of its registry value, may be empty
 * @at:		where the string stands, for the notes
 *
 * Return: true; false with a NOTE_ERROR said. Each byte of the string needs
 * at most one of text, each field at most two items; programs that are
 * mapped need the text of their new name besides.
 */
MUST bool windows_rule(struct rules *set, struct view string, struct view id,
		       const struct windows_maps *maps,
		       const struct windows_sink *sink, unsigned line,
		       unsigned column);

#endif
