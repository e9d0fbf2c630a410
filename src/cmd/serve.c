/* SPDX-License-Identifier: MIT */
/*
 * cmd/serve.c - `slipway serve`: a network for virtual machines
 *
 * The sockets of its links are lent to the keeper. We stay in the foreground
 * until a signal, `slipway stop`, or the keeper's end.
 */
#include <poll.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "cmd/front.h"
#include "cmd/notify.h"
#include "cmd/vmsocket.h"
#include "config/settings.h"

/* The sockets of all links, in their order. */
struct served {
	const struct config *config;
	unsigned n;
	struct vmsocket at[CONFIG_LINKS_MAX];
};

/*
 * Which machine joins where is for the user to say, but for its MAC: one that
 * a section names is known by that.
 */
static void greet(const struct served *v, const struct front_ready *ready)
{
	char guest[IP_TEXT_BYTES], host[IP_TEXT_BYTES];

	fprintf(stderr, "slipway: network %s, guest %s, host %s; "
		"end it with ^C. For QEMU%s:\n", ready->name,
		ip_format(&ready->guest4, guest),
		ip_format(&ready->gateway4, host),
		v->n > 1 ? ", a line for each machine" : "");
	for (unsigned i = 0; i < v->n; i++)
		vmsocket_print(&v->at[i], stderr);
}

/* The one machine at the other end of a pair has gone, and none is left. */
static bool all_gone(struct pollfd *ends, unsigned n)
{
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		if (ends[i].revents)
			ends[i].fd = -1;
		any |= ends[i].revents != 0;
	}
	for (unsigned i = 0; i < n && any; i++)
		any = ends[i].fd < 0;
	return any;
}

/* Machines of datagrams that may be there anew. Milliseconds, as poll(). */
static int connect_all(struct served *v)
{
	int least = -1;

	for (unsigned i = 0; i < v->n; i++) {
		const int ms = v->at[i].watch_fd < 0 ? -1 :
			       vmsocket_connect(&v->at[i]);

		if (ms >= 0 && (least < 0 || ms < least))
			least = ms;
	}
	return least;
}

/* Until a signal, the keeper's word or the machines' end: the exit status. */
static int wait_for_end(int link, int signals, struct served *v,
			struct fail *fail)
{
	struct pollfd p[2 + 3 * CONFIG_LINKS_MAX] = {
		{ .fd = link, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	struct pollfd *ends = p + 2 + v->n, *dialled = ends + v->n;
	unsigned pairs = 0;

	for (unsigned i = 0; i < v->n; i++) {
		const struct vmsocket *s = &v->at[i];

		p[2 + i] = (struct pollfd){ .fd = s->watch_fd,
					    .events = POLLIN };
		ends[i] = (struct pollfd){ .fd = s->connected ? s->fd : -1,
					   .events = POLLRDHUP };
		pairs += s->connected;
	}
	for (;;) {
		const int ms = connect_all(v);

		/* The end of one of these: we connect again. */
		for (unsigned i = 0; i < v->n; i++)
			dialled[i] = (struct pollfd){
				.fd = v->at[i].machine_fd, .events = POLLRDHUP,
			};
		if (poll(p, 2 + 3 * v->n, ms) <= 0)
			continue;
		if (p[1].revents || (pairs == v->n && all_gone(ends, v->n)))
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

static int serve(struct served *v, struct fail *fail)
{
	const struct config *c = v->config;
	const int signals = front_take_signals();
	struct keeper_guest guest = KEEPER_GUEST_NEW;
	char *const words[] = { (char *)(uintptr_t)"vm",
				v->at[0].own.sun_path, NULL };
	struct guest_ns ns;
	struct front_ready ready;
	int link, status;

	for (; guest.n_links < v->n; guest.n_links++)
		guest.link_fds[guest.n_links] = v->at[guest.n_links].fd;
	status = front_start(c, words, &guest, &ns, &ready, &link, fail);
	for (unsigned i = 0; i < v->n; i++)
		vmsocket_lent(&v->at[i]);
	if (status)
		return status == EXIT_OWN ? EXIT_FAILED : status;
	if (!c->quiet)
		greet(v, &ready);
	front_tell_ready(c->ready_fd);
	status = wait_for_end(link, signals, v, fail);
	notify("STOPPING=1");
	if (!fail->text[0])
		front_bye(link);
	return status;
}

/* NULL, or what is wrong with the command's words. */
static const char *check(const struct config *c, char *const *operands)
{
	if (operands[0])
		return "it runs no command; give options only";
	if (!c->n_links)
		return "there is no link to serve; give --vhost-user SOCK, or "
		       "--qemu SOCK";
	return NULL;
}

int cmd_serve(char **argv)
{
	struct fail fail = { 0 };
	struct config c;
	struct served v = { .config = &c };
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
	if (c.host_access == CONFIG_ACCESS_LOCALHOST && !c.agent) {
		fail_set(&fail, "host access localhost: the machine's agent "
			 "binds its ports; give gateway, or leave --no-agent "
			 "away");
		return cmd_fail(&fail, EXIT_USAGE);
	}
	if (vmsocket_open_all(v.at, &c, &fail) < 0)
		return cmd_fail(&fail, EXIT_FAILED);
	v.n = c.n_links;
	status = serve(&v, &fail);
	while (v.n)
		vmsocket_close(&v.at[--v.n]);
	config_fini(&c);
	if (fail.text[0])
		cmd_fail(&fail, status);
	return status;
}
