/* SPDX-License-Identifier: MIT */
/*
 * linux/hostenv.h - env/ by system calls: the host's sockets, one link.
 *
 * A socket is its descriptor, registered in the loop's epoll set under its
 * owner's handle: streams once, edge-triggered; datagrams level-triggered.
 */
#ifndef LINUX_HOSTENV_H
#define LINUX_HOSTENV_H

#include <stdint.h>

#include "base/handle.h"
#include "env/env.h"
#include "linux/link.h"
#include "linux/pool.h"

#define HOSTENV_OWN_MAX	8	/* addresses of the host's, of each family */

struct netlink;

struct hostenv {
	int epoll_fd;		/* all borrowed */
	struct link *links[LINKS_MAX];	/* NULL: there is no such one */
	struct netlink *netlink;
	int host_fd;		/* linux/hostif.h; -1: none */
	unsigned host_index;	/* its interface's */
	/*
	 * What was asked about last. The times: when, 0: not since the host
	 * changed.
	 */
	struct {
		uint64_t at_ns;
		bool lost;		/* the host has not this address */
		struct ip ip;
	} local;
	struct {
		uint64_t at_ns;
		bool yes;		/* it would go another way now */
		struct ip local, peer;
	} moved;
	struct {
		bool asked, any;
	} tunnels;
	int diag_fd;		/* of linux/listeners.h, if there is one */
	struct pool pool;
	/* The host's addresses, of IPv4 and IPv6, as they were at that time. */
	struct {
		uint64_t at_ns;		/* 0: never asked */
		unsigned n[2];
		struct ip at[2][HOSTENV_OWN_MAX];
	} own;
	bool no_unread;		/* the kernel does not do it well */
	uint64_t tcp_bytes;	/* that crowds of sockets may hold together */
};

extern const struct env_ops hostenv_ops;	/* ctx: struct hostenv */

/* The epoll datum of a handle, and back. */
static inline uint64_t hostenv_datum(struct handle h)
{
	return (uint64_t)h.gen << 32 | h.slot;
}

static inline struct handle hostenv_handle(uint64_t datum)
{
	return (struct handle){ .slot = (uint32_t)datum,
				.gen = (uint32_t)(datum >> 32) };
}

/* enum env_event bits of epoll's. */
unsigned hostenv_events(uint32_t epoll_events);

/*
 * Events of a stream socket, a connected one of ours too, go to its owner from
 * now on. 0, or -1 with errno set.
 */
MUST int hostenv_enrol(struct hostenv *he, int fd, struct handle owner);

/* The positive enum env_error for an errno. */
enum env_error hostenv_error(int error);

#endif
