/* SPDX-License-Identifier: MIT */
#include "proto/reassembly.h"

#include <string.h>

#include "proto/share.h"

#define HEADER_BYTES	IPV6_HEADER_BYTES	/* room for either, in front */
#define FIRST_BYTES	4096u
#define LONGEST_BYTES	65535u

static void forget(struct proto *p, struct partial *d)
{
	if (d->p)
		p->env.ops->mem_free(p->env.ctx, d->p, d->cap);
	*d = (struct partial){ 0 };
}

/* The most payload that a packet of that family has. */
static uint32_t longest(const struct ip *ip)
{
	return ip_is4(ip) ? LONGEST_BYTES - IPV4_HEADER_BYTES : LONGEST_BYTES;
}

static struct partial *find(struct reassembly *r, const struct ip_packet *ip)
{
	for (struct partial *d = r->partial; d < r->partial + REASSEMBLY_MAX;
	     d++)
		if (d->used && d->id == ip->frag_id &&
		    (ip->v6 || d->proto == ip->proto) &&
		    ip_equal(&d->src, &ip->src) && ip_equal(&d->dst, &ip->dst))
			return d;
	return NULL;
}

/* The guest that has the most. */
static unsigned heaviest(const struct reassembly *r)
{
	unsigned has[NETWORK_GUESTS_MAX] = { 0 }, most = 0;

	for (unsigned i = 0; i < REASSEMBLY_MAX; i++)
		if (++has[r->partial[i].owner] > has[most])
			most = r->partial[i].owner;
	return most;
}

/* A place that is free, or that of the oldest of who has the most. */
static struct partial *open_place(struct proto *p, struct reassembly *r)
{
	struct partial *oldest = NULL;
	unsigned owner;

	for (struct partial *d = r->partial; d < r->partial + REASSEMBLY_MAX;
	     d++)
		if (!d->used)
			return d;
	owner = heaviest(r);
	for (struct partial *d = r->partial; d < r->partial + REASSEMBLY_MAX;
	     d++)
		if (d->owner == owner &&
		    (!oldest || d->deadline_ns < oldest->deadline_ns))
			oldest = d;
	p->drops[DROP_LIMIT]++;
	forget(p, oldest);
	return oldest;
}

static struct partial *start(struct proto *p, struct reassembly *r,
			     const struct ip_packet *ip)
{
	struct partial *d = open_place(p, r);

	*d = (struct partial){
		.used = true, .src = ip->src, .dst = ip->dst,
		.id = ip->frag_id, .proto = ip->proto,
		.owner = (uint8_t)share_owner(p, &ip->src),
		.deadline_ns = p->now_ns + REASSEMBLY_NS,
	};
	if (!timer_armed(&r->timer))
		wheel_arm(&p->wheel, &r->timer, d->deadline_ns);
	return d;
}

/* Room for a payload of len bytes behind the headers. */
static bool reserve(struct proto *p, struct partial *d, uint32_t len)
{
	const uint32_t need = HEADER_BYTES + len;
	uint32_t cap = d->cap ? d->cap : FIRST_BYTES;
	uint8_t *bigger;

	while (cap < need)
		cap *= 2;
	if (cap == d->cap)
		return true;
	bigger = p->env.ops->mem_alloc(p->env.ctx, cap);
	if (!bigger)
		return false;
	if (d->p) {
		memcpy(bigger, d->p, d->cap);
		p->env.ops->mem_free(p->env.ctx, d->p, d->cap);
	}
	d->p = bigger;
	d->cap = cap;
	return true;
}

enum piece { PIECE_NEW, PIECE_KNOWN, PIECE_WRONG };

/* How [from, to) stands to what is there. */
static enum piece compare(const struct partial *d, uint32_t from, uint32_t to,
			  const uint8_t *bytes)
{
	for (uint32_t i = 0; i < d->have.n; i++) {
		const struct tcp_range *have = &d->have.r[i];

		if (to <= have->from || from >= have->to)
			continue;
		return from >= have->from && to <= have->to &&
		       !memcmp(d->p + HEADER_BYTES + from, bytes, to - from) ?
		       PIECE_KNOWN : PIECE_WRONG;
	}
	return PIECE_NEW;
}

/* Is the piece one that the format allows, and that fits the others? */
static bool fits(const struct partial *d, const struct ip_packet *ip,
		 uint32_t to)
{
	const uint32_t last = d->have.n ? d->have.r[d->have.n - 1].to : 0;

	if (ip->more && (!ip->payload.len || ip->payload.len % 8))
		return false;
	if (to > longest(&ip->src) || (d->has_end && to > d->end))
		return false;
	return ip->more || (to >= last && (!d->has_end || to == d->end));
}

