/* SPDX-License-Identifier: MIT */
#include "linux/unread.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/utsname.h>

#define SOUND_MAJOR	6u
#define SOUND_MINOR	14u

bool unread_is_sound(void)
{
	struct utsname u;
	unsigned major, minor;

	return uname(&u) == 0 &&
	       sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major > SOUND_MAJOR ||
		(major == SOUND_MAJOR && minor >= SOUND_MINOR));
}

/* The socket goes on by itself, with each copy and each read. */
static bool seek(int fd, uint32_t at)
{
	const int offset = (int)at;

	return setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset,
			  sizeof(offset)) == 0;
}

int unread_copy(const struct frame_unread *what, const struct span *v,
		unsigned n)
{
	struct msghdr m = {
		.msg_iov = (struct iovec *)(uintptr_t)v, .msg_iovlen = n,
	};

	if (what->seek && !seek(what->id, what->at))
		return -ENODATA;
	return recvmsg(what->id, &m, MSG_PEEK | MSG_DONTWAIT) ==
	       (ssize_t)what->bytes ? 0 : -ENODATA;
}
