/* SPDX-License-Identifier: MIT */
/*
 * linux/nethdr.h - a virtio-net header and the value that it stands for
 *
 * Source: virtio 1.2 section 5.1.6. Of a header of 10 bytes, as old drivers
 * have it, the last member is missing.
 */
#ifndef LINUX_NETHDR_H
#define LINUX_NETHDR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/frame.h"

struct virtio_net_hdr_v1;

#define NETHDR_BYTES	12u
#define NETHDR_OLD_BYTES 10u

/*
 * h: in this machine's byte order. v6: of a batch of UDP, which the header
 * does not say. false: it makes no sense; out is untouched.
 */
MUST bool nethdr_parse(const struct virtio_net_hdr_v1 *h, bool v6,
		       struct frame_meta *out);

/* num_buffers is 0. */
void nethdr_make(const struct frame_meta *meta, struct virtio_net_hdr_v1 *h);

#endif
