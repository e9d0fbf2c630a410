/* SPDX-License-Identifier: MIT */
/*
 * test/unit/network_guard.c - what the firewall lets begin, and go on; what
 * waits for a program, and for how long.
 */
#include "network/guard.h"

#include "base/csum.h"
#include "network/names.h"
#include "network/state.h"
#include "rig.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define SECOND	UINT64_C(1000000000)
#define SHUT	1001		/* of FAKE_RULES_SOME, as all odd ones */
#define OPEN	1002

struct scene {
	struct rig rig;
	uint64_t now;
};

static struct scene begin(enum fake_rules rules)
{
	const struct network_setup setup = fake_setup();
	struct scene c = { .rig = rig_start(&setup), .now = RIG_START_NS };

	fake_set_rules(c.rig.net, &setup, rules, c.now);
	return c;
}

static void turn(struct scene *c)
{
	do
		network_turn_end(c->rig.net, c->now);
	while (network_busy(c->rig.net));
	network_check(c->rig.net);
}

static void later(struct scene *c, uint64_t ns)
{
	const uint64_t end = c->now + ns;

	for (uint64_t next; (next = network_next_timer(c->rig.net)) <= end;) {
		c->now = next > c->now ? next : c->now;
		network_timers(c->rig.net, c->now);
		turn(c);
	}
	c->now = end;
}

static unsigned sockets(const struct scene *c)
{
	unsigned n = 0;

	for (int i = 0; i < FAKE_SOCKETS; i++)
		n += c->rig.fake->sock[i].open;
	return n;
}

/* The guest begins a flow of that protocol to a port of the world's. */
static void says(struct scene *c, bool v6, uint8_t proto, uint16_t from,
		 uint16_t to)
{
	const struct network_setup *s = &c->rig.fake->setup;
	const struct ip world6 = { .b = { 0x20, 1, 0xd, 0xb8, [15] = 9 } };
	const bool echo = proto == PROTO_ICMP;
	const struct ip_packet ip = {
		.src = v6 ? s->guest6 : s->guest4,
		.dst = v6 ? world6 : ip_from_v4(0xc0000209), .ttl = 64,
		.proto = echo && v6 ? PROTO_ICMP6 : proto,
	};
	const struct eth eth = { .src = s->guest_mac, .dst = s->gateway_mac,
				 .type = v6 ? ETH_IPV6 : ETH_IPV4 };
	const struct frame_meta meta = { .csum_valid = true };
	const struct tcp_segment seg = {
		.src_port = from, .dst_port = to, .flags = TCP_SYN,
		.seq = 77, .window = 1000, .wscale = TCP_NO_WSCALE,
	};
	const struct icmp_echo ping = { .id = from };
	uint8_t buf[200], body[100];
	struct wr w = wr(buf, sizeof(buf)), b = wr(body, sizeof(body));

	if (echo)
		icmp_emit_echo(&b, &ip.src, &ip.dst, &ping);
	else if (proto == PROTO_TCP)
		tcp_emit(&b, &seg, 0);
	else
		udp_emit(&b, from, to, 0, 0xffff);
	eth_emit(&w, &eth);
	ip_emit(&w, &ip, (size_t)(b.p - body));
	wr_bytes(&w, body, (size_t)(b.p - body));
	CHECK("room", !w.bad && !b.bad);
	network_frame(c->rig.net, 0, &meta, buf, (size_t)(w.p - buf), c->now);
	turn(c);
}

/* Did it get a socket? */
static bool begins(struct scene *c, bool v6, uint8_t proto, uint16_t from,
		   uint16_t to)
{
	const unsigned before = sockets(c);

	says(c, v6, proto, from, to);
	return sockets(c) > before;
}

static uint64_t dropped(const struct scene *c, enum drop why)
{
	struct network_stats st;

	network_get_stats(c->rig.net, &st);
	return st.drops[why];
}

