/* SPDX-License-Identifier: MIT */
/*
 * sim/world.h - a whole network in virtual time: guests, links, gateway, host
 *
 * Theory of operation
 * ===================
 *
 * One queue of events is the only clock. The core under test (network/) is
 * driven as engine/ drives it; its env is sim/host.c: sockets of scripted
 * programs, resolvers among them. Its link (sim/link.c) loses, doubles,
 * delays, reorders and corrupts frames, and ends at the guest: a TCP of
 * the tests' own, written without a look at proto/, and programs that ask,
 * answer and close as the plan says.
 *
 * What is checked.
 *
 *   - Every frame that leaves the gateway (sim/watch.c): lengths,
 *     checksums, the MTU, the guest's MSS.
 *   - Both byte streams, byte by byte, against a pattern; segments within
 *     the guest's window, acknowledgements only of what was sent, the
 *     gateway's own window never moved back.
 *   - A guest without a socket, as LAST-ACK and TIME-WAIT leave it, answers
 *     by a RST. That never ends the host's side, unless it answers an old
 *     SYN or comes after TIME-WAIT; and where nothing is lost or repeated
 *     there is no cause for one.
 *   - Datagrams, pings and DNS questions are counted where they cross the
 *     gateway's two edges, so that the counts must agree whatever the link
 *     loses: each datagram goes out once and unchanged, each answer comes
 *     in once, each question is answered once.
 *   - What guests say to each other arrives unit by unit, as it was said,
 *     and each frame only at its guest's link.
 *   - After turns, network_check().
 *   - The clock may leap ahead by hours, as when all were stopped: streams go
 *     on all the same, and nothing stays. What has to come within a time
 *     (datagrams of an exchange, answers to questions) may then be lost.
 *   - At the end, when nothing is left to happen: every connection ended
 *     as its plan allows; no flow, socket, timer or byte of store is left;
 *     the counters add up.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "network/network.h"
#include "sim/pattern.h"
#include "sim/plan.h"
#include "sim/queue.h"
#include "sim/rng.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define WORLD_MS	UINT64_C(1000000)
#define WORLD_START_NS	(1000 * WORLD_MS)
#define WORLD_LIMIT_NS	(7200 * 1000 * WORLD_MS)	/* then it hangs */
#define WORLD_SOCKS	64

/* Ports of connection, chat, … 0; the others follow. */
#define WORLD_PORT	 1000		/* on the host */
#define WORLD_GUEST_PORT 40000
#define WORLD_CHAT_PORT	 2000
#define WORLD_CHAT_GUEST 41000		/* plus plan_chat.guest_port */
#define WORLD_ASK_PORT	 42000
#define WORLD_ASK_ID	 0x5000
#define WORLD_PING_ID	 500
#define WORLD_PORT_DNS	 53
#define WORLD_TALK_PORT	 43000		/* of who talks; of who listens: */
#define WORLD_HEAR_PORT	 44000

enum sim_kind { SOCK_CLOSED, SOCK_CONN, SOCK_RESOLVER, SOCK_UDP, SOCK_PING };

struct sim_dgram;

/* A socket of the host's and the program behind it. */
struct sim_sock {
	enum sim_kind kind;
	uint32_t gen;			/* counts the uses of this slot */
	struct handle owner;
	/* streams */
	bool connected, dead, ticking;
	bool wants_read, wants_write;	/* said AGAIN: owes an event */
	bool end_told;			/* by ENV_ENDED */
	bool fin_seen, eof_given, gave_up;
	int error;			/* of the connect; ENV_* or 0 */
	unsigned conn;
	uint64_t received;		/* from the gateway */
	uint64_t drained;		/* of that, read by the program */
	uint64_t drained_ns;		/* when that was last less than all */
	uint64_t leapt_ns;		/* world's, when its patience began */
	uint64_t written;		/* by the program, for the gateway */
	uint64_t given;			/* of that, to the gateway */
	uint64_t peeked;		/* and copied to a guest before that */
	bool urgent_taken, urgent_told;	/* plan's up_urgent, down_urgent */
	/* of a resolver over TCP: server `conn` */
	uint8_t ask[2 + 512];
	uint8_t *answer;		/* malloc()ed, `written` bytes */
	/* datagrams */
	bool v6, told;			/* told: an event is under way */
	bool dns;
	int guest_port;			/* of the map, -1 not known */
	struct sim_dgram *inbox, *errors;
};

