/* SPDX-License-Identifier: MIT */
/* linux/procfile.h - small files of /proc, /sys and /etc, whole. */
#ifndef LINUX_PROCFILE_H
#define LINUX_PROCFILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/check.h"

/*
 * Read up to cap - 1 bytes and end them with NUL. Their number, or -errno;
 * -EFBIG for a file that does not fit.
 */
MUST ssize_t procfile_read(const char *path, char *buf, size_t cap);

/* Write text in one go into a file that exists. 0 or -errno. */
MUST int procfile_write(const char *path, const char *text);

/* The same where it is no loss if it cannot be. */
void procfile_try(const char *path, const char *text);

/* The first number in a file; otherwise if there is none. */
long procfile_number(const char *path, long otherwise);

#endif
