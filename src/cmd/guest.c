/* SPDX-License-Identifier: MIT */
/* cmd/guest.c - `slipway guest`: the agent in a virtual machine */
#include <unistd.h>

#include "cmd/cmd.h"
#include "config/settings.h"
#include "guest/agent.h"

int cmd_guest(char **argv)
{
	struct config c;
	struct fail fail;
	const int done = cmd_options(&c, FOR_GUEST, argv, &argv);

	if (done >= 0)
		return done;
	if (argv[0]) {
		fail_set(&fail, "guest %s: takes no argument; leave it away",
			 argv[0]);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	if (geteuid() != 0) {
		fail_set(&fail, "guest: not root: the host hears root alone; "
			 "start it as a service of the machine");
		return cmd_fail(&fail, EXIT_USAGE);
	}
	agent_serve(c.has_gateway ? &c.gateway : NULL, SLIPWAY_VERSION);
}
