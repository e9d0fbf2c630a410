/* SPDX-License-Identifier: MIT */
/*
 * control/render_firewall.h - rules and verdicts for people.
 *
 * What comes in is what the calls answer (control/api.h); a member that is
 * not there is left out.
 */
#ifndef CONTROL_RENDER_FIREWALL_H
#define CONTROL_RENDER_FIREWALL_H

#include <jansson.h>
#include <stdio.h>

/* Profile, defaults and a table of the rules: the answer to API_FIREWALL. */
void render_firewall(FILE *out, const char *name, json_t *answer);

/* Those of its rules that have no effect, and why. */
void render_firewall_check(FILE *out, const char *name, json_t *answer);

/* One rule, as a file of settings may have it. */
void render_rule(FILE *out, json_t *rule);

/*
 * The answer to API_FIREWALL_WHY; the verdict comes first. before: the one
 * that was printed before, or NULL: what is the same is not said again.
 */
void render_why(FILE *out, json_t *answer, json_t *before);

#endif
