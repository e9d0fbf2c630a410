/* SPDX-License-Identifier: MIT */
/*
 * engine/relay.h - connections to one side's localhost, carried to the other
 *
 * Theory of operation
 * ===================
 *
 * A *forward* is a listening socket of the host and the guest's address it
 * stands for, or one of the guest's and the host's address. For each
 * connection accepted there is to be a socket connected to that address: in
 * the guest the inside helper is asked for it, on the host it is ours. Then
 * bytes move between the two by splice() through a pipe, page by page, without
 * being copied.
 *
 * Each direction goes on alone: end of stream is passed on as shutdown()
 * when the pipe is empty, a reset as a reset of the other side, also behind
 * the end of a stream, and a direction that nobody reads never stops the
 * other. A pipe is held only while bytes are in it. Those whose readers are
 * slow may hold all pipes: then the others' bytes are copied, and stay in the
 * socket that they came by until the other has taken them.
 *
 *   JUDGED    the firewall has not said yet whether it may be
 *   WAITING   the helper is to be asked, or was; the client may already send
 *   OPEN      both sockets are there
 *
 * Limits. As many connections and pipes as relays_init() was told, at most
 * RELAY_MAX and RELAY_PIPES_MAX, and RELAY_FORWARDS_MAX forwards; a client
 * over that is reset at once, also when there is no descriptor for it. A relay
 * moves at most RELAY_TURN_BYTES per direction and turn. The first RELAY_FREE
 * have sockets whose buffers the kernel lets grow; those of the others are as
 * large as their number allows, or many slow readers would fill the memory
 * that the host has for TCP.
 */
#ifndef ENGINE_RELAY_H
#define ENGINE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/check.h"
#include "base/handle.h"
#include "base/network_flow.h"
#include "network/network.h"

#define RELAY_MAX		16384
#define RELAY_FDS		2	/* of each */
#define RELAY_PIPES_MAX		256	/* of two descriptors each */
#define RELAY_FREE		32
#define RELAY_FORWARDS_MAX	8192
#define RELAY_TURN_BYTES	(1u << 20)
#define RELAY_SLOT_BASE		0x90000000u	/* handles of relay sockets */
#define RELAY_FORWARD_BASE	0xa0000000u	/* handles of listeners */

struct relays;

/* Where the clients of a forward are led. */
enum relay_way {
	RELAY_TO_GUEST,		/* by the helper's sockets */
	RELAY_TO_HOST,		/* by our own */
	RELAY_BY_AGENT,		/* by those of the agent, which the keeper is
				   asked for */
	RELAY_BY_FRAMES,	/* handed to offer: the guest is to see them */
};

/* As network_judge(). */
typedef enum network_judgement relay_judge_fn(void *ctx,
		const struct network_relay *relay, uint32_t ticket);

/* by_frames: the guest shall see who connects. */
typedef void relay_offer_fn(void *ctx, int fd, const struct endpoint *to,
			    bool by_frames);

/*
 * One end of a relay is an agent's, of that cookie (linux/dial.h): from now on,
 * or, reset, not any more, and the guest is to see a reset.
 */
typedef void relay_agent_fn(void *ctx, uint64_t cookie, struct handle relay,
			    bool reset);

size_t relays_bytes(void);
/* Copied; descriptors are borrowed. */
struct relays_setup {
	int epoll_fd;
	int inside_ch;		/* to the helper. -1, there is none: clients
				   of the guest's are handed to offer */
	int keeper_ch;		/* asked instead, by RELAY_BY_AGENT */
	uint32_t most, pipes;	/* at a time */
	uint64_t bytes;		/* for the buffers of all sockets together */
	relay_offer_fn *offer;	/* takes fd */
	relay_judge_fn *judge;
	relay_agent_fn *agent;
	void *ctx;
};

/* mem: zeroed, relays_bytes() long, the relays' for good. */
struct relays *relays_init(void *mem, const struct relays_setup *setup);

/*
 * Take listening socket fd for the forward that the keeper calls id; or a
 * channel, over which clients come that the guest's agent has accepted. guest:
 * by the keeper's number, as judge is told, and whose agent is asked for.
 */
void relays_forward_add(struct relays *r, uint32_t id, int fd,
			const struct endpoint *to, enum relay_way way,
			uint8_t guest);
/*
 * Those who connect to ports for other machines, by frames, are to send and get
 * packets of at most mtu bytes; 0: as many as the host likes, as at first. It
 * holds for connections that begin from now on.
 */
void relays_clamp(struct relays *r, uint16_t mtu);
void relays_forward_del(struct relays *r, uint32_t id);

/* An event of a handle at or above RELAY_SLOT_BASE. */
void relays_event(struct relays *r, struct handle h, uint32_t epoll_events);

/*
 * The guest has reset an agent's end: once what it had said is through, so is
 * the other end.
 */
void relays_reset(struct relays *r, struct handle h);

/* The helper's answer; fd (taken) is -1 and error an errno on failure. */
void relays_connected(struct relays *r, uint32_t id, int fd, int error);

/* The firewall's late answer for a ticket of ours; any is safe. */
void relays_judged(struct relays *r, uint32_t ticket, bool pass);
/* The rules have changed: end those that may not be any more. */
void relays_judge_again(struct relays *r);

/* Go on with what was cut short, or had to wait for the helper. */
void relays_turn_end(struct relays *r);
bool relays_busy(const struct relays *r);

/*
 * Some of them, as network_flows() tells of those in frames: the peer is the
 * host's end.
 */
unsigned relays_flows(const struct relays *r, uint32_t *from,
		      struct network_flow *out, unsigned n);

/* Connections that are relayed now. */
uint32_t relays_count(const struct relays *r);

#endif
