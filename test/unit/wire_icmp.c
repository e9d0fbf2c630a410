/* SPDX-License-Identifier: MIT */
/* test/unit/wire_icmp.c - links base and wire, nothing else. */
#include "wire/icmp.h"

#include "base/csum.h"
#include "exact.h"
#include "test.h"

#define BYTES(s) .bytes = (s), .len = sizeof(s) - 1

static struct ip v4(void)
{
	return ip_from_v4(0xc0000201);
}

static struct ip v6(void)
{
	return (struct ip){ .b = { 0x20, 1, [15] = 1 } };
}

static bool sum_ok(const struct ip *src, const uint8_t *msg, size_t len)
{
	const csum_t sum = ip_is4(src) ? 0 :
		csum_pseudo(0, src, src, PROTO_ICMP6, (uint32_t)len);

	return csum_fold(csum_add(sum, msg, len)) == 0xffff;
}

static const struct {
	const char *name;
	uint8_t proto;
	const char *bytes;
	size_t len;
	enum drop want;
	bool reply;
} echoes[] = {
	{ "request", PROTO_ICMP, BYTES("\x08\0..\0\x01\0\x02" "abc") },
	{ "reply", PROTO_ICMP, BYTES("\0\0..\0\x01\0\x02" "abc"),
	  .reply = true },
	{ "request 6", PROTO_ICMP6, BYTES("\x80\0..\0\x01\0\x02" "abc") },
	{ "reply 6", PROTO_ICMP6, BYTES("\x81\0..\0\x01\0\x02" "abc"),
	  .reply = true },
	{ "other family", PROTO_ICMP, BYTES("\x80\0..\0\x01\0\x02" "abc"),
	  DROP_NOTOURS },
	{ "other family 6", PROTO_ICMP6, BYTES("\x08\0..\0\x01\0\x02" "abc"),
	  DROP_NOTOURS },
	{ "unreachable", PROTO_ICMP, BYTES("\x03\0..\0\0\0\0"),
	  DROP_NOTOURS },
	{ "code 1", PROTO_ICMP, BYTES("\x08\x01..\0\x01\0\x02"), DROP_VALUE },
	{ "cut", PROTO_ICMP, BYTES("\x08\0..\0\x01\0"), DROP_SHORT },
	{ "nothing", PROTO_ICMP6, BYTES(""), DROP_SHORT },
};

static void check_echoes(void)
{
	for (size_t i = 0; i < sizeof(echoes) / sizeof(echoes[0]); i++) {
		const char *name = echoes[i].name;
		uint8_t *copy = exact(echoes[i].bytes, echoes[i].len);
		const struct ip_packet ip = {
			.proto = echoes[i].proto,
			.payload = { .p = copy, .len = echoes[i].len },
		};
		struct icmp_echo e = { .id = 77 };

		CHECK(name, icmp_parse_echo(&ip, &e) == echoes[i].want);
		if (echoes[i].want == DROP_OK)
			CHECK(name, e.id == 1 && e.seq == 2 &&
			      e.reply == echoes[i].reply && e.data.len == 3);
		else
			CHECK(name, e.id == 77);
		free(copy);
	}
}

static void check_emit_echo(void)
{
	const struct ip family[] = { v4(), v6() };
	const struct icmp_echo e = { .reply = true, .id = 1, .seq = 2,
		.data = { .p = (const uint8_t *)"abc", .len = 3 } };
	const struct icmp_echo ask = { .id = 1, .seq = 2 };
	uint8_t buf[11];
	struct wr w;

	for (unsigned i = 0; i < 2; i++) {
		w = wr(buf, sizeof(buf));
		icmp_emit_echo(&w, &family[i], &family[i], &e);
		CHECK("whole", !w.bad && !w.left);
		CHECK("reply", buf[0] == (i ? 129 : 0) &&
			       sum_ok(&family[i], buf, sizeof(buf)));
		w = wr(buf, sizeof(buf));
		icmp_emit_echo(&w, &family[i], &family[i], &ask);
		CHECK("request", buf[0] == (i ? 128 : 8) &&
				 sum_ok(&family[i], buf, 8));
		w = wr(buf, sizeof(buf) - 1);
		icmp_emit_echo(&w, &family[i], &family[i], &e);
		CHECK("no room", w.bad);
	}
}

/* Type and code for both families; RFC 792, RFC 1812, RFC 4443. */
static const struct {
	enum icmp_error error;
	uint8_t type4, code4, type6, code6;
	uint32_t word4, word6;		/* behind the checksum */
} errors[] = {
	{ ICMP_NET_UNREACHABLE, 3, 0, 1, 0, 0, 0 },
	{ ICMP_HOST_UNREACHABLE, 3, 1, 1, 3, 0, 0 },
	{ ICMP_PROTO_UNREACHABLE, 3, 2, 4, 1, 0, 70000 },
	{ ICMP_PORT_UNREACHABLE, 3, 3, 1, 4, 0, 0 },
	{ ICMP_PROHIBITED, 3, 13, 1, 1, 0, 0 },
	{ ICMP_TOO_BIG, 3, 4, 2, 0, 0xffff, 70000 },
	{ ICMP_TTL_EXCEEDED, 11, 0, 3, 0, 0, 0 },
	{ ICMP_REASSEMBLY_EXCEEDED, 11, 1, 3, 1, 0, 0 },
	{ ICMP_PARAMETER, 12, 0, 4, 0, 70000u << 24, 70000 },
	{ ICMP_OPTION_MISSING, 12, 1, 4, 0, 0, 70000 },
	{ ICMP_REJECT_ROUTE, 3, 13, 1, 6, 0, 0 },
	{ ICMP_PRECEDENCE_CUTOFF, 3, 15, 1, 1, 0, 0 },
};