static void nothing_passes_without_rules(void)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP };
	struct scene c = begin(FAKE_RULES_LOST);

	for (unsigned i = 0; i < 6; i++)
		CHECK("no socket", !begins(&c, i & 1, protos[i / 2], 5000,
					   OPEN));
	CHECK("told", c.rig.fake->blocked == 6);
	CHECK("no rule", c.rig.fake->last_blocked.rule == BLOCKED_NO_RULE);
	CHECK("counted", dropped(&c, DROP_FIREWALL) == 6);
	fake_set_rules(c.rig.net, &c.rig.fake->setup, FAKE_RULES_OFF, c.now);
	CHECK("off", begins(&c, false, PROTO_TCP, 5000, OPEN));
	rig_end(&c.rig, "without rules");
}

static void a_rule_blocks(bool refuse)
{
	const struct network_rules with = { .generation = 7,
					    .refuse = refuse };
	struct scene c = begin(FAKE_RULES_OFF);
	struct fake *f = c.rig.fake;
	uint64_t blocked, not_told;

	fake_set_rules_text(c.rig.net, &f->setup,
			    "[rule one]\naction=allow\ndirection=out\n"
			    "[rule two]\naction=block\ndirection=out\n"
			    "remotePort=1001\nprotocol=tcp\n"
			    "[rule three]\naction=block\ndirection=out\n"
			    "protocol=udp\nremotePort=1001\n", &with, c.now);
	for (unsigned v6 = 0; v6 <= 1; v6++) {
		const uint64_t frames = f->frames;

		CHECK("shut", !begins(&c, v6, PROTO_TCP, 5000, SHUT));
		CHECK("RST, or nothing", f->frames == frames + refuse);
		CHECK("its rule", f->last_blocked.rule == 1 &&
		      f->last_blocked.generation == 7 &&
		      f->last_blocked.tcp_flags == TCP_SYN &&
		      f->last_blocked.tcp_seq == 77 &&
		      f->last_blocked.told == refuse &&
		      f->last_blocked.dst.port == SHUT);
		CHECK("shut", !begins(&c, v6, PROTO_UDP, 5000, SHUT));
		CHECK("ICMP, or nothing", f->frames == frames + 2 * refuse);
		CHECK("its rule", f->last_blocked.rule == 2);
		CHECK("open", begins(&c, v6, PROTO_TCP, 5000, OPEN));
		CHECK("open", begins(&c, v6, PROTO_UDP, 5001, OPEN));
		CHECK("open", begins(&c, v6, PROTO_ICMP, 5000, 0));
	}
	network_get_blocked(c.rig.net, &blocked, &not_told);
	CHECK("counts", blocked == 4 && not_told == 0);
	CHECK("hits", c.rig.net->guard.rules.hits[0] == 6 &&
		      c.rig.net->guard.rules.hits[1] == 2 &&
		      c.rig.net->guard.rules.hits[2] == 2);
	rig_end(&c.rig, "a rule");
}

/* A packet of a flow that there is costs no question. */
static void asked_once(void)
{
	struct scene c = begin(FAKE_RULES_OPEN);

	for (unsigned i = 0; i < 3; i++)
		says(&c, false, PROTO_UDP, 5000, OPEN);
	fake_set_rules(c.rig.net, &c.rig.fake->setup, FAKE_RULES_LOST, c.now);
	CHECK("before the sweep", c.rig.fake->blocked == 0);
	turn(&c);
	CHECK("after it", c.rig.fake->blocked == 1 && sockets(&c) == 0);
	rig_end(&c.rig, "asked once");
}

static void told_so_many(void)
{
	struct scene c = begin(FAKE_RULES_LOST);
	uint64_t blocked, not_told;

	for (uint16_t i = 0; i < 2 * GUARD_TOLD_BURST; i++)
		says(&c, false, PROTO_UDP, (uint16_t)(5000 + i), OPEN);
	network_get_blocked(c.rig.net, &blocked, &not_told);
	CHECK("all count", blocked == 2 * GUARD_TOLD_BURST);
	CHECK("so many are told", c.rig.fake->blocked == GUARD_TOLD_BURST &&
				  not_told == GUARD_TOLD_BURST);
	c.now += SECOND;
	says(&c, false, PROTO_UDP, 5000, OPEN);
	CHECK("and later again",
	      c.rig.fake->blocked == GUARD_TOLD_BURST + 1);
	rig_end(&c.rig, "told");
}

