/* SPDX-License-Identifier: MIT */
/*
 * linux/targetns.h - a network namespace that somebody else has made.
 *
 * Its user names it by a process (digits), by a file (whatever has a slash:
 * /proc/PID/ns/net, a bind mount of one), or as ip-netns(8) does
 * (/run/netns/NAME).
 */
#ifndef LINUX_TARGETNS_H
#define LINUX_TARGETNS_H

#include <stdbool.h>

#include "base/check.h"
#include "base/fail.h"

#define TARGETNS_COMM_BYTES 16	/* TASK_COMM_LEN */

struct targetns {
	int net;
	int user;		/* the user namespace that owns it; -1: ours */
	int pidfd;		/* of the process, if that named it; or -1 */
	char comm[TARGETNS_COMM_BYTES];	/* its name; "" */
	bool sees_us;		/* processes there may see ours, for all that
				   is known: the PID namespace is the same */
};

/**
 * targetns_open() - open what word names
 * @word:	as above; borrowed
 * @out:	set on success; its descriptors are the caller's, close-on-exec
 * @fail:	set on failure: no such process, no such file, no network
 *		namespace, the caller's own, another user's; what to do
 *
 * Whether the caller may join it is not known before he tries.
 *
 * Return: 0 or -1.
 */
MUST int targetns_open(const char *word, struct targetns *out,
		       struct fail *fail);

#endif
