/* SPDX-License-Identifier: MIT */
/*
 * config/verb.h - what the options of `firewall` and `why` say.
 *
 * Texts are borrowed from the command line.
 */
#ifndef CONFIG_VERB_H
#define CONFIG_VERB_H

#include <stdbool.h>

#define VERB_FROM_MAX	64
#define VERB_MAPS_MAX	64
#define VERB_FOR_MAX_S	(7u * 24 * 3600)

struct config_verb {
	bool check, replace, dry_run, keep_flows, follow, last;
	unsigned for_s;			/* 0: for good */
	const char *program;		/* NULL: not said */
	unsigned n_from, n_maps;
	const char *from[VERB_FROM_MAX];
	const char *map[VERB_MAPS_MAX];	/* "WINDOWS-NAME=/PATH" */
};

/* "90", "90s", "5m", "2h", "1d": seconds, 1 to VERB_FOR_MAX_S; 0: none. */
unsigned verb_duration(const char *text);

#endif
