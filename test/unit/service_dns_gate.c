/* SPDX-License-Identifier: MIT */
/* test/unit/service_dns_gate.c - names that may be asked for; dns_play.h. */
#include "dns_play.h"

#define TOLD_MAX 8

/* What the service has asked and said, besides answers. */
struct told {
	struct play *p;
	bool open;			/* every name may be asked for */
	unsigned asked;			/* by the gate, since last looked */
	char name[DNS_NAME_TEXT_BYTES];
	bool by_stream;
	struct dns_reply_to to;
	struct handle owner;
	unsigned n;			/* addresses, likewise */
	struct {
		char name[64];
		struct ip ip;
		uint32_t ttl_s;
		bool early;		/* before the answer went out */
	} at[TOLD_MAX];
};

static struct told told;

/* www.test, and what is below ok.test. */
static enum dns_gate gate(void *ctx, const char *name,
			  const struct dns_reply_to *to, struct handle owner)
{
	const size_t n = strlen(name);

	CHECK("its own", ctx == told.p);
	told.asked++;
	strcpy(told.name, name);
	told.by_stream = !to;
	if (to)
		told.to = *to;
	told.owner = owner;
	if (told.open)
		return DNS_MAY_ASK;
	if (!strcmp(name, "www.test") ||
	    (n > 8 && !strcmp(name + n - 8, ".ok.test")))
		return DNS_MAY_ASK_PLAINLY;
	return DNS_MAY_NOT_ASK;
}

static void answered(void *ctx, const struct dns_answered *what,
		     const struct dns_reply_to *to, struct handle owner)
{
	const struct play *p = ctx;

	(void)to, (void)owner;
	if (told.n < TOLD_MAX) {
		strncpy(told.at[told.n].name, what->name, 63);
		told.at[told.n].ip = what->ip;
		told.at[told.n].ttl_s = what->ttl_s;
		told.at[told.n].early = p->answers == 0;
	}
	told.n++;
}

static struct play *start_gated(size_t servers)
{
	struct play *p = start_with(servers, gate, answered);

	told = (struct told){ .p = p };
	return p;
}

static void look(void)
{
	told.asked = told.n = 0;
}

/* ---- what is refused ---- */

static const struct {
	const char *what, *name;
	uint16_t type;
	bool asked;			/* upstream */
} names[] = {
	{ "allowed", "www.test", DNS_A, true },
	{ "in any case", "wWw.oK.TEST", DNS_A, true },
	{ "below", "a.b.ok.test", DNS_AAAA, true },
	{ "of any type", "x.ok.test", DNS_ANY, true },
	{ "another", "www.example", DNS_A, false },
	{ "its own domain", "ok.test", DNS_A, false },
	{ "with a tail", "www.test.example", DNS_A, false },
	{ "TXT", "secret.example", 16, false },
	{ "HTTPS", "www.example", 65, false },
	{ "ANY", "www.example", DNS_ANY, false },
	{ "the root", "", 2, false },
	{ "an address", "1.113.0.203.in-addr.arpa", DNS_PTR, false },
	{ "of hosts", "printer", DNS_A, false },
	{ "an address of hosts", "7.0.0.10.in-addr.arpa", DNS_PTR, false },
};

static struct hosts give_hosts(struct play *p, void **block)
{
	static const char text[] = "printer\0nas.ok.test";
	const struct hosts_entry entries[] = {
		{ .ip = ip_from_v4(0x0a000007), .name = 0 },
		{ .ip = ip_from_v4(0x0a000009), .name = 8 },
	};
	const size_t bytes = hosts_bytes(2, sizeof(text));
	struct hosts hosts;

	*block = malloc(bytes);
	if (!*block)
		abort();
	hosts_make_table(*block, entries, 2, text, sizeof(text));
	CHECK("a table", hosts_open((struct view){ *block, bytes }, &hosts));
	dns_set_hosts(p->dns, &hosts);
	return hosts;
}

static void check_names(void)
{
	struct play *p = start_gated(1);
	unsigned open = 0, refused = 0;
	struct dns_stats stats;
	void *block;

	give_hosts(p, &block);
	for (uint16_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *what = names[i].what;

		look();
		ask_more(p, names[i].name, names[i].type, (uint16_t)(i + 1),
			 -1);
		CHECK(what, told.asked == 1 && !told.by_stream);
		CHECK(what, told.to.guest.port == i + 1);
		open += names[i].asked;
		refused += !names[i].asked;
		CHECK(what, p->open == open);
		CHECK(what, p->answers == !names[i].asked);
		if (!names[i].asked)
			CHECK(what, rcode_of(p) == DNS_REFUSED && !told.n);
	}
	dns_get_stats(p->dns, &stats);
	CHECK("counted", stats.refused == refused && !stats.failed);
	end(p, "names");
	free(block);
}

