/* SPDX-License-Identifier: MIT */
#include "control/line.h"

#include <stdlib.h>
#include <string.h>

char *line_of(json_t *root)
{
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	size_t n;
	char *line;

	json_decref(root);
	if (!text)
		return NULL;
	n = strlen(text);
	line = realloc(text, n + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + n, "\n", 2);
	return line;
}
