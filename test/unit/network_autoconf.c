/* SPDX-License-Identifier: MIT */
/* test/unit/network_autoconf.c - DHCP and router adverts, frame to frame. */
#include "network/autoconf.h"

#include "base/csum.h"
#include "rig.h"
#include "wire/eth.h"

#define S	UINT64_C(1000000000)

static const struct mac vm_mac = { { 0x52, 0x54, 0, 1, 2, 3 } };

static struct network_setup named_setup(void)
{
	struct network_setup s = fake_setup();

	strcpy(s.guest_name, "ship");
	strcpy(s.search, "a.test x..y b.test");
	return s;
}

/* Put a packet on the link, from a machine with a MAC of its own. */
static void packet(struct rig *r, const struct ip_packet *ip,
		   const uint8_t *l4, size_t len, uint64_t now)
{
	const struct eth eth = {
		.dst = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		.src = vm_mac, .type = ip->v6 ? ETH_IPV6 : ETH_IPV4,
	};
	const struct frame_meta meta = { 0 };
	uint8_t buf[700];
	struct wr w = wr(buf, sizeof(buf));

	eth_emit(&w, &eth);
	ip_emit(&w, ip, len);
	wr_bytes(&w, l4, len);
	network_frame(r->net, 0, &meta, buf, (size_t)(w.p - buf), now);
	network_turn_end(r->net, now);
}

/* A router solicitation, with the machine's MAC. */
static void solicit(struct rig *r, uint64_t now)
{
	const struct ip_packet ip = {
		.v6 = true, .proto = PROTO_ICMP6, .ttl = 255,
		.src = ip_link_local(&vm_mac),
		.dst = { .b = { 0xff, 2, [15] = 2 } },
	};
	uint8_t l4[16] = { NDP_ROUTER_SOLICIT, [8] = 1, 1 };
	uint16_t sum;

	memcpy(l4 + 10, vm_mac.b, 6);
	sum = csum_finish(csum_add(csum_pseudo(0, &ip.src, &ip.dst,
					       PROTO_ICMP6, sizeof(l4)),
				   l4, sizeof(l4)));
	l4[2] = (uint8_t)(sum >> 8);
	l4[3] = (uint8_t)sum;
	packet(r, &ip, l4, sizeof(l4), now);
}

/* The last frame's packet. */
static struct ip_packet seen(const struct rig *r, struct eth *eth)
{
	struct rd in = rd(r->fake->frame, r->fake->frame_len);
	struct ip_packet ip = { 0 };

	CHECK("Ethernet", eth_parse(&in, eth) == DROP_OK);
	CHECK("IP", ip_parse_packet(in, eth->type == ETH_IPV6, &ip) ==
		    DROP_OK);
	return ip;
}

/* The value of an option of the advert, behind its length; NULL: absent. */
static const uint8_t *option(const struct ip_packet *ip, uint8_t type)
{
	size_t at = 16;

	while (at + 8 <= ip->payload.len && ip->payload.p[at + 1]) {
		if (ip->payload.p[at] == type)
			return ip->payload.p + at + 2;
		at += ip->payload.p[at + 1] * 8u;
	}
	return NULL;
}

static void check_advert(const struct rig *r)
{
	static const uint8_t names[] = "\0\0\0\0\x07\x08\x01" "a\x04test\0"
				       "\x01" "b\x04test";
	const struct network_setup s = fake_setup();
	struct eth eth;
	const struct ip_packet ip = seen(r, &eth);
	const uint8_t *o;

	CHECK("router advert", ip.payload.p[0] == NDP_ROUTER_ADVERT);
	CHECK("hop limit", ip.ttl == 255 && ip.payload.p[4] == 64);
	CHECK("to all", eth.dst.b[0] == 0x33 && ip.dst.b[15] == 1);
	CHECK("DHCPv6 for all", ip.payload.p[5] == 0xc0);
	CHECK("lifetime", ip.payload.p[6] == 7 && ip.payload.p[7] == 8);
	o = option(&ip, 1);
	CHECK("our MAC", o && !memcmp(o, s.gateway_mac.b, 6));
	o = option(&ip, 5);
	CHECK("MTU", o && o[4] == 5 && o[5] == 0xdc);
	o = option(&ip, 3);
	CHECK("prefix", o && o[0] == 64 && o[1] == 0xc0 &&
			!memcmp(o + 14, s.net6.ip.b, 16));
	o = option(&ip, 25);
	CHECK("DNS", o && !memcmp(o + 6, s.gateway6.b, 16));
	o = option(&ip, 31);
	CHECK("search", o && !memcmp(o, names, sizeof(names)));
}

