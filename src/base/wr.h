/* SPDX-License-Identifier: MIT */
/*
 * base/wr.h - bounded writer into borrowed memory.
 *
 * The mirror of base/rd.h: a write past the end writes nothing and sets
 * `bad`, as does every later one, so an emitter may write a whole header
 * and test `bad` once. Only this file turns integers into packet bytes.
 */
#ifndef BASE_WR_H
#define BASE_WR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wr {
	uint8_t *p;		/* next byte; owner must outlive the writer */
	size_t left;		/* bytes from p that may be written */
	bool bad;		/* sticky: some write wanted more than `left` */
};

static inline struct wr wr(void *buf, size_t len)
{
	return (struct wr){ .p = buf, .left = len };
}

/* Claim n bytes and return their start, or NULL if fewer are left. */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
	uint8_t *p = w->p;

	if (n > w->left) {
		w->left = 0;
		w->bad = true;
		return NULL;
	}
	w->p += n;
	w->left -= n;
	return p;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
	uint8_t *p = wr_room(w, 1);

	if (p)
		p[0] = v;
}

static inline void wr_be16(struct wr *w, uint16_t v)
{
	uint8_t *p = wr_room(w, 2);

	if (p) {
		p[0] = (uint8_t)(v >> 8);
		p[1] = (uint8_t)v;
	}
}

static inline void wr_be32(struct wr *w, uint32_t v)
{
	uint8_t *p = wr_room(w, 4);

	if (p) {
		p[0] = (uint8_t)(v >> 24);
		p[1] = (uint8_t)(v >> 16);
		p[2] = (uint8_t)(v >> 8);
		p[3] = (uint8_t)v;
	}
}

static inline void wr_bytes(struct wr *w, const void *src, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p && n)
		memcpy(p, src, n);
}

static inline void wr_zero(struct wr *w, size_t n)
{
	uint8_t *p = wr_room(w, n);

	if (p && n)
		memset(p, 0, n);
}

#endif
