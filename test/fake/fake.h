/* SPDX-License-Identifier: MIT */
/*
 * test/fake/fake.h - a host and a link for a network under test.
 *
 * The world of env/env.h with nothing behind it. What each call comes to
 * is decided by fake_dice(): by a random number, or, where a script is
 * given, by its next bytes and, once it is used up, by the plain outcome
 * (it works; nothing is there to be read). What a socket has for the
 * network to read can also be told, by fake_say().
 *
 * Every frame that the network puts on the link is parsed and checked. So
 * is that each socket is closed once and that memory comes back.
 * What is found wrong is kept in @failure, the first time.
 */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rd.h"
#include "network/network.h"
#include "wire/ip.h"

#define FAKE_TICKET	77		/* the only one to be judged */
#define FAKE_SOCKETS	256
#define FAKE_PORTS	16	/* of the guest, from FAKE_PORT on */
#define FAKE_PORT	1000
#define FAKE_SENT_BYTES	160	/* remembered of what a socket sent */
#define FAKE_SAY_BYTES	4096

enum fake_saying {
	FAKE_NOTHING,
	FAKE_BYTES,		/* these */
	FAKE_MIRROR,		/* what the socket sent, XORed with these */
	FAKE_ERROR,		/* a network error that quotes the mirror */
};

struct fake_socket {
	bool open;
	bool stranded;			/* its address has gone */
	bool moved;			/* as env/env.h says */
	unsigned stalled;
	uint32_t waits;
	bool gap;
	uint16_t mss;			/* of a connect; 0: any */
	struct handle owner;
	struct endpoint to;		/* connected, or sent to last */
	uint32_t crowd;			/* what it was told last */
	size_t sent_len;
	uint8_t sent[FAKE_SENT_BYTES];	/* streams: in all; else: last */
};

/* Sequence numbers that the gateway used last, for one port of the guest. */
struct fake_peer {
	uint32_t seq;		/* of its last segment */
	uint32_t end;		/* behind all that it sent */
	uint32_t ack;		/* what it expects of the guest; 0 none */
};

struct fake {
	struct network_setup setup;
	uint64_t rng;			/* not 0 */
	bool scripted;
	struct rd script;		/* borrowed */
	struct fake_socket sock[FAKE_SOCKETS];
	enum fake_saying saying;	/* one is waiting, for sock[say_id] */
	int say_id;
	size_t say_len, say_at;
	uint8_t say[FAKE_SAY_BYTES];
	size_t stores;			/* bytes lent out */
	struct fake_peer peer[2][FAKE_PORTS];	/* [IPv6][port - FAKE_PORT] */
	uint64_t frames;		/* that the guests got */
	unsigned links;			/* with guests; 0: one */
	unsigned link;			/* of the last frame */
	bool by_guest;			/* another guest has sent it */
	uint64_t link_frames[NETWORK_LINKS_MAX];
	uint64_t host_packets;		/* that the host's own stack got */
	struct ip_packet host_packet;	/* the last; no views */
	uint16_t host_waits;		/* the port at which it does; without a
					   script */
	uint32_t asked;			/* whose program is it? the last */
	struct env_socket asked_about;
	uint64_t passed, refused;	/* tickets */
	uint64_t blocked;		/* flows */
	struct network_blocked last_blocked;
	size_t frame_len;		/* of the last one */
	struct frame_meta meta;		/* likewise */
	struct env_path path;		/* to everywhere */
	unsigned n_own;			/* addresses of the host's own */
	struct ip own[4];
	const char *failure;		/* static; NULL: all is well */
	uint8_t frame[FRAME_MAX_BYTES];	/* the last one */
};

/* What the tests use: IPv4 and IPv6, host access, 200 flows. */
struct network_setup fake_setup(void);

/* All of it zero but for the arguments and @frame; no script. */
void fake_init(struct fake *f, const struct network_setup *setup,
	       uint64_t seed);

/* The table of functions to be put in struct env; its ctx is the fake. */
const struct env_ops *fake_ops(void);

/* 0..sides - 1; the highest is the plain outcome. sides 1..65536. */
uint32_t fake_dice(struct fake *f, uint32_t sides);

/*
 * Let the open socket that is n-th, modulo their number, have this, and
 * zeros behind it (a mirror: behind what was sent). FAKE_SAY_BYTES at most.
 */
void fake_say(struct fake *f, unsigned n, enum fake_saying what,
	      struct rd bytes, size_t zeros);

/* A stream that a driver would have accepted, for network_offer(); or < 0. */
int fake_accept(struct fake *f);

/* The open socket that is n-th, modulo their number; -1: none. */
int fake_nth_socket(const struct fake *f, unsigned n);

/* The end, after network_fini(): nothing may be left. */
void fake_check_end(struct fake *f);

#endif
