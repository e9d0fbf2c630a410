/* SPDX-License-Identifier: MIT */
/*
 * keeper/hostsfile.h - the host's hosts file as a table, as it changes.
 *
 * From /etc/hosts, for the gateway's DNS. The first HOSTSFILE_BYTES count.
 */
#ifndef KEEPER_HOSTSFILE_H
#define KEEPER_HOSTSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/check.h"

#define HOSTSFILE_BYTES ((size_t)4 << 20)

struct hostsfile {
	int fd;			/* inotify, for the loop; -1: not watched */
	struct stat seen;	/* of the file as it was read last */
};

/* Begin to watch. Never fails: what is not there may come. */
void hostsfile_init(struct hostsfile *h);

/* fd is readable. true: the file is another. */
MUST bool hostsfile_event(struct hostsfile *h);

/*
 * What it says now, as base/hosts.h lays it out, in a file without a name:
 * a descriptor for the caller to close, of *bytes. -ENOENT if it says
 * nothing, or -errno.
 */
MUST int hostsfile_table(struct hostsfile *h, size_t *bytes);

#endif
