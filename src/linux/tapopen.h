/* SPDX-License-Identifier: MIT */
/* linux/tapopen.h - a tap or a tun in the caller's network namespace. */
#ifndef LINUX_TAPOPEN_H
#define LINUX_TAPOPEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/fail.h"

/**
 * tap_open() - make a tap whose frames carry virtio-net headers
 * @ifname:	its name in this namespace; must be free
 * @offloads:	set on success: the TUN_F_* that the kernel accepted. Both
 *		ways: what it may send us unsegmented, and we it
 * @fail:	set on failure: what forbids it, and what to do
 *
 * The interface is down; it lives until the descriptor and all its copies
 * are closed.
 *
 * Return: a descriptor, non-blocking and close-on-exec, or -1.
 */
MUST int tap_open(const char *ifname, uint32_t *offloads, struct fail *fail);

/*
 * The same for a tun: pattern may hold one %d for the first number that is
 * free; name, of IFNAMSIZ bytes, gets what came of it.
 */
MUST int tun_open(const char *pattern, char *name, uint32_t *offloads,
		  struct fail *fail);

/*
 * Is that a tap as tap_open() makes one? Of a descriptor that came from
 * elsewhere.
 */
bool tap_is_ours(int fd);

/* Does a tap of these offloads take and give batches of UDP (Linux 6.2)? */
bool tap_takes_uso(uint32_t offloads);

#endif
