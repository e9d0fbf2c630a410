/* SPDX-License-Identifier: MIT */
/*
 * linux/framestream.h - frames over a stream socket, as QEMU's
 * `-netdev stream` has them: 4 bytes of length, big-endian, then the frame.
 *
 * There are no offloads: batches are cut and checksums completed here
 * (wire/offload.h), and frames that come bring neither.
 */
#ifndef LINUX_FRAMESTREAM_H
#define LINUX_FRAMESTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/frame.h"
#include "base/span.h"

#define FRAMESTREAM_IN_BYTES	(256u << 10)
#define FRAMESTREAM_OUT_BYTES	(512u << 10)

struct framestream {
	int fd;			/* non-blocking; borrowed */
	bool broken;		/* end of stream, error or no frame at all */
	size_t in_at, in_len;	/* what was read: [in_at, in_len) */
	size_t out_at, out_len;	/* what waits to be written */
	uint8_t in[FRAMESTREAM_IN_BYTES];
	uint8_t out[FRAMESTREAM_OUT_BYTES];
};

/* Begin anew with that socket. */
void framestream_init(struct framestream *s, int fd);

/*
 * The next frame, lent until the next call: its bytes, 0 if none is whole
 * yet, or -1 if the stream is broken.
 */
MUST ssize_t framestream_read(struct framestream *s, const uint8_t **frame);

/*
 * Send a frame of n pieces. 0; -EAGAIN if the other end is behind: the
 * frame is lost then; -EPIPE if the stream is broken.
 */
MUST int framestream_write(struct framestream *s,
			   const struct frame_meta *meta,
			   const struct span *v, unsigned n);

/* The socket takes more: go on with what waits. */
void framestream_flush(struct framestream *s);

#endif
