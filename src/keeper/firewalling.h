/* SPDX-License-Identifier: MIT */
/*
 * keeper/firewalling.h - the rules in force, and that the engine has them
 *
 * The engine lets nothing pass until it has been told the rules, which is
 * the first that it hears. Each change makes one more *generation* of them,
 * which goes there whole, in a file that it maps. Should the channel be full,
 * it is sent again, every FIREWALLING_AGAIN_NS, and until then the one before
 * is in force.
 *
 * The firewall may be off for a while, and turns itself on again. Neither
 * that nor the generation is kept for the next run; what is: the profile and
 * what was added and changed (keeper/rulebook.h), in the state by the
 * network's name.
 */
#ifndef KEEPER_FIREWALLING_H
#define KEEPER_FIREWALLING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/fail.h"
#include "base/network_blocked.h"
#include "firewall/firewall.h"
#include "keeper/rulebook.h"

#define FIREWALLING_AGAIN_NS	UINT64_C(10000000)

struct keeper;

struct firewalling {
	struct rulebook book;
	struct ruleset linked;		/* with what links lead to, see
					   keeper/programlinks.h; or empty */
	uint32_t generation;		/* the last one made; 0: none */
	bool on;
	bool keep_flows;		/* at this generation */
	uint64_t on_ns;			/* when it is on again; NEVER */
	uint64_t again_ns;		/* when to send it again; NEVER */
	enum rule_profile profile;	/* said in this run; 0: not */
	/* For the keeper's own questions; NULL: not compiled yet. */
	struct firewall *compiled;
	uint64_t *block;		/* owned */
};

/*
 * What was kept, what the configuration says, and what is published by now;
 * the engine is told. 0, or -1 with fail set.
 */
MUST int firewalling_begin(struct keeper *k, struct fail *fail);

/* Tell the engine what is in force from now on: one more generation. */
void firewalling_tell(struct keeper *k, bool keep_flows);

/* What is published has changed. */
void firewalling_published(struct keeper *k);

/* Do what is due; when there is more to do, NEVER for never. */
uint64_t firewalling_tick(struct keeper *k, uint64_t now_ns);

/* The profile in force, and what holds where no rule does. */
enum rule_profile firewalling_profile(const struct keeper *k);
struct firewall_defaults firewalling_defaults(const struct keeper *k);
/* Is the guest held to an allow list? */
bool firewalling_has_list(const struct keeper *k);
/* Is who is blocked told so? */
bool firewalling_refuses(const struct keeper *k);

/* The rules compiled, as the engine does; NULL: no memory. */
const struct firewall *firewalling_compiled(struct keeper *k);

/* The engine has blocked something. */
void firewalling_blocked(struct keeper *k,
			 const struct network_blocked *what);

/* Write the state. 0 or -errno. */
MUST int firewalling_save(const struct keeper *k);

#endif
