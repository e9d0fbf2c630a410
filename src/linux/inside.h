/* SPDX-License-Identifier: MIT */
/*
 * linux/inside.h - what the inside helper does once the guest is made
 *
 * One loop for three things: it tells the keeper which TCP listeners come
 * and go, opens TCP connections in the guest for the engine, and heals the
 * guest's mounts, if they are ours.
 */
#ifndef LINUX_INSIDE_H
#define LINUX_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/fail.h"
#include "linux/listeners.h"
#include "linux/messages.h"
#include "linux/mounts.h"

struct inside {
	int keeper_ch, engine_ch;	/* non-blocking */
	bool own_mounts;		/* set by the caller, and if so: */
	struct mounts mounts;
	int diag;			/* listeners_open() */
	struct picked_ports picked;
	uint64_t next_tick_ns;		/* CLOCK_MONOTONIC */
	uint64_t next_heal_ns;
	struct listeners known, seen;

	bool reply_owed;		/* the engine's channel was full */
	struct msg_connected reply;
	int reply_fd;			/* -1: none */
};

/*
 * Open what inside_serve() needs, before the sandbox. The channels become
 * non-blocking. 0, or -1 with fail set.
 */
MUST int inside_open(struct inside *in, int keeper_ch, int engine_ch,
		     struct fail *fail);

/* Serve until the other end of one of the channels is gone. */
void inside_serve(struct inside *in);

#endif