/* A stream from there is offered: does the guest hear of it? */
static bool offer_passes(struct scene *c, const char *from)
{
	struct fake *f = c->rig.fake;
	const struct endpoint to = { .ip = f->setup.guest4, .port = OPEN };
	struct endpoint client = { .port = 6000 };
	const uint64_t before = f->frames;

	CHECK(from, ip_parse(from, &client.ip));
	network_offer(c->rig.net, fake_accept(f), &client, &to, c->now);
	turn(c);
	return f->frames > before;
}

/* ---- programs ---- */

static void waits_for_its_program(const char *program, bool passes)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_ICMP };

	for (unsigned i = 0; i < 3; i++) {
		struct scene c = begin(FAKE_RULES_PROGRAMS);

		CHECK("waits", !begins(&c, false, protos[i], 5000, OPEN));
		CHECK("is asked about", c.rig.fake->asked);
		CHECK("nor is it told", c.rig.fake->frames == 0);
		network_program(c.rig.net, c.rig.fake->asked, program, c.now);
		turn(&c);
		CHECK("answered", (sockets(&c) == 1) == passes);
		CHECK("told", c.rig.fake->blocked == !passes);
		CHECK("one verdict", dropped(&c, DROP_OK) == passes &&
		      dropped(&c, DROP_FIREWALL) == !passes);
		rig_end(&c.rig, "a program");
	}
}

/* Without a verdict it does not pass; what comes again is asked about again. */
static void nobody_answers(bool told)
{
	struct scene c = begin(FAKE_RULES_PROGRAMS);
	uint32_t first;

	says(&c, false, PROTO_TCP, 5000, OPEN);
	first = c.rig.fake->asked;
	later(&c, GUARD_PATIENCE_NS / 2);
	CHECK("waits", sockets(&c) == 0 && c.rig.net->guard.waiting == 1);
	if (told)
		network_program_late(c.rig.net, first, c.now);
	else
		later(&c, GUARD_PATIENCE_NS);
	CHECK("is dropped", sockets(&c) == 0 &&
			    c.rig.net->guard.waiting == 0);
	CHECK("as a limit, not by a rule", dropped(&c, DROP_LIMIT) == 1 &&
	      dropped(&c, DROP_OK) == 0 && c.rig.fake->blocked == 0);
	network_program(c.rig.net, first, "/bin/true", c.now);
	turn(&c);
	CHECK("too late", sockets(&c) == 0);
	says(&c, false, PROTO_TCP, 5000, OPEN);
	CHECK("is asked about again", c.rig.fake->asked != first);
	network_program(c.rig.net, c.rig.fake->asked, "/bin/true", c.now);
	turn(&c);
	CHECK("passes", sockets(&c) == 1);
	rig_end(&c.rig, "nobody answers");
}

/* The same of what is not a packet. */
static void nobody_answers_for_others(void)
{
	struct scene c = begin(FAKE_RULES_PROGRAMS);
	const struct network_relay relay = { .port = OPEN };

	CHECK("waits", !offer_passes(&c, "127.0.0.1"));
	network_program_late(c.rig.net, c.rig.fake->asked, c.now);
	CHECK("a stream is reset", sockets(&c) == 0);
	CHECK("waits", network_judge(c.rig.net, &relay, FAKE_TICKET, c.now) ==
		       NETWORK_WAIT);
	network_program_late(c.rig.net, c.rig.fake->asked, c.now);
	CHECK("a ticket is refused", c.rig.fake->passed == 0 &&
	      c.rig.fake->refused == 1 && c.rig.net->guard.waiting == 0);
	rig_end(&c.rig, "nobody answers for others");
}

