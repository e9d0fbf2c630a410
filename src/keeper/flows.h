/* SPDX-License-Identifier: MIT */
/*
 * keeper/flows.h - the flows that live, for who asks on the control socket
 *
 * The engine tells some at a time, when it is asked for the next ones; all
 * clients that wait get one answer.
 *
 * Limits. FLOWS_TOLD_MAX flows in an answer; it counts the rest. An engine
 * that is silent for FLOWS_WAIT_NS is not waited for.
 */
#ifndef KEEPER_FLOWS_H
#define KEEPER_FLOWS_H

#include <stdint.h>

#define FLOWS_TOLD_MAX	10000
#define FLOWS_WAIT_NS	UINT64_C(1000000000)

struct keeper;
struct msg_flows;

/* A client waits for them. */
void flows_want(struct keeper *k);

/* Some have been told. */
void flows_take(struct keeper *k, const struct msg_flows *m);

/* k->flows_ns has come. */
void flows_expire(struct keeper *k);

#endif
