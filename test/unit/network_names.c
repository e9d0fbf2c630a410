/* SPDX-License-Identifier: MIT */
/* test/unit/network_names.c - names that rules have, before a whole network */
#include "network/names.h"

#include "firewall_rig.h"
#include "network/state.h"
#include "rig.h"
#include "wire/dns.h"

#define SECOND UINT64_C(1000000000)

#define ALLOW	"[rule names]\naction = allow\ndirection = out\n"	\
		"remoteAddress = *.ok.test\n"				\
		"[rule range]\naction = allow\ndirection = out\n"	\
		"remoteAddress = 192.168.7.0/24\n"
#define BLOCK	"[rule bad]\naction = block\ndirection = out\n"		\
		"remoteAddress = *.bad.test\n"
#define HOST	"[rule host]\naction = allow\ndirection = out\n"	\
		"remoteAddress = host.docker.internal\n"
#define CULPRIT	ALLOW "[rule culprit]\naction = block\ndirection = out\n" \
		"remoteAddress = *.ok.test\nprogram = /usr/bin/culprit\n"

enum { NAMES, RANGE };			/* numbers of ALLOW's */

/* An address of the host's, in the range of nobody. */
static const char host_owned[] = "203.0.113.77";

struct names_rig {
	struct rig r;
	struct env_ops ops;
	struct rules set;
	struct firewall *firewall;
};

static enum env_route route(void *ctx, const struct ip *ip)
{
	const struct ip own = ip_of(host_owned);

	(void)ctx;
	return ip_equal(ip, &own) ? ENV_ROUTE_HOST : ENV_ROUTE_WORLD;
}

static struct names_rig *start(const char *rules, bool out)
{
	const struct network_setup setup = fake_setup();
	struct names_rig *n = calloc(1, sizeof(*n));
	struct firewall_net net = rig_net(RULE_PRIVATE);

	if (!n)
		abort();
	n->ops = *fake_ops();
	n->ops.route = route;
	n->r = rig_start_with(&setup, &n->ops);
	net.defaults.out = out;
	net.gateway6 = setup.gateway6;
	CHECK(rules, set_read(&n->set, rules, &(struct text_sink){ 0 }) == 0);
	n->firewall = rig_compile(&n->set, &net);
	network_set_rules(n->r.net, &(struct network_rules){
		.firewall = n->firewall, .generation = 3,
	}, RIG_START_NS);
	return n;
}

static void end(struct names_rig *n, const char *name)
{
	rig_end(&n->r, name);
	free(n->firewall);
	free(n->set.rule);
	free(n);
}

static void pass(struct names_rig *n, uint64_t ns)
{
	network_turn_end(n->r.net, n->r.net->p.now_ns + ns);
}

static void given(struct names_rig *n, const char *name, const char *ip)
{
	const struct dns_answered a = { .name = name, .ip = ip_of(ip),
					.ttl_s = 60 };
	const struct dns_reply_to to = { .guest.ip = n->r.net->setup.guest4 };

	names_answered(n->r.net, &a, &to, (struct handle){ 0 });
}

static struct firewall_verdict decide(struct names_rig *n, const char *ip,
				      bool lives)
{
	const struct network_setup *s = &n->r.net->setup;
	const struct ip to = ip_of(ip);
	const struct firewall_flow f = {
		.direction = RULE_OUT, .protocol = PROTO_TCP,
		.local = { .ip = ip_is4(&to) ? s->guest4 : s->guest6,
			   .port = 40000 },
		.remote = { .ip = to, .port = 443 },
	};

	return names_decide(n->r.net, &f, lives);
}

static bool open_to(struct names_rig *n, const char *ip)
{
	return decide(n, ip, false).allow;
}

/* ---- the gate ---- */

static const struct dns_reply_to from = {
	.guest = { { { [10] = 0xff, 0xff, 172, 20, 0, 2 } }, 5353 },
	.gateway = { { [10] = 0xff, 0xff, 172, 20, 0, 1 } },
};

static enum dns_gate gate(struct names_rig *n, const char *name)
{
	return names_gate(n->r.net, name, &from, (struct handle){ 0 });
}

static void check_gate(void)
{
	struct names_rig *n = start(ALLOW, false);
	const struct network_blocked *b = &n->r.fake->last_blocked;
	char longest[DNS_NAME_TEXT_BYTES];

	CHECK("allowed", gate(n, "www.ok.test") == DNS_MAY_ASK_PLAINLY);
	CHECK("not told", n->r.fake->blocked == 0);
	CHECK("another", gate(n, "ok.test") == DNS_MAY_NOT_ASK);
	CHECK("told", n->r.fake->blocked == 1 && !strcmp(b->name, "ok.test"));
	CHECK("as what it is", b->generation == 3 && b->told && !b->in &&
	      b->rule == BLOCKED_NO_RULE && b->protocol == PROTO_UDP &&
	      b->origin == FROM_GUEST);
	CHECK("from whom", ip_equal(&b->src.ip, &from.guest.ip) &&
			   b->src.port == 5353);
	CHECK("to whom", ip_equal(&b->dst.ip, &from.gateway) &&
			 b->dst.port == 53);
	CHECK("the root", gate(n, "") == DNS_MAY_NOT_ASK &&
			  !strcmp(b->name, "."));
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CHECK("long", gate(n, longest) == DNS_MAY_NOT_ASK);
	CHECK("cut", strlen(b->name) == BLOCKED_NAME_BYTES - 1);
	CHECK("by a stream that is gone",
	      names_gate(n->r.net, "x", NULL, (struct handle){ 5, 5 }) ==
	      DNS_MAY_NOT_ASK && b->protocol == PROTO_TCP);
	for (unsigned i = 0; i < 10000; i++)
		CHECK("many", gate(n, "many.test") == DNS_MAY_NOT_ASK);
	CHECK("are counted", n->r.fake->blocked <= GUARD_TOLD_BURST &&
	      n->r.net->guard.blocked == 10004 &&
	      n->r.net->guard.not_told == 10004 - n->r.fake->blocked);
	end(n, "gate");
}

