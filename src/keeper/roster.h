/* SPDX-License-Identifier: MIT */
/*
 * keeper/roster.h - the other guests of a network that has several
 *
 * The first guest is the network's own: its name, address and MAC are those
 * of keeper/plan.h, and it is behind the first link. Of the others each has a
 * name: that of its section, [guest NAME], which also says by which MAC it is
 * known; of a further link of `serve` without one NETWORK-2, NETWORK-3, ..;
 * or that of a command which joined (keeper/joining.h).
 *
 * An address belongs to a name and is kept by it from run to run. A new name
 * gets the first that is free, from the third of the subnet on; its IPv6
 * address has the same number.
 *
 * Limits: NETWORK_GUESTS_MAX guests with the first, NETWORK_LINKS_MAX links,
 * ROSTER_KEPT_MAX addresses kept: those of names that are not in use make
 * room, the oldest first.
 */
#ifndef KEEPER_ROSTER_H
#define KEEPER_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/fail.h"
#include "base/network_guest.h"
#include "config/config.h"
#include "control/status.h"

#define ROSTER_KEPT_MAX	256

struct keeper;
struct plan;
struct msg_guests;

struct roster_guest {
	bool used;
	char name[CONFIG_NAME_BYTES];
	char hostname[CONFIG_HOSTNAME_BYTES];
	struct mac mac;
	bool learn_mac;			/* until it says its own */
	uint8_t link;			/* NETWORK_LINK_ANY: by its MAC */
	struct ip ip4, ip6;
	/* Of a command that has joined: see keeper/joining.h. */
	uint64_t client;		/* its connection; 0: none */
	uint8_t joined_link;		/* if there is one */
	bool here;			/* its tap has come */
	uint64_t until_ns;		/* when it is to have; else NEVER */
	int tap_fd;			/* the engine's, and ours; -1 */
};

struct roster_kept {
	char name[CONFIG_NAME_BYTES];
	struct ip ip4;
};

struct roster {
	struct roster_guest at[NETWORK_GUESTS_MAX];	/* [0] is never used */
	unsigned n_kept;
	struct roster_kept kept[ROSTER_KEPT_MAX];	/* the oldest first */
	unsigned n_now;			/* as the engine has told last */
	struct network_guest now[NETWORK_GUESTS_MAX];	/* id: index of at */
	struct guest_status status[NETWORK_GUESTS_MAX];
};

/*
 * The guests that there are from the start: of `serve` those of sections and
 * of further links. 0, or -1 with fail set.
 */
MUST int roster_begin(struct keeper *k, struct fail *fail);

/*
 * One more guest, by that name, which is nobody's yet, and section, if it has
 * one; the engine is told. Its index, or -1 with fail set.
 */
MUST int roster_add(struct keeper *k, const char *name, uint8_t link,
		    bool learn_mac, struct fail *fail);

/* It has gone. */
void roster_remove(struct keeper *k, unsigned at);

/* Its index; -1: none of that name, but the first guest's is 0. */
int roster_find(const struct keeper *k, const char *name);

/* The name of the guest that has that address; NULL: none has. */
const char *roster_name_of(const struct keeper *k, const struct ip *ip);

/* Is there any but the first? */
bool roster_has_others(const struct keeper *k);

/* A link's number that no guest has; -1: there is none left. */
int roster_free_link(const struct keeper *k);

/* What the engine knows of them now. */
void roster_take(struct keeper *k, const struct msg_guests *m);

/*
 * For status: how many, with the first. One of a further link that has never
 * been heard is none, if there is another one on that link, by its MAC.
 */
size_t roster_status(struct keeper *k, const struct guest_status **out);

/* ---- pure ---- */

/*
 * The address of a guest: the section's, if it has one, else the one that is
 * kept of its name, else the first that is free. *out; false: none is free,
 * or another guest has the section's.
 */
bool roster_address(const struct roster *g, const struct plan *plan,
		    const struct config *c, const char *name, struct ip *out);

/* The IPv6 address of the guest that has that IPv4 address. */
struct ip roster_ip6(const struct plan *plan, const struct ip *ip4);

/* Lines "NAME = ADDRESS", as the state keeps them; what is none is left. */
void roster_parse(const char *text, struct roster *g);

#endif
