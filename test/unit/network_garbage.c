/* SPDX-License-Identifier: MIT */
/*
 * test/unit/network_garbage.c - frames that no guest should send.
 *
 * A whole network over a host that answers at random. Frames are good ones
 * with bytes changed, cut or made of noise; the link vouches for their
 * checksums, so that the mutations reach the state machines. Nothing may
 * crash (run under sanitizers), every invariant holds after each turn, and
 * at the end no socket and no byte of store is left.
 */
#include "network/state.h"

#include <stdlib.h>
#include <string.h>

#include "fake/fake.h"
#include "fake/rules.h"
#include "test.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define TURNS 60000

static uint32_t dice(struct fake *w, uint32_t sides)
{
	return fake_dice(w, sides);
}

static void put_tcp(struct fake *w, struct wr *out, bool v6)
{
	static const uint8_t flags[] = {
		TCP_SYN, TCP_ACK, TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH,
		TCP_ACK | TCP_FIN, TCP_ACK, TCP_RST | TCP_ACK, TCP_URG, 0xff,
	};
	const uint32_t port = dice(w, FAKE_PORTS);
	const struct fake_peer *peer = &w->peer[v6][port];
	const uint32_t seq = peer->seq;
	const bool fresh = !peer->ack || dice(w, 40) == 0;
	struct tcp_segment s = {
		.src_port = (uint16_t)(FAKE_PORT + port),
		.dst_port = port % 4 ? 80 : 53,
		/* Near what the gateway expects, so that much is taken. */
		.seq = peer->ack + dice(w, 3000) * (dice(w, 3) == 0),
		.ack = seq + dice(w, 3000) * (dice(w, 3) == 0),
		.flags = fresh ? TCP_SYN : flags[dice(w, sizeof(flags))],
		.window = (uint16_t)(dice(w, 3) ? dice(w, 65536) : 0),
		.mss = (uint16_t)dice(w, 2000), .wscale = TCP_NO_WSCALE,
		.sack_ok = dice(w, 2), .sacks = (uint8_t)dice(w, 3),
		.sack = { { seq, seq + dice(w, 5000) },
			  { seq + 6000, seq + 9000 } },
	};

	tcp_emit(out, &s, 0);
	wr_zero(out, dice(w, 1400));
}

static void put_l4(struct fake *w, struct wr *out, const struct ip_packet *ip)
{
	const struct icmp_echo echo = { .id = (uint16_t)dice(w, 3) };

	switch (ip->proto) {
	case PROTO_TCP:
		put_tcp(w, out, ip->v6);
		return;
	case PROTO_UDP:
		udp_emit(out, (uint16_t)(1 + dice(w, 5)),
			 dice(w, 3) ? (uint16_t)(1 + dice(w, 3)) : 53, 40, 1);
		wr_zero(out, 40);
		return;
	default:
		icmp_emit_echo(out, &ip->src, &ip->dst, &echo);
		wr_zero(out, 40);
	}
}

/* Guest i has the i-th address and MAC after the first one's. */
static void of_guest(uint8_t *last, unsigned i)
{
	*last = (uint8_t)(*last + i);
}

/* To another guest, or as if it were another's. */
static void among_guests(struct fake *w, unsigned link, struct eth *eth,
			 struct ip_packet *ip)
{
	const struct network_setup *s = &w->setup;
	const unsigned to = dice(w, w->links), as = dice(w, 20) ? link : to;

	of_guest(&eth->src.b[5], dice(w, 20) ? as : to);
	of_guest(&ip->src.b[15], as);
	if (dice(w, 3) == 0)
		return;
	ip->dst = ip->v6 ? s->guest6 : s->guest4;
	of_guest(&ip->dst.b[15], to);
	if (dice(w, 2)) {
		eth->dst = s->guest_mac;
		of_guest(&eth->dst.b[5], to);
	}
	if (dice(w, 10) == 0)
		ip->proto = (uint8_t)dice(w, 256);
}

