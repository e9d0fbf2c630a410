/* SPDX-License-Identifier: MIT */
/*
 * linux/guestns.h - a guest made of namespaces, and its inside helper.
 *
 * guest_start() forks the inside helper, which makes the namespaces, or
 * joins one that is there, configures them, sends MSG_GUEST_READY with the
 * tap and the namespaces to the keeper, and then serves until either channel's other end is gone:
 *   - lists TCP listeners (every 20 ms), tells the keeper what changed;
 *   - opens sockets in the guest for the engine (MSG_CONNECT).
 *
 * For an ordinary user an *outer* user namespace, with the user's own ids
 * mapped to themselves, owns the network and mount namespaces and the
 * helper. Commands join it and then make an *inner* user namespace (see
 * guest_join()), so that not even --root inside can ptrace the helper.
 * Root gets no user namespace.
 *
 * Of a namespace that is there already (a container's) only the network is
 * configured: mounts and host name are its owner's, and an interface or a
 * default route that it has is not touched, but an error. The root of its
 * user namespace cannot ptrace the helper either, whose memory belongs to
 * the user namespace that it was started in.
 */
#ifndef LINUX_GUESTNS_H
#define LINUX_GUESTNS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/fail.h"

#define GUEST_IFNAME	"eth0"

/* Descriptors of a guest's namespaces; -1 where it has the host's. */
struct guest_ns {
	int user, net, mnt, uts;
};

#define GUEST_NS_NONE	((struct guest_ns){ -1, -1, -1, -1 })

struct guest_setup {
	struct guest_ns join;		/* net, and user if that is not ours:
					   to join; else net is -1. Borrowed */
	const char *target;		/* what to call join in errors */
	bool user_ns;			/* make the outer user namespace */
	struct mac mac;			/* of the guest's eth0 */
	unsigned mtu;			/* 68..65520; with v6 from 1280 */
	struct prefix net4, net6;	/* the subnets */
	struct ip ip4, gateway4;
	bool v6;
	struct ip ip6, gateway6;
	const char *hostname;		/* NULL: the host's; borrowed */
	const char *resolv_conf;	/* text of the file; borrowed */
	const char *hosts;		/* text of the file; borrowed */
	int keeper_ch, engine_ch;	/* helper's ends; borrowed: the child
					   has its own */
};

/**
 * guest_start() - fork the inside helper
 *
 * In the child every descriptor but the two channels and stderr is
 * closed; it is a session of its own and dies with the calling thread.
 * Its result arrives as MSG_GUEST_READY or MSG_GUEST_FAILED.
 *
 * Return: the helper's pid, or -errno of fork().
 */
MUST pid_t guest_start(const struct guest_setup *setup);

struct msg_guest_ready;

/**
 * guest_ready_take() - sort what came with MSG_GUEST_READY
 * @m:		the message, of the right length
 * @fds:	the n_fds descriptors received with it
 * @tap, @ns:	set on success: then all descriptors are theirs. ns is left
 *		alone if the guest joined namespaces that there were
 *
 * The namespaces are handed out as descriptors, because nobody may look
 * them up in /proc: the helper is not dumpable. Whoever holds them keeps
 * the namespaces alive.
 *
 * Return: true, or false if the number of descriptors is wrong.
 */
MUST bool guest_ready_take(const struct msg_guest_ready *m, const int *fds,
			   size_t n_fds, int *tap, struct guest_ns *ns);

/**
 * guest_join() - make the calling process a guest process
 * @ns:		the guest's namespaces; borrowed
 * @as_root:	be uid 0 inside (only with ns->user)
 * @fail:	set on failure
 *
 * Joins the namespaces; then, with ns->user, makes the inner user
 * namespace in which the caller keeps its uid and gid, or is 0. The
 * working directory is kept by its path, "/" if there is none such.
 * Single-threaded callers only; on failure the caller must exit.
 *
 * Return: 0 or -1.
 */
MUST int guest_join(const struct guest_ns *ns, bool as_root,
		    struct fail *fail);

/**
 * guest_join_admin() - make the calling process an administrator's of it
 *
 * As guest_join(), but without an inner user namespace: with ns->user what
 * it executes keeps the caller's uid and has CAP_NET_ADMIN, CAP_NET_RAW and
 * CAP_NET_BIND_SERVICE in the outer one, which owns the network, and nothing
 * else, so that it cannot see into the helper either.
 *
 * Return: 0 or -1.
 */
MUST int guest_join_admin(const struct guest_ns *ns, struct fail *fail);

#endif
