/* SPDX-License-Identifier: MIT */
/*
 * control/request.h - what may be asked of a running instance.
 *
 * One connection to NAME.sock carries one request, a line of JSON such as
 * {"op":"status"}, and one reply, a line of JSON: an object, which has a
 * member "error" (text) if the request was refused.
 *
 *   status	the instance as an object, see control/status.h
 *   stop	the command is ended; the connection closes when all is gone
 *   exec	{"user_ns":BOOL,"gateway":ADDR}, with the descriptors of the
 *		guest's namespaces; the connection closes when the guest ends
 */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <stddef.h>

#include "base/check.h"

#define REQUEST_MAX_BYTES 65536

enum request_op {
	REQUEST_NONE,		/* no request of ours */
	REQUEST_STATUS,
	REQUEST_STOP,
	REQUEST_EXEC,
};

/* Read a line (without its newline). */
enum request_op request_parse(const char *line, size_t len);

/*
 * A request or a refusal as a line with its newline; free() it. NULL: no
 * memory. A refusal's text says what to do, too: it is printed as it is.
 */
MUST char *request_make(enum request_op op);
MUST char *request_error(const char *text);

#endif
