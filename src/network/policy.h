/* SPDX-License-Identifier: MIT */
/*
 * network/policy.h - where a guest's packet goes, if anywhere.
 *
 * One decision for TCP, UDP and echo alike: what the address it wrote
 * means on the host. Host access `off` asks the host's own routing, not a
 * list of addresses, so that no spelling and no later address escapes it; a
 * list of ports is `off` for all others.
 */
#ifndef NETWORK_POLICY_H
#define NETWORK_POLICY_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/ports.h"
#include "env/env.h"

struct policy {
	struct ip gateway4, gateway6;
	bool v6;
	bool host_access;	/* the gateway's address is host loopback */
	struct port_list ports;	/* but for these ports only; n 0: for all */
	bool link_local;	/* 169.254/16 and fe80::/10 are carried */
};

enum policy_verdict {
	POLICY_CARRY,		/* to the address in `to` */
	POLICY_REFUSE,		/* prohibited: tell the guest */
	POLICY_IGNORE,		/* multicast, broadcast: drop quietly */
};

struct policy_route {
	enum policy_verdict verdict;
	struct ip to;		/* what the host's socket is given */
	bool has_next;
	struct ip next_to;	/* TCP: if `to` refuses, and if this does,
				   the host's own addresses */
};

/*
 * Decide for destination dst as the guest wrote it, and a port there (0: an
 * echo). The gateway means 127.0.0.1, then ::1 (IPv4), or ::1, then 127.0.0.1
 * (IPv6); then the host's own addresses, of the same family first. UDP, which
 * nobody refuses in time, has the first of these alone.
 */
struct policy_route policy_route(const struct policy *pol,
				 const struct env *env, const struct ip *dst,
				 uint16_t port);

/* May the guest reach that port of the host's at all? */
bool policy_host_is_open(const struct policy *pol, uint16_t port);

#endif
