/* SPDX-License-Identifier: MIT */
/*
 * linux/mounts.h - what a guest sees in place of the host's resolver files
 */
#ifndef LINUX_MOUNTS_H
#define LINUX_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/fail.h"

struct mounts {
	dev_t dev;		/* of the private tmpfs that all comes from */
	bool own_etc;		/* /etc is an overlay; else single files */
	int changed;		/* POLLPRI when a mount came or went; or -1 */
};

/**
 * mounts_make() - give the caller's mount namespace its own files
 * @m:		filled on success
 * @resolv_conf, @hosts: texts of the files in /etc; borrowed
 * @overlay:	hide all of the host's /etc behind an overlay, where the
 *		kernel lets us: what is written there stays in the guest.
 *		Otherwise only the files are covered.
 *
 * The namespace must be the caller's own. Mounts that the host makes later
 * still arrive. Changes the working directory to the private tmpfs, which
 * mounts_heal() relies on.
 *
 * Return: 0, or -1 with fail set.
 */
MUST int mounts_make(struct mounts *m, const char *resolv_conf,
		     const char *hosts, bool overlay, struct fail *fail);

/*
 * Cover again what the host uncovered by renaming a new file or directory
 * over one of ours. Needs CAP_SYS_ADMIN, stat() and mount() only.
 */
void mounts_heal(const struct mounts *m);

#endif
