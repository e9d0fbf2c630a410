/* SPDX-License-Identifier: MIT */
/*
 * proto/share.h - that no guest takes what the others need
 *
 * What a network has so many of, its guests share. Where there is one guest
 * it may have all. Where there are n, one of `all` by 2n is each one's own
 * *part*: what is beyond those half of all, whoever needs it takes first. So
 * one guest, or all others together, leaves each its part; and a guest that
 * comes has its own as soon as what others have beyond theirs is given back.
 */
#ifndef PROTO_SHARE_H
#define PROTO_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/ctx.h"

/* The guest that something is counted as, which has that address. */
unsigned share_owner(const struct proto *p, const struct ip *ip);

/* Each one's part of `all`. */
uint32_t share_part(const struct proto *p, uint32_t all);

/* has: how many of them each guest has. May this one have one more? */
bool share_allows(const struct proto *p, const uint32_t *has, unsigned owner,
		  uint32_t all);

/* As flow_alloc(), of the share of the guest that it is of. */
struct flow *share_flow(struct proto *p, const struct flow_key *key);

#endif
