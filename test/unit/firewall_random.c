/* SPDX-License-Identifier: MIT */
/*
 * test/unit/firewall_random.c - links firewall and base.
 *
 * Random rules and flows, decided by the index and by a reference that has
 * none: the two must agree. SLIPWAY_FIREWALL_FLOWS says how many flows (a
 * million is half a minute); SLIPWAY_FIREWALL_SEED where to begin.
 */
#include "firewall_rig.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t state;

static uint32_t below(uint32_t n)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) >> 32) % n;
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

/* ---- The reference. ---- */

static bool in(const char *prefix, struct ip ip)
{
	struct prefix p;

	return prefix_parse(prefix, &p) && prefix_has(&p, &ip);
}

static bool is_private(struct ip ip)
{
	return in("10.0.0.0/8", ip) || in("172.16.0.0/12", ip) ||
	       in("192.168.0.0/16", ip) || in("169.254.0.0/16", ip) ||
	       in("fc00::/7", ip) || in("fe80::/10", ip);
}

static bool is_nobody(struct ip ip)
{
	return in("0.0.0.0/8", ip) || in("127.0.0.0/8", ip) ||
	       in("224.0.0.0/3", ip) || in("::/127", ip) || in("ff00::/8", ip);
}

static bool word_has(const struct firewall_net *n, unsigned word, struct ip ip)
{
	const bool local = prefix_has(&n->subnet4, &ip) || (n->v6 &&
		(prefix_has(&n->subnet6, &ip) || in("fe80::/10", ip)));

	switch (word) {
	case ADDR_LOCAL_SUBNET:
		return local;
	case ADDR_DNS: case ADDR_DHCP: case ADDR_GATEWAY:
		return ip_equal(&ip, &n->gateway4) ||
		       (n->v6 && ip_equal(&ip, &n->gateway6));
	case ADDR_INTRANET:
		return is_private(ip);
	case ADDR_REMOTE_INTRANET:
		return is_private(ip) && !local;
	case ADDR_INTERNET:
		return !is_private(ip) && !is_nobody(ip);
	default:
		return false;
	}
}

struct world {
	const struct rules *set;
	const struct firewall_net *net;
	const struct firewall_flow *flow;
};

static bool same(const struct world *w, uint32_t text, const char *s)
{
	return s && !strcmp(w->set->text + text, s);
}

static bool item_holds(const struct world *w, const struct rule_item *i,
		       const struct endpoint *end, const char *text)
{
	const struct firewall_flow *f = w->flow;
	const bool ports = f->protocol == 6 || f->protocol == 17;
	bool named = false;

	switch ((enum rule_item_kind)i->kind) {
	case ITEM_PORTS:
		return ports && end->port >= i->port.first &&
		       end->port <= i->port.last;
	case ITEM_PORT_WORD:
		return ports && port_word_number(i->word) &&
		       end->port == port_word_number(i->word);
	case ITEM_ICMP:
		return f->icmp_type == i->icmp.type &&
		       (i->icmp.code == RULE_ANY_CODE ||
			f->icmp_code == i->icmp.code);
	case ITEM_ADDRS:
		return ip_is4(&end->ip) == ip_is4(&i->addr.first) &&
		       memcmp(&end->ip, &i->addr.first, 16) >= 0 &&
		       memcmp(&end->ip, &i->addr.last, 16) <= 0;
	case ITEM_ADDR_WORD:
		return (i->families & (ip_is4(&end->ip) ? RULE_V4 : RULE_V6))
		       && word_has(w->net, i->word, end->ip);
	case ITEM_NAME:
		for (unsigned k = 0; k < f->n_names; k++)
			named |= rule_name_matches(w->set->text + i->text,
						   f->names[k]);
		return named;
	case ITEM_GUEST:
		return same(w, i->text, f->guest);
	case ITEM_NETWORK:
		return same(w, i->text, w->net->name);
	case ITEM_TEXT:
		return same(w, i->text, text);
	}
	abort();
}

static bool any_holds(const struct world *w, const struct rule *r,
		      enum rule_list list, const struct endpoint *end,
		      const char *text)
{
	const struct rule_item *i = rule_first(w->set, r, list);

	for (; i; i = rule_next(w->set, i))
		if (item_holds(w, i, end, text))
			return true;
	return false;
}

static bool holds(const struct world *w, const struct rule *r,
		  enum rule_list list, const struct endpoint *end,
		  const char *text)
{
	return !r->list[list].first || any_holds(w, r, list, end, text);
}

