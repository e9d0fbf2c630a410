/* SPDX-License-Identifier: MIT */
/* doctor/clock.h - deadlines in milliseconds of CLOCK_MONOTONIC. */
#ifndef DOCTOR_CLOCK_H
#define DOCTOR_CLOCK_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until fd has one of events, or an error: true; or it is end_ms. */
static inline bool clock_wait(int fd, short events, int64_t end_ms)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		const int64_t left = end_ms - clock_ms();
		const int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return true;
		if (n == 0 ? left <= 0 : errno != EINTR)
			return false;
	}
}

#endif
