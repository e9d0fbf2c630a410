/* SPDX-License-Identifier: MIT */
/*
 * linux/tap.h - frames to and from a tap, or packets to and from a tun, with
 * virtio-net headers.
 *
 * The descriptor is opened elsewhere (linux/tapopen.h), non-blocking, with
 * IFF_VNET_HDR and TAP_HEADER_BYTES as header size.
 */
#ifndef LINUX_TAP_H
#define LINUX_TAP_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"
#include "base/frame.h"
#include "base/span.h"

#define TAP_HEADER_BYTES 12	/* struct virtio_net_hdr_v1 */
#define TAP_PIECES_MAX	(4 + SCATTER_FAR_MAX)

/*
 * Read one frame into buf (cap at least FRAME_MAX_BYTES + the header): its
 * length, 0 for a frame that makes no sense, or -errno (-EAGAIN: none).
 * The frame begins at buf + TAP_HEADER_BYTES.
 */
MUST ssize_t tap_read(int fd, uint8_t *buf, size_t cap,
		      struct frame_meta *meta);

/* The same of a tun: one IP packet, from which offsets count. */
MUST ssize_t tun_read(int fd, uint8_t *buf, size_t cap,
		      struct frame_meta *meta);

/* Write one frame (of a tun: packet) of n pieces. 0 or -errno. */
MUST int tap_write(int fd, const struct frame_meta *meta,
		   const struct span *v, unsigned n);

#endif
