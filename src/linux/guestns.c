/* SPDX-License-Identifier: MIT */
#include "linux/guestns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/inside.h"
#include "linux/messages.h"
#include "linux/mounts.h"
#include "linux/netlink.h"
#include "linux/procfile.h"
#include "linux/sandbox.h"
#include "linux/tapopen.h"
#include "linux/userns.h"

#define IFNAME		GUEST_IFNAME
#define TXQ_FRAMES	10000	/* a window's worth at MTU 1500, and more */
#define CONF6		"/proc/sys/net/ipv6/conf/" IFNAME "/"

static void close_between(int after, int before)
{
	if (before - after > 1)
		close_range((unsigned)after + 1, (unsigned)before - 1, 0);
}

/* Close all but stderr, a and b; nothing to read, nowhere to print. */
static void keep_only(int a, int b)
{
	const int low = a < b ? a : b, high = a < b ? b : a;

	ASSERT(low > STDERR_FILENO && low != high);
	close_between(STDERR_FILENO, low);
	close_between(low, high);
	close_range((unsigned)high + 1, UINT_MAX, 0);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	/* Taken again, lest a socket be 1; without /dev/null it may. */
	if (open("/dev/null", O_RDWR) == STDIN_FILENO)
		(void)dup(STDIN_FILENO);
}

/* What the keeper is to a terminal, to signals and to ps is not ours. */
static void become_helper(pid_t keeper, bool maps)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		sigaction(sig, &sa, NULL);	/* KILL and STOP: not ours */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	umask(022);
	prctl(PR_SET_NAME, "slipway-inside");
	/* The maps of a new user namespace are ours to write only so. */
	prctl(PR_SET_DUMPABLE, maps);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(1);
}

