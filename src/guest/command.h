/* SPDX-License-Identifier: MIT */
/*
 * guest/command.h - commands that the host has run in the machine
 *
 * Each of `slipway exec` has a process of its own in front of it, which speaks
 * with the host over a stream of its own (AGENT_RUN of wire/agent.h) and
 * starts it: in a session of its own, as root, in root's home; with a terminal
 * (a pty) if the host's side has one, else with three pipes. When it has ended
 * what it had printed is told, then its status. If the host's side goes, it
 * gets SIGHUP, with all of its process group.
 *
 * Limit: COMMANDS_MAX at a time.
 */
#ifndef GUEST_COMMAND_H
#define GUEST_COMMAND_H

#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/span.h"
#include "wire/agent.h"

#define COMMANDS_MAX 64

/* What a shell calls what waitpid() has told. */
uint32_t command_status(int how);

/* Be the process in front of one, in a child of the agent's. */
_Noreturn void command_serve(const struct ip *gateway,
			     const uint8_t token[AGENT_TOKEN_BYTES]);

/*
 * Give that to /bin/sh, once: not if there is such a file, which is made. Its
 * pid, or 0: it was not started.
 */
pid_t command_boot(struct view text, const char *once);

#endif
