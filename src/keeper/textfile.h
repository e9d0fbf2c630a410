/* SPDX-License-Identifier: MIT */
/* keeper/textfile.h - a whole small file as a string. */
#ifndef KEEPER_TEXTFILE_H
#define KEEPER_TEXTFILE_H

#include <stddef.h>

#include "base/check.h"

/*
 * The first max bytes of a regular file, NUL-terminated (cut at a NUL in
 * it), for the caller to free(). NULL with errno.
 */
MUST char *textfile_read(const char *path, size_t max);

#endif
