/* SPDX-License-Identifier: MIT */
/*
 * control/status.h - the state of an instance as a value and as JSON.
 *
 * Members of the object: name, pid (of `slipway run`), keeper, command,
 * guest {ipv4, ipv6, mac, hostname}, gateway {ipv4, ipv6, mac}, subnet
 * {ipv4, ipv6}, guests [{name, hostname, ipv4, ipv6, mac, link (1: the first;
 * absent: not seen yet), up, joined, bytes_from, bytes_to, agent, boot,
 * mirrors (of a machine that has one; as below)}…] (all, the first one is
 * `guest`), isolate, joined (the network whose guest this is; absent:
 * its own), mtu, dns [ADDR…],
 * domains [{domain, servers [ADDR…]}…] (which alone are asked for names
 * there), search, host_access, host_interface (a name,
 * absent: the gateway is virtual), localhost, binds_refused (a number; absent:
 * none would be),
 * forwards [{port, protocol, ipv4, ipv6: {to, state, why}}…], mirrors (the
 * same for the host's ports on the guest's localhost), publish
 * [TEXT…], kept [TEXT…] (those of them that a restart does not end),
 * published [{publish (one of those texts), protocol, at, to, state, why}…],
 * flows {tcp, udp, icmp, relays, max}, traffic {…}, questions {asked,
 * from_cache, failed, refused (by rules), names_lost} (DNS), drops {REASON:
 * COUNT} (those not zero), ping {ipv4, ipv6}, narrow [{path, mtu}…] (paths
 * that take less than they say; an address, or an interface of the host's),
 * agent {version, hostname, address, since (of UTC)} (of a first machine that
 * has one), boot {status} (how the boot command has ended there),
 * log (a path), warnings [TEXT…]. Without IPv6 its members
 * are absent; flows, traffic and drops if the engine did not answer. A
 * machine's ipv6 is the address that it was heard to use, and until then
 * the one that DHCPv6 has for it.
 */
#ifndef CONTROL_STATUS_H
#define CONTROL_STATUS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/network_stats.h"
#include "config/config.h"

#define STATUS_WHY_BYTES 96

enum forward_state {
	FORWARD_NONE,			/* nothing to forward to */
	FORWARD_ASKED,			/* not yet: the guest's helper binds */
	FORWARD_OPEN,
	FORWARD_FAILED,
	FORWARD_PUBLISHED,		/* what is published serves it */
};

struct forward_half {
	enum forward_state state;
	struct endpoint to;		/* on the other side; unless NONE */
	char why[STATUS_WHY_BYTES];	/* if FAILED */
};

struct forward_status {
	uint16_t port;			/* on one side's localhost */
	bool udp;			/* else TCP */
	struct forward_half half[2];	/* 127.0.0.1, ::1 */
};

/* What is to be published; in a table, so that it stays where it is. */
struct publish_entry {
	bool used;
	bool kept;			/* by the state, from run to run */
	struct publish what;
};

struct publish_status {
	const struct publish *entry;	/* of such a table */
	struct endpoint at;		/* of the host; 0.0.0.0, ::: all */
	struct endpoint to;		/* in the guest */
	bool udp;			/* else TCP */
	enum forward_state state;
	char why[STATUS_WHY_BYTES];	/* if FAILED */
};

/* One of a network's guests. */
struct guest_status {
	const char *name, *hostname;		/* borrowed */
	struct mac mac;
	struct ip ip4, ip6;
	unsigned link;				/* NETWORK_LINK_ANY: not seen */
	bool up, joined;
	uint64_t bytes_from, bytes_to;		/* ever */
	/* Of a virtual machine: its agent. */
	const char *agent_version;	/* NULL: it is not here; borrowed */
	const char *agent_hostname;	/* likewise; both of ASCII */
	time_t agent_since;
	struct ip agent_from;
	bool boot_ended;		/* the boot command, with */
	uint32_t boot_status;
	const struct forward_status *mirrors;	/* on its localhost, beyond */
	size_t n_mirrors;			/* the first guest's */
};

struct status {
	const char *name, *command, *hostname, *search, *log;	/* borrowed */
	pid_t pid, keeper;
	struct prefix net4, net6;
	struct ip guest4, guest6, gateway4, gateway6;
	struct mac guest_mac, gateway_mac;
	bool v6;
	unsigned mtu;
	unsigned n_dns;
	struct ip dns[CONFIG_DNS_MAX];
	const struct dns_zone *zones;	/* borrowed */
	unsigned n_zones;
	enum config_access host_access;
	const char *host_interface;	/* its name; "": none; borrowed */
	enum localhost_mode localhost;
	enum localhost_conflict localhost_conflict;
	uint64_t binds_refused;		/* if CONFLICT_REFUSE */
	bool ping4, ping6;
	const struct forward_status *forwards;	/* on the host's localhost */
	size_t n_forwards;
	const struct forward_status *mirrors;	/* on the guest's */
	size_t n_mirrors;
	const struct publish_entry *publish;	/* what is asked for */
	size_t n_publish;			/* used or not */
	const struct publish_status *published;	/* what there is of it */
	size_t n_published;
	const struct guest_status *guests;	/* all, with the first */
	size_t n_guests;
	bool isolate;
	const char *joined;		/* a network; NULL: none; borrowed */
	const struct network_stats *counters;	/* NULL: not known */
	const char *narrow_dev[NETWORK_NARROW_MAX];	/* names of those of
					   counters; NULL: gone */
	bool no_route_free;		/* a route of the host lies over net4 */
	const char *const *log_tail;	/* warnings from the log */
	size_t n_log_tail;
};

/* NULL: no memory. */
MUST json_t *status_json(const struct status *s);

/* forwards, mirrors, publish, kept, published alone. */
MUST json_t *status_ports_json(const struct status *s);

/* What there is of one entry, as in `published`. */
MUST json_t *status_published_json(const struct status *s,
				   const struct publish *entry);

#endif
