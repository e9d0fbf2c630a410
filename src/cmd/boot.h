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

#include <stdbool.h>

#include "config/config.h"
#include "linux/guestns.h"

#define BOOT_WAIT_MS 10000

/*
 * Start it, wait until it has ended, but not for longer than BOOT_WAIT_MS,
 * and tell the keeper behind link how, which tells `status`. Without such a
 * setting nothing happens. stop: readable once it is to be ended, as all is;
 * -1: never.
 */
void boot_run(const struct config *c, const struct guest_ns *ns, int link,
	      int stop);

/*
 * The same for a container's namespaces, the files being the host's. Real
 * root joins the network alone. Others must join its user namespace, whose
 * root could take over any process there that it sees: sees_us, and all that
 * happens is that the keeper is told.
 */
void boot_run_attached(const struct config *c, const struct guest_ns *ns,
		       bool sees_us, int link, int stop);

#endif
