/* SPDX-License-Identifier: MIT */
/* test/unit/wire_ndp.c - links base and wire, nothing else. */
#include "wire/ndp.h"

#include "base/csum.h"
#include "exact.h"
#include "test.h"

#define BYTES(s) .bytes = (s), .len = sizeof(s) - 1
#define FLAGS	"\0\0\0\0"
#define TARGET	"\xfd\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
#define SOURCE_MAC "\x01\x01\x02\0\0\0\0\x02"
#define TARGET_MAC "\x02\x01\x02\0\0\0\0\x02"
#define GROUP	"\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
#define MAPPED	"\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01"

static const struct {
	const char *name;
	const char *bytes;		/* the checksum is filled in */
	size_t len;
	enum drop want;
	bool has_mac;
	bool nobody;			/* from :: */
	uint8_t hops;			/* 0: 255 */
} cases[] = {
	{ "solicit", BYTES("\x87\0\0\0" FLAGS TARGET SOURCE_MAC),
	  .has_mac = true },
	{ "solicit without MAC", BYTES("\x87\0\0\0" FLAGS TARGET) },
	{ "probe", BYTES("\x87\0\0\0" FLAGS TARGET), .nobody = true },
	{ "another option", BYTES("\x87\0\0\0" FLAGS TARGET
				  "\x0e\x01\1\2\3\4\5\6" SOURCE_MAC),
	  .has_mac = true },
	{ "target's MAC does not count", BYTES("\x87\0\0\0" FLAGS TARGET
					       TARGET_MAC) },
	{ "advert", BYTES("\x88\0\0\0" "\xe0\0\0\0" TARGET TARGET_MAC),
	  .has_mac = true },
	{ "router solicit", BYTES("\x85\0\0\0" FLAGS SOURCE_MAC),
	  .has_mac = true },
	{ "router solicit alone", BYTES("\x85\0\0\0" FLAGS) },

	{ "nothing", BYTES(""), DROP_SHORT },
	{ "head cut", BYTES("\x87\0\0"), DROP_SHORT },
	{ "router solicit cut", BYTES("\x85\0\0\0" "\0\0\0"), DROP_SHORT },
	{ "target cut", BYTES("\x87\0\0\0" FLAGS "\xfd\x01"), DROP_SHORT },
	{ "option cut", BYTES("\x87\0\0\0" FLAGS TARGET "\x01"), DROP_SHORT },
	{ "option too long", BYTES("\x87\0\0\0" FLAGS TARGET "\x01\x02"
				   "\1\2\3\4\5\6"), DROP_SHORT },
	{ "option of 0", BYTES("\x87\0\0\0" FLAGS TARGET "\x01\0"
			       "\1\2\3\4\5\6"), DROP_LENGTH },
	{ "code", BYTES("\x87\x01\0\0" FLAGS TARGET), DROP_VALUE },
	{ "hops", BYTES("\x87\0\0\0" FLAGS TARGET), DROP_VALUE, .hops = 254 },
	{ "group", BYTES("\x87\0\0\0" FLAGS GROUP), DROP_VALUE },
	{ "mapped", BYTES("\x87\0\0\0" FLAGS MAPPED), DROP_VALUE },
	{ "probe with MAC", BYTES("\x87\0\0\0" FLAGS TARGET SOURCE_MAC),
	  DROP_VALUE, .nobody = true },
	{ "router advert", BYTES("\x86\0\0\0" FLAGS "\0\0\0\0\0\0\0\0"),
	  DROP_NOTOURS },
	{ "redirect", BYTES("\x89\0\0\0" FLAGS TARGET TARGET), DROP_NOTOURS },
	{ "echo", BYTES("\x80\0\0\0" FLAGS), DROP_NOTOURS },
};

static void seal(const struct ip_packet *ip, uint8_t *p, size_t len)
{
	const uint16_t sum = csum_finish(csum_add(
		csum_pseudo(0, &ip->src, &ip->dst, PROTO_ICMP6,
			    (uint32_t)len), p, len));

	if (len < 4)
		return;
	p[2] = (uint8_t)(sum >> 8);
	p[3] = (uint8_t)sum;
}

static void check_case(size_t i)
{
	const char *name = cases[i].name;
	uint8_t *copy = exact(cases[i].bytes, cases[i].len);
	struct ip_packet ip = {
		.v6 = true, .proto = PROTO_ICMP6,
		.src.b = { cases[i].nobody ? 0 : 0xfd, [15] =
			   cases[i].nobody ? 0 : 2 },
		.dst.b = { 0xff, 2, [15] = 1 },
		.ttl = cases[i].hops ? cases[i].hops : 255,
		.payload = { .p = copy, .len = cases[i].len },
	};
	struct ndp n = { .type = NDP_ROUTER_ADVERT };

	seal(&ip, copy, cases[i].len);
	CHECK(name, ndp_parse(&ip, &n) == cases[i].want);
	if (cases[i].want != DROP_OK) {
		CHECK(name, n.type == NDP_ROUTER_ADVERT);	/* untouched */
	} else {
		const bool advert = n.type == NDP_NEIGHBOR_ADVERT;

		CHECK(name, (uint8_t)n.type == copy[0]);
		CHECK(name, n.has_mac == cases[i].has_mac);
		CHECK(name, !n.has_mac || n.mac.b[5] == 2);
		CHECK(name, n.router == advert && n.solicited == advert &&
			    n.override == advert);
		copy[2] ^= 1;
		CHECK(name, ndp_parse(&ip, &n) == DROP_CHECKSUM);
	}
	free(copy);
}

static void check_emit(void)
{
	const struct ip ip = { .b = { 0xfd, [15] = 1 } };
	const struct ndp n = {
		.type = NDP_NEIGHBOR_ADVERT, .target = ip, .has_mac = true,
		.mac = { { 2, 0, 0, 0, 0, 1 } }, .solicited = true,
	};
	uint8_t buf[32];
	struct wr w = wr(buf, sizeof(buf));
	struct ip_packet p = {
		.v6 = true, .proto = PROTO_ICMP6, .ttl = 255, .src = ip,
		.dst = ip, .payload = { .p = buf, .len = sizeof(buf) },
	};
	struct ndp m;

	ndp_emit_advert(&w, &ip, &ip, &n);
	CHECK("32 bytes", !w.bad && !w.left);
	CHECK("read again", ndp_parse(&p, &m) == DROP_OK && m.solicited &&
	      !m.router && !m.override && mac_equal(&m.mac, &n.mac));
	w = wr(buf, sizeof(buf) - 1);
	ndp_emit_advert(&w, &ip, &ip, &n);
	CHECK("no room", w.bad);
}

void test_wire_ndp(void);
void test_wire_ndp(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i);
	check_emit();
}
