/* SPDX-License-Identifier: MIT */
/* control/table.h - aligned columns of text. */
#ifndef CONTROL_TABLE_H
#define CONTROL_TABLE_H

#include <jansson.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

/*
 * Print heads and rows, an array of arrays of n texts each (n at most
 * TABLE_COLUMNS_MAX), two blanks between columns, none at the end of a line.
 */
void table_print(FILE *out, const char *const heads[], unsigned n,
		 json_t *rows);

#endif
