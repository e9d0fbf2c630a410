/* SPDX-License-Identifier: MIT */
/* cmd/flows.c - `slipway flows` */
#include <stdio.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "config/settings.h"
#include "control/render_flows.h"

static int print(json_t *replies)
{
	json_t *rows = json_array(), *reply;
	json_int_t more = 0;
	const char *name;

	json_object_foreach(replies, name, reply) {
		render_flows_add(rows, name, reply);
		more += json_integer_value(json_object_get(reply, "more"));
	}
	render_flows(stdout, rows, more);
	json_decref(rows);
	json_decref(replies);
	return EXIT_DONE;
}

int cmd_flows(char **argv)
{
	struct config c;
	struct fail fail;
	json_t *reply;
	const int done = cmd_options(&c, FOR_FLOWS, argv, &argv);

	if (done >= 0)
		return done;
	if (argv[0] && argv[1]) {
		fail_set(&fail, "flows %s %s: one NAME at a time; leave it "
			 "away for all", argv[0], argv[1]);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	reply = argv[0] ? ask_once(argv[0], API_FLOWS, NULL, &fail) :
			  ask_all(API_FLOWS, &fail);
	if (!reply)
		return cmd_fail(&fail, EXIT_FAILED);
	if (c.json)
		return cmd_json(reply);
	return print(argv[0] ? json_pack("{s:o}", argv[0], reply) : reply);
}
