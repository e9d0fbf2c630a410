/* SPDX-License-Identifier: MIT */
/* test/fake/rules.h - rules of the firewall for a network that tests made. */
#ifndef FAKE_RULES_H
#define FAKE_RULES_H

#include "network/network.h"

/* Sets that tests give by number. */
enum fake_rules {
	FAKE_RULES_OFF,
	FAKE_RULES_EMPTY,	/* only other machines are kept out */
	FAKE_RULES_OPEN,	/* nobody is */
	FAKE_RULES_SOME,	/* odd ports are blocked, each way */
	FAKE_RULES_PROGRAMS,	/* so is FAKE_PROGRAM, at either end */
	FAKE_RULES_LOST,	/* none could be had: nothing passes */
	FAKE_RULES_NAMES,	/* out by name alone, and to even ports */
	FAKE_RULES_MAX
};

#define FAKE_PROGRAM "/usr/bin/culprit"

/* Give a network rules in our own text, of `private`; any error aborts. */
void fake_set_rules_text(struct network *net,
			 const struct network_setup *setup, const char *text,
			 const struct network_rules *with, uint64_t now_ns);

/* The same of a set. Memory is static: one network at a time. */
void fake_set_rules(struct network *net, const struct network_setup *setup,
		    enum fake_rules which, uint64_t now_ns);

#endif
