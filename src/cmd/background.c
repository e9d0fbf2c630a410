/* SPDX-License-Identifier: MIT */
#include "cmd/background.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#include "cmd/cmd.h"

_Noreturn static void wait_for_word(int fd)
{
	struct fail fail;
	unsigned char status;
	ssize_t n;

	do
		n = read(fd, &status, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		_exit(status);
	fail_set(&fail, "it has ended unexpectedly: killed, or a bug; try "
		 "again");
	_exit(cmd_fail(&fail, EXIT_FAILED));
}

int background_start(void)
{
	int fds[2], error;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		error = errno;
		close(fds[0]);
		close(fds[1]);
		return -error;
	}
	if (pid > 0) {
		close(fds[1]);
		wait_for_word(fds[0]);
	}
	close(fds[0]);
	setsid();
	return fds[1];
}

void background_tell(int fd, int status)
{
	const unsigned char word = (unsigned char)status;
	int null;

	if (fd < 0)
		return;
	if (status == EXIT_DONE) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		for (int std = 0; std < 3; std++)
			dup2(null, std);
		close(null);
		(void)!chdir("/");
	}
	/* Whoever does not wait any more does not want it either. */
	signal(SIGPIPE, SIG_DFL);
	(void)!write(fd, &word, 1);
}
