/* SPDX-License-Identifier: MIT */
/* test/unit/service_dns.c - what comes of questions; see dns_play.h. */
#include "dns_play.h"

#include "service/dns_state.h"

/* ---- what is kept ---- */

static void check_kept(void)
{
	struct play *p = start(1);
	struct dns_stats stats;

	ask(p, "www.example", 1);
	say(p, p->last, &server[0], DNS_NOERROR, 10);
	CHECK("asked", answers(p, "www.example", 1) && !p->open);
	pass(p, 3 * SECOND);
	ask(p, "WWW.eXample", 2);
	CHECK("kept", answers(p, "WWW.eXample", 2) && !p->open);
	CHECK("older", ttl_of(p, "WWW.eXample") == 7);
	pass(p, 7 * SECOND);
	ask(p, "www.example", 3);
	CHECK("too old", p->answers == 0 && p->open == 1);
	say(p, p->last, &server[0], DNS_NOERROR, 10);
	dns_set_resolvers(p->dns, server, 1);
	ask(p, "www.example", 4);
	CHECK("other servers", p->answers == 0 && p->open == 1);
	dns_get_stats(p->dns, &stats);
	CHECK("counted", stats.questions == 4 && stats.from_cache == 1 &&
			 stats.failed == 0);
	end(p, "kept");
}

/* What stands in OPT where others have a TTL are flags. */
static void check_kept_flags(void)
{
	struct play *p = start(1);

	ask_more(p, "www.example", DNS_A, 1, 0x8000);
	say(p, p->last, &server[0], DNS_NOERROR, 100);
	pass(p, 30 * SECOND);
	ask_more(p, "www.example", DNS_A, 2, 0x8000);
	CHECK("kept", p->answers == 1 && ttl_of(p, "www.example") == 70);
	CHECK("DO", !memcmp(p->answer + p->len - 6, "\0\0\x80\0\0\0", 6));
	end(p, "kept flags");
}

static void check_denied(void)
{
	struct play *p = start(1);

	ask(p, "no.example", 1);
	deny(p, p->last, 5);
	CHECK("denied", p->answers == 1 && rcode_of(p) == DNS_NXDOMAIN);
	pass(p, 4 * SECOND);
	ask(p, "no.example", 2);
	CHECK("still denied", p->answers == 1 && rcode_of(p) == DNS_NXDOMAIN);
	pass(p, 1 * SECOND);
	ask(p, "no.example", 3);
	CHECK("no more", p->answers == 0);
	deny(p, p->last, 100000);
	pass(p, 299 * SECOND);
	ask(p, "no.example", 4);
	CHECK("five minutes", p->answers == 1);
	pass(p, 2 * SECOND);
	ask(p, "no.example", 5);
	CHECK("no longer", p->answers == 0);
	deny(p, p->last, 0);
	ask(p, "no.example", 6);
	CHECK("without SOA", p->answers == 0);
	end(p, "denied");
}

static void check_not_kept(void)
{
	struct play *p = start(1);
	struct dns_question q;
	struct wr w;

	ask(p, "www.example", 1);
	say(p, p->last, &server[0], DNS_NOERROR, 0);
	ask(p, "www.example", 2);
	CHECK("TTL 0", p->answers == 0);
	w = inbox(p, p->last, &server[0], &q);
	dns_emit_response(&w, &q, DNS_NOERROR, &there, 1, 10);
	p->sock[p->last].in[2] |= 2;
	deliver(p, p->last, &w);
	CHECK("cut", p->answers == 1 && p->answer[2] & 2);
	ask(p, "www.example", 3);
	CHECK("cut is not kept", p->answers == 0);
	say(p, p->last, &server[0], DNS_SERVFAIL, 0);
	ask(p, "www.example", 4);
	CHECK("SERVFAIL", p->answers == 0);
	end(p, "not kept");
}

