/* SPDX-License-Identifier: MIT */
#include "keeper/linkmtu.h"

#include <string.h>
#include <sys/wait.h>

#include "keeper/joining.h"
#include "keeper/process.h"
#include "linux/channel.h"
#include "linux/guestmtu.h"
#include "linux/netlink.h"

#define LEAST_V4	576u	/* RFC 791: what every host takes */

/*
 * What the host's way makes of the guest's MTU, or what the network has that
 * it has joined; 0: it is to stay.
 */
static unsigned wanted(const struct keeper *k)
{
	const unsigned least = k->in.config->ipv6 ? CONFIG_MTU_MIN_V6 :
						    LEAST_V4;
	const unsigned mtu = hostroute_mtu(&k->route);

	if (k->join_fd >= 0)
		return k->mtu.joined;
	if (!mtu || !k->in.config->mtu_auto)
		return 0;
	if (mtu < least)
		return least;
	return mtu < CONFIG_MTU_MAX ? mtu : CONFIG_MTU_MAX;
}

void linkmtu_begin(struct keeper *k)
{
	const unsigned mtu = wanted(k);

	if (mtu)
		k->in.mtu = mtu;
}

/* The interfaces are of that MTU now, or will be by the engine's word. */
static void is_set(struct keeper *k, unsigned mtu)
{
	const struct msg_mtu m = { .kind = MSG_MTU, .mtu = mtu };

	if (k->hostif.index && k->route.ask)
		(void)!netlink_link_mtu(k->route.ask, k->hostif.index, mtu);
	log_print(&k->in.log, LOG_INFO, "MTU %u, as the host's route has it; "
		  "it was %u", mtu, k->in.mtu);
	k->in.mtu = mtu;
	joining_tell_mtu(k);
	if (channel_send(k->engine_ch, &m, sizeof(m), NULL, 0) < 0)
		log_write(&k->in.log, LOG_ERROR,
			  "the engine does not take the MTU");
}

void linkmtu_follow(struct keeper *k)
{
	const unsigned mtu = wanted(k);
	pid_t pid;

	if (!mtu || mtu == k->in.mtu || k->mtu.own || k->mtu.pid ||
	    k->phase != UP)
		return;
	if (k->machine) {
		is_set(k, mtu);
		return;
	}
	pid = guestmtu_start(&k->ns, k->in.mtu, mtu);
	if (pid < 0) {
		log_print(&k->in.log, LOG_WARN, "the guest's MTU stays %u, "
			  "the host's is %u: %s", k->in.mtu, mtu,
			  strerror((int)-pid));
		return;
	}
	k->mtu.pid = pid;
	k->mtu.to = mtu;
}

static void ended(struct keeper *k, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == GUESTMTU_SET) {
		is_set(k, k->mtu.to);
		linkmtu_follow(k);	/* it may be another already */
		return;
	}
	k->mtu.own = true;
	if (WIFEXITED(status) && WEXITSTATUS(status) == GUESTMTU_OTHER)
		log_write(&k->in.log, LOG_INFO, "the guest has set its MTU by "
			  "itself: it is left alone");
	else
		log_print(&k->in.log, LOG_WARN, "the guest's MTU cannot be "
			  "changed to %u, which the host's is; it stays %u",
			  k->mtu.to, k->in.mtu);
}

void linkmtu_child(struct keeper *k)
{
	int status;

	if (!k->mtu.pid || waitpid(k->mtu.pid, &status, WNOHANG) <= 0)
		return;
	k->mtu.pid = 0;
	ended(k, status);
}
