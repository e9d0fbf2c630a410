/* SPDX-License-Identifier: MIT */
/*
 * base/network_guest.h - the guests of one network, as one tells of them.
 *
 * A guest has a number, an address of each family, a name, and is behind one
 * link. What comes from a MAC that some guest is known by is that guest's;
 * what comes from any other MAC is of the guest whose link it is.
 */
#ifndef BASE_NETWORK_GUEST_H
#define BASE_NETWORK_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

#define NETWORK_GUESTS_MAX	64u
#define NETWORK_LINKS_MAX	16u
#define NETWORK_NAME_BYTES	64u	/* of a guest's name, with NUL */

/* Of a guest that is known by its MAC: the link where that was seen last. */
#define NETWORK_LINK_ANY	UINT8_MAX

struct network_guest {
	uint8_t id;
	uint8_t link;			/* NETWORK_LINK_ANY: not seen yet */
	bool up;			/* something came from it, and its link
					   has not gone since */
	struct mac mac;			/* that it spoke with last */
	struct ip ip4;
	struct ip ip6;			/* its name's; ::, none heard yet */
	char name[NETWORK_NAME_BYTES];
	uint64_t frames_from, frames_to;	/* ever */
	uint64_t bytes_from, bytes_to;
};

#endif
