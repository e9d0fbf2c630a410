/* SPDX-License-Identifier: MIT */
/*
 * base/rd.h - bounded reader over borrowed bytes.
 *
 * A reader is a value: copy it to look ahead, pass a pointer to consume.
 * A read past the end yields zero (or NULL), empties the reader and sets
 * `bad`; every later read fails the same way. So a parser may read a whole
 * header field by field and test `bad` once. Loops on `left` always end.
 *
 * Only this file turns packet bytes into integers.
 */
#ifndef BASE_RD_H
#define BASE_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rd {
	const uint8_t *p;	/* next byte; owner must outlive the reader */
	size_t left;		/* bytes from p that may be read */
	bool bad;		/* sticky: some read wanted more than `left` */
};

static inline struct rd rd(const void *buf, size_t len)
{
	return (struct rd){ .p = buf, .left = len };
}

/* Consume n bytes and return their start, or NULL if fewer are left. */
static inline const uint8_t *rd_bytes(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (n > r->left) {
		r->left = 0;
		r->bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static inline uint8_t rd_u8(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t rd_be16(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 2);

	return (uint16_t)(p ? p[0] << 8 | p[1] : 0);
}

static inline uint32_t rd_be32(struct rd *r)
{
	const uint8_t *p = rd_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
		   (uint32_t)p[2] << 8 | p[3] : 0;
}

/* Cut the next n bytes off into a reader of their own (a TLV's value). */
static inline struct rd rd_cut(struct rd *r, size_t n)
{
	const uint8_t *p = rd_bytes(r, n);

	return (struct rd){ .p = p, .left = p ? n : 0, .bad = !p };
}

#endif
