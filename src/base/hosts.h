/* SPDX-License-Identifier: MIT */
/*
 * base/hosts.h - a table of names and addresses in one block of bytes.
 *
 * What hosts(5) says, made by one process and read by another: sorted, so
 * that a question costs a binary search however long the file is. The block
 * holds a head, the entries by name and family, their numbers by address, and
 * the text of the names. It is of one machine and one build, no wire format.
 */
#ifndef BASE_HOSTS_H
#define BASE_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/span.h"

#define HOSTS_NAME_BYTES 254		/* with its NUL */

struct hosts_entry {
	struct ip ip;
	uint32_t name;		/* offset into the text, NUL-terminated */
};

/* Block to be filled: n entries and as many bytes of text. */
size_t hosts_bytes(uint32_t n, uint32_t text_bytes);

/*
 * Fill the block (of hosts_bytes(), aligned to 8) from entries in any
 * order; both arguments are borrowed. Names: lower case, no final dot, one
 * for each entry; the order of the text is the order of the file.
 */
void hosts_make_table(void *block, const struct hosts_entry *entries,
		      uint32_t n, const char *text, uint32_t text_bytes);

struct hosts {
	const struct hosts_entry *by_name;	/* NULL: none */
	const uint32_t *by_ip;
	const char *text;
	uint32_t n;
};

/* Look into a block, which is lent while *out is used. false: it is none. */
MUST bool hosts_open(struct view block, struct hosts *out);

/* The entries of a name, of each family in a row and in the file's order. */
struct hosts_found {
	const struct hosts_entry *v4, *v6;
	uint32_t n4, n6;
};

/* Costs the same however many there are. false, with none: no such name. */
bool hosts_by_name(const struct hosts *h, const char *name,
		   struct hosts_found *out);

/* The first name of an address; NULL if it has none. */
const char *hosts_by_ip(const struct hosts *h, const struct ip *ip);

#endif
