/* SPDX-License-Identifier: MIT */
/* test/unit/network_gather.c - datagrams of a turn that leave together. */
#include <string.h>

#include "base/csum.h"
#include "network/network.h"
#include "rig.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/udp.h"

#define EXT_DEST	60	/* IPv6 destination options */
#define DATA_BYTES	600	/* over what any path carries whole */
#define FIRST		'a'	/* in all bytes of the first datagram */

/*
 * What the host's sockets were told, as text: a letter for each datagram,
 * in brackets what left in one piece, - and + where fragments become
 * forbidden and allowed.
 */
static char told[64];

static void tell(char c)
{
	const size_t n = strlen(told);

	if (n + 1 < sizeof(told))
		told[n] = c;
}

static int dgram_send(void *ctx, int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v,
		      unsigned n)
{
	const size_t step = mark->segment ? mark->segment : v->len;

	tell('[');
	for (size_t at = 0; at < v->len; at += step)
		tell(((const char *)v->p)[at]);
	tell(']');
	return fake_ops()->dgram_send(ctx, id, to, mark, v, n);
}

static void dgram_fragment(void *ctx, int id, bool v6, bool allowed,
			   uint16_t mtu)
{
	(void)ctx, (void)id, (void)v6, (void)mtu;
	tell(allowed ? '+' : '-');
}

static struct rig start(void)
{
	const struct network_setup setup = fake_setup();
	static struct env_ops ops;	/* the network keeps a pointer to it */

	ops = *fake_ops();
	ops.dgram_send = dgram_send;
	ops.dgram_fragment = dgram_fragment;
	memset(told, 0, sizeof(told));
	return rig_start_with(&setup, &ops);
}

/* A frame of UDP from the guest's port 1000. */
struct sent {
	bool v6, whole;			/* whole: with DF set */
	size_t ext;			/* bytes of extension headers */
	unsigned n;			/* datagrams in it */
	char first;			/* all bytes of the first of them */
};

/* Extension headers of at most 16 bytes each, so that there are several. */
static void put_extensions(struct wr *w, size_t bytes)
{
	while (bytes) {
		const size_t step = bytes < 16 ? bytes : 16;

		bytes -= step;
		wr_u8(w, bytes ? EXT_DEST : PROTO_UDP);
		wr_u8(w, (uint8_t)(step / 8 - 1));
		wr_u8(w, 1);			/* PadN: RFC 8200 section 4.2 */
		wr_u8(w, (uint8_t)(step - 4));
		wr_zero(w, step - 4);
	}
}

static void put_udp(struct wr *w, const struct ip_packet *ip,
		    const struct sent *d)
{
	const size_t len = (size_t)d->n * DATA_BYTES;
	struct wr head = *w;
	uint8_t *l4 = w->p;
	csum_t sum;

	udp_emit(w, FAKE_PORT, 7, len, 0);
	for (unsigned i = 0; i < d->n; i++)
		for (unsigned k = 0; k < DATA_BYTES; k++)
			wr_u8(w, (uint8_t)(d->first + (int)i));
	sum = csum_add(csum_pseudo(0, &ip->src, &ip->dst, PROTO_UDP,
				   (uint32_t)(UDP_HEADER_BYTES + len)),
		       l4, UDP_HEADER_BYTES + len);
	udp_emit(&head, FAKE_PORT, 7, len, csum_finish(sum));
}

static void send(struct rig *r, const struct sent *d)
{
	const struct network_setup *s = &r->fake->setup;
	const struct frame_meta meta = {
		.gso = d->n == 1 ? FRAME_GSO_NONE :
		       d->v6 ? FRAME_GSO_UDP6 : FRAME_GSO_UDP4,
		.gso_size = d->n == 1 ? 0 : DATA_BYTES,
	};
	const struct eth eth = { .dst = s->gateway_mac, .src = s->guest_mac,
				 .type = d->v6 ? ETH_IPV6 : ETH_IPV4 };
	const struct ip_packet ip = {
		.src = d->v6 ? s->guest6 : s->guest4,
		.dst = d->v6 ? (struct ip){ .b = { 32, 1 } } :
			       ip_from_v4(0xcb007101),
		.proto = d->ext ? EXT_DEST : PROTO_UDP, .ttl = 64,
		.dont_fragment = d->whole,
	};
	uint8_t buf[8192];
	struct wr w = wr(buf, sizeof(buf));

	eth_emit(&w, &eth);
	ip_emit(&w, &ip, d->ext + UDP_HEADER_BYTES +
		(size_t)d->n * DATA_BYTES);
	put_extensions(&w, d->ext);
	put_udp(&w, &ip, d);
	network_frame(r->net, 0, &meta, buf, (size_t)(w.p - buf), RIG_START_NS);
}

