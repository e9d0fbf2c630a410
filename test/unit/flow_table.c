/* SPDX-License-Identifier: MIT */
/* test/unit/flow_table.c - links base and flow, nothing else. */
#include "flow/table.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

#define SLOTS	64
#define STRIDE	128
#define KEYS	200		/* more than slots: the table gets full */

static struct flow_key key_of(unsigned i)
{
	return (struct flow_key){
		.guest_ip = ip_from_v4(0xac140002), .peer_ip = ip_from_v4(i),
		.guest_port = (uint16_t)i, .kind = FLOW_TCP,
	};
}

/* Against a plain array of what must be there, 20,000 random steps. */
static void check_against_model(struct flow_table *t)
{
	struct handle there[KEYS] = { 0 };
	uint32_t rng = 1, used = 0;

	for (unsigned step = 0; step < 20000; step++) {
		unsigned i;
		struct flow_key key;
		struct flow *f;

		rng = rng * 1664525u + 1013904223u;
		i = (rng >> 8) % KEYS;
		key = key_of(i);
		f = flow_find(t, &key);
		CHECK("find", !!f == !!there[i].gen);
		CHECK("get", flow_get(t, there[i]) == f);
		if (f) {
			flow_free(t, f);
			CHECK("stale", !flow_get(t, there[i]));
			there[i].gen = 0;
			used--;
		} else {
			f = flow_alloc(t, &key);
			CHECK("full", !!f == (used < SLOTS));
			if (f) {
				there[i] = flow_handle(t, f);
				used++;
			}
		}
		flow_table_check(t);
	}
	CHECK("count", t->used[FLOW_TCP] == used);
}

void test_flow_table(void);
void test_flow_table(void)
{
	const struct siphash_key hk = { { 1, 2 } };
	const size_t bytes = flow_table_bytes(SLOTS, STRIDE);
	uint8_t *mem = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
	struct flow_table t;
	struct flow_key key = key_of(7);
	struct flow *f;
	uint32_t slot = 0;

	memset(mem, 0, bytes);
	flow_table_init(&t, mem, SLOTS, STRIDE, &hk);
	CHECK("empty", !flow_find(&t, &key));
	CHECK("zero handle", !flow_get(&t, (struct handle){ 0 }));
	f = flow_alloc(&t, &key);
	CHECK("of", flow_of(&t, (uint8_t *)f + 100) == f);
	CHECK("not of", !flow_of(&t, &t));
	CHECK("next", flow_next(&t, &slot) == f);
	flow_free(&t, f);
	check_against_model(&t);
	free(mem);
}