static void check_router(void)
{
	const struct network_setup setup = named_setup();
	struct rig r = rig_start(&setup);
	uint64_t now = RIG_START_NS;
	struct ip_packet ip;
	const uint8_t *o;
	struct eth eth;

	network_set_mtu(r.net, 1300, now);
	CHECK("who never asked is told nothing", r.fake->frames == 0);
	network_set_mtu(r.net, setup.mtu, now);
	CHECK("asleep", network_next_timer(r.net) == UINT64_MAX);
	solicit(&r, now);
	CHECK("told", r.fake->frames == 1);
	check_advert(&r);
	for (unsigned i = 0; i < 100; i++)
		solicit(&r, now + i);
	CHECK("not for each", r.fake->frames == 1);
	CHECK("soon", network_next_timer(r.net) <= now + S);
	now += S;
	network_timers(r.net, now);
	CHECK("told again", r.fake->frames == 2);
	now += AUTOCONF_REPEAT_NS + S;
	network_timers(r.net, now);
	CHECK("from time to time", r.fake->frames == 3);
	network_set_mtu(r.net, 1400, now + S);
	CHECK("at once if the MTU is another", r.fake->frames == 4);
	ip = seen(&r, &eth);
	o = option(&ip, 5);
	CHECK("the other MTU", o && o[4] == 5 && o[5] == 0x78);
	rig_end(&r, "router");
}

/* A message of the machine's, which has that address already, or 0. */
static void discover(struct rig *r, uint8_t type, bool spoilt, uint32_t ciaddr)
{
	static const uint8_t head[8] = { 1, 1, 6, 0, 1, 2, 3, 4 };
	struct ip_packet ip = { .proto = PROTO_UDP, .ttl = 64 };
	uint8_t l4[UDP_HEADER_BYTES + DHCP4_FIXED_BYTES + 4] = { 0 };
	uint8_t *msg = l4 + UDP_HEADER_BYTES;
	struct wr w = wr(l4, UDP_HEADER_BYTES);
	const size_t len = sizeof(l4) - UDP_HEADER_BYTES;
	csum_t sum;

	ip.src = ip_from_v4(0);
	ip.dst = ip_from_v4(~0u);
	memcpy(msg, head, sizeof(head));
	for (unsigned i = 0; i < 4; i++)
		msg[12 + i] = (uint8_t)(ciaddr >> (24 - 8 * i));
	memcpy(msg + 28, vm_mac.b, 6);
	memcpy(msg + 236, "\x63\x82\x53\x63", 4);
	memcpy(msg + 240, "\x35\x01\x00\xff", 4);
	msg[242] = type;
	udp_emit(&w, 68, 67, len, 0);
	sum = csum_add(csum_pseudo(0, &ip.src, &ip.dst, PROTO_UDP,
				   (uint32_t)sizeof(l4)), l4, sizeof(l4));
	w = wr(l4, UDP_HEADER_BYTES);
	udp_emit(&w, 68, 67, len, (uint16_t)(csum_finish(sum) ^ spoilt));
	packet(r, &ip, l4, sizeof(l4), RIG_START_NS);
}

static void check_dhcp4(void)
{
	const struct network_setup setup = named_setup();
	struct rig r = rig_start(&setup);
	struct ip_packet ip;
	struct udp udp;
	struct eth eth;

	discover(&r, DHCP4_DISCOVER, true, 0);
	discover(&r, DHCP4_OFFER, false, 0);
	discover(&r, DHCP4_RELEASE, false, 0);
	CHECK("silence", r.fake->frames == 0);
	discover(&r, DHCP4_DISCOVER, false, 0);
	CHECK("offer", r.fake->frames == 1);
	ip = seen(&r, &eth);
	CHECK("to the machine", mac_equal(&eth.dst, &vm_mac) &&
				ip_equal(&ip.dst, &setup.guest4));
	CHECK("UDP", udp_parse(ip.payload, &udp) == DROP_OK &&
		     udp.src_port == 67 && udp.dst_port == 68);
	CHECK("its address", !memcmp(udp.data.p + 16, "\xac\x14\0\x02", 4));
	discover(&r, DHCP4_REQUEST, false, 0);
	ip = seen(&r, &eth);
	CHECK("refused to everyone", eth.dst.b[0] == 0xff &&
				     ip_is_broadcast(&ip.dst));
	rig_end(&r, "dhcp4");
}

