/* SPDX-License-Identifier: MIT */
/*
 * control/apidoc.c - a build tool: the table of calls as docs/control.md has it
 *
 *	apidoc			prints it
 *	apidoc FILE		fails if it is not in FILE, word for word
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api.h"

static void print_table(FILE *out)
{
	fputs("| call | takes | gives |\n| --- | --- | --- |\n", out);
	for (unsigned op = API_NONE + 1; op < API_MAX; op++) {
		const struct api_call *c = api_call((enum api_op)op);

		fprintf(out, "| `%s %s` | %s%s%s | %s%s%s<br>%s |\n",
			c->method, c->path, *c->takes ? "`" : "", c->takes,
			*c->takes ? "`" : "", *c->gives ? "`" : "", c->gives,
			*c->gives ? "`" : "", c->about);
	}
}

/* The text of a file, of at most 1 MiB. */
static char *text_of(const char *path)
{
	const size_t max = 1 << 20;
	FILE *f = fopen(path, "re");
	char *text = f ? calloc(1, max + 1) : NULL;

	if (text)
		(void)!fread(text, 1, max, f);
	if (f)
		fclose(f);
	return text;
}

int main(int argc, char **argv)
{
	char *table = NULL, *text;
	size_t len;
	FILE *f;
	int found;

	if (argc < 2) {
		print_table(stdout);
		return 0;
	}
	f = open_memstream(&table, &len);
	if (!f)
		return 2;
	print_table(f);
	fclose(f);
	text = text_of(argv[1]);
	found = text && strstr(text, table);
	if (!found)
		fprintf(stderr, "%s: has not this table:\n%s", argv[1],
			table);
	free(text);
	free(table);
	return !found;
}
