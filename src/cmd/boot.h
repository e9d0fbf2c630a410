/* SPDX-License-Identifier: MIT */
/*
 * cmd/boot.h - what `[boot] command` starts in a guest before its command.
 *
 * It is given to /bin/sh in the guest's namespaces, with the rights over the
 * guest's network that root has there: of real root all that root has, of an
 * ordinary user, whose uid it keeps, no other ones.
 */
#ifndef CMD_BOOT_H
#define CMD_BOOT_H

#include "config/config.h"
#include "linux/guestns.h"

#define BOOT_WAIT_MS 10000

/*
 * Start it, wait until it has ended, but not for longer than BOOT_WAIT_MS,
 * and tell the keeper behind link how, which tells `status`. Without such a
 * setting nothing happens.
 */
void boot_run(const struct config *c, const struct guest_ns *ns, int link);

#endif
