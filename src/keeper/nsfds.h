/* SPDX-License-Identifier: MIT */
/* keeper/nsfds.h - a guest's namespaces as a list of descriptors to pass. */
#ifndef KEEPER_NSFDS_H
#define KEEPER_NSFDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "linux/guestns.h"

#define NSFDS_MAX 4

/* Put those that there are into fds; *mask says which. How many. */
size_t nsfds_pack(const struct guest_ns *ns, int fds[NSFDS_MAX],
		  unsigned *mask);

/* The reverse. false: n is not what mask says; ns untouched. */
MUST bool nsfds_unpack(const int *fds, size_t n, unsigned mask,
		       struct guest_ns *ns);

#endif