/* Does the rule match, its exceptions apart and whatever the program? */
static bool matches(const struct world *w, const struct rule *r)
{
	const struct firewall_flow *f = w->flow;

	return r->enabled && !rule_is_inert(w->set, r) &&
	       r->direction == f->direction &&
	       (r->profiles & w->net->profile) &&
	       (r->protocol == RULE_ANY_PROTOCOL ||
		r->protocol == f->protocol) &&
	       holds(w, r, RULE_LOCAL_PORTS, &f->local, NULL) &&
	       holds(w, r, RULE_REMOTE_PORTS, &f->remote, NULL) &&
	       holds(w, r, RULE_ICMP, NULL, NULL) &&
	       holds(w, r, RULE_LOCAL, &f->local, NULL) &&
	       holds(w, r, RULE_REMOTE, &f->remote, NULL) &&
	       holds(w, r, RULE_NETWORKS, NULL, w->net->name) &&
	       holds(w, r, RULE_GUESTS, NULL, f->guest) &&
	       (!f->program || holds(w, r, RULE_PROGRAMS, NULL, f->program));
}

/* The first rule of an action that matches; unsure: for want of a program. */
static uint32_t first(const struct world *w, enum rule_action action,
		      bool unsure)
{
	const struct endpoint *from = w->flow->direction == RULE_IN ?
		&w->flow->remote : &w->flow->local;

	for (uint32_t i = 0; i < w->set->used.rules; i++) {
		const struct rule *r = &w->set->rule[i];
		const bool lacks = r->list[RULE_PROGRAMS].first &&
				   !w->flow->program;

		if (r->action == action && lacks == unsure && matches(w, r) &&
		    !any_holds(w, r, RULE_EXCEPT, from, NULL))
			return i;
	}
	return FIREWALL_NO_RULE;
}

static struct firewall_verdict reference(const struct world *w)
{
	const uint32_t block = first(w, RULE_BLOCK, false);
	const uint32_t allow = first(w, RULE_ALLOW, false);
	const struct firewall_defaults *d = &w->net->defaults;
	const bool in[] = { d->in_from_guest, d->in_from_host, d->in_from_lan };
	struct firewall_verdict v = { .unsure = FIREWALL_NO_RULE };

	if (block != FIREWALL_NO_RULE)
		return (struct firewall_verdict){ .reason = BY_BLOCK,
			.rule = block, .unsure = FIREWALL_NO_RULE };
	v.rule = allow;
	v.reason = allow != FIREWALL_NO_RULE ? BY_ALLOW : BY_DEFAULT;
	v.allow = v.reason == BY_ALLOW || (w->flow->direction == RULE_OUT ?
					   d->out : in[w->flow->origin]);
	v.unsure = first(w, v.allow ? RULE_BLOCK : RULE_ALLOW, true);
	return v;
}

/* ---- Rules and flows that often meet. ---- */

static const char *const addrs[] = {
	"172.20.0.1", "172.20.0.2", "172.20.15.255", "172.21.0.1", "10.0.0.0",
	"10.0.0.255", "192.0.2.1", "127.0.0.1", "255.255.255.255", "0.0.0.0",
	"fd00:1::1", "fd00:1::2", "fd00:2::1", "fe80::1", "2001:db8::1", "::1",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::fffe:ffff:ffff:ffff",
	"::1:0:0:0",
};
static const char *const names[] = {
	"a.test", "b.a.test", "c.b.a.test", "test", "nas", "b.test", "xa.test",
};
static const char *const patterns[] = {
	"*.a.test", "a.test", "*.test", "*", "nas", "*.b.a.test", "b.a.test",
};
static const char *const guests[] = { "web", "db", "Web" };
static const char *const networks[] = { "default", "lab" };
static const char *const programs[] = { "/usr/bin/python3", "/bin/nc", "/p" };
static const char *const kept[] = { "Edge=TRUE", "Svc=Dnscache", "New=1",
				    "IFType=Lan", "IFType=Wireless" };

static bool wide;		/* ports and addresses of any value */

static uint16_t port(void)
{
	static const uint16_t some[] = { 0, 1, 80, 81, 135, 443, 5353, 65535 };

	return wide ? (uint16_t)below(65536) : some[below(N(some))];
}

static struct ip address(void)
{
	struct ip ip = ip_of(addrs[below(N(addrs))]);

	if (wide)
		for (unsigned i = ip_is4(&ip) ? 12 : 0; i < 16; i++)
			ip.b[i] = (uint8_t)below(256);
	return ip;
}

