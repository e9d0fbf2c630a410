/* SPDX-License-Identifier: MIT */
/* test/unit/proto_share.c - what one guest takes, and the others still have. */
#include "proto/share.h"

#include "network/names.h"
#include "network/state.h"
#include "rig.h"

#define FLOWS	12000u
#define SECOND	UINT64_C(1000000000)

/* Sockets without end: the share is what is looked at. */
static int open_any(void *ctx, const struct endpoint *to, uint8_t ttl,
		    uint16_t mss, struct handle owner)
{
	(void)ctx, (void)to, (void)ttl, (void)mss, (void)owner;
	return 0;
}

static void close_any(void *ctx, int id, bool reset)
{
	(void)ctx, (void)id, (void)reset;
}

static struct rig start(unsigned guests)
{
	static struct env_ops ops;
	struct network_setup s = fake_setup();
	struct rig r;

	ops = *fake_ops();
	ops.tcp_connect = open_any;
	ops.tcp.close = close_any;
	s.max_flows = FLOWS;
	r = rig_start_with(&s, &ops);
	r.fake->links = guests;
	for (unsigned i = 1; i < guests; i++) {
		struct network_guest_setup g = {
			.link = (uint8_t)i, .learn_mac = true,
			.mac = s.guest_mac, .ip4 = s.guest4,
		};

		g.mac.b[5] = (uint8_t)(g.mac.b[5] + i);
		g.ip4.b[15] = (uint8_t)(g.ip4.b[15] + i);
		CHECK("added", network_guest_add(r.net, &g, RIG_START_NS) ==
			       (int)i);
	}
	return r;
}

static struct flow_key key_of(const struct rig *r, unsigned guest, unsigned n)
{
	struct flow_key key = {
		.guest_ip = r->fake->setup.guest4,
		.guest_port = (uint16_t)(1 + n),
		.peer_ip = ip_from_v4(0xc0000201), .peer_port = 80,
		.kind = FLOW_TCP,
	};

	key.guest_ip.b[15] = (uint8_t)(key.guest_ip.b[15] + guest);
	return key;
}

/* A SYN; the host stays silent. */
static bool shakes(struct rig *r, unsigned guest, unsigned n)
{
	const struct flow_key key = key_of(r, guest, n);
	const struct tcp_segment syn = {
		.src_port = key.guest_port, .dst_port = 80, .flags = TCP_SYN,
		.window = 1000, .wscale = TCP_NO_WSCALE,
	};
	const struct tcp_target target = {
		.to = { .ip = key.peer_ip, .port = 80 },
	};

	return tcp_open(&r->net->p, &key, &syn, &target) == DROP_OK;
}

/* How many one guest gets, from its nth on, if it asks for so many. */
static unsigned floods(struct rig *r, bool (*opens)(struct rig *, unsigned,
						    unsigned),
		       unsigned guest, unsigned from, unsigned many)
{
	unsigned got = 0;

	for (unsigned i = from; i < from + many; i++)
		got += opens(r, guest, i);
	network_check(r->net);
	return got;
}

/* One that is past its handshake. */
static bool talks(struct rig *r, unsigned guest, unsigned n)
{
	struct flow_key key = key_of(r, guest, n);

	key.kind = FLOW_SWITCH_OTHER;
	return share_flow(&r->net->p, &key);
}

/* They are nobody's: network_fini() would look for more of them. */
static void forget_all(struct rig *r)
{
	struct flow_table *t = &r->net->p.flows;
	uint32_t slot = 0;

	for (struct flow *f; (f = flow_next(t, &slot)); slot++)
		if (f->key.kind == FLOW_SWITCH_OTHER)
			flow_free(t, f);
	for (unsigned i = 0; i < FLOW_OWNERS_MAX; i++)
		CHECK("none is counted", !t->owned[i]);
}

static unsigned talk(struct rig *r, unsigned guest, unsigned from,
		     unsigned many)
{
	unsigned got = 0;

	for (unsigned i = from; i < from + many; i++)
		got += talks(r, guest, i);
	return got;
}

static void check_flows(void)
{
	const unsigned part = FLOWS / 6;
	struct rig r = start(1);

	CHECK("one alone", talk(&r, 0, 0, FLOWS + 5) == FLOWS);
	forget_all(&r);
	rig_end(&r, "alone");
	r = start(3);
	CHECK("all but two parts", talk(&r, 1, 0, FLOWS) == FLOWS - 2 * part);
	CHECK("its part", talk(&r, 0, 0, FLOWS) == part);
	CHECK("no more", talk(&r, 1, FLOWS, 10) == 0);
	CHECK("the last one's", talk(&r, 2, 0, FLOWS) == part);
	CHECK("full", r.net->p.flows.used[FLOW_SWITCH_OTHER] == FLOWS);
	forget_all(&r);
	rig_end(&r, "flows");
}