/* Whom does a client at localhost of the host reach? */
static bool reaches(struct rig *r, const struct mac *mac)
{
	const struct endpoint to = { .ip = r->fake->setup.guest4,
				     .port = FAKE_PORT };
	const struct endpoint nobody = { 0 };
	const uint64_t before = r->fake->frames;
	struct eth eth;

	network_offer(r->net, fake_accept(r->fake), &nobody, &to,
		      RIG_START_NS);
	network_turn_end(r->net, RIG_START_NS);
	CHECK("a SYN", r->fake->frames == before + 1);
	return seen(r, &eth).proto == PROTO_TCP && mac_equal(&eth.dst, mac);
}

/* ARP: op 1 with this sender address, asking for that one. */
static void ask_arp(struct rig *r, const struct mac *from, uint32_t sender,
		    uint32_t target)
{
	const struct eth eth = {
		.dst = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
		.src = *from, .type = ETH_ARP,
	};
	const struct frame_meta meta = { 0 };
	uint8_t buf[ETH_HEADER_BYTES + 28];
	struct wr w = wr(buf, sizeof(buf));

	eth_emit(&w, &eth);
	wr_bytes(&w, "\0\x01\x08\0\x06\x04\0\x01", 8);
	wr_bytes(&w, from->b, 6);
	wr_be32(&w, sender);
	wr_zero(&w, 6);
	wr_be32(&w, target);
	network_frame(r->net, 0, &meta, buf, sizeof(buf), RIG_START_NS);
}

/* The address is where it was last said to be. */
static void check_moves(void)
{
	const struct mac other = { { 0x52, 0x54, 0, 9, 9, 9 } };
	const struct network_setup setup = named_setup();
	const uint32_t guest4 = ip_to_v4(setup.guest4);
	const uint32_t gateway4 = ip_to_v4(setup.gateway4);
	struct rig r = rig_start(&setup);

	CHECK("as planned", reaches(&r, &setup.guest_mac));
	discover(&r, DHCP4_DISCOVER, false, 0);
	CHECK("offered is not taken", reaches(&r, &setup.guest_mac));
	discover(&r, DHCP4_REQUEST, false, guest4);
	CHECK("lent", reaches(&r, &vm_mac));
	ask_arp(&r, &other, 0, guest4);
	CHECK("probed for is not taken", reaches(&r, &vm_mac));
	ask_arp(&r, &other, guest4, guest4);
	CHECK("announced", reaches(&r, &other));
	ask_arp(&r, &vm_mac, guest4, gateway4);
	CHECK("used", reaches(&r, &vm_mac));
	rig_end(&r, "moves");
}

/* A datagram from there, to a port of the gateway's. */
static void say(struct rig *r, const struct ip *src, uint16_t port,
		const char *msg, size_t len)
{
	const struct network_setup *s = &r->fake->setup;
	const bool v6 = !ip_is4(src);
	const struct ip_packet ip = {
		.v6 = v6, .proto = PROTO_UDP, .ttl = 64, .src = *src,
		.dst = v6 ? s->gateway6 : s->gateway4,
	};
	uint8_t l4[100];
	struct wr w = wr(l4, sizeof(l4));
	csum_t sum;

	udp_emit(&w, 4000, port, len, 0);
	wr_bytes(&w, msg, len);
	CHECK("room", !w.bad);
	len += UDP_HEADER_BYTES;
	sum = csum_add(csum_pseudo(0, &ip.src, &ip.dst, PROTO_UDP,
				   (uint32_t)len), l4, len);
	w = wr(l4, UDP_HEADER_BYTES);
	udp_emit(&w, 4000, port, len - UDP_HEADER_BYTES, csum_finish(sum));
	packet(r, &ip, l4, len, RIG_START_NS);
}

/* Is that what the machine's name stands for in IPv6? NULL: nothing. */
static bool named(struct rig *r, const struct ip *want)
{
	static const char ask[] = "\x12\x34\x01\0\0\x01\0\0\0\0\0\0"
		"\x04" "ship\x07" "slipway\x08" "internal\0\0\x1c\0\x01";
	const size_t len = sizeof(ask) - 1;
	struct eth eth;
	struct ip_packet ip;
	struct udp udp;

	say(r, &r->fake->setup.guest4, 53, ask, len);
	ip = seen(r, &eth);
	CHECK("an answer", udp_parse(ip.payload, &udp) == DROP_OK &&
			   udp.data.len >= len && (udp.data.p[3] & 15) == 0);
	if (!want)
		return udp.data.p[7] == 0;
	return udp.data.p[7] == 1 && udp.data.len >= len + 28 &&
	       !memcmp(udp.data.p + len + 12, want->b, sizeof(want->b));
}

