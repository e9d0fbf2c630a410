/* SPDX-License-Identifier: MIT */
/* test/unit/network_groups.c - what a guest says to all others at once. */
#include "base/csum.h"
#include "network/state.h"
#include "town.h"
#include "wire/ndp.h"

#define SECOND	UINT64_C(1000000000)
#define MDNS	5353

static const struct network_rules with = { .keep_flows = false };

static uint64_t drops(const struct town *t, enum drop why)
{
	return t->r.net->p.drops[why];
}

static void say(struct town *t, unsigned from, const struct ip *src,
		const struct ip *to, uint16_t port)
{
	town_udp(t, &t->citizen[from], &(struct town_udp){
		.src = { .port = port }, .dst = { .ip = *to, .port = port },
		.src_ip = *src, .bytes = { (const uint8_t *)"who?", 4 },
	});
}

/* Guests that have spoken; nothing is counted yet. */
static struct town awake(unsigned n, bool isolate)
{
	struct town t = town_begin(n, isolate);
	const struct ip world = ip_from_v4(0xc0000201);

	for (unsigned i = 0; i < n; i++) {
		say(&t, i, &t.citizen[i].ip4, &world, 9);
		say(&t, i, &t.citizen[i].ip6, &t.r.net->setup.gateway6, 9);
	}
	memset(t.r.fake->link_frames, 0, sizeof(t.r.fake->link_frames));
	memset(t.r.net->p.drops, 0, sizeof(t.r.net->p.drops));
	return t;
}

/* What came to those links, one bit of four each, since it was asked last. */
static unsigned came(struct town *t)
{
	unsigned all = 0;

	for (unsigned i = 0; i < TOWN_MAX; i++)
		all = all << 4 | (unsigned)t->r.fake->link_frames[i];
	memset(t->r.fake->link_frames, 0, sizeof(t->r.fake->link_frames));
	return all;
}

static void check_groups(void)
{
	static const struct {
		const char *name;
		struct ip to;
		struct mac mac;
	} cases[] = {
		{ "mDNS", { { [10] = 0xff, 0xff, 224, 0, 0, 251 } },
		  { { 1, 0, 0x5e, 0, 0, 251 } } },
		{ "SSDP", { { [10] = 0xff, 0xff, 239, 255, 255, 250 } },
		  { { 1, 0, 0x5e, 0x7f, 255, 250 } } },
		{ "all", { { [10] = 0xff, 0xff, 255, 255, 255, 255 } },
		  { { 255, 255, 255, 255, 255, 255 } } },
		{ "all here", { { [10] = 0xff, 0xff, 172, 20, 15, 255 } },
		  { { 255, 255, 255, 255, 255, 255 } } },
		{ "mDNS of IPv6", { { 0xff, 2, [15] = 251 } },
		  { { 0x33, 0x33, 0, 0, 0, 251 } } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct town t = awake(3, false);
		const struct citizen *c = &t.citizen[1];
		const struct ip own = ip_link_local(&c->mac);
		struct eth eth;
		struct rd r;

		say(&t, 1, ip_is4(&cases[i].to) ? &c->ip4 : &own,
		    &cases[i].to, MDNS);
		CHECK(cases[i].name, came(&t) == 0x1010);
		r = rd(t.r.fake->frame, t.r.fake->frame_len);
		CHECK("as it was", eth_parse(&r, &eth) == DROP_OK &&
		      mac_equal(&eth.src, &c->mac) &&
		      mac_equal(&eth.dst, &cases[i].mac));
		CHECK("no flow", !t.r.net->switched);
		town_end(&t, cases[i].name);
	}
}

/* Nobody speaks for another, nor for the gateway. */
static void check_thieves(void)
{
	struct town t = awake(3, false);
	const struct ip all = ip_from_v4(0xffffffff);

	say(&t, 1, &t.citizen[2].ip4, &all, MDNS);
	CHECK("another's", came(&t) == 0 && drops(&t, DROP_SOURCE) == 1);
	say(&t, 1, &t.citizen[1].ip4, &all, 68);
	CHECK("DHCP", came(&t) == 0 && drops(&t, DROP_ROLE) == 1);
	town_end(&t, "thieves");
	t = awake(3, true);
	say(&t, 1, &t.citizen[1].ip4, &all, MDNS);
	CHECK("isolated", came(&t) == 0);
	town_end(&t, "isolated");
}

/* Where it may not be said to a guest, it is not said at its link. */
static void check_rules(void)
{
	static const struct {
		const char *text;
		unsigned came;
	} cases[] = {
		{ "[rule a]\naction = block\ndirection = in\nguest = two\n"
		  "localPort = 5353\nprotocol = udp\n", 0x1000 },
		{ "[rule b]\naction = block\ndirection = out\nguest = one\n",
		  0 },
		{ "[rule c]\naction = block\ndirection = out\n"
		  "remoteAddress = 224.0.0.251\n", 0 },
		{ "[rule d]\naction = block\ndirection = in\n"
		  "localPort = 53\nprotocol = udp\n", 0x1010 },
	};
	const struct ip group = ip_from_v4(0xe00000fb);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct town t = awake(3, false);
		uint64_t blocked;

		fake_set_rules_text(t.r.net, &t.r.fake->setup, cases[i].text,
				    &with, t.now);
		network_turn_end(t.r.net, t.now);	/* of what lives */
		blocked = t.r.fake->blocked;
		say(&t, 1, &t.citizen[1].ip4, &group, MDNS);
		CHECK(cases[i].text, came(&t) == cases[i].came);
		CHECK("counted", drops(&t, DROP_FIREWALL) == !cases[i].came);
		CHECK("told to nobody", t.r.fake->blocked == blocked);
		town_end(&t, cases[i].text);
	}
}

