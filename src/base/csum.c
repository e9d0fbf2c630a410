/* SPDX-License-Identifier: MIT */
#include "base/csum.h"

#include <string.h>

/* Sums are of 16-bit words in memory order; swapped once, when folded. */
csum_t csum_add(csum_t sum, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	for (; len >= 4; p += 4, len -= 4) {
		uint32_t v;

		memcpy(&v, p, 4);
		sum += v;
	}
	if (len >= 2) {
		uint16_t v;

		memcpy(&v, p, 2);
		sum += v;
		p += 2;
		len -= 2;
	}
	if (len) {
		const uint8_t last[2] = { p[0], 0 };
		uint16_t v;

		memcpy(&v, last, 2);
		sum += v;
	}
	return sum;
}

csum_t csum_pseudo(csum_t sum, const struct ip *src, const struct ip *dst,
		   uint8_t proto, uint32_t l4_len)
{
	const size_t skip = ip_is4(src) ? 12 : 0;
	const uint8_t tail[8] = {
		(uint8_t)(l4_len >> 24), (uint8_t)(l4_len >> 16),
		(uint8_t)(l4_len >> 8), (uint8_t)l4_len, 0, 0, 0, proto,
	};

	sum = csum_add(sum, src->b + skip, 16 - skip);
	sum = csum_add(sum, dst->b + skip, 16 - skip);
	return csum_add(sum, tail, sizeof(tail));
}

uint16_t csum_fold(csum_t sum)
{
	uint16_t v;
	uint8_t b[2];

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	v = (uint16_t)sum;
	memcpy(b, &v, 2);
	return (uint16_t)(b[0] << 8 | b[1]);
}
