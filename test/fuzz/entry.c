/* SPDX-License-Identifier: MIT */
/* test/fuzz/entry.c - libFuzzer's way into the target named by TARGET. */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	TARGET(data, size);
	return 0;
}
