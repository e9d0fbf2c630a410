/* SPDX-License-Identifier: MIT */
/* test/unit/wire_dns.c - links base and wire, nothing else. */
#include "wire/dns.h"

#include "exact.h"
#include "test.h"

#define BYTES(s) .bytes = (s), .len = sizeof(s) - 1
#define HEAD	"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0"	/* one question */
#define HEAD_X	"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x02"	/* two records */
#define WWW	"\x03wWw\x01_\x00"
#define A_IN	"\0\x01\0\x01"
#define OPT(n)	"\0\0\x29" n "\0\0\0\0\0\0"		/* of that size */
#define L63	"0123456789012345678901234567890123456789012345678901234" \
		"56789012"

static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	enum drop want;
	const char *text;		/* the name, if want is OK */
	uint16_t udp_bytes;		/* likewise; 0: no EDNS */
} cases[] = {
	{ "plain", BYTES(HEAD WWW A_IN), .text = "www._" },
	{ "root", BYTES(HEAD "\0" A_IN), .text = "" },
	{ "odd bytes", BYTES(HEAD "\x03" "a.\xff\0" A_IN),
	  .text = "a\\046\\255" },
	{ "longest label", BYTES(HEAD "\x3f" L63 "\0" A_IN), .text = L63 },
	{ "longest name", BYTES(HEAD "\x3f" L63 "\x3f" L63 "\x3f" L63
				"\x3d" "1234567890123456789012345678901"
				"234567890123456789012345678901\0" A_IN),
	  .text = L63 "." L63 "." L63 ".123456789012345678901234567890123"
		  "4567890123456789012345678901" },
	{ "EDNS", BYTES(HEAD_X WWW A_IN OPT("\x10\0")), .text = "www._",
	  .udp_bytes = 4096 },
	{ "EDNS of little", BYTES(HEAD_X WWW A_IN OPT("\0\x01")),
	  .text = "www._", .udp_bytes = 512 },
	{ "EDNS after another", BYTES(HEAD_X WWW A_IN
				      "\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x01x"
				      OPT("\x10\0")),
	  .text = "www._", .udp_bytes = 4096 },
	{ "EDNS after a name", BYTES(HEAD_X WWW A_IN
				     "\x01" "a\0\0\x01\0\x01\0\0\0\0\0\0"
				     OPT("\x10\0")),
	  .text = "www._", .udp_bytes = 4096 },
	{ "records cut", BYTES(HEAD_X WWW A_IN "\0\0\x29\x10"),
	  .text = "www._" },
	{ "no records", BYTES(HEAD_X WWW A_IN), .text = "www._" },
	{ "no OPT", BYTES(HEAD_X WWW A_IN
			  "\0\0\x01\0\x01\0\0\0\0\0\0"
			  "\0\0\x01\0\x01\0\0\0\0\0\0"), .text = "www._" },
	{ "owner with a wrong label", BYTES(HEAD_X WWW A_IN "\x40" "abc"),
	  .text = "www._" },
	{ "owner's pointer cut", BYTES(HEAD_X WWW A_IN "\xc0"),
	  .text = "www._" },

	{ "nothing", BYTES(""), DROP_SHORT },
	{ "header cut", BYTES("\x12\x34\x01\x00\0\x01\0\0\0\0\0"),
	  DROP_SHORT },
	{ "no name", BYTES(HEAD), DROP_SHORT },
	{ "label cut", BYTES(HEAD "\x03ww"), DROP_SHORT },
	{ "name not ended", BYTES(HEAD "\x03www"), DROP_SHORT },
	{ "no type", BYTES(HEAD WWW), DROP_SHORT },
	{ "class cut", BYTES(HEAD WWW "\0\x01\0"), DROP_SHORT },
	{ "response", BYTES("\x12\x34\x81\x00\0\x01\0\0\0\0\0\0" WWW A_IN),
	  DROP_NOTOURS },
	{ "no question", BYTES("\x12\x34\x01\x00\0\0\0\0\0\0\0\0"),
	  DROP_VALUE },
	{ "two questions", BYTES("\x12\x34\x01\x00\0\x02\0\0\0\0\0\0" WWW
				 A_IN WWW A_IN), DROP_VALUE },
	{ "pointer", BYTES(HEAD "\xc0\x0c" A_IN), DROP_VALUE },
	{ "label of 64", BYTES(HEAD "\x40" "0" L63 "\0" A_IN), DROP_VALUE },
	{ "name of 256", BYTES(HEAD "\x3f" L63 "\x3f" L63 "\x3f" L63
			       "\x3f" L63 "\0" A_IN), DROP_VALUE },
};

