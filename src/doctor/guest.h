/* SPDX-License-Identifier: MIT */
/*
 * doctor/guest.h - what is tried inside a guest
 *
 * By a process in the guest's namespaces: `slipway doctor` itself that is run
 * in there, or a child of it that the host has sent in. Nothing is changed.
 */
#ifndef DOCTOR_GUEST_H
#define DOCTOR_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "doctor/report.h"

/* What is known of the network before anything is tried. */
struct guest_facts {
	struct ip gateway4;
	bool told;		/* by the network itself, and so is this: */
	bool v6;
	struct ip guest4, gateway6;
	unsigned mtu;
	bool to_host;		/* host access: the gateway leads to the host */
	bool blocked;		/* … but the firewall does not let it there */
	bool localhost;		/* what listens here is on the host's */
	bool own_files;		/* /etc/resolv.conf here is the guest's */
	/* A server on the host's 127.0.0.1 and ::1 that says word; 0: none. */
	uint16_t port4, port6;
	const char *word;
};

/*
 * Is this a guest of slipway? Asks whoever may be its gateway.
 * Fills gateway4.
 */
MUST bool guest_recognise(struct guest_facts *f);

/* Interface, route, gateway, names, packet sizes, the way to the host. */
void guest_check(struct report *r, const struct guest_facts *f);

/*
 * Without anybody on the host: a server here that is on the host's localhost
 * is reached from here by the gateway, which is both directions at once.
 */
void guest_check_loop(struct report *r, const struct guest_facts *f);

/* A port of which the user says that it does not work. */
void guest_check_port(struct report *r, const struct guest_facts *f,
		      uint16_t port);

/* What a negative errno of a probe means, in words. */
const char *guest_why(int err);

#endif
