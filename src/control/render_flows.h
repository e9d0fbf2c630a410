/* SPDX-License-Identifier: MIT */
/* control/render_flows.h - flows of guests for people. */
#ifndef CONTROL_RENDER_FLOWS_H
#define CONTROL_RENDER_FLOWS_H

#include <jansson.h>
#include <stdio.h>

/*
 * Add what API_FLOWS answers for the guest NAME to a table's rows, and print
 * them; more were left out. Rows of several guests may be in one table.
 */
void render_flows_add(json_t *rows, const char *name, json_t *answer);
void render_flows(FILE *out, json_t *rows, json_int_t more);

#endif
