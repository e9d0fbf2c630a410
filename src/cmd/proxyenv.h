/* SPDX-License-Identifier: MIT */
/*
 * cmd/proxyenv.h - the host's HTTP proxy, as a guest reaches it
 *
 * Programs read http_proxy and its kin from the environment, which a command
 * inherits. A proxy on the host's localhost would be looked for on the
 * guest's own: its address becomes the gateway's, which leads there.
 */
#ifndef CMD_PROXYENV_H
#define CMD_PROXYENV_H

#include "base/check.h"

/*
 * A proxy's URL with the gateway's address in the place of localhost,
 * 127.0.0.0/8 or ::1; allocated. NULL: it is elsewhere, or there is no memory.
 * Pure.
 */
MUST char *proxyenv_rewrite(const char *url, const char *gateway);

/* Do that to all such variables of our own environment. 0 or -errno. */
MUST int proxyenv_apply(const char *gateway);

#endif
