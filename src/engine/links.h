/* SPDX-License-Identifier: MIT */
/*
 * engine/links.h - the links by which the guests of one network join
 *
 * Each has a number, 0 to LINKS_MAX - 1, which the core knows it by. Those of
 * the setup are there from the start; others come, and go again, while the
 * network runs. All of them that have frames are read in each turn, each its
 * part: who sends without pause takes nothing from the others. What fails of
 * one, a machine that goes or breaks the protocol, an interface that is
 * deleted, is that one's alone.
 */
#ifndef ENGINE_LINKS_H
#define ENGINE_LINKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "linux/framesocket.h"
#include "linux/link.h"
#include "linux/vhost.h"

struct engine;

struct engine_link {
	struct engine *engine;		/* NULL: there is no such link */
	unsigned at;			/* its number */
	uint64_t turned_away_ns;	/* when that was said last; 0: never */
	struct link link;
	struct framesocket socket;
	struct vhost vhost;
};

/*
 * Link number `at`, which is not there, is the one of fd (taken, also on
 * failure). offloads: of a tap, TUN_F_*. false with errno set.
 */
MUST bool links_open(struct engine *e, unsigned at, enum link_kind kind,
		     int fd, uint32_t offloads);

/* It goes; one that is not there may. The core is told. */
void links_close(struct engine *e, unsigned at);

/* Something happened at link `at`, as the engine's slot says. */
void links_event(struct engine *e, unsigned at, uint32_t slot);

/* Read of those, each its part of a turn. */
void links_read(struct engine *e, uint64_t now);

/* The end of a turn. */
void links_flush(struct engine *e);

#endif