static void check_gate_open(void)
{
	struct names_rig *n = start(BLOCK, true);
	struct network_rules none = { .off = true };

	CHECK("all go out", gate(n, "www.example") == DNS_MAY_ASK);
	CHECK("one that is blocked, too", gate(n, "x.bad.test") == DNS_MAY_ASK);
	network_set_rules(n->r.net, &none, RIG_START_NS);
	CHECK("off", gate(n, "www.example") == DNS_MAY_ASK);
	none.off = false;
	network_set_rules(n->r.net, &none, RIG_START_NS);
	CHECK("no rules yet", gate(n, "www.example") == DNS_MAY_NOT_ASK);
	end(n, "gate open");
}

/* ---- flows ---- */

static const struct {
	const char *ip;
	bool opens;
} addresses[] = {
	{ "203.0.113.1", true }, { "2001:db8::1", true },
	{ "64:ff9b::203.0.113.1", true },
	{ host_owned, false },		/* the host's own */
	{ "127.0.0.1", false }, { "10.0.0.1", false },
	{ "172.20.0.9", false },	/* the guest's own subnet */
	{ "172.20.0.1", false },	/* the gateway */
	{ "169.254.169.254", false }, { "100.64.0.1", false },
	{ "::1", false }, { "fd01::9", false }, { "fd01::1", false },
	{ "fe80::1", false }, { "64:ff9b::10.0.0.1", false },
	{ "2002:a00:1::1", false },
};

static void check_addresses(void)
{
	struct names_rig *n = start(ALLOW, false);

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		const char *ip = addresses[i].ip;

		CHECK(ip, !open_to(n, ip) && !decide(n, ip, true).allow);
		given(n, "www.ok.test", ip);
		CHECK(ip, open_to(n, ip) == addresses[i].opens);
		CHECK(ip, decide(n, ip, true).allow == addresses[i].opens);
	}
	given(n, "www.other.test", "203.0.113.2");
	CHECK("another name", !open_to(n, "203.0.113.2"));
	given(n, "www.ok.test", "203.0.113.2");
	given(n, "more.other.test", "203.0.113.2");
	CHECK("one of several", decide(n, "203.0.113.2", false).rule == NAMES);
	given(n, "www.ok.test", "192.168.7.1");
	CHECK("by its range", decide(n, "192.168.7.1", false).rule == RANGE);
	CHECK("whether or not", open_to(n, "192.168.7.2"));
	end(n, "addresses");
}

static void check_time(void)
{
	struct names_rig *n = start(ALLOW, false);

	given(n, "www.ok.test", "203.0.113.1");
	pass(n, 599 * SECOND);
	CHECK("nearly ten minutes", open_to(n, "203.0.113.1"));
	pass(n, 1 * SECOND);
	CHECK("no more", !open_to(n, "203.0.113.1"));
	CHECK("what lives", decide(n, "203.0.113.1", true).allow);
	end(n, "time");
}

/* A name shuts what it could not open. */
static void check_block(void)
{
	struct names_rig *n = start(BLOCK, true);

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		const char *ip = addresses[i].ip;

		if (!strcmp(ip, "172.20.0.1") || !strcmp(ip, "fd01::1"))
			continue;	/* it has its own names */
		CHECK(ip, open_to(n, ip));
		given(n, "x.bad.test", ip);
		CHECK(ip, decide(n, ip, false).reason == BY_BLOCK);
	}
	given(n, "x.bad.test", "172.20.0.1");
	CHECK("the gateway", open_to(n, "172.20.0.1"));
	end(n, "block");
}

static void check_host(void)
{
	struct names_rig *n = start(HOST, false);

	CHECK("IPv4", open_to(n, "172.20.0.1"));
	CHECK("IPv6", open_to(n, "fd01::1"));
	CHECK("nobody else", !open_to(n, "172.20.0.3"));
	CHECK("nor", !open_to(n, host_owned));
	end(n, "host");
}

/* Is a program asked for where its rule blocks a name that opens nothing? */
static void check_program(void)
{
	struct names_rig *n = start(CULPRIT, false);
	struct firewall_verdict v;

	given(n, "www.ok.test", "203.0.113.1");
	v = decide(n, "203.0.113.1", false);
	CHECK("the world's", v.allow && v.rule == NAMES && v.unsure == 2);
	given(n, "www.ok.test", "192.168.7.1");
	v = decide(n, "192.168.7.1", false);
	CHECK("private", v.allow && v.rule == RANGE && v.unsure == 2);
	given(n, "www.ok.test", "192.168.8.1");
	v = decide(n, "192.168.8.1", false);
	CHECK("shut anyway", !v.allow && v.unsure == FIREWALL_NO_RULE);
	end(n, "program");
}

void test_network_names(void);
void test_network_names(void)
{
	check_gate();
	check_gate_open();
	check_addresses();
	check_time();
	check_block();
	check_host();
	check_program();
}
