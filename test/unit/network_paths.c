/* SPDX-License-Identifier: MIT */
/* test/unit/network_paths.c - what a path takes is found out, and held to. */
#include "network/paths.h"

#include <string.h>

#include "network/state.h"
#include "rig.h"
#include "wire/icmp.h"

#define S		UINT64_C(1000000000)
#define SOCK		0		/* of the probe: there is one at a time */
#define REPLIES		32

/* A path, and the echo replies that are on their way back. */
static struct {
	unsigned takes;			/* longest packet; 0: none comes back */
	unsigned loses;			/* so many of each size before one */
	unsigned lost[PATHS_MOST + 1];
	unsigned opened, sent;
	bool forbidden;
	bool says;			/* what is too long */
	bool cuts;			/* it may be told to */
	unsigned cut, set;		/* what it was told, and how often */
	struct handle owner;
	bool open, v6;
	struct ip to, mute;		/* mute: answers nothing */
	unsigned n;
	struct {
		size_t len;
		uint8_t bytes[PATHS_MOST];
	} reply[REPLIES];
} path;

static int ping_open(void *ctx, bool v6, struct handle owner)
{
	(void)ctx;
	path.opened++;
	if (path.forbidden)
		return -ENV_ACCESS;
	path.open = true;
	path.v6 = v6;
	path.owner = owner;
	path.n = 0;
	return SOCK;
}

static void dgram_close(void *ctx, int id)
{
	(void)ctx, (void)id;
	CHECK("closed once", path.open);
	path.open = false;
}

static void dgram_fragment(void *ctx, int id, bool v6, bool allowed,
			   uint16_t mtu)
{
	(void)ctx, (void)id;
	CHECK("whole", v6 == path.v6 && allowed <= path.cuts &&
		       (!mtu || allowed));
	path.cut = mtu;
	path.set++;
}

static int dgram_send(void *ctx, int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v,
		      unsigned n)
{
	const size_t bytes = v->len + ip_header_bytes(&to->ip);

	(void)ctx, (void)id, (void)mark;
	CHECK("a size that is asked for", n == 1 && bytes >= PATHS_LEAST &&
					  bytes <= PATHS_MOST);
	path.sent++;
	path.to = to->ip;
	if (bytes > path.takes && path.says)
		return -ENV_TOO_BIG;
	if (bytes > path.takes || ip_equal(&to->ip, &path.mute) || path.n == REPLIES ||
	    path.lost[bytes]++ < path.loses)
		return 0;
	memcpy(path.reply[path.n].bytes, v->p, v->len);
	path.reply[path.n].bytes[0] = path.v6 ? 129 : 0;
	path.reply[path.n++].len = v->len;
	return 0;
}

static int64_t dgram_recv(void *ctx, int id, struct endpoint *from,
			  struct env_mark *mark, void *buf, size_t cap)
{
	size_t len;

	(void)ctx, (void)id, (void)mark, (void)cap;
	if (!path.n)
		return -ENV_AGAIN;
	len = path.reply[0].len;
	memcpy(buf, path.reply[0].bytes, len);
	memmove(path.reply, path.reply + 1,
		--path.n * sizeof(path.reply[0]));
	*from = (struct endpoint){ .ip = path.to };
	return (int64_t)len;
}

static bool dgram_error(void *ctx, int id, struct env_net_error *out,
			void *payload, size_t cap)
{
	(void)ctx, (void)id, (void)out, (void)payload, (void)cap;
	return false;
}

static struct rig start(unsigned mtu, unsigned takes)
{
	const struct network_setup setup = fake_setup();
	static struct env_ops ops;	/* the network keeps a pointer to it */
	struct rig r;

	ops = *fake_ops();
	ops.ping_open = ping_open;
	ops.dgram_close = dgram_close;
	ops.dgram_fragment = dgram_fragment;
	ops.dgram_send = dgram_send;
	ops.dgram_recv = dgram_recv;
	ops.dgram_error = dgram_error;
	memset(&path, 0, sizeof(path));
	path.takes = takes;
	r = rig_start_with(&setup, &ops);
	r.fake->path = (struct env_path){ .dev = 7, .mtu = mtu,
					  .tunnel = true };
	return r;
}

/* Until nothing is under way any more; the time then. */
static uint64_t settle(struct rig *r, uint64_t now)
{
	while (path.open) {
		uint64_t next;

		if (path.n) {
			now += S / 50;		/* a round trip */
			network_sock_event(r->net, path.owner, ENV_READABLE,
					   now);
			continue;
		}
		next = network_next_timer(r->net);
		if (next == UINT64_MAX) {
			CHECK("it ends", false);
			break;
		}
		now = next > now ? next : now;
		network_timers(r->net, now);
	}
	return now;
}

