/* SPDX-License-Identifier: MIT */
/*
 * control/api.h - what may be asked of a running instance.
 *
 * One table: the keeper answers by it, the commands ask by it, and
 * docs/control.md is written from it (control/apidoc.c).
 */
#ifndef CONTROL_API_H
#define CONTROL_API_H

#include <jansson.h>
#include <stddef.h>

#include "base/check.h"
#include "control/http.h"

#define API_UPGRADE "slipway-exec"	/* to ask for with API_EXEC, */
#define API_UPGRADE_JOIN "slipway-join"	/* and with API_JOIN */

enum api_op {
	API_NONE,
	API_INDEX,
	API_STATUS,
	API_PORTS,
	API_FLOWS,
	API_PUBLISH,
	API_UNPUBLISH,
	API_TAKE,
	API_STOP,
	API_EXEC,
	API_JOIN,
	API_FIREWALL,
	API_FIREWALL_ADD,
	API_FIREWALL_CHANGE,
	API_FIREWALL_PROFILE,
	API_FIREWALL_SWITCH,
	API_FIREWALL_WHY,
	API_FIREWALL_BLOCKED,
	API_MAX,
};

struct api_call {
	const char *method, *path;
	const char *takes;		/* members of the body; "": none */
	const char *gives;		/* members of the answer */
	const char *about;		/* a sentence */
};

/* Of any op but API_NONE. */
const struct api_call *api_call(enum api_op op);

/* The protocol that a call switches to; NULL: none. */
const char *api_upgrade(enum api_op op);

/*
 * Which call is that? API_NONE: none, and *status is 404 (path) or 405
 * (method).
 */
enum api_op api_find(struct http_text method, struct http_text path,
		     int *status);

/* All calls as an object, the answer to API_INDEX. NULL: no memory. */
MUST json_t *api_index(void);

/* Text that need not be UTF-8, or was cut: what is not is shown as ?. */
MUST json_t *api_text(const char *text);

/* A problem object (RFC 9457) with that detail. NULL: no memory. */
MUST json_t *api_problem(int status, const char *detail);

/* What to tell a person of such an object; a static text if it has none. */
const char *api_detail(const json_t *problem);

#endif
