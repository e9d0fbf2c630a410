/* SPDX-License-Identifier: MIT */
#include "linux/channel.h"

#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_BYTES CMSG_SPACE(CHANNEL_MAX_FDS * sizeof(int))

int channel_pair(int ends[2], bool nonblock)
{
	const int type = SOCK_SEQPACKET | SOCK_CLOEXEC |
			 (nonblock ? SOCK_NONBLOCK : 0);

	return socketpair(AF_UNIX, type, 0, ends) ? -errno : 0;
}

int channel_send(int ch, const void *msg, size_t len,
		 const int *fds, size_t n_fds)
{
	alignas(struct cmsghdr) char control[FDS_BYTES] = { 0 };
	union {			/* sendmsg() only reads, yet wants no const */
		const void *in;
		void *out;
	} bytes = { .in = msg };
	struct iovec iov = { .iov_base = bytes.out, .iov_len = len };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };

	ASSERT(len > 0 && n_fds <= CHANNEL_MAX_FDS);
	if (n_fds) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)control;

		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
		hdr.msg_control = control;
		hdr.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	for (;;) {
		if (sendmsg(ch, &hdr, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EINTR)
			return -errno;
	}
}

/* Copy the descriptors out of the control part; how many there are. */
static size_t take_fds(struct msghdr *hdr, int *fds)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c;
	     c = CMSG_NXTHDR(hdr, c)) {
		const size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		ASSERT(n + bytes / sizeof(int) <= CHANNEL_MAX_FDS);
		memcpy(fds + n, CMSG_DATA(c), bytes);
		n += bytes / sizeof(int);
	}
	return n;
}

ssize_t channel_recv(int ch, void *msg, size_t cap, int *fds, size_t *n_fds)
{
	alignas(struct cmsghdr) char control[FDS_BYTES];
	struct iovec iov = { .iov_base = msg, .iov_len = cap };
	struct msghdr hdr = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t len;
	size_t n;

	*n_fds = 0;
	/*
	 * ECONNRESET says once that the other end closed with messages of
	 * ours unread; what it sent before that is still to be had.
	 */
	do {
		hdr.msg_control = control;
		hdr.msg_controllen = sizeof(control);
		len = recvmsg(ch, &hdr, MSG_CMSG_CLOEXEC);
	} while (len < 0 && (errno == EINTR || errno == ECONNRESET));
	if (len < 0)
		return -errno;

	n = take_fds(&hdr, fds);
	if (!(hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		*n_fds = n;
		return len;
	}
	while (n > 0)
		close(fds[--n]);
	return hdr.msg_flags & MSG_TRUNC ? -EMSGSIZE : -EMFILE;
}
