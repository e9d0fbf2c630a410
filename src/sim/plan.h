/* SPDX-License-Identifier: MIT */
/*
 * sim/plan.h - what is to happen in one simulated world.
 *
 * A plan is a value: made from a seed, or written down for a scenario. The
 * same plan gives the same world, frame for frame.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define PLAN_CONNS_MAX 6

enum plan_connect {		/* what the far end does with a connect */
	PLAN_ACCEPT,
	PLAN_REFUSE,
	PLAN_UNREACHABLE,
	PLAN_SILENT,
};

struct plan_conn {
	enum plan_connect connect;
	bool v6;
	uint32_t up_bytes, down_bytes;	/* guest to host, host to guest */
	uint64_t host_reset_at;		/* bytes read by it; UINT64_MAX never */
	uint64_t guest_reset_at;	/* bytes it received; likewise */
	bool host_waits_for_fin;	/* sends only after the guest's FIN */
	bool guest_waits_for_fin;	/* sends only after the host's FIN */
	uint32_t host_buffer;		/* bytes a host socket queues */
	uint32_t host_drain;		/* bytes its program reads per ms */
	uint32_t host_source;		/* bytes its program writes per ms */
	uint32_t guest_buffer;		/* receive buffer of the guest */
	uint32_t guest_drain;		/* bytes its program reads per ms */
	uint64_t guest_sleep_ns;	/* it begins to read only then */
	uint64_t host_sleep_ns;
	uint8_t guest_wscale;		/* 0..14 */
	bool guest_sack, guest_gso;
};

struct plan {
	uint64_t seed;
	unsigned mtu;
	unsigned loss_to_guest, loss_to_gateway;	/* of 1000 frames */
	unsigned duplicate, reorder;			/* of 1000 frames */
	uint64_t delay_ns;				/* of the link */
	unsigned short_io;	/* of 1000 calls: fewer bytes, or AGAIN */
	unsigned no_memory;	/* of 1000 mem_alloc() */
	unsigned link_full;	/* of 1000 link_send() */
	unsigned garbage;	/* frames of noise, spread over the run */
	bool drop_first_update;	/* lose the first window update */
	unsigned conns;
	struct plan_conn conn[PLAN_CONNS_MAX];
};

/* A plan for a seed: anything goes. */
struct plan plan_random(uint64_t seed);

/* A plain world: nothing is lost, one connection as given. */
struct plan plan_plain(struct plan_conn conn);

/* A connection that moves up and down that many bytes without trouble. */
struct plan_conn plan_conn(uint32_t up, uint32_t down);

#endif
