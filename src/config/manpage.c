/* SPDX-License-Identifier: MIT */
/*
 * config/manpage.c - a build tool: the manual page from its template
 *
 *	manpage TEMPLATE VERSION >slipway.1
 *
 * A line of the template that is @OPTIONS@ or @KEYS@ is replaced by the
 * list from the table of settings, so that the page cannot drift from the
 * program; @VERSION@ within a line by the version.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/help.h"

static void copy_line(const char *line, const char *version)
{
	const char *at = strstr(line, "@VERSION@");

	if (!at) {
		fputs(line, stdout);
		return;
	}
	printf("%.*s%s%s", (int)(at - line), line, version,
	       at + strlen("@VERSION@"));
}

int main(int argc, char **argv)
{
	char line[1024];
	FILE *f = argc == 3 ? fopen(argv[1], "re") : NULL;

	if (!f) {
		fprintf(stderr, "usage: manpage TEMPLATE VERSION: %s\n",
			strerror(errno));
		return 2;
	}
	while (fgets(line, sizeof(line), f)) {
		if (!strcmp(line, "@OPTIONS@\n"))
			help_man_options(stdout);
		else if (!strcmp(line, "@KEYS@\n"))
			help_man_keys(stdout);
		else
			copy_line(line, argv[2]);
	}
	fclose(f);
	return fflush(stdout) == 0 ? 0 : 1;
}
