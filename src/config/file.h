/* SPDX-License-Identifier: MIT */
/*
 * config/file.h - settings from INI files.
 *
 * Sections of ours are [network], [dns], [publish], [firewall] and [guest
 * NAME]; a key in them must be known. Those of rules, [rule NAME], are read by
 * firewall/text.h: every error in them is told, not the first only.
 * [wsl2] and [experimental] of a .wslconfig: keys with our meaning are
 * taken, others passed over. Sections of a wsl.conf that mean nothing here
 * are passed over. Anything else is an error, so that no misspelt setting
 * is silently without effect.
 */
#ifndef CONFIG_FILE_H
#define CONFIG_FILE_H

#include <stdio.h>

#include "base/log.h"
#include "config/config.h"

/*
 * Read one open file; name is for messages. notes (borrowed, or NULL) is told
 * what is passed over (LOG_INFO) and, where there is more than one error,
 * each of them (LOG_ERROR). 0, or -1 with fail set ("FILE:LINE: …").
 */
MUST int file_read_stream(struct config *c, FILE *f, const char *name,
			  const struct log_sink *notes, struct fail *fail);

/*
 * Read /etc/slipway.conf, the user's file and, if not NULL, extra, in this
 * order. Of these only extra must exist. 0, or -1 with fail set.
 */
MUST int file_read_all(struct config *c, const char *extra,
		       const struct log_sink *notes, struct fail *fail);

#endif
