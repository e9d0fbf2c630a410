/* SPDX-License-Identifier: MIT */
#include "linux/bindcall.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux/procfile.h"
#include "linux/sockaddr.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP	262
#endif
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV	(1UL << 5)
#endif

#define ROOM_BYTES	512	/* the kernel's structs may grow */
#define SIN6_LEN_OLD	24	/* RFC 2133; the kernel still takes it */

/* The kernel writes as much as it knows, which may be more than we do. */
union notification {
	struct seccomp_notif in;
	struct seccomp_notif_resp out;
	char room[ROOM_BYTES];
};

/*
 * Not by libseccomp, whose 2.5 does not know WAIT_KILLABLE_RECV, without
 * which a signal may make bind() fail with EINTR, as no program expects. It
 * is Linux 5.19's; SPEC_ALLOW keeps the filter from costing the program its
 * speed before 5.16, see linux/sandbox.c.
 */
static int install(unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(),
			 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]), .filter = code,
	};

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER |
			    SECCOMP_FILTER_FLAG_SPEC_ALLOW | flags, &program);
}

/* Does the kernel use structs that we have room for? */
static bool sizes_fit(void)
{
	struct seccomp_notif_sizes sizes;

	return syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
	       sizes.seccomp_notif <= ROOM_BYTES &&
	       sizes.seccomp_notif_resp <= ROOM_BYTES;
}

int bindcall_filter(struct fail *fail)
{
	int fd = -1;

	errno = ENOSYS;
	if (sizes_fit()) {
		fd = install(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
		if (fd < 0 && errno == EINVAL)
			fd = install(0);
	}
	if (fd >= 0)
		return fd;
	return fail_set(fail, "--localhost-conflict refuse: bind cannot be "
			"watched: %s", errno == EBUSY ?
			"this process is watched by such a filter itself; "
			"run slipway outside of it, or without the option" :
			errno == ENOSYS || errno == EINVAL ?
			"the kernel lacks seccomp notification; leave the "
			"option out" : strerror(errno));
}

bool bindcall_take(int notifier, struct bindcall *out)
{
	union notification n = { .room = { 0 } };

	if (ioctl(notifier, SECCOMP_IOCTL_NOTIF_RECV, &n) < 0)
		return false;
	*out = (struct bindcall){
		.id = n.in.id, .thread = (pid_t)n.in.pid,
		.fd = (int)n.in.data.args[0], .addr = n.in.data.args[1],
		.len = (uint32_t)n.in.data.args[2],
	};
	return true;
}

/* Does it still wait? If not, its thread's number may be another's. */
static bool waits(int notifier, const struct bindcall *call)
{
	uint64_t id = call->id;

	return ioctl(notifier, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

/* The process of a thread; before Linux 6.9 only that can be had. */
static pid_t process_of(pid_t thread)
{
	static const char tag[] = "\nTgid:";
	char path[32], text[4096], *at;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", thread);
	if (procfile_read(path, text, sizeof(text)) <= 0)
		return 0;
	at = strstr(text, tag);
	if (!at || sscanf(at + sizeof(tag) - 1, "%d", &pid) != 1)
		return 0;
	return pid;
}

/* A copy of the caller's socket, or -errno. */
static int copy_socket(const struct bindcall *call)
{
	int process = (int)syscall(SYS_pidfd_open, call->thread, 0), fd, error;
	pid_t pid;

	if (process < 0 && errno != ENOSYS) {	/* not its first thread */
		pid = process_of(call->thread);
		if (!pid)
			return -ESRCH;
		process = (int)syscall(SYS_pidfd_open, pid, 0);
	}
	if (process < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, process, call->fd, 0);
	error = errno;
	close(process);
	return fd < 0 ? -error : fd;
}

static int option(int fd, int which)
{
	int value = 0;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, which, &value, &len) ? -1 : value;
}

/* Listeners in namespaces within the guest's are on nobody's localhost. */
static bool is_in(int fd, int net)
{
	struct stat want, has;
	const int own = ioctl(fd, SIOCGSKNS);
	bool same;

	if (own < 0)
		return false;
	same = fstat(own, &has) == 0 && fstat(net, &want) == 0 &&
	       has.st_ino == want.st_ino && has.st_dev == want.st_dev;
	close(own);
	return same;
}

/* Is it a socket whose port we care for? *least: bytes of its address. */
static bool of_interest(int fd, int net, bool *udp, size_t *least)
{
	const int family = option(fd, SO_DOMAIN);
	const int type = option(fd, SO_TYPE);
	const int protocol = option(fd, SO_PROTOCOL);

	*udp = type == SOCK_DGRAM;
	*least = family == AF_INET ? sizeof(struct sockaddr_in) : SIN6_LEN_OLD;
	if (family != AF_INET && family != AF_INET6)
		return false;
	if (type == SOCK_STREAM)
		return (protocol == IPPROTO_TCP ||
			protocol == IPPROTO_MPTCP) && is_in(fd, net);
	return type == SOCK_DGRAM && protocol == IPPROTO_UDP &&
	       option(fd, SO_REUSEADDR) == 0 && is_in(fd, net);
}

/* The port in the address given; both families have it in one place. */
static int read_port(const struct bindcall *call, uint16_t *port)
{
	struct sockaddr_any sa = { .in = { 0 } };
	const size_t len = sizeof(sa.in);
	const struct iovec to = { .iov_base = &sa, .iov_len = len };
	const struct iovec from = {
		.iov_base = (void *)(uintptr_t)call->addr, .iov_len = len,
	};
	const ssize_t n = process_vm_readv(call->thread, &to, 1, &from, 1, 0);

	_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
		       offsetof(struct sockaddr_in6, sin6_port), "one place");
	if (n != (ssize_t)len)
		return n < 0 ? -errno : -EFAULT;
	*port = ntohs(sa.in.sin_port);
	return 0;
}

int bindcall_look(int notifier, const struct bindcall *call, int net,
		  struct bindcall_port *out)
{
	struct bindcall_port p = { 0 };
	size_t least = 0;
	bool concerned;
	int rc = copy_socket(call);

	if (rc >= 0) {
		concerned = of_interest(rc, net, &p.udp, &least);
		close(rc);
		if (!concerned || call->len < least)
			return 0;
		rc = read_port(call, &p.port);
	}
	if (rc == -EPERM || rc == -ENOSYS)
		return rc;
	if (rc < 0 || !waits(notifier, call))
		return 0;
	*out = p;
	return 1;
}

void bindcall_answer(int notifier, const struct bindcall *call, int error)
{
	union notification n = { .room = { 0 } };

	n.out.id = call->id;
	n.out.error = -error;
	if (!error)
		n.out.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	/* Whoever was killed meanwhile needs no answer. */
	(void)!ioctl(notifier, SECCOMP_IOCTL_NOTIF_SEND, &n);
}
