/* SPDX-License-Identifier: MIT */
/* test/unit/base_siphash.c - links base, nothing else. */
#include "base/siphash.h"

#include "exact.h"
#include "test.h"

/* The paper's test: key 00..0f, input 00, 01, .. of growing length. */
static const uint64_t vectors[] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
	0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
	0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
	0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee,
	0xa129ca6149be45e5,
};

void test_base_siphash(void);
void test_base_siphash(void)
{
	const struct siphash_key key = { { 0x0706050403020100,
					   0x0f0e0d0c0b0a0908 } };
	const struct siphash_key other = { { 0x0706050403020101,
					     0x0f0e0d0c0b0a0908 } };
	uint8_t in[300];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (size_t n = 0; n < sizeof(vectors) / sizeof(vectors[0]); n++) {
		uint8_t *copy = exact(in, n);

		CHECK("paper", siphash(&key, copy, n) == vectors[n]);
		CHECK("key", siphash(&other, copy, n) != vectors[n]);
		free(copy);
	}
	for (size_t n = 1; n < sizeof(in); n++) {
		uint8_t *copy = exact(in, n);
		const uint64_t h = siphash(&key, copy, n);

		CHECK("length", h != siphash(&key, copy, n - 1));
		copy[n - 1] ^= 0x80;
		CHECK("last bit", h != siphash(&key, copy, n));
		free(copy);
	}
}
