/* SPDX-License-Identifier: MIT */
#include "firewall/range.h"

#include <string.h>

static struct key add(struct key a, unsigned n)
{
	a.low += n;
	a.high += a.low < n;
	return a;
}

static struct key one_less(struct key a)
{
	a.high -= !a.low;
	a.low--;
	return a;
}

static bool same(struct key a, struct key b)
{
	return a.high == b.high && a.low == b.low;
}

/* Compilers make one load of this, but not of a loop. */
static uint64_t eight_bytes(const uint8_t *p)
{
	return (uint64_t)p[0] << 56 | (uint64_t)p[1] << 48 |
	       (uint64_t)p[2] << 40 | (uint64_t)p[3] << 32 |
	       (uint64_t)p[4] << 24 | (uint64_t)p[5] << 16 |
	       (uint64_t)p[6] << 8 | p[7];
}

struct key key_of_ip(const struct ip *ip)
{
	return (struct key){ .high = eight_bytes(ip->b),
			     .low = eight_bytes(ip->b + 8) };
}

struct key key_of(unsigned value)
{
	return (struct key){ .low = value };
}

#define V4(n)	((uint64_t)0xffff00000000 | (n))	/* mapped */

/* In order. What is no unicast of anybody's is of neither net. */
static const struct range intranet[] = {
	{ { 0, V4(0x0a000000) }, { 0, V4(0x0affffff) } },
	{ { 0, V4(0xa9fe0000) }, { 0, V4(0xa9feffff) } },
	{ { 0, V4(0xac100000) }, { 0, V4(0xac1fffff) } },
	{ { 0, V4(0xc0a80000) }, { 0, V4(0xc0a8ffff) } },
	{ { 0xfc00000000000000, 0 }, { 0xfdffffffffffffff, UINT64_MAX } },
	{ { 0xfe80000000000000, 0 }, { 0xfebfffffffffffff, UINT64_MAX } },
};

static const struct range nobody[] = {
	{ { 0, 0 }, { 0, 1 } },				/* ::, ::1 */
	{ { 0, V4(0) }, { 0, V4(0x00ffffff) } },	/* 0/8 */
	{ { 0, V4(0x7f000000) }, { 0, V4(0x7fffffff) } },
	{ { 0, V4(0xe0000000) }, { 0, V4(0xffffffff) } },
	{ { 0xff00000000000000, 0 }, { UINT64_MAX, UINT64_MAX } },
};

static const struct range v4 = { { 0, V4(0) }, { 0, V4(0xffffffff) } };
static const struct range everything = { { 0, 0 },
					 { UINT64_MAX, UINT64_MAX } };
static const struct range link_local6 = {
	{ 0xfe80000000000000, 0 }, { 0xfebfffffffffffff, UINT64_MAX } };

#define HOLES_MAX 16

/* Ranges that are made up, and what is to be left out of them. */
struct maker {
	struct range *out;
	unsigned n;
	uint8_t families;
	struct range hole[HOLES_MAX];
	unsigned n_holes;
};

static bool is_v4(struct key k)
{
	return !k.high && k.low >> 32 == 0xffff;
}

/* What is left of r behind the holes from `from` on. */
static void emit(struct maker *m, struct range r, unsigned from)
{
	for (unsigned i = from; i < m->n_holes; i++) {
		const struct range *h = &m->hole[i];

		if (key_less(r.last, h->first) || key_less(h->last, r.first))
			continue;
		if (key_less(r.first, h->first))
			emit(m, (struct range){ r.first, one_less(h->first) },
			     i + 1);
		if (!key_less(h->last, r.last))
			return;
		r.first = add(h->last, 1);
	}
	ASSERT(m->n < RANGES_PER_ITEM);
	m->out[m->n++] = r;
}

/* r of the families that were asked for; IPv4 is a hole in IPv6. */
static void make(struct maker *m, const struct range *r)
{
	struct maker v6 = *m;

	if (is_v4(r->first) && is_v4(r->last)) {
		if (m->families & RULE_V4)
			emit(m, *r, 0);
		return;
	}
	if (!(m->families & RULE_V6))
		return;
	v6.hole[v6.n_holes++] = v4;
	emit(&v6, *r, 0);
	m->n = v6.n;
}

static struct range range_of_prefix(const struct prefix *p)
{
	const unsigned bits = p->bits + (ip_is4(&p->ip) ? 96u : 0u);
	struct range r = { .first = key_of_ip(&p->ip) };
	struct key rest = { UINT64_MAX, UINT64_MAX };

	if (bits >= 64) {
		rest.high = 0;
		rest.low = bits == 128 ? 0 : UINT64_MAX >> (bits - 64);
	} else {
		rest.high = UINT64_MAX >> bits;
	}
	r.first.high &= ~rest.high;
	r.first.low &= ~rest.low;
	r.last = (struct key){ r.first.high | rest.high,
			       r.first.low | rest.low };
	return r;
}

