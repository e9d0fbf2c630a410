/* SPDX-License-Identifier: MIT */
#include "linux/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/sockaddr.h"

#ifndef SO_COOKIE
#define SO_COOKIE	57		/* Linux 4.12 */
#endif

static int open_for(int family, bool udp)
{
	const int fd = socket(family, (udp ? SOCK_DGRAM : SOCK_STREAM) |
			      SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static int close_for(int fd, int error)
{
	close(fd);
	return -error;
}

int dial(const struct endpoint *to, bool udp)
{
	const int on = 1;
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, to);
	const int fd = open_for(sa.sa.sa_family, udp);

	if (fd < 0)
		return fd;
	if (!udp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, &sa.sa, len) == 0 || errno == EINPROGRESS)
		return fd;
	return close_for(fd, errno);
}

int dial_bind(const struct endpoint *at, const char *dev, bool udp)
{
	const int on = 1;
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, at);
	const int fd = open_for(sa.sa.sa_family, udp);

	if (fd < 0)
		return fd;
	/*
	 * Without it a restarted server waits a minute for its port. To UDP it
	 * means to share the port with whoever asks for that, too.
	 */
	if (!udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa.sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if ((*dev && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
				(socklen_t)strlen(dev)) < 0) ||
	    bind(fd, &sa.sa, len) < 0)
		return close_for(fd, errno);
	return fd;
}

uint64_t dial_cookie(int fd)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	(void)!getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	return cookie;
}
