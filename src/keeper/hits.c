/* SPDX-License-Identifier: MIT */
#include "keeper/hits.h"

#include <stdlib.h>
#include <string.h>

#include "keeper/firewall_calls.h"
#include "keeper/process.h"
#include "linux/channel.h"
#include "linux/messages.h"

/* false: the engine cannot be asked. */
static bool ask(struct keeper *k)
{
	const struct msg_hits_get m = { .kind = MSG_HITS_GET,
					.from = k->hits.have };

	k->hits.ns = keeper_now_ns() + HITS_WAIT_NS;
	return k->phase == UP && channel_send(k->engine_ch, &m, sizeof(m),
					      NULL, 0) == 0;
}

/* From the first rule on. */
static bool begin(struct keeper *k)
{
	struct hits *h = &k->hits;

	h->generation = k->firewall.generation;
	h->rules = k->firewall.book.all.set.used.rules;
	h->have = 0;
	free(h->at);
	h->at = calloc(h->rules + 1u, sizeof(*h->at));
	return h->at && ask(k);
}

void hits_want(struct keeper *k)
{
	if (k->hits.ns != NEVER)
		return;			/* asked already */
	if (!begin(k))
		hits_expire(k);
}

static void answer(struct keeper *k, const struct hits *told)
{
	k->hits.ns = NEVER;
	firewall_calls_list(k, told);
	free(k->hits.at);
	k->hits.at = NULL;
}

void hits_take(struct keeper *k, const struct msg_hits *m, uint32_t bytes)
{
	const uint32_t head = offsetof(struct msg_hits, at);
	struct hits *h = &k->hits;

	if (h->ns == NEVER || m->from != h->have ||
	    m->n > MSG_HITS_MAX || bytes != head + m->n * sizeof(m->at[0]))
		return;			/* too late: nobody waits */
	if (m->generation != k->firewall.generation ||
	    h->generation != k->firewall.generation || m->rules != h->rules) {
		/* It has not heard of the last change yet, or we of it. */
		if (!begin(k))
			hits_expire(k);
		return;
	}
	if (m->n > h->rules - h->have || (!m->n && h->have < h->rules)) {
		hits_expire(k);
		return;
	}
	memcpy(h->at + h->have, m->at, m->n * sizeof(m->at[0]));
	h->have += m->n;
	h->blocked = m->blocked;
	h->not_told = m->not_told;
	if (h->have == h->rules)
		answer(k, h);
	else if (!ask(k))
		hits_expire(k);
}

void hits_expire(struct keeper *k)
{
	answer(k, NULL);
}
