/* SPDX-License-Identifier: MIT */
/*
 * test/driver/driver.h - the driver's side of a virtio queue
 *
 * For tests and benchmarks, against linux/vring.h, of which it shares
 * nothing. Source: virtio 1.2 sections 2.7 and 2.8. The device uses chains in
 * the order in which they were made available; that it does is checked.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRIVER_SIZE_MAX	1024u
#define DRIVER_AREA_BYTES (32u << 10)	/* of the largest, all three */

/* A piece of memory by the guest's address. */
struct driver_piece {
	uint64_t at;
	uint32_t len;
	bool write;		/* for the device to write */
};

struct driver_ring {
	uint16_t size;
	bool packed, event_idx;
	uint8_t *desc, *driver, *device;
	uint64_t at;		/* guest's address of desc */

	uint16_t free;		/* descriptors */
	uint16_t next;		/* of the ring: descriptor, */
	uint16_t avail;		/* split: index of what was added, */
	uint16_t said;		/* and as of the last driver_wants_kick() */
	uint16_t used;		/* split: index; packed: place */
	bool wrap, used_wrap;	/* packed */
	uint16_t first, first_flags;	/* packed: held back; see publish */
	bool held;
	uint32_t added;		/* packed: since the last wants_kick */
	/* Chains in flight: descriptors of each, in order. */
	uint16_t chain[DRIVER_SIZE_MAX];
	uint32_t head, tail;
};

/* Offsets of the areas from where desc is; the whole fits in AREA_BYTES. */
#define DRIVER_AT	(DRIVER_SIZE_MAX * 16)
#define DEVICE_AT	(DRIVER_AT + 4096)

/* mem: DRIVER_AREA_BYTES of zeroes, at the guest's address `at`. */
void driver_init(struct driver_ring *r, void *mem, uint64_t at,
		 uint16_t size, bool packed, bool event_idx);

/*
 * Add a chain, not yet to be seen. table: where an indirect table is written
 * (and its guest's address at), NULL: none. false: it does not fit.
 */
bool driver_add(struct driver_ring *r, const struct driver_piece *p,
		unsigned n, void *table, uint64_t table_at);
void driver_publish(struct driver_ring *r);

/* Does the device want a kick for what was published since the last call? */
bool driver_wants_kick(struct driver_ring *r);

/* The oldest chain, if it is used: true, and what was written. */
bool driver_used(struct driver_ring *r, uint32_t *written);

/* Ask for calls, or for none. True: something is used already. */
bool driver_ask(struct driver_ring *r, bool tell);

#endif
