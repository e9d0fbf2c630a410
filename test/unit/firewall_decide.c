/* SPDX-License-Identifier: MIT */
/* test/unit/firewall_decide.c - links firewall and base. */
#include "firewall_rig.h"

#define IN "direction = in\n"
#define OUT "direction = out\n"
#define BLOCK "[rule b]\naction = block\n"
#define ALLOW "[rule a]\naction = allow\n"

/* A flow from the guest 172.20.0.2 to port 8000 of the gateway, and so on. */
static const struct {
	const char *name, *rules;
	enum rule_profile profile;
	enum rule_direction direction;
	const char *local, *remote;
	uint16_t port;			/* in: local; out: remote */
	const char *guest, *program, *dns;
	bool allow;
	enum firewall_reason reason;
	uint32_t rule;
	bool unsure;
} cases[] = {
#define NET_IN RULE_IN, "172.20.0.1", "172.20.0.2"
#define NET_OUT RULE_OUT, "172.20.0.2", "192.0.2.1"
#define NO FIREWALL_NO_RULE
	{ "private, in", "", RULE_PRIVATE, NET_IN, 8000, "web", NULL, NULL,
	  true, BY_DEFAULT, NO },
	{ "domain, in", "", RULE_DOMAIN, NET_IN, 8000, "web", NULL, NULL,
	  true, BY_DEFAULT, NO },
	{ "public, in", "", RULE_PUBLIC, NET_IN, 8000, "web", NULL, NULL,
	  false, BY_DEFAULT, NO },
	{ "public, out", "", RULE_PUBLIC, NET_OUT, 443, "web", NULL, NULL,
	  true, BY_DEFAULT, NO },
	{ "block beats allow", ALLOW IN BLOCK IN, RULE_PRIVATE, NET_IN, 8000,
	  "web", NULL, NULL, false, BY_BLOCK, 1 },
	{ "allow beats the default", ALLOW IN "localPort = 8000\n",
	  RULE_PUBLIC, NET_IN, 8000, "web", NULL, NULL, true, BY_ALLOW, 0 },
	{ "another port", ALLOW IN "localPort = 8000\n", RULE_PUBLIC, NET_IN,
	  8001, "web", NULL, NULL, false, BY_DEFAULT, NO },
	{ "another direction", BLOCK OUT, RULE_PRIVATE, NET_IN, 8000, "web",
	  NULL, NULL, true, BY_DEFAULT, NO },
	{ "another profile", BLOCK IN "profile = public\n", RULE_PRIVATE,
	  NET_IN, 8000, "web", NULL, NULL, true, BY_DEFAULT, NO },
	{ "another network", BLOCK IN "network = lab\n", RULE_PRIVATE, NET_IN,
	  8000, "web", NULL, NULL, true, BY_DEFAULT, NO },
	{ "this network", BLOCK IN "network = lab, default\n", RULE_PRIVATE,
	  NET_IN, 8000, "web", NULL, NULL, false, BY_BLOCK, 0 },
	{ "off", BLOCK IN "enabled = no\n", RULE_PRIVATE, NET_IN, 8000, "web",
	  NULL, NULL, true, BY_DEFAULT, NO },
	{ "bypass", BLOCK IN "[rule y]\naction = bypass\n" IN, RULE_PRIVATE,
	  NET_IN, 8000, "web", NULL, NULL, false, BY_BLOCK, 0 },
	{ "excepted guest", BLOCK IN "except = guest web\n", RULE_PRIVATE,
	  NET_IN, 8000, "web", NULL, NULL, true, BY_DEFAULT, NO },
	{ "another guest", BLOCK IN "except = guest web\n", RULE_PRIVATE,
	  NET_IN, 8000, "db", NULL, NULL, false, BY_BLOCK, 0 },
	{ "excepted address", BLOCK IN "except = 172.20.0.2\n", RULE_PRIVATE,
	  NET_IN, 8000, "web", NULL, NULL, true, BY_DEFAULT, NO },
	{ "excepted, of the guest's own", BLOCK OUT "except = 172.20.0.2\n",
	  RULE_PRIVATE, NET_OUT, 443, "web", NULL, NULL, true, BY_DEFAULT,
	  NO },
	{ "excepted network", BLOCK IN "except = network default\n",
	  RULE_PRIVATE, NET_IN, 8000, "web", NULL, NULL, true, BY_DEFAULT,
	  NO },
	{ "an exception leaves the default", BLOCK IN "except = guest web\n",
	  RULE_PUBLIC, NET_IN, 8000, "web", NULL, NULL, false, BY_DEFAULT,
	  NO },
	{ "program", BLOCK IN "program = /usr/bin/python3\n", RULE_PRIVATE,
	  NET_IN, 8000, "web", "/usr/bin/python3", NULL, false, BY_BLOCK, 0 },
	{ "another program", BLOCK IN "program = /usr/bin/python3\n",
	  RULE_PRIVATE, NET_IN, 8000, "web", "/usr/bin/python", NULL, true,
	  BY_DEFAULT, NO },
	{ "unknown program", BLOCK IN "program = /usr/bin/python3\n",
	  RULE_PRIVATE, NET_IN, 8000, "web", NULL, NULL, true, BY_DEFAULT, NO,
	  true },
	{ "unknown, but of another system", BLOCK IN "program = C:\\x.exe\n",
	  RULE_PRIVATE, NET_IN, 8000, "web", NULL, NULL, true, BY_DEFAULT, NO },
	{ "unknown, of either", BLOCK IN "program = C:\\x.exe, /p\n",
	  RULE_PRIVATE, NET_IN, 8000, "web", NULL, NULL, true, BY_DEFAULT, NO,
	  true },
	{ "unknown, and no matter", BLOCK IN BLOCK IN "program = /p\n",
	  RULE_PRIVATE, NET_IN, 8000, "web", NULL, NULL, false, BY_BLOCK, 0 },
	{ "the network's own", ALLOW IN "remoteAddress = LocalSubnet\n",
	  RULE_PUBLIC, NET_IN, 8000, "web", NULL, NULL, true, BY_ALLOW, 0 },
	{ "the gateway", BLOCK IN "localAddress = Gateway6\n"
	  BLOCK IN "localAddress = Gateway\n", RULE_PRIVATE, NET_IN, 8000,
	  "web", NULL, NULL, false, BY_BLOCK, 1 },
	{ "name", BLOCK OUT "remoteAddress = *.a.test\n", RULE_PRIVATE,
	  NET_OUT, 443, "web", NULL, "x.y.a.test", false, BY_BLOCK, 0 },
	{ "not below the name", BLOCK OUT "remoteAddress = *.a.test\n",
	  RULE_PRIVATE, NET_OUT, 443, "web", NULL, "a.test", true, BY_DEFAULT,
	  NO },
	{ "name or address",
	  BLOCK OUT "remoteAddress = *.a.test, 192.0.2.0/24\n", RULE_PRIVATE,
	  NET_OUT, 443, "web", NULL, NULL, false, BY_BLOCK, 0 },
	{ "a word for nothing", ALLOW IN "localPort = RPC\n", RULE_PUBLIC,
	  NET_IN, 8000, "web", NULL, NULL, false, BY_DEFAULT, NO },
	{ "a service of Windows'", BLOCK IN "windows = Svc=Dnscache\n",
	  RULE_PRIVATE, NET_IN, 8000, "web", NULL, NULL, true, BY_DEFAULT,
	  NO },
	{ "an unknown field, block", BLOCK IN "windows = New=1\n",
	  RULE_PRIVATE, NET_IN, 8000, "web", NULL, NULL, false, BY_BLOCK, 0 },
	{ "an unknown field, allow", ALLOW IN "windows = New=1\n",
	  RULE_PUBLIC, NET_IN, 8000, "web", NULL, NULL, false, BY_DEFAULT,
	  NO },
	{ "IPv6 is not in 0/0", BLOCK OUT "remoteAddress = ::/0\n",
	  RULE_PRIVATE, NET_OUT, 443, "web", NULL, NULL, true, BY_DEFAULT,
	  NO },
};

