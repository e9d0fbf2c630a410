/* SPDX-License-Identifier: MIT */
/*
 * engine/rules.h - the firewall's rules as the keeper has sent them
 *
 * The keeper's file is mapped, compiled for this network and given to it;
 * what was there before is unmapped. What the network tells of them, and has
 * to ask, goes the other way by the operations that rules_ops() adds.
 */
#ifndef ENGINE_RULES_H
#define ENGINE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env/env.h"
#include "firewall/rule.h"

struct engine;
struct msg_firewall;

struct engine_rules {
	struct rules set;
	void *file, *compiled;		/* mappings; NULL: none */
	size_t file_bytes, compiled_bytes;
	uint64_t *hits;			/* of each rule; in `compiled` */
	uint32_t generation;
	char guest[64];			/* its name in rules: the network's */
};

/*
 * The engine's environment: base's operations, and these. ctx is still
 * base's, the engine's `host`.
 */
void rules_ops(struct env_ops *ops, const struct env_ops *base);

/* Nobody can be asked for a program yet. */
void rules_begin(struct engine *e);

/* ch (taken) leads to the helper that can be. */
void rules_take_helper(struct engine *e, int ch);

/* fd: the file, borrowed; -1: none came. What makes no sense is logged. */
void rules_take(struct engine *e, const struct msg_firewall *m, int fd);

/* Answer MSG_HITS_GET. */
void rules_send_hits(const struct engine *e, uint32_t from);

#endif
