/* SPDX-License-Identifier: MIT */
/* test/unit/base_drop.c - links base, nothing else. */
#include "base/drop.h"

#include <string.h>

#include "test.h"

void test_base_drop(void);
void test_base_drop(void)
{
	CHECK("ok", !strcmp(drop_text(DROP_OK), "accepted"));
	CHECK("short", !strcmp(drop_name(DROP_SHORT), "SHORT"));
	CHECK("past end", drop_name(DROP_MAX) && drop_text(DROP_MAX));
	CHECK("garbage", drop_name((enum drop)9999) &&
			 drop_text((enum drop)9999));
	for (unsigned i = 0; i < DROP_MAX; i++) {
		const char *name = drop_name((enum drop)i);

		CHECK("text", drop_text((enum drop)i)[0]);
		CHECK(name, name[0] && name[strspn(name,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0');
		for (unsigned j = 0; j < i; j++)
			CHECK(name, strcmp(name, drop_name((enum drop)j)));
	}
}