#define PICK(array) (array[below(N(array))])

static void append(struct rules *set, struct rule *r, enum rule_list list,
		   struct rule_item item, const char *text)
{
	if (text && !rules_text(set, view_of(text), &item.text))
		abort();
	if (!rules_append(set, r, list, &item))
		abort();
}

static void add_ports(struct rules *set, struct rule *r, enum rule_list list)
{
	const uint16_t a = port(), b = one_in(2) ? a : port();
	const struct rule_item word = { .kind = ITEM_PORT_WORD,
					.word = (uint8_t)below(PORT_WORDS) };
	const struct rule_item item = { .kind = ITEM_PORTS,
		.port = { a < b ? a : b, a < b ? b : a } };

	append(set, r, list, one_in(8) ? word : item, NULL);
}

static void add_address(struct rules *set, struct rule *r, enum rule_list list)
{
	struct rule_item item = { .kind = ITEM_ADDR_WORD,
				  .word = (uint8_t)below(ADDR_WORDS),
				  .families = (uint8_t)(1 + below(3)) };

	if (list == RULE_REMOTE && r->direction == RULE_OUT && one_in(3)) {
		append(set, r, list, (struct rule_item){ .kind = ITEM_NAME },
		       PICK(patterns));
		return;
	}
	if (!one_in(5)) {
		item.kind = ITEM_ADDRS;
		item.addr.first = address();
		do
			item.addr.last = one_in(2) ? item.addr.first :
						     address();
		while (ip_is4(&item.addr.first) != ip_is4(&item.addr.last) ||
		       memcmp(&item.addr.first, &item.addr.last, 16) > 0);
	}
	append(set, r, list, item, NULL);
}

static void add_except(struct rules *set, struct rule *r)
{
	const struct rule_item guest = { .kind = ITEM_GUEST };
	const struct rule_item network = { .kind = ITEM_NETWORK };

	if (one_in(2))
		add_address(set, r, RULE_EXCEPT);
	else if (one_in(2))
		append(set, r, RULE_EXCEPT, guest, PICK(guests));
	else
		append(set, r, RULE_EXCEPT, network, PICK(networks));
}

static void add_lists(struct rules *set, struct rule *r)
{
	const struct rule_item text = { .kind = ITEM_TEXT };
	const bool ports = r->protocol == RULE_TCP ||
			   r->protocol == RULE_UDP ||
			   r->protocol == RULE_ANY_PROTOCOL;

	while (ports && one_in(3))
		add_ports(set, r, RULE_LOCAL_PORTS);
	while (ports && one_in(3))
		add_ports(set, r, RULE_REMOTE_PORTS);
	while (!ports && one_in(2))
		append(set, r, RULE_ICMP, (struct rule_item){
			.kind = ITEM_ICMP, .icmp = { (uint16_t)below(3),
			(uint16_t)(one_in(2) ? RULE_ANY_CODE : below(2)) } },
			NULL);
	while (one_in(3))
		add_address(set, r, RULE_LOCAL);
	while (one_in(2))
		add_address(set, r, RULE_REMOTE);
	while (one_in(8))
		append(set, r, RULE_NETWORKS, text, PICK(networks));
	while (one_in(5))
		append(set, r, RULE_GUESTS, text, PICK(guests));
	while (one_in(4))
		append(set, r, RULE_PROGRAMS, text, PICK(programs));
	while (r->action == RULE_BLOCK && one_in(4))
		add_except(set, r);
	if (one_in(12))
		append(set, r, RULE_KEPT, text, PICK(kept));
}

static void make_rule(struct rules *set)
{
	static const uint16_t protocols[] = { 6, 6, 17, 1, 58, 256, 256 };
	struct rule r;

	rule_init(&r);
	r.action = one_in(30) ? RULE_BYPASS : below(2) ? RULE_ALLOW :
							 RULE_BLOCK;
	r.direction = below(2) ? RULE_IN : RULE_OUT;
	r.enabled = !one_in(10);
	r.profiles = (uint8_t)(one_in(2) ? 7 : 1 + below(7));
	r.protocol = PICK(protocols);
	if (!rules_text(set, view_of("rule"), &r.name))
		abort();
	add_lists(set, &r);
	if (!rules_add(set, &r))
		abort();
}

