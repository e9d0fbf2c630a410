/* SPDX-License-Identifier: MIT */
/*
 * cmd/why_ends.h - the ends of a flow, as a person writes them.
 *
 *	172.20.0.2	[fd00::2]:80	fd00::2		guest	guest:8000
 *	host:8000	pypi.org:443	http://localhost:8000/
 *
 * `guest` is the guest, and so are its name and host name; others of its
 * network go by theirs; `host`,
 * `gateway` and the names that the guest has for its host are the gateway.
 * What loops back is the other end of the network: to the host's localhost
 * the guest's ports are bound, and the other way round.
 */
#ifndef CMD_WHY_ENDS_H
#define CMD_WHY_ENDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/fail.h"

#define WHY_HOST_BYTES	256
#define WHY_PAIRS_MAX	2	/* one of each family */

struct why_end {
	char host[WHY_HOST_BYTES];	/* without port and brackets */
	uint16_t port;			/* 0: none was given */
};

/* Two addresses of one family between which the flow would be. */
struct why_pair {
	struct endpoint from, to;
};

struct why_flow {
	char protocol[16];	/* "tcp", "udp", "icmp"; "dns": a question */
	struct why_end from, to;
	bool named;		/* `to` is a name of the world's */
	unsigned n_pairs;
	struct why_pair pair[WHY_PAIRS_MAX];
};

/*
 * A URL: its scheme's port if it has none; from the guest, or to localhost
 * from the host. A name alone: a question for it. 0, or -1 with fail set.
 */
MUST int why_read_url(const char *text, struct why_flow *out,
		      struct fail *fail);

/* PROTOCOL FROM TO. */
MUST int why_read_words(char *const words[3], struct why_flow *out,
			struct fail *fail);

/* "ADDRESS", "ADDRESS:PORT", "[ADDRESS]:PORT"; a port that is not there is 0. */
MUST bool why_read_endpoint(const char *text, struct endpoint *out);

/*
 * Put addresses for words and names, by what the network's status says; asks
 * the host's resolver for other names. 0, or -1 with fail set.
 */
MUST int why_resolve(struct why_flow *flow, json_t *status,
		     struct fail *fail);

/* Is one of the ends an address, or the name, of that network's? */
bool why_is_about(const struct why_flow *flow, json_t *status);

#endif
