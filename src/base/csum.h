/* SPDX-License-Identifier: MIT */
/* base/csum.h - the Internet checksum (RFC 1071). */
#ifndef BASE_CSUM_H
#define BASE_CSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* A partial sum: at most 2^16 blocks may be added before it is folded. */
typedef uint64_t csum_t;

/* Add len bytes (an odd last byte is padded with zero). sum starts at 0. */
csum_t csum_add(csum_t sum, const void *buf, size_t len);

/*
 * Add the pseudo header of IPv4 (RFC 9293 section 3.1) or IPv6 (RFC 8200
 * section 8.1); both addresses are of one family. l4_len in bytes.
 */
csum_t csum_pseudo(csum_t sum, const struct ip *src, const struct ip *dst,
		   uint8_t proto, uint32_t l4_len);

/* Fold to 16 bits, host order, not complemented. */
uint16_t csum_fold(csum_t sum);

/* The value for a checksum field: complement of the folded sum. */
static inline uint16_t csum_finish(csum_t sum)
{
	return (uint16_t)~csum_fold(sum);
}

#endif
