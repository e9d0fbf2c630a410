/* SPDX-License-Identifier: MIT */
#include "control/table.h"

#include <stdbool.h>
#include <string.h>

static const char *cell(json_t *row, unsigned i)
{
	const char *s = json_string_value(json_array_get(row, i));

	return s ? s : "";
}

static void widen(int *width, const char *text)
{
	const int n = (int)strlen(text);

	if (n > *width)
		*width = n;
}

static void put(FILE *out, int width, const char *text, bool last)
{
	if (last)
		fprintf(out, "%s\n", text);
	else
		fprintf(out, "%-*s  ", width, text);
}

void table_print(FILE *out, const char *const heads[], unsigned n,
		 json_t *rows)
{
	int width[TABLE_COLUMNS_MAX] = { 0 };
	json_t *row;
	size_t r;

	for (unsigned i = 0; i < n; i++)
		widen(&width[i], heads[i]);
	json_array_foreach(rows, r, row)
		for (unsigned i = 0; i < n; i++)
			widen(&width[i], cell(row, i));
	for (unsigned i = 0; i < n; i++)
		put(out, width[i], heads[i], i + 1 == n);
	json_array_foreach(rows, r, row)
		for (unsigned i = 0; i < n; i++)
			put(out, width[i], cell(row, i), i + 1 == n);
}