static void make_flow(struct firewall_flow *f, const char *known[8])
{
	static const uint8_t protocols[] = { 6, 6, 17, 17, 1, 58, 47 };

	*f = (struct firewall_flow){
		.direction = below(2) ? RULE_IN : RULE_OUT,
		.origin = below(3), .protocol = PICK(protocols),
		.icmp_type = (uint8_t)below(3), .icmp_code = (uint8_t)below(2),
		.local = { address(), port() }, .remote = { address(), port() },
		.guest = one_in(3) ? NULL : PICK(guests),
		.program = one_in(2) ? NULL : PICK(programs),
		.names = known,
	};
	if (f->direction == RULE_OUT && one_in(2))
		f->n_names = 1 + below(7);
	for (unsigned i = 0; i < f->n_names; i++)
		known[i] = PICK(names);
	while (ip_is4(&f->local.ip) != ip_is4(&f->remote.ip))
		f->remote.ip = address();
}

/* ---- The comparison. ---- */

static void check_round_trip(const struct rules *set, uint64_t seed)
{
	static char text[65536], again[65536];
	const struct rule *r = &set->rule[below(set->used.rules)];
	const size_t len = text_print(set, r, text, sizeof(text));
	struct rules other;

	CHECK("it fits", len == strlen(text));
	CHECK("it is read", set_read(&other, text, NULL) == 0);
	if (other.used.rules != 1 || !rule_equal(set, r, &other,
						 &other.rule[0])) {
		text_print(&other, &other.rule[0], again, sizeof(again));
		fprintf(stderr, "seed %llu:\n%s---\n%s",
			(unsigned long long)seed, text, again);
		CHECK("round trip", false);
	}
	free(other.rule);
}

static bool contains(const struct firewall_found *f, uint32_t rule)
{
	for (uint32_t i = 0; i < f->n && i < FIREWALL_SHOWN; i++)
		if (f->rule[i] == rule)
			return true;
	return false;
}

static bool same_verdict(struct firewall_verdict a, struct firewall_verdict b)
{
	return a.allow == b.allow && a.reason == b.reason &&
	       a.rule == b.rule && a.unsure == b.unsure;
}

static void check_flow(const struct firewall *fw, const struct world *w,
		       uint64_t seed)
{
	const struct firewall_verdict want = reference(w);
	const struct firewall_verdict got = firewall_decide(fw, w->flow);
	struct firewall_why why;
	uint32_t by;

	firewall_explain(fw, w->flow, &why);
	if (!same_verdict(want, got) || !same_verdict(want, why.verdict)) {
		fprintf(stderr, "seed %llu: want %d %d %u %u, got %d %d %u "
			"%u\n", (unsigned long long)seed, want.allow,
			want.reason, want.rule, want.unsure, got.allow,
			got.reason, got.rule, got.unsure);
		CHECK("as the reference", false);
	}
	CHECK("named", want.reason != BY_BLOCK ||
		       contains(&why.blocks, want.rule));
	CHECK("named", want.reason != BY_ALLOW ||
		       contains(&why.allows, want.rule));
	if (want.rule != FIREWALL_NO_RULE)
		CHECK("what decides is not without effect",
		      firewall_check(fw, want.rule, &by) == RULE_WORKS);
}

static unsigned check_set(uint64_t seed)
{
	struct rules set;
	struct firewall_net net;
	struct firewall *fw;
	unsigned n, flows;

	state = seed;
	wide = one_in(8);
	n = one_in(200) ? 3000 : one_in(10) ? 200 : 1 + below(40);
	flows = 10 + n / 2;
	set_open(&set, (struct rules_size){ n, 200 + n * 60,
					    2000 + n * 900 });
	while (set.used.rules < n)
		make_rule(&set);
	net = rig_net(1u << below(3));
	net.v6 = !one_in(4);
	net.name = PICK(networks);
	net.defaults.out = !one_in(3);
	fw = rig_compile(&set, &net);
	for (unsigned i = 0; i < flows; i++) {
		const char *known[8];
		struct firewall_flow flow;
		const struct world w = { &set, &net, &flow };

		make_flow(&flow, known);
		check_flow(fw, &w, seed);
	}
	check_round_trip(&set, seed);
	free(fw);
	free(set.rule);
	return flows;
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

void test_firewall_random(void);
void test_firewall_random(void)
{
	const uint64_t wanted = number_from("SLIPWAY_FIREWALL_FLOWS", 60000);
	uint64_t seed = number_from("SLIPWAY_FIREWALL_SEED", 1);

	for (uint64_t n = 0; n < wanted; seed++) {
		n += check_set(seed * 7919);
		if (test_failures)
			return;
	}
}
