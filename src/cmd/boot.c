/* SPDX-License-Identifier: MIT */
#include "cmd/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/front.h"
#include "linux/channel.h"

#define NOT_STARTED 125

/* No terminal is its: the command's is not to be written to. */
static void take_null(void)
{
	const int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close_range(3, ~0u, 0);
}

_Noreturn static void be_boot(const struct config *c,
			      const struct guest_ns *ns, pid_t front)
{
	char *const argv[] = {
		(char *)(uintptr_t)"sh", (char *)(uintptr_t)"-c",
		(char *)(uintptr_t)c->boot_command, NULL,
	};
	struct fail fail;
	sigset_t none;

	if (guest_join_admin(ns, &fail) < 0)
		_exit(NOT_STARTED);
	take_null();
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* After the change of credentials, which would clear it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != front)
		_exit(NOT_STARTED);
	execv("/bin/sh", argv);
	_exit(NOT_STARTED);
}

static void tell(int link, enum front_boot_end end, int status)
{
	const struct front_boot m = { .kind = FRONT_BOOT, .end = end,
				      .status = status };

	/* A keeper that has gone is seen by what comes next. */
	(void)!channel_send(link, &m, sizeof(m), NULL, 0);
}

/* It has ended, or not within that time, or has to. */
static void await(pid_t pid, int link, int stop)
{
	const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = stop, .events = POLLIN },
	};
	int status, n = fd < 0 ? 1 : poll(p, 2, BOOT_WAIT_MS);

	if (fd >= 0)
		close(fd);
	if (n > 0 && p[1].revents)
		kill(pid, SIGKILL);
	if (n == 0)
		tell(link, FRONT_BOOT_RUNS, 0);
	else if (waitpid(pid, &status, 0) != pid)
		tell(link, FRONT_BOOT_FAILED, errno);
	else if (WIFSIGNALED(status))
		tell(link, FRONT_BOOT_SIGNAL, WTERMSIG(status));
	else
		tell(link, FRONT_BOOT_EXIT, WEXITSTATUS(status));
}

void boot_run_attached(const struct config *c, const struct guest_ns *ns,
		       bool sees_us, int link, int stop)
{
	struct guest_ns where = *ns;

	if (geteuid() == 0)
		where.user = -1;
	if (c->boot_command[0] && where.user >= 0 && sees_us)
		tell(link, FRONT_BOOT_UNSAFE, 0);
	else
		boot_run(c, &where, link, stop);
}

void boot_run(const struct config *c, const struct guest_ns *ns, int link,
	      int stop)
{
	const pid_t front = getpid();
	void (*was)(int);
	pid_t pid;

	if (!c->boot_command[0])
		return;
	/* Ignored, as some callers have it, its end would not be told. */
	was = signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid == 0) {
		signal(SIGCHLD, was);
		be_boot(c, ns, front);
	}
	if (pid < 0)
		tell(link, FRONT_BOOT_FAILED, errno);
	else
		await(pid, link, stop);
	signal(SIGCHLD, was);
}
