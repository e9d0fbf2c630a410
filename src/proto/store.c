/* SPDX-License-Identifier: MIT */
#include "proto/store.h"

#include <string.h>

unsigned store_spans(const struct store *s, uint32_t at, uint32_t len,
		     struct span out[2])
{
	const uint32_t from = (s->head + at) & (s->cap - 1);
	const uint32_t first = s->cap - from;

	ASSERT(at <= s->cap && len <= s->cap - at);
	if (len <= first) {
		out[0] = (struct span){ .p = s->p + from, .len = len };
		return 1;
	}
	out[0] = (struct span){ .p = s->p + from, .len = first };
	out[1] = (struct span){ .p = s->p, .len = len - first };
	return 2;
}

bool store_reserve(struct store *s, const struct env *env, uint32_t need,
		   uint32_t keep)
{
	uint32_t cap = s->cap ? s->cap : STORE_MIN_BYTES;
	struct span old[2];
	unsigned n;
	uint8_t *p;

	ASSERT(need <= STORE_MAX_BYTES && keep <= s->cap);
	if (need <= s->cap)
		return true;
	while (cap < need)
		cap *= 2;
	p = env->ops->mem_alloc(env->ctx, cap);
	if (!p)
		return false;
	if (keep) {
		n = store_spans(s, 0, keep, old);
		memcpy(p, old[0].p, old[0].len);
		if (n == 2)
			memcpy(p + old[0].len, old[1].p, old[1].len);
	}
	store_release(s, env);
	*s = (struct store){ .p = p, .cap = cap };
	return true;
}

void store_put(struct store *s, uint32_t at, struct view src)
{
	struct span to[2];

	if (!src.len)
		return;
	ASSERT(src.len <= s->cap);
	if (store_spans(s, at, (uint32_t)src.len, to) == 2)
		memcpy(to[1].p, src.p + to[0].len, to[1].len);
	memcpy(to[0].p, src.p, to[0].len);
}

void store_skip(struct store *s, uint32_t n)
{
	if (s->cap)
		s->head = (s->head + n) & (s->cap - 1);
}

void store_release(struct store *s, const struct env *env)
{
	if (s->cap)
		env->ops->mem_free(env->ctx, s->p, s->cap);
	*s = (struct store){ 0 };
}
