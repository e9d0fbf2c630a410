/* SPDX-License-Identifier: MIT */
/*
 * common.h - of the benchmark's programs. They are for measuring and no
 * part of slipway: each ends with a message at the first thing that does
 * not work.
 */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdint.h>

_Noreturn void fail(const char *what);

/* A system call that must work; its value. */
long must(long r, const char *what);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t clock_ns(void);

#endif
