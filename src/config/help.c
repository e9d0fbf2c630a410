/* SPDX-License-Identifier: MIT */
#include "config/help.h"

#include <ctype.h>
#include <string.h>

#include "config/settings.h"

#define TEXT_COLUMN	30
#define LINE_COLUMNS	79

static void pad(FILE *out, int from, int to)
{
	fprintf(out, "%*s", to > from ? to - from : 0, "");
}

/* Words of text from TEXT_COLUMN on; the cursor stands there. */
static void wrapped(FILE *out, const char *text)
{
	int column = TEXT_COLUMN;

	while (*text) {
		const int n = (int)strcspn(text, " ");

		if (column > TEXT_COLUMN && column + 1 + n > LINE_COLUMNS) {
			fputc('\n', out);
			pad(out, 0, TEXT_COLUMN);
			column = TEXT_COLUMN;
		} else if (column > TEXT_COLUMN) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", n, text);
		column += n;
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void option_line(FILE *out, const struct setting *s)
{
	char left[80], text[256];
	int n;

	n = snprintf(left, sizeof(left), "  %c%c%c --%s%s%s",
		     s->letter ? '-' : ' ', s->letter ? s->letter : ' ',
		     s->letter ? ',' : ' ', s->option,
		     s->argument ? " " : "", s->argument ? s->argument : "");
	fputs(left, out);
	if (n + 2 > TEXT_COLUMN) {
		fputc('\n', out);
		n = 0;
	}
	pad(out, n, TEXT_COLUMN);
	snprintf(text, sizeof(text), "%s%s%s%s", s->help,
		 s->normal && s->argument ? " (default: " : "",
		 s->normal && s->argument ? s->normal : "",
		 s->normal && s->argument ? ")" : "");
	wrapped(out, text);
}

void help_options(FILE *out, unsigned command)
{
	for (const struct setting *s = settings; s < settings + settings_n; s++)
		if (s->option && s->commands & command)
			option_line(out, s);
}

/* Text for roff: hyphens that are typed, no line that begins with a dot. */
static void roff(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
	}
}

/* The help line as a sentence. */
static void man_sentence(FILE *out, const char *text)
{
	fputc(toupper((unsigned char)*text), out);
	roff(out, text + 1);
	fputs(".\n", out);
}

static void man_text(FILE *out, const struct setting *s)
{
	man_sentence(out, s->help);
	if (s->accepts && s->argument) {
		fputs("Takes ", out);
		roff(out, s->accepts);
		fputs(".\n", out);
	}
	if (s->normal) {
		fputs("Default: ", out);
		roff(out, s->normal);
		fputs(".\n", out);
	}
	if (s->key && s->option) {
		fprintf(out, "In files:\n.Li %s\nin\n.Li [%s] .\n", s->key,
			s->section);
	}
}

void help_man_options(FILE *out)
{
	for (const struct setting *s = settings; s < settings + settings_n;
	     s++) {
		if (!s->option)
			continue;
		fputs(".It", out);
		if (s->letter)
			fprintf(out, " Fl %c ,", s->letter);
		fputs(" Fl -", out);
		roff(out, s->option);
		if (s->argument) {
			fputs(" Ar ", out);
			roff(out, s->argument);
		}
		fputc('\n', out);
		man_text(out, s);
	}
}

void help_man_keys(FILE *out)
{
	for (const struct setting *s = settings; s < settings + settings_n;
	     s++) {
		if (!s->key)
			continue;
		fprintf(out, ".It Li %s Pq Li [%s]\n", s->key, s->section);
		man_sentence(out, s->help);
		if (s->accepts) {
			fputs("Takes ", out);
			roff(out, s->accepts);
			fputs(".\n", out);
		}
		if (s->wsl)
			fprintf(out, "Also read from\n.Li [%s] .\n", s->wsl);
	}
}
