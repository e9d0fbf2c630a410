/* SPDX-License-Identifier: MIT */
/*
 * linux/link.h - the guest's link: a tap, or a socket to a virtual machine.
 *
 * A stream link, or one of vhost-user, has a listening socket (Unix, stream).
 * One machine at a time is connected; when it has gone the next one may come.
 * Or it is connected already, and there is no next. Or somebody else connects
 * to each machine, and hands the connection over: then the listening socket is
 * a door, one end of a channel (linux/channel.h). A datagram link has one
 * socket; somebody else connects it to each machine.
 */
#ifndef LINUX_LINK_H
#define LINUX_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/frame.h"
#include "base/network_guest.h"
#include "base/span.h"
#include "linux/tap.h"

#define LINKS_MAX	NETWORK_LINKS_MAX

struct framesocket;
struct vhost;

enum link_kind {
	LINK_TAP,
	LINK_STREAM,		/* linux/framesocket.h */
	LINK_DATAGRAM,
	LINK_VHOST,		/* linux/vhost.h */
};

struct link {
	enum link_kind kind;
	int fd;			/* tap, connection, datagrams; -1: none */
	int listen_fd;		/* of a stream link, or vhost-user; -1 */
	bool door;		/* that is one */
	struct framesocket *socket;	/* of streams and datagrams */
	struct vhost *vhost;	/* of vhost-user */
	bool no_uso;		/* a tap that knows no batches of UDP */
	uint8_t *frame;		/* of a tap: TAP_HEADER_BYTES + the frame */
	size_t frame_cap;
};

/*
 * Read one frame, lent, with its pieces, until the next call of this or
 * link_flush(): its length, 0 for a frame that
 * makes no sense, -EAGAIN for none, -EPIPE when the machine has gone, and of a
 * tap that was deleted -EBADFD, for good.
 */
MUST ssize_t link_read(struct link *l, struct frame_meta *meta,
		       const uint8_t **frame);

/*
 * Send one frame of n pieces. 0; 1: it waits inside, and the link is full until
 * link_push(); or -errno: it is lost; -ENODATA: for what is unread of it is not
 * there, or the link cannot copy it.
 */
MUST int link_write(struct link *l, const struct frame_meta *meta,
		    const struct span *v, unsigned n);

/* Are frames whose data are unread (linux/unread.h) best for this link? */
bool link_copies_unread(const struct link *l);

/* Is a machine connected, and has not gone yet, whether that was read or not? */
bool link_is_held(const struct link *l);

/* A door: two ends, and what passes a connection through ours. 0 or -errno. */
MUST int link_door(int ends[2]);
MUST int link_hand_over(int door, int fd);

/* Is that socket the other end of one? */
bool link_is_door(int fd);

/* Send on what waits. Has the link room now? */
bool link_push(struct link *l);

/* Take the next machine that waits: its socket, or -1. */
int link_accept(struct link *l);

/* Close the connection of each machine that waits. Was there one? */
bool link_turn_away(const struct link *l);

/*
 * Of datagrams: have frames come again, perhaps of another machine? Of
 * vhost-user: has a guest begun anew? Once.
 */
bool link_is_back(struct link *l);

/*
 * What there is to be heard at the connection but frames (vhost-user).
 * false: the machine has gone.
 */
MUST bool link_event(struct link *l);

/* The end of a turn: all that was read and written is done with. */
void link_flush(struct link *l);

/* The machine has gone. */
void link_hang_up(struct link *l);

#endif
