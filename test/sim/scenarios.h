/* SPDX-License-Identifier: MIT */
/* test/sim/scenarios.h - worlds written down by hand. */
#ifndef TEST_SIM_SCENARIOS_H
#define TEST_SIM_SCENARIOS_H

#include "sim/plan.h"

/* One thing made difficult, all else plain. *name: NULL after the last. */
struct plan scenario(unsigned n, const char **name);

#endif
