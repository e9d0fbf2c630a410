/* SPDX-License-Identifier: MIT */
/* linux/mark.h - what there is to a datagram, as control messages. */
#ifndef LINUX_MARK_H
#define LINUX_MARK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "env/env.h"

/* Room for the control messages of a mark: three integers, an address. */
union mark_control {
	struct cmsghdr head;
	uint8_t room[3 * CMSG_SPACE(sizeof(int)) +
		     CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/*
 * What differs from the socket's own; mark may be NULL. Bytes written.
 * control is zero before.
 */
size_t mark_put(union mark_control *control, bool v4,
		const struct env_mark *mark);

/* All of a message that was received. */
void mark_get(struct msghdr *m, struct env_mark *out);

#endif
