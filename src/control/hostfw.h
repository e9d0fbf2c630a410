/* SPDX-License-Identifier: MIT */
/*
 * control/hostfw.h - what the host's own firewall does with a new connection
 *
 * Theory of operation
 * ===================
 *
 * The question is: what becomes of the first packet of a connection (or of an
 * exchange over UDP) that a machine somewhere outside begins to a local port?
 * The rules are read as `nft -j list ruleset` prints them. Nothing is run or
 * changed here; cmd/hostfw.h does the asking.
 *
 * Of that packet some things are certain: its family, its protocol, its port,
 * that it is a SYN, that its connection is new, that it is for this machine
 * and does not come in at lo. Others are not: addresses, interfaces, marks,
 * the rate of others like it. So a match is yes, no or maybe, and a rule, a
 * chain, has a set of outcomes: accept, drop, return, and elsewhere (NAT,
 * a queue: what happens then is not known here). A rule that may match adds
 * its outcomes to the set and the walk goes on; one that matches ends it.
 *
 * A packet comes in only if every base chain of the hooks prerouting and
 * input lets it. Hence the answer
 *
 *   DROPPED  one of them has no outcome but drop (or reject), and none has
 *            elsewhere: whatever the rules that could not be decided say
 *   ALLOWED  all of them have no outcome but accept
 *   UNKNOWN  else; the user is told nothing rather than something wrong
 *
 * Chains of netdev and bridge are not looked at. What iptables-nft has put
 * in the words of its own extensions, JSON does not tell: the same rule in
 * nft's text does (control/hostfw_xt.h), and without it may match.
 *
 * Limits. 16 jumps deep, as the kernel has it; 200,000 rules and
 * elements of sets looked at in one base chain, counting each time; beyond
 * them the outcome is elsewhere.
 */
#ifndef CONTROL_HOSTFW_H
#define CONTROL_HOSTFW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum hostfw_answer {
	HOSTFW_UNKNOWN,
	HOSTFW_ALLOWED,
	HOSTFW_DROPPED,
};

struct hostfw_packet {
	bool v6;			/* else IPv4 */
	bool udp;			/* else a SYN of TCP */
	uint16_t port;			/* to which it goes */
};

/* Who dropped it; texts are lent until hostfw_free(). */
struct hostfw_why {
	const char *family, *table;
	const char *chain;		/* that decided */
	json_int_t handle;		/* of its rule; 0: its policy */
	const char *base;		/* the base chain that led there */
	bool ufw;			/* the table has chains of ufw */
};

struct hostfw;

/**
 * hostfw_load() - make a ruleset ready for questions
 * @ruleset:	of `nft -j list ruleset`, anything; taken
 * @text:	of `nft -a list ruleset`, borrowed; NULL: there is none
 *
 * Return: to be given to hostfw_free(); NULL: that is no ruleset, or there is
 * no memory.
 */
MUST struct hostfw *hostfw_load(json_t *ruleset, const char *text);
void hostfw_free(struct hostfw *fw);

/* Are there rules that only nft's text tells? */
MUST bool hostfw_wants_text(json_t *ruleset);

/* *why is filled if the answer is HOSTFW_DROPPED. */
MUST enum hostfw_answer hostfw_ask(const struct hostfw *fw,
				   const struct hostfw_packet *p,
				   struct hostfw_why *why);

#endif
