/* SPDX-License-Identifier: MIT */
/*
 * linux/vring.h - one queue of a virtio device, seen from the device
 *
 * Source: virtio 1.2 sections 2.7 (split) and 2.8 (packed).
 *
 * Theory of operation. The driver makes chains of descriptors available; we
 * take them in order, and put each back as used, in the same order. What a
 * chain describes comes as spans of the guest's memory. Chains that are put
 * stay unseen until vring_publish(), so that those of one frame appear at
 * once. Those taken last can be given back as if they never had been.
 *
 * The ring is the guest's, and the guest is not trusted: each descriptor is
 * copied before it is looked at, once; no index of the guest's is used to
 * address anything before it was bounded; a chain has at most as many
 * descriptors as the ring, and at most VRING_SPANS_MAX pieces. Whatever
 * contradicts the format makes the ring @broken, for good: nothing is taken
 * from it or written to it any more until it is set up again.
 *
 * No system calls: memory is all that this file touches (linux/guestmem.h).
 */
#ifndef LINUX_VRING_H
#define LINUX_VRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/span.h"

#define VRING_SIZE_MAX	4096u		/* descriptors; QEMU's limit is 1024 */
#define VRING_SPANS_MAX	1024u

struct guestmem;

struct vring {
	const struct guestmem *mem;
	const char *broken;		/* what was wrong; NULL: nothing */
	uint16_t size;
	bool packed;
	bool event_idx, indirect;	/* as negotiated */
	bool logs;			/* writes to the ring itself are told, */
	uint64_t log_at;		/* of the used ring at that address */
	uint8_t *desc, *driver, *device;	/* 2.6: the three areas */

	uint16_t avail, used;		/* next: split, a number that counts on;
					   packed, a place in the ring */
	bool avail_wrap, used_wrap;	/* packed: of this lap */
	uint32_t staged;		/* put and not published: of the ring's
					   entries, the last ones before used */
	uint16_t first_flags;		/* packed: of the first of these */
	uint16_t first_at;
	uint32_t unsaid;		/* published since the last call */
};

/* A chain: what of a ring's it is, and how much it describes. */
struct vring_chain {
	uint16_t id;
	uint16_t entries;		/* of the ring */
	unsigned spans;
	size_t bytes;
};

/* Where the three areas are, in the address space of the machine's process. */
struct vring_place {
	uint64_t desc, driver, device;
};

/*
 * Set up a ring, with size, packed, event_idx and indirect set, from place
 * `base` on (see vring_base()). false: its areas are not all in memory, are
 * not aligned, or size or base is none that the format allows.
 */
MUST bool vring_start(struct vring *r, const struct guestmem *mem,
		      const struct vring_place *at, uint32_t base);

/* Where it stands, as vhost-user tells it (GET_VRING_BASE). */
uint32_t vring_base(const struct vring *r);

/*
 * Take the next chain, all of it to be written by us, or to be read. v: room
 * for `room` spans. false: there is none, or the ring is broken (now).
 */
MUST bool vring_take(struct vring *r, bool writable, struct span *v,
		     unsigned room, struct vring_chain *out);

/* Give back the chain taken last, of those that were not put. */
void vring_untake(struct vring *r, const struct vring_chain *c);

/* It is used; written: bytes. Chains are put in the order of vring_take(). */
void vring_put(struct vring *r, const struct vring_chain *c,
	       uint32_t written);

/* All that was put is to be seen. */
void vring_publish(struct vring *r);

/* Does the driver want to be told of what was published? Asked once. */
bool vring_wants_call(struct vring *r);

/*
 * Ask the driver to tell when there is more, or not to. True: there is some
 * now, which it may not tell.
 */
bool vring_ask(struct vring *r, bool tell);

/* Copy out of or into spans, from their byte `at` on: how many there were. */
size_t vring_read(const struct span *v, unsigned n, size_t at, void *buf,
		  size_t len);
size_t vring_write(const struct span *v, unsigned n, size_t at,
		   const void *buf, size_t len);

#endif
