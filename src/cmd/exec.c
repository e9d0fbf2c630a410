/* SPDX-License-Identifier: MIT */
/*
 * cmd/exec.c - `slipway exec`: one more command in a guest that runs
 *
 * The keeper hands out the guest's namespaces over its control socket. The
 * connection is kept: its end means that the guest has ended, and so does
 * then the command, which has no network any more. Of a virtual machine it
 * hands out a stream to the agent there instead (cmd/remote.h).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/remote.h"
#include "cmd/session.h"
#include "config/settings.h"
#include "keeper/nsfds.h"

static enum link_word guest_ended(int fd, struct fail *fail)
{
	char byte;

	if (recv(fd, &byte, 1, MSG_DONTWAIT) > 0)
		return LINK_NOTHING;
	fail_set(fail, "the guest has ended; see slipway status for what "
		 "runs");
	return LINK_LOST;
}

/*
 * 0: s has the guest's namespaces. 1: it is a machine, *stream leads to its
 * agent. -1, with fail set.
 */
static int enter(int fd, const char *guest, struct session *s, int *stream,
		 struct fail *fail)
{
	json_t *body = json_pack("{s:s*}", "guest", guest), *reply;
	int fds[ASK_MAX_FDS];
	const char *gateway;
	size_t n_fds;
	bool good;

	if (!body)
		return fail_set(fail, "%s: not UTF-8", guest);
	reply = ask(fd, API_EXEC, body, fds, &n_fds, fail);
	if (!reply)
		return -1;
	if (json_is_true(json_object_get(reply, "agent")) && n_fds == 1) {
		*stream = fds[0];
		json_decref(reply);
		return 1;
	}
	gateway = json_string_value(json_object_get(reply, "gateway"));
	good = gateway && ip_parse(gateway, &s->gateway4) &&
	       nsfds_unpack(fds, n_fds, (unsigned)json_integer_value(
				json_object_get(reply, "namespaces")),
			    &s->ns) && s->ns.net >= 0;
	s->proxies = json_is_true(json_object_get(reply, "proxies"));
	json_decref(reply);
	if (good)
		return 0;
	while (n_fds)
		close(fds[--n_fds]);
	return fail_set(fail, "the guest is of another version of slipway; "
			"use that one");
}

int cmd_exec(char **argv)
{
	char *shell[2] = { NULL, NULL };
	struct session s = { .link_event = guest_ended };
	struct ask_whose whose;
	struct fail fail = { 0 };
	struct config c;
	int stream = -1, kind, status = cmd_options(&c, FOR_EXEC, argv, &argv);

	if (status >= 0)
		return status;
	if (!argv[0]) {
		fail_set(&fail, "exec: a NAME is needed; see what runs: "
			 "slipway status");
		return cmd_fail(&fail, EXIT_USAGE);
	}
	whose = ask_whose(argv[0]);
	s.link_fd = ask_named(whose.network, &fail);
	kind = s.link_fd < 0 ? -1 : enter(s.link_fd, whose.guest, &s, &stream,
					  &fail);
	if (kind < 0)
		return cmd_fail(&fail, EXIT_OWN);
	s.as_root = c.as_root;
	s.argv = argv + 1;
	if (s.argv[0] && !strcmp(s.argv[0], "--"))
		s.argv++;
	if (kind > 0) {
		status = remote_run(stream, s.link_fd, s.argv, &fail);
		return fail.text[0] ? cmd_fail(&fail, status) : status;
	}
	if (!s.argv[0]) {
		shell[0] = strdup(session_shell());
		s.argv = shell;
	}
	status = session_run(&s, &fail);
	free(shell[0]);
	if (fail.text[0])
		cmd_fail(&fail, status);
	return status;
}