static size_t make_frame(struct fake *w, unsigned link, uint8_t *buf,
			 size_t cap)
{
	const bool v6 = dice(w, 6) == 0;
	const uint8_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_TCP, PROTO_UDP,
				   v6 ? PROTO_ICMP6 : PROTO_ICMP };
	const struct network_setup s = w->setup;
	struct eth eth = {
		.dst = s.gateway_mac, .src = s.guest_mac,
		.type = v6 ? ETH_IPV6 : ETH_IPV4,
	};
	struct ip_packet ip = {
		.src = v6 ? s.guest6 : s.guest4,
		.dst = v6 ? s.gateway6 : s.gateway4,
		.proto = protos[dice(w, sizeof(protos))],
		.ttl = (uint8_t)dice(w, 256), .v6 = v6,
	};
	uint8_t l4[2048];
	struct wr body = wr(l4, sizeof(l4)), out = wr(buf, cap);

	if (ip.proto != PROTO_TCP && dice(w, 2))
		ip.dst = v6 ? (struct ip){ .b = { 32 } } :
			      ip_from_v4(0xc0000201);
	if (w->links)
		among_guests(w, link, &eth, &ip);
	put_l4(w, &body, &ip);
	eth_emit(&out, &eth);
	ip_emit(&out, &ip, (size_t)(body.p - l4));
	wr_bytes(&out, l4, (size_t)(body.p - l4));
	return (size_t)(out.p - buf);
}

/* What a link may say of it, true or not. */
static struct frame_meta some_meta(struct fake *w)
{
	struct frame_meta meta = { .needs_csum = dice(w, 10) != 0 };

	if (w->links) {
		meta.csum_start = (uint16_t)(dice(w, 4) ? 34 : dice(w, 99));
		meta.csum_offset = (uint16_t)(dice(w, 4) ? 16 : dice(w, 20));
		meta.gso = dice(w, 3) ? FRAME_GSO_NONE :
					(enum frame_gso)dice(w, 5);
		meta.gso_size = (uint16_t)dice(w, 2000);
		meta.hdr_len = (uint16_t)dice(w, 100);
	}
	return meta;
}

static void one_frame(struct fake *w, struct network *net, uint64_t now)
{
	const unsigned link = w->links ? dice(w, w->links) : 0;
	const struct frame_meta meta = some_meta(w);
	uint8_t buf[4096], *exact;
	size_t len = make_frame(w, link, buf, sizeof(buf));

	if (dice(w, 5) == 0)
		for (uint32_t n = 1 + dice(w, 4); n; n--)
			buf[dice(w, (uint32_t)len)] = (uint8_t)dice(w, 256);
	if (dice(w, 10) == 0)
		len = dice(w, (uint32_t)len);
	if (dice(w, 30) == 0)
		for (size_t i = 0; i < len; i++)
			buf[i] = (uint8_t)dice(w, 256);
	exact = malloc(len + !len);	/* ASan faults on one byte more */
	memcpy(exact, buf, len);
	network_frame(net, link, &meta, exact, len, now);
	free(exact);
}

/* A client of the host's wants a port of the guest's. */
static void one_offer(struct fake *w, struct network *net, uint64_t now)
{
	const struct endpoint to = {
		.ip = dice(w, 2) ? w->setup.guest4 : w->setup.guest6,
		.port = (uint16_t)(FAKE_PORT + dice(w, FAKE_PORTS)),
	};
	const struct endpoint from = {
		.ip = dice(w, 2) ? w->setup.gateway4 : w->setup.guest6,
		.port = (uint16_t)dice(w, 3),
	};
	const int id = fake_accept(w);

	if (id >= 0)
		network_offer(net, id, &from, &to, now);
}

/* A socket of the host's is bound, or closed, for one of them. */
static void one_udp_offer(struct fake *w, struct network *net, uint64_t now)
{
	const struct endpoint to = {
		.ip = dice(w, 2) ? w->setup.guest4 : w->setup.guest6,
		.port = (uint16_t)(FAKE_PORT + dice(w, FAKE_PORTS)),
	};
	const uint32_t name = dice(w, 10);
	const int id = fake_accept(w);

	network_udp_withdraw(net, name, now);
	if (id >= 0)
		network_udp_offer(net, name, id, &to, dice(w, 2), now);
}

