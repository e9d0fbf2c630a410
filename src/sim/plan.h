/* SPDX-License-Identifier: MIT */
/*
 * sim/plan.h - what is to happen in one simulated world.
 *
 * A plan is a value: made from a seed, or written down for a scenario. The
 * same plan gives the same world, frame for frame. Times count from the
 * world's start; PLAN_NEVER is never. Chances are of 1000.
 */
#ifndef SIM_PLAN_H
#define SIM_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#define PLAN_CONNS_MAX	 6
#define PLAN_CHATS_MAX	 6
#define PLAN_PINGS_MAX	 3
#define PLAN_ASKS_MAX	 8
#define PLAN_SERVERS_MAX 3
#define PLAN_JUMPS_MAX	 3
#define PLAN_GUESTS_MAX	 3
#define PLAN_TALKS_MAX	 3
#define PLAN_NEVER	 UINT64_MAX

enum plan_connect {		/* what the far end does with a connect */
	PLAN_ACCEPT,
	PLAN_REFUSE,
	PLAN_UNREACHABLE,
	PLAN_SILENT,
};

/* One TCP connection of the guest's. */
struct plan_conn {
	enum plan_connect connect;
	uint64_t connect_ns;		/* it takes; 0: the call itself fails */
	bool v6;
	bool via_gateway;		/* to the host, by the gateway's name */
	bool first_refuses;		/* of its two loopback addresses */
	unsigned questions;		/* DNS to the gateway instead */
	uint32_t up_bytes, down_bytes;	/* guest to host, host to guest */
	uint32_t up_urgent, down_urgent;	/* that byte of them, from 1 */

	uint64_t host_reset_at;		/* bytes read by it */
	uint64_t guest_reset_at;	/* bytes it received; likewise */
	uint64_t host_reset_ns, guest_reset_ns;
	int host_error;			/* ENV_*: how its reset shows */
	bool host_waits_for_fin;	/* sends only after the guest's FIN */
	bool guest_waits_for_fin;	/* sends only after the host's FIN */
	uint64_t host_fin_ns, guest_fin_ns;	/* no FIN before */

	uint32_t host_buffer;		/* bytes a host socket queues */
	uint32_t host_drain;		/* bytes its program reads per ms */
	uint32_t host_source;		/* bytes its program writes per ms */
	uint64_t host_sleep_ns;		/* it begins only then */

	uint32_t guest_buffer;		/* receive buffer of the guest */
	uint32_t guest_drain;		/* bytes its program reads per ms */
	uint64_t guest_sleep_ns;	/* it begins to read only then */
	uint64_t guest_keepalive_ns;	/* idle time before one; 0: none */
	uint8_t guest_wscale;		/* 0..14 or TCP_NO_WSCALE */
	uint16_t guest_mss;		/* as announced; 0: no option */
	bool guest_sack, guest_ts, guest_odd_options;
	bool guest_gso;			/* GSO and checksum offload */
	bool guest_stale;		/* sends of an older connection, too */
	bool guest_shrinks;		/* moves its window's edge back */
};

enum plan_peer {		/* what the far end does with a datagram */
	PLAN_ECHO,
	PLAN_MUTE,
	PLAN_ERROR,		/* an ICMP error comes back */
	PLAN_STRANGER,		/* another one answers too */
};

/* A guest's UDP exchange with one peer, or a series of pings. */
struct plan_chat {
	enum plan_peer peer;
	bool v6, via_gateway;
	uint8_t guest_port;		/* 0..2: several share one */
	uint8_t ttl;			/* 2..255 */
	uint8_t batch;			/* datagrams per frame (UDP GSO) */
	unsigned sends;			/* frames */
	unsigned replies;		/* to each datagram */
	uint32_t bytes, reply_bytes;
	uint64_t gap_ns, delay_ns;	/* between sends; of an answer */
};

/* A question over UDP to the gateway. */
struct plan_ask {
	bool v6, own;			/* own: a name of the gateway's */
	uint64_t at_ns;
};

/* The clock leaps ahead: all were stopped at that time, for so long. */
struct plan_jump {
	uint64_t at_ns, by_ns;
};

/* What one guest has to say to the next one, in units that it answers. */
struct plan_talk {
	bool tcp, v6;
	bool offload;			/* of the checksum, or a batch */
	uint32_t units, bytes;		/* how many, of how many bytes each */
};

/* A resolver of the host's. What is left of 1000 is silence. */
struct plan_server {
	bool v6;
	unsigned answer, garbage, servfail, error;
	unsigned many;			/* answers of 40 records */
	uint64_t delay_ns;
};

struct plan {
	uint64_t seed;
	unsigned mtu, max_flows;
	unsigned loss_to_guest, loss_to_gateway;	/* of 1000 frames */
	unsigned duplicate, reorder, corrupt;		/* of 1000 frames */
	uint64_t delay_ns;				/* of the link */
	uint64_t turn_ns;	/* events that close share a turn */
	unsigned check_every;	/* turns between two network_check() */
	unsigned short_io;	/* of 1000 calls: fewer bytes, or AGAIN */
	unsigned no_memory;	/* of 1000 mem_alloc() */
	bool unread;		/* links take what streams have unread, */
	unsigned no_unread;	/* but of 1000 such frames */
	unsigned no_socket;	/* of 1000 opens: -ENV_LIMIT */
	unsigned send_fails;	/* of 1000 dgram_send() */
	unsigned late_events;	/* of 1000 for sockets closed since */
	unsigned link_full;	/* of 1000 link_send() */
	unsigned garbage;	/* frames of noise, spread over the run */
	bool drop_first_update;	/* lose the first window update */
	unsigned drop_data[2];	/* lose these frames with data to the guest */
	uint64_t end_ns;	/* every connection is over by then; 0: any */
	uint64_t stop_ns;	/* network_fini() in the middle of it */
	uint64_t servers_change_ns;	/* then there is one less */
	bool programs;		/* the firewall asks for them */
	bool gate;		/* … and lets half of the names be asked for */
	unsigned rule_changes;	/* times that it is given its rules anew */
	unsigned guests;	/* with a link each: what is the guest's below
				   is theirs in turn */
	unsigned talks;		/* of guest i to guest i + 1, if several */
	unsigned conns, chats, pings, asks, servers, jumps;
	struct plan_conn conn[PLAN_CONNS_MAX];
	struct plan_chat chat[PLAN_CHATS_MAX];
	struct plan_chat ping[PLAN_PINGS_MAX];
	struct plan_ask ask[PLAN_ASKS_MAX];
	struct plan_server server[PLAN_SERVERS_MAX];
	struct plan_jump jump[PLAN_JUMPS_MAX];
	struct plan_talk talk[PLAN_TALKS_MAX];
};

/* A plan for a seed: anything goes. */
struct plan plan_random(uint64_t seed);

/* A plain world: nothing is lost, one connection as given. */
struct plan plan_plain(struct plan_conn conn);

/* A connection that moves up and down that many bytes without trouble. */
struct plan_conn plan_conn(uint32_t up, uint32_t down);

/* Is the connection to end by RST, or may it? */
bool plan_resets(const struct plan_conn *c);

/* Does every frame arrive, whole, in order, once? */
bool plan_calm_link(const struct plan *p);

#endif