/* Who knows EDNS is told why (RFC 8914). */
static void check_reason(void)
{
	static const char why[] = "\0\x0f\0\x26\0\x12"
				  "the firewall's rules do not allow it";
	const size_t n = sizeof(why) - 1;
	struct play *p = start_gated(1);
	uint8_t buf[MESSAGE_BYTES];
	size_t len;

	ask_more(p, "www.example", DNS_A, 1, 0x8000);
	len = question(buf, "www.example", DNS_A, 1, -1);
	CHECK("refused", rcode_of(p) == DNS_REFUSED &&
			 p->len == len + 11 + n && p->answer[11] == 1);
	CHECK("OPT", !memcmp(p->answer + len, "\0\0\x29\x04\xd0\0\0\x80\0", 9));
	CHECK("of that length", p->answer[len + 9] == 0 &&
				p->answer[len + 10] == n);
	CHECK("why", !memcmp(p->answer + len + 11, why, n));
	ask(p, "www.example", 2);
	CHECK("without EDNS", p->len == len && p->answer[11] == 0);
	end(p, "reason");
}

/* What is more than a question could say more than the name. */
static void check_plain(void)
{
	static const char more[] = "\0\0\x01\0\x01\0\0\0\0\0\4" "data";
	struct play *p = start_gated(1);
	const struct dns_reply_to to = { .guest = { .port = 1 } };
	uint8_t buf[MESSAGE_BYTES];
	struct view msg = { .p = buf };

	msg.len = question(buf, "www.test", DNS_A, 1, -1);
	memcpy(buf + msg.len, more, sizeof(more) - 1);
	msg.len += sizeof(more) - 1;
	p->answers = 0;
	dns_udp_query(p->dns, &to, msg);
	CHECK("behind the question", p->answers == 1 && !p->open &&
				     rcode_of(p) == DNS_REFUSED);
	buf[11] = 1;			/* said to be there */
	p->answers = 0;
	dns_udp_query(p->dns, &to, msg);
	CHECK("a record", p->answers == 1 && !p->open &&
			  rcode_of(p) == DNS_REFUSED);
	told.open = true;
	p->answers = 0;
	dns_udp_query(p->dns, &to, msg);
	CHECK("where nothing is shut", p->answers == 0 && p->open == 1);
	end(p, "plain");
}

/* Options of the guest's EDNS stay here; letters are of our own case. */
static void check_no_more_than_the_name(void)
{
	static const char opt[] = "\0\0\x29\x04\xd0\0\0\0\0\0\x08"
				  "\xfd\xe9\0\4data";	/* local use */
	struct play *p = start_gated(1);
	const struct dns_reply_to to = { .guest = { .port = 1 } };
	uint8_t buf[MESSAGE_BYTES];
	struct view msg = { .p = buf };

	msg.len = question(buf, "www.test", DNS_A, 1, -1);
	buf[11] = 1;
	memcpy(buf + msg.len, opt, sizeof(opt) - 1);
	msg.len += sizeof(opt) - 1;
	dns_udp_query(p->dns, &to, msg);
	CHECK("asked", p->open == 1);
	CHECK("an empty OPT", sent(p).len == msg.len - 8 &&
	      !memcmp(sent(p).p + sent(p).len - 2, "\0\0", 2));
	end(p, "no more than the name");
}

/* Our own names are no secret, and no way out. */
static void check_own(void)
{
	static const struct {
		const char *name;
		uint16_t type;
	} own[] = {
		{ "host.slipway.internal", DNS_A },
		{ "host.docker.internal", DNS_A },
		{ "box", DNS_A }, { "box.slipway.internal", DNS_AAAA },
		{ "x.slipway.internal", DNS_A }, { "localhost", DNS_A },
		{ "1.0.20.172.in-addr.arpa", DNS_PTR },
		{ "2.0.20.172.in-addr.arpa", DNS_PTR },
	};
	struct play *p = start_gated(1);

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		ask_more(p, own[i].name, own[i].type, 1, -1);
		CHECK(own[i].name, p->answers == 1 && !p->open &&
				   rcode_of(p) != DNS_REFUSED);
	}
	CHECK("the gate is not asked", !told.asked);
	end(p, "own");
}

static uint8_t rcode_read(const struct play *p)
{
	return p->answer[5] & 15;	/* behind the length of TCP */
}

