/* SPDX-License-Identifier: MIT */
/* test/unit/network_guests.c - several guests: each has what is its own. */
#include "network/state.h"
#include "rig.h"
#include "town.h"
#include "wire/dhcp4.h"
#include "wire/dns_chain.h"

#define S UINT64_C(1000000000)

/* ---- what each is told ---- */

static struct ip leased(struct town *t, const struct citizen *c)
{
	uint8_t msg[300] = { 1, 1, 6, 0 };
	struct rd r;
	struct ip_packet ip;
	struct eth eth;

	memcpy(msg + 28, c->mac.b, 6);
	memcpy(msg + 236, "\x63\x82\x53\x63\x35\x01\x01\xff", 8);
	town_udp(t, c, &(struct town_udp){
		.src = { .port = 68 },
		.dst = { .ip = ip_from_v4(~0u), .port = 67 },
		.src_ip = ip_from_v4(0), .bytes = { msg, sizeof(msg) },
	});
	r = rd(t->r.fake->frame, t->r.fake->frame_len);
	CHECK("an offer", eth_parse(&r, &eth) == DROP_OK &&
	      ip_parse_packet(r, false, &ip) == DROP_OK &&
	      ip.payload.len > UDP_HEADER_BYTES + 240 &&
	      t->r.fake->link == c->link);
	return ip_from_v4((uint32_t)ip.payload.p[24] << 24 |
			  (uint32_t)ip.payload.p[25] << 16 |
			  (uint32_t)ip.payload.p[26] << 8 | ip.payload.p[27]);
}

static void check_dhcp(void)
{
	struct town t = town_start(3);

	for (unsigned i = 0; i < 3; i++) {
		const struct ip ip = leased(&t, &t.citizen[i]);

		CHECK("its own address", ip_equal(&ip, &t.citizen[i].ip4));
	}
	town_end(&t, "DHCP");
}

/* The address that guest `by` is told for a name, or ::. */
static struct ip resolved(struct town *t, unsigned by, const char *name)
{
	uint8_t msg[256] = { 0, 1, 1, 0, 0, 1 };
	const struct citizen *c = &t->citizen[by];
	struct dns_address at = { .ip = { .b = { 0 } } };
	const size_t n = strlen(name);
	struct ip_packet ip;
	struct eth eth;
	struct rd r;

	msg[12] = (uint8_t)n;
	memcpy(msg + 13, name, n);
	msg[15 + n] = msg[17 + n] = 1;
	town_udp(t, c, &(struct town_udp){
		.src = { .port = 5000 },
		.dst = { .ip = t->r.net->setup.gateway4, .port = 53 },
		.src_ip = c->ip4, .bytes = { msg, 18 + n },
	});
	r = rd(t->r.fake->frame, t->r.fake->frame_len);
	CHECK("answered", eth_parse(&r, &eth) == DROP_OK &&
	      mac_equal(&eth.dst, &c->mac) && t->r.fake->link == c->link &&
	      ip_parse_packet(r, false, &ip) == DROP_OK &&
	      ip_equal(&ip.dst, &c->ip4));
	(void)!dns_addresses((struct view){
		.p = ip.payload.p + UDP_HEADER_BYTES,
		.len = ip.payload.len - UDP_HEADER_BYTES }, &at, 1);
	return at.ip;
}

static void check_names(void)
{
	const struct ip none = { .b = { 0 } };
	struct town t = town_start(3);
	struct network_guest_setup again = {
		.link = 5, .ip4 = ip_from_v4(0xac140077), .name = "two",
		.learn_mac = true,
	};

	for (unsigned by = 0; by < 3; by++) {
		const struct ip one = resolved(&t, by, "one");
		const struct ip two = resolved(&t, by, "two");
		const struct ip nobody = resolved(&t, by, "host");

		CHECK("one", ip_equal(&one, &t.citizen[1].ip4));
		CHECK("two", ip_equal(&two, &t.citizen[2].ip4));
		CHECK("nobody", ip_equal(&nobody, &none));
	}
	CHECK("a name is taken",
	      network_guest_add(t.r.net, &again, t.now) == -ENV_OTHER);
	network_guest_remove(t.r.net, 2, t.now);
	CHECK("no more", network_guest_add(t.r.net, &again, t.now) == 2);
	town_end(&t, "names");
}

/* ---- their flows ---- */

static void check_flows(void)
{
	struct town t = town_start(3);
	struct network_guest g[4];
	struct network_stats st;
	unsigned id = 0;

	for (unsigned i = 0; i < 3; i++) {
		town_syn(&t, &t.citizen[i], &(struct endpoint){
			.ip = ip_from_v4(0xc0000201), .port = 80 });
		network_sock_event(t.r.net, t.r.fake->sock[i].owner,
				   ENV_WRITABLE, t.now);
		network_turn_end(t.r.net, t.now);
		CHECK("answered there", t.r.fake->link == i &&
		      t.r.fake->link_frames[i] == 1);
	}
	network_get_stats(t.r.net, &st);
	CHECK("flows", st.flows_tcp == 3);
	CHECK("told", network_guests(t.r.net, &id, g, 4) == 3 &&
	      g[1].id == 1 && g[1].up && g[1].link == 1 &&
	      mac_equal(&g[1].mac, &t.citizen[1].mac) &&
	      g[1].frames_from == 1 && g[1].frames_to == 1);
	CHECK("by its address", network_guest_at(t.r.net, &t.citizen[1].ip4,
						 &g[3]) &&
	      g[3].id == 1 && g[3].link == 1);
	CHECK("nobody's", !network_guest_at(t.r.net, &(struct ip){
				.b = { 0xfd, [15] = 77 } }, &g[3]));
	network_guest_remove(t.r.net, 1, t.now);
	network_turn_end(t.r.net, t.now);
	network_get_stats(t.r.net, &st);
	CHECK("its flows have gone", st.flows_tcp == 2);
	id = 0;
	CHECK("it, too", network_guests(t.r.net, &id, g, 4) == 2 &&
	      g[1].id == 2);
	town_end(&t, "flows");
}

/* ---- thieves ---- */

static void check_theft(void)
{
	struct town t = town_start(3);
	const uint64_t *source = &t.r.net->p.drops[DROP_SOURCE];
	struct citizen thief = t.citizen[1];
	const struct endpoint to = { .ip = ip_from_v4(0xc0000201),
				     .port = 80 };

	for (unsigned i = 0; i < 3; i++)
		town_syn(&t, &t.citizen[i], &to);
	CHECK("all is well", *source == 0);
	thief.mac = t.citizen[2].mac;
	town_syn(&t, &thief, &to);
	thief.ip4 = t.citizen[2].ip4;
	town_syn(&t, &thief, &to);
	CHECK("of a MAC", *source == 2 && t.logged == 1);
	thief.mac = t.citizen[1].mac;
	thief.ip4 = t.citizen[0].ip4;
	town_syn(&t, &thief, &to);
	town_syn(&t, &thief, &to);
	CHECK("of an address", *source == 4 && t.logged == 2);
	CHECK("where nobody is", t.r.net->p.guests.at[2].link == 2);
	thief.link = 7;
	town_syn(&t, &thief, &to);
	CHECK("a link of nobody's", *source == 5);
	network_link_down(t.r.net, 2);
	thief.mac = t.citizen[2].mac;
	thief.link = 1;
	thief.ip4 = t.citizen[1].ip4;
	town_syn(&t, &thief, &to);
	CHECK("no theft any more", *source == 5);
	town_end(&t, "theft");
}

void test_network_guests(void);
void test_network_guests(void)
{
	check_dhcp();
	check_names();
	check_flows();
	check_theft();
}