/* A SYN sent again joins the first; what is of other flows goes its way. */
static void they_wait_together(void)
{
	struct scene c = begin(FAKE_RULES_PROGRAMS);
	uint32_t first;

	says(&c, false, PROTO_TCP, 5000, OPEN);
	first = c.rig.fake->asked;
	for (unsigned i = 0; i < 2 * GUARD_SAME_MAX; i++)
		says(&c, false, PROTO_TCP, 5000, OPEN);
	CHECK("one question", c.rig.fake->asked == first);
	CHECK("so many are kept", c.rig.net->guard.waiting == GUARD_SAME_MAX);
	says(&c, false, PROTO_TCP, 5001, OPEN);
	CHECK("another", c.rig.fake->asked != first);
	network_program(c.rig.net, c.rig.fake->asked, "/bin/true", c.now);
	turn(&c);
	CHECK("goes on", sockets(&c) == 1);
	network_program(c.rig.net, first, "/bin/true", c.now);
	turn(&c);
	CHECK("and the first", sockets(&c) == 2);
	CHECK("nothing waits", c.rig.net->guard.waiting == 0 &&
			       c.rig.net->guard.kept_bytes == 0);
	rig_end(&c.rig, "together");
}

static void so_many_wait(void)
{
	struct scene c = begin(FAKE_RULES_PROGRAMS);

	for (uint16_t i = 0; i < 2 * GUARD_WAITING_MAX; i++)
		says(&c, false, PROTO_UDP, (uint16_t)(5000 + i), OPEN);
	CHECK("so many", c.rig.net->guard.waiting == GUARD_WAITING_MAX);
	CHECK("the rest is dropped",
	      dropped(&c, DROP_LIMIT) == GUARD_WAITING_MAX);
	rig_end(&c.rig, "so many");	/* gives back what waits */
}

/* Both ends of guest to host: the guest's is asked about, then the host's. */
static void two_ends(void)
{
	struct scene c = begin(FAKE_RULES_PROGRAMS);
	const struct network_relay relay = { .to_host = true,
					     .client_port = 5000,
					     .port = OPEN };
	const struct env_socket *what = &c.rig.fake->asked_about;
	uint32_t first;

	CHECK("waits", network_judge(c.rig.net, &relay, FAKE_TICKET, c.now) ==
		       NETWORK_WAIT);
	first = c.rig.fake->asked;
	CHECK("the guest's own socket", what->in_guest && !what->listens &&
	      what->local.port == 5000 && what->remote.port == OPEN);
	CHECK("on its loopback", ip_is_loopback(&what->local.ip) &&
				 ip_is_loopback(&what->remote.ip));
	network_program(c.rig.net, first, "/bin/true", c.now);
	CHECK("once more", c.rig.fake->asked != first &&
			   c.rig.fake->passed == 0);
	CHECK("who listens on the host", !what->in_guest && what->listens &&
	      what->local.port == OPEN && ip_is_loopback(&what->local.ip));
	network_program(c.rig.net, c.rig.fake->asked, "/bin/false", c.now);
	CHECK("passes", c.rig.fake->passed == 1);
	CHECK("waits", network_judge(c.rig.net, &relay, FAKE_TICKET, c.now) ==
		       NETWORK_WAIT);
	network_program(c.rig.net, c.rig.fake->asked, "/bin/true", c.now);
	network_program(c.rig.net, c.rig.fake->asked, FAKE_PROGRAM, c.now);
	CHECK("does not", c.rig.fake->passed == 1 &&
			  c.rig.fake->blocked == 1 &&
			  c.rig.fake->last_blocked.in);
	rig_end(&c.rig, "two ends");
}

