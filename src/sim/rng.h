/* SPDX-License-Identifier: MIT */
/*
 * sim/rng.h - repeatable chance: splitmix64 (Steele, Lea, Flood 2014).
 *
 * Draw in statements of their own: C leaves open in which order arguments
 * and initializers are evaluated, and then a compiler chooses the world.
 */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0 to n - 1; n > 0. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(rng_next(r) >> 33) % n;
}

/* True for `of_1000` of 1000 calls. */
static inline bool rng_chance(struct rng *r, unsigned of_1000)
{
	return of_1000 && rng_below(r, 1000) < of_1000;
}

#endif
