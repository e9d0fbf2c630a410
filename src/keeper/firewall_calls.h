/* SPDX-License-Identifier: MIT */
/*
 * keeper/firewall_calls.h - the calls of the control socket about the firewall
 *
 * Each change is made whole or not at all: the rules are one set again, the
 * state is written, then the engine is told. What fails on the way leaves
 * all as it was.
 */
#ifndef KEEPER_FIREWALL_CALLS_H
#define KEEPER_FIREWALL_CALLS_H

struct client;
struct hits;
struct keeper;

/* Answer all that wait for API_FIREWALL; hits NULL: the engine is silent. */
void firewall_calls_list(struct keeper *k, const struct hits *hits);

/* Answers to the calls of these names. */
void firewall_calls_add(struct keeper *k, struct client *cl);
void firewall_calls_change(struct keeper *k, struct client *cl);
void firewall_calls_profile(struct keeper *k, struct client *cl);
void firewall_calls_switch(struct keeper *k, struct client *cl);
void firewall_calls_blocked(struct keeper *k, struct client *cl);

#endif
