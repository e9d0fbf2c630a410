/* SPDX-License-Identifier: MIT */
/* config/help.h - the table of settings, for people to read. */
#ifndef CONFIG_HELP_H
#define CONFIG_HELP_H

#include <stdio.h>

/* The options of a command (FOR_* bit), aligned, 80 columns. */
void help_options(FILE *out, unsigned command);

/* The same for all commands, and the keys of files, as mdoc(7) lists. */
void help_man_options(FILE *out);
void help_man_keys(FILE *out);

#endif
