/* SPDX-License-Identifier: MIT */
#include "cmd/front.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/notify.h"
#include "config/file.h"
#include "config/options.h"
#include "config/settings.h"
#include "keeper/nsfds.h"
#include "linux/channel.h"

#define BYE_MS 1000		/* the keeper answers in less than one */

union keeper_msg {
	uint32_t kind;
	struct front_head head;
	struct front_ready ready;
	struct front_failed failed;
	struct front_summary summary;
};

/* Of several errors each is told; what is passed over, if that is wanted. */
static void print_note(void *ctx, enum log_level level, const char *text)
{
	const bool *verbose = ctx;

	if (level != LOG_ERROR && !*verbose)
		return;
	fprintf(stderr, "slipway: %s\n", text);
}

/* What one does not start oneself is trusted with nothing of the host. */
static void defaults(struct config *c, unsigned command)
{
	config_defaults(c);
	if (command != FOR_RUN) {
		c->host_access = CONFIG_ACCESS_OFF;
		c->localhost = LOCALHOST_OFF;
	}
}

int front_settings(struct config *c, unsigned command, char **argv,
		   struct fail *fail)
{
	const char *extra = c->file;
	bool verbose = c->verbose;
	const struct log_sink notes = { .write = print_note, .ctx = &verbose };

	config_fini(c);
	defaults(c, command);
	if (file_read_all(c, extra, &notes, fail) < 0)
		return -1;
	if (!options_parse(c, command, command == FOR_ATTACH, argv, fail))
		return -1;
	return config_check(c, fail);
}

static int lost(struct fail *fail)
{
	return fail_set(fail, "the guest's keeper has ended unexpectedly: "
			"killed, or a bug; try again");
}

/* Wait until the guest is up. 0, or what to exit with, fail set. */
static int await(int ch, struct guest_ns *ns, struct front_ready *ready,
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
		fail_set(fail, "stopped before the guest was up; "
			 "run it again");
		return EXIT_OWN;
	}
	if (n != sizeof(m.ready) || m.kind != FRONT_READY ||
	    !nsfds_unpack(fds, n_fds, m.ready.namespaces, ns)) {
		lost(fail);
		return EXIT_OWN;
	}
	*ready = m.ready;
	return 0;
}

int front_start(const struct config *c, char *const *command,
		const struct keeper_guest *guest, struct guest_ns *ns,
		struct front_ready *ready, int *link, struct fail *fail)
{
	int ch[2], status = channel_pair(ch, false);
	const pid_t keeper = status < 0 ? status :
			     keeper_start(c, command, ch[1], guest);

	if (keeper < 0) {
		fail_set(fail, "the keeper cannot be started: %s; try again",
			 strerror((int)-keeper));
		return EXIT_OWN;
	}
	close(ch[1]);
	status = await(ch[0], ns, ready, fail);
	if (!status)
		*link = ch[0];
	return status;
}

enum link_word front_event(int ch, struct fail *fail)
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

/* The answer comes behind what was said before we were heard. */
void front_bye(int ch)
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
		if (n == sizeof(m.summary) && m.kind == FRONT_SUMMARY)
			fprintf(stderr, "%.*s", (int)sizeof(m.summary.text),
				m.summary.text);
		if (n <= 0 || m.kind == FRONT_GONE || m.kind == FRONT_FAILED)
			return;
	}
}

int front_take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

void front_tell_ready(int fd)
{
	void (*was)(int);

	notify("READY=1");
	if (fd < 0)
		return;
	/* Its reader may have gone; the guest is up all the same. */
	was = signal(SIGPIPE, SIG_IGN);
	(void)!write(fd, "ready\n", 6);
	signal(SIGPIPE, was);
	close(fd);
}
