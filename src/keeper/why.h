/* SPDX-License-Identifier: MIT */
/*
 * keeper/why.h - what the rules say of a flow, and what would alter it
 *
 * The answer to API_FIREWALL_WHY, from the same code that decides in the
 * engine, over the same rules, so the two cannot disagree but in what the
 * keeper does not know: the program at an end, unless the client says it, and
 * the names for which the guest was given an address.
 */
#ifndef KEEPER_WHY_H
#define KEEPER_WHY_H

struct client;
struct keeper;

void why_answer(struct keeper *k, struct client *cl);

#endif
