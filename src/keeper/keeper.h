/* SPDX-License-Identifier: MIT */
/*
 * keeper/keeper.h - the process that holds a guest together
 *
 * Purpose. Started by the front (keeper/front.h), it takes a name, finds
 * the addresses, starts the inside helper and the engine, binds ports of
 * localhost for them, follows the host's resolv.conf, answers the control
 * socket, and sees to it that all ends with the command. It touches no
 * packet.
 *
 *   GUEST    the inside helper makes or joins the namespaces, makes the tap
 *   ENGINE   the engine starts; the control socket answers already
 *   UP       the front has been told; the command runs
 *   OVER     FRONT_BYE, or end of file from anyone: all that bears the
 *            name goes at once, then the others are waited for
 *
 * At the end the ports of localhost are freed, the files removed and the
 * name released *before* the front is answered; the closing of the tap,
 * which takes the kernel tens of milliseconds, comes after it.
 *
 * Limits. A command that is to stop has STOP_NS between SIGTERM and the
 * end of everything; engine and helper have half a second to go by themselves.
 */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include <sys/types.h>

#include "base/check.h"
#include "config/config.h"
#include "linux/guestns.h"

/* Where the guest is, if not in namespaces that we are to make. */
struct keeper_guest {
	unsigned n_links;	/* of virtual machines; 0: the guest is none */
	int link_fds[CONFIG_LINKS_MAX];	/* sockets, as the config says */
	struct guest_ns ns;	/* net, and user if that is not ours: there
				   already, see linux/targetns.h; else -1 */
};

#define KEEPER_GUEST_NEW ((struct keeper_guest){ .ns = GUEST_NS_NONE })

/**
 * keeper_start() - fork the keeper
 * @config:	borrowed: the child has its own
 * @command:	NULL-terminated; for the name and for status
 * @ch:		its end of a channel to the front; the caller still has to
 *		close its own copy
 * @guest:	its descriptors are borrowed: the child has its own
 *
 * In the child every other descriptor is closed; it is a session of its
 * own. All else is told over the channel.
 *
 * Return: its pid, or -errno of fork().
 */
MUST pid_t keeper_start(const struct config *config, char *const *command,
			int ch, const struct keeper_guest *guest);

#endif
