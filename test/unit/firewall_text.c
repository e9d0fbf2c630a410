/* SPDX-License-Identifier: MIT */
/* test/unit/firewall_text.c - links firewall and base. */
#include "firewall_set.h"

#define MIN "action = block\ndirection = out\n"

/* What must be refused, and the whole of the first error. */
static const struct {
	const char *name, *text, *says;
} bad[] = {
	{ "unknown key", "[rule a]\nacton = block\n",
	  "2:1: acton: no such key; did you mean action?" },
	{ "unknown key, nothing near", "[rule a]\n  frobnicate = 1\n",
	  "2:3: frobnicate: no such key; give a key of" },
	{ "PowerShell's key", "[rule a]\nlocalPorts = 1\n",
	  "2:1: localPorts: no such key; did you mean localPort?" },
	{ "action", "[rule a]\naction = alow\n",
	  "2:10: alow: no such value; did you mean allow?" },
	{ "direction", "[rule a]\naction=block\ndirection = sideways\n",
	  "3:13: sideways: no such value; give in or out" },
	{ "twice", "[rule a]\naction = block\naction = allow\n",
	  "3:1: action: given twice; give it once" },
	{ "no action", "#\n[rule a]\ndirection = in\n",
	  "2:1: a: no action; give action = allow or block" },
	{ "no direction", "[rule a]\naction = block\n",
	  "1:1: a: no direction" },
	{ "enabled", "[rule a]\n" MIN "enabled = perhaps\n",
	  "4:11: perhaps: no such value; give true or false" },
	{ "profile", "[rule a]\n" MIN "profile = private, pubic\n",
	  "4:20: pubic: no such value; did you mean public?" },
	{ "protocol", "[rule a]\n" MIN "protocol = 256\n",
	  "4:12: 256: no such value; give tcp, udp, icmp" },
	{ "port", "[rule a]\n" MIN "remotePort = 80, 65536\n",
	  "4:18: 65536: no port; give 0 to 65535" },
	{ "ports backwards", "[rule a]\n" MIN "remotePort = 90-80\n",
	  "4:14: 90-80: no port" },
	{ "port word", "[rule a]\n" MIN "localPort = RCP\n",
	  "4:13: RCP: no port; did you mean RPC?" },
	{ "empty port", "[rule a]\n" MIN "localPort = 1,,2\n",
	  "4:15: no port" },
	{ "no value", "[rule a]\n" MIN "localPort =\n", "4:12: no port" },
	{ "ports of icmp", "[rule a]\n" MIN "protocol = icmp\nlocalPort=1\n",
	  "1:1: a: ports of a protocol that has none" },
	{ "types of tcp", "[rule a]\n" MIN "protocol = tcp\nicmpType=8\n",
	  "1:1: a: ICMP types of a protocol" },
	{ "type", "[rule a]\n" MIN "protocol = icmp\nicmpType=8:256\n",
	  "5:10: 8:256: no ICMP type" },
	{ "address", "[rule a]\n" MIN "localAddress = 10.0.0.256\n",
	  "4:16: 10.0.0.256: no address" },
	{ "bits behind", "[rule a]\n" MIN "remoteAddress = 10.0.0.1/8\n",
	  "4:17: 10.0.0.1/8: no address" },
	{ "mask with holes",
	  "[rule a]\n" MIN "remoteAddress = 10.0.0.0/255.0.255.0\n",
	  "4:17: 10.0.0.0/255.0.255.0: no address" },
	{ "range backwards",
	  "[rule a]\n" MIN "remoteAddress = 10.0.0.2-10.0.0.1\n", "4:17:" },
	{ "no address and no name",
	  "[rule a]\n" MIN "remoteAddress = 10.0.0.256\n",
	  "4:17: 10.0.0.256: no address" },
	{ "range of both",
	  "[rule a]\n" MIN "remoteAddress = 10.0.0.2-::5\n", "4:17:" },
	{ "address word", "[rule a]\n" MIN "remoteAddress = LocalSubnt\n",
	  "4:17: LocalSubnt: no address; did you mean LocalSubnet?" },
	{ "local name", "[rule a]\n" MIN "localAddress = a.test\n",
	  "4:16: a.test: no address" },
	{ "star within", "[rule a]\n" MIN "remoteAddress = a.*.test\n",
	  "4:17: a.*.test: no address" },
	{ "names of what comes in",
	  "[rule a]\naction=allow\ndirection=in\nremoteAddress=a.test\n",
	  "1:1: a: names of the remote end" },
	{ "exceptions of an allow",
	  "[rule a]\naction=allow\ndirection=in\nexcept = guest web\n",
	  "1:1: a: exceptions from what is no block" },
	{ "exception", "[rule a]\n" MIN "except = gest web\n",
	  "4:10: gest web: no address" },
	{ "exception without a name", "[rule a]\n" MIN "except = guest\n",
	  "4:15: an empty word" },
	{ "quote without end", "[rule a]\n" MIN "guest = \"web\n",
	  "4:9: \"web: a quote without its end" },
	{ "escaped end", "[rule a]\n" MIN "guest = \"web\\\"\n", "4:9:" },
	{ "behind a quote", "[rule a]\n" MIN "guest = \"web\" b\n",
	  "4:15: b: something behind a quoted word; give a comma" },
	{ "escape", "[rule a]\n" MIN "guest = \"a\\q\"\n",
	  "4:10: a\\q: not an escape" },
	{ "escaped NUL", "[rule a]\n" MIN "guest = \"a\\x00b\"\n", "4:10:" },
	{ "cut escape", "[rule a]\n" MIN "guest = \"a\\x4\"\n", "4:10:" },
	{ "no section", "action = block\n",
	  "1:1: action: a key before any section; give [rule NAME]" },
	{ "other section", "[network]\n", "1:1: [network]: no section of" },
	{ "open section", "[rule a\n", "1:1: [rule a: no section of rules" },
	{ "no key", "[rule a]\n\tblock\n", "2:2: block: no key" },
	{ "section, quote", "[rule \"a]\n", "1:7:" },
};

