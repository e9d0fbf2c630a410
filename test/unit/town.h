/* SPDX-License-Identifier: MIT */
/*
 * test/unit/town.h - a rig with several guests, each on a link of its own.
 *
 * Guest 0 is the setup's; the others are called one, two, … and known by what
 * their links say.
 */
#ifndef TOWN_H
#define TOWN_H

#include "base/csum.h"
#include "rig.h"
#include "wire/eth.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define TOWN_MAX 4

struct citizen {
	unsigned link;
	struct mac mac;
	struct ip ip4, ip6;
};

struct town {
	struct rig r;
	uint64_t now;
	unsigned n, logged;
	struct citizen citizen[TOWN_MAX];
};

struct town_udp {
	struct endpoint src, dst;	/* of src, the port */
	struct ip src_ip;
	struct view bytes;
};

static inline void town_log(void *ctx, enum log_level level, const char *text)
{
	(void)level, (void)text;
	++*(unsigned *)ctx;
}

static inline struct citizen town_citizen(const struct network_setup *s,
					  unsigned i)
{
	struct citizen c = { .link = i, .mac = s->guest_mac,
			     .ip4 = s->guest4, .ip6 = s->guest6 };

	c.mac.b[5] = (uint8_t)(c.mac.b[5] + i);
	c.ip4.b[15] = (uint8_t)(c.ip4.b[15] + i);
	c.ip6.b[15] = (uint8_t)(c.ip6.b[15] + i);
	return c;
}

static unsigned town_logged;

static inline struct town town_begin(unsigned n, bool isolate)
{
	static const char *const names[TOWN_MAX] = { "", "one", "two",
						     "three" };
	struct network_setup s = fake_setup();
	struct town t = { .n = n, .now = RIG_START_NS };

	s.isolate = isolate;
	town_logged = 0;
	t.r = rig_start(&s);
	t.r.net->p.env.log = (struct log_sink){ .write = town_log,
						.ctx = &town_logged };
	t.r.fake->links = n;
	for (unsigned i = 0; i < n; i++) {
		struct network_guest_setup g = { .link = (uint8_t)i,
						 .learn_mac = true };

		t.citizen[i] = town_citizen(&s, i);
		g.mac = t.citizen[i].mac;
		g.ip4 = t.citizen[i].ip4;
		g.ip6 = t.citizen[i].ip6;
		strcpy(g.name, names[i]);
		strcpy(g.rule_name, names[i]);
		if (i)
			CHECK("added", network_guest_add(t.r.net, &g, t.now) ==
				       (int)i);
	}
	return t;
}

static inline struct town town_start(unsigned n)
{
	return town_begin(n, false);
}

static inline void town_end(struct town *t, const char *name)
{
	network_check(t->r.net);
	rig_end(&t->r, name);
}

/* Put a frame on that guest's link. */
static inline void town_frame(struct town *t, const struct citizen *c,
			      const struct frame_meta *meta,
			      const uint8_t *frame, size_t len)
{
	network_frame(t->r.net, c->link, meta, frame, len, t->now);
	network_turn_end(t->r.net, t->now);
	network_check(t->r.net);
	t->logged = town_logged;
}

/* A packet of that guest's, whose checksum is filled in at csum_at, if any. */
static inline void town_packet(struct town *t, const struct citizen *c,
			       const struct mac *to,
			       const struct ip_packet *ip, uint8_t *l4,
			       size_t len, size_t csum_at)
{
	const struct eth eth = { .dst = *to, .src = c->mac,
				 .type = ip->v6 ? ETH_IPV6 : ETH_IPV4 };
	const struct frame_meta meta = { 0 };
	static uint8_t buf[FRAME_MAX_BYTES];
	struct wr w = wr(buf, sizeof(buf));
	const csum_t pseudo = ip->proto == PROTO_ICMP ? 0 :
		csum_pseudo(0, &ip->src, &ip->dst, ip->proto, (uint32_t)len);
	uint16_t sum;

	if (csum_at) {
		l4[csum_at] = l4[csum_at + 1] = 0;
		sum = csum_finish(csum_add(pseudo, l4, len));
		l4[csum_at] = (uint8_t)(sum >> 8);
		l4[csum_at + 1] = (uint8_t)sum;
	}
	eth_emit(&w, &eth);
	ip_emit(&w, ip, len);
	wr_bytes(&w, l4, len);
	town_frame(t, c, &meta, buf, (size_t)(w.p - buf));
}

static inline void town_udp(struct town *t, const struct citizen *c,
			    const struct town_udp *u)
{
	const struct ip_packet ip = {
		.v6 = !ip_is4(&u->dst.ip), .src = u->src_ip, .dst = u->dst.ip,
		.proto = PROTO_UDP, .ttl = 64,
	};
	uint8_t l4[600];
	struct wr w = wr(l4, sizeof(l4));

	udp_emit(&w, u->src.port, u->dst.port, u->bytes.len, 0);
	wr_bytes(&w, u->bytes.p, u->bytes.len);
	town_packet(t, c, &t->r.net->setup.gateway_mac, &ip, l4,
		    (size_t)(w.p - l4), UDP_CSUM_OFFSET);
}

/* A connection that it begins, from port 1000, by way of that MAC. */
static inline void town_syn_by(struct town *t, const struct citizen *c,
			       const struct mac *by, const struct endpoint *to)
{
	const struct ip_packet ip = {
		.v6 = !ip_is4(&to->ip), .dst = to->ip, .proto = PROTO_TCP,
		.src = ip_is4(&to->ip) ? c->ip4 : c->ip6, .ttl = 64,
	};
	uint8_t l4[20] = { 1000 >> 8, 1000 & 0xff, (uint8_t)(to->port >> 8),
			   (uint8_t)to->port, [12] = 0x50, [13] = TCP_SYN,
			   [14] = 0xff, 0xff };

	town_packet(t, c, by, &ip, l4, sizeof(l4), TCP_CSUM_OFFSET);
}

static inline void town_syn(struct town *t, const struct citizen *c,
			    const struct endpoint *to)
{
	town_syn_by(t, c, &t->r.net->setup.gateway_mac, to);
}

#endif