/* A TCP endpoint of the guest and the program behind it. */
struct sim_conn {
	enum {
		G_NEW, G_CLOSED, G_SYN_SENT, G_OPEN, G_RESET, G_REFUSED,
		G_GONE,			/* ended well: there is no socket */
	} state;
	/* sending */
	uint32_t iss, snd_una, snd_nxt, snd_max, snd_wnd;
	uint32_t edge;			/* right edge promised to us */
	bool edge_known;
	uint8_t peer_shift;
	uint16_t mss;
	uint64_t rto_at;		/* 0: not armed */
	uint64_t timer_at;		/* the event under way for it */
	unsigned retries, dups;
	bool fin_sent, fin_acked;
	bool first_to_close;		/* TIME-WAIT follows, not LAST-ACK */
	bool repeated;			/* what is old: an ACK is due */
	bool urgent_due;		/* the gateway knows of it */
	uint32_t up_len;		/* bytes of the stream */
	uint8_t *up;			/* malloc()ed, or NULL: the pattern */
	uint8_t *there;			/* per byte: it reached the gateway */
	bool answered;			/* so did an ACK, whatever for */
	/* receiving */
	uint32_t irs, rcv_nxt, rcv_edge;
	uint32_t edge_max;		/* largest ever promised */
	uint64_t read;			/* by the program */
	uint8_t *down;			/* malloc()ed: DNS answers; or NULL */
	bool fin_seen, fin_known;
	uint32_t fin_at;
	struct { uint32_t from, to; } ooo[16];
	unsigned n_ooo;
	bool connected_once;
	bool may_reset;			/* its RST from no socket is no fault */
	bool host_done;			/* its end has all, and said all */
	uint64_t host_done_ns, over_ns;
	uint64_t time_wait_ns;		/* when it began, or began anew */
	uint64_t reader_at;		/* its next look; 0 none planned */
	uint64_t heard_at;
	unsigned unanswered;		/* keepalives */
};

/* What crossed the gateway's edges of one chat or series of pings. */
struct sim_count {
	unsigned sent;			/* frames by the guest's program */
	unsigned arrived;		/* datagrams at the gateway */
	unsigned damaged;		/* likewise, where it may not matter */
	unsigned carried;		/* of those, sent by it to the host */
	unsigned given;			/* answers that it fetched */
	unsigned emitted;		/* of those, put on the guest's link */
	unsigned errors_given, errors_told;
};

struct sim_ask {
	unsigned arrived, damaged, answered;
};

/* One guest's talk to another: units are sent again until answered. */
struct sim_talk {
	uint32_t told, heard;		/* units answered, units received */
	unsigned tries;
};

struct world {
	struct plan plan;
	struct network_setup setup;
	struct rng rng;
	uint64_t now_ns, limit_ns;
	uint64_t leapt_ns;		/* by the clock, in all */
	struct queue queue;
	struct network *net;
	struct sim_sock socks[WORLD_SOCKS];
	struct sim_conn conns[PLAN_CONNS_MAX];
	struct sim_count chats[PLAN_CHATS_MAX], pings[PLAN_PINGS_MAX];
	struct sim_ask asks[PLAN_ASKS_MAX];
	struct sim_talk talks[PLAN_TALKS_MAX];
	struct endpoint servers[PLAN_SERVERS_MAX];
	bool update_dropped, stopping;
	unsigned turns, data_frames;
	size_t store_bytes;
	uint64_t to_gateway, to_gateway_bytes;	/* frames that arrived */
	uint64_t to_guest, link_full;		/* link_send() */
	uint64_t frames, hash;		/* of every frame, both ways */
	bool verbose;
	char failure[160];		/* "" while all is well */
};

