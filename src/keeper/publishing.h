/* SPDX-License-Identifier: MIT */
/*
 * keeper/publishing.h - which ports are to be published, from three sources
 *
 * The configuration says so for this run, `publish` on the control socket
 * for this one and the next ones: those are kept in the state by the
 * network's name (keeper/state.h). What is bound is keeper/published.h.
 */
#ifndef KEEPER_PUBLISHING_H
#define KEEPER_PUBLISHING_H

#include <stdbool.h>
#include <stdint.h>

#include "linux/listeners.h"

struct client;
struct keeper;

/* The entries of the configuration, then those that were kept. */
void publishing_begin(struct keeper *k);

/*
 * Whether a machine listens cannot be seen: what is asked for is opened, all
 * at once but for `auto`. To be called when it may be reached.
 */
void publishing_machine(struct keeper *k);

/* Another guest is there from now on, or has gone: its ports likewise. */
void publishing_guest(struct keeper *k, const char *name, bool gone);

/*
 * A listener began, or ended, in a virtual machine, which the agent there
 * connects to; guest: its name, "" of the first.
 */
void publishing_by_agent(struct keeper *k, const char *guest, uint8_t number,
			 const struct listener *l, bool gone);

/* Answers to API_PUBLISH, API_UNPUBLISH and API_TAKE. */
void publishing_publish(struct keeper *k, struct client *cl);
void publishing_unpublish(struct keeper *k, struct client *cl);
void publishing_take(struct keeper *k, struct client *cl);

#endif
