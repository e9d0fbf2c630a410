/* SPDX-License-Identifier: MIT */
/*
 * linux/bindcall.h - another program's bind(), held until we have looked
 *
 * A program that is about to run installs a filter in itself by which the
 * kernel hands each bind() of it, and of all that it starts, to whoever has
 * the descriptor made with the filter (seccomp_unotify(2)). The call waits
 * there until it is answered: it fails with an errno of ours, or goes on as
 * if nothing had been.
 *
 * This is no wall, but a hint for programs that look for a free port. The
 * address is read from their memory, and may be another one when the kernel
 * reads it in its turn; a call that goes on is judged by the kernel as
 * always. What the filter does not see goes on as well: io_uring, and calls
 * in another form than the machine's own (32-bit programs, x32).
 *
 * Reading another process's memory may take for ever, where a page of it is
 * served by a file system or a handler of that process's own (FUSE,
 * userfaultfd). So who reads here may do nothing else that anybody waits
 * for, and has to be one that can be killed or left behind.
 *
 * The kernel allows one such descriptor in a process's filters. Without an
 * owner it makes the calls fail with ENOSYS.
 */
#ifndef LINUX_BINDCALL_H
#define LINUX_BINDCALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/fail.h"

/* A call that waits. */
struct bindcall {
	uint64_t id;
	pid_t thread;		/* in our PID namespace */
	int fd;			/* its arguments, as they stand there */
	uint64_t addr, len;
};

/* What is to be bound. */
struct bindcall_port {
	uint16_t port;		/* 0: the kernel's choice */
	bool udp;		/* else TCP */
};

/*
 * Install the filter in the calling thread, which is to be privileged in its
 * user namespace: so no_new_privs is not needed, and programs inside gain by
 * setuid what they always did. The descriptor, close-on-exec, or -1 with
 * fail set.
 */
MUST int bindcall_filter(struct fail *fail);

/*
 * Take the next call; where poll() says there is one, this does not wait.
 * false: it has gone again.
 */
MUST bool bindcall_take(int notifier, struct bindcall *out);

/**
 * bindcall_look() - is it a port of TCP or UDP, and of which number?
 * @net:	the network namespace that is meant
 * @out:	set if so
 *
 * A socket of UDP that shares its port (SO_REUSEADDR, as for multicast)
 * wants no port of its own, and does not count. Nor does MPTCP differ from
 * TCP here.
 *
 * Return: 1, 0 if not, -EPERM or -ENOSYS if we may not or cannot see that;
 * other errors of the caller's are 0, for the kernel to tell.
 */
MUST int bindcall_look(int notifier, const struct bindcall *call, int net,
		       struct bindcall_port *out);

/* Let it fail with error, or go on if that is 0. It may have gone. */
void bindcall_answer(int notifier, const struct bindcall *call, int error);

#endif
