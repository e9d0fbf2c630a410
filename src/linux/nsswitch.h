/* SPDX-License-Identifier: MIT */
/* linux/nsswitch.h - the guest's nsswitch.conf from the host's. Pure. */
#ifndef LINUX_NSSWITCH_H
#define LINUX_NSSWITCH_H

#include <stddef.h>

/**
 * nsswitch_rewrite() - let host names come from files and DNS only
 * @host:	text of the host's nsswitch.conf; "" if it has none
 * @out:	the guest's, NUL-terminated, cut if longer than cap
 * @cap:	room in out; that of host plus 256 is always enough
 *
 * The `hosts:` line becomes `hosts: files dns`, with `myhostname` before
 * `dns` if it was there; other lines are kept. Without such a line one is
 * added.
 */
void nsswitch_rewrite(const char *host, char *out, size_t cap);

#endif
