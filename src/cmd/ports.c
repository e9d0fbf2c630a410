/* SPDX-License-Identifier: MIT */
/* cmd/ports.c - `slipway ports` and `slipway ports take` */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/hostfw.h"
#include "config/settings.h"
#include "control/render.h"
#include "control/render_ports.h"

/* Below the table: what the host's firewall keeps from other machines. */
static void print_warnings(json_t *replies)
{
	struct hostfw_view view = { .asked = false };
	json_t *list = json_array(), *ports;
	const char *name;

	json_object_foreach(replies, name, ports) {
		json_t *warnings = json_array();

		hostfw_view_warn(&view, json_object_get(ports, "published"),
				 warnings);
		json_array_append_new(list, json_pack("{s:s, s:o}", "name",
						      name, "warnings",
						      warnings));
	}
	render_warnings(stdout, list);
	json_decref(list);
	hostfw_view_fini(&view);
}

static int print(json_t *replies, bool json)
{
	json_t *rows, *ports;
	const char *name;

	if (json)
		return cmd_json(replies);
	rows = json_array();
	json_object_foreach(replies, name, ports)
		render_ports_add(rows, name, ports);
	render_ports(stdout, rows);
	print_warnings(replies);
	json_decref(rows);
	json_decref(replies);
	return EXIT_DONE;
}

static int list(const char *name, bool json)
{
	struct fail fail;
	json_t *reply;

	if (!name) {
		reply = ask_all(API_PORTS, &fail);
	} else {
		reply = ask_once(name, API_PORTS, NULL, &fail);
		if (reply && json)
			return cmd_json(reply);
		reply = reply ? json_pack("{s:o}", name, reply) : NULL;
	}
	return reply ? print(reply, json) : cmd_fail(&fail, EXIT_FAILED);
}

/* "8000", "8000/tcp", "53/udp": 0, and *udp set, if it is none. */
static uint16_t port_of(const char *text, bool *udp)
{
	char *end;
	const long port = strtol(text, &end, 10);

	*udp = !strcmp(end, "/udp");
	if (end == text || port < 1 || port > 65535 ||
	    (*end && !*udp && strcmp(end, "/tcp")))
		return 0;
	return (uint16_t)port;
}

static int take(char **argv)
{
	struct fail fail;
	uint16_t port;
	json_t *reply;
	bool udp;

	if (!argv[0] || !argv[1] || argv[2]) {
		fail_set(&fail, "ports take: a NAME and one PORT[/udp] are "
			 "needed, such as: slipway ports take web 8000");
		return cmd_fail(&fail, EXIT_USAGE);
	}
	port = port_of(argv[1], &udp);
	if (!port) {
		fail_set(&fail, "ports take %s: not a port; give 1 to 65535, "
			 "/udp behind it if it is of UDP", argv[1]);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	reply = ask_once(argv[0], API_TAKE, json_pack("{s:i, s:s}", "port",
			 (int)port, "protocol", udp ? "udp" : "tcp"), &fail);
	if (!reply)
		return cmd_fail(&fail, EXIT_FAILED);
	json_decref(reply);
	return EXIT_DONE;
}

int cmd_ports(char **argv)
{
	struct config c;
	struct fail fail;
	const int done = cmd_options(&c, FOR_PORTS, argv, &argv);

	if (done >= 0)
		return done;
	if (argv[0] && !strcmp(argv[0], "take") && argv[1])
		return take(argv + 1);
	if (argv[0] && argv[1]) {
		fail_set(&fail, "ports %s %s: one NAME at a time; leave it "
			 "away for all", argv[0], argv[1]);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	return list(argv[0], c.json);
}
