/* SPDX-License-Identifier: MIT */
/*
 * config/options.h - the command line.
 *
 * GNU forms: --opt VALUE, --opt=VALUE, -o VALUE, -oVALUE, -qv, and `--`,
 * which ends the options. No abbreviations: scripts outlive them.
 */
#ifndef CONFIG_OPTIONS_H
#define CONFIG_OPTIONS_H

#include "config/config.h"

/**
 * options_parse() - read the options of one command
 * @c:		settings found are written over what is there
 * @command:	FOR_* bit of the command
 * @mixed:	options may follow operands; they are sorted apart in argv.
 *		Otherwise options end at the first word that is none.
 * @argv:	words after the command's name, NULL-terminated; strings
 *		must live as long as @c
 * @fail:	set on failure
 *
 * Return: the first operand's place in argv (its end if there is none), or
 * NULL on failure.
 */
MUST char **options_parse(struct config *c, unsigned command, bool mixed,
			  char **argv, struct fail *fail);

#endif
