/* SPDX-License-Identifier: MIT */
/* test/unit/proto_macs.c - who spoke last with an address has it. */
#include "proto/macs.h"

#include "test.h"

static const struct mac own = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac first = { { 2, 0, 0, 0, 0, 2 } };
static const struct mac a = { { 2, 0, 0, 0, 0, 0xa } };
static const struct mac b = { { 2, 0, 0, 0, 0, 0xb } };

static struct ip six(unsigned i)
{
	return (struct ip){ .b = { 0xfd, [14] = (uint8_t)(i >> 8),
				   [15] = (uint8_t)i } };
}

static bool at(const struct macs *m, const struct ip ip, const struct mac *mac)
{
	return mac_equal(macs_of(m, &ip), mac);
}

static void check_ip4(void)
{
	const struct mac group = { { 3, 0, 0, 0, 0, 9 } };
	const struct ip ip = ip_from_v4(0xac140002);
	struct macs m;

	macs_init(&m, &own, &first, false);
	CHECK("not heard yet", at(&m, ip, &first));
	macs_heard(&m, &ip, &own);
	macs_heard(&m, &ip, &group);
	CHECK("neither ours nor a group's", at(&m, ip, &first));
	macs_heard(&m, &ip, &a);
	CHECK("heard", at(&m, ip, &a) && at(&m, six(1), &a));
	macs_heard(&m, &ip, &b);
	CHECK("moved", at(&m, ip, &b) && at(&m, six(1), &b));

	macs_init(&m, &own, &first, true);
	macs_heard(&m, &ip, &a);
	CHECK("fixed", at(&m, ip, &first));
}

static void check_ip6(void)
{
	const struct ip four = ip_from_v4(0xac140002);
	const struct ip one = six(1), two = six(2);
	struct macs m;

	macs_init(&m, &own, &first, false);
	macs_heard(&m, &one, &a);
	CHECK("all that is known", at(&m, four, &a) && at(&m, two, &a));
	macs_heard(&m, &two, &b);
	CHECK("side by side", at(&m, one, &a) && at(&m, two, &b));
	macs_heard(&m, &four, &a);
	macs_heard(&m, &two, &b);
	CHECK("IPv4 stays", at(&m, four, &a) && at(&m, six(3), &a));
	macs_heard(&m, &one, &b);
	CHECK("moved", at(&m, one, &b) && m.n == 2);
}

/* As many as one likes: the last ones are known. */
static void check_many(void)
{
	const struct ip four = ip_from_v4(0xac140002);
	struct macs m;

	macs_init(&m, &own, &first, false);
	macs_heard(&m, &four, &a);
	for (unsigned i = 0; i < 1000; i++) {
		const struct ip ip = six(i);

		macs_heard(&m, &ip, &b);
		CHECK("bounded", m.n <= MACS_MAX);
	}
	for (unsigned i = 1000 - MACS_MAX; i < 1000; i++)
		CHECK("known", at(&m, six(i), &b));
	CHECK("forgotten", at(&m, six(1000 - MACS_MAX - 1), &a));
}

void test_proto_macs(void);
void test_proto_macs(void)
{
	check_ip4();
	check_ip6();
	check_many();
}
