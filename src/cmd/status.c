/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/hostfw.h"
#include "config/settings.h"
#include "control/render.h"

/* What only who asks can tell: the keeper starts no program. */
static void add_hostfw(struct hostfw_view *v, json_t *reply)
{
	hostfw_view_warn(v, json_object_get(reply, "published"),
			 json_object_get(reply, "warnings"));
}

static int print_all(bool json)
{
	struct hostfw_view view = { .asked = false };
	struct fail fail;
	json_t *replies = ask_all(API_STATUS, &fail), *list, *reply;
	const char *name;

	if (!replies)
		return cmd_fail(&fail, EXIT_FAILED);
	list = json_array();
	json_object_foreach(replies, name, reply) {
		add_hostfw(&view, reply);
		json_array_append(list, reply);
	}
	hostfw_view_fini(&view);
	json_decref(replies);
	if (json)
		return cmd_json(list);
	if (json_array_size(list))
		render_table(stdout, list);
	else
		puts("No guest runs.");
	json_decref(list);
	return EXIT_DONE;
}

static int print_one(const char *name, bool json)
{
	struct hostfw_view view = { .asked = false };
	struct fail fail;
	json_t *reply = ask_once(name, API_STATUS, NULL, &fail);

	if (!reply)
		return cmd_fail(&fail, EXIT_FAILED);
	add_hostfw(&view, reply);
	hostfw_view_fini(&view);
	if (json)
		return cmd_json(reply);
	render_details(stdout, reply);
	json_decref(reply);
	return EXIT_DONE;
}

int cmd_status(char **argv)
{
	struct config c;
	struct fail fail;
	const int done = cmd_options(&c, FOR_STATUS, argv, &argv);

	if (done >= 0)
		return done;
	if (argv[0] && argv[1]) {
		fail_set(&fail, "status %s %s: one NAME at a time; "
			 "leave it away for all", argv[0], argv[1]);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	return argv[0] ? print_one(argv[0], c.json) : print_all(c.json);
}
