/* SPDX-License-Identifier: MIT */
/* test/unit/network_udp_offer.c - peers that begin to talk to the guest. */
#include <string.h>

#include "network/network.h"
#include "rig.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/udp.h"

#define SECOND_NS	UINT64_C(1000000000)
#define PEER_PORT	5555
#define DATA		"question"

/* What a socket is to be given next, and what was last sent by one. */
static struct {
	bool waits;
	struct endpoint from;
	struct ip local;
} next;
static struct {
	int id;				/* -1: nothing was */
	struct endpoint to;
	struct ip local;
} last;

static int64_t dgram_recv(void *ctx, int id, struct endpoint *from,
			  struct env_mark *mark, void *buf, size_t cap)
{
	(void)ctx, (void)id;
	if (!next.waits || cap < sizeof(DATA))
		return -ENV_AGAIN;
	next.waits = false;
	*from = next.from;
	*mark = (struct env_mark){ .ttl = 60, .local = next.local };
	memcpy(buf, DATA, sizeof(DATA));
	return sizeof(DATA);
}

static int dgram_send(void *ctx, int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v,
		      unsigned n)
{
	last.id = id;
	last.to = *to;
	last.local = mark->local;
	return fake_ops()->dgram_send(ctx, id, to, mark, v, n);
}

struct scene {
	struct rig r;
	uint64_t now_ns;
};

static struct scene start(bool host_access)
{
	static struct env_ops ops;	/* the network keeps a pointer to it */
	struct network_setup setup = fake_setup();

	setup.host_access = host_access;
	ops = *fake_ops();
	ops.dgram_recv = dgram_recv;
	ops.dgram_send = dgram_send;
	memset(&next, 0, sizeof(next));
	return (struct scene){ .r = rig_start_with(&setup, &ops),
			       .now_ns = RIG_START_NS };
}

static struct endpoint at(const char *ip, uint16_t port)
{
	struct endpoint e = { .port = port };

	CHECK(ip, ip_parse(ip, &e.ip));
	return e;
}

static struct endpoint guest_port(const struct scene *s, bool v6)
{
	return (struct endpoint){
		.ip = v6 ? s->r.fake->setup.guest6 : s->r.fake->setup.guest4,
		.port = FAKE_PORT,
	};
}

/* The socket of a new offer. */
static int offer(struct scene *s, uint32_t name, bool v6, bool own)
{
	const struct endpoint to = guest_port(s, v6);
	const int id = fake_accept(s->r.fake);

	network_udp_offer(s->r.net, name, id, &to, own, s->now_ns);
	network_check(s->r.net);
	return id;
}

/* A peer speaks to socket id. Whom the guest sees; port 0: it got nothing. */
static struct endpoint hears(struct scene *s, int id, struct endpoint from,
			     const char *local)
{
	const struct fake *f = s->r.fake;
	const uint64_t before = f->frames;
	struct ip_packet ip = { 0 };
	struct udp udp = { 0 };
	struct eth eth;
	struct rd in;

	next.waits = true;
	next.from = from;
	next.local = at(local, 0).ip;
	network_sock_event(s->r.net, f->sock[id].owner, ENV_READABLE,
			   s->now_ns);
	network_turn_end(s->r.net, s->now_ns);
	network_check(s->r.net);
	if (f->frames == before)
		return (struct endpoint){ .port = 0 };
	in = rd(f->frame, f->frame_len);
	CHECK("Ethernet", eth_parse(&in, &eth) == DROP_OK);
	CHECK("IP", ip_parse_packet(in, eth.type == ETH_IPV6, &ip) ==
		    DROP_OK);
	CHECK("UDP", udp_parse(ip.payload, &udp) == DROP_OK &&
		     udp.dst_port == FAKE_PORT &&
		     udp.data.len == sizeof(DATA));
	return (struct endpoint){ .ip = ip.src, .port = udp.src_port };
}

/* The guest sends from its port to that one. The socket it left by, or -1. */
static int says(struct scene *s, struct endpoint to)
{
	static const char data[] = "answer";
	const bool v6 = !ip_is4(&to.ip);
	const struct endpoint from = guest_port(s, v6);
	const struct ip_packet ip = { .src = from.ip, .dst = to.ip,
				      .proto = PROTO_UDP, .ttl = 64,
				      .v6 = v6 };
	const struct eth eth = { .dst = s->r.fake->setup.gateway_mac,
				 .src = s->r.fake->setup.guest_mac,
				 .type = v6 ? ETH_IPV6 : ETH_IPV4 };
	const struct frame_meta meta = { .csum_valid = true };
	uint8_t buf[256];
	struct wr w = wr(buf, sizeof(buf));

	eth_emit(&w, &eth);
	ip_emit(&w, &ip, UDP_HEADER_BYTES + sizeof(data));
	udp_emit(&w, from.port, to.port, sizeof(data), 1);
	wr_bytes(&w, data, sizeof(data));
	last.id = -1;
	network_frame(s->r.net, 0, &meta, buf, (size_t)(w.p - buf), s->now_ns);
	network_turn_end(s->r.net, s->now_ns);
	network_check(s->r.net);
	return last.id;
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ip_equal(&a->ip, &b->ip);
}

static void pass(struct scene *s, uint64_t seconds)
{
	s->now_ns += seconds * SECOND_NS;
	network_timers(s->r.net, s->now_ns);
	network_check(s->r.net);
}

static uint32_t exchanges(const struct scene *s)
{
	struct network_stats st;

	network_get_stats(s->r.net, &st);
	return st.flows_udp;
}

