/* SPDX-License-Identifier: MIT */
/*
 * cmd/run.c - `slipway run`: the front of a guest
 *
 * Settings are read, the keeper is forked and makes the guest, then the
 * command runs in it (cmd/session.h) while we wait. When it has ended the
 * keeper is told; its answer means that ports, files and name are free
 * again, and we exit with the command's status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/front.h"
#include "cmd/session.h"
#include "config/settings.h"

static void greet(const struct front_ready *ready)
{
	char guest[IP_TEXT_BYTES], host[IP_TEXT_BYTES];

	fprintf(stderr, "slipway: guest %s (%s), host %s; leave it with "
		"exit\n", ready->name, ip_format(&ready->guest4, guest),
		ip_format(&ready->gateway4, host));
}

static int with_keeper(const struct config *c, struct session *s, bool shell,
		       struct fail *fail)
{
	const struct keeper_guest new = KEEPER_GUEST_NEW;
	struct front_ready ready;
	int status = front_start(c, s->argv, &new, &s->ns, &ready, &s->link_fd,
				 fail);

	if (status)
		return status;
	front_tell_ready(c->ready_fd);
	if (shell && !c->quiet)
		greet(&ready);
	s->gateway4 = ready.gateway4;
	s->proxies = c->auto_proxy && c->host_access != CONFIG_ACCESS_OFF;
	s->link_event = front_event;
	status = session_run(s, fail);
	if (!fail->text[0])
		front_bye(s->link_fd);
	return status;
}

int cmd_run(char **argv)
{
	char *shell[2] = { NULL, NULL };
	struct session s = { 0 };
	struct fail fail = { 0 };
	struct config c;
	char **command;
	int status = cmd_options(&c, FOR_RUN, argv, &command);

	if (status >= 0)
		return status;
	if (front_settings(&c, FOR_RUN, argv, &fail) < 0)
		return cmd_fail(&fail, EXIT_USAGE);
	if (!command[0]) {
		shell[0] = strdup(session_shell());
		command = shell;
	}
	s.argv = command;
	s.as_root = c.as_root;
	status = with_keeper(&c, &s, command == shell, &fail);
	free(shell[0]);
	if (fail.text[0])
		cmd_fail(&fail, status);
	return status;
}
