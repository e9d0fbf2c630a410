/* SPDX-License-Identifier: MIT */
/*
 * keeper/log.h - the log file, and what of it `status` should show.
 *
 * Lines "TIME LEVEL TEXT". At most LOG_MAX_BYTES are written: what a guest
 * may provoke must not fill a disk.
 */
#ifndef KEEPER_LOG_H
#define KEEPER_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

#define LOG_MAX_BYTES	(1u << 20)
#define LOG_TAIL	4
#define LOG_TAIL_BYTES	240

struct log {
	int fd;				/* borrowed */
	bool debug;			/* LOG_DEBUG is written, too */
	size_t written;
	unsigned n_tail;		/* last warnings and errors, each once */
	char tail[LOG_TAIL][LOG_TAIL_BYTES];
};

void log_write(struct log *log, enum log_level level, const char *text);

__attribute__((format(printf, 3, 4)))
void log_print(struct log *log, enum log_level level, const char *format,
	       ...);

#endif
