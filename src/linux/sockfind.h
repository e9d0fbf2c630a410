/* SPDX-License-Identifier: MIT */
/*
 * linux/sockfind.h - which socket is at an end of a flow
 *
 * Where both ends are known the kernel is asked for the one that it would give
 * a packet to. Of those that wait for clients all of that port are listed, and
 * the one that the kernel would choose is chosen: connected to the other end
 * rather than to nobody, at the address rather than at all of them, of that
 * family rather than of both. What is still alike (SO_REUSEPORT) is told
 * together. Where nobody waits at a loopback address, who is led there from
 * the gateway's tries the other one, and then the host's own addresses
 * (network/policy.h): so they are looked at in this order. Echo has sockets of its own (ping) with the identifier for a port;
 * whoever has a raw socket may use any, so those count where none of the
 * others fits.
 *
 * The choice is a pure function. A socket bound to an interface is taken for
 * one that is not: by which it is reached is not known here.
 *
 * Limits. SOCKFIND_MAX of those alike, and the first SOCKFIND_LIST_BYTES of a
 * list of /proc/net (several thousand sockets).
 */
#ifndef LINUX_SOCKFIND_H
#define LINUX_SOCKFIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/fail.h"

#define SOCKFIND_MAX		32	/* of those alike the first */
#define SOCKFIND_LIST_BYTES	(1u << 20)

/* What to ask in one network namespace; -1 where the kernel lacks that. */
struct sockfind {
	int diag;			/* linux/sockdiag.h */
	int ping[2], raw[2];		/* lists of /proc/net; [1] of IPv6 */
	unsigned dev;			/* interface that a connection may be
					   bound to; 0 */
};

#define SOCKFIND_NONE	((struct sockfind){ -1, { -1, -1 }, { -1, -1 }, 0 })

struct sockfind_question {
	bool listens;			/* it waits for clients at local or at
					   all addresses; else it is at local
					   and speaks to remote */
	uint8_t protocol;		/* of IP: 6, 17, 1, 58 */
	struct endpoint local, remote;	/* of an echo local.port is its
					   identifier, or 0: any */
	bool anywhere;			/* at whatever address; sockfind()'s
					   own */
};

/* A socket, as the kernel tells of it. */
struct sockfind_socket {
	struct endpoint local, remote;	/* remote of port 0 and no address:
					   not connected */
	bool v6, v6only;		/* a socket of IPv6, whatever it
					   carries */
	bool listens;			/* it is of TCP and takes clients */
	uint32_t inode;			/* 0: nobody's any more */
};

/* Those that are alike. */
struct sockfind_found {
	unsigned rank, n;
	uint32_t inode[SOCKFIND_MAX];
};

/*
 * In the caller's network namespace. dev: the interface by which all of it
 * reaches others, "" if it has many. 0 or -errno (no sock_diag).
 */
MUST int sockfind_open(struct sockfind *out, const char *dev);
void sockfind_close(struct sockfind *f);

/* Needs sendto(), recvfrom() and pread() only. false: there is none. */
MUST bool sockfind(const struct sockfind *f, const struct sockfind_question *q,
		   struct sockfind_found *out);

/* ---- pure; for sockfind(), and for tests ---- */

/* What comes behind the header of a message. false: it tells of none. */
MUST bool sockfind_parse(const void *answer, size_t len,
			 struct sockfind_socket *out);

/*
 * A line of /proc/net/icmp, raw and the like. *number: identifier of an echo,
 * protocol of a raw socket; the ports are 0. false: it tells of none.
 */
MUST bool sockfind_parse_line(const char *line, bool v6, uint16_t *number,
			      struct sockfind_socket *out);

/* How well it fits: the greatest is the kernel's choice. 0: it is not meant. */
unsigned sockfind_rank(const struct sockfind_question *q,
		       const struct sockfind_socket *s);

/* Keep it if none before was better, and only it if none was as good. */
void sockfind_offer(struct sockfind_found *found, unsigned rank,
		    uint32_t inode);

#endif