static void check_stream(void)
{
	const struct handle owner = { .slot = 77, .gen = 5 };
	struct play *p = start_gated(1);
	int id = dns_stream_open(p->dns, (struct handle){ .slot = 1 });
	int id2 = dns_stream_open(p->dns, owner);

	CHECK("put", put(p, id2, "www.example", 1) > 0);
	CHECK("whose", told.by_stream && handle_equal(told.owner, owner));
	CHECK("refused", get(p, id2) > 0 && rcode_read(p) == DNS_REFUSED &&
			 !p->open);
	CHECK("several", put(p, id2, "x.ok.test", 2) > 0 &&
	      put(p, id2, "y.example", 3) > 0 && put(p, id2, "z.test", 4) > 0);
	CHECK("one is asked", p->open == 1 && dns_in_flight(p->dns) == 1);
	CHECK("one", get(p, id2) > 0 && rcode_read(p) == DNS_REFUSED &&
		     p->answer[3] == 3);
	CHECK("the other", get(p, id2) > 0 && rcode_read(p) == DNS_REFUSED &&
			   p->answer[3] == 4);
	dns_stream_ops()->close(p->dns, id, true);
	dns_stream_ops()->close(p->dns, id2, true);
	end(p, "stream");
}

/* What is kept of an answer is behind the gate, too. */
static void check_cache(void)
{
	struct play *p = start_gated(1);

	told.open = true;
	ask(p, "www.example", 1);
	say(p, p->last, &server[0], DNS_NOERROR, 100);
	ask(p, "www.example", 2);
	CHECK("kept", p->answers == 1 && rcode_of(p) == DNS_NOERROR);
	told.open = false;
	ask(p, "www.example", 3);
	CHECK("and shut", p->answers == 1 && rcode_of(p) == DNS_REFUSED);
	end(p, "cache");
}

/* ---- what is told ---- */

static bool was_told(unsigned i, const char *name, const struct ip *ip,
		     uint32_t ttl_s)
{
	return i < told.n && !strcmp(told.at[i].name, name) &&
	       ip_equal(&told.at[i].ip, ip) && told.at[i].ttl_s == ttl_s &&
	       told.at[i].early;
}

static void check_told(void)
{
	const struct ip nas = ip_from_v4(0x0a000009);
	struct play *p = start_gated(1);
	void *block;

	give_hosts(p, &block);
	ask(p, "wWw.test", 1);
	CHECK("not yet", told.n == 0);
	say(p, p->last, &server[0], DNS_NOERROR, 40);
	CHECK("from a server", told.n == 1 &&
			       was_told(0, "www.test", &there, 40));
	look();
	pass(p, 10 * SECOND);
	ask(p, "www.test", 2);
	CHECK("from the cache", told.n == 1 && p->answers == 1 &&
				was_told(0, "www.test", &there, 30));
	look();
	ask(p, "nas.ok.test", 3);
	CHECK("from hosts", told.n == 1 &&
			    was_told(0, "nas.ok.test", &nas, 60));
	look();
	ask(p, "host.slipway.internal", 4);
	CHECK("our own is not", told.n == 0 && p->answers == 1);
	look();
	ask(p, "x.ok.test", 5);
	say(p, p->last, &server[0], DNS_NXDOMAIN, 0);
	CHECK("nothing", told.n == 0 && p->answers == 1);
	end(p, "told");
	free(block);
}

/* Two who wait for one answer, and one who gets none of it. */
static void check_told_each(void)
{
	struct ip many[40];
	struct play *p = start_gated(1);
	struct dns_question q;
	struct wr w;

	for (unsigned i = 0; i < 40; i++)
		many[i] = there;
	ask(p, "www.test", 1);
	ask(p, "WWW.test", 2);
	say(p, p->last, &server[0], DNS_NOERROR, 0);
	CHECK("each", told.n == 2);
	look();
	ask(p, "www.test", 3);
	w = inbox(p, p->last, &server[0], &q);
	dns_emit_response(&w, &q, DNS_NOERROR, many, 40, 0);
	deliver(p, p->last, &w);
	CHECK("cut", p->answers == 1 && p->answer[2] & 2 && told.n == 0);
	end(p, "told each");
}

/* The name asked for counts, not the one that it is an alias of. */
static void check_told_alias(void)
{
	static const char records[] =
		"\xc0\x0c\0\5\0\1\0\0\0\x1e\0\5\3cdn\0"
		"\3cdn\0\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\1"
		"\3bad\0\0\1\0\1\0\0\0\x3c\0\4\xcb\0\x71\2";
	struct play *p = start_gated(1);
	struct dns_question q;
	uint8_t *msg;
	struct wr w;

	ask(p, "www.test", 1);
	w = inbox(p, p->last, &server[0], &q);
	msg = w.p;
	dns_emit_response(&w, &q, DNS_NOERROR, NULL, 0, 0);
	wr_bytes(&w, records, sizeof(records) - 1);
	msg[7] = 3;
	deliver(p, p->last, &w);
	CHECK("by an alias", told.n == 1 &&
			     was_told(0, "www.test", &there, 30));
	end(p, "told alias");
}

void test_service_dns_gate(void);
void test_service_dns_gate(void)
{
	check_names();
	check_reason();
	check_plain();
	check_no_more_than_the_name();
	check_own();
	check_stream();
	check_cache();
	check_told();
	check_told_each();
	check_told_alias();
}
