/* SPDX-License-Identifier: MIT */
#include "base/host_names.h"

const char *const host_names[HOST_NAMES] = {
#define X(name) name,
	HOST_NAMES_LIST(X)
#undef X
};