static const struct {
	const char *name;
	struct sent sent[6];		/* in one turn */
	const char *want;
} cases[] = {
	{ "alike", { { .n = 1, .first = 'a' }, { .n = 1, .first = 'b' },
		     { .n = 1, .first = 'c' } }, "[abc]" },
	{ "fragments become allowed, and no longer are",
	  { { .whole = true, .n = 1, .first = 'a' },
	    { .whole = true, .n = 1, .first = 'b' },
	    { .n = 1, .first = 'c' }, { .n = 1, .first = 'd' },
	    { .whole = true, .n = 1, .first = 'e' } },
	  "-[ab]+[cd]-[e]" },
	{ "the guest's own batch behind what is gathered",
	  { { .n = 1, .first = 'a' }, { .n = 1, .first = 'b' },
	    { .n = 3, .first = 'c' }, { .n = 1, .first = 'f' },
	    { .n = 1, .first = 'g' } },
	  "[ab][cde][fg]" },
	{ "one batch of its own behind another",
	  { { .n = 2, .first = 'a' }, { .n = 2, .first = 'c' } },
	  "[ab][cd]" },
	{ "a chain of headers that fits the quote",
	  { { .v6 = true, .ext = 80, .n = 1, .first = 'a' },
	    { .v6 = true, .ext = 80, .n = 1, .first = 'b' } },
	  "-[ab]" },
	{ "one that does not",
	  { { .v6 = true, .ext = 88, .n = 1, .first = 'a' },
	    { .v6 = true, .ext = 88, .n = 1, .first = 'b' } },
	  "-[a][b]" },
	{ "the longest, between others",
	  { { .v6 = true, .n = 1, .first = 'a' },
	    { .v6 = true, .n = 1, .first = 'b' },
	    { .v6 = true, .ext = 128, .n = 1, .first = 'c' },
	    { .v6 = true, .n = 1, .first = 'd' },
	    { .v6 = true, .ext = 8, .n = 1, .first = 'e' } },
	  "-[ab][c][de]" },
};

static void check_case(size_t i)
{
	struct rig r = start();

	for (const struct sent *d = cases[i].sent; d->n; d++)
		send(&r, d);
	network_turn_end(r.net, RIG_START_NS);
	CHECK(cases[i].name, !strcmp(told, cases[i].want));
	rig_end(&r, cases[i].name);
}

/*
 * The host has no way for what was gathered: the error quotes the first of
 * it, with all of its headers.
 */
static void check_quote(size_t ext)
{
	static const uint8_t fails[] = { 0, ENV_HOST_UNREACHABLE - 1 };
	const struct sent a = { .v6 = true, .ext = ext, .n = 1,
				.first = FIRST };
	const struct sent b = { .v6 = true, .n = 1, .first = FIRST + 1 };
	const size_t at = ETH_HEADER_BYTES + IPV6_HEADER_BYTES +
			  ICMP_HEADER_BYTES;
	const size_t udp_at = at + IPV6_HEADER_BYTES + ext;
	struct rig r = start();
	const uint8_t *f = r.fake->frame;

	send(&r, &a);
	send(&r, &b);
	r.fake->script = rd(fails, sizeof(fails));
	network_turn_end(r.net, RIG_START_NS);
	CHECK("in one piece", !strcmp(told, "-[ab]"));
	CHECK("an error", r.fake->frames == 1 &&
			  f[ETH_HEADER_BYTES + IPV6_HEADER_BYTES] == 1);
	CHECK("of all headers", r.fake->frame_len >= udp_at +
				UDP_HEADER_BYTES);
	CHECK("of this one", f[at] >> 4 == 6 && f[udp_at] == FAKE_PORT >> 8 &&
			     f[udp_at + 1] == (FAKE_PORT & 0xff) &&
			     f[udp_at + 2] == 0 && f[udp_at + 3] == 7);
	for (size_t k = udp_at + UDP_HEADER_BYTES; k < r.fake->frame_len; k++)
		CHECK("of the first", f[k] == FIRST);
	rig_end(&r, "quote");
}

void test_network_gather(void);
void test_network_gather(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
	check_quote(0);
	check_quote(80);
}
