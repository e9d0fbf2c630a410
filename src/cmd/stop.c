/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "config/settings.h"

int cmd_stop(char **argv)
{
	struct config c;
	struct fail fail = { 0 };
	json_t *reply;
	char end;
	int fd;
	const int done = cmd_options(&c, FOR_STOP, argv, &argv);

	if (done >= 0)
		return done;
	if (!argv[0] || argv[1]) {
		fail_set(&fail, "stop: one NAME is needed; see what runs: "
			 "slipway status");
		return cmd_fail(&fail, EXIT_USAGE);
	}
	fd = ask_named(argv[0], &fail);
	if (fd < 0)
		return cmd_fail(&fail, EXIT_FAILED);
	reply = ask(fd, API_STOP, NULL, NULL, NULL, &fail);
	if (!reply)
		return cmd_fail(&fail, EXIT_FAILED);
	/* The keeper lets go of us when all is gone. */
	if (recv(fd, &end, 1, 0) < 0)
		fail_set(&fail, "%s: has not ended yet; kill -9 %lld ends it",
			 argv[0], (long long)json_integer_value(
				json_object_get(reply, "pid")));
	json_decref(reply);
	close(fd);
	return fail.text[0] ? cmd_fail(&fail, EXIT_FAILED) : EXIT_DONE;
}