static void check_case(size_t i)
{
	const char *name = cases[i].name;
	uint8_t *copy = exact(cases[i].bytes, cases[i].len);
	const struct view msg = { .p = copy, .len = cases[i].len };
	struct dns_question q = { .id = 77, .type = 78, .name = "before" };

	CHECK(name, dns_parse_query(msg, &q) == cases[i].want);
	if (cases[i].want == DROP_OK) {
		const uint16_t udp = cases[i].udp_bytes;

		CHECK(name, q.id == 0x1234 && q.type == DNS_A);
		CHECK(name, q.class == 1 && q.opcode == 0);
		CHECK(name, q.recursion_desired);
		CHECK(name, !strcmp(q.name, cases[i].text));
		CHECK(name, q.edns == !!udp);
		CHECK(name, q.udp_bytes == (udp ? udp : 512));
		CHECK(name, q.wire.p == copy);
	} else {
		CHECK(name, q.id == 77 && q.type == 78);
		CHECK(name, !strcmp(q.name, "before"));	/* untouched */
	}
	free(copy);
}

static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	bool want;
} answers[] = {
	{ "answer", BYTES("\x99\x99\x81\x80\0\x01\0\0\0\0\0\0" WWW A_IN),
	  true },
	{ "with more", BYTES("\x99\x99\x81\x80\0\x01\0\x01\0\0\0\0" WWW A_IN
			     "\xc0\x0c\0\x01"), true },
	{ "error without question",
	  BYTES("\x99\x99\x81\x82\0\0\0\0\0\0\0\0" WWW A_IN), true },
	{ "success without question",
	  BYTES("\x99\x99\x81\x80\0\0\0\0\0\0\0\0" WWW A_IN), false },
	{ "a question", BYTES(HEAD WWW A_IN), false },
	{ "other case", BYTES("\x99\x99\x81\x80\0\x01\0\0\0\0\0\0"
			      "\x03www\x01_\x00" A_IN), false },
	{ "other type", BYTES("\x99\x99\x81\x80\0\x01\0\0\0\0\0\0" WWW
			      "\0\x02\0\x01"), false },
	{ "two questions", BYTES("\x99\x99\x81\x80\0\x02\0\0\0\0\0\0" WWW
				 A_IN), false },
	{ "cut", BYTES("\x99\x99\x81\x80\0\x01\0\0\0\0\0\0" WWW "\0\x01\0"),
	  false },
};

/* A question for emitters, of len bytes at p. */
static struct dns_question question(const char *p, size_t len)
{
	const struct view msg = { .p = (const uint8_t *)p, .len = len };
	struct dns_question q = { 0 };

	CHECK("a good question", dns_parse_query(msg, &q) == DROP_OK);
	return q;
}

static void check_answers(void)
{
	static const char asked[] = HEAD WWW A_IN;
	const struct dns_question q = question(asked, sizeof(asked) - 1);

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		uint8_t *copy = exact(answers[i].bytes, answers[i].len);

		CHECK(answers[i].name,
		      dns_answers((struct view){ copy, answers[i].len },
				  q.wire) == answers[i].want);
		free(copy);
	}
}

