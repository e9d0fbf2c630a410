/* SPDX-License-Identifier: MIT */
/*
 * keeper/state.h - what a network keeps from run to run.
 *
 * A text file networks/NAME in /var/lib/slipway for root, else in
 * $XDG_STATE_HOME/slipway or ~/.local/state/slipway. Written to a new
 * file that is renamed over the old one, not synced: what a crash of the
 * machine loses is derived again, and comes out the same unless the host's
 * routes have changed. Only what was derived is kept there, never what a
 * user has set for one run. Ports that were published while a guest ran are
 * kept beside them, in ports/NAME, a line for each, addresses of further
 * guests in guests/NAME, what `slipway firewall'
 * has set in firewall/NAME.rules (keeper/rulebook.h).
 */
#ifndef KEEPER_STATE_H
#define KEEPER_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "keeper/plan.h"

/*
 * Read the text of such a file. false: not whole, or with addresses that no
 * guest can have (the gateway's, loopback …); out untouched.
 */
MUST bool state_parse(const char *text, struct plan *out);

/* false: there is none, or none that makes sense. */
MUST bool state_load(const char *name, struct plan *out);

/* Read and write ports/NAME, one text a line. NULL: there are none. */
MUST char *state_load_ports(const char *name);
MUST int state_save_ports(const char *name, const char *text);

/* The same of guests/NAME (keeper/roster.h). */
MUST char *state_load_guests(const char *name);
MUST int state_save_guests(const char *name, const char *text);

/* The same of firewall/NAME.rules; text NULL: it goes. */
MUST char *state_load_rules(const char *name);
MUST int state_save_rules(const char *name, const char *text);

/*
 * Path of a file NAME.log beside that; its directory is made. false: there is
 * no place for it, or no room in buf.
 */
MUST bool state_log_path(const char *name, char *buf, size_t cap);

/* 0 or -errno. */
MUST int state_save(const char *name, const struct plan *plan);

#endif
