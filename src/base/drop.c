/* SPDX-License-Identifier: MIT */
#include "base/drop.h"

static const char *const texts[DROP_MAX] = {
#define X(id, text) [DROP_##id] = text,
	DROP_LIST(X)
#undef X
};

static const char *const names[DROP_MAX] = {
#define X(id, text) [DROP_##id] = #id,
	DROP_LIST(X)
#undef X
};

const char *drop_text(enum drop drop)
{
	return drop < DROP_MAX ? texts[drop] : "unknown";
}

const char *drop_name(enum drop drop)
{
	return drop < DROP_MAX ? names[drop] : "unknown";
}
