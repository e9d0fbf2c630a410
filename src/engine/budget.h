/* SPDX-License-Identifier: MIT */
/* engine/budget.h - what the engine's descriptors are for, at most. */
#ifndef ENGINE_BUDGET_H
#define ENGINE_BUDGET_H

#include <stdint.h>

struct budget {
	uint32_t relays, pipes, exchanges, flows;
};

/* Have as many descriptors as the process may, and share them out. */
struct budget budget_find(void);

#endif