static void check_handshakes(void)
{
	const unsigned all = TCP_HALF_OPEN_MAX, part = all / 4;
	struct rig r = start(2);

	CHECK("the other's part stays", floods(&r, shakes, 1, 0, all) ==
					all - part);
	CHECK("and is had", floods(&r, shakes, 0, 0, 10) == 10);
	r.net->p.now_ns += 3 * SECOND;
	CHECK("who floods makes its own room",
	      floods(&r, shakes, 1, all, all) == all - part &&
	      r.net->p.half_of[0] == 10 && r.net->p.half_of[1] == all - part);
	CHECK("it is had", floods(&r, shakes, 0, 10, all) == part - 10 + 10);
	rig_end(&r, "handshakes");
}

/* A flow of an address that the guest has given up goes with the guest. */
static void check_removed(void)
{
	struct rig r = start(2);
	struct flow_key key = key_of(&r, 1, 0);
	struct flow *f;

	f = share_flow(&r.net->p, &key);
	CHECK("its own", f && f->owner == 1);
	flow_free(&r.net->p.flows, f);
	CHECK("open", shakes(&r, 1, 1) && r.net->p.half_of[1] == 1);
	network_guest_remove(r.net, 1, RIG_START_NS);
	CHECK("gone", !r.net->p.half_of[1] && !r.net->p.flows.owned[1]);
	network_check(r.net);
	rig_end(&r, "removed");
}

/* One piece of a datagram of eight bytes in two; is it whole? */
static bool piece(struct rig *r, unsigned guest, uint32_t id, bool last)
{
	static const uint8_t bytes[8];
	struct proto *p = &r->net->p;
	const struct ip_packet ip = {
		.src = key_of(r, guest, 0).guest_ip,
		.dst = ip_from_v4(0xc0000201), .proto = PROTO_UDP, .ttl = 64,
		.fragment = true, .more = !last, .frag_id = id,
		.frag_offset = last ? 8 : 0,
		.payload = { .p = bytes, .len = sizeof(bytes) },
	};
	struct view whole;
	const bool ok = reassembly_add(p, &r->net->reassembly, &ip,
				       &whole) == DROP_OK;

	reassembly_done(p, &r->net->reassembly);
	p->now_ns++;
	return ok && whole.p;
}

static void check_fragments(void)
{
	struct rig r = start(2);

	CHECK("the first half", !piece(&r, 0, 1, false));
	for (uint32_t id = 0; id < 2 * REASSEMBLY_MAX; id++)
		CHECK("halves without end", !piece(&r, 1, id, false));
	CHECK("is still there", piece(&r, 0, 1, true));
	CHECK("the newest is, too", piece(&r, 1, 2 * REASSEMBLY_MAX - 1,
					  true));
	CHECK("the oldest is not", !piece(&r, 1, 0, true));
	rig_end(&r, "fragments");
}

/* Packets that are refused: how many of so many is the guest told of? */
static uint64_t told(struct rig *r, unsigned guest, unsigned many)
{
	const uint8_t bytes[28] = { 0x45 };
	const struct ip_packet ip = {
		.src = key_of(r, guest, 0).guest_ip,
		.dst = ip_from_v4(0xc0000201), .proto = PROTO_UDP,
		.whole = { .p = bytes, .len = sizeof(bytes) },
	};
	const uint64_t before = r->fake->frames;

	for (unsigned i = 0; i < many; i++)
		proto_icmp_error(&r->net->p, &r->net->p.gateway4, &ip,
				 ICMP_PROHIBITED, 0);
	return r->fake->frames - before;
}

static void check_errors(void)
{
	struct rig r = start(2);

	CHECK("so many at once", told(&r, 1, 2000) == 1000);
	CHECK("and as many of another", told(&r, 0, 2000) == 1000);
	r.net->p.now_ns += SECOND / 100;
	CHECK("so many a second", told(&r, 1, 2000) == 10);
	rig_end(&r, "errors");
}

/* The same of questions to the DNS service. */
static void check_names(void)
{
	struct rig r = start(2);
	uint32_t has[DNS_GUESTS_MAX] = { 0, 60 };
	struct dns_reply_to to = { .guest.ip = key_of(&r, 1, 0).guest_ip };
	const struct handle none = { .slot = 0 };

	CHECK("its own", names_share(r.net, has, 100, &to, none) == 1);
	has[1] = 75;
	CHECK("no more", names_share(r.net, has, 100, &to, none) == -1);
	to.guest.ip = key_of(&r, 0, 0).guest_ip;
	CHECK("another's", names_share(r.net, has, 100, &to, none) == 0);
	rig_end(&r, "names");
}

void test_proto_share(void);
void test_proto_share(void)
{
	check_flows();
	check_handshakes();
	check_removed();
	check_fragments();
	check_errors();
	check_names();
}