static const struct ip four = { .b = { [10] = 0xff, 0xff, 198, 51, 100, 1 } };
static const struct ip six = { .b = { 0x20, 1, 0xd, 0xb8, [15] = 9 } };

static const struct {
	const char *name;
	unsigned mtu, takes, loses;
	uint16_t limit, mss;		/* of IPv4, in the end */
} cases[] = {
	{ "whole", 1500, 1500, 0, 0, 0 },
	{ "whole, of a longer one", 9000, 1500, 0, 0, 0 },
	{ "as narrow as it says", 1400, 1400, 0, 0, 0 },
	{ "narrow", 1500, 1400, 0, 1400, 1360 },
	{ "by one", 1500, 1499, 0, 1499, 1459 },
	{ "to the least", 1500, 1280, 0, 1280, 1240 },
	{ "one more than that", 1500, 1281, 0, 1281, 1241 },
	{ "narrow, and loses", 1500, 1400, 2, 1400, 1360 },
	{ "whole, and loses", 1500, 1500, 2, 0, 0 },
	{ "mute", 1500, 0, 0, 0, 1240 },
	{ "less than the least: nothing is known", 1500, 1200, 0, 0, 1240 },
};

static void check_case(size_t i, const struct ip *to)
{
	const uint16_t more = ip_is4(to) ? 0 : 20;
	const uint16_t mss = cases[i].mss;
	const char *name = cases[i].name;
	struct rig r = start(cases[i].mtu, cases[i].takes);
	uint64_t now;

	path.loses = cases[i].loses;
	CHECK(name, paths_mss(r.net, to) == 1240 - more);
	CHECK(name, paths_limit(r.net, to) == 0);
	CHECK(name, path.opened == 1);
	now = settle(&r, RIG_START_NS);
	CHECK(name, paths_limit(r.net, to) == cases[i].limit);
	CHECK(name, paths_mss(r.net, to) == (mss ? mss - more : 0));
	CHECK(name, path.opened == 1);
	CHECK(name, now - RIG_START_NS < 8 * S);
	CHECK(name, path.sent <= 60);
	rig_end(&r, name);
}

/* Of an interface it is known for everybody, and not for ever. */
static void check_known(void)
{
	const struct ip other = ip_from_v4(0xcb007109);
	struct rig r = start(1500, 1400);
	struct network_narrow narrow[4];
	uint64_t now;

	paths_mss(r.net, &four);
	now = settle(&r, RIG_START_NS);
	CHECK("others, too", paths_mss(r.net, &other) == 1360);
	CHECK("without a probe", path.opened == 1);
	CHECK("told", paths_narrow(r.net, narrow, 4) == 1 &&
		      narrow[0].dev == 7 && narrow[0].mtu == 1400);
	now += PATHS_KEPT_NS + S;
	r.net->p.now_ns = now;
	CHECK("held to while it is probed again",
	      paths_mss(r.net, &other) == 1360 && path.opened == 2);
	path.takes = 1500;
	now = settle(&r, now);
	CHECK("another one now", paths_mss(r.net, &other) == 0);
	path.takes = 1450;
	network_routes_changed(r.net, now);
	CHECK("forgotten", paths_mss(r.net, &other) == 1240);
	settle(&r, now);
	CHECK("found again", paths_mss(r.net, &other) == 1410);
	rig_end(&r, "known");
}

static void check_mute(void)
{
	const struct ip other = ip_from_v4(0xcb007109);
	struct rig r = start(1500, 0);
	uint64_t now;

	paths_mss(r.net, &four);
	now = settle(&r, RIG_START_NS);
	paths_mss(r.net, &four);
	CHECK("not asked again", path.opened == 1);
	path.takes = 1500;
	CHECK("another is asked", paths_mss(r.net, &other) == 1240 &&
				  path.opened == 2);
	settle(&r, now);
	CHECK("and tells of all", paths_mss(r.net, &four) == 0);
	rig_end(&r, "mute");
}

static void check_forbidden(void)
{
	struct rig r = start(1500, 1500);
	uint64_t now = RIG_START_NS;

	path.forbidden = true;
	CHECK("small", paths_mss(r.net, &four) == 1240 && path.opened == 1);
	for (unsigned i = 0; i < 10; i++) {
		const uint64_t next = network_next_timer(r.net);

		if (next == UINT64_MAX)
			break;
		now = next > now ? next : now;
		network_timers(r.net, now);
	}
	CHECK("it ends", network_next_timer(r.net) == UINT64_MAX);
	CHECK("for a while", paths_mss(r.net, &four) == 1240 &&
			     path.opened == 1 && !path.sent);
	rig_end(&r, "forbidden");
}