static struct firewall_flow flow_of(size_t i, const char *const *dns)
{
	struct firewall_flow f = {
		.direction = cases[i].direction, .protocol = RULE_TCP,
		.local = { ip_of(cases[i].local), 40000 },
		.remote = { ip_of(cases[i].remote), 40000 },
		.guest = cases[i].guest, .program = cases[i].program,
		.names = dns, .n_names = cases[i].dns != NULL,
	};

	if (f.direction == RULE_IN)
		f.local.port = cases[i].port;
	else
		f.remote.port = cases[i].port;
	return f;
}

static void check_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct firewall_net net = rig_net(cases[i].profile);
		const struct firewall_flow f = flow_of(i, &cases[i].dns);
		const char *name = cases[i].name;
		struct firewall_verdict v;
		struct firewall *fw;
		struct rules set;

		CHECK(name, set_read(&set, cases[i].rules, NULL) == 0);
		fw = rig_compile(&set, &net);
		v = firewall_decide(fw, &f);
		CHECK(name, v.allow == cases[i].allow);
		CHECK(name, v.reason == cases[i].reason);
		CHECK(name, v.rule == cases[i].rule);
		CHECK(name, (v.unsure != NO) == cases[i].unsure);
		free(fw);
		free(set.rule);
	}
}

