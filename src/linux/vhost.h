/* SPDX-License-Identifier: MIT */
/*
 * linux/vhost.h - the network card of a virtual machine, by vhost-user
 *
 * Source: "Vhost-user Protocol" (QEMU's documentation, interop), virtio 1.2
 * section 5.1. We are the back end.
 *
 * Theory of operation. A machine's process connects, and over that socket
 * lends its memory and two queues (or more pairs of them) with a descriptor
 * each by which either side wakes the other. From then on frames cross
 * without a system call but those: what the guest sends is read where it
 * lies, what it is sent is written where it shall be.
 *
 * guest to host	vhost_read(). Of a long frame of TCP only the headers
 *			are copied, the data is lent as pieces of the guest's
 *			memory (struct frame_meta) until the next call; all
 *			others are copied whole, because they are parsed.
 * host to guest	vhost_write(). One frame over as many chains as it
 *			takes (MRG_RXBUF). Offloads that the driver has not
 *			agreed to are done here (wire/offload.h). The frame
 *			for which there are not enough is kept, until the
 *			driver has made some available and has told us so;
 *			whoever sends meanwhile hears that there is no room.
 *
 * States of a queue
 *
 *   STOPPED	none of its addresses is believed
 *   STARTED	by SET_VRING_KICK, until GET_VRING_BASE; if the ring turns out
 *		to be nonsense it is broken until then, the other queues go on
 *   enabled	besides: else what the guest sends is thrown away, and it is
 *		sent nothing
 *
 * A guest that starts anew is stopped and started so by its machine; a
 * machine that goes closes the socket; we keep nothing of either. Each ring
 * is driven in order, and nothing is under way between two turns, so after
 * our own end another process goes on from where the ring says it stands.
 *
 * Limits: GUESTMEM_REGIONS_MAX regions, VHOST_PAIRS_MAX pairs, of which only
 * the first that is ready is sent anything; VHOST_MERGE_MAX chains a frame.
 */
#ifndef LINUX_VHOST_H
#define LINUX_VHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/span.h"
#include "linux/guestmem.h"
#include "linux/nethdr.h"
#include "linux/vhost_msg.h"
#include "linux/vring.h"

#define VHOST_PAIRS_MAX	4u
#define VHOST_QUEUES	(2u * VHOST_PAIRS_MAX)
#define VHOST_MERGE_MAX	128u
#define VHOST_TOLD_MAX	48u

/*
 * Bits of the features, beside VIRTIO_NET_F_* of <linux/virtio_net.h>: the
 * system's other headers have names in the way of ours, or are too old.
 */
enum {
	VHOST_LOG_ALL = 26, VHOST_ANY_LAYOUT = 27, VHOST_INDIRECT = 28,
	VHOST_EVENT_IDX = 29, VHOST_PROTOCOL = 30, VHOST_VERSION_1 = 32,
	VHOST_PACKED = 34, VHOST_GUEST_USO4 = 54, VHOST_GUEST_USO6 = 55,
	VHOST_HOST_USO = 56,
};

struct vhost_queue {
	struct vring ring;
	struct vhost_vring_addr addr;
	bool has_addr, started, enabled;
	bool asked;			/* the driver is to tell of more */
	uint32_t base;			/* where it is to start, */
	uint16_t size;			/* and how long it is to be then */
	int kick_fd, call_fd, err_fd;	/* -1: none */
};

/* Something that was logged, and when. */
struct vhost_told {
	const char *text;
	int64_t at_s;
};

struct vhost {
	int fd;				/* of the machine; -1: none */
	int epoll_fd;			/* borrowed, to watch kicks with */
	uint64_t kick_datum;
	struct log_sink log;
	unsigned mtu;			/* of the network */
	bool whole;			/* lend no pieces: copy every frame */

	uint64_t features;		/* as the driver has agreed */
	uint64_t protocol;
	struct guestmem mem;
	struct vhost_queue queue[VHOST_QUEUES];	/* 0: to the guest; 1: from */
	bool rejoined;			/* a guest has begun; for vhost_is_back */
	struct vhost_told told[VHOST_TOLD_MAX];

	/* One message that comes, as far as it is here. */
	uint8_t in[VHOST_HEADER_BYTES + VHOST_PAYLOAD_MAX];
	size_t in_len;
	int fds[VHOST_REGIONS_MAX];
	size_t n_fds;

	/* The frame that is lent: its chain, and its pieces. */
	struct vhost_queue *lent_of;	/* NULL: none is */
	struct vring_chain lent;
	unsigned turn;			/* which queue is looked at first */
	struct span pieces[VRING_SPANS_MAX];
	uint8_t copy[FRAME_MAX_BYTES];

	/* The frame that is kept for want of room, from its nth part on. */
	size_t kept_len;		/* 0: none is */
	struct frame_meta kept_meta;
	unsigned kept_from;
	int64_t kept_s;			/* since when */
	uint8_t kept[FRAME_MAX_BYTES];
};

/* No machine yet. Of v only epoll_fd, kick_datum, log, mtu, whole are set. */
void vhost_init(struct vhost *v);

/* A machine has connected; fd is borrowed, non-blocking. */
void vhost_begin(struct vhost *v, int fd);

/* It has gone: all that was its own is given back. */
void vhost_end(struct vhost *v);

/*
 * There is something to be read from its socket. false: it has gone, or has
 * broken the protocol (which is logged). vhost_end() is to follow then.
 */
MUST bool vhost_event(struct vhost *v);

/*
 * The guest's next frame, with its pieces lent until the next call: its
 * bytes at *frame, 0 for one that makes no sense, -EAGAIN for none.
 */
MUST ssize_t vhost_read(struct vhost *v, struct frame_meta *meta,
			const uint8_t **frame);

/*
 * Send a frame of n pieces. 0; 1: it is kept, and the next one is lost until
 * vhost_push(); or it is lost: -EAGAIN if one is kept already, -EIO if there
 * is no driver, -ENODATA if what is unread of it is not there.
 */
MUST int vhost_write(struct vhost *v, const struct frame_meta *meta,
		     const struct span *p, unsigned n);

/*
 * Can the driver take a frame of TCP as it is, at least of one family, so that
 * its data can be copied straight to where they belong (linux/unread.h)?
 */
bool vhost_copies_unread(const struct vhost *v);

/* Send the frame that is kept, if there is room now. Is there none? */
bool vhost_push(struct vhost *v);

/* The end of a turn: what was done is to be seen by the driver. */
void vhost_flush(struct vhost *v);

/* Has a guest begun anew? Once. */
bool vhost_is_back(struct vhost *v);

/* ---- between the files of this module ---- */

/* Has the driver agreed to it? */
static inline bool vhost_has(const struct vhost *v, unsigned bit)
{
	return v->features >> bit & 1;
}

/* Of the monotonic clock. */
int64_t vhost_now_s(void);

/* Say so, once in a minute. text: a constant. */
void vhost_tell(struct vhost *v, const char *text);

/* Is the queue's ring broken, or all of the memory gone? Then that is said. */
bool vhost_is_lost(struct vhost *v, struct vhost_queue *q);

#endif
