/* SPDX-License-Identifier: MIT */
/*
 * keeper/hits.h - how often each rule has decided, asked of the engine
 *
 * It tells some at a time, from a number on, as with flows (keeper/flows.h).
 * Counts begin anew with each generation of the rules; if one comes while we
 * ask, we begin again. An engine that is silent for HITS_WAIT_NS is not
 * waited for: clients are answered without counts.
 */
#ifndef KEEPER_HITS_H
#define KEEPER_HITS_H

#include <stdbool.h>
#include <stdint.h>

#define HITS_WAIT_NS UINT64_C(1000000000)

struct keeper;
struct msg_hits;

struct hits {
	uint64_t ns;			/* until when we wait; NEVER: we do not */
	uint32_t generation, rules;	/* of which, how many */
	uint32_t have;			/* told so far */
	uint64_t *at;			/* of each rule; owned; NULL */
	uint64_t blocked, not_told;	/* see struct msg_hits */
};

/* A client waits for them. */
void hits_want(struct keeper *k);

/* Some have been told. bytes: of the message. */
void hits_take(struct keeper *k, const struct msg_hits *m, uint32_t bytes);

/* Their time has come. */
void hits_expire(struct keeper *k);

#endif
