/* SPDX-License-Identifier: MIT */
/* control/hostfw_match.h - does an expression of nft match that packet? */
#ifndef CONTROL_HOSTFW_MATCH_H
#define CONTROL_HOSTFW_MATCH_H

#include <jansson.h>

#include "base/check.h"
#include "control/hostfw.h"

#define HOSTFW_LOOKS_MAX 200000

enum hostfw_match { HOSTFW_NO, HOSTFW_MAYBE, HOSTFW_YES };

/* What is known of the table that a rule is in. */
struct hostfw_sets {
	json_t *by_name;	/* the elements of its named sets and maps */
	bool untracked;		/* some rule turns connection tracking off */
	unsigned looked;	/* at rules and elements; of HOSTFW_LOOKS_MAX */
};

/* Of the object behind "match". Maybe, too, if too much was looked at. */
MUST enum hostfw_match hostfw_match(json_t *match,
				    const struct hostfw_packet *p,
				    struct hostfw_sets *sets);

/*
 * Is one key of a map (behind "vmap") the packet's? The catch-all "*" is no
 * key.
 */
MUST enum hostfw_match hostfw_key_is(json_t *expr, json_t *key,
				     const struct hostfw_packet *p,
				     struct hostfw_sets *sets);

#endif