/* Run a plan to its end. true if all was as it must be; w is filled. */
bool world_run(struct world *w, const struct plan *plan);

/* ---- between the files of sim/ ---- */

/* Time since the world began. */
static inline uint64_t world_since(const struct world *w)
{
	return w->now_ns - WORLD_START_NS;
}

__attribute__((format(printf, 2, 3)))
void world_fail(struct world *w, const char *format, ...);

/* Call run(w, arg, data, len) after delay_ns. data: malloc()ed, taken. */
void world_after(struct world *w, uint64_t delay_ns,
		 void (*run)(void *w, uint64_t arg, void *data, size_t len),
		 uint64_t arg, void *data, size_t len);

/* The host that connection, chat or ping i speaks to, as the guest says. */
struct ip world_peer(const struct world *w, bool v6, bool via_gateway,
		     unsigned i);

/* Guests have a link of that number each. */
struct mac world_guest_mac(const struct world *w, unsigned guest);
struct ip world_guest_ip(const struct world *w, unsigned guest, bool v6);
/* Which guest's the connection, ping or question is; a chat: by its port. */
static inline unsigned world_whose(const struct world *w, unsigned i)
{
	return i % w->plan.guests;
}

/* Mix into w->hash. */
void world_mix(struct world *w, const void *p, size_t len);

/*
 * sim/link.c. tag: what the frame is to count as when it arrives, see
 * sim_guest_arrived(). Meta's checksum fields are to be right.
 */
void link_to_gateway(struct world *w, unsigned link,
		     const struct frame_meta *meta, const uint8_t *frame,
		     size_t len, unsigned tag);
void link_to_guest(struct world *w, unsigned link,
		   const struct frame_meta *meta, const uint8_t *frame,
		   size_t len);

/* sim/watch.c: a frame that the gateway emits; before the link's doing. */
void watch_frame(struct world *w, unsigned link,
		 const struct frame_meta *meta, const uint8_t *frame,
		 size_t len);

/* sim/host.c */
extern const struct env_ops sim_env_ops;	/* ctx: struct world */
void sim_host_end(struct world *w);		/* checks at the end */
void sim_host_free(struct world *w);
/* A slot, or -ENV_LIMIT. */
int sim_sock_open(struct world *w, enum sim_kind kind, struct handle owner);
void sim_sock_close(struct sim_sock *s);
/* The gateway hears of events a little later, if it still cares. */
void sim_notify(struct world *w, struct sim_sock *s, unsigned events);
/* As world_after() with the socket's id as arg, unless it is closed then. */
void sim_sock_after(struct world *w, struct sim_sock *s, uint64_t delay_ns,
		    void (*run)(struct world *w, struct sim_sock *s));

/* sim/host_stream.c, sim/host_dgram.c */
int sim_tcp_connect(void *ctx, const struct endpoint *to, uint8_t ttl,
		    uint16_t mss, struct handle h);
bool sim_tcp_error(void *ctx, int id, struct env_net_error *out);
int sim_stream_connected(void *ctx, int id);
int64_t sim_stream_send(void *ctx, int id, const struct span *v, unsigned n);
int sim_tcp_send_urgent(void *ctx, int id, uint8_t byte);
bool sim_tcp_at_urgent(void *ctx, int id);
uint32_t sim_tcp_unread(void *ctx, int id);
bool sim_tcp_skip(void *ctx, int id, uint32_t bytes);
/* For link_send(): false if not all of it is there. */
bool sim_stream_copy(struct world *w, const struct frame_unread *what,
		     uint8_t *to);
int64_t sim_stream_recv(void *ctx, int id, const struct span *v, unsigned n);
void sim_stream_shut(void *ctx, int id);
void sim_stream_close(void *ctx, int id, bool reset);
int sim_udp_open(void *ctx, bool v6, struct handle h);
int sim_ping_open(void *ctx, bool v6, struct handle h);
int sim_dgram_send(void *ctx, int id, const struct endpoint *to,
		   const struct env_mark *mark, const struct span *v,
		   unsigned n);
