/* SPDX-License-Identifier: MIT */
/*
 * config/settings.h - the one table of everything that can be set.
 *
 * It drives the reading of files and options, `--help` and the list of
 * options in the manual page. To add a setting: a member in struct config,
 * a function in config/value.c, a row in config/settings.c.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stddef.h>

#include "config/value.h"

enum for_command {		/* bits: which commands a setting is for */
	FOR_RUN		= 1 << 0,
	FOR_EXEC	= 1 << 1,
	FOR_STOP	= 1 << 2,
	FOR_STATUS	= 1 << 3,
	FOR_HOST_IP	= 1 << 4,
	FOR_SERVE	= 1 << 5,
	FOR_ATTACH	= 1 << 6,
	FOR_PUBLISH	= 1 << 7,
	FOR_UNPUBLISH	= 1 << 8,
	FOR_PORTS	= 1 << 9,
	FOR_FLOWS	= 1 << 10,
	FOR_DOCTOR	= 1 << 11,
	FOR_WHY		= 1 << 12,
	FOR_GUEST	= 1 << 13,
	FOR_FW_LIST	= 1 << 14,
	FOR_FW_SHOW	= 1 << 15,
	FOR_FW_ADD	= 1 << 16,
	FOR_FW_EXCEPT	= 1 << 17,
	FOR_FW_DELETE	= 1 << 18,
	FOR_FW_ENABLE	= 1 << 19,
	FOR_FW_DISABLE	= 1 << 20,
	FOR_FW_ON	= 1 << 21,
	FOR_FW_OFF	= 1 << 22,
	FOR_FW_PROFILE	= 1 << 23,
	FOR_FW_IMPORT	= 1 << 24,
	FOR_FW_LOG	= 1 << 25,
	FOR_ALL		= (1 << 26) - 1,
	FOR_FIREWALL	= FOR_ALL & ~(FOR_FW_LIST - 1),	/* its verbs */
	/* Verbs that change which flows may be. */
	FOR_FW_CHANGE	= FOR_FW_ADD | FOR_FW_EXCEPT | FOR_FW_DELETE |
			  FOR_FW_ENABLE | FOR_FW_DISABLE | FOR_FW_ON |
			  FOR_FW_PROFILE | FOR_FW_IMPORT,
	FOR_NETWORK	= FOR_RUN | FOR_SERVE | FOR_ATTACH, /* that make one */
};

struct setting {
	const char *option;	/* long option without "--"; NULL: none */
	char letter;		/* its one-letter form, or 0 */
	const char *argument;	/* what follows it; NULL: nothing does */
	const char *section;	/* of files; NULL: none */
	const char *key;
	const char *wsl;	/* section in which WSL2 has this key; NULL */
	value_fn *take;
	const char *accepts;	/* for errors: "give …"; NULL: no argument */
	const char *normal;	/* default, as text; NULL: none to tell */
	unsigned commands;	/* FOR_* in whose --help it is */
	const char *help;	/* one line, no full stop */
};

extern const struct setting settings[];
extern const size_t settings_n;

/* NULL if there is none. len bytes of name count. */
const struct setting *setting_by_option(const char *name, size_t len,
					unsigned command);
const struct setting *setting_by_letter(char letter, unsigned command);
/* Section and key in any case, as WSL2 reads them. */
const struct setting *setting_by_key(const char *section, const char *key);

/* The known option or key that looks most like text; NULL if none does. */
const char *setting_nearest_option(const char *text, unsigned command);
const char *setting_nearest_key(const char *section, const char *text);

#endif
