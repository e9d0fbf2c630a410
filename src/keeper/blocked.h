/* SPDX-License-Identifier: MIT */
/*
 * keeper/blocked.h - what the firewall has kept from passing
 *
 * The engine tells of it, so many in a second (network/guard.h). Here the
 * last ones are kept, for `slipway why --last`; each becomes a line of the
 * log, in the format of Windows' pfirewall.log with the rule as one field
 * more; and with an allow list they are summed up, for the command's end.
 *
 * Limits: BLOCKED_MAX are kept, the same ones as one; BLOCKED_SUMMED_MAX
 * names and addresses are summed up, the others counted.
 */
#ifndef KEEPER_BLOCKED_H
#define KEEPER_BLOCKED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/check.h"
#include "base/network_blocked.h"
#include "config/config.h"
#include "keeper/logwriter.h"

#define BLOCKED_MAX		64
#define BLOCKED_SUMMED_MAX	32
#define BLOCKED_RULE_BYTES	128

struct blocked_entry {
	struct network_blocked what;
	char rule[BLOCKED_RULE_BYTES];	/* its name; "": none, the default */
	time_t when;			/* the last time */
	uint64_t count;
};

/* What an allow list did not hold. */
struct blocked_sum {
	char name[BLOCKED_NAME_BYTES];	/* asked for; "": an address */
	struct ip ip;
	uint16_t port;			/* of the first; 0: none */
	uint8_t protocol;
	uint64_t count;
};

struct blocked {
	struct logwriter log;		/* path NULL: none is wanted */
	char path[CONFIG_PATH_BYTES];
	bool sums;			/* there is an allow list */
	unsigned n;
	struct blocked_entry at[BLOCKED_MAX];	/* newest last */
	unsigned n_sums;
	struct blocked_sum sum[BLOCKED_SUMMED_MAX];
	uint64_t unsummed;		/* more than there is room for */
};

/* b: all zero. path: of the log; NULL: none. */
void blocked_init(struct blocked *b, const char *path, uint32_t log_bytes,
		  bool sums);

/* One more; rule: the name of the one that decided, or "". */
void blocked_note(struct blocked *b, const struct network_blocked *what,
		  const char *rule, time_t now);

/* A line of the log. Returns its length, at most cap - 1. */
size_t blocked_line(const struct network_blocked *what, const char *rule,
		    time_t when, char *buf, size_t cap);

/* What is kept, newest first. NULL: no memory. */
MUST json_t *blocked_json(const struct blocked *b);

/*
 * What an allow list has kept from the guest and what would have let it pass,
 * in lines; "" if that is nothing. Returns the length, at most cap - 1.
 */
size_t blocked_summary(const struct blocked *b, char *buf, size_t cap);

#endif
