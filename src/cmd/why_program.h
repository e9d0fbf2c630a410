/* SPDX-License-Identifier: MIT */
/* cmd/why_program.h - whose a service of the host's is. */
#ifndef CMD_WHY_PROGRAM_H
#define CMD_WHY_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

#define WHY_PROGRAM_BYTES 1024

/*
 * The executable of who listens on that port of the host, at the loopback of
 * one family before the other's, as the gateway's address leads there. false:
 * nobody does, several programs do, or we may not look into who does.
 */
MUST bool why_host_program(bool udp, bool v6, uint16_t port,
			   char path[WHY_PROGRAM_BYTES]);

#endif
