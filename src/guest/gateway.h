/* SPDX-License-Identifier: MIT */
/* guest/gateway.h - streams to the gateway, and messages on them. */
#ifndef GUEST_GATEWAY_H
#define GUEST_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "wire/agent.h"

#define GATEWAY_WAIT_S 5		/* for it to connect, or to read */

/*
 * Connect to its AGENT_PORT, waiting for it; from a port of root's if asked
 * to. Both directions block, sending for GATEWAY_WAIT_S at most. A
 * descriptor, or -errno.
 */
MUST int gateway_connect(const struct ip *gateway, bool from_roots_port);

/* Send the whole of it. false: the stream is broken, or nobody reads. */
MUST bool gateway_say(int fd, const struct agent_message *m);

/* A message that is being read, into memory of so many bytes. */
struct gateway_reader {
	int fd;
	size_t n, cap;
	uint8_t *buf;			/* the caller's */
};

enum gateway_got { GATEWAY_WHOLE, GATEWAY_PART, GATEWAY_END };

/*
 * Read on, without waiting. GATEWAY_WHOLE: m lies in buf until the next call.
 * GATEWAY_END: also where what was said makes no sense.
 */
MUST enum gateway_got gateway_hear(struct gateway_reader *r,
				   struct agent_message *m);

#endif