/* Rules change, programs become known, and a relay asks. */
static void rules_and_answers(struct fake *w, struct network *net,
			      uint64_t now)
{
	const struct network_relay relay = {
		.to_host = dice(w, 2), .udp = dice(w, 2), .v6 = dice(w, 2),
		.client_port = 50000,
		.port = (uint16_t)(FAKE_PORT + dice(w, FAKE_PORTS)),
	};

	if (dice(w, 500) == 0)
		fake_set_rules(net, &w->setup,
			       (enum fake_rules)dice(w, FAKE_RULES_MAX), now);
	if (dice(w, 20) == 0)
		network_program(net, w->asked, dice(w, 2) ? NULL :
				dice(w, 2) ? "/usr/bin/true" : FAKE_PROGRAM,
				now);
	if (dice(w, 50) == 0)
		(void)network_judge(net, &relay, FAKE_TICKET, now);
}

/* Guests but the first come and go. */
static void one_guest(struct fake *w, struct network *net, uint64_t now)
{
	const unsigned i = 1 + dice(w, w->links - 1);
	struct network_guest_setup g = {
		.link = (uint8_t)(i == 3 ? NETWORK_LINK_ANY : i),
		.mac = w->setup.guest_mac, .learn_mac = dice(w, 2),
		.ip4 = w->setup.guest4, .ip6 = w->setup.guest6,
		.own_ip6 = dice(w, 2),
	};

	of_guest(&g.mac.b[5], i);
	of_guest(&g.ip4.b[15], i);
	of_guest(&g.ip6.b[15], i);
	if (dice(w, 4) == 0)
		network_link_down(net, i);
	if (dice(w, 4) == 0)
		network_rejoined(net, i);
	if (net->p.guests.at[i].used && dice(w, 2))
		network_guest_remove(net, i, now);
	else
		(void)network_guest_add(net, &g, now);
}

/* links: 0, there is one, and one guest. */
static void garbage(unsigned links)
{
	const struct network_setup setup = fake_setup();
	struct fake *w = malloc(sizeof(*w));
	const struct env env = { .ops = fake_ops(), .ctx = w };
	const size_t bytes = (network_bytes(&setup) + 63) & ~(size_t)63;
	void *mem = aligned_alloc(64, bytes);
	const struct endpoint resolver = { .ip = ip_from_v4(0xc0000235),
					   .port = 53 };
	uint64_t now = 1000000000;
	struct network_stats st;
	struct network *net;

	fake_init(w, &setup, 88172645463325252u);
	w->links = links;
	memset(mem, 0, bytes);
	net = network_init(mem, &setup, &env, now);
	network_set_resolvers(net, &resolver, 1);
	fake_set_rules(net, &setup, FAKE_RULES_OPEN, now);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		now += dice(w, 100) ? dice(w, 1000000) : 5000000000u;
		one_frame(w, net, now);
		if (dice(w, 50) == 0)
			one_offer(w, net, now);
		if (dice(w, 50) == 0)
			one_udp_offer(w, net, now);
		rules_and_answers(w, net, now);
		if (links && dice(w, 20) == 0)
			one_guest(w, net, now);
		for (int i = 0; i < FAKE_SOCKETS; i++)
			if (w->sock[i].open && dice(w, 4) == 0)
				network_sock_event(net, w->sock[i].owner,
						   dice(w, 8), now);
		if (network_next_timer(net) <= now)
			network_timers(net, now);
		network_turn_end(net, now);
		network_check(net);
	}
	network_get_stats(net, &st);
	CHECK("much was accepted", st.drops[DROP_OK] > TURNS / (links ? 12 : 4));
	CHECK("the guest was answered", w->frames > TURNS / (links ? 16 : 4));
	network_fini(net);
	fake_check_end(w);
	CHECK(w->failure ? w->failure : "all is well", !w->failure);
	free(mem);
	free(w);
}

void test_network_garbage(void);
void test_network_garbage(void)
{
	garbage(0);
	garbage(4);
}
