/* SPDX-License-Identifier: MIT */
/*
 * engine/exchanges.h - datagrams to one side's localhost, carried to the other
 *
 * Theory of operation
 * ===================
 *
 * A *forward* is a bound UDP socket of the host and the guest's address it
 * stands for, or one of the guest's and the host's address. Each client, which
 * is an address and port that sends there, has an *exchange* with it: a socket
 * of its own that is connected to that address; in the guest the inside helper
 * is asked for it, on the host it is ours. In a virtual machine its agent is
 * asked, by the keeper, and has the socket: the way there is a stream then
 * (engine/framed.h). So a server that is bound to loopback only is reached,
 * sees 127.0.0.1, and can tell clients apart.
 *
 *   WAITING   the firewall, or the helper, was asked; what the client sends
 *             is kept
 *   OPEN      datagrams go both ways, batches as batches
 *
 * An exchange ends after IDLE without a datagram (RFC 4787 section 4.3), with
 * its forward, or when there are too many: the one that was silent longest
 * makes room, of those by agents for another such one. Nothing can tell a
 * client that nobody listens, but its port is closed as soon as that is so.
 *
 * Limits. As many exchanges as exchanges_init() was told, at most
 * EXCHANGES_MAX, of them EXCHANGES_AGENTS_MAX by agents; EXCHANGE_FORWARDS_MAX
 * forwards; of each exchange that waits EXCHANGE_KEPT_BYTES. Lost datagrams are
 * counted.
 */
#ifndef ENGINE_EXCHANGES_H
#define ENGINE_EXCHANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/handle.h"
#include "engine/relay.h"
#include "env/env.h"

#define EXCHANGES_MAX		1024
#define EXCHANGES_AGENTS_MAX	128
#define EXCHANGE_FORWARDS_MAX	4096
#define EXCHANGE_KEPT_BYTES	65536u
#define EXCHANGE_SLOT_BASE	0xb0000000u	/* handles: of exchanges */
#define EXCHANGE_FORWARD_BASE	0xc0000000u	/* and bound ones */
#define EXCHANGE_ID		0x80000000u	/* in ids of MSG_CONNECT */

struct exchanges;

size_t exchanges_bytes(void);

/*
 * mem: zeroed. env lends its datagram operations; its sockets are
 * descriptors in epoll_fd. inside_ch, to the helper, and keeper_ch, which is
 * asked for agents, are borrowed.
 */
struct exchanges *exchanges_init(void *mem, const struct env *env,
				 int epoll_fd, int inside_ch, int keeper_ch,
				 uint32_t most, relay_judge_fn *judge,
				 void *ctx);

/*
 * Take bound socket fd for the forward that the keeper calls id. RELAY_TO_HOST:
 * it is bound in the guest. guest: as of relays_forward_add().
 */
void exchanges_forward_add(struct exchanges *x, uint32_t id, int fd,
			   const struct endpoint *to, enum relay_way way,
			   uint8_t guest);
/* Close it, and its exchanges. An id that it has not is fine. */
void exchanges_forward_del(struct exchanges *x, uint32_t id);

/* An event of a handle from EXCHANGE_SLOT_BASE on. */
void exchanges_event(struct exchanges *x, struct handle h, uint64_t now_ns);

/*
 * The helper's answer to an id with EXCHANGE_ID in it; fd (taken) is -1 on
 * failure.
 */
void exchanges_connected(struct exchanges *x, uint32_t id, int fd,
			 uint64_t now_ns);

/* As relays_judged(), of an id with EXCHANGE_ID, and relays_judge_again(). */
void exchanges_judged(struct exchanges *x, uint32_t id, bool pass,
		      uint64_t now_ns);
void exchanges_judge_again(struct exchanges *x, uint64_t now_ns);

/* When exchanges_expire() is due: absolute, UINT64_MAX for never. */
uint64_t exchanges_next_timer(const struct exchanges *x);
void exchanges_expire(struct exchanges *x, uint64_t now_ns);

uint32_t exchanges_count(const struct exchanges *x);
uint64_t exchanges_lost(const struct exchanges *x);	/* datagrams, ever */

#endif
