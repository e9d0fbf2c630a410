/* SPDX-License-Identifier: MIT */
#include "proto/ranges.h"

#include <string.h>

bool ranges_add(struct ranges *s, uint32_t from, uint32_t to)
{
	uint32_t i = 0, j;

	if (!seq_lt(from, to))
		return true;
	while (i < s->n && seq_lt(s->r[i].to, from))
		i++;
	for (j = i; j < s->n && seq_le(s->r[j].from, to); j++) {
		if (seq_lt(s->r[j].from, from))
			from = s->r[j].from;
		if (seq_lt(to, s->r[j].to))
			to = s->r[j].to;
	}
	/* [i, j) are joined into one */
	if (i == j && s->n == RANGES_MAX)
		return false;
	memmove(&s->r[i + 1], &s->r[j], (s->n - j) * sizeof(s->r[0]));
	s->r[i] = (struct tcp_range){ .from = from, .to = to };
	s->n = s->n - (j - i) + 1;
	return true;
}

const struct tcp_range *ranges_find(const struct ranges *s, uint32_t seq)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (seq_le(s->r[i].from, seq) && seq_lt(seq, s->r[i].to))
			return &s->r[i];
	return NULL;
}

void ranges_trim(struct ranges *s, uint32_t seq)
{
	uint32_t gone = 0;

	while (gone < s->n && seq_le(s->r[gone].to, seq))
		gone++;
	s->n -= gone;
	memmove(&s->r[0], &s->r[gone], s->n * sizeof(s->r[0]));
	if (s->n && seq_lt(s->r[0].from, seq))
		s->r[0].from = seq;
}

void ranges_cut(struct ranges *s, uint32_t seq)
{
	while (s->n && seq_le(seq, s->r[s->n - 1].from))
		s->n--;
	if (s->n && seq_lt(seq, s->r[s->n - 1].to))
		s->r[s->n - 1].to = seq;
}

uint32_t ranges_total(const struct ranges *s)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < s->n; i++)
		sum += s->r[i].to - s->r[i].from;
	return sum;
}
