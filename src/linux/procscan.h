/* SPDX-License-Identifier: MIT */
/*
 * linux/procscan.h - which programs have a socket: a look through /proc
 *
 * A socket is anybody's who has a descriptor of it: whoever made it, what was
 * forked since, who was given it. So all processes are looked at, but only of
 * the socket's own network namespace: what others do, however many files they
 * open, costs one call for each of them. Those that we may not look into are
 * passed over: another user's, or one that is not dumpable.
 *
 * Nothing here touches a file that a process has open, or runs: links of
 * /proc are read, never followed. So nobody can make us wait.
 */
#ifndef LINUX_PROCSCAN_H
#define LINUX_PROCSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define PROCSCAN_NET_BYTES	32

struct procscan_want {
	uint32_t inode;
	uint32_t of;			/* whoever wants it: the caller's */
	bool found;			/* somebody has it */
};

/* One network namespace, and what is wanted there. */
struct procscan_net {
	char name[PROCSCAN_NET_BYTES];	/* as a link of /proc says; "": none */
	size_t n;
	struct procscan_want *want;	/* sorted by procscan_sort() */
};

/*
 * A process has one that is wanted. path: of its executable, borrowed; NULL:
 * it has none, or a longer one than the caller cares for. dir: the process's
 * directory, borrowed, and fd: the number of the descriptor there.
 */
typedef void procscan_hit_fn(void *ctx, uint32_t of, const char *path,
			     int dir, unsigned fd);

/* What the name of a namespace is, by any descriptor of it. false: "". */
MUST bool procscan_name(int ns, char name[PROCSCAN_NET_BYTES]);

void procscan_sort(struct procscan_net *net);

/**
 * procscan() - look through all processes once
 * @proc:	the directory /proc, read from its beginning
 * @path_max:	bytes of a path that matter, its NUL among them
 * @until_ns:	when to give up, of CLOCK_MONOTONIC
 *
 * Needs openat() of directories, getdents64(), lseek() and readlinkat() only.
 *
 * Return: true, or false if there was not time enough: then there may be
 * more that have what is wanted.
 */
MUST bool procscan(int proc, struct procscan_net *net, size_t path_max,
		   uint64_t until_ns, procscan_hit_fn *hit, void *ctx);

/*
 * Has the process whose directory that is still this socket there, and this
 * path? Needs readlinkat() only.
 */
MUST bool procscan_still(int dir, unsigned fd, uint32_t inode,
			 const char *path);

/*
 * The path in a link of /proc/PID/exe, in place: what the kernel says of a
 * file that has been removed since is cut off (so one that an upgrade has
 * replaced is still itself). false: it is none in a file system. Pure.
 */
MUST bool procscan_path(char *link);

#endif