void sim_dgram_fragment(void *ctx, int id, bool v6, bool allowed,
			uint16_t mtu);
int64_t sim_dgram_recv(void *ctx, int id, struct endpoint *from,
		       struct env_mark *mark, void *buf, size_t cap);
bool sim_dgram_error(void *ctx, int id, struct env_net_error *out,
		     void *payload, size_t cap);
void sim_dgram_close(void *ctx, int id);
void sim_dgram_free(struct sim_sock *s);
/* Is there something to fetch now? */
bool sim_dgram_ready(const struct world *w, const struct sim_sock *s);
/* Post a datagram from `from`, to be fetched after delay_ns. */
void sim_post(struct world *w, struct sim_sock *s, uint64_t delay_ns,
	      const struct endpoint *from, unsigned *count,
	      const void *data, size_t len);
/* Post an error about a datagram to `to`; errors: count it there. */
void sim_post_error(struct world *w, struct sim_sock *s, uint64_t delay_ns,
		    const struct endpoint *to, unsigned *count,
		    const void *data, size_t len);

/* sim/firewall.c */
void sim_firewall_start(struct world *w);
bool sim_ask_program(void *ctx, uint32_t id, const struct env_socket *what);
void sim_blocked(void *ctx, const struct network_blocked *what);

/* sim/resolver.c */
bool resolver_at(const struct world *w, const struct endpoint *to,
		 unsigned *server);
void resolver_udp(struct world *w, struct sim_sock *s, unsigned server,
		  const void *data, size_t len);
void resolver_tcp(struct world *w, struct sim_sock *s);	/* it got bytes */
/* May the guest not ask question n? */
bool resolver_is_shut(const struct world *w, unsigned n);
/* Question n as a message; returns its length. */
size_t resolver_question(unsigned n, bool own, uint8_t *buf, size_t cap);
/* Is msg a right answer to question n? Else the world fails. */
void resolver_check(struct world *w, unsigned n, bool own, bool udp,
		    struct view msg);

/* sim/guest.c: frames in, frames out. */
void sim_guest_start(struct world *w);
void sim_guest_frame(struct world *w, unsigned guest,
		     const struct frame_meta *meta, const uint8_t *frame,
		     size_t len);
/* A frame that was sent with that tag reached the gateway. */
void sim_guest_arrived(struct world *w, unsigned tag, bool damaged,
		       const uint8_t *frame, size_t len);
void sim_guest_end(struct world *w);

#define TAG_NONE	0u
#define TAG_CHAT	0x100u		/* | number */
#define TAG_PING	0x200u
#define TAG_ASK		0x300u
#define TAG_CONN	0x400u

/* Send l4 (its checksum field 0) behind Ethernet and IP headers. */
struct sim_packet {
	unsigned guest;			/* that sends it */
	const struct mac *by;		/* NULL: the gateway */
	bool v6, offload;
	struct ip dst;
	uint8_t proto, ttl;
	uint16_t csum_offset;		/* in l4 */
	enum frame_gso gso;
	uint16_t gso_size;
	unsigned tag;
};
void sim_guest_send(struct world *w, const struct sim_packet *p,
		    const uint8_t *l4, size_t len);

/* sim/guest_tcp.c */
void guest_tcp_start(struct world *w);
void guest_tcp_segment(struct world *w, unsigned i,
		       const struct tcp_segment *s);
void guest_tcp_refused(struct world *w, unsigned i);
/* A segment of connection i's reached the gateway unharmed. */
void guest_tcp_arrived(struct world *w, unsigned i, const uint8_t *frame,
		       size_t len);
void guest_tcp_end(struct world *w);

/* sim/talk.c: what one guest says to another. */
void sim_talk_start(struct world *w);
/* A packet came to that guest, whole. false: it is of no talk. */
bool sim_talk_packet(struct world *w, unsigned guest,
		     const struct ip_packet *ip);
void sim_talk_end(struct world *w);

/* sim/guest_dgram.c */
void guest_dgram_start(struct world *w);
void guest_dgram_end(struct world *w);

#endif
