/* SPDX-License-Identifier: MIT */
/* cmd/publish.c - `slipway publish` and `slipway unpublish` */
#include <stdio.h>
#include <string.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/hostfw.h"
#include "config/settings.h"
#include "control/render_ports.h"

/* It is published, so this is no failure. */
static void print_warnings(struct hostfw_view *view, json_t *answer)
{
	json_t *warnings = json_array(), *w;
	size_t i;

	hostfw_view_warn(view, json_object_get(answer, "published"), warnings);
	json_array_foreach(warnings, i, w)
		fprintf(stderr, "slipway: %s\n", json_string_value(w));
	json_decref(warnings);
}

/* Each of the words in turn; the first that is refused ends it. */
static int each(struct hostfw_view *view, enum api_op op, const char *name,
		char *const *words, bool once)
{
	const struct ask_whose w = ask_whose(name);
	struct fail fail;

	for (; *words; words++) {
		json_t *body = json_pack("{s:s, s:b}", "publish", *words,
					 "once", once), *answer;

		if (body && w.guest)
			json_object_set_new(body, "guest",
					    json_string(w.guest));
		if (!body) {
			fail_set(&fail, "%s: not UTF-8", *words);
			return cmd_fail(&fail, EXIT_USAGE);
		}
		answer = ask_once(w.network, op, body, &fail);
		if (!answer)
			return cmd_fail(&fail, EXIT_FAILED);
		if (op == API_PUBLISH) {
			render_publish(stdout, w.network, answer);
			fflush(stdout);
			print_warnings(view, answer);
		}
		json_decref(answer);
	}
	return EXIT_DONE;
}

static int begin(enum api_op op, const char *command, unsigned bit,
		 char **argv)
{
	struct hostfw_view view = { .asked = false };
	struct fail fail = { 0 };
	struct publish p;
	struct config c;
	int done = cmd_options(&c, bit, argv, &argv);
	const char *why;

	if (done >= 0)
		return done;
	if (!argv[0] || !argv[1]) {
		fail_set(&fail, "%s: a NAME and PORTS are needed, such as: "
			 "slipway %s web 8080:80", command, command);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	/* Nothing is done if one of them is none. */
	for (char **word = argv + 1; *word; word++) {
		why = publish_parse(*word, &p);
		if (!why)
			continue;
		fail_set(&fail, "%s %s: %s; give "
			 "[ADDR:]PORT[-PORT][:GUESTPORT][/udp], such as "
			 "8080:80, or auto", command, *word, why);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	done = each(&view, op, argv[0], argv + 1, c.once);
	hostfw_view_fini(&view);
	return done;
}

int cmd_publish(char **argv)
{
	return begin(API_PUBLISH, "publish", FOR_PUBLISH, argv);
}

int cmd_unpublish(char **argv)
{
	return begin(API_UNPUBLISH, "unpublish", FOR_UNPUBLISH, argv);
}
