/* SPDX-License-Identifier: MIT */
/*
 * linux/proclisteners.h - which sockets listen, by /proc/net
 *
 * For kernels without sock_diag, which a small virtual machine may have. It
 * takes longer, and does not tell of a socket at :: whether it takes IPv4,
 * too: it is taken to do so, unless another one has that port at 0.0.0.0.
 */
#ifndef LINUX_PROCLISTENERS_H
#define LINUX_PROCLISTENERS_H

#include "linux/listeners.h"

/* A line of /proc/net/tcp and its kin. false: no listener's. Pure. */
bool proclisteners_line(const char *line, bool v6, bool udp,
			struct listener *out);

/* As listeners_read(), but nobody's are left out. 0 or -errno. */
MUST int proclisteners_read(const struct picked_ports *picked,
			    struct listeners *set);

#endif
