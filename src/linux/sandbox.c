/* SPDX-License-Identifier: MIT */
/*
 * linux/sandbox.c - namespaces, capabilities, Landlock, seccomp
 *
 * Order matters: the empty root needs the right to mount, which capability
 * dropping takes; Landlock and seccomp need no_new_privs; the seccomp list
 * forbids all the rest of this file, so it comes last.
 *
 * What fails because the machine lacks it (user namespaces, Landlock) is
 * passed over, since the rest still holds. Seccomp and the capabilities
 * are not: without them there is no sandbox.
 *
 * Builds with sanitizers run without seccomp and with their files: the
 * sanitizers' run-time calls what no list foresees.
 */
#include "linux/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux/procfile.h"
#include "linux/userns.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define NOBODY 65534
#define OWN_UIDS	0x7fff0000u	/* that no distribution gives away */

/* What all roles call, or their libc on their behalf. */
static const int common_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close),
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg), SCMP_SYS(connect), SCMP_SYS(setsockopt),
	SCMP_SYS(getsockopt), SCMP_SYS(fcntl), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(brk), SCMP_SYS(getrandom), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction), SCMP_SYS(futex), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(tgkill),
};

static const int engine_calls[] = {
	SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg), SCMP_SYS(bind), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(shutdown), SCMP_SYS(accept4),
	SCMP_SYS(splice), SCMP_SYS(pipe2), SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(timerfd_settime),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(sched_yield),
};

/* The helper's, wherever it is: ports of the guest's. */
static const int helper_calls[] = {
	SCMP_SYS(bind), SCMP_SYS(listen),
};

/* Healing the guest's mounts: newfstatat and its older names. */
static const int inside_calls[] = {
	SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(stat64),
	SCMP_SYS(fstatat64), SCMP_SYS(statx),
};

/* Directories, by allow_owners() alone; and the lists of /proc/net. */
static const int owners_calls[] = {
	SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(_llseek),
	SCMP_SYS(readlinkat), SCMP_SYS(pread64),
};

static int allow_all(scmp_filter_ctx ctx, const int *calls, size_t n)
{
	int err = 0;

	/* -EDOM: this architecture has no such call. */
	for (size_t i = 0; i < n && (!err || err == -EDOM); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return err == -EDOM ? 0 : err;
}

#define ALLOW_ALL(ctx, calls) \
	allow_all(ctx, calls, sizeof(calls) / sizeof((calls)[0]))

static int allow_socket(scmp_filter_ctx ctx, unsigned family, unsigned type)
{
	const unsigned flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				SCMP_A0(SCMP_CMP_EQ, family, 0),
				SCMP_A1(SCMP_CMP_MASKED_EQ, ~(uint64_t)flags,
					type));
}

/* Of TCP and UDP, over both versions of IP. */
static int allow_sockets(scmp_filter_ctx ctx)
{
	int err = 0;

	for (unsigned i = 0; !err && i < 4; i++)
		err = allow_socket(ctx, i & 1 ? AF_INET6 : AF_INET,
				   i & 2 ? SOCK_DGRAM : SOCK_STREAM);
	return err;
}

/* Memory that is not code. */
static int allow_data(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp no_exec =
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				   no_exec);

	return err ? err : seccomp_rule_add(ctx, SCMP_ACT_ALLOW,
					    SCMP_SYS(mprotect), 1, no_exec);
}

static int allow_engine(scmp_filter_ctx ctx)
{
	static const unsigned long queries[] = { FIONREAD, TIOCOUTQ,
						 SIOCATMARK };
	int err = ALLOW_ALL(ctx, engine_calls);

	if (!err)
		err = allow_sockets(ctx);
	if (!err)		/* whoever hears an agent has the other end */
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW,
				       SCMP_SYS(socketpair), 1,
				       SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	/* How much is queued in a socket, and what; nothing else by ioctl. */
	for (unsigned i = 0; !err && i < 3; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl),
				       1, SCMP_A1(SCMP_CMP_EQ, queries[i], 0));
	return err;
}

static int allow_helper(scmp_filter_ctx ctx)
{
	const int err = allow_sockets(ctx);

	return err ? err : ALLOW_ALL(ctx, helper_calls);
}

static int allow_inside(scmp_filter_ctx ctx)
{
	int err = allow_helper(ctx);

	if (!err)
		err = ALLOW_ALL(ctx, inside_calls);
	if (!err)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mount),
				       1, SCMP_A3(SCMP_CMP_EQ, MS_BIND, 0));
	return err;
}

/* A directory may be opened, and nothing else; exactly so. */
static int allow_owners(scmp_filter_ctx ctx)
{
	const int err = ALLOW_ALL(ctx, owners_calls);

	return err ? err :
		seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
				 SCMP_A2(SCMP_CMP_MASKED_EQ,
					 ~(uint64_t)O_LARGEFILE,
					 O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int allow_role(scmp_filter_ctx ctx, enum sandbox_role role)
{
	switch (role) {
	case SANDBOX_ENGINE:
		return allow_engine(ctx);
	case SANDBOX_INSIDE:
		return allow_inside(ctx);
	case SANDBOX_ATTACHED:
		return allow_helper(ctx);
	case SANDBOX_OWNERS:
		return allow_owners(ctx);
	}
	return -EINVAL;
}

static int enter_seccomp(enum sandbox_role role)
{
	const scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!ctx)
		return -ENOMEM;
	/*
	 * Before Linux 5.16 a filter turns on the Speculative Store Bypass
	 * mitigation, which is for programs that run foreign code, and costs
	 * this one much of its speed. A libseccomp that knows no such
	 * attribute is none the worse.
	 */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_SSB, 1);
	err = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
			       SCMP_ACT_KILL_PROCESS);
	if (!err)
		err = ALLOW_ALL(ctx, common_calls);
	if (!err)
		err = allow_data(ctx);
	if (!err)
		err = allow_role(ctx, role);
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

