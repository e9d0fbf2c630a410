/* SPDX-License-Identifier: MIT */
/* test/unit/test.h - a check that names the case, and goes on. */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>

extern unsigned test_failures;

#define CHECK(name, cond)						\
	do {								\
		if (!(cond)) {						\
			test_failures++;				\
			fprintf(stderr, "not ok %s: %s:%d: %s\n",	\
				(name), __FILE__, __LINE__, #cond);	\
		}							\
	} while (0)

#endif
