/* SPDX-License-Identifier: MIT */
/* test/unit/base_span.c - bytes in several places, at every cut. */
#include "base/span.h"

#include <string.h>

#include "test.h"

#define TEXT	"abcdefghijkl"
#define LEN	(sizeof(TEXT) - 1)

/* What is left of TEXT from `skip` on, `cut` bytes short of its end. */
static void check(size_t near, size_t skip, size_t cut)
{
	struct span far[4], out[1 + SCATTER_FAR_MAX];
	char bytes[LEN], got[LEN];
	struct scatter s = { .len = LEN, .far = far,
			     .near = { (const uint8_t *)bytes, near } };
	size_t at = 0;
	unsigned n;

	memcpy(bytes, TEXT, LEN);
	/* Of 2, 0, 1 and as many bytes as are left. */
	far[0] = (struct span){ bytes + near, 2 };
	far[1] = (struct span){ bytes + near + 2, 0 };
	far[2] = (struct span){ bytes + near + 2, 1 };
	far[3] = (struct span){ bytes + near + 3, LEN - near - 3 };
	scatter_skip(&s, skip / 2);
	scatter_skip(&s, skip - skip / 2);
	s.len -= cut;
	n = scatter_spans(&s, out);
	for (unsigned i = 0; i < n; i++) {
		CHECK("not empty", out[i].len > 0);
		memcpy(got + at, out[i].p, out[i].len);
		at += out[i].len;
	}
	CHECK("bytes", at == LEN - skip - cut &&
		       !memcmp(got, &TEXT[skip], at));
}

void test_base_span(void);
void test_base_span(void)
{
	for (size_t near = 0; near <= LEN - 3; near++)
		for (size_t skip = 0; skip <= LEN; skip++)
			for (size_t cut = 0; cut + skip <= LEN; cut++)
				check(near, skip, cut);
}
