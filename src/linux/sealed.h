/* SPDX-License-Identifier: MIT */
/* linux/sealed.h - bytes handed to another process, to be mapped there. */
#ifndef LINUX_SEALED_H
#define LINUX_SEALED_H

#include <stddef.h>

#include "base/check.h"
#include "base/span.h"

/*
 * A file without a name that holds the parts, one behind the other, and
 * neither changes nor shrinks any more: who maps it is safe from that.
 * A descriptor for the caller to close, or -errno.
 */
MUST int sealed_file(const char *name, const struct view *part, size_t n);

#endif
