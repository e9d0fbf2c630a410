/* SPDX-License-Identifier: MIT */
/*
 * sim/link.c - the guest's link: frames are lost, doubled, late, damaged
 *
 * Damage is one byte changed. The Internet checksum finds that wherever it
 * covers, so what is not found lies in a field that harms nobody else.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/csum.h"
#include "sim/world.h"

struct parcel {
	struct frame_meta meta;
	unsigned link, tag;
	bool damaged;
	uint8_t frame[];
};

/* Fate of a frame: how often it arrives, and how late. */
static unsigned copies(struct world *w, unsigned loss)
{
	if (rng_chance(&w->rng, loss))
		return 0;
	return rng_chance(&w->rng, w->plan.duplicate) ? 2 : 1;
}

static uint64_t delay(struct world *w)
{
	uint64_t ns = w->plan.delay_ns;

	if (rng_chance(&w->rng, w->plan.reorder))
		ns += rng_below(&w->rng, 5000000);
	return ns;
}

/* The checksum that an offloading sender left to the link. */
static void complete(struct parcel *p, size_t len)
{
	const size_t from = p->meta.csum_start;
	struct wr w = wr(p->frame + from + p->meta.csum_offset, 2);
	uint16_t sum;

	if (!p->meta.needs_csum)
		return;
	sum = csum_finish(csum_add(0, p->frame + from, len - from));
	wr_be16(&w, sum ? sum : 0xffff);
	p->meta.needs_csum = false;
}

static void damage(struct world *w, struct parcel *p, size_t len)
{
	uint32_t at;

	if (p->meta.gso != FRAME_GSO_NONE || !len ||
	    !rng_chance(&w->rng, w->plan.corrupt))
		return;
	complete(p, len);
	at = rng_below(&w->rng, (uint32_t)len);
	p->frame[at] ^= (uint8_t)(1 + rng_below(&w->rng, 255));
	p->damaged = true;
}

static void deliver(struct world *w, unsigned link,
		    const struct frame_meta *meta, const uint8_t *frame,
		    size_t len, unsigned tag,
		    void (*arrive)(void *, uint64_t, void *, size_t))
{
	struct parcel *p = malloc(sizeof(*p) + len);

	ASSERT(p);
	p->meta = *meta;
	p->link = link;
	p->tag = tag;
	p->damaged = false;
	memcpy(p->frame, frame, len);
	damage(w, p, len);
	world_after(w, delay(w), arrive, 0, p, len);
}

/* Where the data of a TCP frame begins; len if it is none or has none. */
static size_t data_at(const uint8_t *frame, size_t len)
{
	const bool v6 = frame[12] == 0x86;
	const size_t l4 = 14u + (v6 ? 40u : 20u);

	if (len < l4 + 20 || frame[14 + (v6 ? 6 : 9)] != PROTO_TCP ||
	    (!v6 && frame[14] != 0x45))
		return len;
	return l4 + (size_t)(frame[l4 + 12] >> 4) * 4;
}

static void *copy_of(const void *p, size_t len)
{
	void *copy = malloc(len + !len);

	ASSERT(copy);
	memcpy(copy, p, len);
	return copy;
}

/*
 * As a link does that hands on what the guest has in several places: a frame
 * whose checksum is left to the link ends somewhere in its data, and the rest
 * is in three pieces, of which one may be empty.
 */
static void in_pieces(struct world *w, const struct parcel *p, size_t len)
{
	const size_t data = data_at(p->frame, len);
	const size_t near = data + (data < len ? w->frames * 7 % (len - data) :
						 0);
	const size_t far = len - near;
	struct frame_meta meta = p->meta;
	struct span pieces[3];
	uint8_t *head;
	size_t at = near;

	if (!p->meta.needs_csum || near >= len) {
		network_frame(w->net, p->link, &p->meta, p->frame, len,
			      w->now_ns);
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		pieces[i].len = i == 2 ? len - at : far / (2 + i);
		pieces[i].p = copy_of(p->frame + at, pieces[i].len);
		at += pieces[i].len;
	}
	head = copy_of(p->frame, near);
	meta.far = pieces;
	meta.far_bytes = far;
	network_frame(w->net, p->link, &meta, head, near, w->now_ns);
	free(head);
	for (unsigned i = 0; i < 3; i++)
		free(pieces[i].p);
}

static void arrive_gateway(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const struct parcel *p = data;

	(void)arg;
	w->frames++;
	world_mix(w, p->frame, len);
	w->to_gateway++;
	w->to_gateway_bytes += len;
	sim_guest_arrived(w, p->tag, p->damaged, p->frame, len);
	in_pieces(w, p, len);
}

static void arrive_guest(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const struct parcel *p = data;

	(void)arg;
	w->frames++;
	world_mix(w, p->frame, len);
	sim_guest_frame(w, p->link, &p->meta, p->frame, len);
}

void link_to_gateway(struct world *w, unsigned link,
		     const struct frame_meta *meta, const uint8_t *frame,
		     size_t len, unsigned tag)
{
	for (unsigned n = copies(w, w->plan.loss_to_gateway); n; n--)
		deliver(w, link, meta, frame, len, tag, arrive_gateway);
}

void link_to_guest(struct world *w, unsigned link,
		   const struct frame_meta *meta, const uint8_t *frame,
		   size_t len)
{
	if (len > 1000 && (++w->data_frames == w->plan.drop_data[0] ||
			   w->data_frames == w->plan.drop_data[1]))
		return;
	for (unsigned n = copies(w, w->plan.loss_to_guest); n; n--)
		deliver(w, link, meta, frame, len, TAG_NONE, arrive_guest);
}