/* Questions that look alike, each with an answer of its own. */
static void check_distinct(void)
{
	struct play *p = start(1);
	unsigned open = 0;

	ask_more(p, "www.example", DNS_A, 1, -1);
	CHECK("A", p->open == ++open);
	ask_more(p, "www.example", DNS_AAAA, 2, -1);
	CHECK("AAAA", p->open == ++open);
	ask_more(p, "www.example", DNS_A, 3, 0);
	CHECK("EDNS", p->open == ++open);
	ask_more(p, "www.example", DNS_A, 4, 0x8000);
	CHECK("DO", p->open == ++open);
	CHECK("DO goes on", sent(p).p[sent(p).len - 4] == 0x80);
	ask_more(p, "ww.wexample", DNS_A, 5, -1);
	CHECK("labels", p->open == ++open);
	/* HTTPS (65) and 97: letters of one another, as numbers none. */
	ask_more(p, "www.example", 65, 6, -1);
	ask_more(p, "www.example", 97, 7, -1);
	open += 2;
	CHECK("type", p->open == open);
	end(p, "distinct");
}

/* The newest answers are there, in the memory of 512 KiB. */
static void check_circle(void)
{
	struct play *p = start(1);
	char name[64];
	unsigned kept = 0;

	for (unsigned i = 0; i < 9000; i++) {
		snprintf(name, sizeof(name), "host-%u.%.*s.example", i,
			 (int)(i % 40), "0123456789012345678901234567890123456789");
		if (i % 40 == 0)
			snprintf(name, sizeof(name), "host-%u.example", i);
		ask(p, name, 1);
		CHECK(name, p->answers == 0);
		say(p, p->last, &server[0], DNS_NOERROR, 1000);
	}
	CHECK("memory", p->memory == 512 << 10);
	for (unsigned i = 9000; i-- > 0 && kept == 8999 - i;) {
		snprintf(name, sizeof(name), "host-%u.%.*s.example", i,
			 (int)(i % 40), "0123456789012345678901234567890123456789");
		if (i % 40 == 0)
			snprintf(name, sizeof(name), "host-%u.example", i);
		ask(p, name, 1);
		kept += p->answers;
		if (p->answers)
			CHECK(name, answers(p, name, 1) &&
				    ttl_of(p, name) == 1000);
	}
	CHECK("many", kept > 3000 && kept < 6000);
	end(p, "circle");
}

/* ---- questions on their way ---- */

static void check_joined(void)
{
	struct play *p = start(1);

	ask(p, "www.example", 1);
	ask(p, "wwW.example", 2);
	CHECK("one query", p->open == 1 && p->sock[p->last].sent == 1);
	say(p, p->last, &server[0], DNS_NOERROR, 10);
	CHECK("two answers", p->answers == 2 && !p->open);
	end(p, "joined");
}

static bool same_case(const struct view a, const struct view b)
{
	return a.len == b.len && !memcmp(a.p + 12, b.p + 12, a.len - 12);
}

/* Case is chance; who folds it is asked once more, and then believed. */
static void check_case(void)
{
	struct play *p = start(1);
	uint8_t buf[MESSAGE_BYTES];
	struct view plain = { .p = buf };
	unsigned mixed = 0;
	int first;

	for (unsigned i = 0; i < 16; i++) {
		char name[] = "abcdefghijklmnop-x.example";

		name[17] = (char)('a' + i);
		plain.len = question(buf, name, DNS_A, 1, -1);
		ask(p, name, 1);
		mixed += !same_case(plain, sent(p));
		say(p, p->last, &server[0], DNS_NOERROR, 0);
		CHECK(name, answers(p, name, 1));
	}
	CHECK("mixed", mixed == 16);
	for (unsigned i = 0; i < 2; i++) {
		struct sock *s;
		uint8_t id[2];

		ask(p, "abcdefghijklmnop.folds", 1);
		first = p->last;
		s = &p->sock[first];
		memcpy(id, s->last, 2);
		for (size_t k = 12; k < s->len - 4; k++)
			if (s->last[k] >= 'A' && s->last[k] <= 'Z')
				s->last[k] |= 0x20;
		say(p, first, &server[0], DNS_NOERROR, 0);
		if (i == 0) {
			CHECK("not believed", p->answers == 0);
			CHECK("another id", memcmp(id, sent(p).p, 2) != 0);
			s = &p->sock[p->last];
			for (size_t k = 12; k < s->len - 4; k++)
				if (s->last[k] >= 'A' && s->last[k] <= 'Z')
					s->last[k] |= 0x20;
			say(p, p->last, &server[0], DNS_NOERROR, 0);
		}
		CHECK("believed", answers(p, "abcdefghijklmnop.folds", 1));
	}
	end(p, "case");
}

