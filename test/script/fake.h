/* SPDX-License-Identifier: MIT */
/*
 * test/script/fake.h - the world of env/ that a script plays, in virtual
 * time: a network, a link that writes down what it carries, and a host
 * that does what it is told.
 */
#ifndef FAKE_H
#define FAKE_H

#include "network/network.h"
#include "script.h"
#include "show.h"

#define FAKE_SOCKETS	16
#define FAKE_SEEN	128
#define FAKE_DGRAMS	64
#define FAKE_START_NS	(UINT64_C(1000) << 20)	/* the script's time 0 */

struct fake_dgram {
	struct endpoint from;
	size_t len;
	uint8_t ttl, tos;
};

/* A socket of the host's. */
struct fake_sock {
	bool open, stream;
	struct handle owner;
	/* streams */
	int outcome;			/* of the connect; -ENV_AGAIN */
	bool blocked, end, failed;	/* `end`: of what it writes */
	uint64_t takes;			/* bytes it takes in all */
	uint64_t got, given, read;	/* bytes from and for the guest */
	uint64_t urgent;		/* byte of `given`, from 1; 0 none */
	bool saw_end, saw_reset;
	bool bad_bytes;
	uint8_t ttl;			/* of the connect; 0: the host's own */
	/* datagrams */
	struct fake_dgram queue[FAKE_DGRAMS];
	unsigned queued;
	struct env_net_error error;
	bool has_error;
};

struct fake_seen {
	uint64_t at_ns;
	char text[SCRIPT_TEXT];
};

struct fake {
	struct network *net;
	struct network_setup setup;
	void *mem;
	uint64_t now_ns;
	struct show show;
	bool v6;			/* what TCP goes over */
	struct ip tcp_peer;		/* who the guest's segments are for */
	bool link_full, no_memory;
	bool verbose;
	int next_error;			/* what the host's next call meets */
	int stream;			/* the last one connected, or -1 */
	struct fake_sock sock[FAKE_SOCKETS];
	unsigned sockets;		/* opened ever: names s1, s2, … */
	size_t stores;			/* bytes */
	struct fake_seen seen[FAKE_SEEN];
	unsigned first, n;		/* of `seen`: [first, n) not yet met */
};

void fake_init(struct fake *f, const struct script *s, bool verbose);

/* Ends the network; false if it has left a socket or a byte of store. */
MUST bool fake_fini(struct fake *f);

/* A connection that the host has taken is offered to the guest's port. */
void fake_offer(struct fake *f);

/* A frame from the guest; the turn goes on. */
void fake_frame(struct fake *f, const struct frame_meta *meta,
		const uint8_t *buf, size_t len);

/* test/script/act.c: what follows "host". NULL, or what is wrong. */
const char *fake_host(struct fake *f, const char *text);

/* Likewise what follows "gateway". */
const char *fake_gateway(const struct fake *f, const char *text);

void fake_turn_end(struct fake *f);

/* Let time pass until then, or until something is seen. */
void fake_run(struct fake *f, uint64_t until_ns);

/* The byte at offset `at` of every stream and datagram. */
static inline uint8_t fake_byte(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

#endif
