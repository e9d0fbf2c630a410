/* SPDX-License-Identifier: MIT */
#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 2000
#define INTEROP	"WSL_INTEROP"	/* where WSL's interop listens */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until fd is readable, or the time is over. */
static bool wait_for(int fd, int64_t end_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (;;) {
		const int64_t left = end_ms - now_ms();
		const int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n >= 0 || errno != EINTR)
			return n > 0;
	}
}

/* To the folder of a program, unless it is looked for in PATH. */
static int go_beside(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	if (!slash)
		return 0;
	snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path);
	return chdir(dir);
}

/* PATH and LC_ALL, and of what there was only what WSL needs. */
static int clean_environment(void)
{
	const char *interop = getenv(INTEROP);
	char *kept = interop ? strdup(interop) : NULL;

	return clearenv() || setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin",
				    1) < 0 || setenv("LC_ALL", "C", 1) < 0 ||
	       (kept && setenv(INTEROP, kept, 1) < 0) ? -1 : 0;
}

static void become(const char *const argv[], int out)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(null, 2) < 0 || clean_environment() < 0 ||
	    go_beside(argv[0]) < 0)
		_exit(127);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* All that comes until end of file, with a NUL behind it; or NULL. */
static char *read_all(int fd, int64_t end_ms)
{
	size_t len = 0, cap = 0;
	char *text = NULL;
	ssize_t n;

	do {
		if (cap - len < 4096) {
			char *grown;

			cap = cap ? 2 * cap : 65536;
			grown = cap <= 2 * OUTPUT_MAX ? realloc(text, cap) :
							NULL;
			if (!grown)
				goto fail;
			text = grown;
		}
		if (!wait_for(fd, end_ms))
			goto fail;
		n = read(fd, text + len, cap - len - 1);
		if (n < 0 || len + (size_t)n > OUTPUT_MAX)
			goto fail;
		len += (size_t)n;
	} while (n > 0);
	text[len] = '\0';
	return text;
fail:
	free(text);
	return NULL;
}

/* Its exit status, or -1 when it had to be killed. */
static int end_of(pid_t pid, bool kill_it, int64_t end_ms)
{
	const int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int status;

	if (kill_it || fd < 0 || !wait_for(fd, end_ms))
		kill(pid, SIGKILL);
	if (fd >= 0)
		close(fd);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) != 127 ?
	       WEXITSTATUS(status) : -1;
}

int output_of(const char *const argv[], char **text)
{
	return output_beside(argv, WAIT_MS, text);
}

int output_beside(const char *const argv[], int wait_ms, char **text)
{
	const int64_t end_ms = now_ms() + wait_ms;
	int fds[2], status;
	pid_t pid;
	char *all;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		become(argv, fds[1]);
	close(fds[1]);
	all = pid > 0 ? read_all(fds[0], end_ms) : NULL;
	close(fds[0]);
	status = pid > 0 ? end_of(pid, !all, end_ms) : -1;
	if (status < 0 || !all) {
		free(all);
		return -1;
	}
	*text = all;
	return status;
}