static void check_emit(void)
{
	static const char asked[] = HEAD_X WWW A_IN OPT("\x10\0");
	static const char want[] = "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\x01"
		WWW A_IN "\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01"
		"\0\0\x29\x04\xd0\0\0\0\0\0\0";
	static const char ptr[] = "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\x01"
		WWW A_IN "\xc0\x0c\0\x0c\0\x01\0\0\0\x3c\0\x05\x01" "a\x01"
		"b\0" "\0\0\x29\x04\xd0\0\0\0\0\0\0";
	const struct dns_question q = question(asked, sizeof(asked) - 1);
	const struct ip ip = ip_from_v4(0xc0000201);
	uint8_t buf[512];
	struct wr w = wr(buf, sizeof(buf));

	dns_emit_response(&w, &q, DNS_NOERROR, &ip, 1, 60);
	CHECK("response", (size_t)(w.p - buf) == sizeof(want) - 1 &&
			  !memcmp(buf, want, sizeof(want) - 1));
	w = wr(buf, sizeof(buf));
	dns_emit_ptr(&w, &q, "a.b", 60);
	CHECK("PTR", (size_t)(w.p - buf) == sizeof(ptr) - 1 &&
		     !memcmp(buf, ptr, sizeof(ptr) - 1));
	w = wr(buf, sizeof(want) - 2);
	dns_emit_response(&w, &q, DNS_NOERROR, &ip, 1, 60);
	CHECK("no room", w.bad);
	w = wr(buf, sizeof(buf));
	dns_emit_error(&w, (struct view){ (const uint8_t *)"\xab\xcd\x79", 3 },
		       DNS_FORMERR);
	CHECK("error", (size_t)(w.p - buf) == DNS_HEADER_BYTES &&
		       !memcmp(buf, "\xab\xcd\x80\x81\0\0\0\0\0\0\0\0", 12));
	w = wr(buf, sizeof(buf));
	dns_emit_error(&w, (struct view){ (const uint8_t *)"\xab\xcd\x79\0",
					  4 }, DNS_NOTIMP);
	CHECK("opcode and RD are kept", !memcmp(buf + 2, "\xf9\x84", 2));
}

static void check_header(void)
{
	static const char msg[] = "\xab\xcd\x83\x85\0\0\0\0\0\0\0\0";
	const struct view v = { .p = (const uint8_t *)msg, .len = 12 };
	const struct view cut = { .p = v.p, .len = 11 };
	bool response = false, truncated = false;
	uint8_t rcode = 77, two[2];
	uint16_t id = 7777;

	CHECK("cut", dns_parse_header(cut, &id, &response, &truncated,
				      &rcode) == DROP_SHORT);
	CHECK("untouched", id == 7777 && rcode == 77);
	CHECK("whole", dns_parse_header(v, &id, &response, &truncated,
					&rcode) == DROP_OK);
	CHECK("fields", id == 0xabcd && response && truncated && rcode == 5);
	dns_set_id(two, 0xfeed);
	CHECK("id", two[0] == 0xfe && two[1] == 0xed);
}

#define ZEROS	"0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."

static const struct {
	const char *name, *ip;		/* NULL: none */
} reverse[] = {
	{ "4.3.2.1.in-addr.arpa", "1.2.3.4" },
	{ "255.0.0.10.in-addr.arpa", "10.0.0.255" },
	{ "f.0.0.0.0.0.0.0." ZEROS "ip6.arpa", "::f" },
	{ "f." ZEROS "0.0.0.1.0.0.2.ip6.arpa", "2001::f" },
	{ "F." ZEROS "0.0.0.1.0.0.2.ip6.arpa", NULL },
	{ "f." ZEROS "0.0-0.1.0.0.2.ip6.arpa", NULL },
	{ "3.2.1.in-addr.arpa", NULL },
	{ "5.4.3.2.1.in-addr.arpa", NULL },
	{ "4.3.2.256.in-addr.arpa", NULL },
	{ "4.3.2.0001.in-addr.arpa", NULL },
	{ "4.3.2..in-addr.arpa", NULL },
	{ "4.3.2.a.in-addr.arpa", NULL },
	{ ".in-addr.arpa", NULL },
	{ "in-addr.arpa", NULL },
	{ "0.ip6.arpa", NULL },
	{ "host.example", NULL },
	{ "", NULL },
};

static void check_reverse(void)
{
	for (size_t i = 0; i < sizeof(reverse) / sizeof(reverse[0]); i++) {
		struct ip ip, want;
		const bool is = dns_reverse_address(reverse[i].name, &ip);

		CHECK(reverse[i].name, is == !!reverse[i].ip);
		if (is && reverse[i].ip)
			CHECK(reverse[i].name,
			      ip_parse(reverse[i].ip, &want) &&
			      ip_equal(&ip, &want));
	}
}

void test_wire_dns(void);
void test_wire_dns(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
	check_answers();
	check_emit();
	check_header();
	check_reverse();
}