static void check_asks(void)
{
	static const struct {
		const char *name, *rules;
		bool want;
	} sets[] = {
		{ "no rule", "", false },
		{ "no program", BLOCK IN ALLOW OUT, false },
		{ "one", BLOCK IN ALLOW OUT "program = /p\n", true },
		{ "one that is off", BLOCK IN "program = /p\nenabled = no\n",
		  false },
		{ "of another system", BLOCK IN "program = C:\\x.exe\n",
		  false },
	};
	struct rules set;

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		CHECK(sets[i].name, set_read(&set, sets[i].rules, NULL) == 0);
		CHECK(sets[i].name, rules_ask_programs(&set) == sets[i].want);
		free(set.rule);
	}
}

/* What `why` needs to say: who lost, and what would change it. */
static void check_why(void)
{
	static const char text[] =
		BLOCK IN "localPort = 8000\n"
		BLOCK IN "localPort = 8000\nexcept = guest web\n"
		ALLOW IN "localPort = 8000\n"
		BLOCK IN "localPort = 1-9000\n"
		BLOCK IN "program = /p\n";
	struct firewall_net net = rig_net(RULE_PUBLIC);
	struct firewall_flow f = { .direction = RULE_IN, .guest = "web",
		.protocol = RULE_TCP,
		.local = { ip_of("172.20.0.1"), 8000 },
		.remote = { ip_of("172.20.0.2"), 40000 } };
	struct firewall_why why;
	struct firewall *fw;
	struct rules set;

	CHECK("why", set_read(&set, text, NULL) == 0);
	fw = rig_compile(&set, &net);
	firewall_explain(fw, &f, &why);
	CHECK("verdict", !why.verdict.allow && why.verdict.rule == 0);
	CHECK("blocks", why.blocks.n == 2 && why.blocks.rule[1] == 3);
	CHECK("loser", why.allows.n == 1 && why.allows.rule[0] == 2);
	CHECK("excepted", why.excepted.n == 1 && why.excepted.rule[0] == 1);
	CHECK("narrowest", why.change == CHANGE_EXCEPT);

	f.local.port = 8001;
	firewall_explain(fw, &f, &why);
	CHECK("and allow", why.verdict.rule == 3 && !why.allows.n &&
	      why.change == CHANGE_EXCEPT_AND_ALLOW);
	f.local.port = 9001;
	firewall_explain(fw, &f, &why);
	CHECK("allow", why.verdict.reason == BY_DEFAULT &&
	      why.change == CHANGE_ALLOW && !why.unsure.n);
	f.origin = FROM_HOST;
	firewall_explain(fw, &f, &why);
	CHECK("block", why.verdict.allow && why.change == CHANGE_BLOCK);
	CHECK("unsure", why.unsure.n == 1 && why.unsure.rule[0] == 4);
	f.origin = FROM_LAN;
	CHECK("LAN", !firewall_decide(fw, &f).allow);
	free(fw);
	free(set.rule);
}

/* Which names may be asked for, where not everything may go out. */
static void check_names(void)
{
	static const char text[] =
		ALLOW OUT "remoteAddress = *.a.test, b.test, 192.0.2.0/24\n"
		ALLOW OUT "remoteAddress = c.test\nguest = db\n"
		BLOCK OUT "remoteAddress = d.test\n";
	static const struct {
		const char *name, *guest;
		bool may;
	} asked[] = {
		{ "x.a.test", "web", true }, { "a.test", "web", false },
		{ "b.test", NULL, true }, { "x.b.test", "web", false },
		{ "c.test", "web", false }, { "c.test", "db", true },
		{ "c.test", NULL, false }, { "d.test", "web", false },
	};
	struct firewall_net net = rig_net(RULE_PRIVATE);
	struct firewall *fw;
	struct rules set;

	net.defaults.out = false;
	CHECK("names", set_read(&set, text, NULL) == 0);
	fw = rig_compile(&set, &net);
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++)
		CHECK(asked[i].name,
		      firewall_name_allowed(fw, asked[i].guest, asked[i].name)
		      == asked[i].may);
	free(fw);
	net.defaults.out = true;
	fw = rig_compile(&set, &net);
	CHECK("all", firewall_name_allowed(fw, NULL, "d.test"));
	free(fw);
	free(set.rule);
}

