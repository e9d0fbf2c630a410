/* SPDX-License-Identifier: MIT */
/*
 * keeper/etctext.h - the texts of resolv.conf and hosts, read and made.
 *
 * Pure: strings in, values and strings out.
 */
#ifndef KEEPER_ETCTEXT_H
#define KEEPER_ETCTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/check.h"
#include "config/config.h"

/* What matters of a resolv.conf(5). */
struct resolvconf {
	unsigned n;
	struct ip at[CONFIG_DNS_MAX];
	char search[CONFIG_SEARCH_BYTES];	/* blanks between; "" none */
};

/*
 * Read the text of a resolv.conf. Servers with a zone (fe80::1%eth0) are
 * skipped: the engine could not say which interface; so are those past
 * CONFIG_DNS_MAX. The last `search` or `domain` line counts.
 */
void resolvconf_parse(const char *text, struct resolvconf *out);

/* The guest's. Length written, at most cap - 1; cap at least 512. */
size_t resolvconf_make(char *buf, size_t cap, const struct ip *gateway,
		       const char *search);

struct hosts_setup {
	struct ip guest4, gateway4;
	bool v6;
	struct ip guest6, gateway6;
	const char *hostname;		/* never NULL */
	const char *host_text;		/* the host's file; "" if none */
};

/*
 * The guest's hosts: localhost, itself, the gateway by the names of the
 * host, then the host's own entries but those for loopback addresses and
 * for the guest's name. Allocated; NULL without memory.
 */
MUST char *hosts_make(const struct hosts_setup *s);

/*
 * A hosts file as a block of base/hosts.h: its names in lower case, without
 * those of loopback addresses, which mean the host, and without what is no
 * name (RFC 1123 section 2.1, and underscores). Allocated, *bytes long;
 * NULL if nothing is left, or without memory.
 */
MUST void *hosts_table(const char *text, size_t *bytes);

#endif
