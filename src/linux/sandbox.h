/* SPDX-License-Identifier: MIT */
/*
 * linux/sandbox.h - what a process gives up before it meets a guest.
 */
#ifndef LINUX_SANDBOX_H
#define LINUX_SANDBOX_H

#include <stdint.h>

#include "base/check.h"
#include "base/fail.h"

enum sandbox_role {
	SANDBOX_ENGINE,		/* frames and flows: sockets, no files */
	SANDBOX_INSIDE,		/* sockets and sock_diag in the guest, mounts */
	SANDBOX_ATTACHED,	/* the same without mounts */
	SANDBOX_OWNERS,		/* lists of sockets, links of /proc */
};

/**
 * sandbox_enter() - drop all that the role does not need, for good
 *
 * All: not dumpable, no_new_privs, own session, core limit 0, and a
 * seccomp allow-list of the role's system calls (others end the process
 * and are logged by the kernel). Engine: an empty root (own user and mount
 * namespace if not root; the network namespace stays), no capability in
 * any set, no file access by Landlock where there is one, and, if it was
 * root, a uid of its own, gid 65534 and no groups; the gid stays if the host lets only
 * that ping. Inside: of its capabilities CAP_SYS_ADMIN, with which it may
 * only make bind mounts. Attached: no capability, and no mounts. Owners: of
 * its capabilities CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, with which it may
 * only list directories and read links; no sockets of its own, and no
 * Landlock, which would keep it from seeing any process outside of it.
 *
 * Takes about 1 ms. A build with sanitizers keeps its files, its system
 * calls and is dumpable, for their run-time needs all of that.
 *
 * Return: 0, or -1 with fail set; the caller must exit.
 */
MUST int sandbox_enter(enum sandbox_role role, struct fail *fail);

/*
 * Of the capabilities (bits, of the first 32) that the caller has keep these,
 * also for what it executes, and no others. 0, or -1 with errno.
 */
MUST int sandbox_keep(uint32_t rights);

#endif
