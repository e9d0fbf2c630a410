/* SPDX-License-Identifier: MIT */
/* cmd/pidfile.h - a file with our process id, at a path of the user's. */
#ifndef CMD_PIDFILE_H
#define CMD_PIDFILE_H

#include <limits.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/fail.h"

struct pidfile {
	char path[PATH_MAX];	/* from the root on; "": none is wanted */
	bool ours;		/* written, to be removed */
};

/*
 * May it be written, once there is something to say? Not over the file of a
 * process that lives, nor over what is no pid file; an empty one will do.
 * path: NULL for none. 0, or -1 with fail set.
 */
MUST int pidfile_check(struct pidfile *p, const char *path,
		       struct fail *fail);

/* Appears with the whole number in it. 0, or -1 with fail set. */
MUST int pidfile_write(struct pidfile *p, struct fail *fail);

/* Only what was written, and is still ours. */
void pidfile_remove(struct pidfile *p);

#endif
