/* SPDX-License-Identifier: MIT */
/* cmd/ask.h - questions to running instances (control/api.h). */
#ifndef CMD_ASK_H
#define CMD_ASK_H

#include <jansson.h>
#include <stddef.h>

#include "base/check.h"
#include "base/fail.h"
#include "config/config.h"
#include "control/api.h"

#define ASK_MAX_FDS 8

/* Connect to an instance: a descriptor, or -errno (-ENOENT: none runs). */
MUST int ask_connect(const char *dir, const char *name);

/**
 * ask() - one request, one reply
 * @fd:		from ask_connect(); stays open
 * @body:	taken; NULL: none
 * @fds:	room for ASK_MAX_FDS received descriptors, close-on-exec, the
 *		caller's on success; NULL if none are expected
 *
 * Waits a few seconds at most. Return: the reply, to be json_decref()ed,
 * or NULL with fail set (also for a refusal).
 */
MUST json_t *ask(int fd, enum api_op op, json_t *body, int *fds, size_t *n_fds,
		 struct fail *fail);

/* The same of a named instance, without descriptors. */
MUST json_t *ask_once(const char *name, enum api_op op, json_t *body,
		      struct fail *fail);

/*
 * The same of all that run: an object of replies by name, those left out that
 * end while they are asked. NULL with fail set.
 */
MUST json_t *ask_all(enum api_op op, struct fail *fail);

/*
 * Which guest is meant: the given one, or, of NULL and "", the only one that
 * runs. 0, or -1 with fail set; command is what was typed, for that.
 */
MUST int ask_which(const char *given, const char *command,
		   char out[CONFIG_NAME_BYTES], struct fail *fail);

/* Does it run? 0, or -1 with fail set. */
MUST int ask_runs(const char *name, bool *runs, struct fail *fail);

/* "NETWORK", or "NETWORK/GUEST", for one of several guests. */
struct ask_whose {
	char network[CONFIG_NAME_BYTES + 1];	/* with what is too much */
	const char *guest;			/* of the text; NULL: the first */
};
struct ask_whose ask_whose(const char *name);

/*
 * Find name's instance, complaining if there is none: a descriptor, or -1
 * with fail set.
 */
MUST int ask_named(const char *name, struct fail *fail);

#endif
