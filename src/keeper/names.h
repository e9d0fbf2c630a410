/* SPDX-License-Identifier: MIT */
/*
 * keeper/names.h - names of instances, and the files that go by them.
 *
 * Runtime directory: /run/slipway for root, $XDG_RUNTIME_DIR/slipway, or
 * /tmp/slipway-UID. It belongs to the user and to nobody else. In it, for
 * an instance NAME:
 *
 *   NAME.lock	held by flock() as long as the keeper lives; who holds it
 *		owns the name and all other files
 *   NAME.sock	control socket
 *   NAME.pid	the keeper's pid
 *   NAME.log	what the keeper and the engine have to say
 *
 * A killed keeper leaves its files; its lock is free. Whoever takes the
 * lock replaces them.
 */
#ifndef KEEPER_NAMES_H
#define KEEPER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/fail.h"
#include "config/config.h"

#define NAMES_DIR_BYTES	256
#define NAMES_PATH_BYTES (NAMES_DIR_BYTES + CONFIG_NAME_BYTES + 8)

/*
 * Path of the runtime directory, which may not exist, but if it does, is
 * ours alone. 0, or -1 with fail set.
 */
MUST int names_find_dir(char dir[NAMES_DIR_BYTES], struct fail *fail);

/* The same, made if need be. */
MUST int names_make_dir(char dir[NAMES_DIR_BYTES], struct fail *fail);

/* A file of an instance; suffix such as ".sock". buf: NAMES_PATH_BYTES. */
const char *names_path(char *buf, const char *dir, const char *name,
		       const char *suffix);

/* A name for the guest that runs command: its last part, made fit. */
void names_from_command(const char *command, char out[CONFIG_NAME_BYTES]);

/* base, base-2, base-3, …: the nth (1..), cut so that it fits. */
void names_nth(const char *base, unsigned n, char out[CONFIG_NAME_BYTES]);

/*
 * Take name's lock: its descriptor, or -errno (-EWOULDBLOCK: an instance
 * of that name lives).
 */
MUST int names_lock(const char *dir, const char *name);

/* Remove an instance's files; keep_log leaves NAME.log. Holds the lock. */
void names_remove(const char *dir, const char *name, bool keep_log);

/* Which instance has this keeper? false: none of ours. */
bool names_of_pid(const char *dir, pid_t keeper, char out[CONFIG_NAME_BYTES]);

/*
 * Call each() with the name of every instance that has a control socket
 * (dead ones too), sorted. Returns their number, or -errno.
 */
int names_each(const char *dir, void (*each)(void *ctx, const char *name),
	       void *ctx);

#endif
