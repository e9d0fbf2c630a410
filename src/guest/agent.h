/* SPDX-License-Identifier: MIT */
/*
 * guest/agent.h - `slipway guest`: the agent in a virtual machine
 *
 * It connects to the gateway (wire/agent.h), says who it is, and looks every
 * AGENT_TICK_NS what listens in the machine: what has come and gone since is
 * told. Asked to, it connects to a listener and carries the connection
 * (guest/carry.h), runs a command (guest/command.h), and starts the boot
 * command, once for each time that the machine boots: AGENT_BOOTED_FILE says
 * that it has been. It changes no address, route, name or clock.
 *
 * Whoever is at the gateway's address is the machine's host, and has it in its
 * hands anyway. The agent obeys nobody else: it listens nowhere.
 *
 * If the gateway goes, all that was carried is reset, and the agent tries to
 * find one again: after AGENT_AGAIN_FIRST_MS, then twice as long, up to
 * AGENT_AGAIN_MOST_MS.
 */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include "base/addr.h"

#define AGENT_TICK_NS		UINT64_C(20000000)
#define AGENT_AGAIN_FIRST_MS	250
#define AGENT_AGAIN_MOST_MS	4000
#define AGENT_BOOTED_FILE	"/run/slipway-guest.booted"

/*
 * gateway: NULL, that of the IPv4 default route, whichever that is then; or, if
 * that does not hear us, that of IPv6.
 */
_Noreturn void agent_serve(const struct ip *gateway, const char *version);

#endif
