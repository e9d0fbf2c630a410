/* SPDX-License-Identifier: MIT */
/*
 * network/openings.h - for which names a guest was given which addresses
 *
 * What rules by name go by: an opening is a name, as a guest asked for it, and
 * an address of the answer: that guest's, and no other one's. It lasts for as
 * long as the answer may be kept, at least OPENING_LEAST_S and at most
 * OPENING_MOST_S, and in the table until its room is needed: so the flows that
 * run still have the names that they began by when the rules change.
 *
 * An address that the world may not speak for (see ip_is_public(), and the
 * host's own) is not opened by a name, or who answers for an allowed one
 * could send the guest to any of them (*DNS rebinding*). It is held all the
 * same: a rule that blocks the name is to find it.
 *
 * Limits: OPENINGS_MAX in one block of memory, taken with the first; then
 * the one goes that was given longest ago. OPENING_NAMES_MAX of one address,
 * for one guest; then its oldest goes. Nothing is kept of a name of more than
 * OPENING_NAME_BYTES - 1 characters, so it opens nothing.
 */
#ifndef NETWORK_OPENINGS_H
#define NETWORK_OPENINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/network_guest.h"
#include "base/siphash.h"
#include "env/env.h"

#define OPENINGS_MAX		3000u
#define OPENING_NAMES_MAX	16u
#define OPENING_NAME_BYTES	256u	/* of a rule: RULE_NAME_BYTES */
#define OPENING_LEAST_S		600u
#define OPENING_MOST_S		86400u
#define OPENINGS_CHAINS		1024u
#define OPENINGS_BYTES		(1u << 20)

struct opening;

struct openings {
	struct opening *at;		/* env memory; NULL: none yet */
	uint32_t used;			/* the first of them */
	uint32_t of[NETWORK_GUESTS_MAX];	/* how many each guest has */
	uint32_t newest, oldest;	/* slot + 1, by when it was given */
	uint32_t chain[OPENINGS_CHAINS];	/* by address: slot + 1 */
	struct siphash_key key;
	uint64_t lost;			/* ever: their room was needed */
};

/* That guest is given ip for name (borrowed); not kept without memory. */
void openings_note(struct openings *o, const struct env *env, unsigned guest,
		   const char *name, const struct ip *ip, uint32_t ttl_s,
		   uint64_t now_ns);

/*
 * The names of an address for that guest, the one given last first; lent until
 * the next openings_note(). since_ns: those that held then or were given later;
 * 0: all that are known.
 *
 * Return: how many.
 */
unsigned openings_names(const struct openings *o, unsigned guest,
			const struct ip *ip, uint64_t since_ns,
			const char *names[OPENING_NAMES_MAX]);

/* The guest has gone: another one may have its number. */
void openings_forget(struct openings *o, unsigned guest);

/* Forget all, and give the memory back. */
void openings_fini(struct openings *o, const struct env *env);

#endif
