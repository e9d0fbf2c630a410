/* SPDX-License-Identifier: MIT */
/*
 * linux/ownerhelper.h - what the owner helper does: it says whose a socket is
 *
 * Theory of operation
 * ===================
 *
 * A rule of the firewall may name a program. The engine, which sees neither
 * processes nor files, asks this helper which program has the socket at an end
 * of a flow (MSG_OWNER_ASK). The answer is the path of its executable, as the
 * kernel knows it: symbolic links are resolved, a script is its interpreter.
 *
 * A question is answered in two steps. The kernel tells which socket it is, in
 * the host's network namespace or in the guest's (linux/sockfind.h). Who has
 * that is to be seen in /proc only, by a look at all processes
 * (linux/procscan.h): one look answers all questions that have come until it
 * begins. Those about the host's end are answered before the guest's.
 *
 * Unknown it is where there is no such socket (any more), where nobody whom
 * we may look into has it, and where more than one program does: a socket that
 * was handed to another program is no proof of either. Several that share a
 * port (SO_REUSEPORT) count as one, as which of them will be chosen is not
 * known.
 *
 * What was said of a socket that takes clients is kept, so that a server is not
 * looked for with each of its clients: it holds while the process that was
 * found has that socket and runs that program, which is quick to see. That
 * others get it, too, is not seen meanwhile. That it is unknown holds for
 * OWNERHELPER_KEPT_NS.
 *
 * What to believe. The guest's end is as honest as the guest: whoever may
 * mount there may have any path, and whoever may send raw packets any port.
 * The host's end is what the host's own user runs.
 *
 * Limits. Both steps together last OWNERHELPER_HOST_NS and OWNERHELPER_GUEST_NS
 * at most, then what is not answered is `late`. So the host's end is answered
 * in time, however slow the guest makes it to look at its own; the sum of both
 * is less than the engine waits. A process costs some 3 microseconds, and as
 * much for each file that it has open, if it is of the network asked about.
 */
#ifndef LINUX_OWNERHELPER_H
#define LINUX_OWNERHELPER_H

#include "base/check.h"
#include "base/fail.h"
#include "linux/procscan.h"
#include "linux/sockfind.h"

#define OWNERHELPER_BATCH	256	/* as many as may wait */
#define OWNERHELPER_HOST_NS	UINT64_C(600000000)	/* of looking */
#define OWNERHELPER_GUEST_NS	UINT64_C(300000000)
#define OWNERHELPER_KEPT	64	/* answers */
#define OWNERHELPER_KEPT_NS	UINT64_C(200000000)	/* of unknown ones */

/* One side's network namespace. */
struct ownerhelper_side {
	struct sockfind sockets;
	char net[PROCSCAN_NET_BYTES];
};

struct ownerhelper {
	int engine, keeper;		/* channels, lent */
	int proc;			/* the directory /proc */
	struct ownerhelper_side host, guest;
	uint64_t host_ns, guest_ns;	/* of looking, as above */
};

/**
 * ownerhelper_open() - open what ownerhelper_serve() needs, before the sandbox
 * @engine:	the channel to answer at; becomes non-blocking
 * @keeper:	one whose end says that the keeper is gone
 * @user, @net:	the guest's namespaces, borrowed; user -1: net is entered
 *		without, net -1: there is none (a virtual machine)
 *
 * Enters them in a child of its own that ends at once: whoever has entered the
 * guest's user namespace may not look into the host's processes any more.
 * Single-threaded callers only.
 *
 * Return: 0, or -1 with fail set.
 */
MUST int ownerhelper_open(struct ownerhelper *o, int engine, int keeper,
			  int user, int net, struct fail *fail);

/* Serve until the other end of one of the channels is gone. */
void ownerhelper_serve(const struct ownerhelper *o);

#endif
