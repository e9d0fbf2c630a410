/* SPDX-License-Identifier: MIT */
/*
 * cmd/attach.c - `slipway attach`: a network for a namespace that exists
 *
 * The namespaces are opened here, by the user's rights, and lent to the
 * keeper. We stay until a signal, `slipway stop`, the end of the process that
 * was named, or the keeper's end.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/background.h"
#include "cmd/boot.h"
#include "cmd/cmd.h"
#include "cmd/front.h"
#include "cmd/pidfile.h"
#include "config/settings.h"
#include "linux/targetns.h"

struct attached {
	const struct config *config;
	struct targetns target;
	struct pidfile pidfile;
	int behind;		/* see background_start(); -1: in front */
};

static void greet(const struct attached *a, const struct front_ready *ready)
{
	char guest[IP_TEXT_BYTES], host[IP_TEXT_BYTES];

	fprintf(stderr, "slipway: network %s, guest %s, gateway and DNS "
		"server %s; end it with %s%s\n", ready->name,
		ip_format(&ready->guest4, guest),
		ip_format(&ready->gateway4, host),
		a->behind < 0 ? "^C" : "slipway stop ",
		a->behind < 0 ? "" : ready->name);
}

static int wait_for_end(int link, int signals, int pidfd, struct fail *fail)
{
	struct pollfd p[3] = {
		{ .fd = link, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = pidfd, .events = POLLIN },
	};

	for (;;) {
		if (poll(p, 3, -1) <= 0)
			continue;
		if (p[1].revents || p[2].revents)
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

/* We do not keep the namespace alive; the keeper and its helper do. */
static void close_namespaces(const struct guest_ns *ns)
{
	if (ns->user >= 0)
		close(ns->user);
	if (ns->net >= 0)
		close(ns->net);
}

static int start(const struct attached *a, int signals,
		 struct front_ready *ready, int *link, struct fail *fail)
{
	const struct config *c = a->config;
	const struct keeper_guest guest = {
		.ns = { a->target.user, a->target.net, -1, -1 },
	};
	char *const process[] = { (char *)(uintptr_t)a->target.comm,
				  (char *)(uintptr_t)c->attach, NULL };
	/* A file gives the name itself. */
	char *const *words = process + (a->target.pidfd < 0);
	struct guest_ns again = GUEST_NS_NONE;
	const int status = front_start(c, words, &guest, &again, ready, link,
				       fail);

	if (!status)
		boot_run_attached(c, &guest.ns, a->target.sees_us, *link,
				  signals);
	close_namespaces(&guest.ns);
	close_namespaces(&again);
	return status == EXIT_OWN ? EXIT_FAILED : status;
}

/*
 * Until the keeper, our only child, has gone: with it goes the tap, and
 * somebody may attach there again.
 */
static void end(int link, const struct fail *fail)
{
	if (!fail->text[0])
		front_bye(link);
	close(link);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static int attach(struct attached *a, struct fail *fail)
{
	const int signals = front_take_signals();
	struct front_ready ready;
	int link, status = start(a, signals, &ready, &link, fail);

	if (status)
		return status;
	if (pidfile_write(&a->pidfile, fail) < 0) {
		end(link, fail);
		return EXIT_FAILED;
	}
	if (!a->config->quiet)
		greet(a, &ready);
	front_tell_ready(a->config->ready_fd);
	background_tell(a->behind, EXIT_DONE);
	status = wait_for_end(link, signals, a->target.pidfd, fail);
	end(link, fail);
	pidfile_remove(&a->pidfile);
	return status;
}

static int go_behind(struct attached *a, struct fail *fail)
{
	if (!a->config->background)
		return 0;
	a->behind = background_start();
	return a->behind < 0 ?
	       fail_set(fail, "--background: cannot fork: %s; try again",
			strerror(-a->behind)) : 0;
}

static int prepare(struct attached *a, struct fail *fail)
{
	const struct config *c = a->config;

	if (targetns_open(c->attach, &a->target, fail) < 0 ||
	    pidfile_check(&a->pidfile, c->pid_file, fail) < 0)
		return -1;
	return go_behind(a, fail);
}

/* Options are read twice, and where operands are among them, sorted. */
static char **copy_words(char **argv)
{
	size_t n = 0;
	char **words;

	while (argv[n++])
		;
	words = malloc(n * sizeof(*words));
	if (words)
		memcpy(words, argv, n * sizeof(*words));
	return words;
}

static int with_words(char **argv, char **words)
{
	struct fail fail = { 0 };
	struct config c;
	struct attached a = { .config = &c, .behind = -1 };
	char **operands;
	int status = cmd_options(&c, FOR_ATTACH, words, &operands);

	if (status >= 0)
		return status;
	if (!operands[0] || operands[1]) {
		fail_set(&fail, "attach: one PID, PATH or NAME is needed; "
			 "give that of a process, of a file, or of ip netns");
		return cmd_fail(&fail, EXIT_USAGE);
	}
	if (front_settings(&c, FOR_ATTACH, argv, &fail) < 0)
		return cmd_fail(&fail, EXIT_USAGE);
	c.attach = operands[0];
	status = EXIT_FAILED;
	if (prepare(&a, &fail) == 0)
		status = attach(&a, &fail);
	if (fail.text[0])
		cmd_fail(&fail, status);
	background_tell(a.behind, status);
	config_fini(&c);
	return status;
}

int cmd_attach(char **argv)
{
	char **words = copy_words(argv);
	const int status = words ? with_words(argv, words) : EXIT_FAILED;

	free(words);
	return status;
}
