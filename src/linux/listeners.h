/* SPDX-License-Identifier: MIT */
/*
 * linux/listeners.h - which sockets listen in this network namespace
 *
 * Of TCP those that say so. Of UDP those that are bound and not connected;
 * but a client that talks to several servers looks no different, so what
 * lies in the range from which the kernel picks ports, or is a port that
 * clients bind (68, 546, 5353), is marked as one that is `casual`.
 *
 * What we have bound there ourselves is none of them: whoever reads knows its
 * own sockets by the cookies that the kernel gives all of them, and never twice.
 *
 * listeners_read() asks the kernel (sock_diag), listeners_diff() compares:
 * the second is a pure function. The owner ticks: the kernel does not tell
 * when a listener comes. It would tell when one goes, but as long as anybody
 * wants to hear that, it does some work for each TCP socket that ends, in
 * whatever namespace of the machine (8 % of a connection's whole cost).
 */
#ifndef LINUX_LISTENERS_H
#define LINUX_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"

#define LISTENERS_MAX	1024	/* of a guest with more: the lowest ports */

struct listener {
	struct endpoint at;	/* as it was bound; 0.0.0.0 and :: too */
	bool v6only;
	bool udp;
	bool casual;		/* UDP: more likely a client's */
};

/* Ports that the kernel picks from: net.ipv4.ip_local_port_range. */
struct picked_ports {
	uint16_t first, last;
};

/* In a namespace in which nobody has set it yet. */
#define LISTENERS_PICKED_NEW	((struct picked_ports){ 32768, 60999 })

/* Sorted by port, then protocol, address, v6only; none twice. */
struct listeners {
	uint32_t n;
	struct listener v[LISTENERS_MAX];
};

/* Add one, unless it is there; when full, the greatest makes room. */
void listeners_add(struct listeners *set, const struct listener *l);

/**
 * listeners_diff() - bring a set up to date, telling what changes
 * @known:	what was told before; on return: what has been told now
 * @seen:	what there is
 * @tell:	is given each change; false if it could not be told: then
 *		@known stays as it was there, and the next diff tries again
 *
 * What is gone is told before what began, so that a port that changed
 * hands is free before it is taken.
 */
void listeners_diff(struct listeners *known, const struct listeners *seen,
		    bool (*tell)(void *ctx, bool gone,
				 const struct listener *l),
		    void *ctx);

/*
 * A sock_diag socket for listeners_read(), close-on-exec. Descriptor, or
 * -errno.
 */
MUST int listeners_open(void);

/* Is it a port of UDP that is more likely a client's? Pure. */
bool listeners_casual(const struct picked_ports *picked, uint16_t port);

/* The range of this namespace, read from /proc; Linux's own if it is not there. */
struct picked_ports listeners_picked(void);

/*
 * Does one of them (the casual ones, too) take what anybody says to that port
 * of that address, coming in by the interface with the index dev? Asks the
 * kernel, which looks for it as for a packet: at no more cost where there are
 * thousands. Needs sendto() and recvfrom() only. false if it cannot be known.
 */
MUST bool listeners_at(int fd, unsigned dev, const struct endpoint *at,
		       bool udp);

/* Is that socket, with that cookie (linux/dial.h), one of ours? */
typedef bool listeners_own_fn(void *ctx, const struct listener *l,
			      uint64_t cookie);

/*
 * Replace set by what listens now and is not ours. 0 or -errno; then set is
 * undefined. Needs sendto() and recvfrom() only.
 */
MUST int listeners_read(int fd, const struct picked_ports *picked,
			listeners_own_fn *own, void *ctx,
			struct listeners *set);

#endif