/*
 * Make the root of the file system an empty, read-only tmpfs. 0 or -errno;
 * without user namespaces an ordinary user keeps the host's.
 */
static int enter_empty_root(void)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	/* Any directory will do; this one is on every machine. */
	const char *const at = "/proc";
	struct fail ignored;

	if (unshare(CLONE_NEWNS) &&
	    (userns_enter(geteuid(), getegid(), &ignored) ||
	     unshare(CLONE_NEWNS)))
		return 0;
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) ||
	    mount("none", at, "tmpfs", flags | MS_RDONLY,
		  "mode=555,nr_inodes=2,size=4k") ||
	    chdir(at) || syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		return -errno;
	return 0;
}

/* The gid may decide whether the host lets us ping: ip(7), icmp(7). */
static bool pings_hang_on_gid(void)
{
	char buf[64];
	unsigned first, last;

	if (procfile_read("/proc/sys/net/ipv4/ping_group_range", buf,
			  sizeof(buf)) < 0 ||
	    sscanf(buf, "%u %u", &first, &last) != 2)
		return false;
	return getegid() >= first && getegid() <= last && last < NOBODY;
}

/*
 * Not root any more. In a user namespace without those ids, or in which
 * setgroups() is denied, root is nobody in particular anyway.
 */
static void become_nobody(bool keep_gid)
{
	const uid_t own = OWN_UIDS + ((uid_t)getpid() & 0xffff);

	if (geteuid() != 0)
		return;
	(void)!setgroups(0, NULL);
	if (!keep_gid)
		(void)!setresgid(NOBODY, NOBODY, NOBODY);
	/* A uid of its own: others that are nobody may not signal it. */
	if (setresuid(own, own, own) < 0)
		(void)!setresuid(NOBODY, NOBODY, NOBODY);
}

/*
 * No program executed could gain any but `keep` (bits of the first 32).
 * Whoever has not the right to promise that has nothing to give away.
 */
static void bound_capabilities(uint32_t keep)
{
	for (unsigned long c = 0; c < 64; c++)
		if (c >= 32 || !(keep & 1u << c))
			(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int drop_capabilities(uint32_t keep)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].permitted &= keep;
	data[0].effective = data[0].permitted;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct){ 0 };
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

int sandbox_keep(uint32_t rights)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const struct __user_cap_data_struct data[2] = {
		{ .effective = rights, .permitted = rights,
		  .inheritable = rights },
	};

	bound_capabilities(rights);
	if (syscall(SYS_capset, &head, data))
		return -1;
	for (unsigned long c = 0; c < 32; c++)
		if (rights & 1u << c &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0))
			return -1;
	return 0;
}

/* No file may be opened or made: for a root that could not be emptied. */
static void enter_landlock(void)
{
	const struct landlock_ruleset_attr attr = {
		.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1,
	};
	const long fd = syscall(SYS_landlock_create_ruleset, &attr,
				sizeof(attr), 0);

	if (fd < 0)
		return;			/* before Linux 5.13, or turned off */
	(void)syscall(SYS_landlock_restrict_self, (int)fd, 0);
	close((int)fd);
}

static void enter_common(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setsid();			/* fails for whoever leads one */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* What is left of root's capabilities. */
static uint32_t kept_capabilities(enum sandbox_role role)
{
	switch (role) {
	case SANDBOX_INSIDE:		/* for mounts_heal() */
		return 1u << CAP_SYS_ADMIN;
	case SANDBOX_OWNERS:		/* for other users' processes */
		return 1u << CAP_SYS_PTRACE | 1u << CAP_DAC_READ_SEARCH;
	case SANDBOX_ENGINE: case SANDBOX_ATTACHED:
		break;
	}
	return 0;
}

int sandbox_enter(enum sandbox_role role, struct fail *fail)
{
	const uint32_t keep = kept_capabilities(role);
	const bool keep_gid = pings_hang_on_gid();
	int err = 0;

	enter_common();
	if (role == SANDBOX_ENGINE && !SANITIZED) {
		err = enter_empty_root();
		if (err)
			return fail_set(fail, "cannot leave the file system: "
					"%s", strerror(-err));
	}
	bound_capabilities(keep);
	if (role == SANDBOX_ENGINE)
		become_nobody(keep_gid);
	err = drop_capabilities(keep);
	if (err)
		return fail_set(fail, "cannot drop capabilities: %s",
				strerror(-err));
	if (SANITIZED)
		return 0;
	if (role == SANDBOX_ENGINE)
		enter_landlock();
	/* Last of these: an own user namespace is mapped through /proc. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	err = enter_seccomp(role);
	if (err)
		return fail_set(fail, "cannot filter system calls: %s",
				strerror(-err));
	return 0;
}