static const struct {
	const char *name, *rules;	/* what becomes of the last one */
	enum firewall_finding finding;
	uint32_t by;
} findings[] = {
	{ "works", BLOCK IN "localPort = 80\n" ALLOW IN, RULE_WORKS, 0 },
	{ "shadowed", BLOCK IN ALLOW IN "localPort = 80\n", RULE_SHADOWED, 0 },
	{ "by the second", BLOCK OUT BLOCK IN "localPort = 1-90\n"
	  ALLOW IN "localPort = 80, 85-90\n", RULE_SHADOWED, 1 },
	{ "not all of it", BLOCK IN "localPort = 1-90\n"
	  ALLOW IN "localPort = 80, 91\n", RULE_WORKS, 0 },
	{ "joined ranges", BLOCK IN "localPort = 1-40, 41-90\n"
	  ALLOW IN "localPort = 30-50\n", RULE_SHADOWED, 0 },
	{ "an exception", BLOCK IN "except = guest x\n" ALLOW IN, RULE_WORKS,
	  0 },
	{ "names", BLOCK OUT "remoteAddress = *.test\n"
	  ALLOW OUT "remoteAddress = *.a.test, b.test\n", RULE_SHADOWED, 0 },
	{ "other names", BLOCK OUT "remoteAddress = a.test\n"
	  ALLOW OUT "remoteAddress = *.a.test\n", RULE_WORKS, 0 },
	{ "the name itself", BLOCK OUT "remoteAddress = *.a.test\n"
	  ALLOW OUT "remoteAddress = *.a.test, a.test\n", RULE_WORKS, 0 },
	{ "name and address", BLOCK OUT "remoteAddress = *\n"
	  ALLOW OUT "remoteAddress = a.test, 192.0.2.1\n", RULE_WORKS, 0 },
	{ "program", BLOCK IN "program = /a, /b\n" ALLOW IN "program = /b\n",
	  RULE_SHADOWED, 0 },
	{ "guests", BLOCK IN "guest = a\n" ALLOW IN "guest = a, b\n",
	  RULE_WORKS, 0 },
	{ "wider protocol", BLOCK IN "protocol = tcp\n" ALLOW IN, RULE_WORKS,
	  0 },
	{ "off", ALLOW IN "enabled = no\n", RULE_OFF, 0 },
	{ "elsewhere", ALLOW IN "profile = public\n", RULE_ELSEWHERE, 0 },
	{ "network", ALLOW IN "network = lab\n", RULE_ELSEWHERE, 0 },
	{ "words for nothing", ALLOW IN "localPort = RPC, Teredo\n",
	  RULE_NEVER, 0 },
	{ "two families", BLOCK IN "localAddress = 10.0.0.1\n"
	  "remoteAddress = ::2\n", RULE_NEVER, 0 },
	{ "a package", BLOCK OUT "windows = AppPkgId=S-1-15-2-1\n",
	  RULE_NEVER, 0 },
	{ "bypass", "[rule y]\naction = bypass\n" IN, RULE_NEVER, 0 },
	{ "programs of another system", BLOCK IN "program = C:\\x.exe\n",
	  RULE_NEVER, 0 },
	{ "another link", BLOCK IN "windows = IFType=Wireless\n", RULE_NEVER,
	  0 },
	{ "our link too", BLOCK IN
	  "windows = IFType=Wireless, IFType=Lan\n", RULE_WORKS, 0 },
};

static void check_findings(void)
{
	const struct firewall_net net = rig_net(RULE_PRIVATE);

	for (size_t i = 0; i < sizeof(findings) / sizeof(findings[0]); i++) {
		struct firewall *fw;
		uint32_t by = 0;
		struct rules set;

		CHECK(findings[i].name,
		      set_read(&set, findings[i].rules, NULL) == 0);
		fw = rig_compile(&set, &net);
		CHECK(findings[i].name,
		      firewall_check(fw, set.used.rules - 1, &by) ==
		      findings[i].finding);
		CHECK(findings[i].name, by == findings[i].by);
		free(fw);
		free(set.rule);
	}
}

void test_firewall_decide(void);
void test_firewall_decide(void)
{
	check_cases();
	check_why();
	check_names();
	check_findings();
	check_asks();
}