static void check_error(size_t i, const struct ip *ip)
{
	static const uint8_t packet[2000];
	const bool four = ip_is4(ip);
	uint8_t buf[1500];
	struct wr w = wr(buf, sizeof(buf));
	size_t len;

	icmp_emit_error(&w, ip, ip, errors[i].error, 70000,
			(struct view){ packet, sizeof(packet) });
	len = (size_t)(w.p - buf);
	CHECK("type", buf[0] == (four ? errors[i].type4 : errors[i].type6));
	CHECK("code", buf[1] == (four ? errors[i].code4 : errors[i].code6));
	CHECK("word", ((uint32_t)buf[4] << 24 | (uint32_t)buf[5] << 16 |
		       (uint32_t)buf[6] << 8 | buf[7]) ==
		      (four ? errors[i].word4 : errors[i].word6));
	CHECK("quote", len == 8 + (four ? 548u : 1232u));
	CHECK("checksum", sum_ok(ip, buf, len));
}

static const struct {
	const char *name, *src, *dst;
	uint8_t proto, type;		/* type: first byte of the payload */
	uint16_t frag_offset;
	size_t len;
	bool want;
} answerable[] = {
	{ "UDP", "192.0.2.1", "192.0.2.2", PROTO_UDP, 0, 0, 8, true },
	{ "empty", "192.0.2.1", "192.0.2.2", PROTO_UDP, 0, 0, 0, true },
	{ "echo", "192.0.2.1", "192.0.2.2", PROTO_ICMP, 8, 0, 8, true },
	{ "echo 6", "2001::1", "2001::2", PROTO_ICMP6, 128, 0, 8, true },
	{ "ICMPv6 in IPv4", "192.0.2.1", "192.0.2.2", PROTO_ICMP6, 1, 0, 8,
	  true },
	{ "ICMP in IPv6", "2001::1", "2001::2", PROTO_ICMP, 3, 0, 8, true },
	{ "unreachable", "192.0.2.1", "192.0.2.2", PROTO_ICMP, 3, 0, 8,
	  false },
	{ "quench", "192.0.2.1", "192.0.2.2", PROTO_ICMP, 4, 0, 8, false },
	{ "redirect", "192.0.2.1", "192.0.2.2", PROTO_ICMP, 5, 0, 8, false },
	{ "time", "192.0.2.1", "192.0.2.2", PROTO_ICMP, 11, 0, 8, false },
	{ "problem", "192.0.2.1", "192.0.2.2", PROTO_ICMP, 12, 0, 8, false },
	{ "no type", "192.0.2.1", "192.0.2.2", PROTO_ICMP, 8, 0, 0, false },
	{ "error 6", "2001::1", "2001::2", PROTO_ICMP6, 127, 0, 8, false },
	{ "no type 6", "2001::1", "2001::2", PROTO_ICMP6, 128, 0, 0, false },
	{ "to a group", "192.0.2.1", "224.0.0.1", PROTO_UDP, 0, 0, 8, false },
	{ "to all", "192.0.2.1", "255.255.255.255", PROTO_UDP, 0, 0, 8,
	  false },
	{ "from a group", "ff02::1", "2001::2", PROTO_UDP, 0, 0, 8, false },
	{ "from nobody", "::", "2001::2", PROTO_UDP, 0, 0, 8, false },
	{ "later fragment 6", "2001::1", "2001::2", PROTO_UDP, 0, 8, 8, true },
	{ "that may be an error", "2001::1", "2001::2", PROTO_ICMP6, 128, 8,
	  8, false },
	{ "later fragment", "192.0.2.1", "192.0.2.2", PROTO_UDP, 0, 8, 8,
	  false },
};

static void check_answerable(size_t i)
{
	const uint8_t payload[8] = { answerable[i].type };
	struct ip_packet p = {
		.proto = answerable[i].proto,
		.frag_offset = answerable[i].frag_offset,
		.payload = { .p = payload, .len = answerable[i].len },
	};
	const char *name = answerable[i].name;

	CHECK(name, ip_parse(answerable[i].src, &p.src));
	CHECK(name, ip_parse(answerable[i].dst, &p.dst));
	p.v6 = !ip_is4(&p.src);
	CHECK(name, icmp_may_answer(&p) == answerable[i].want);
}

void test_wire_icmp(void);
void test_wire_icmp(void)
{
	const struct ip a = v4(), b = v6();

	check_echoes();
	check_emit_echo();
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		check_error(i, &a);
		check_error(i, &b);
	}
	for (size_t i = 0; i < sizeof(answerable) / sizeof(answerable[0]); i++)
		check_answerable(i);
}
