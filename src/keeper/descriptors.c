/* SPDX-License-Identifier: MIT */
/* keeper/descriptors.c - which descriptors the keeper has, and how many */
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#include "keeper/process.h"

unsigned keeper_raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 0;
	rl.rlim_cur = rl.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &rl) < 0 &&
	    getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 0;
	return rl.rlim_cur < INT_MAX ? (unsigned)rl.rlim_cur : INT_MAX;
}

void keeper_keep_only(int *const fds[], size_t n)
{
	int next = 3;

	for (size_t i = 0; i < n; i++)
		if (*fds[i] >= 0)
			*fds[i] = fcntl(*fds[i], F_DUPFD_CLOEXEC, 3 + (int)n);
	for (size_t i = 0; i < n; i++)
		if (*fds[i] >= 0)
			*fds[i] = dup3(*fds[i], next++, O_CLOEXEC);
	close_range((unsigned)next, ~0u, 0);
}
