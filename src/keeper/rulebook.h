/* SPDX-License-Identifier: MIT */
/*
 * keeper/rulebook.h - which rules of the firewall a network has, and whose
 *
 * Purpose. Rules come from several places. In this order they make the one
 * set that is in force, @all:
 *
 *   the files of the configuration	borrowed, never changed
 *   added, kept for the network	by `slipway firewall add`, `import`
 *   added for this run			the same with --once
 *   the allow list			borrowed: one rule for each word
 *   what is published			one rule for each entry
 *
 * What is said later of a rule (`disable`, `except` …) is done to those that
 * were added, as they are ours. To the others it is a *change*: kept apart by
 * the rule's id or name and applied whenever @all is made. So a file is never
 * written to, and a change outlives the rule that it is of.
 *
 * A rule is named by its id or, as Windows does, by its name, which several
 * may have: then all of them are meant.
 *
 * No I/O and no clock: the state's text is read and written elsewhere
 * (keeper/state.h). After any call that changes something @all is as it was
 * until rulebook_merge().
 *
 * Limits: those of config/ruleset.h for @all, RULEBOOK_CHANGES_MAX changes
 * of RULEBOOK_EXCEPT_BYTES each.
 */
#ifndef KEEPER_RULEBOOK_H
#define KEEPER_RULEBOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "config/publish.h"
#include "config/ruleset.h"

#define RULEBOOK_CHANGES_MAX	256
#define RULEBOOK_EXCEPT_BYTES	4096

enum rulebook_source {
	SOURCE_FILE,
	SOURCE_ADDED,
	SOURCE_ALLOW,
	SOURCE_PUBLISH,
};

/* Of one rule in force. */
struct rulebook_origin {
	enum rulebook_source source;
	bool kept;			/* if ADDED: for the next run, too */
	bool changed;			/* a change is in force */
	const char *file;		/* if FILE; borrowed */
};

struct rulebook_change {
	char *rule;			/* id or name; owned, both */
	char *except;			/* words of that key; NULL */
	int enabled;			/* -1: as the rule says */
	bool kept;			/* else for this run */
};

/* What can be changed, and taken back. */
struct rulebook_pages {
	struct ruleset kept, once;
	struct rulebook_change change[RULEBOOK_CHANGES_MAX];
	size_t n_changes;
	enum rule_profile profile;	/* kept; 0: none is */
};

struct rulebook {
	const struct ruleset *files, *allow;	/* borrowed */
	struct rulebook_pages now;
	struct ruleset publish;
	struct ruleset all;
	struct rulebook_origin *origin;		/* of each of @all; owned */
};

/* b: all zero but for the first two. Never fails. */
void rulebook_fini(struct rulebook *b);

/* Make @all anew. NULL, or why it cannot be: a limit, memory; as before. */
MUST const char *rulebook_merge(struct rulebook *b);

/* A copy of what can be changed, all of it owned. false: no memory. */
MUST bool rulebook_copy(const struct rulebook *b, struct rulebook_pages *out);
/* Be again as then; *pages is taken. */
void rulebook_restore(struct rulebook *b, struct rulebook_pages *pages);
void rulebook_pages_fini(struct rulebook_pages *pages);

/**
 * rulebook_add() - add all rules of a text, or none
 * @replace:	rules that were added, kept or not as these, and have the
 *		id of one of them, or where it has none, its name, go first
 * @sink:	is told each error of the text, see ruleset_read()
 * @added:	how many there were
 * @clash:	without replace: the name of a rule that there is already;
 *		lent until the next change
 *
 * Return: how many errors there were; with a clash 1, and none is told.
 */
MUST unsigned rulebook_add(struct rulebook *b, struct view text, bool once,
			   bool replace, const struct text_sink *sink,
			   unsigned *added, const char **clash);

enum rulebook_verb {
	VERB_ENABLE,
	VERB_DISABLE,
	VERB_DELETE,
	VERB_EXCEPT,
};

enum rulebook_outcome {
	CHANGE_DONE,
	CHANGE_NONE,			/* there is no such rule */
	CHANGE_NOT_ADDED,		/* nor can it be deleted */
	CHANGE_NO_BLOCK,		/* nothing to make an exception from */
	CHANGE_BAD_WORDS,		/* *error says how */
	CHANGE_FULL,			/* too many, too long, or no memory */
};

struct rulebook_asked {
	const char *rule;		/* its id or name */
	enum rulebook_verb verb;
	const char *except;		/* of EXCEPT: words of that key */
	bool once;			/* for this run only */
};

/*
 * Do that to rules of @all; *n: to how many. With anything but DONE it may
 * be done in part: rulebook_restore().
 */
MUST enum rulebook_outcome rulebook_change(struct rulebook *b,
					   const struct rulebook_asked *what,
					   unsigned *n,
					   struct text_error *error);

/*
 * One visible rule for what is published: that others may come in to those
 * ports of that guest's, whose address is one of `to` (of each family a range;
 * none if both ends are ::). false: no memory; none of it is there.
 */
struct rulebook_range {
	struct ip first, last;
};
MUST bool rulebook_publish(struct rulebook *b, const struct publish *what,
			   const char *guest, const struct rulebook_range to[2]);
void rulebook_unpublish_all(struct rulebook *b);

/*
 * What is to be kept as text, allocated; NULL: no memory. What was kept once:
 * each error is told to the sink and passed over. false: no memory.
 */
MUST char *rulebook_text(const struct rulebook *b);
MUST bool rulebook_load(struct rulebook *b, struct view text,
			const struct text_sink *sink);

/* Is there anything to keep? */
bool rulebook_keeps(const struct rulebook *b);

#endif