/* Question and answer, with the addresses of both as they are, or hidden. */
static void check_peer(const char *peer, const char *local, bool itself)
{
	struct scene s = start(false);
	const struct endpoint from = at(peer, PEER_PORT);
	const bool v6 = !ip_is4(&from.ip);
	const int id = offer(&s, 1, v6, false);
	const struct endpoint seen = hears(&s, id, from, local);
	const struct endpoint gateway = {
		.ip = v6 ? s.r.fake->setup.gateway6 :
			   s.r.fake->setup.gateway4, .port = PEER_PORT,
	};
	const struct ip spoken_to = at(local, 0).ip;

	CHECK(peer, same(&seen, itself ? &from : &gateway));
	CHECK(peer, says(&s, seen) == id);
	CHECK(peer, same(&last.to, &from));
	CHECK(peer, ip_equal(&last.local, &spoken_to));
	rig_end(&s.r, peer);
}

static void check_two_alike(void)
{
	struct scene s = start(true);
	const int id = offer(&s, 1, true, false);

	CHECK("one", hears(&s, id, at("fe80::1", PEER_PORT), "fe80::9").port);
	CHECK("its twin",
	      !hears(&s, id, at("fe80::2", PEER_PORT), "fe80::9").port);
	CHECK("the one again",
	      hears(&s, id, at("fe80::1", PEER_PORT), "fe80::9").port);
	rig_end(&s.r, "two that look alike");
}

static void check_withdrawn(void)
{
	const struct endpoint peer = at("192.0.2.77", PEER_PORT);
	const struct endpoint local = at("127.0.0.1", PEER_PORT);
	struct scene s = start(false);
	const int id = offer(&s, 7, false, true);
	struct endpoint seen;
	int other;

	CHECK("peer", hears(&s, id, peer, "192.0.2.1").port);
	seen = hears(&s, id, local, "127.0.0.1");
	CHECK("both are answered", says(&s, peer) == id &&
				   says(&s, seen) == id);
	network_udp_withdraw(s.r.net, 8, s.now_ns);
	CHECK("another offer", s.r.fake->sock[id].open);
	network_udp_withdraw(s.r.net, 7, s.now_ns);
	CHECK("closed", !s.r.fake->sock[id].open);
	CHECK("the host is out of reach", says(&s, seen) == -1);
	other = says(&s, peer);
	CHECK("by a socket of its own", other >= 0);
	CHECK("to the peer", same(&last.to, &peer));
	CHECK("from anywhere", ip_is_unspecified(&last.local));
	CHECK("its answer", hears(&s, other, peer, "0.0.0.0").port);
	CHECK("nobody else's", !hears(&s, other, at("192.0.2.78", 1),
				      "0.0.0.0").port);
	pass(&s, 121);
	CHECK("nothing is left", exchanges(&s) == 0);
	rig_end(&s.r, "withdrawn");
}

/* What the guest begins at an offered port, and who speaks to whom. */
static void check_sockets(void)
{
	const struct endpoint peer = at("192.0.2.77", PEER_PORT);
	const struct endpoint other = at("192.0.2.78", PEER_PORT);
	struct scene s = start(true);
	const int own = offer(&s, 1, false, true);
	const int second = offer(&s, 2, false, true);

	CHECK("its own way", says(&s, other) == own);
	CHECK("by the second", hears(&s, second, peer, "192.0.2.1").port);
	CHECK("back by it", says(&s, peer) == second);
	CHECK("by the first", hears(&s, own, peer, "192.0.2.2").port);
	CHECK("back by that", says(&s, peer) == own);
	CHECK("its own peer by the second",
	      hears(&s, second, other, "192.0.2.1").port);
	CHECK("there, then", says(&s, other) == second);
	network_udp_withdraw(s.r.net, 2, s.now_ns);
	CHECK("and by its own after that", says(&s, other) == own);
	network_udp_withdraw(s.r.net, 1, s.now_ns);
	pass(&s, 121);
	CHECK("nothing is left", exchanges(&s) == 0);
	rig_end(&s.r, "several sockets");
}

static void check_limits(void)
{
	struct scene s = start(true);
	const int id = offer(&s, 1, false, false);
	const uint32_t most = s.r.fake->setup.max_flows / 4;

	for (uint16_t i = 0; i < most; i++)
		CHECK("room", hears(&s, id, at("192.0.2.77",
					       (uint16_t)(1 + i)),
				    "192.0.2.1").port);
	CHECK("no more room",
	      !hears(&s, id, at("192.0.2.78", 1), "192.0.2.1").port);
	CHECK("one of them", says(&s, at("192.0.2.77", 1)) == id);
	CHECK("the guest has room", says(&s, at("192.0.2.9", 9)) >= 0);
	pass(&s, 31);
	CHECK("who was not answered is forgotten", exchanges(&s) == 2);
	CHECK("who was is not", says(&s, at("192.0.2.77", 1)) == id);
	pass(&s, 121);
	CHECK("at last all", exchanges(&s) == 0);
	CHECK("and the offer stays",
	      hears(&s, id, at("192.0.2.78", 1), "192.0.2.1").port);
	rig_end(&s.r, "limits");
}

void test_network_udp_offer(void);
void test_network_udp_offer(void)
{
	check_peer("192.0.2.77", "192.0.2.1", true);
	check_peer("2001:db8::77", "2001:db8::1", true);
	check_peer("127.0.0.1", "127.0.0.1", false);
	check_peer("::1", "::1", false);
	check_peer("fe80::77", "fe80::1", false);
	check_two_alike();
	check_withdrawn();
	check_sockets();
	check_limits();
}
