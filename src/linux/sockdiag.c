/* SPDX-License-Identifier: MIT */
#include "linux/sockdiag.h"

#include <linux/sock_diag.h>

int sockdiag_open(void)
{
	return nlmsg_open(NETLINK_SOCK_DIAG);
}

static int ask(int fd, const struct inet_diag_req_v2 *what, uint16_t flags,
	       nlmsg_fn *each, void *arg)
{
	struct nlmsg q;
	struct inet_diag_req_v2 *body = nlmsg_begin(&q, SOCK_DIAG_BY_FAMILY,
						    flags, sizeof(*body));

	*body = *what;
	return nlmsg_ask(fd, &q, each, arg);
}

int sockdiag_dump(int fd, const struct inet_diag_req_v2 *what, nlmsg_fn *each,
		  void *arg)
{
	return ask(fd, what, NLM_F_DUMP, each, arg);
}

int sockdiag_one(int fd, const struct inet_diag_req_v2 *what, nlmsg_fn *each,
		 void *arg)
{
	return ask(fd, what, 0, each, arg);
}
