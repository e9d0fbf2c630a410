/* SPDX-License-Identifier: MIT */
/*
 * keeper/logwriter.h - lines to a file that may be slow, full or gone
 *
 * A process of its own writes them, out of a pipe. Whatever its disk does,
 * the keeper never waits: what the pipe does not take is counted, and the
 * count is a line of the file once there is room again. It is started with
 * the first line, ends when the pipe has no more, and does not outlive the
 * keeper.
 *
 * When the file has reached max bytes it is put aside as FILE.old, in place
 * of the one before, and begun anew with the head.
 *
 * Limits: LOGWRITER_PIPE_BYTES wait to be written; a line has at most
 * LOGWRITER_LINE_BYTES, so that the pipe takes it whole or not at all.
 */
#ifndef KEEPER_LOGWRITER_H
#define KEEPER_LOGWRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"

#define LOGWRITER_LINE_BYTES	2048
#define LOGWRITER_PIPE_BYTES	(256 << 10)

struct logwriter {
	const char *path;		/* borrowed, both */
	const char *head;		/* first lines of each file */
	uint32_t max;			/* bytes of it */
	/* The caller sets the members above; fd to -1, the rest to 0. */
	int fd;				/* our end of the pipe */
	pid_t pid;			/* 0: not started; to be waited for */
	bool failed;			/* there is no more writing */
	uint64_t lost;			/* lines since the last one written */
};

/*
 * A line, with its newline. false: it is lost, and counted; when the file
 * turns out not to be one that can be written, w->failed is set.
 */
bool logwriter_write(struct logwriter *w, const char *line, size_t len);

/* No more lines; what was taken is still written. */
void logwriter_close(struct logwriter *w);

#endif