/* What may not leave the guest does not enter the host, though that would. */
static void both_must_agree(void)
{
	const struct network_rules with = { .off = false };
	const struct network_relay in = { .port = SHUT };
	const struct network_relay out = { .to_host = true, .port = OPEN };
	const struct network_relay shut = { .to_host = true, .port = SHUT };
	struct scene c = begin(FAKE_RULES_OFF);

	fake_set_rules_text(c.rig.net, &c.rig.fake->setup,
			    "[rule out]\naction=block\ndirection=out\n"
			    "protocol=tcp\nremotePort=1001\n", &with, c.now);
	CHECK("one may not", network_judge(c.rig.net, &shut, FAKE_TICKET,
					   c.now) == NETWORK_BLOCK);
	CHECK("which", !c.rig.fake->last_blocked.in);
	CHECK("another", network_judge(c.rig.net, &out, FAKE_TICKET,
				       c.now) == NETWORK_PASS);
	CHECK("the other way", network_judge(c.rig.net, &in, FAKE_TICKET,
					     c.now) == NETWORK_PASS);
	rig_end(&c.rig, "both");
}

/* What is relayed from the host reaches the guest's loopback. */
static void on_the_guests_loopback(void)
{
	struct scene c = begin(FAKE_RULES_PROGRAMS);
	const struct network_relay relay = { .client_port = 5000,
					     .port = OPEN, .v6 = true };
	const struct env_socket *what = &c.rig.fake->asked_about;

	CHECK("waits", network_judge(c.rig.net, &relay, FAKE_TICKET, c.now) ==
		       NETWORK_WAIT);
	CHECK("who listens there", what->in_guest && what->listens &&
	      what->local.port == OPEN && ip_is_loopback(&what->local.ip) &&
	      !ip_is4(&what->local.ip));
	network_program(c.rig.net, c.rig.fake->asked, "/bin/true", c.now);
	CHECK("passes", c.rig.fake->passed == 1);
	rig_end(&c.rig, "the guest's loopback");
}

/* Who waits in the guest is asked for, not who calls. */
static void the_guests_listener(void)
{
	struct scene c = begin(FAKE_RULES_PROGRAMS);
	const struct env_socket *what = &c.rig.fake->asked_about;

	CHECK("waits", !offer_passes(&c, "127.0.0.1"));
	CHECK("the guest's", what->in_guest && what->listens &&
			     what->local.port == OPEN &&
			     !ip_is_loopback(&what->local.ip));
	network_program(c.rig.net, c.rig.fake->asked, FAKE_PROGRAM, c.now);
	CHECK("is reset", sockets(&c) == 0 && c.rig.fake->blocked == 1);
	CHECK("waits", !offer_passes(&c, "127.0.0.1"));
	network_program(c.rig.net, c.rig.fake->asked, NULL, c.now);
	CHECK("passes", sockets(&c) == 1 && c.rig.fake->frames == 1);
	rig_end(&c.rig, "the guest's listener");
}

/* ---- who comes from where ---- */

static void machines_are_kept_out(void)
{
	struct scene c = begin(FAKE_RULES_EMPTY);

	CHECK("the host", offer_passes(&c, "127.0.0.1"));
	CHECK("another", !offer_passes(&c, "192.0.2.7"));
	CHECK("which one", c.rig.fake->last_blocked.origin == 2 &&
			   c.rig.fake->last_blocked.src.port == 6000);
	fake_set_rules(c.rig.net, &c.rig.fake->setup, FAKE_RULES_OPEN, c.now);
	CHECK("if a rule lets it", offer_passes(&c, "192.0.2.7"));
	rig_end(&c.rig, "machines");
}

/* ---- rules change ---- */

static void flows_that_live(bool keep)
{
	const struct network_rules with = { .keep_flows = keep };
	struct scene c = begin(FAKE_RULES_OPEN);
	struct fake *f = c.rig.fake;

	for (uint16_t i = 0; i < 20; i++) {
		says(&c, false, PROTO_TCP, (uint16_t)(5000 + i),
		     (uint16_t)(1000 + i % 2));
		says(&c, true, PROTO_UDP, (uint16_t)(5000 + i),
		     (uint16_t)(1000 + i % 2));
	}
	says(&c, false, PROTO_ICMP, 5000, 0);
	CHECK("all live", sockets(&c) == 41);
	fake_set_rules_text(c.rig.net, &f->setup,
			    "[rule odd]\naction=block\ndirection=out\n"
			    "protocol=tcp\nremotePort=1001\n"
			    "[rule odd too]\naction=block\ndirection=out\n"
			    "protocol=udp\nremotePort=1001\n"
			    "[rule echo]\naction=block\ndirection=out\n"
			    "protocol=icmp\n", &with, c.now);
	turn(&c);
	CHECK("those that may", sockets(&c) == (keep ? 41 : 20));
	CHECK("told", f->blocked == (keep ? 0 : 21));
	rig_end(&c.rig, "flows that live");
}

