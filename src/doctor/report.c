/* SPDX-License-Identifier: MIT */
#include "doctor/report.h"

#include <stdarg.h>
#include <string.h>

#include "control/api.h"
#include "control/member.h"

#define TEXT_BYTES	1024
#define CHECKS_MAX	64	/* that another process may add */
#define TODO_MAX	16
#define STATE_COLUMNS	8
#define TRIED_COLUMNS	26
#define LINE_COLUMNS	79

static const char *const states[] = { "ok", "note", "skipped", "broken" };

static const char *const colours[] = {
	"\033[32m", "\033[33m", "\033[2m", "\033[1;31m",
};

void report_init(struct report *r)
{
	*r = (struct report){ .places = json_array() };
}

void report_fini(struct report *r)
{
	json_decref(r->places);
}

/* A copy without what a terminal obeys; bytes of UTF-8 stay. */
static json_t *text(const char *from)
{
	char buf[TEXT_BYTES];
	size_t n = 0;

	for (; from[n] && n < sizeof(buf) - 1; n++) {
		const unsigned char c = (unsigned char)from[n];

		buf[n] = from[n];
		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && (from[n + 1] & 0xe0) == 0x80))
			buf[n] = '?';
	}
	buf[n] = '\0';
	return api_text(buf);
}

static json_t *latest(const json_t *array)
{
	const size_t n = json_array_size(array);

	return n ? json_array_get(array, n - 1) : NULL;
}

json_t *report_checks(const struct report *r)
{
	return json_object_get(latest(r->places), "checks");
}

void report_place(struct report *r, const char *kind, const char *name,
		  const char *about)
{
	json_array_append_new(r->places, json_pack(
		"{s:s, s:o, s:o, s:[]}", "kind", kind, "name", text(name),
		"about", text(about), "checks"));
}

void report_add(struct report *r, enum report_state state, const char *id,
		const char *tried, const char *format, ...)
{
	char seen[TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(seen, sizeof(seen), format, ap);
	va_end(ap);
	r->broken += state == REPORT_BROKEN;
	json_array_append_new(report_checks(r), json_pack(
		"{s:s, s:s, s:o, s:o, s:[]}", "id", id, "state",
		states[state], "tried", text(tried), "seen", text(seen),
		"todo"));
}

void report_todo(struct report *r, const char *format, ...)
{
	json_t *list = json_object_get(latest(report_checks(r)), "todo");
	char line[TEXT_BYTES];
	va_list ap;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	json_array_append_new(list, text(line));
}

/* Its number in `states', or REPORT_BROKEN for a word that is none. */
static enum report_state state_of(const json_t *check)
{
	const char *word = text_at(check, "state");
	unsigned i = 0;

	while (i < REPORT_BROKEN && strcmp(word, states[i]))
		i++;
	return (enum report_state)i;
}

static void merge_one(struct report *r, const json_t *check)
{
	json_t *list = json_object_get(check, "todo"), *line;
	size_t i;

	report_add(r, state_of(check), text_at(check, "id"),
		   text_at(check, "tried"), "%s", text_at(check, "seen"));
	json_array_foreach(list, i, line)
		if (i < TODO_MAX && json_string_value(line))
			report_todo(r, "%s", json_string_value(line));
}

bool report_merge(struct report *r, json_t *checks)
{
	json_t *check;
	size_t i;

	if (!json_is_array(checks))
		return false;
	json_array_foreach(checks, i, check)
		if (i < CHECKS_MAX)
			merge_one(r, check);
	return true;
}

json_t *report_json(const struct report *r)
{
	return json_pack("{s:i, s:O}", "broken", (int)r->broken, "places",
			 r->places);
}

/* Columns that a text of UTF-8 takes, each character being one. */
static int columns(const char *s)
{
	int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

/* Words of s from column `at` on, where the cursor stands; and a newline. */
static void wrapped(FILE *out, const char *s, int at)
{
	int column = at;

	while (*s) {
		const int bytes = (int)strcspn(s, " ");
		char word[TEXT_BYTES];
		int n;

		snprintf(word, sizeof(word), "%.*s", bytes, s);
		n = columns(word);
		if (column > at && column + 1 + n > LINE_COLUMNS) {
			fprintf(out, "\n%*s", at, "");
			column = at;
		} else if (column > at) {
			fputc(' ', out);
			column++;
		}
		fputs(word, out);
		column += n;
		s += bytes;
		s += strspn(s, " ");
	}
	fputc('\n', out);
}

static void print_check(FILE *out, const json_t *check, bool colour)
{
	const enum report_state state = state_of(check);
	const char *tried = text_at(check, "tried");
	const int n = columns(tried);
	json_t *line;
	size_t i;

	fprintf(out, "  %s%-*s%s%s%*s",
		colour ? colours[state] : "", STATE_COLUMNS,
		state == REPORT_BROKEN ? "BROKEN" : states[state],
		colour ? "\033[0m" : "", tried,
		n < TRIED_COLUMNS ? TRIED_COLUMNS - n : 1, "");
	wrapped(out, text_at(check, "seen"), 2 + STATE_COLUMNS +
		(n < TRIED_COLUMNS ? TRIED_COLUMNS : n + 1));
	/* Not folded: these are for copying. */
	json_array_foreach(json_object_get(check, "todo"), i, line)
		fprintf(out, "  %*s-> %s\n", STATE_COLUMNS, "",
			json_string_value(line));
}

void report_print(const struct report *r, FILE *out, bool colour)
{
	json_t *place, *check;
	size_t i, j;

	json_array_foreach(r->places, i, place) {
		const char *about = text_at(place, "about");

		fprintf(out, "%s%s%s\n", text_at(place, "name"),
			*about ? ": " : "", about);
		json_array_foreach(json_object_get(place, "checks"), j, check)
			print_check(out, check, colour);
		fputc('\n', out);
	}
	if (r->broken)
		fprintf(out, "%u %s broken.\n", r->broken,
			r->broken == 1 ? "thing is" : "things are");
	else
		fputs("Nothing is broken.\n", out);
}
