/* SPDX-License-Identifier: MIT */
/* control/render_ports.h - ports and flows of guests for people. */
#ifndef CONTROL_RENDER_PORTS_H
#define CONTROL_RENDER_PORTS_H

#include <jansson.h>
#include <stdio.h>

/*
 * Add what API_PORTS answers for the guest NAME to a table's rows, and print
 * them. Rows of several guests may be in one table.
 */
void render_ports_add(json_t *rows, const char *name, json_t *ports);
void render_ports(FILE *out, json_t *rows);

/* What became of one entry: the answer to API_PUBLISH. */
void render_publish(FILE *out, const char *name, json_t *answer);

#endif
