/* SPDX-License-Identifier: MIT */
/*
 * cmd/serve.c - `slipway serve`: a network for a virtual machine
 *
 * The socket is made here and lent to the keeper, whose engine accepts the
 * machine. We stay in the foreground until a signal, `slipway stop`, or the
 * keeper's end.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/front.h"
#include "config/settings.h"

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	/* value_qemu() has seen to its length. */
	memcpy(a.sun_path, path, strlen(path));
	return a;
}

/* Has whoever made the socket gone, by SIGKILL perhaps? */
static bool is_stale(const struct sockaddr_un *a)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;
	bool stale;

	if (fd < 0 || lstat(a->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	stale = connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* A listening socket at path, for the user alone; -1 with fail set. */
static int listen_at(const char *path, struct fail *fail)
{
	const struct sockaddr_un a = address_of(path);
	const struct sockaddr *sa = (const struct sockaddr *)&a;
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
			      SOCK_CLOEXEC, 0);
	const mode_t old = umask(0177);
	int rc = fd < 0 ? -1 : bind(fd, sa, sizeof(a));

	if (fd >= 0 && rc < 0 && errno == EADDRINUSE && is_stale(&a)) {
		unlink(path);
		rc = bind(fd, sa, sizeof(a));
	}
	umask(old);
	if (rc == 0 && listen(fd, 4) == 0)
		return fd;
	fail_set(fail, "--qemu %s: %s; %s", path, strerror(errno),
		 errno == EADDRINUSE ? "another one serves there, or it is a "
		 "file: take another path" : "see that its directory is yours");
	if (fd >= 0)
		close(fd);
	return -1;
}

static void greet(const struct config *c, const struct front_ready *ready)
{
	char guest[IP_TEXT_BYTES], host[IP_TEXT_BYTES];

	fprintf(stderr, "slipway: network %s at %s, guest %s, host %s; "
		"end it with ^C\n", ready->name, c->qemu,
		ip_format(&ready->guest4, guest),
		ip_format(&ready->gateway4, host));
}

/* Until a signal or the keeper's word: what to exit with. */
static int wait_for_end(int link, int signals, struct fail *fail)
{
	struct pollfd p[2] = {
		{ .fd = link, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			return EXIT_DONE;
		switch (front_event(link, fail)) {
		case LINK_NOTHING:
			break;
		case LINK_STOP:
			return EXIT_DONE;
		case LINK_LOST:
			return EXIT_FAILED;
		}
	}
}

/* Blocked for good: they are read, not caught. */
static int take_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int serve(const struct config *c, int listen_fd, struct fail *fail)
{
	const int signals = take_signals();

	char *const words[] = { (char *)(uintptr_t)"vm",
				(char *)(uintptr_t)c->qemu, NULL };
	struct guest_ns ns;
	struct front_ready ready;
	int link, status = front_start(c, words, listen_fd, &ns, &ready,
				       &link, fail);

	close(listen_fd);
	if (status)
		return status == EXIT_OWN ? EXIT_FAILED : status;
	if (!c->quiet)
		greet(c, &ready);
	front_tell_ready(c->ready_fd);
	status = wait_for_end(link, signals, fail);
	if (!fail->text[0])
		front_bye(link);
	return status;
}

int cmd_serve(char **argv)
{
	struct fail fail = { 0 };
	struct config c;
	char **operands;
	int fd, status = cmd_options(&c, FOR_SERVE, argv, &operands);

	if (status >= 0)
		return status;
	if (operands[0] || !c.qemu) {
		fail_set(&fail, "serve: %s; give --qemu SOCK and options only",
			 operands[0] ? "it runs no command" :
				       "there is no link to serve");
		return cmd_fail(&fail, EXIT_USAGE);
	}
	if (front_settings(&c, FOR_SERVE, argv, &fail) < 0)
		return cmd_fail(&fail, EXIT_USAGE);
	fd = listen_at(c.qemu, &fail);
	if (fd < 0)
		return cmd_fail(&fail, EXIT_FAILED);
	status = serve(&c, fd, &fail);
	unlink(c.qemu);
	if (fail.text[0])
		cmd_fail(&fail, status);
	return status;
}
