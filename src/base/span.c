/* SPDX-License-Identifier: MIT */
#include "base/span.h"

#include "base/check.h"

size_t spans_bytes(const struct span *v, unsigned n)
{
	size_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += v[i].len;
	return sum;
}

void scatter_skip(struct scatter *s, size_t n)
{
	const size_t near = n < s->near.len ? n : s->near.len;

	ASSERT(n <= s->len);
	s->len -= n;
	s->near.p += near;
	s->near.len -= near;
	n -= near;
	if (!n)
		return;
	s->far_at += n;
	while (s->len && s->far_at >= s->far->len) {
		s->far_at -= s->far->len;
		s->far++;
	}
}

unsigned scatter_spans(const struct scatter *s,
		       struct span out[1 + SCATTER_FAR_MAX])
{
	size_t left = s->len, at = s->far_at;
	unsigned n = 0;

	if (left && s->near.len) {
		const size_t len = left < s->near.len ? left : s->near.len;

		out[n++] = (struct span){ .p = (void *)(uintptr_t)s->near.p,
					  .len = len };
		left -= len;
	}
	for (const struct span *f = s->far; left; f++) {
		const size_t len = f->len - at < left ? f->len - at : left;

		ASSERT(n <= SCATTER_FAR_MAX);
		if (len)
			out[n++] = (struct span){ .p = (uint8_t *)f->p + at,
						  .len = len };
		left -= len;
		at = 0;
	}
	return n;
}