static void advert(struct town *t, unsigned from)
{
	static const struct ip nodes = { { 0xff, 2, [15] = 1 } };
	const struct citizen *c = &t->citizen[from];
	const struct ip_packet ip = { .v6 = true, .src = c->ip6, .dst = nodes,
				      .proto = PROTO_ICMP6, .ttl = 255 };
	const struct ndp a = {
		.type = NDP_NEIGHBOR_ADVERT, .target = c->ip6,
		.override = true, .has_mac = true, .mac = c->mac,
	};
	uint8_t l4[64];
	struct wr w = wr(l4, sizeof(l4));

	ndp_emit_advert(&w, &c->ip6, &nodes, &a);
	town_packet(t, c, &(struct mac){ { 0x33, 0x33, 0, 0, 0, 1 } }, &ip,
		    l4, (size_t)(w.p - l4), 2);
}

static void check_flood(void)
{
	struct town t = awake(3, false);
	const struct ip group = ip_from_v4(0xe00000fb);
	const uint64_t *at = t.r.fake->link_frames;

	for (unsigned i = 0; i < 500; i++) {
		say(&t, 1, &t.citizen[1].ip4, &group, MDNS);
		advert(&t, 1);
	}
	CHECK("so many", at[0] == SWITCH_FLOODS && at[2] == SWITCH_FLOODS);
	CHECK("counted", drops(&t, DROP_LIMIT) == 1000 - SWITCH_FLOODS);
	say(&t, 2, &t.citizen[2].ip4, &group, MDNS);
	CHECK("another's", at[0] == SWITCH_FLOODS + 1 && at[1] == 1);
	t.now += 10 * SWITCH_FLOOD_NS;
	for (unsigned i = 0; i < 50; i++)
		advert(&t, 1);
	CHECK("so many again", at[2] == SWITCH_FLOODS + 10);
	t.now += 60 * SECOND;
	for (unsigned i = 0; i < 500; i++)
		advert(&t, 1);
	CHECK("and no more at once", at[2] == 2 * SWITCH_FLOODS + 10);
	town_end(&t, "flood");
}

void test_network_groups(void);
void test_network_groups(void)
{
	check_groups();
	check_thieves();
	check_rules();
	check_flood();
}
