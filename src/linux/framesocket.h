/* SPDX-License-Identifier: MIT */
/*
 * linux/framesocket.h - frames over a Unix socket, as QEMU has them
 *
 * `-netdev stream`: 4 bytes of length, big-endian, then the frame. Of a
 * stream that ends or makes no sense nothing more can be had.
 *
 * `-netdev dgram`: each datagram is a frame. Whoever is at the other end
 * may go and come; what is sent meanwhile is lost, as on any wire.
 *
 * There are no offloads: batches are cut and checksums completed here
 * (wire/offload.h), and frames that come bring neither.
 */
#ifndef LINUX_FRAMESOCKET_H
#define LINUX_FRAMESOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/frame.h"
#include "base/span.h"

#define FRAMESOCKET_IN_BYTES	(256u << 10)
#define FRAMESOCKET_OUT_BYTES	(512u << 10)

struct framesocket {
	int fd;			/* non-blocking; borrowed */
	bool datagrams;
	bool broken;		/* a stream: its end, error or no frame */
	bool away;		/* datagrams: nobody took one; for the user to
				   take back */
	size_t in_at, in_len;	/* what was read: [in_at, in_len) */
	size_t out_at, out_len;	/* what waits: frames, each with its length */
	uint8_t in[FRAMESOCKET_IN_BYTES];
	uint8_t out[FRAMESOCKET_OUT_BYTES];
};

/* Begin anew with that socket. */
void framesocket_init(struct framesocket *s, int fd, bool datagrams);

/*
 * The next frame, lent until the next call: its bytes, 0 for one that makes
 * no sense, -EAGAIN if none is whole yet, -EPIPE if the stream is broken.
 */
MUST ssize_t framesocket_read(struct framesocket *s, const uint8_t **frame);

/*
 * Send a frame of n pieces. 0; 1: some of it waits here, and the next one is
 * lost until that has gone; or it is lost: -EAGAIN if the other end is behind,
 * -EPIPE if the stream was broken, -EIO if nobody is there.
 */
MUST int framesocket_write(struct framesocket *s,
			   const struct frame_meta *meta,
			   const struct span *v, unsigned n);

/* The socket takes more: go on with what waits. Has all of it gone? */
bool framesocket_flush(struct framesocket *s);

#endif
