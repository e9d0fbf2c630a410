/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "config/settings.h"
#include "control/render.h"
#include "keeper/names.h"

struct listing {
	const char *dir;
	json_t *list;
};

/* One that ends while it is asked is not listed, and no error. */
static void add(void *ctx, const char *name)
{
	struct listing *l = ctx;
	const int fd = ask_connect(l->dir, name);
	struct fail fail;
	json_t *reply;

	if (fd < 0)
		return;
	reply = ask(fd, REQUEST_STATUS, NULL, NULL, &fail);
	if (reply)
		json_array_append_new(l->list, reply);
	close(fd);
}

static int print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
	json_decref(value);
	return EXIT_DONE;
}

static int print_all(bool json)
{
	char dir[NAMES_DIR_BYTES];
	struct listing l = { .dir = dir, .list = json_array() };
	struct fail fail;
	int n;

	if (names_find_dir(dir, &fail) < 0)
		return cmd_fail(&fail, EXIT_FAILED);
	n = names_each(dir, add, &l);
	if (n < 0 && n != -ENOENT) {
		fail_set(&fail, "%s: cannot be read: %s; see that it is "
			 "yours", dir, strerror(-n));
		return cmd_fail(&fail, EXIT_FAILED);
	}
	if (json)
		return print_json(l.list);
	if (json_array_size(l.list))
		render_table(stdout, l.list);
	else
		puts("No guest runs.");
	json_decref(l.list);
	return EXIT_DONE;
}

static int print_one(const char *name, bool json)
{
	struct fail fail;
	const int fd = ask_named(name, &fail);
	json_t *reply;

	if (fd < 0)
		return cmd_fail(&fail, EXIT_FAILED);
	reply = ask(fd, REQUEST_STATUS, NULL, NULL, &fail);
	close(fd);
	if (!reply)
		return cmd_fail(&fail, EXIT_FAILED);
	if (json)
		return print_json(reply);
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