/* What is no answer to what was asked changes nothing. */
static void check_strangers(void)
{
	struct play *p = start(2);
	const struct endpoint other = { .ip = server[0].ip, .port = 54 };
	struct dns_question q;
	struct wr w;

	ask(p, "www.example", 1);
	say(p, p->last, &other, DNS_NOERROR, 10);
	CHECK("another port", p->answers == 0);
	say(p, p->last, &server[1], DNS_NOERROR, 10);
	CHECK("a server not asked", p->answers == 0);
	w = inbox(p, p->last, &server[0], &q);
	dns_emit_response(&w, &q, DNS_NOERROR, &there, 1, 10);
	p->sock[p->last].in[1] ^= 1;
	deliver(p, p->last, &w);
	CHECK("another id", p->answers == 0);
	w = inbox(p, p->last, &server[0], &q);
	dns_emit_response(&w, &q, DNS_NOERROR, &there, 1, 10);
	p->sock[p->last].in[13] ^= 1;
	deliver(p, p->last, &w);
	CHECK("another name", p->answers == 0);
	say(p, p->last, &server[0], DNS_NOERROR, 10);
	CHECK("the answer", answers(p, "www.example", 1));
	end(p, "strangers");
}

/* Somebody's guess may come before the answer, joined with it. */
static void check_batch(void)
{
	struct play *p = start(1);
	struct dns_question q;
	struct sock *s;
	struct wr w;
	size_t len;

	ask(p, "www.example", 1);
	s = &p->sock[p->last];
	w = inbox(p, p->last, &server[0], &q);
	dns_emit_response(&w, &q, DNS_NOERROR, &there, 1, 10);
	len = (size_t)(w.p - s->in);
	memcpy(s->in + len, s->in, len);
	s->in[0] ^= 1;			/* the guess */
	s->in_segment = (uint16_t)len;
	w.p += len;
	deliver(p, p->last, &w);
	CHECK("the second", answers(p, "www.example", 1));
	end(p, "batch");
}

/* A signature: nothing of it may change but the id. */
static void check_as_it_is(void)
{
	struct play *p = start(1);
	uint8_t buf[MESSAGE_BYTES];
	const struct dns_reply_to to = { .guest = { .port = 1 } };
	size_t len = question(buf, "signed.example", DNS_A, 0x1234, 0);

	buf[11] = 2;
	memcpy(buf + len, "\0\0\xfa\0\xff\0\0\0\0\0\x03sig", 14);
	len += 14;
	for (unsigned i = 0; i < 2; i++) {
		dns_udp_query(p->dns, &to, (struct view){ buf, len });
		CHECK("each for itself", p->open == i + 1);
		CHECK("as it is", same_case((struct view){ buf, len },
					    sent(p)));
		CHECK("but the id", memcmp(buf, sent(p).p, 2) != 0);
	}
	say(p, p->last, &server[0], DNS_NOERROR, 10);
	ask(p, "signed.example", 1);
	CHECK("not kept", p->answers == 0);
	end(p, "as it is");
}

static void check_limits(void)
{
	struct play *p = start(1);
	char name[32];

	for (unsigned i = 0; i < DNS_QUERIES_MAX; i++) {
		snprintf(name, sizeof(name), "q%u.example", i);
		ask(p, name, 1);
		CHECK(name, p->answers == 0);
	}
	CHECK("in flight", dns_in_flight(p->dns) == DNS_QUERIES_MAX);
	ask(p, "more.example", 1);
	CHECK("one more", p->answers == 1 && rcode_of(p) == DNS_SERVFAIL);
	for (unsigned i = DNS_QUERIES_MAX; i < DNS_ASKERS_MAX; i++) {
		ask(p, "q0.example", 2);
		CHECK("joined", p->answers == 0);
	}
	ask(p, "q0.example", 3);
	CHECK("one more", p->answers == 1 && rcode_of(p) == DNS_SERVFAIL);
	p->answers = 0;
	pass(p, 4 * SECOND + TICK);
	CHECK("all are answered", p->answers == DNS_ASKERS_MAX);
	CHECK("none is left", dns_in_flight(p->dns) == 0 && !p->open);
	end(p, "limits");
}