/* What of IPv6 may be cut: as small as is sure to pass; others: as ever. */
static void check_cut(void)
{
	struct rig r = start(1500, 1400);
	struct proto_cut cut = { .whole = false };

	path.cuts = true;
	CHECK("asked, and not probed", paths_takes(&r.net->p, &six) == 1280 &&
				       !path.opened);
	paths_limit(r.net, &six);
	settle(&r, RIG_START_NS);
	CHECK("found", path.opened == 1 &&
		       paths_takes(&r.net->p, &six) == 1400);
	path.set = 0;
	proto_cut_for(&r.net->p, &cut, SOCK, &six, false, 3000);
	CHECK("cut", path.cut == 1400 && path.set == 1);
	proto_cut_for(&r.net->p, &cut, SOCK, &six, false, 3000);
	proto_cut_for(&r.net->p, &cut, SOCK, &six, true, 500);
	CHECK("said once", path.cut == 1400 && path.set == 1);
	proto_cut_for(&r.net->p, &cut, SOCK, &six, true, 1300);
	CHECK("whole", path.cut == 0 && path.set == 2);
	r.fake->path.tunnel = false;
	network_routes_changed(r.net, RIG_START_NS);
	proto_cut_for(&r.net->p, &cut, SOCK, &six, false, 3000);
	CHECK("as the host likes", path.cut == 0 && path.set == 3);
	rig_end(&r, "cut");
}

/* The guest speaks to four while there is no tunnel; then there is one. */
static uint64_t tunnel_comes(struct rig *r, uint64_t now)
{
	r->fake->path.tunnel = false;
	network_routes_changed(r->net, now);
	paths_mss(r->net, &four);
	r->fake->path.tunnel = true;
	network_routes_changed(r->net, now);
	return now;
}

/* Whatever there is to do; the time then. */
static uint64_t idle(struct rig *r, uint64_t now)
{
	uint64_t next;

	for (now = settle(r, now); (next = network_next_timer(r->net)) !=
				   UINT64_MAX; now = settle(r, now)) {
		now = next > now ? next : now;
		network_timers(r->net, now);
	}
	return now;
}

/* A tunnel is probed when it comes, and nobody has to ask. */
static void check_fresh(void)
{
	const struct endpoint server = { .ip = ip_from_v4(0xcb007109),
					 .port = 53 };
	struct rig r = start(1500, 1400);
	struct network_narrow narrow;
	uint64_t now = idle(&r, tunnel_comes(&r, RIG_START_NS));

	CHECK("by who is in use", path.opened == 1 &&
				  ip_equal(&path.to, &four) &&
				  paths_narrow(r.net, &narrow, 1) == 1);
	now += PATHS_IN_USE_NS;
	network_routes_changed(r.net, now);
	now = idle(&r, now);
	CHECK("nobody is", path.opened == 1);
	network_set_resolvers(r.net, &server, 1);
	now = idle(&r, now);
	CHECK("by the resolver", path.opened == 2 &&
				 ip_equal(&path.to, &server.ip) &&
				 paths_narrow(r.net, &narrow, 1) == 1);
	network_set_resolvers(r.net, &server, 1);
	now = idle(&r, now);
	CHECK("known", path.opened == 2);
	path.mute = server.ip;
	now = idle(&r, tunnel_comes(&r, now + PATHS_FRESH_GAP_NS));
	CHECK("the other if one is mute", path.opened == 4 &&
	      paths_narrow(r.net, &narrow, 1) == 1);
	path.takes = 0;
	now = idle(&r, tunnel_comes(&r, now + PATHS_FRESH_GAP_NS));
	CHECK("each once", path.opened == 6);
	rig_end(&r, "fresh");
}

static void check_churn(void)
{
	struct rig r = start(1500, 1400);
	uint64_t now = tunnel_comes(&r, RIG_START_NS);

	for (unsigned i = 0; i < 100; i++) {
		now += PATHS_SETTLE_NS / 2;
		network_timers(r.net, now);
		network_routes_changed(r.net, now);
	}
	CHECK("it has to settle", path.opened == 0);
	for (unsigned i = 0; i < 100; i++) {
		now += PATHS_FRESH_GAP_NS / 5;
		network_timers(r.net, now);
		network_routes_changed(r.net, now);
	}
	CHECK("not for each change", path.opened > 10 && path.opened <= 20);
	idle(&r, now);
	rig_end(&r, "churn");
}

