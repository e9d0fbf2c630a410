/* SPDX-License-Identifier: MIT */
/* cmd/ask.h - questions to running instances (control/request.h). */
#ifndef CMD_ASK_H
#define CMD_ASK_H

#include <jansson.h>
#include <stddef.h>

#include "base/check.h"
#include "base/fail.h"
#include "control/request.h"

#define ASK_MAX_FDS 8

/* Connect to an instance: a descriptor, or -errno (-ENOENT: none runs). */
MUST int ask_connect(const char *dir, const char *name);

/**
 * ask() - one request, one reply
 * @fd:		from ask_connect(); stays open
 * @fds:	room for ASK_MAX_FDS received descriptors, close-on-exec, the
 *		caller's on success; NULL if none are expected
 *
 * Waits a few seconds at most. Return: the reply, to be json_decref()ed,
 * or NULL with fail set (also for a refusal).
 */
MUST json_t *ask(int fd, enum request_op op, int *fds, size_t *n_fds,
		 struct fail *fail);

/*
 * Find name's instance, complaining if there is none: a descriptor, or -1
 * with fail set.
 */
MUST int ask_named(const char *name, struct fail *fail);

#endif
