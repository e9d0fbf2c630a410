/* SPDX-License-Identifier: MIT */
/* keeper/answers.h - what the clients of the control socket are told. */
#ifndef KEEPER_ANSWERS_H
#define KEEPER_ANSWERS_H

struct client;
struct keeper;
struct msg_stats;
struct status;

/* A client has asked (clients_turn()); ctx is the keeper. */
void answers_want(void *ctx, struct client *cl);

/* Answer all that wait for status; stats is NULL if the engine is silent. */
void answers_status(struct keeper *k, const struct msg_stats *stats);

/* The members of a status that are about ports; the rest is zero. */
void answers_ports(const struct keeper *k, struct status *out);

#endif
