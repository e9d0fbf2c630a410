/* SPDX-License-Identifier: MIT */
/*
 * cmd/firewall_kept.h - the rules of a network that does not run
 *
 * What is kept for its next run is changed where it lies, under the lock that
 * its keeper would hold. Rules of files, of --allow and of what is published
 * are none of that: they are what the next run finds.
 */
#ifndef CMD_FIREWALL_KEPT_H
#define CMD_FIREWALL_KEPT_H

#include <jansson.h>

#include "base/check.h"
#include "base/fail.h"
#include "control/api.h"

/* Can that call be answered without the network? */
bool firewall_kept_does(enum api_op op);

/**
 * firewall_kept() - answer a call as far as that goes
 * @body:	borrowed; as the call takes it, made by us
 *
 * Return: as the call gives, with "running": false; NULL with fail set.
 */
MUST json_t *firewall_kept(const char *name, enum api_op op, json_t *body,
			   struct fail *fail);

#endif
