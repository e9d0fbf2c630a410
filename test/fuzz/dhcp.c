/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/dhcp.c - clients' messages, and that any of them has an answer
 * that fits
 */
#include <string.h>

#include "base/rd.h"
#include "fuzz/fuzz.h"
#include "service/dhcp4.h"
#include "service/dhcp6.h"

static bool inside(struct view v, const uint8_t *data, size_t size)
{
	return !v.p || (v.p >= data && v.len <= size &&
			(size_t)(v.p - data) <= size - v.len);
}

void fuzz_dhcp4(const uint8_t *data, size_t size)
{
	const struct dhcp4_setup setup = {
		.net4 = { .ip = ip_from_v4(0xac140000), .bits = 20 },
		.gateway4 = ip_from_v4(0xac140001),
		.guest4 = ip_from_v4(0xac140002),
		.mtu = 1500, .hostname = "ship", .search = "a.test b.test",
	};
	struct dhcp4 m = { .xid = 7777 };
	struct dhcp4_answer a;
	uint8_t buf[DHCP4_MAX_BYTES];
	struct wr w;

	if (dhcp4_parse((struct view){ data, size }, &m) != DROP_OK) {
		PROPERTY(m.xid == 7777);
		return;
	}
	PROPERTY(inside(m.params, data, size) && inside(m.agent, data, size) &&
		 inside(m.client_id, data, size));
	PROPERTY(m.max_bytes >= DHCP4_IP_BYTES);
	if (!dhcp4_answer(&setup, &m, &a))
		return;
	/* The least room that there may be, and the most. */
	for (size_t most = DHCP4_MIN_BYTES; most <= DHCP4_MAX_BYTES;
	     most += DHCP4_MAX_BYTES - DHCP4_MIN_BYTES) {
		w = wr(buf, sizeof(buf));
		dhcp4_emit(&w, &m, &a.reply, most);
		PROPERTY(!w.bad && (size_t)(w.p - buf) <= most);
		PROPERTY((size_t)(w.p - buf) >= DHCP4_MIN_BYTES);
	}
}

/* Options of a reply follow one another to its end. */
static void check_options(struct rd r)
{
	rd_be32(&r);
	while (r.left) {
		rd_be16(&r);
		rd_bytes(&r, rd_be16(&r));
	}
	PROPERTY(!r.bad);
}

void fuzz_dhcp6(const uint8_t *data, size_t size)
{
	const struct dhcp6_setup setup = {
		.gateway_mac = { { 2, 0, 0, 0, 0, 1 } },
		.net6 = { .ip = { { 0xfd } }, .bits = 64 },
		.gateway6 = { { 0xfd, [15] = 1 } },
		.guest6 = { { 0xfd, [15] = 2 } }, .search = "a.test b.test",
	};
	struct dhcp6 m = { .xid = 7777 };
	uint8_t buf[DHCP6_REPLY_BYTES];
	struct dhcp6_reply r;

	if (dhcp6_parse((struct view){ data, size }, &m) != DROP_OK) {
		PROPERTY(m.xid == 7777);
		return;
	}
	PROPERTY(inside(m.client_id, data, size) &&
		 inside(m.server_id, data, size));
	PROPERTY(m.n_ia <= DHCP6_IAS_MAX && m.n_addr <= DHCP6_ADDRS_MAX);
	for (unsigned i = 0; i < m.n_ia; i++)
		PROPERTY(m.ia[i].first + m.ia[i].n <= m.n_addr);
	for (unsigned multicast = 0; multicast < 2; multicast++) {
		struct wr w = wr(buf, sizeof(buf));

		if (!dhcp6_answer(&setup, &m, multicast, &r))
			continue;
		dhcp6_emit(&w, &m, &r);
		PROPERTY(!w.bad);
		check_options(rd(buf, (size_t)(w.p - buf)));
	}
}
