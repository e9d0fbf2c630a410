/* SPDX-License-Identifier: MIT */
#include "keeper/nsfds.h"

size_t nsfds_pack(const struct guest_ns *ns, int fds[NSFDS_MAX],
		  unsigned *mask)
{
	const int all[NSFDS_MAX] = { ns->user, ns->net, ns->mnt, ns->uts };
	size_t n = 0;

	*mask = 0;
	for (unsigned i = 0; i < NSFDS_MAX; i++) {
		if (all[i] < 0)
			continue;
		fds[n++] = all[i];
		*mask |= 1u << i;
	}
	return n;
}

bool nsfds_unpack(const int *fds, size_t n, unsigned mask,
		  struct guest_ns *ns)
{
	int all[NSFDS_MAX];
	size_t used = 0;

	for (unsigned i = 0; i < NSFDS_MAX; i++) {
		all[i] = -1;
		if (!(mask & 1u << i))
			continue;
		if (used == n)
			return false;
		all[i] = fds[used++];
	}
	if (used != n || mask >> NSFDS_MAX)
		return false;
	*ns = (struct guest_ns){ .user = all[0], .net = all[1],
				 .mnt = all[2], .uts = all[3] };
	return true;
}
