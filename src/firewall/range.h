/* SPDX-License-Identifier: MIT */
/* firewall/range.h - ports, types and addresses as ranges of numbers. */
#ifndef FIREWALL_RANGE_H
#define FIREWALL_RANGE_H

#include "firewall/firewall.h"

/* A number of 128 bits: an address, or something shorter. */
struct key {
	uint64_t high, low;
};

struct range {
	struct key first, last;
};

/* The most ranges that one item becomes: those of `IntErnet`. */
#define RANGES_PER_ITEM 24

struct key key_of_ip(const struct ip *ip);
struct key key_of(unsigned value);

static inline bool key_less(struct key a, struct key b)
{
	return a.high != b.high ? a.high < b.high : a.low < b.low;
}

/* Ranges of one item of a rule; none for words that stand for nothing. */
unsigned range_of_item(const struct rule_item *item,
		       const struct firewall_net *net,
		       struct range out[RANGES_PER_ITEM]);

/* By their first number. Heap sort: no input makes it slow. */
void range_sort(struct range *r, uint32_t n);

/* Sort, and join those that overlap or touch; how many are left. */
uint32_t range_merge(struct range *r, uint32_t n);

/* Is it in one of n sorted ranges that do not overlap? */
bool range_has(const struct range *r, uint32_t n, struct key key);

/* Is all of `one` in one of n sorted ranges that neither overlap nor touch? */
bool range_covers(const struct range *r, uint32_t n, const struct range *one);

#endif
