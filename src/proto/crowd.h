/* SPDX-License-Identifier: MIT */
/*
 * proto/crowd.h - how many flows carry bulk at once
 *
 * One flow may fill large buffers and be faster for it. A thousand that do
 * only wait for each other: queues grow to seconds, and so does the host's
 * memory for TCP, which all its programs share. So each one's part shrinks
 * with their number.
 */
#ifndef PROTO_CROWD_H
#define PROTO_CROWD_H

#include <stdint.h>

/* Fewer bytes at once are talk, not bulk. */
#define CROWD_BULK_BYTES	1024u

struct crowd {
	uint64_t until_ns;	/* the end of this period */
	uint16_t period;
	uint32_t now, before;	/* flows in this period, and in the one before */
};

/*
 * The flow carries bulk now. seen: its own, 0 at first; a flow counts once
 * in a period of 100 ms.
 */
void crowd_join(struct crowd *c, uint64_t now_ns, uint16_t *seen);

/* How many there are, at least 1. */
uint32_t crowd_size(const struct crowd *c);

/* One's part of `all`, from `least` to `most`: powers of two, as all is. */
uint32_t crowd_share(const struct crowd *c, uint32_t all, uint32_t least,
		     uint32_t most);

#endif