/* Lend the whole packet: a header of its own in front of the payload. */
static void finish(struct reassembly *r, struct partial *d, struct view *out)
{
	const struct ip_packet ip = {
		.src = d->src, .dst = d->dst, .proto = d->proto,
		.ttl = d->ttl, .tos = d->tos, .frag_id = d->id,
	};
	const size_t header = ip_header_bytes(&d->src);
	uint8_t *at = d->p + HEADER_BYTES - header;
	struct wr w = wr(at, header);

	ip_emit(&w, &ip, d->end);
	ASSERT(!w.bad && !r->whole);
	*out = (struct view){ .p = at, .len = header + d->end };
	r->whole = d->p;
	r->whole_cap = d->cap;
	*d = (struct partial){ 0 };
}

/*
 * RFC 8200 section 4.5 has the sender told where a piece of it is wrong by
 * itself: its length, or, past the longest packet, its place. IPv4 is silent.
 */
static void tell_misfit(struct proto *p, const struct ip_packet *ip,
			uint32_t to)
{
	const uint32_t payload = (uint32_t)(ip->payload.p - ip->whole.p);
	const uint32_t offset_field = payload - IPV6_FRAGMENT_BYTES + 2;
	const uint32_t length_field = 4;

	if (!ip->v6)
		return;
	if (ip->more && ip->payload.len % 8)
		proto_icmp_error(p, proto_gateway(p, &ip->src), ip,
				 ICMP_PARAMETER, length_field);
	else if (to > longest(&ip->src))
		proto_icmp_error(p, proto_gateway(p, &ip->src), ip,
				 ICMP_PARAMETER, offset_field);
}

enum drop reassembly_add(struct proto *p, struct reassembly *r,
			 const struct ip_packet *ip, struct view *out)
{
	const uint32_t from = ip->frag_offset;
	const uint32_t to = from + (uint32_t)ip->payload.len;
	struct partial *d = find(r, ip);

	*out = (struct view){ 0 };
	if (!d)
		d = start(p, r, ip);
	if (!fits(d, ip, to)) {
		tell_misfit(p, ip, to);
		forget(p, d);
		return DROP_LENGTH;
	}
	switch (compare(d, from, to, ip->payload.p)) {
	case PIECE_NEW:
		break;
	case PIECE_KNOWN:
		return DROP_OK;
	case PIECE_WRONG:
		forget(p, d);
		return DROP_FRAGMENT;
	}
	if (!reserve(p, d, to)) {
		forget(p, d);
		return DROP_LIMIT;
	}
	if (!ranges_add(&d->have, from, to)) {
		forget(p, d);
		return DROP_FRAGMENT;
	}
	memcpy(d->p + HEADER_BYTES + from, ip->payload.p, ip->payload.len);
	if (!from) {
		d->proto = ip->proto;
		d->ttl = ip->ttl;
		d->tos = ip->tos;
	}
	if (!ip->more) {
		d->has_end = true;
		d->end = to;
	}
	if (d->has_end && d->have.n == 1 && !d->have.r[0].from &&
	    d->have.r[0].to == d->end)
		finish(r, d, out);
	return DROP_OK;
}

void reassembly_done(struct proto *p, struct reassembly *r)
{
	if (r->whole)
		p->env.ops->mem_free(p->env.ctx, r->whole, r->whole_cap);
	r->whole = NULL;
}

/* RFC 792: "time exceeded", code 1, with the first piece as its quote. */
static void tell(struct proto *p, struct partial *d)
{
	struct ip_packet ip = {
		.v6 = !ip_is4(&d->src), .src = d->src, .dst = d->dst,
		.proto = d->proto, .ttl = d->ttl, .tos = d->tos,
		.fragment = true, .more = true, .frag_id = d->id,
	};
	uint8_t quote[ICMP_QUOTE_BYTES];
	struct wr w = wr(quote, sizeof(quote));
	uint32_t len;

	if (!d->have.n || d->have.r[0].from)
		return;
	len = d->have.r[0].to;
	ip_emit(&w, &ip, len);
	ip.payload = (struct view){ .p = d->p + HEADER_BYTES, .len = len };
	wr_bytes(&w, ip.payload.p, len < w.left ? len : w.left);
	ip.whole = (struct view){ .p = quote, .len = (size_t)(w.p - quote) };
	proto_icmp_error(p, proto_gateway(p, &d->src), &ip,
			 ICMP_REASSEMBLY_EXCEEDED, 0);
}

void reassembly_timer(struct proto *p, struct reassembly *r)
{
	uint64_t next = WHEEL_NEVER;

	for (struct partial *d = r->partial; d < r->partial + REASSEMBLY_MAX;
	     d++) {
		if (d->used && d->deadline_ns <= p->now_ns) {
			p->drops[DROP_FRAGMENT]++;
			tell(p, d);
			forget(p, d);
		}
		if (d->used && d->deadline_ns < next)
			next = d->deadline_ns;
	}
	if (next != WHEEL_NEVER)
		wheel_arm(&p->wheel, &r->timer, next);
}

void reassembly_fini(struct proto *p, struct reassembly *r)
{
	reassembly_done(p, r);
	for (struct partial *d = r->partial; d < r->partial + REASSEMBLY_MAX;
	     d++)
		forget(p, d);
	wheel_cancel(&p->wheel, &r->timer);
}
