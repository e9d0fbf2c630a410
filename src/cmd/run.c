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
#include <unistd.h>

#include "cmd/boot.h"
#include "cmd/cmd.h"
#include "cmd/front.h"
#include "cmd/session.h"
#include "config/settings.h"
#include "keeper/conflict.h"
#include "linux/bindcall.h"
#include "linux/channel.h"

static void greet(const struct front_ready *ready)
{
	char guest[IP_TEXT_BYTES], host[IP_TEXT_BYTES];

	fprintf(stderr, "slipway: guest %s (%s), host %s; leave it with "
		"exit\n", ready->name, ip_format(&ready->guest4, guest),
		ip_format(&ready->gateway4, host));
}

/* Have the keeper see each bind() from here on. */
static int watch_binds(int link_fd, struct fail *fail)
{
	const struct front_head m = { .kind = FRONT_NOTIFIER };
	const int fd = bindcall_filter(fail);
	int rc;

	if (fd < 0)
		return -1;
	rc = channel_send(link_fd, &m, sizeof(m), &fd, 1);
	close(fd);
	return rc < 0 ? fail_set(fail, "the keeper cannot be told: %s; try "
				 "again", strerror(-rc)) : 0;
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
	boot_run(c, &s->ns, s->link_fd, -1);
	front_tell_ready(c->ready_fd);
	if (shell && !c->quiet)
		greet(&ready);
	s->gateway4 = ready.gateway4;
	s->proxies = c->auto_proxy && c->host_access != CONFIG_ACCESS_OFF;
	s->link_event = front_event;
	if (conflict_refuses(c))
		s->begin = watch_binds;
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
	config_fini(&c);
	if (fail.text[0])
		cmd_fail(&fail, status);
	return status;
}
