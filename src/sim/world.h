/* SPDX-License-Identifier: MIT */
/*
 * sim/world.h - a whole network in virtual time: guest, link, gateway, host
 *
 * Theory of operation
 * ===================
 *
 * One queue of events is the only clock. The core under test (network/) is
 * driven as engine/ drives it; its env is sim/host.c: sockets of scripted
 * programs. Its link ends at sim/guest.c: a TCP of the tests' own, written
 * without a look at proto/, whose programs send, receive and close as the
 * plan says. Frames between are lost, doubled, delayed and reordered.
 *
 * What is checked. Every frame of the gateway: lengths, checksums, within
 * the guest's window, acknowledging only what was sent, never moving its
 * own window's edge back. Both byte streams, byte by byte, against a
 * pattern. After each event network_check(). At the end: every connection
 * ended as its plan allows, no flow, socket or byte of store is left.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "network/network.h"
#include "sim/plan.h"
#include "sim/queue.h"
#include "sim/rng.h"

#define WORLD_MS	UINT64_C(1000000)
#define WORLD_SOCKS	64
#define WORLD_PORT	1000		/* of connection 0, on the host */
#define WORLD_GUEST_PORT 40000		/* of connection 0, in the guest */
#define WORLD_LIMIT_NS	(3600 * 1000 * WORLD_MS)	/* then it hangs */

/* A stream socket of the host and the program behind it. */
struct sim_sock {
	bool open, connected, dead;
	bool wants_read, wants_write;	/* said AGAIN: owes an event */
	bool fin_seen, eof_given, failed;
	int error;			/* of the connect; ENV_* or 0 */
	unsigned conn;
	struct handle owner;
	uint64_t received;		/* from the gateway */
	uint64_t drained;		/* of that, read by the program */
	uint64_t written;		/* by the program, for the gateway */
	uint64_t given;			/* of that, to the gateway */
};

/* A TCP endpoint of the guest and the program behind it. */
struct sim_conn {
	enum { G_CLOSED, G_SYN_SENT, G_OPEN, G_RESET, G_REFUSED } state;
	/* sending */
	uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd;
	uint32_t edge;			/* right edge promised to us */
	bool edge_known;
	uint8_t peer_shift;
	uint16_t mss;
	uint64_t rto_at, rto_ns;
	unsigned retries, dups;
	bool fin_sent, fin_acked;
	/* receiving */
	uint32_t irs, rcv_nxt, rcv_edge;
	uint64_t read;			/* by the program */
	bool fin_seen;
	struct { uint32_t from, to; } ooo[16];
	unsigned n_ooo;
	bool connected_once, was_reset;
	uint64_t reader_at;		/* its next look; 0 none planned */
};

struct world {
	struct plan plan;
	struct rng rng;
	uint64_t now_ns;
	struct queue queue;
	struct network *net;
	void *net_mem;
	struct sim_sock socks[WORLD_SOCKS];
	struct sim_conn conns[PLAN_CONNS_MAX];
	bool update_dropped;
	size_t store_bytes;
	uint64_t frames, hash;		/* of every frame, both ways */
	bool verbose;
	char failure[160];		/* "" while all is well */
};

/* Run a plan to its end. true if all was as it must be; w is filled. */
bool world_run(struct world *w, const struct plan *plan);

/* ---- between the files of sim/ ---- */

__attribute__((format(printf, 2, 3)))
void world_fail(struct world *w, const char *format, ...);

/* Call run(w, arg, data, len) after delay_ns. data: malloc()ed, taken. */
void world_after(struct world *w, uint64_t delay_ns,
		 void (*run)(void *w, uint64_t arg, void *data, size_t len),
		 uint64_t arg, void *data, size_t len);

/* The byte at an offset of one direction of a connection. */
static inline uint8_t world_byte(unsigned conn, bool up, uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + conn * 101 + up * 53);
}

struct network_setup world_setup(const struct plan *p);

/* sim/host.c */
extern const struct env_ops sim_env_ops;	/* ctx: struct world */
void sim_host_end(struct world *w);		/* checks at the end */

/* sim/guest.c: frames in, frames out (to world_to_gateway). */
void sim_guest_start(struct world *w);
void sim_guest_frame(struct world *w, const struct frame_meta *meta,
		     const uint8_t *frame, size_t len);
void sim_guest_end(struct world *w);
bool sim_guest_done(const struct world *w);

/* sim/world.c */
void world_to_gateway(struct world *w, const uint8_t *frame, size_t len,
		      uint16_t gso_size);
void world_to_guest(struct world *w, const struct frame_meta *meta,
		    const uint8_t *frame, size_t len);

#endif