/* A connection to four that is as the test says. */
static struct tcp *waiter(struct rig *r, uint16_t port, uint32_t waits,
			  bool gap)
{
	const struct flow_key key = {
		.guest_ip = r->fake->setup.guest4, .guest_port = port,
		.peer_ip = four, .peer_port = 80, .kind = FLOW_TCP,
	};
	struct tcp *t = (struct tcp *)(void *)flow_alloc(&r->net->p.flows,
							  &key);

	t->phase = TCP_ESTABLISHED;
	t->host = &r->net->p.env.ops->tcp;
	t->host_ctx = r->fake;
	t->host_id = fake_accept(r->fake);
	r->fake->sock[t->host_id].waits = waits;
	r->fake->sock[t->host_id].gap = gap;
	return t;
}

static unsigned connections(const struct rig *r)
{
	struct network_stats st;

	network_get_stats(r->net, &st);
	return st.flows_tcp;
}

/* The guest says something, and so its connections are looked at. */
static uint64_t looked_at(struct rig *r, uint64_t now)
{
	r->net->bytes_from_guest++;
	network_turn_end(r->net, now);
	for (unsigned i = 0; i < 5; i++) {
		now += PATHS_LOOK_NS;
		network_timers(r->net, now);
		now = settle(r, now);
	}
	return now;
}

static const struct {
	const char *name;
	unsigned takes;
	uint32_t waits;
	bool gap, says;
	uint16_t limit;			/* in the end */
	bool reset;
	unsigned probes;
} waiting[] = {
	{ "waits in a hole", 1400, 1500, true, false, 1400, true, 1 },
	{ "with an option less", 1400, 1488, true, false, 1400, true, 1 },
	{ "perhaps for something else", 1400, 1500, false, false, 1400,
	  false, 1 },
	{ "on a whole path", 1500, 1500, true, false, 0, false, 1 },
	{ "on one that says what it takes", 1400, 1500, true, true, 0, false,
	  1 },
	{ "where segments are clamped", 1400, 1400, true, false, 0, false, 1 },
	{ "where they are smallest", 1400, 1280, true, false, 0, false, 0 },
	{ "not at all", 1400, 0, true, false, 0, false, 0 },
};

static void check_waiting(size_t i)
{
	const char *name = waiting[i].name;
	struct rig r = start(1500, waiting[i].takes);

	path.says = waiting[i].says;
	r.fake->path.tunnel = false;
	waiter(&r, FAKE_PORT, waiting[i].waits, waiting[i].gap);
	looked_at(&r, RIG_START_NS);
	CHECK(name, connections(&r) == !waiting[i].reset);
	CHECK(name, path.opened == waiting[i].probes);
	CHECK(name, paths_limit(r.net, &four) == waiting[i].limit);
	rig_end(&r, name);
}

/* Once it is known, for those that wait as they were not held to it. */
static void check_waits_later(void)
{
	struct rig r = start(1500, 1400);
	uint64_t now;

	r.fake->path.tunnel = false;
	waiter(&r, FAKE_PORT, 1500, true);
	now = looked_at(&r, RIG_START_NS);
	waiter(&r, FAKE_PORT, 1500, true);
	waiter(&r, FAKE_PORT + 1, 1400, true);
	waiter(&r, FAKE_PORT + 2, 1500, false);
	now = looked_at(&r, now);
	CHECK("one of them, without a probe", connections(&r) == 2 &&
					      path.opened == 1);
	path.takes = 0;
	network_routes_changed(r.net, now);
	looked_at(&r, now);
	CHECK("mute: asked once", connections(&r) == 2 && path.opened == 2);
	rig_end(&r, "waits later");
}

static void check_no_tunnel(void)
{
	struct rig r = start(1500, 1400);

	r.fake->path.tunnel = false;
	CHECK("believed", paths_mss(r.net, &four) == 0 &&
			  paths_limit(r.net, &six) == 0 && !path.opened);
	r.fake->path.tunnel = true;
	CHECK("the host itself", paths_mss(r.net, &(struct ip){
		.b = { [15] = 1 } }) == 0 && !path.opened);
	rig_end(&r, "no tunnel");
}

void test_network_paths(void);
void test_network_paths(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_case(i, &four);
		check_case(i, &six);
	}
	check_known();
	check_mute();
	check_forbidden();
	check_cut();
	check_fresh();
	check_churn();
	for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++)
		check_waiting(i);
	check_waits_later();
	check_no_tunnel();
}
