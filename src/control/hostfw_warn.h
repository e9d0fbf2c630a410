/* SPDX-License-Identifier: MIT */
/* control/hostfw_warn.h - what the host's firewall keeps from other machines */
#ifndef CONTROL_HOSTFW_WARN_H
#define CONTROL_HOSTFW_WARN_H

#include <jansson.h>
#include <stddef.h>

#include "base/check.h"
#include "control/hostfw.h"

#define HOSTFW_LABEL_BYTES	16	/* "65535/udp" */
#define HOSTFW_WARNINGS_MAX	4	/* then: that there are more */

/*
 * A packet for each port of `published` (control/status.h) that is open for
 * other machines: an array to be freed, and how many; NULL: there is none.
 */
MUST struct hostfw_packet *hostfw_packets(json_t *published, size_t *n);

/* "8080", "53/udp". Returns buf. */
const char *hostfw_label(const struct hostfw_packet *p,
			 char buf[HOSTFW_LABEL_BYTES]);

/* Is there the same port among the n before it, of either family? */
MUST bool hostfw_is_again(const struct hostfw_packet *p, size_t n);

/* Add to warnings what fw drops of them, and the command that opens it. */
void hostfw_warn(json_t *warnings, const struct hostfw *fw,
		 const struct hostfw_packet *p, size_t n);

#endif
