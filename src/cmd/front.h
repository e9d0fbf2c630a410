/* SPDX-License-Identifier: MIT */
/* cmd/front.h - what run, serve and attach have in common: a keeper. */
#ifndef CMD_FRONT_H
#define CMD_FRONT_H

#include "base/check.h"
#include "base/fail.h"
#include "cmd/session.h"
#include "config/config.h"
#include "keeper/front.h"
#include "keeper/keeper.h"
#include "linux/guestns.h"

/*
 * All settings of the command (FOR_RUN, FOR_SERVE or FOR_ATTACH): files
 * first, then the options of argv again, over them; operands may be between
 * those of attach, and are sorted apart. 0, or -1 with fail set.
 */
MUST int front_settings(struct config *c, unsigned command, char **argv,
			struct fail *fail);

/**
 * front_start() - start a keeper and wait until the guest is up
 * @command:	NULL-terminated; the first word makes the default name
 * @guest:	where it is, if not in namespaces of its own; borrowed
 * @ns:		gets the guest's namespaces, -1 each if it has none
 * @link:	gets our end of the channel to the keeper
 *
 * Return: 0, or what to exit with, fail set.
 */
MUST int front_start(const struct config *c, char *const *command,
		     const struct keeper_guest *guest, struct guest_ns *ns,
		     struct front_ready *ready, int *link, struct fail *fail);

/* What the keeper has to say, for struct session. */
enum link_word front_event(int ch, struct fail *fail);

/*
 * The end: tell the keeper and wait until name, files and ports are free. What
 * it has to say of an allow list goes to stderr.
 */
void front_bye(int ch);

/*
 * Block the signals that end a network in the foreground, for good: they are
 * read, not caught. A signalfd.
 */
int front_take_signals(void);

/*
 * The guest is up: a service manager is told (cmd/notify.h), and, by
 * --ready-fd, fd gets a line and is closed. fd < 0: nothing. Nor is it an
 * error that nobody reads there any more. Changes SIGPIPE's action meanwhile.
 */
void front_tell_ready(int fd);

#endif
