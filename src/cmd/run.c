/* SPDX-License-Identifier: MIT */
/*
 * cmd/run.c - `slipway run`: the front of a guest
 *
 * Settings are read, the keeper is forked and makes the guest, then the
 * command runs in it (cmd/session.h) while we wait. When it has ended the
 * keeper is told; its answer means that ports, files and name are free
 * again, and we exit with the command's status.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/session.h"
#include "config/file.h"
#include "config/options.h"
#include "config/settings.h"
#include "keeper/front.h"
#include "keeper/keeper.h"
#include "keeper/nsfds.h"
#include "linux/channel.h"

#define BYE_MS 1000		/* the keeper answers in less than one */

union keeper_msg {
	uint32_t kind;
	struct front_head head;
	struct front_ready ready;
	struct front_failed failed;
};

static void print_note(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	fprintf(stderr, "slipway: %s\n", text);
}

/* Files first, then the options again, over them. */
static int settings_of(struct config *c, char **argv, struct fail *fail)
{
	const struct log_sink notes = { .write = print_note };
	const char *extra = c->file;
	const bool verbose = c->verbose;

	config_defaults(c);
	if (file_read_all(c, extra, verbose ? &notes : NULL, fail) < 0)
		return -1;
	if (!options_parse(c, FOR_RUN, false, argv, fail))
		return -1;
	return config_check(c, fail);
}

static int lost(struct fail *fail)
{
	return fail_set(fail, "the guest's keeper has ended unexpectedly: "
			"killed, or a bug; try again");
}

/* Wait until the guest is up. 0, or what to exit with, fail set. */
static int await(int ch, struct session *s, struct front_ready *ready,
		 struct fail *fail)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	union keeper_msg m;
	const ssize_t n = channel_recv(ch, &m, sizeof(m), fds, &n_fds);

	if (n == sizeof(m.failed) && m.kind == FRONT_FAILED) {
		*fail = m.failed.fail;
		return m.failed.status;
	}
	if (n == sizeof(m.head) && m.kind == FRONT_STOP) {
		fail_set(fail, "stopped before the command ran; "
			 "run it again");
		return EXIT_OWN;
	}
	if (n != sizeof(m.ready) || m.kind != FRONT_READY ||
	    !nsfds_unpack(fds, n_fds, m.ready.namespaces, &s->ns)) {
		lost(fail);
		return EXIT_OWN;
	}
	*ready = m.ready;
	s->gateway4 = m.ready.gateway4;
	return 0;
}

static enum link_word keeper_says(int ch, struct fail *fail)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	union keeper_msg m;
	const ssize_t n = channel_recv(ch, &m, sizeof(m), fds, &n_fds);

	while (n_fds)
		close(fds[--n_fds]);
	if (n == sizeof(m.head) && m.kind == FRONT_STOP)
		return LINK_STOP;
	if (n == sizeof(m.failed) && m.kind == FRONT_FAILED)
		*fail = m.failed.fail;
	else if (n <= 0)
		lost(fail);
	else
		return LINK_NOTHING;
	return LINK_LOST;
}

/* Wait for the keeper's answer, past what it said before it heard us. */
static void say_bye(int ch)
{
	const struct front_head bye = { .kind = FRONT_BYE };
	struct pollfd p = { .fd = ch, .events = POLLIN };
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	union keeper_msg m;

	if (channel_send(ch, &bye, sizeof(bye), NULL, 0) < 0)
		return;
	while (poll(&p, 1, BYE_MS) > 0) {
		const ssize_t n = channel_recv(ch, &m, sizeof(m), fds,
					       &n_fds);

		while (n_fds)
			close(fds[--n_fds]);
		if (n <= 0 || m.kind == FRONT_GONE || m.kind == FRONT_FAILED)
			return;
	}
}

static void greet(const struct front_ready *ready)
{
	char guest[IP_TEXT_BYTES], host[IP_TEXT_BYTES];

	fprintf(stderr, "slipway: guest %s (%s), host %s; leave it with "
		"exit\n", ready->name, ip_format(&ready->guest4, guest),
		ip_format(&ready->gateway4, host));
}

static void tell_ready(int fd)
{
	if (fd < 0)
		return;
	(void)!write(fd, "ready\n", 6);
	close(fd);
}

static int with_keeper(const struct config *c, struct session *s, bool shell,
		       struct fail *fail)
{
	struct front_ready ready;
	int ch[2], status;
	pid_t keeper;

	status = channel_pair(ch, false);
	keeper = status < 0 ? status : keeper_start(c, s->argv, ch[1]);
	if (keeper < 0) {
		fail_set(fail, "the keeper cannot be started: %s; try again",
			 strerror((int)-keeper));
		return EXIT_OWN;
	}
	close(ch[1]);
	status = await(ch[0], s, &ready, fail);
	if (status)
		return status;
	tell_ready(c->ready_fd);
	if (shell && !c->quiet)
		greet(&ready);
	s->link_fd = ch[0];
	s->link_event = keeper_says;
	status = session_run(s, fail);
	if (!fail->text[0])
		say_bye(ch[0]);
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
	if (settings_of(&c, argv, &fail) < 0)
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
