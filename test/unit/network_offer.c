/* SPDX-License-Identifier: MIT */
/* test/unit/network_offer.c - whom the guest sees when others connect to it. */
#include "network/network.h"
#include "rig.h"
#include "wire/eth.h"
#include "wire/ip.h"

/* Who a SYN to the guest is from, if `from` connects. */
static struct endpoint seen(struct rig *r, const struct endpoint *from,
			    bool v6)
{
	const struct network_setup *s = &r->fake->setup;
	const struct endpoint to = { .ip = v6 ? s->guest6 : s->guest4,
				     .port = FAKE_PORT };
	const uint64_t before = r->fake->frames;
	struct ip_packet ip = { 0 };
	struct eth eth;
	struct rd in;

	network_offer(r->net, fake_accept(r->fake), from, &to, RIG_START_NS);
	network_turn_end(r->net, RIG_START_NS);
	CHECK("one SYN", r->fake->frames == before + 1);
	in = rd(r->fake->frame, r->fake->frame_len);
	CHECK("Ethernet", eth_parse(&in, &eth) == DROP_OK);
	CHECK("IP", ip_parse_packet(in, v6, &ip) == DROP_OK);
	CHECK("TCP", ip.proto == PROTO_TCP && ip.payload.len >= 20);
	return (struct endpoint){
		.ip = ip.src,
		.port = (uint16_t)(ip.payload.p[0] << 8 | ip.payload.p[1]),
	};
}

static const struct {
	const char *from;
	bool v6, itself;	/* else the gateway is seen */
} cases[] = {
	{ "192.0.2.77", false, true },
	{ "10.1.2.3", false, true },
	{ "2001:db8::77", true, true },
	{ "127.0.0.1", false, false },
	{ "::1", true, false },
	{ "169.254.1.1", false, false },
	{ "fe80::1", true, false },
	{ "0.0.0.0", false, false },
	{ "::", true, false },
	{ "192.0.2.77", true, false },
	{ "2001:db8::77", false, false },
};

static void check_one(struct rig *r, const struct ip *ip, const char *name,
		      bool v6, bool itself)
{
	const struct network_setup *s = &r->fake->setup;
	const struct endpoint from = { .ip = *ip, .port = 40000 };
	const struct endpoint who = seen(r, &from, v6);

	CHECK(name, ip_equal(&who.ip, itself ? ip :
			     v6 ? &s->gateway6 : &s->gateway4));
	CHECK(name, itself ? who.port == 40000 : who.port >= 49152);
}

/* An address of the host's goes: who is bound to it is told, nobody else. */
static void check_stranded(void)
{
	const struct network_setup setup = fake_setup();
	struct rig r = rig_start(&setup);
	struct endpoint to = { .ip = setup.guest4 };
	struct network_stats st;
	int sock[3];

	for (unsigned i = 0; i < 3; i++) {
		const struct endpoint from = { .ip = ip_from_v4(0xc000024d),
					       .port = (uint16_t)(9 + i) };

		to.port = (uint16_t)(FAKE_PORT + i);
		sock[i] = fake_accept(r.fake);
		network_offer(r.net, sock[i], &from, &to, RIG_START_NS);
	}
	r.fake->sock[sock[1]].stranded = true;
	r.fake->frames = 0;
	network_address_gone(r.net, RIG_START_NS);
	network_get_stats(r.net, &st);
	CHECK("one RST", r.fake->frames == 1 && st.flows_tcp == 2);
	CHECK("its socket", r.fake->sock[sock[0]].open &&
	      !r.fake->sock[sock[1]].open && r.fake->sock[sock[2]].open);
	network_address_gone(r.net, RIG_START_NS);
	CHECK("once", r.fake->frames == 1);
	rig_end(&r, "stranded");
}

/* Routes change: who goes another way now is told, unless flows are kept. */
static void check_moved(bool keep)
{
	struct network_setup setup = fake_setup();
	const uint64_t later = RIG_START_NS + UINT64_C(200000000);
	struct endpoint to = { .ip = setup.guest4 };
	struct network_stats st;
	struct rig r;
	int sock[3];

	setup.keep_flows = keep;
	r = rig_start(&setup);
	for (unsigned i = 0; i < 3; i++) {
		const struct endpoint from = { .ip = ip_from_v4(0xc000024d),
					       .port = (uint16_t)(9 + i) };

		to.port = (uint16_t)(FAKE_PORT + i);
		sock[i] = fake_accept(r.fake);
		network_offer(r.net, sock[i], &from, &to, RIG_START_NS);
	}
	r.fake->sock[sock[2]].moved = true;
	r.fake->frames = 0;
	network_routes_changed(r.net, RIG_START_NS);
	network_get_stats(r.net, &st);
	CHECK("they may not have settled", st.flows_tcp == 3);
	network_timers(r.net, later);
	network_get_stats(r.net, &st);
	CHECK("one RST, or none", r.fake->frames == !keep &&
				  st.flows_tcp == (keep ? 3 : 2));
	CHECK("its socket", r.fake->sock[sock[0]].open &&
	      r.fake->sock[sock[1]].open && r.fake->sock[sock[2]].open == keep);
	network_routes_changed(r.net, later);
	network_timers(r.net, later + UINT64_C(200000000));
	network_get_stats(r.net, &st);
	CHECK("once", st.flows_tcp == (keep ? 3 : 2));
	network_address_gone(r.net, later);
	r.fake->sock[sock[0]].stranded = true;
	network_routes_changed(r.net, later);
	network_timers(r.net, later + UINT64_C(400000000));
	network_get_stats(r.net, &st);
	CHECK("an address that was told to be gone before it was",
	      st.flows_tcp == (keep ? 2 : 1));
	rig_end(&r, "moved");
}

void test_network_offer(void);
void test_network_offer(void)
{
	const struct network_setup setup = fake_setup();
	struct rig r = rig_start(&setup);
	struct ip ip;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK(cases[i].from, ip_parse(cases[i].from, &ip));
		check_one(&r, &ip, cases[i].from, cases[i].v6,
			  cases[i].itself);
	}
	check_one(&r, &setup.guest4, "of its own subnet", false, false);
	check_one(&r, &setup.guest6, "of its own IPv6 subnet", true, false);
	CHECK("an address", ip_parse("192.0.2.77", &ip));
	check_one(&r, &ip, "the same once more", false, false);
	rig_end(&r, "offers");
	check_stranded();
	check_moved(false);
	check_moved(true);
}
