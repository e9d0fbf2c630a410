/* SPDX-License-Identifier: MIT */
/* cmd/cmd.h - the subcommands, and what they have in common. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <jansson.h>

#include "base/fail.h"
#include "config/config.h"

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_OWN = 125,		/* run, exec: a failure of slipway's own */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
};

struct command {
	const char *name;
	unsigned bit;		/* FOR_* of config/settings.h */
	bool mixed;		/* options may follow operands */
	int (*main)(char **argv);
	const char *operands;
	const char *summary;	/* in the list of all */
	const char *about;	/* in its own help */
	const struct command *verbs;	/* that follow its name; NULL: none */
};

/* Of `slipway firewall`; the last has no name. */
extern const struct command firewall_verbs[];

/* Each gets the words after its name; returns what to exit with. */
int cmd_run(char **argv);
int cmd_exec(char **argv);
int cmd_attach(char **argv);
int cmd_serve(char **argv);
int cmd_stop(char **argv);
int cmd_status(char **argv);
int cmd_host_ip(char **argv);
int cmd_guest(char **argv);
int cmd_publish(char **argv);
int cmd_unpublish(char **argv);
int cmd_ports(char **argv);
int cmd_flows(char **argv);
int cmd_doctor(char **argv);
int cmd_firewall(char **argv);
int cmd_why(char **argv);

/* "slipway: TEXT" on stderr. Returns status. */
int cmd_fail(const struct fail *fail, int status);

/* Print value, which is taken, indented. Returns EXIT_DONE. */
int cmd_json(json_t *value);

/*
 * Read the options of a command into c (defaults first) and deal with
 * --help and --version. -1: go on, *operands set; else what to exit with.
 */
int cmd_options(struct config *c, unsigned command, char **argv,
		char ***operands);

/* Print a command's help (FOR_* bit), or the whole program's (0). */
void cmd_help(FILE *out, unsigned command);

/* The row of that name in a table that ends with none; NULL. */
const struct command *cmd_find(const struct command *table, const char *name);

/* "WORD: no such WHAT; did you mean SLIPWAY …?" Returns EXIT_USAGE. */
int cmd_unknown(const struct command *table, const char *before,
		const char *word);

#endif
