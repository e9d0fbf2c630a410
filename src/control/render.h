/* SPDX-License-Identifier: MIT */
/* control/render.h - status objects (control/status.h) for people. */
#ifndef CONTROL_RENDER_H
#define CONTROL_RENDER_H

#include <jansson.h>
#include <stdio.h>

/* A table of an array of objects, then what is wrong with any of them. */
void render_table(FILE *out, json_t *list);

/* NAME: TEXT for each of their warnings, each text once, behind a blank line. */
void render_warnings(FILE *out, json_t *list);

/* All there is to say of one. */
void render_details(FILE *out, json_t *instance);

#endif
