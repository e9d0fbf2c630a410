/* SPDX-License-Identifier: MIT */
/*
 * linux/guestmtu.c - a process for one change
 *
 * The inside helper has given up the right to configure the guest. Whoever
 * made the guest may enter it anew, so it takes a process of its own for as
 * long as the change lasts, rather than a helper that keeps the right.
 */
#include "linux/guestmtu.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "linux/guestns.h"
#include "linux/netlink.h"

static enum guestmtu_result change(unsigned from, unsigned to)
{
	const unsigned index = if_nametoindex(GUEST_IFNAME);
	struct netlink *nl = index ? netlink_open() : NULL;
	struct netlink_dev dev;

	if (!nl || netlink_dev(nl, index, &dev))
		return GUESTMTU_FAILED;
	if (dev.mtu != from)
		return GUESTMTU_OTHER;
	return netlink_link_mtu(nl, index, to) ? GUESTMTU_FAILED :
						 GUESTMTU_SET;
}

/* Nobody of the guest's is to see into it, or to signal it. */
_Noreturn static void enter(const struct guest_ns *ns, unsigned from,
			    unsigned to, pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	prctl(PR_SET_NAME, "slipway-mtu");
	prctl(PR_SET_DUMPABLE, 0);
	if ((ns->user >= 0 && setns(ns->user, CLONE_NEWUSER)) ||
	    setns(ns->net, CLONE_NEWNET))
		_exit(GUESTMTU_FAILED);
	close_range(3, ~0u, 0);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(GUESTMTU_FAILED);
	_exit((int)change(from, to));
}

pid_t guestmtu_start(const struct guest_ns *ns, unsigned from, unsigned to)
{
	const pid_t parent = getpid();
	const pid_t pid = fork();

	if (pid == 0)
		enter(ns, from, to, parent);
	return pid < 0 ? -errno : pid;
}
