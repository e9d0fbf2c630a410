/* SPDX-License-Identifier: MIT */
/*
 * sim/talk.c - what one guest says to another
 *
 * Guest i has units of bytes for guest i + 1: each is sent again until it is
 * answered, then comes the next. Over TCP the first unit is a SYN and the
 * last a FIN, both without bytes; so all that a switch may look at is there,
 * and no TCP is needed. Every second frame goes by way of the gateway's MAC.
 */
#include "base/check.h"
#include "sim/world.h"
#include "wire/udp.h"

#define FIRST_NS	(20 * WORLD_MS)
#define SHIFTS		6		/* that double the time to the next */
#define TRIES		400

static uint8_t l4[FRAME_MAX_BYTES];

static unsigned speaker(const struct world *w, unsigned i)
{
	return i % w->plan.guests;
}

static unsigned listener(const struct world *w, unsigned i)
{
	return (i + 1) % w->plan.guests;
}

/* SYN and FIN have units of their own. */
static uint32_t units(const struct plan_talk *t)
{
	return t->units + 2u * t->tcp;
}

static uint32_t bytes_of(const struct plan_talk *t, uint32_t unit)
{
	return t->tcp && (!unit || unit + 1 == units(t)) ? 0 : t->bytes;
}

static uint8_t flags_of(const struct plan_talk *t, uint32_t unit, bool answer)
{
	if (!unit)
		return answer ? TCP_SYN | TCP_ACK : TCP_SYN;
	return unit + 1 == units(t) ? TCP_FIN | TCP_ACK : TCP_ACK;
}

/* Headers of L4, with room for the number of a unit. */
static void head(struct world *w, unsigned i, uint32_t unit, bool answer,
		 size_t data, struct wr *out)
{
	const struct plan_talk *t = &w->plan.talk[i];
	const uint16_t talk = (uint16_t)(WORLD_TALK_PORT + i);
	const uint16_t hear = (uint16_t)(WORLD_HEAR_PORT + i);
	const struct tcp_segment s = {
		.src_port = answer ? hear : talk,
		.dst_port = answer ? talk : hear,
		.seq = unit, .ack = unit, .window = 1000,
		.flags = flags_of(t, unit, answer), .wscale = TCP_NO_WSCALE,
	};

	if (t->tcp) {
		tcp_emit(out, &s, 0);
	} else {
		udp_emit(out, s.src_port, s.dst_port, 4 + data, 0);
		wr_be32(out, unit);
	}
}

static void send(struct world *w, unsigned i, uint32_t unit, bool answer)
{
	const struct plan_talk *t = &w->plan.talk[i];
	const unsigned from = answer ? listener(w, i) : speaker(w, i);
	const unsigned to = answer ? speaker(w, i) : listener(w, i);
	const size_t data = answer ? 0 : bytes_of(t, unit);
	const struct mac by = world_guest_mac(w, to);
	struct wr out = wr(l4, sizeof(l4));
	struct sim_packet p = {
		.guest = from, .by = w->frames & 1 ? &by : NULL,
		.v6 = t->v6, .offload = t->offload,
		.dst = world_guest_ip(w, to, t->v6),
		.proto = t->tcp ? PROTO_TCP : PROTO_UDP, .ttl = 64,
		.csum_offset = t->tcp ? TCP_CSUM_OFFSET : UDP_CSUM_OFFSET,
	};

	head(w, i, unit, answer, data, &out);
	wr_bytes(&out, pattern(PATTERN_CONN(i, true),
			       (uint64_t)unit * t->bytes), data);
	ASSERT(!out.bad);
	if (data > 1200) {
		p.gso = t->v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
		p.gso_size = 1200;
	}
	sim_guest_send(w, &p, l4, (size_t)(out.p - l4));
}

/* arg: the talk, and the unit that was not answered by then. */
static void speak(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)(arg & 0xff);
	struct sim_talk *s = &w->talks[i];
	const unsigned shift = s->tries < SHIFTS ? s->tries : SHIFTS;

	(void)data, (void)len;
	if (arg >> 8 != s->told || s->told == units(&w->plan.talk[i]))
		return;
	if (s->tries++ == TRIES)
		world_fail(w, "talk %u: unit %u is not answered", i, s->told);
	send(w, i, s->told, false);
	world_after(w, FIRST_NS << shift, speak, arg, NULL, 0);
}

static void answered(struct world *w, unsigned i, uint32_t unit)
{
	struct sim_talk *s = &w->talks[i];

	if (unit != s->told)
		return;			/* once more */
	s->told++;
	s->tries = 0;
	if (s->told < units(&w->plan.talk[i]))
		speak(w, (uint64_t)s->told << 8 | i, NULL, 0);
}

static void heard(struct world *w, unsigned i, uint32_t unit,
		  struct view data)
{
	const struct plan_talk *t = &w->plan.talk[i];
	struct sim_talk *s = &w->talks[i];

	if (unit > s->heard || unit >= units(t) ||
	    data.len != bytes_of(t, unit) ||
	    !pattern_is(PATTERN_CONN(i, true), (uint64_t)unit * t->bytes,
			data.p, data.len)) {
		world_fail(w, "talk %u: unit %u is not what was said", i,
			   unit);
		return;
	}
	s->heard += unit == s->heard;
	send(w, i, unit, true);
}

/* Ports and number of a unit; false: none. */
static bool read_unit(const struct ip_packet *ip, uint16_t *src,
		      uint16_t *dst, uint32_t *unit, struct view *data)
{
	struct tcp_segment s;
	struct udp udp;
	struct rd r;

	if (ip->proto == PROTO_TCP && tcp_parse(ip->payload, &s) == DROP_OK) {
		*src = s.src_port;
		*dst = s.dst_port;
		*unit = s.seq;
		*data = s.data.near;
		return !(s.flags & TCP_RST);
	}
	if (ip->proto != PROTO_UDP || udp_parse(ip->payload, &udp) != DROP_OK)
		return false;
	*src = udp.src_port;
	*dst = udp.dst_port;
	r = rd(udp.data.p, udp.data.len);
	*unit = rd_be32(&r);
	*data = (struct view){ .p = r.p, .len = r.left };
	return !r.bad;
}

bool sim_talk_packet(struct world *w, unsigned guest,
		     const struct ip_packet *ip)
{
	struct view data;
	uint16_t src, dst;
	uint32_t unit;
	unsigned i;

	if (!read_unit(ip, &src, &dst, &unit, &data))
		return false;
	i = (unsigned)(dst - WORLD_TALK_PORT);
	if (i < w->plan.talks && src == WORLD_HEAR_PORT + i) {
		if (guest == speaker(w, i))
			answered(w, i, unit);
		return true;
	}
	i = (unsigned)(dst - WORLD_HEAR_PORT);
	if (i >= w->plan.talks || src != WORLD_TALK_PORT + i)
		return false;
	if (guest == listener(w, i))
		heard(w, i, unit, data);
	return true;
}

void sim_talk_start(struct world *w)
{
	for (unsigned i = 0; i < w->plan.talks; i++)
		world_after(w, rng_below(&w->rng, 20000000), speak, i, NULL,
			    0);
}

void sim_talk_end(struct world *w)
{
	for (unsigned i = 0; i < w->plan.talks; i++) {
		const uint32_t all = units(&w->plan.talk[i]);

		if (w->talks[i].told != all || w->talks[i].heard != all)
			world_fail(w, "talk %u: %u units, %u heard, %u told",
				   i, all, w->talks[i].heard,
				   w->talks[i].told);
	}
}
