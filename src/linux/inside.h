/* SPDX-License-Identifier: MIT */
/*
 * linux/inside.h - what the inside helper does once the guest is made
 *
 * One loop for four things: it tells the keeper which listeners come and go,
 * opens sockets in the guest that connect, for the engine, or are bound, for
 * the keeper, and heals the guest's mounts, if they are ours.
 *
 * What it has bound itself is no listener of the guest's. It remembers, for
 * each port that the keeper can ask for, the last socket that it bound there:
 * an earlier one is gone by then, as a port has one at a time.
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

/* A channel by which we are asked, and the answer that we owe there. */
struct desk {
	int ch;				/* non-blocking */
	bool owed;			/* it was full */
	struct msg_opened reply;
	int reply_fd;			/* -1: none */
};

struct inside {
	struct desk keeper, engine;
	bool own_mounts;		/* set by the caller, and if so: */
	struct mounts mounts;
	int diag;			/* listeners_open() */
	struct picked_ports picked;
	uint64_t next_tick_ns;		/* CLOCK_MONOTONIC */
	uint64_t next_heal_ns;
	struct listeners known, seen;
	uint64_t own[1 << 16][2][2];	/* cookies, by port, UDP, IPv6 */
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
