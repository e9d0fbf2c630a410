/* SPDX-License-Identifier: MIT */
/*
 * keeper/front.h - what the front and its keeper tell each other.
 *
 * The front is the process that the user started; it forks the keeper,
 * waits for FRONT_READY, starts the command, and says FRONT_BYE when that
 * has ended. Either learns by end of file that the other is gone.
 */
#ifndef KEEPER_FRONT_H
#define KEEPER_FRONT_H

#include <stdint.h>

#include "base/addr.h"
#include "base/fail.h"
#include "config/config.h"

enum front_kind {
	/* keeper -> front */
	FRONT_READY = 1,	/* struct front_ready + namespaces */
	FRONT_FAILED,		/* struct front_failed: it is over */
	FRONT_STOP,		/* struct front_head: end the command */
	FRONT_SUMMARY,		/* struct front_summary: for the terminal */
	FRONT_GONE,		/* struct front_head: answer to BYE */
	/* front -> keeper */
	FRONT_BYE,		/* struct front_head: the command has ended */
	FRONT_NOTIFIER,		/* struct front_head + what bindcall_filter()
				   made in the command's process */
	FRONT_BOOT,		/* struct front_boot */
};

/* What became of `[boot] command`. */
enum front_boot_end {
	FRONT_BOOT_EXIT,	/* it has ended, with that status */
	FRONT_BOOT_SIGNAL,	/* by that signal */
	FRONT_BOOT_RUNS,	/* it has not, and the command begins */
	FRONT_BOOT_FAILED,	/* it cannot be started: an errno */
	FRONT_BOOT_UNSAFE,	/* it is not: cmd/boot.h */
};

struct front_boot {
	uint32_t kind;
	enum front_boot_end end;
	int32_t status;
};

struct front_head {
	uint32_t kind;
};

struct front_ready {
	uint32_t kind;
	char name[CONFIG_NAME_BYTES];
	struct ip guest4, gateway4;
	uint32_t namespaces;	/* which descriptors came, see nsfds.h */
};

#define FRONT_SUMMARY_BYTES 4096

/* What the command's user should know now that it has ended. */
struct front_summary {
	uint32_t kind;
	char text[FRONT_SUMMARY_BYTES];	/* whole lines, NUL-terminated */
};

struct front_failed {
	uint32_t kind;
	int32_t status;		/* that slipway should exit with */
	struct fail fail;
};

#endif
