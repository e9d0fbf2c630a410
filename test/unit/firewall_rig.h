/* SPDX-License-Identifier: MIT */
/* test/unit/firewall_rig.h - one network, and sets compiled for it. */
#ifndef FIREWALL_RIG_H
#define FIREWALL_RIG_H

#include "firewall/firewall.h"
#include "firewall_set.h"

static inline struct ip ip_of(const char *text)
{
	struct ip ip = { { 0 } };

	CHECK(text, ip_parse(text, &ip));
	return ip;
}

static inline struct firewall_net rig_net(enum rule_profile profile)
{
	return (struct firewall_net){
		.name = "default", .profile = profile, .v6 = true,
		.subnet4 = { ip_of("172.20.0.0"), 20 },
		.subnet6 = { ip_of("fd00:1::"), 64 },
		.gateway4 = ip_of("172.20.0.1"),
		.gateway6 = ip_of("fd00:1::1"),
		.defaults = firewall_defaults(profile),
	};
}

/* free() gives it back. */
static inline struct firewall *rig_compile(const struct rules *set,
					   const struct firewall_net *net)
{
	void *block = malloc(firewall_bytes(set));

	if (!block)
		abort();
	return firewall_compile(set, net, block);
}

#endif