/* Its name stands for the IPv6 address that it has. */
static void check_own_ip6(void)
{
	struct network_setup setup = named_setup();
	struct ip own = setup.net6.ip, later = setup.net6.ip;
	struct rig r = rig_start(&setup);

	own.b[15] = 0x77;
	later.b[15] = 0x78;
	say(&r, &own, 9, "", 0);
	CHECK("a command has the planned one", named(&r, &setup.guest6));
	rig_end(&r, "planned");

	setup.own_ip6 = true;
	r = rig_start(&setup);
	CHECK("none yet", named(&r, NULL));
	say(&r, &own, 9, "", 0);
	CHECK("its own", named(&r, &own));
	say(&r, &later, 9, "", 0);
	CHECK("the first one", named(&r, &own));
	say(&r, &setup.guest6, 9, "", 0);
	CHECK("the planned one", named(&r, &setup.guest6));
	say(&r, &own, 9, "", 0);
	CHECK("for good", named(&r, &setup.guest6));
	network_rejoined(r.net, 0);
	CHECK("none again", named(&r, NULL));
	rig_end(&r, "own IPv6");
}

/* A solicit of the machine's, with a DUID of three bytes and one IA_NA. */
static void solicit6(struct rig *r, const struct ip *dst, bool spoilt)
{
	static const uint8_t msg[] = "\x01\x12\x34\x56"
		"\0\x01\0\x03" "abc" "\0\x03\0\x0c" "\0\0\0\x07\0\0\0\0\0\0\0";
	struct ip_packet ip = { .v6 = true, .proto = PROTO_UDP, .ttl = 1,
				.src = ip_link_local(&vm_mac), .dst = *dst };
	uint8_t l4[UDP_HEADER_BYTES + sizeof(msg)];
	struct wr w = wr(l4, sizeof(l4));
	csum_t sum;

	udp_emit(&w, 546, 547, sizeof(msg), 0);
	wr_bytes(&w, msg, sizeof(msg));
	sum = csum_add(csum_pseudo(0, &ip.src, &ip.dst, PROTO_UDP,
				   (uint32_t)sizeof(l4)), l4, sizeof(l4));
	w = wr(l4, UDP_HEADER_BYTES);
	udp_emit(&w, 546, 547, sizeof(msg),
		 (uint16_t)(csum_finish(sum) ^ spoilt));
	packet(r, &ip, l4, sizeof(l4), RIG_START_NS);
}

static void check_dhcp6(void)
{
	const struct ip servers = { .b = { 0xff, 2, [13] = 1, [15] = 2 } };
	const struct network_setup setup = named_setup();
	const struct ip own = ip_link_local(&setup.gateway_mac);
	const struct ip other = ip_link_local(&setup.guest_mac);
	struct rig r = rig_start(&setup);
	struct ip_packet ip;
	struct udp udp;
	struct eth eth;

	solicit6(&r, &servers, true);
	solicit6(&r, &own, false);		/* no solicit goes to one */
	solicit6(&r, &other, false);
	CHECK("silence", r.fake->frames == 0);
	solicit6(&r, &servers, false);
	CHECK("advertise", r.fake->frames == 1);
	ip = seen(&r, &eth);
	CHECK("to the machine", mac_equal(&eth.dst, &vm_mac) &&
	      ip_equal(&ip.src, &own) && ip.dst.b[15] == vm_mac.b[5]);
	CHECK("UDP", udp_parse(ip.payload, &udp) == DROP_OK &&
		     udp.src_port == 547 && udp.dst_port == 546);
	CHECK("checksum", csum_finish(csum_add(csum_pseudo(0, &ip.src,
		&ip.dst, PROTO_UDP, (uint32_t)ip.payload.len),
		ip.payload.p, ip.payload.len)) == 0);
	CHECK("an advertise", udp.data.p[0] == 2 &&
			      !memcmp(udp.data.p + 1, "\x12\x34\x56", 3));
	rig_end(&r, "dhcp6");
}

void test_network_autoconf(void);
void test_network_autoconf(void)
{
	check_router();
	check_dhcp4();
	check_moves();
	check_own_ip6();
	check_dhcp6();
}
