/* SPDX-License-Identifier: MIT */
#include "linux/sockdiag.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#define PART_BYTES	32768	/* the kernel's largest part of a dump */

int sockdiag_open(void)
{
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			      NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

/* Tells what is left of an earlier answer from ours. */
static uint32_t next_seq(void)
{
	static uint32_t seq;

	return ++seq;
}

static int ask(int fd, const struct inet_diag_req_v2 *what, uint16_t flags,
	       uint32_t seq)
{
	const struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} req = {
		.h = {
			.nlmsg_len = sizeof(req),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | flags,
			.nlmsg_seq = seq,
		},
		.r = *what,
	};

	return sendto(fd, &req, sizeof(req), 0, NULL, 0) < 0 ? -errno : 0;
}

/* The next part of the answer: its bytes, or -errno. */
static ssize_t part(int fd, uint32_t seq, char *buf, size_t cap)
{
	const struct nlmsghdr *h = (const void *)buf;
	ssize_t n;

	do
		n = recvfrom(fd, buf, cap, 0, NULL, NULL);
	while ((n < 0 && errno == EINTR) ||
	       (n >= (ssize_t)sizeof(*h) && h->nlmsg_seq != seq));
	return n < 0 ? -errno : n;
}

int sockdiag_dump(int fd, const struct inet_diag_req_v2 *what, mnl_cb_t each,
		  void *arg)
{
	_Alignas(struct nlmsghdr) char buf[PART_BYTES];
	const uint32_t seq = next_seq();
	int ret = MNL_CB_OK;
	const int err = ask(fd, what, NLM_F_DUMP, seq);

	if (err)
		return err;
	while (ret > MNL_CB_STOP) {
		const ssize_t n = part(fd, seq, buf, sizeof(buf));

		if (n < 0)
			return (int)n;
		ret = mnl_cb_run(buf, (size_t)n, seq, 0, each, arg);
	}
	return ret < 0 ? -errno : 0;
}

int sockdiag_one(int fd, const struct inet_diag_req_v2 *what, mnl_cb_t each,
		 void *arg)
{
	_Alignas(struct nlmsghdr) char buf[PART_BYTES];
	const uint32_t seq = next_seq();
	const int err = ask(fd, what, 0, seq);
	ssize_t n;

	if (err)
		return err;
	n = part(fd, seq, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	return mnl_cb_run(buf, (size_t)n, seq, 0, each, arg) < 0 ? -errno : 0;
}