static unsigned who;			/* asks */

/* Two of everything for each. */
static int share_of(void *ctx, const uint32_t *has, uint32_t all,
		    const struct dns_reply_to *to, struct handle owner)
{
	(void)ctx, (void)to, (void)owner;
	CHECK("of how many", all == DNS_QUERIES_MAX || all == DNS_STREAMS_MAX);
	return has[who] < 2 ? (int)who : -1;
}

static void check_shares(void)
{
	struct play *p = start(1);
	int stream[2];

	p->dns->ops.share = share_of;
	who = 1;
	ask(p, "a.example", 1);
	ask(p, "b.example", 1);
	CHECK("its own", p->answers == 0);
	ask(p, "c.example", 1);
	ask(p, "a.example", 2);		/* to join one is one more, too */
	CHECK("no more", p->answers == 1 && rcode_of(p) == DNS_SERVFAIL);
	who = 0;
	ask(p, "c.example", 1);
	CHECK("another's", p->answers == 0 && dns_in_flight(p->dns) == 3);
	pass(p, 4 * SECOND + TICK);
	CHECK("all are answered", p->answers == 3);
	who = 1;
	ask(p, "d.example", 1);
	CHECK("again", p->answers == 0 && dns_in_flight(p->dns) == 1);
	for (unsigned i = 0; i < 2; i++)
		stream[i] = dns_stream_open(p->dns, (struct handle){ 0 });
	CHECK("two", stream[0] >= 0 && stream[1] >= 0);
	CHECK("no third", dns_stream_open(p->dns, (struct handle){ 0 }) ==
			  -ENV_LIMIT);
	dns_stream_ops()->close(p->dns, stream[0], false);
	CHECK("one for one", dns_stream_open(p->dns, (struct handle){ 0 }) >=
			     0);
	end(p, "shares");
}

/* ---- servers ---- */

static void check_fail_over(void)
{
	struct play *p = start(3);
	int first;

	ask(p, "www.example", 1);
	first = p->last;
	pass(p, 500 * MS + TICK);
	CHECK("the second", ip_equal(&p->sock[first].to.ip, &server[1].ip) &&
			    p->sock[first].sent == 2);
	pass(p, 500 * MS + TICK);
	CHECK("the third", p->last != first &&
	      ip_equal(&p->sock[p->last].to.ip, &server[2].ip));
	say(p, p->last, &server[2], DNS_NOERROR, 0);
	CHECK("its answer", answers(p, "www.example", 1) && !p->open);

	ask(p, "www.example", 2);
	first = p->last;
	CHECK("the first again", ip_equal(&p->sock[first].to.ip,
					  &server[0].ip));
	pass(p, 1400 * MS);
	CHECK("others were asked", p->open == 2);
	say(p, first, &server[0], DNS_NOERROR, 0);
	CHECK("a late answer", answers(p, "www.example", 2));
	end(p, "fail over");
}

/* Silent three times: the second comes first, for half a minute. */
static void check_down(void)
{
	struct play *p = start(2);

	for (uint16_t i = 1; i <= 4; i++) {
		ask(p, "www.example", i);
		if (i < 4) {
			CHECK("the first", ip_equal(&p->sock[p->last].to.ip,
						    &server[0].ip));
			pass(p, 500 * MS + TICK);
		}
		CHECK("the second", ip_equal(&p->sock[p->last].to.ip,
					     &server[1].ip));
		say(p, p->last, &server[1], DNS_NOERROR, 0);
		CHECK("answered", answers(p, "www.example", i));
	}
	pass(p, 30 * SECOND);
	ask(p, "www.example", 9);
	CHECK("tried again", ip_equal(&p->sock[p->last].to.ip,
				      &server[0].ip));
	say(p, p->last, &server[0], DNS_NOERROR, 0);
	ask(p, "www.example", 10);
	CHECK("and taken again", ip_equal(&p->sock[p->last].to.ip,
					  &server[0].ip));
	end(p, "down");
}

