/* SPDX-License-Identifier: MIT */
/*
 * linux/nlmsg.h - the messages of netlink(7): questions and their answers.
 *
 * A question is made in memory of its own and sent; the kernel has put the
 * answer on the socket's queue before sendto() returns, so nothing here waits
 * for others. Asking needs sendto() and recvmsg() only.
 *
 *	struct nlmsg q;
 *	struct ifinfomsg *ifi = nlmsg_begin(&q, RTM_NEWLINK, NLM_F_ACK,
 *					    sizeof(*ifi));
 *
 *	ifi->ifi_index = index;
 *	nlmsg_put_u32(&q, IFLA_MTU, mtu);
 *	return nlmsg_ask(fd, &q, NULL, NULL);
 *
 * What is read is looked at in place and may be cut anywhere.
 */
#ifndef LINUX_NLMSG_H
#define LINUX_NLMSG_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/span.h"

/* A socket of that protocol (NETLINK_*); close-on-exec. Or -errno. */
MUST int nlmsg_open(int protocol);

/* ---- questions ---- */

struct nlmsg {
	struct nlmsghdr h;
	uint8_t rest[512];
};

/*
 * Begin one of that type. Returns its fixed part, of so many bytes, all zero.
 * What a caller puts in has to fit: it is known beforehand.
 */
void *nlmsg_begin(struct nlmsg *q, uint16_t type, uint16_t flags,
		  size_t bytes);
void nlmsg_put(struct nlmsg *q, uint16_t type, const void *data, size_t len);
void nlmsg_put_u32(struct nlmsg *q, uint16_t type, uint32_t value);
/* What is put until nlmsg_unnest() is inside of it. */
struct nlattr *nlmsg_nest(struct nlmsg *q, uint16_t type);
void nlmsg_unnest(struct nlmsg *q, struct nlattr *nest);

/* ---- answers ---- */

/* One message of an answer. */
typedef void nlmsg_fn(void *arg, const struct nlmsghdr *h);

/*
 * Send q and give each message of the answer to `each`, which may be NULL
 * where none but the acknowledgement comes. Answers to earlier questions are
 * passed over. 0, or -errno: the kernel's, or -EINTR, when what a dump told
 * has changed meanwhile (all of it was given to `each`).
 */
MUST int nlmsg_ask(int fd, struct nlmsg *q, nlmsg_fn *each, void *arg);

/*
 * Receive some of what the kernel sends; from others it is not taken. Bytes,
 * or -errno: -ENOBUFS, or -EMSGSIZE, when something was lost.
 */
ssize_t nlmsg_receive(int fd, void *buf, size_t cap);

/* An answer while it is read. */
struct nlmsg_answer {
	uint32_t seq;			/* to which question; 0: unasked */
	nlmsg_fn *each;
	void *arg;
	bool changed;			/* a dump, while it was made */
};

/* Read on. 1: there is more to come; 0: that was all; -errno: the kernel's. */
MUST int nlmsg_read(struct nlmsg_answer *a, const void *buf, size_t len);

/* The fixed part, of so many bytes; NULL: it is shorter. */
const void *nlmsg_body(const struct nlmsghdr *h, size_t bytes);
/* The attributes behind that. */
struct view nlmsg_attrs(const struct nlmsghdr *h, size_t bytes);

struct nlmsg_attr {
	uint16_t type;
	struct view value;
};

/* Take the first one from left. false: there is none that is whole. */
bool nlmsg_attr_next(struct view *left, struct nlmsg_attr *out);
/* A number of four bytes, or of one; 0 if it is none. */
uint32_t nlmsg_attr_u32(const struct nlmsg_attr *a);
uint8_t nlmsg_attr_u8(const struct nlmsg_attr *a);

#endif