/* Those of the network itself. */
static unsigned local_subnet(const struct firewall_net *net,
			     struct range out[3])
{
	out[0] = range_of_prefix(&net->subnet4);
	if (!net->v6)
		return 1;
	out[1] = range_of_prefix(&net->subnet6);
	out[2] = link_local6;
	return 3;
}

static void make_gateway(struct maker *m, const struct firewall_net *net)
{
	struct range r;

	r.first = r.last = key_of_ip(&net->gateway4);
	make(m, &r);
	if (!net->v6)
		return;
	r.first = r.last = key_of_ip(&net->gateway6);
	make(m, &r);
}

static void make_all(struct maker *m, const struct range *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		make(m, &r[i]);
}

static void leave_out(struct maker *m, const struct range *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		m->hole[m->n_holes++] = r[i];
}

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void make_word(struct maker *m, enum addr_word word,
		      const struct firewall_net *net)
{
	struct range local[3];
	const unsigned n = local_subnet(net, local);

	switch (word) {
	case ADDR_LOCAL_SUBNET:
		make_all(m, local, n);
		return;
	case ADDR_DNS: case ADDR_DHCP: case ADDR_GATEWAY:
		make_gateway(m, net);
		return;
	case ADDR_INTRANET:
		make_all(m, intranet, N(intranet));
		return;
	case ADDR_REMOTE_INTRANET:
		leave_out(m, local, n);
		make_all(m, intranet, N(intranet));
		return;
	case ADDR_INTERNET:
		leave_out(m, intranet, N(intranet));
		leave_out(m, nobody, N(nobody));
		make(m, &v4);
		make(m, &everything);
		return;
	case ADDR_WINS: case ADDR_PLY2RENDERS: case ADDR_CAPTIVE_PORTAL:
	case ADDR_WORDS:
		return;
	}
	__builtin_trap();
}

unsigned range_of_item(const struct rule_item *item,
		       const struct firewall_net *net,
		       struct range out[RANGES_PER_ITEM])
{
	struct maker m = { .out = out, .families = RULE_BOTH };
	unsigned port;

	switch ((enum rule_item_kind)item->kind) {
	case ITEM_PORTS:
		out[0] = (struct range){ key_of(item->port.first),
					 key_of(item->port.last) };
		return 1;
	case ITEM_PORT_WORD:
		port = port_word_number(item->word);
		out[0] = (struct range){ key_of(port), key_of(port) };
		return port != 0;
	case ITEM_ICMP:
		port = (unsigned)item->icmp.type << 8;
		out[0] = (struct range){ key_of(port), key_of(port | 255) };
		if (item->icmp.code != RULE_ANY_CODE)
			out[0].first = out[0].last =
				key_of(port | item->icmp.code);
		return 1;
	case ITEM_ADDRS:
		make(&m, &(struct range){ key_of_ip(&item->addr.first),
					  key_of_ip(&item->addr.last) });
		return m.n;
	case ITEM_ADDR_WORD:
		m.families = item->families;
		make_word(&m, item->word, net);
		return m.n;
	case ITEM_NAME: case ITEM_TEXT: case ITEM_GUEST: case ITEM_NETWORK:
		return 0;
	}
	__builtin_trap();
}

static void sink(struct range *r, uint32_t at, uint32_t n)
{
	const struct range v = r[at];

	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child >= n)
			break;
		if (child + 1 < n &&
		    key_less(r[child].first, r[child + 1].first))
			child++;
		if (!key_less(v.first, r[child].first))
			break;
		r[at] = r[child];
		at = child;
	}
	r[at] = v;
}

void range_sort(struct range *r, uint32_t n)
{
	for (uint32_t i = n / 2; i-- > 0;)
		sink(r, i, n);
	for (uint32_t i = n; i-- > 1;) {
		const struct range last = r[i];

		r[i] = r[0];
		r[0] = last;
		sink(r, 0, i);
	}
}

uint32_t range_merge(struct range *r, uint32_t n)
{
	uint32_t kept = 0;

	range_sort(r, n);
	for (uint32_t i = 0; i < n; i++) {
		struct range *last = &r[kept ? kept - 1 : 0];

		if (!kept || (key_less(last->last, r[i].first) &&
			      !same(add(last->last, 1), r[i].first)))
			r[kept++] = r[i];
		else if (key_less(last->last, r[i].last))
			last->last = r[i].last;
	}
	return kept;
}

/* How many of the ranges begin at key or before. */
static uint32_t before(const struct range *r, uint32_t n, struct key key)
{
	uint32_t low = 0;

	while (low < n) {
		const uint32_t mid = low + (n - low) / 2;

		if (key_less(key, r[mid].first))
			n = mid;
		else
			low = mid + 1;
	}
	return low;
}

bool range_has(const struct range *r, uint32_t n, struct key key)
{
	const uint32_t i = before(r, n, key);

	return i && !key_less(r[i - 1].last, key);
}

bool range_covers(const struct range *r, uint32_t n, const struct range *one)
{
	const uint32_t i = before(r, n, one->first);

	return i && !key_less(r[i - 1].last, one->last);
}