struct errors {
	unsigned n;
	char first[TEXT_ERROR_BYTES];
};

static void take_error(void *ctx, const struct text_error *e)
{
	struct errors *errors = ctx;

	if (!errors->n++)
		text_error_format(e, errors->first);
}

static void check_bad(void)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct errors e = { 0 };
		const struct text_sink sink = { take_error, &e };
		struct rules set;

		CHECK(bad[i].name, set_read(&set, bad[i].text, &sink) > 0);
		CHECK(bad[i].name, set.used.rules == 0);
		if (strncmp(e.first, bad[i].says, strlen(bad[i].says))) {
			fprintf(stderr, "%s\n", e.first);
			CHECK(bad[i].name, false);
		}
		free(set.rule);
	}
}

/* What is printed is what was read, if it is written in the shortest way. */
static const char *const same[] = {
	"[rule a]\naction = block\ndirection = out\n",
	"[rule no web]\naction = allow\ndirection = in\nenabled = false\n"
	"profile = domain, public\nprotocol = tcp\n"
	"localPort = 80, 8000-8010, RPC, mDNS\nremotePort = 1024-65535\n",
	"[rule ping]\naction = block\ndirection = in\nprotocol = icmpv6\n"
	"icmpType = 128:0, 1:*\n",
	"[rule \"a\\x5d, \\\"b\\\"\\x0a\"]\naction = bypass\ndirection = in\n"
	"protocol = 47\n",
	"[rule addresses]\naction = block\ndirection = out\n"
	"localAddress = 0.0.0.0/0, ::/0, 10.1.2.3, LocalSubnet6\n"
	"remoteAddress = *.debian.org, nas., *, 10.0.0.0/8, "
	"10.0.0.1-10.0.0.9, 2001:db8::/32, ::1, Gateway, IntErnet4\n"
	"network = default, lab\nguest = \"a,b\"\n"
	"program = /usr/bin/python3, C:\\Windows\\x.exe\n"
	"except = guest \"a b,c\", network lab, 10.0.0.0/8, LocalSubnet\n"
	"id = {8-4}\ngroup = @FirewallAPI.dll,-25000\n"
	"description = \"one\\x3b two\"\n"
	"windows = Svc=DiagTrack, Edge=TRUE\n",
};

static void check_same(void)
{
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct errors e = { 0 };
		const struct text_sink sink = { take_error, &e };
		char text[2048], cut[9] = "12345678";
		struct rules set;
		size_t n;

		CHECK(same[i], set_read(&set, same[i], &sink) == 0);
		CHECK(e.first, set.used.rules == 1);
		if (set.used.rules != 1)
			continue;
		n = text_print(&set, &set.rule[0], text, sizeof(text));
		/* a comma needs no quotes where the value is no list */
		if (i == 4)
			CHECK(text, strstr(text, "\"@FirewallAPI.dll,-25000"));
		else
			CHECK(text, !strcmp(text, same[i]));
		CHECK("length", n == strlen(text));
		CHECK("cut", text_print(&set, &set.rule[0], cut, 8) == n);
		CHECK("cut", !memcmp(cut, "[rule \0\0", 7) || cut[7] == '\0');
		CHECK("cut", !strncmp(cut, text, 7) && cut[8] == '\0');
		free(set.rule);
	}
}

