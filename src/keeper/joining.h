/* SPDX-License-Identifier: MIT */
/*
 * keeper/joining.h - a guest in namespaces that joins a network which runs
 *
 * Two keepers, one on either side of the network's control socket:
 *
 *	joiner				network
 *	API_JOIN: its name  ----------> takes a guest of that name, and a link
 *	makes the guest	    <---------- addresses, MAC, MTU
 *	the guest's tap	    ----------> to its engine, as that link
 *		... the connection stays ...
 *	changes its MTU     <---------- says a new one
 *	ends		    ----------> the link and the guest go
 *	ends		    <---------- ends
 *
 * The joiner has an engine of its own, without a link: localhost in both
 * directions is between its namespaces and the host, and stays its own. All
 * that goes in frames is the network's, and under its rules.
 *
 * Limits: those of keeper/roster.h; a joiner has JOINING_NS to bring its tap.
 */
#ifndef KEEPER_JOINING_H
#define KEEPER_JOINING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/fail.h"

#define JOINING_NS	UINT64_C(10000000000)

struct client;
struct config;
struct keeper;

/* The network's side: the answer to API_JOIN. */
void joining_want(struct keeper *k, struct client *cl);

/*
 * Taps that have come, joiners that have gone or are late. When there is more
 * to do; NEVER.
 */
uint64_t joining_turn(struct keeper *k, uint64_t now_ns);

/*
 * The joiner's side: ask, and take what is answered for the instance's plan
 * and for own, its config. k->join_fd is set. 0, or -1 with fail set.
 */
MUST int joining_ask(struct keeper *k, struct config *own, struct fail *fail);

/* The network's MTU is another: who has joined is to have it, too. */
void joining_tell_mtu(struct keeper *k);

/* What the network says to who has joined. false: it has ended. */
MUST bool joining_event(struct keeper *k);

/* The guest is there: its tap (taken) goes over. 0 or -errno. */
MUST int joining_give(struct keeper *k, int tap, uint32_t offloads);

#endif
