/* SPDX-License-Identifier: MIT */
#include "common.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void fail(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name,
		what, strerror(errno));
	exit(1);
}

long must(long r, const char *what)
{
	if (r < 0)
		fail(what);
	return r;
}

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