/* An answer in between: the count begins anew. */
static void check_not_down(void)
{
	struct play *p = start(2);

	for (uint16_t i = 1; i <= 9; i++) {
		ask(p, "www.example", i);
		CHECK("the first", ip_equal(&p->sock[p->last].to.ip,
					    &server[0].ip));
		if (i % 3)
			pass(p, 500 * MS + TICK);
		say(p, p->last, &p->sock[p->last].to, DNS_NOERROR, 0);
		CHECK("answered", answers(p, "www.example", i));
	}
	end(p, "not down");
}

static void check_refusals(void)
{
	struct play *p = start(2);

	ask(p, "www.example", 1);
	fail_socket(p, p->last, &server[0]);
	CHECK("the next at once", ip_equal(&p->sock[p->last].to.ip,
					   &server[1].ip));
	say(p, p->last, &server[1], DNS_REFUSED, 0);
	CHECK("what it said", answers(p, "www.example", 1) &&
			      rcode_of(p) == DNS_REFUSED);
	/* Neither by UDP nor by TCP: told at once. */
	p->connect_result = -ENV_REFUSED;
	ask(p, "www.example", 2);
	for (unsigned i = 0; i < 4 && !p->answers; i++)
		fail_socket(p, p->last, &p->sock[p->last].to);
	CHECK("nobody", answers(p, "www.example", 2) &&
			rcode_of(p) == DNS_SERVFAIL);
	end(p, "refusals");
}

static void check_silence(void)
{
	struct play *p = start(3);

	ask(p, "www.example", 1);
	pass(p, 3999 * MS);
	CHECK("not yet", p->answers == 0);
	pass(p, 1 * MS + TICK);
	CHECK("SERVFAIL", answers(p, "www.example", 1) &&
			  rcode_of(p) == DNS_SERVFAIL);
	pass(p, 10 * SECOND);
	CHECK("once", p->answers == 1);
	dns_set_resolvers(p->dns, NULL, 0);
	ask(p, "www.example", 2);
	CHECK("no server", p->answers == 1 && rcode_of(p) == DNS_SERVFAIL);
	end(p, "silence");
}

/* UDP is blocked: TCP, and the next question by TCP at once. */
static void check_tcp(void)
{
	struct play *p = start(1);

	ask(p, "www.example", 1);
	pass(p, 1000 * MS + 2 * TICK);
	CHECK("TCP", p->sock[p->last].sent == 3 || p->sock[p->last].tcp);
	for (int i = 0; i < SOCKETS; i++)
		if (p->sock[i].open && p->sock[i].tcp)
			p->last = i;
	CHECK("a connection", p->sock[p->last].tcp);
	p->sock[p->last].connected = true;
	event(p, p->last, ENV_WRITABLE);
	CHECK("the question", p->sock[p->last].sent == 1);
	say(p, p->last, &server[0], DNS_NOERROR, 0);
	CHECK("the answer", answers(p, "www.example", 1) && !p->open);

	ask(p, "www.example", 2);
	CHECK("both at once", p->open == 2 && p->sock[p->last].tcp);
	p->sock[p->last].connected = true;
	event(p, p->last, ENV_WRITABLE);
	say(p, p->last, &server[0], DNS_NOERROR, 0);
	CHECK("the answer", answers(p, "www.example", 2) && !p->open);
	pass(p, 301 * SECOND);
	ask(p, "www.example", 3);
	CHECK("UDP again", p->open == 1);
	end(p, "TCP");
}

static void check_new_servers(void)
{
	struct play *p = start(1);

	ask(p, "www.example", 1);
	dns_set_resolvers(p->dns, server + 1, 1);
	pass(p, 500 * MS + TICK);
	CHECK("the new one", p->open == 1 &&
	      ip_equal(&p->sock[p->last].to.ip, &server[1].ip));
	say(p, p->last, &server[1], DNS_NOERROR, 0);
	CHECK("its answer", answers(p, "www.example", 1));
	end(p, "new servers");
}

