/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "cmd/cmd.h"
#include "config/settings.h"
#include "linux/netlink.h"

int cmd_host_ip(char **argv)
{
	struct netlink *nl;
	struct config c;
	struct fail fail;
	char text[IP_TEXT_BYTES];
	struct ip ip;
	bool found;
	const int done = cmd_options(&c, FOR_HOST_IP, argv, &argv);

	if (done >= 0)
		return done;
	if (argv[0]) {
		fail_set(&fail, "host-ip %s: takes no argument; "
			 "leave it away", argv[0]);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	nl = netlink_open();
	if (!nl) {
		fail_set(&fail, "the routes cannot be read: %s; try again",
			 strerror(errno));
		return cmd_fail(&fail, EXIT_FAILED);
	}
	found = netlink_default_gateway(nl, &ip);
	netlink_close(nl);
	if (!found) {
		fail_set(&fail, "host-ip: no IPv4 default route with a "
			 "gateway here; run it inside a guest");
		return cmd_fail(&fail, EXIT_FAILED);
	}
	printf("%s\n", ip_format(&ip, text));
	return EXIT_DONE;
}
