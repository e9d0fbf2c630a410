/* SPDX-License-Identifier: MIT */
/*
 * linux/guestmem.h - the memory of a virtual machine, as it has lent it
 *
 * Regions, each a file mapped here (vhost-user: SET_MEM_TABLE, ADD_MEM_REG).
 * A region has two addresses: the guest's own (physical), by which
 * descriptors name their bytes, and that of the machine's process, by which
 * the rings are named.
 *
 * All of it may change at any moment, and it may go away: whoever holds the
 * file can cut it, and what is behind its new end is a bus error. That is
 * caught: the region becomes empty memory of our own, @gone is set, and the
 * caller, who asks for that when it is done, parts with the machine. System
 * calls that meet such a place fail with EFAULT and need no care.
 */
#ifndef LINUX_GUESTMEM_H
#define LINUX_GUESTMEM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#define GUESTMEM_REGIONS_MAX	32
#define GUESTMEM_BYTES_MAX	(UINT64_C(1) << 44)	/* of one machine */
#define GUESTMEM_PAGE		4096u	/* what a bit of the log stands for */

struct guestmem_region {
	uint64_t guest;		/* its first byte's address in the guest */
	uint64_t user;		/* and in the machine's process */
	uint64_t bytes;
	uint8_t *at;		/* and here */
	void *map;		/* what is mapped: at, and what is before it */
	size_t map_bytes;
};

struct guestmem {
	unsigned n;
	struct guestmem_region region[GUESTMEM_REGIONS_MAX];
	volatile sig_atomic_t gone;	/* some of it has been taken away */
	uint8_t *log;		/* a bit for each page written; NULL: none */
	size_t log_bytes;
	void *log_map;
	size_t log_map_bytes;
	bool listed;		/* among those whose bus errors are caught */
	struct guestmem *next;
};

/* What a message says of a region. */
struct guestmem_place {
	uint64_t guest, bytes, user, offset;	/* offset: in the file */
};

/*
 * Map a file as one more region; fd is borrowed. 0 or -errno: -EINVAL for
 * addresses that wrap or overlap with another region's, -ENOSPC for too many.
 */
MUST int guestmem_add(struct guestmem *m, const struct guestmem_place *p,
		      int fd);

/* Unmap that region. 0, or -ENOENT if there is none exactly so. */
MUST int guestmem_remove(struct guestmem *m, const struct guestmem_place *p);

/* Unmap all of it, the log too; it is no longer gone. */
void guestmem_clear(struct guestmem *m);

/* The file that is to tell what we write; fd -1: none any more. 0, -errno. */
MUST int guestmem_log_to(struct guestmem *m, uint64_t bytes, uint64_t offset,
			 int fd);

/*
 * Where the guest's bytes from that address on lie; *len is cut to what is
 * there in a row. NULL: nothing is there.
 */
void *guestmem_at(const struct guestmem *m, uint64_t guest, size_t *len);

/* The same by an address of the machine's process, all len bytes or NULL. */
void *guestmem_of_user(const struct guestmem *m, uint64_t user, size_t len);

/* Note in the log, if there is one, that we have written there. */
void guestmem_wrote(const struct guestmem *m, const void *p, size_t len);

/* The same by the guest's address. */
void guestmem_wrote_at(const struct guestmem *m, uint64_t guest, size_t len);

/* From now on bus errors in what is mapped, of any machine, are caught. */
void guestmem_catch(void);

#endif