/* The same ones once more: others may be behind them, so all is asked anew. */
static void check_same_servers(void)
{
	struct play *p = start(1);

	ask(p, "www.example", 1);
	dns_set_resolvers(p->dns, server, 1);
	CHECK("at once", p->open == 1 && p->sock[p->last].sent == 1 &&
			 p->answers == 0);
	say(p, p->last, &server[0], DNS_NOERROR, 100);
	CHECK("its answer", answers(p, "www.example", 1));
	dns_set_resolvers(p->dns, server, 1);
	ask(p, "www.example", 2);
	CHECK("dropped", p->answers == 0 && p->open == 1);
	say(p, p->last, &server[0], DNS_NOERROR, 100);
	end(p, "same servers");
}

/* ---- names known here ---- */

static void check_hosts(void)
{
	static const char text[] = "printer\0nas\0nas.home";
	const struct hosts_entry entries[] = {
		{ .ip = ip_from_v4(0x0a000009), .name = 8 },
		{ .ip = ip_from_v4(0x0a000007), .name = 0 },
		{ .ip = ip_from_v4(0x0a000009), .name = 12 },
		{ .ip.b = { 32, 1, [15] = 7 }, .name = 0 },
	};
	const struct ip loopback = ip_from_v4(0x7f000001);
	const size_t bytes = hosts_bytes(4, sizeof(text));
	struct play *p = start(1);
	void *block = malloc(bytes);
	struct hosts hosts;

	if (!block)
		abort();
	hosts_make_table(block, entries, 4, text, sizeof(text));
	CHECK("a table", hosts_open((struct view){ block, bytes }, &hosts));
	CHECK("no table", !hosts_open((struct view){ block, bytes - 1 },
				      &hosts));
	dns_set_hosts(p->dns, &hosts);
	ask(p, "Printer", 1);
	CHECK("printer", answers(p, "Printer", 1) &&
			 has_address(p, &entries[1].ip));
	ask(p, "nas.home", 2);
	CHECK("nas", answers(p, "nas.home", 2) &&
		     has_address(p, &entries[0].ip));
	ask_more(p, "nas.home", DNS_AAAA, 3, -1);
	CHECK("no IPv6", p->answers == 1 && rcode_of(p) == DNS_NOERROR &&
			 p->answer[7] == 0);
	ask_more(p, "9.0.0.10.in-addr.arpa", DNS_PTR, 4, -1);
	CHECK("the first name", p->answers == 1 &&
	      !memcmp(p->answer + p->len - 5, "\x03nas\0", 5));
	ask_more(p, "printer", DNS_AAAA, 9, -1);
	CHECK("IPv6", p->answers == 1 && p->answer[7] == 1 &&
		      has_address(p, &entries[3].ip));
	ask(p, "x.localhost", 5);
	CHECK("localhost", p->answers == 1 && has_address(p, &loopback));
	ask_more(p, "nas.home", 16, 6, -1);
	CHECK("other types go on", p->answers == 0);
	ask(p, "nas.hom", 7);
	CHECK("others go on", p->answers == 0);
	dns_set_hosts(p->dns, NULL);
	ask(p, "printer", 8);
	CHECK("no more", p->answers == 0);
	end(p, "hosts");
	free(block);
}

/* ---- the guest's connections ---- */

static void check_idle_stream(void)
{
	struct play *p = start(1);
	int id = dns_stream_open(p->dns, (struct handle){ 0 });

	pass(p, 29 * SECOND);
	CHECK("a question", put(p, id, "box", 1) > 0);
	CHECK("its answer", get(p, id) > 0);
	pass(p, 29 * SECOND);
	CHECK("still open", get(p, id) == -ENV_AGAIN);
	p->events = 0;
	pass(p, 2 * SECOND);
	CHECK("told", p->events & ENV_READABLE);
	CHECK("ended", get(p, id) == 0);
	CHECK("for good", put(p, id, "box", 2) == -ENV_RESET);
	pass(p, 30 * SECOND);
	CHECK("reset", p->events & ENV_FAILED &&
	      dns_stream_ops()->connected(p->dns, id) == -ENV_RESET);
	dns_stream_ops()->close(p->dns, id, true);
	end(p, "idle stream");
}

