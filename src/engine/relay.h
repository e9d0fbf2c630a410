/* SPDX-License-Identifier: MIT */
/*
 * engine/relay.h - connections to the host's localhost, carried to a guest
 *
 * Theory of operation
 * ===================
 *
 * A *forward* is a listening socket of the host and the guest's address it
 * stands for. For each connection accepted the inside helper is asked for
 * a socket connected within the guest; then bytes move between the two by
 * splice() through a pipe, page by page, without being copied.
 *
 * Each direction goes on alone: end of stream is passed on as shutdown()
 * when the pipe is empty, a reset as a reset of the other side, and a
 * direction that nobody reads never stops the other. A pipe is held only
 * while bytes are in it.
 *
 *   WAITING   the helper was asked; the client may already send
 *   OPEN      both sockets are there
 *
 * Limits. As many connections as relays_init() was told, at most RELAY_MAX,
 * and RELAY_FORWARDS_MAX forwards; a client over that is reset at once, also
 * when there is no descriptor for it. A relay moves at most RELAY_TURN_BYTES
 * per direction and turn.
 */
#ifndef ENGINE_RELAY_H
#define ENGINE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/handle.h"

#define RELAY_MAX		16384
#define RELAY_FDS		6	/* of each, with bytes in both pipes */
#define RELAY_FORWARDS_MAX	4096
#define RELAY_TURN_BYTES	(1u << 20)
#define RELAY_SLOT_BASE		0x90000000u	/* handles of relay sockets */
#define RELAY_FORWARD_BASE	0xa0000000u	/* handles of listeners */

struct relays;

/* by_frames: the guest shall see who connects. */
typedef void relay_offer_fn(void *ctx, int fd, const struct endpoint *to,
			    bool by_frames);

size_t relays_bytes(void);
/*
 * mem: zeroed. epoll_fd and inside_ch (to the helper) are borrowed. Where
 * there is no helper, inside_ch is -1, each client is handed to offer,
 * which takes fd, and no relay is made.
 */
struct relays *relays_init(void *mem, int epoll_fd, int inside_ch,
			   uint32_t most, relay_offer_fn *offer, void *ctx);

/*
 * Take listening socket fd for the forward that the keeper calls id.
 * by_frames: its clients are handed to offer, too.
 */
void relays_forward_add(struct relays *r, uint32_t id, int fd,
			const struct endpoint *to, bool by_frames);
void relays_forward_del(struct relays *r, uint32_t id);

/* An event of a handle at or above RELAY_SLOT_BASE. */
void relays_event(struct relays *r, struct handle h, uint32_t epoll_events);

/* The helper's answer; fd (taken) is -1 and error an errno on failure. */
void relays_connected(struct relays *r, uint32_t id, int fd, int error);

/* Go on with relays whose turn was cut short. */
void relays_turn_end(struct relays *r);
bool relays_busy(const struct relays *r);

/* Connections that are relayed now. */
uint32_t relays_count(const struct relays *r);

#endif
