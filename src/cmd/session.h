/* SPDX-License-Identifier: MIT */
/*
 * cmd/session.h - a command in a guest, and us in front of it
 *
 * The command is our child, in our process group: a terminal's ^C and ^Z
 * reach both of us, and the shell that started us sees one job. So signals
 * that the terminal sends are left to the command, and those that somebody
 * sends to us alone are passed on. If we are killed, so is the command.
 *
 * Meanwhile a *link* is watched, the connection to the keeper: it may ask
 * for the command's end, or say that the guest is no more.
 */
#ifndef CMD_SESSION_H
#define CMD_SESSION_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/fail.h"
#include "linux/guestns.h"

enum link_word {
	LINK_NOTHING,
	LINK_STOP,		/* SIGTERM now, SIGKILL later */
	LINK_LOST,		/* SIGKILL now; fail says why */
};

struct session {
	struct guest_ns ns;	/* taken: closed once the command has them */
	struct ip gateway4;
	bool as_root;
	bool proxies;		/* those of localhost are to be reached */
	/* Last of all in the command's own process, privileged in there;
	   NULL: nothing. 0, or -1 with fail set: it is not started. */
	int (*begin)(int link_fd, struct fail *fail);
	char **argv;		/* NULL-terminated, at least one word */
	int link_fd;		/* borrowed */
	enum link_word (*link_event)(int link_fd, struct fail *fail);
};

/**
 * session_run() - start the command, wait until it has ended
 * @fail:	"" or, after LINK_LOST, why
 *
 * What keeps the command from starting is printed by the child, as it is
 * the last that may write to its terminal.
 *
 * Return: what to exit with: the command's own status, 128 + n if signal n
 * ended it, 125 to 127.
 */
MUST int session_run(struct session *s, struct fail *fail);

/* The user's shell: $SHELL, else that of the account, else /bin/sh. */
const char *session_shell(void);

#endif
