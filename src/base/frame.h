/* SPDX-License-Identifier: MIT */
/*
 * base/frame.h - what a link says of a frame besides its bytes.
 *
 * The offloads of virtio-net (virtio 1.2 section 5.1.6) as a value: a
 * frame may carry up to 64 KiB of one TCP stream (GSO) and an L4 checksum
 * that is still to be completed. A link without offloads does both itself.
 */
#ifndef BASE_FRAME_H
#define BASE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define FRAME_MAX_BYTES	(65535 + 18)	/* Ethernet, one tag, IP */
#define FRAME_SPANS_MAX	(2 + SCATTER_FAR_MAX)	/* pieces that one is sent in */

enum frame_gso {
	FRAME_GSO_NONE,
	FRAME_GSO_TCP4,
	FRAME_GSO_TCP6,
	FRAME_GSO_UDP4,		/* UDP_L4: segments of gso_size payload bytes */
	FRAME_GSO_UDP6,
};

/* Bytes of a stream of the host's (env/env.h) that were not read yet. */
struct frame_unread {
	int id;			/* of the stream */
	bool seek;		/* the last that were put into a frame did not
				   end just before these, or nobody knows */
	uint32_t at;		/* bytes that are to be read before them */
	uint32_t bytes;		/* 0: none */
};

struct frame_meta {
	bool needs_csum;	/* L4 checksum holds the pseudo header's sum */
	bool csum_valid;	/* the link vouches for the L4 checksum */
	enum frame_gso gso;
	uint16_t gso_size;	/* payload bytes per segment; 0 unless gso */
	uint16_t hdr_len;	/* bytes of all headers; 0 if unknown */
	uint16_t csum_start;	/* offset in the frame; if needs_csum */
	uint16_t csum_offset;	/* from csum_start; if needs_csum */
	/*
	 * The frame goes on, with so many bytes of a TCP stream that are not
	 * beside its others, in SCATTER_FAR_MAX pieces at most. Whoever sent
	 * it may go on changing them: they are passed on, and never looked
	 * at. NULL, 0: that was all of it.
	 */
	const struct span *far;
	size_t far_bytes;
	/*
	 * Towards a guest: the frame ends with these, which whoever sends it
	 * copies from where they are, and leaves there. Only on links of which
	 * env_ops.link_takes_unread() is true.
	 */
	struct frame_unread unread;
};

#endif
