/* SPDX-License-Identifier: MIT */
/* keeper/owner.h - who listens on a port of the host. */
#ifndef KEEPER_OWNER_H
#define KEEPER_OWNER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"

/*
 * Name the process that keeps us from binding at: "nginx (pid 12)", or
 * "slipway web (pid 12)" for an instance in runtime directory dir. Reads
 * all of /proc: for conflicts only. false: not to be found, buf untouched.
 */
bool owner_of(const struct endpoint *at, bool udp, const char *dir,
	      char *buf, size_t cap);

#endif
