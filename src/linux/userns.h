/* SPDX-License-Identifier: MIT */
/* linux/userns.h - a user namespace with one user and one group. */
#ifndef LINUX_USERNS_H
#define LINUX_USERNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/fail.h"

/**
 * userns_enter() - move the caller to a new user namespace
 * @uid, @gid:	what its effective ids are to be called in there
 * @fail:	set on failure: what forbids it, and what to do
 *
 * The caller, which must be single-threaded and dumpable, has all
 * capabilities in there until it executes a program. Supplementary groups
 * stay, but have no name, and setgroups() is denied for ever.
 *
 * Return: 0 or -1.
 */
MUST int userns_enter(uid_t uid, gid_t gid, struct fail *fail);

/* A seccomp filter is on this process, as in a plain container. */
bool userns_filtered(void);

#endif