/* A guest that asks and does not read is not read from; then it is reset. */
static void check_greedy_stream(void)
{
	struct play *p = start(1);
	const int id = dns_stream_open(p->dns, (struct handle){ 0 });
	unsigned taken = 0;
	size_t memory;

	while (taken < 1000 && put(p, id, "box", 1) > 0)
		taken++;
	memory = p->memory;
	CHECK("a bound", taken < 100 && memory <= 16 * 4096);
	CHECK("goes on", get(p, id) > 0 && p->memory <= memory);
	pass(p, 31 * SECOND);
	CHECK("reset", get(p, id) == -ENV_RESET);
	dns_stream_ops()->close(p->dns, id, true);
	end(p, "greedy stream");
}

static void check_stream_without_memory(void)
{
	struct play *p = start(1);
	const int id = dns_stream_open(p->dns, (struct handle){ 0 });

	p->no_memory = true;
	CHECK("asked", put(p, id, "box", 1) > 0);
	CHECK("reset", get(p, id) == -ENV_RESET && p->events & ENV_FAILED);
	dns_stream_ops()->close(p->dns, id, true);
	end(p, "stream without memory");
}

/* Whom that question goes to, and nobody else. */
static bool goes_to(struct play *p, const char *name, uint16_t id,
		    const struct endpoint *at)
{
	bool right;

	ask(p, name, id);
	right = p->sock[p->last].open && p->sock[p->last].sent == 1 &&
		ip_equal(&p->sock[p->last].to.ip, &at->ip);
	say(p, p->last, at, DNS_NOERROR, 10);
	return right && answers(p, name, id) && !p->open;
}

static void check_zones(void)
{
	static const struct dns_zone zones[] = {
		{ .name = "corp.example", .n = 1,
		  .at = { { .ip = { { [10] = 0xff, 0xff, 10, 0, 0, 1 } },
			    .port = 53 } } },
		{ .name = "lab.corp.example", .n = 2,
		  .at = { { .ip = { { [10] = 0xff, 0xff, 10, 0, 0, 2 } },
			    .port = 53 },
			  { .ip = { { [10] = 0xff, 0xff, 192, 0, 2, 53 } },
			    .port = 53 } } },
	};
	const struct endpoint *corp = zones[0].at, *lab = zones[1].at;
	struct play *p = start(1);

	dns_set_zones(p->dns, zones, 2);
	CHECK("its own", goes_to(p, "corp.example", 1, corp));
	CHECK("below it", goes_to(p, "WWW.Corp.example", 2, corp));
	CHECK("the longer one", goes_to(p, "a.lab.corp.example", 3, lab));
	CHECK("not half a label", goes_to(p, "xcorp.example", 4, server));
	CHECK("others", goes_to(p, "example", 5, server));
	ask(p, "b.lab.corp.example", 6);
	pass(p, DNS_TRY_NS + SECOND / 100);
	CHECK("the next of its own", ip_equal(&p->sock[p->last].to.ip,
					      &lab[1].ip));
	say(p, p->last, &lab[1], DNS_NOERROR, 10);
	CHECK("who has two parts is known in both",
	      answers(p, "b.lab.corp.example", 6) && !p->open);
	ask(p, "c.corp.example", 7);
	pass(p, 5 * SECOND);
	CHECK("never another's", rcode_of(p) == DNS_SERVFAIL && !p->open);
	dns_set_resolvers(p->dns, NULL, 0);
	CHECK("without any other", goes_to(p, "d.corp.example", 8, corp));
	ask(p, "www.example", 9);
	CHECK("then nobody", p->answers == 1 && rcode_of(p) == DNS_SERVFAIL);
	end(p, "zones");
}

void test_service_dns(void);
void test_service_dns(void)
{
	check_kept();
	check_kept_flags();
	check_denied();
	check_not_kept();
	check_distinct();
	check_circle();
	check_joined();
	check_case();
	check_strangers();
	check_batch();
	check_as_it_is();
	check_limits();
	check_shares();
	check_fail_over();
	check_down();
	check_not_down();
	check_refusals();
	check_silence();
	check_tcp();
	check_new_servers();
	check_same_servers();
	check_zones();
	check_hosts();
	check_idle_stream();
	check_greedy_stream();
	check_stream_without_memory();
}
