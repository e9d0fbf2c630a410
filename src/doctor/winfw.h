/* SPDX-License-Identifier: MIT */
/*
 * doctor/winfw.h - what Windows' firewall does with a connection from WSL
 *
 * Windows has the network that it makes for WSL in the public profile, and
 * lets nobody change that. What the rules of that profile say of a flow from
 * the guest to the host is decided by the engine that our own rules have
 * (firewall/firewall.h), from the text that `reg query` prints of them. What
 * mends it is PowerShell, the narrowest change first.
 *
 * Texts in, findings out: nothing is run here.
 */
#ifndef DOCTOR_WINFW_H
#define DOCTOR_WINFW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "doctor/report.h"

/* Printed by reg.exe; "" where there is no such key. */
struct winfw_texts {
	const char *rules;	/* of FirewallPolicy\FirewallRules */
	const char *profile;	/* of FirewallPolicy\PublicProfile */
	const char *policy_rules, *policy_profile;	/* of group policy */
};

struct winfw_flow {
	uint16_t port;		/* of TCP, at Windows' end; 0: not said */
	const char *program;	/* "python.exe", or a path; NULL: not known */
	bool reached;		/* it was tried, and let in */
	struct ip guest, host;
	struct prefix subnet;	/* IPv4: of WSL's network */
};

/*
 * Is the firewall on there, and what does it do with that flow? What was
 * reached is not broken, whatever the rules say: that is noted.
 */
void winfw_judge(struct report *r, const struct winfw_texts *t,
		 const struct winfw_flow *f);

/*
 * The Hyper-V firewall, by which Windows 11 filters what goes to and from
 * WSL's machine itself: text is what winfw_hyperv_script makes PowerShell
 * print. port: of TCP, where the guest listens; 0: not said. mirrored: other
 * machines can reach the guest, as it has Windows' addresses.
 */
extern const char winfw_hyperv_script[];
void winfw_judge_hyperv(struct report *r, const char *text, uint16_t port,
			bool mirrored);

#endif
