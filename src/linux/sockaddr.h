/* SPDX-License-Identifier: MIT */
/* linux/sockaddr.h - endpoints as the kernel's socket addresses. */
#ifndef LINUX_SOCKADDR_H
#define LINUX_SOCKADDR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"

struct sockaddr_any {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};

/* Fill sa from e; returns the length that belongs to its family. */
static inline socklen_t sockaddr_from(struct sockaddr_any *sa,
				      const struct endpoint *e)
{
	memset(sa, 0, sizeof(*sa));
	if (ip_is4(&e->ip)) {
		sa->in.sin_family = AF_INET;
		sa->in.sin_port = htons(e->port);
		memcpy(&sa->in.sin_addr, e->ip.b + 12, 4);
		return sizeof(sa->in);
	}
	sa->in6.sin6_family = AF_INET6;
	sa->in6.sin6_port = htons(e->port);
	memcpy(&sa->in6.sin6_addr, e->ip.b, 16);
	return sizeof(sa->in6);
}

/* false if it is of no IP family. */
static inline bool sockaddr_to(const struct sockaddr_any *sa,
			       struct endpoint *e)
{
	if (sa->sa.sa_family == AF_INET) {
		e->ip = ip_from_v4(ntohl(sa->in.sin_addr.s_addr));
		e->port = ntohs(sa->in.sin_port);
		return true;
	}
	if (sa->sa.sa_family != AF_INET6)
		return false;
	memcpy(e->ip.b, &sa->in6.sin6_addr, 16);
	e->port = ntohs(sa->in6.sin6_port);
	return true;
}

#endif
