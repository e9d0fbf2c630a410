/* SPDX-License-Identifier: MIT */
/* linux/guestmtu.h - another MTU for the interface of a guest that runs. */
#ifndef LINUX_GUESTMTU_H
#define LINUX_GUESTMTU_H

#include <sys/types.h>

#include "base/check.h"

struct guest_ns;

/* What became of it: the exit status of the process. */
enum guestmtu_result {
	GUESTMTU_SET,
	GUESTMTU_OTHER,		/* it is not the one expected: left alone */
	GUESTMTU_FAILED,
};

/**
 * guestmtu_start() - fork a process that enters the guest and sets it
 * @ns:		the guest's namespaces; user and net are used
 * @from:	the MTU that it should have by our doing. Has it another, then
 *		somebody inside has set that, and it stays
 * @to:		the MTU that it is to have
 *
 * The process closes all descriptors of the caller's, and dies with it.
 *
 * Return: its pid, for the caller to wait for, or -errno.
 */
MUST pid_t guestmtu_start(const struct guest_ns *ns, unsigned from,
			  unsigned to);

#endif
