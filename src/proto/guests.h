/* SPDX-License-Identifier: MIT */
/*
 * proto/guests.h - which guest has an address, behind which link, at which MAC
 *
 * Theory of operation
 * ===================
 *
 * A guest is known by its MAC, wherever that is seen first, or it is a link's
 * *own*: whatever MAC nobody is known by speaks there is that guest. For a
 * virtual machine brings a MAC of its own, may change it, and may have more
 * than one: it bridges, or moves to another card. So the MAC of an address is
 * the one that spoke last with it, as in a bridge's table; an address that was
 * only probed for is nobody's yet.
 *
 * A MAC is of the link where it was heard first until that link's other end
 * has gone (guests_link_down()): the same MAC elsewhere is a thief's.
 *
 * An address is of one guest. Its IPv4 address, and one IPv6 address, are
 * given to it for good. In IPv6 it takes more by itself: whatever it speaks
 * with that is nobody's else; nor may it be what another's MAC makes by RFC
 * 4291 appendix A. They are found by a hash table in which a guest's chain is
 * no longer for what another one does to its own: it is keyed.
 *
 * Limits. GUESTS_SIX addresses that a guest has taken by itself: then the one
 * goes that has been silent longest; GUESTS_MACS heard at a link: then the
 * one that came first. Both are counted. What is of the only guest that there
 * is needs no entry: any address is where that one's IPv4 is.
 */
#ifndef PROTO_GUESTS_H
#define PROTO_GUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/network_guest.h"
#include "base/siphash.h"

#define GUESTS_SIX	16u
#define GUESTS_MACS	8u
#define GUESTS_GIVEN	2u		/* addresses: IPv4, IPv6 */
#define GUESTS_SLOTS	(GUESTS_GIVEN + GUESTS_SIX)
#define GUESTS_CHAINS	512u

#define GUESTS_NOBODY	(-1)		/* no guest is that */
#define GUESTS_THIEF	(-2)		/* it has what is another's */

struct guests_address {
	struct ip ip;			/* ::, not in use */
	struct mac mac;
	bool heard;			/* mac is what it spoke with */
	uint16_t next;			/* in its chain: slot + 1 */
	uint64_t order;			/* when it spoke last */
};

struct guest {
	bool used;
	bool by_mac;			/* known by mac, else a link's own */
	bool fixed;			/* at mac it is, whatever is heard */
	bool has_ip4;			/* main was heard with IPv4 */
	bool up;			/* it has spoken, see link_down */
	uint8_t link;			/* NETWORK_LINK_ANY: of by_mac only */
	uint16_t last;			/* of its addresses: spoke last */
	struct mac mac;			/* spoken with last, or given */
	struct mac main;		/* of IPv4, and of what is not listed */
	uint64_t frames_from, frames_to, bytes_from, bytes_to;
};

struct guests_link {
	uint8_t own;			/* guest; NETWORK_GUESTS_MAX: none */
	uint8_t n, next;		/* in heard; next is overwritten next */
	bool known;			/* last is so */
	uint8_t last_guest;
	struct mac last;		/* the MAC that spoke last */
	struct mac heard[GUESTS_MACS];
};

struct guests {
	struct siphash_key key;
	struct mac gateway;		/* never a guest's */
	unsigned n;			/* in use */
	uint64_t order;
	uint64_t macs_lost, addresses_lost;	/* ever */
	struct guest at[NETWORK_GUESTS_MAX];
	struct guests_link links[NETWORK_LINKS_MAX];
	uint16_t chain[GUESTS_CHAINS];	/* slot + 1 */
	struct guests_address
		addresses[NETWORK_GUESTS_MAX * GUESTS_SLOTS];
};

struct guests_new {
	uint8_t link;			/* NETWORK_LINK_ANY: known by mac */
	struct mac mac;			/* until it has its own, or fixed */
	bool fixed;
	struct ip ip4, ip6;		/* ::, none */
};

/* g: zeroed. */
void guests_init(struct guests *g, const struct mac *gateway,
		 const struct siphash_key *key);

/*
 * One more: the lowest number that is free, or GUESTS_NOBODY if there is no
 * room, or GUESTS_THIEF: what is to be its own is another's, or cannot be.
 */
int guests_add(struct guests *g, const struct guests_new *what);
void guests_remove(struct guests *g, unsigned id);

/*
 * A frame from that MAC came in at that link: whose is it? Or GUESTS_NOBODY,
 * or GUESTS_THIEF: then *victim (may be NULL) has that MAC.
 */
int guests_hear(struct guests *g, unsigned link, const struct mac *mac,
		unsigned *victim);

/*
 * The guest speaks with that address, from that MAC: from now on it is there.
 * takes: an address that is nobody's is its own from now on. false: it is not
 * its own, and may not be.
 */
bool guests_heard(struct guests *g, unsigned id, const struct ip *ip,
		  const struct mac *mac, bool takes);

/* The guest that has the address, or GUESTS_NOBODY. */
int guests_find(const struct guests *g, const struct ip *ip);

/* The same, to send something there: the only guest that there is has all. */
int guests_to(const struct guests *g, const struct ip *ip);

/* The MAC of an address of that guest's; lent until something is heard. */
const struct mac *guests_mac(const struct guests *g, unsigned id,
			     const struct ip *ip);

/* The guest that is known by that MAC or was heard with it. */
int guests_by_mac(const struct guests *g, const struct mac *mac);

/* Nobody is there any more. */
void guests_link_down(struct guests *g, unsigned link);

/* Every invariant, by ASSERT. */
void guests_check(const struct guests *g);

#endif