static int make_namespaces(const struct guest_setup *s, struct fail *fail)
{
	const int flags = CLONE_NEWNET | CLONE_NEWNS |
			  (s->hostname ? CLONE_NEWUTS : 0);

	if (s->user_ns && userns_enter(getuid(), getgid(), fail))
		return -1;
	if (unshare(flags))
		return fail_set(fail, "cannot make the guest's namespaces: "
				"%s%s", strerror(errno), errno != EPERM ? "" :
				"; CAP_SYS_ADMIN is missing: run slipway on "
				"the host, or the container with --cap-add "
				"SYS_ADMIN --cap-add NET_ADMIN --security-opt "
				"seccomp=unconfined --device /dev/net/tun");
	/* Changed user namespace or not, this may have been reset. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)))
		return fail_set(fail, "cannot name the guest %s: %s",
				s->hostname, strerror(errno));
	return 0;
}

static int may_not(const struct guest_setup *s, int error, struct fail *fail)
{
	if (error != EPERM)
		return fail_set(fail, "%s: cannot be joined: %s; try again",
				s->target, strerror(error));
	return fail_set(fail, "%s: you may not join its network namespace; "
			"run slipway as the user who made it, or as root",
			s->target);
}

/*
 * The user namespace first: it gives the right to join the other. Nobody
 * there is to see into a process of the host's.
 */
static int join_namespaces(const struct guest_setup *s, struct fail *fail)
{
	if (s->join.user >= 0 && setns(s->join.user, CLONE_NEWUSER))
		return may_not(s, errno, fail);
	prctl(PR_SET_DUMPABLE, 0);
	if (setns(s->join.net, CLONE_NEWNET))
		return may_not(s, errno, fail);
	return 0;
}

/* What somebody has configured is his: we neither use nor change it. */
static int check_unused(const struct guest_setup *s, struct fail *fail)
{
	struct netlink *nl;
	int has;

	if (if_nametoindex(IFNAME))
		return fail_set(fail, "%s: it has an interface " IFNAME
				" already; end what made it (slipway status), "
				"or start the container with --network none",
				s->target);
	nl = netlink_open();
	has = nl ? netlink_has_default(nl, s->v6) : -errno;
	netlink_close(nl);
	if (has < 0)
		return fail_set(fail, "%s: its routes cannot be read: %s; try "
				"again", s->target, strerror(-has));
	if (has)
		return fail_set(fail, "%s: it has a default route already, so "
				"it has a network; remove that, or start the "
				"container with --network none", s->target);
	return 0;
}

/*
 * Everybody inside may ping and bind low ports. In a user namespace only
 * groups that are mapped may be named: a container's are often the first
 * 65,536. A /proc/sys that is read-only, as
 * in a container, leaves both as they are.
 */
static void allow_ping_and_ports(void)
{
	static const char range[] = "/proc/sys/net/ipv4/ping_group_range";
	char own[32];

	snprintf(own, sizeof(own), "%u %u", getgid(), getgid());
	if (procfile_write(range, "0 2147483647") &&
	    procfile_write(range, "0 65535"))
		procfile_try(range, own);
	procfile_try("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}

/* 0 or -errno; a kernel or a namespace without IPv6 is no error. */
static int configure_ip6(struct netlink *nl, const struct guest_setup *s)
{
	const struct ip fe80 = ip_link_local(&s->mac);
	int err = netlink_addr_add(nl, IFNAME, &fe80, 64);

	if (!err)
		err = netlink_addr_add(nl, IFNAME, &s->ip6, s->net6.bits);
	if (!err)
		err = netlink_route_default(nl, IFNAME, &s->gateway6);
	return err == -EAFNOSUPPORT || err == -EOPNOTSUPP || err == -EACCES ?
	       0 : err;
}

/*
 * All addresses are given, so none are to be taken from advertisements or
 * made up; duplicate address detection would only cost a second.
 */
static void prepare_ip6(struct netlink *nl, bool v6)
{
	procfile_try(CONF6 "disable_ipv6", v6 ? "0" : "1");
	procfile_try(CONF6 "accept_ra", "0");
	procfile_try(CONF6 "autoconf", "0");
	procfile_try(CONF6 "accept_dad", "0");
	(void)!netlink_no_auto_ip6(nl, IFNAME);
}

static int configure_net(const struct guest_setup *s, struct fail *fail)
{
	struct netlink *nl = netlink_open();
	int err = nl ? 0 : -errno;

	if (!err)
		err = netlink_link_up(nl, "lo", 0, NULL, 0);
	if (!err) {
		prepare_ip6(nl, s->v6);
		err = netlink_link_up(nl, IFNAME, s->mtu, &s->mac,
				      TXQ_FRAMES);
	}
	if (!err)
		err = netlink_addr_add(nl, IFNAME, &s->ip4, s->net4.bits);
	if (!err)
		err = netlink_route_default(nl, IFNAME, &s->gateway4);
	if (!err && s->v6)
		err = configure_ip6(nl, s);
	netlink_close(nl);
	allow_ping_and_ports();
	return err ? fail_set(fail, "cannot configure the guest's " IFNAME
			      ": %s", strerror(-err)) : 0;
}

#define READY_FDS 5

/* The descriptors of MSG_GUEST_READY, tap in fds[0]. Their number, or -1. */
static int open_namespaces(const struct guest_setup *s, int *fds,
			   struct fail *fail)
{
	const char *const paths[READY_FDS] = {
		NULL, "/proc/self/ns/net", "/proc/self/ns/mnt",
		s->user_ns ? "/proc/self/ns/user" : NULL,
		s->hostname ? "/proc/self/ns/uts" : NULL,
	};
	int n = 1;

	for (size_t i = 1; i < READY_FDS; i++) {
		if (!paths[i])
			continue;
		fds[n] = open(paths[i], O_RDONLY | O_CLOEXEC);
		if (fds[n++] < 0)
			return fail_set(fail, "cannot open %s: %s", paths[i],
					strerror(errno));
	}
	return n;
}

bool guest_ready_take(const struct msg_guest_ready *m, const int *fds,
		      size_t n_fds, int *tap, struct guest_ns *ns)
{
	size_t at = 3;

	if (m->joined && n_fds == 1) {
		*tap = fds[0];
		return true;
	}
	if (m->joined || n_fds != at + m->own_user + m->own_uts)
		return false;
	*tap = fds[0];
	*ns = (struct guest_ns){
		.net = fds[1], .mnt = fds[2], .user = -1, .uts = -1,
	};
	if (m->own_user)
		ns->user = fds[at++];
	if (m->own_uts)
		ns->uts = fds[at];
	return true;
}

/* Enter the sandbox, tell the keeper with n descriptors. 0 or -1. */
static int report(const struct guest_setup *s, struct inside *in,
		  const struct msg_guest_ready *ready, int *fds, int n,
		  struct fail *fail)
{
	int err;

	if (inside_open(in, s->keeper_ch, s->engine_ch, fail) ||
	    sandbox_enter(in->own_mounts ? SANDBOX_INSIDE : SANDBOX_ATTACHED,
			  fail))
		return -1;
	err = channel_send(s->keeper_ch, ready, sizeof(*ready), fds,
			   (size_t)n);
	while (n > 0)		/* the tap above all must end with the engine */
		close(fds[--n]);
	return err ? fail_set(fail, "cannot reach the keeper: %s",
			      strerror(-err)) : 0;
}

/* Make the guest and serve as its helper from then on. 0 or -1. */
static int make_guest(const struct guest_setup *s, struct inside *in,
		      struct fail *fail)
{
	struct msg_guest_ready ready = {
		.kind = MSG_GUEST_READY,
		.own_user = s->user_ns, .own_uts = s->hostname,
	};
	int fds[READY_FDS];
	int n;

	if (make_namespaces(s, fail))
		return -1;
	fds[0] = tap_open(IFNAME, &ready.offloads, fail);
	if (fds[0] < 0 || configure_net(s, fail) ||
	    mounts_make(&in->mounts, s->resolv_conf, s->hosts, s->user_ns,
			fail))
		return -1;
	in->own_mounts = true;
	n = open_namespaces(s, fds, fail);
	return n < 0 ? -1 : report(s, in, &ready, fds, n, fail);
}

/* The same where the namespaces are there, and joined. */
static int attach_guest(const struct guest_setup *s, struct inside *in,
			struct fail *fail)
{
	struct msg_guest_ready ready = {
		.kind = MSG_GUEST_READY, .joined = true,
	};
	int tap;

	if (check_unused(s, fail))
		return -1;
	tap = tap_open(IFNAME, &ready.offloads, fail);
	if (tap < 0 || configure_net(s, fail))
		return -1;
	return report(s, in, &ready, &tap, 1, fail);
}

_Noreturn static void helper(const struct guest_setup *s, pid_t keeper)
{
	static struct inside in;
	struct msg_failed failed = { .kind = MSG_GUEST_FAILED };
	const bool join = s->join.net >= 0;
	int err = join ? join_namespaces(s, &failed.fail) : 0;

	keep_only(s->keeper_ch, s->engine_ch);
	become_helper(keeper, !join);
	if (!err)
		err = join ? attach_guest(s, &in, &failed.fail) :
			     make_guest(s, &in, &failed.fail);
	if (!err)
		inside_serve(&in);
	else
		(void)!channel_send(s->keeper_ch, &failed, sizeof(failed),
				    NULL, 0);
	_exit(1);
}

pid_t guest_start(const struct guest_setup *setup)
{
	const pid_t keeper = getpid();
	const pid_t pid = fork();

	if (pid == 0)
		helper(setup, keeper);
	return pid < 0 ? -errno : pid;
}

static int join_one(int fd, int kind, const char *name, struct fail *fail)
{
	if (fd < 0 || setns(fd, kind) == 0)
		return 0;
	return fail_set(fail, "cannot join the guest's %s namespace: %s",
			name, strerror(errno));
}

/* All of them, and a working directory that there is. */
static int join_all(const struct guest_ns *ns, struct fail *fail)
{
	char dir[PATH_MAX];

	/* A directory that is not below our root has no path: "(unr…". */
	if (!getcwd(dir, sizeof(dir)) || dir[0] != '/')
		strcpy(dir, "/");
	/* The user namespace first: it gives the right to join the others. */
	if (join_one(ns->user, CLONE_NEWUSER, "user", fail) ||
	    join_one(ns->net, CLONE_NEWNET, "network", fail) ||
	    join_one(ns->uts, CLONE_NEWUTS, "UTS", fail) ||
	    join_one(ns->mnt, CLONE_NEWNS, "mount", fail))
		return -1;
	if (chdir(dir) && chdir("/"))
		return fail_set(fail, "cannot enter the guest's /: %s",
				strerror(errno));
	return 0;
}

int guest_join(const struct guest_ns *ns, bool as_root, struct fail *fail)
{
	const uid_t uid = geteuid();
	const gid_t gid = getegid();

	if (join_all(ns, fail))
		return -1;
	if (ns->user < 0)
		return 0;
	return userns_enter(as_root ? 0 : uid, as_root ? 0 : gid, fail);
}

int guest_join_admin(const struct guest_ns *ns, struct fail *fail)
{
	const uint32_t rights = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW |
				1u << CAP_NET_BIND_SERVICE;

	if (join_all(ns, fail))
		return -1;
	if (ns->user < 0 || sandbox_keep(rights) == 0)
		return 0;
	return fail_set(fail, "cannot keep the rights over the guest's "
			"network: %s", strerror(errno));
}