/* Every error is told, and the rules without one are read. */
static void check_several(void)
{
	static const char text[] =
		"\xef\xbb\xbf; ours\r\n"
		"[rule one]\r\naction = block\r\nDirection = OUT\r\n"
		"[rule two]\naction = blok\nprotocol = tpc\ndirection = in\n"
		"[rule three]\naction = allow\ndirection = in\n"
		"remoteAddress = 10.0.0.0/255.0.0.0\n"
		"remoteAddress = 192.0.2.1\n# the end";
	struct errors e = { 0 };
	const struct text_sink sink = { take_error, &e };
	const struct rule_item *i;
	struct rules set;

	CHECK("two errors", set_read(&set, text, &sink) == 2 && e.n == 2);
	CHECK("first", !strncmp(e.first, "6:10: blok", 10));
	CHECK("two rules", set.used.rules == 2);
	CHECK("found", rules_find(&set, "three") == 1);
	CHECK("not found", rules_find(&set, "two") == 2);
	i = rule_first(&set, &set.rule[1], RULE_REMOTE);
	CHECK("lists go on", i && (i = rule_next(&set, i)) &&
	      !rule_next(&set, i));
	free(set.rule);
}

/* The words of a command; and a set that is full says so. */
static void check_words(void)
{
	struct text_draft d;
	struct text_error e;
	struct rules set;

	set_open(&set, (struct rules_size){ 1, 1, 8 });
	text_begin(&d);
	CHECK("word", text_take(&set, &d, view_of("action"),
				view_of("block"), &e));
	CHECK("word", text_take(&set, &d, view_of("direction"),
				view_of("in"), &e));
	CHECK("word", text_take(&set, &d, view_of("localport"),
				view_of(" 22"), &e));
	CHECK("full", !text_take(&set, &d, view_of("localPort"),
				 view_of("23"), &e));
	CHECK("full", !strcmp(e.what, "no room for it"));
	CHECK("full", !text_take(&set, &d, view_of("group"),
				 view_of("123456789"), &e));
	CHECK("column", !text_take(&set, &d, view_of("localPort"),
				   view_of("  x"), &e) && e.column == 3);
	CHECK("end", text_end(&set, &d, &e) && set.used.rules == 1);
	CHECK("full", !text_end(&set, &d, &e));
	free(set.rule);
}

/* Lines of a megabyte, and 100,000 rules. */
static void check_long(void)
{
	const size_t line = 1 << 20, n = 100000;
	static const char rule[] = "[rule a]\n" MIN "localPort = 1, 2\n";
	char *text = malloc(n * (sizeof(rule) - 1) + line + 64), *s = text;
	struct rules set;

	if (!text)
		abort();
	s += sprintf(s, "[rule a]\n" MIN "localPort = 1");
	for (size_t i = 0; i < line / 2; i++)
		s += sprintf(s, ",1");
	*s = '\0';
	CHECK("a long line", set_read(&set, text, NULL) == 0);
	CHECK("all of it", set.used.items == line / 2 + 1);
	free(set.rule);

	s = text;
	for (size_t i = 0; i < n; i++)
		s += sprintf(s, "%s", rule);
	CHECK("many", set_read(&set, text, NULL) == 0);
	CHECK("many", set.used.rules == n && set.used.items == 2 * n);
	free(set.rule);
	free(text);
}

/* A rule in another set, and in one that lacks a little room. */
static void check_copy(void)
{
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct rules a, b, c;
		struct rules_size need;
		struct rule r;

		CHECK(same[i], set_read(&a, same[i], NULL) == 0);
		need = rules_needed(&a);
		set_open(&b, need);
		CHECK(same[i], rules_copy(&b, &a, &a.rule[0], &r) &&
			       rules_add(&b, &r));
		CHECK(same[i], rule_equal(&a, &a.rule[0], &b, &b.rule[0]));
		CHECK("nothing to spare", b.used.items == b.max.items &&
					  b.used.text_bytes == b.max.text_bytes);
		rules_adopt(&c, b.rule, &need);
		CHECK(same[i], rule_equal(&a, &a.rule[0], &c, &c.rule[0]));
		free(b.rule);
		if (need.items)
			need.items--;
		else
			need.text_bytes--;
		set_open(&b, need);
		CHECK(same[i], !rules_copy(&b, &a, &a.rule[0], &r));
		CHECK("as it was", !b.used.items && b.used.text_bytes == 1);
		free(b.rule);
		free(a.rule);
	}
}

/* Every byte comes back. */
static void check_word(void)
{
	char in[256], out[1100], small[8], text[1200];
	struct rules set;
	size_t n;

	for (unsigned i = 0; i < 255; i++)
		in[i] = (char)(i + 1);
	in[255] = '\0';
	n = text_word(in, out, sizeof(out));
	CHECK("length", n == strlen(out));
	CHECK("cut", text_word(in, small, sizeof(small)) == n &&
		     strlen(small) == 7);
	snprintf(text, sizeof(text), "[rule %s]\n" MIN, out);
	CHECK("read", set_read(&set, text, NULL) == 0);
	CHECK("same", !strcmp(set.text + set.rule[0].name, in));
	free(set.rule);
}

void test_firewall_text(void);
void test_firewall_text(void)
{
	check_bad();
	check_same();
	check_several();
	check_words();
	check_long();
	check_copy();
	check_word();
}
