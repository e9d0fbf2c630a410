/* SPDX-License-Identifier: MIT */
/*
 * cmd/serve.c - `slipway serve`: a network for a virtual machine
 *
 * The machine's socket is lent to the keeper. We stay in the foreground until
 * a signal, `slipway stop`, or the keeper's end.
 */
#include <poll.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/front.h"
#include "cmd/notify.h"
#include "cmd/vmsocket.h"
#include "config/settings.h"

static void greet(const struct vmsocket *s, const struct front_ready *ready)
{
	char guest[IP_TEXT_BYTES], host[IP_TEXT_BYTES];

	fprintf(stderr, "slipway: network %s, guest %s, host %s; "
		"end it with ^C. For QEMU:\n", ready->name,
		ip_format(&ready->guest4, guest),
		ip_format(&ready->gateway4, host));
	vmsocket_print(s, stderr);
}

/* Until a signal, the keeper's word or the machine's end: what to exit with. */
static int wait_for_end(int link, int signals, struct vmsocket *s,
			struct fail *fail)
{
	struct pollfd p[] = {
		{ .fd = link, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
		{ .fd = s->watch_fd, .events = POLLIN },
		{ .fd = s->connected ? s->fd : -1, .events = POLLRDHUP },
		{ .events = POLLRDHUP },
	};

	for (;;) {
		const int ms = s->watch_fd < 0 ? -1 : vmsocket_connect(s);

		p[4].fd = s->machine_fd;	/* its end: we connect again */
		if (poll(p, sizeof(p) / sizeof(p[0]), ms) <= 0)
			continue;
		if (p[1].revents || p[3].revents)
			return EXIT_DONE;
		if (!p[0].revents)
			continue;
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

static int serve(const struct config *c, struct vmsocket *s,
		 struct fail *fail)
{
	const int signals = front_take_signals();
	const struct keeper_guest guest = { s->fd, GUEST_NS_NONE };
	char *const words[] = { (char *)(uintptr_t)"vm", s->own.sun_path,
				NULL };
	struct guest_ns ns;
	struct front_ready ready;
	int link, status = front_start(c, words, &guest, &ns, &ready, &link,
				       fail);

	vmsocket_lent(s);
	if (status)
		return status == EXIT_OWN ? EXIT_FAILED : status;
	if (!c->quiet)
		greet(s, &ready);
	front_tell_ready(c->ready_fd);
	status = wait_for_end(link, signals, s, fail);
	notify("STOPPING=1");
	if (!fail->text[0])
		front_bye(link);
	return status;
}

/* NULL, or what is wrong with the command's words. */
static const char *check(const struct config *c, char *const *operands)
{
	const int links = !!c->qemu + !!c->qemu_connect + !!c->qemu_dgram +
			  !!c->vhost_user + (c->link_fd >= 0);

	if (operands[0])
		return "it runs no command; give options only";
	if (!links)
		return "there is no link to serve; give --vhost-user SOCK, or "
		       "--qemu SOCK";
	if (links > 1)
		return "it has one link; give one of --vhost-user, --qemu, "
		       "--qemu-connect, --qemu-dgram and --fd";
	return NULL;
}

int cmd_serve(char **argv)
{
	struct fail fail = { 0 };
	struct config c;
	struct vmsocket s;
	char **operands;
	const char *wrong;
	int status = cmd_options(&c, FOR_SERVE, argv, &operands);

	if (status >= 0)
		return status;
	wrong = check(&c, operands);
	if (wrong) {
		fail_set(&fail, "serve: %s", wrong);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	if (front_settings(&c, FOR_SERVE, argv, &fail) < 0)
		return cmd_fail(&fail, EXIT_USAGE);
	if (c.host_access == CONFIG_ACCESS_LOCALHOST) {
		fail_set(&fail, "host access localhost: nothing of ours is in "
			 "a machine to bind its ports; give gateway, or ports");
		return cmd_fail(&fail, EXIT_USAGE);
	}
	if (vmsocket_open(&s, &c, &fail) < 0)
		return cmd_fail(&fail, EXIT_FAILED);
	status = serve(&c, &s, &fail);
	vmsocket_close(&s);
	config_fini(&c);
	if (fail.text[0])
		cmd_fail(&fail, status);
	return status;
}