/* A name holds for a flow that began by it, when it does for no new one. */
static void names_of_flows_that_live(void)
{
	struct scene c = begin(FAKE_RULES_NAMES);
	const struct dns_answered a = { .name = "a.example", .ttl_s = 60,
					.ip = ip_from_v4(0xc0000209) };
	const struct dns_reply_to to = {
		.guest.ip = c.rig.fake->setup.guest4,
	};

	CHECK("not yet", !begins(&c, false, PROTO_UDP, 5000, SHUT));
	names_answered(c.rig.net, &a, &to, (struct handle){ 0 });
	CHECK("by its name", begins(&c, false, PROTO_UDP, 5000, SHUT));
	c.now += 601 * SECOND;		/* the flow's own timer has not run */
	CHECK("no more", !begins(&c, false, PROTO_UDP, 5001, SHUT));
	fake_set_rules(c.rig.net, &c.rig.fake->setup, FAKE_RULES_NAMES,
		       c.now);
	turn(&c);
	CHECK("it lives", sockets(&c) == 1);
	fake_set_rules(c.rig.net, &c.rig.fake->setup, FAKE_RULES_LOST,
		       c.now);
	turn(&c);
	CHECK("and not for ever", sockets(&c) == 0);
	rig_end(&c.rig, "names of flows that live");
}

/* Each is asked about, more than can wait at a time; one is the culprit. */
static void programs_of_flows_that_live(void)
{
	struct scene c = begin(FAKE_RULES_OPEN);
	struct fake *f = c.rig.fake;
	unsigned asked = 0;

	for (uint16_t i = 0; i < 100; i++)
		says(&c, false, PROTO_TCP, (uint16_t)(5000 + i), OPEN);
	fake_set_rules(c.rig.net, &f->setup, FAKE_RULES_PROGRAMS, c.now);
	turn(&c);
	CHECK("they go on", sockets(&c) == 100);
	fake_set_rules(c.rig.net, &f->setup, FAKE_RULES_PROGRAMS, c.now);
	turn(&c);
	CHECK("asked about once", c.rig.net->guard.waiting == 100);
	while (c.rig.net->guard.waiting && asked < 200) {
		const struct guard_waiting *w = c.rig.net->guard.slots;

		while (!w->id)
			w++;
		network_program(c.rig.net, w->id, asked++ == 7 ?
				FAKE_PROGRAM : "/bin/true", c.now);
		turn(&c);
	}
	CHECK("each once", asked == 100);
	CHECK("but for that one", sockets(&c) == 99 && f->blocked == 1);
	rig_end(&c.rig, "programs of flows that live");
}

void test_network_guard(void);
void test_network_guard(void)
{
	nothing_passes_without_rules();
	a_rule_blocks(true);
	a_rule_blocks(false);
	asked_once();
	told_so_many();
	waits_for_its_program("/bin/true", true);
	waits_for_its_program(NULL, true);
	waits_for_its_program("true", true);	/* no full path: unknown */
	waits_for_its_program(FAKE_PROGRAM, false);
	nobody_answers(false);
	nobody_answers(true);
	nobody_answers_for_others();
	they_wait_together();
	so_many_wait();
	two_ends();
	both_must_agree();
	on_the_guests_loopback();
	the_guests_listener();
	machines_are_kept_out();
	flows_that_live(false);
	flows_that_live(true);
	programs_of_flows_that_live();
	names_of_flows_that_live();
}
