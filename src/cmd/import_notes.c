/* SPDX-License-Identifier: MIT */
#include "cmd/import_notes.h"

#include <stdlib.h>
#include <string.h>

#include "control/member.h"
#include "control/shown.h"
#include "firewall/word.h"

#define CELL 160

void import_notes_init(struct import_notes *n)
{
	*n = (struct import_notes){ .seen = json_object(),
				    .errors = json_array() };
}

void import_notes_fini(struct import_notes *n)
{
	json_decref(n->seen);
	json_decref(n->errors);
}

static const char *kind_name(enum windows_note_kind kind)
{
	switch (kind) {
	case NOTE_ERROR:	return "error";
	case NOTE_KEPT:		return "kept";
	case NOTE_NEVER:	return "never";
	case NOTE_WORD:		return "word";
	case NOTE_PROGRAM:	return "program";
	case NOTE_SKIPPED:	return "skipped";
	}
	__builtin_trap();
}

static json_t *note_json(const struct windows_note *note)
{
	return json_pack("{s:s, s:i, s:i, s:s%, s:s%, s:s, s:i}",
			 "kind", kind_name(note->kind),
			 "line", (int)note->line,
			 "column", (int)note->column,
			 "rule", note->rule.p ? (const char *)note->rule.p : "",
			 note->rule.len,
			 "word", note->word.p ? (const char *)note->word.p : "",
			 note->word.len,
			 "why", note->why, "times", 1);
}

/* Whether two notes say the same: of a field its name counts. */
static char *key_of(const struct windows_note *note)
{
	const bool field = note->kind == NOTE_KEPT || note->kind == NOTE_NEVER;
	struct view rest = note->word;
	const struct view word = field ? word_cut(&rest, '=') : note->word;
	const size_t len = strlen(note->why) + word.len + 16;
	char *key = malloc(len);

	/* Lines that are no rules are alike, whatever stands there. */
	if (key)
		snprintf(key, len, "%d %s %.*s", (int)note->kind, note->why,
			 note->kind == NOTE_SKIPPED ? 0 : (int)word.len,
			 note->kind == NOTE_SKIPPED ? "" :
			 (const char *)word.p);
	return key;
}

void import_note(void *ctx, const struct windows_note *note)
{
	struct import_notes *n = ctx;
	json_t *old;
	char *key;

	if (note->kind == NOTE_ERROR) {
		if (n->n_errors++ < IMPORT_ERRORS_SHOWN)
			json_array_append_new(n->errors, note_json(note));
		return;
	}
	key = key_of(note);
	if (!key)
		return;
	old = json_object_get(json_object_get(n->seen, key), "times");
	if (old)
		json_integer_set(old, json_integer_value(old) + 1);
	else
		json_object_set_new(n->seen, key, note_json(note));
	free(key);
}

static long long number_at(json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static void print_note(FILE *out, const char *file, json_t *note)
{
	const long long more = number_at(note, "times") - 1;
	char word[CELL];

	fprintf(out, "%s:%lld:%lld: ", file, number_at(note, "line"),
		number_at(note, "column"));
	if (*text_at(note, "word"))
		fprintf(out, "%s: ", shown(text_at(note, "word"), word,
					   sizeof(word)));
	fputs(text_at(note, "why"), out);
	if (!strcmp(text_at(note, "kind"), "program"))
		fputs("; --map says which one it is", out);
	if (more == 1)
		fputs(" (and once more)", out);
	else if (more > 1)
		fprintf(out, " (and %lld times more)", more);
	fputc('\n', out);
}

void import_errors_print(FILE *out, const char *file,
			 const struct import_notes *n)
{
	json_t *note;
	size_t i;

	json_array_foreach(n->errors, i, note)
		print_note(out, file, note);
	if (n->n_errors > IMPORT_ERRORS_SHOWN)
		fprintf(out, "%s: and %u errors more\n", file,
			n->n_errors - IMPORT_ERRORS_SHOWN);
}

void import_notes_print(FILE *out, const char *file,
			const struct import_notes *n)
{
	const char *key;
	json_t *note;

	json_object_foreach(n->seen, key, note)
		print_note(out, file, note);
}

/* A program that is none here: it never has a socket. */
static bool has_no_program(const struct rules *set, const struct rule *r)
{
	const struct rule_item *i = rule_first(set, r, RULE_PROGRAMS);

	if (!i)
		return false;
	for (; i; i = rule_next(set, i))
		if (set->text[i->text] == '/')
			return false;
	return true;
}

void import_count(const struct rules *set, struct import_counts *out)
{
	*out = (struct import_counts){ .rules = set->used.rules,
				       .never_block = json_array() };
	for (uint32_t i = 0; i < set->used.rules; i++) {
		const struct rule *r = &set->rule[i];
		const bool never = rule_is_inert(set, r) ||
				   has_no_program(set, r);

		out->enabled += r->enabled;
		out->never += never;
		out->kept += !never && rule_first(set, r, RULE_KEPT);
		if (never && r->enabled && r->action == RULE_BLOCK)
			json_array_append_new(out->never_block,
				json_string(set->text + r->name));
	}
}

/* "'a', 'b' and 12 more" */
static void print_some(FILE *out, json_t *names)
{
	const size_t n = json_array_size(names), most = 8;
	char cell[CELL];

	for (size_t i = 0; i < n && i < most; i++)
		fprintf(out, "%s'%s'", i ? ", " : "",
			shown(json_string_value(json_array_get(names, i)),
			      cell, sizeof(cell)));
	if (n > most)
		fprintf(out, " and %zu more", n - most);
}

void import_counts_print(FILE *out, const char *file,
			 const struct import_counts *c,
			 const struct import_result *result)
{
	fprintf(out, "%s: %u rule%s, %u enabled\n", file, c->rules,
		c->rules == 1 ? "" : "s", c->enabled);
	if (c->kept)
		fprintf(out, "%u have fields without meaning here, which are "
			"kept\n", c->kept);
	if (c->never)
		fprintf(out, "%u never match here\n", c->never);
	if (json_array_size(c->never_block)) {
		fprintf(out, "%zu of those are blocks in force on Windows: ",
			json_array_size(c->never_block));
		print_some(out, c->never_block);
		fputc('\n', out);
	}
	if (result->skipped)
		fprintf(out, "%u values or lines are no rules, and were "
			"passed over\n", result->skipped);
	if (result->broken)
		fprintf(out, "%u characters could not be read, and are now "
			"U+FFFD\n", result->broken);
}

json_t *import_summary(const struct import_notes *n,
		       const struct import_counts *c,
		       const struct import_result *result)
{
	json_t *notes = json_array(), *note;
	const char *key;

	json_object_foreach(n->seen, key, note)
		json_array_append(notes, note);
	return json_pack("{s:i, s:i, s:i, s:i, s:O, s:i, s:i, s:o}",
			 "rules", (int)c->rules, "enabled", (int)c->enabled,
			 "kept", (int)c->kept, "never", (int)c->never,
			 "never_block", c->never_block,
			 "skipped", (int)result->skipped,
			 "broken", (int)result->broken, "notes", notes);
}
