/* SPDX-License-Identifier: MIT */
/*
 * proto/tcp.h - one TCP connection of the guest's, carried over a stream
 *
 * Theory of operation
 * ===================
 *
 * The guest's connection ends here; its bytes go on over a stream of the
 * host (struct stream_ops: a socket, or a service of the gateway's own).
 * Two rings lie between:
 *
 *   guest --segments--> [up] --send()--> host     proto/tcp_rx.c, tcp_host.c
 *   guest <--segments-- [down] <--recv()-- host   proto/tcp_tx.c, tcp_pull.c
 *
 * up	Bytes that the socket did not take, and, behind them, bytes that
 *	arrived out of order. It is empty as long as the socket keeps up:
 *	in-order data then goes from the frame straight to the socket.
 *	What fits the window that was advertised is never thrown away.
 * down	Bytes read from the host and not yet acknowledged. The host's
 *	socket holds the rest, so this ring need only cover the link.
 *	Where the link can take them from there (env_ops.link_takes_unread)
 *	bulk is not even read: of the down_len bytes the last down_unread
 *	stay in the socket until they are acknowledged, and the ring is small
 *	or none. What ends or breaks a stream, an urgent byte, and trifles
 *	go the plain way, for which what is unread is read after all.
 *
 * Sequence numbers. up offset 0 is rcv_nxt - up_len, or one less once the
 * guest's FIN was received. down offset 0 is snd_una. Our FIN, once
 * fin_queued, has sequence snd_una + down_len and stays out of down_len.
 *
 * Invariants, checked by tcp_check()
 *
 *   (1) snd_una <= snd_nxt <= snd_max <= snd_una + down_len + fin_queued
 *   (2) rcv_nxt <= rcv_edge; the edge never moves back
 *   (3) every range in ooo lies in (rcv_nxt, rcv_edge]
 *   (4) every range in sacked lies in (snd_una, snd_max]
 *   (5) a flow with bytes in flight, a FIN in flight, a SYN-ACK in flight
 *       or bytes that a closed window holds back has its timer armed
 *   (6) snd_una + snd_wnd <= snd_edge, by less than a step of the scale
 *   (7) down_urg, while down_urgent, lies in [snd_una, snd_una + down_len)
 *   (8) down_unread <= down_len; the others are in the ring; host_ready while
 *       there is unread_more; no unread_done without down_unread
 *
 * Who acknowledges. Segments in order make an ACK owed, sent at the end of
 * the turn unless data went out before, but once for each half of the
 * window, so that the loss of one does not stop the guest; all else is
 * answered at once, because the guest's loss detection waits for it.
 *
 * A link that is full loses nothing that goes to it: a flow that meets it
 * waits, in the order of those that did, until there is room again or 10 ms
 * have passed, and then they go on one after the other, as far as that goes.
 *
 * The urgent byte, one at a time in each direction, has its place in the
 * stream, and is told as such to where it goes: the host's socket gets it by
 * a call of its own, the guest by the pointer in all that we send before it
 * and with it, which a shut window does not hold back (RFC 9293 section
 * 3.8.5). Linux knows no more than the last one, either.
 *
 * Timestamps are echoed and guard against old duplicates (PAWS) where the
 * guest offers them; round trips are timed without.
 *
 * The end. When both FINs were exchanged the socket is closed and the rings
 * are given back; the table entry stays for TCP_LINGER_NS, so that a guest
 * whose last ACK was lost is answered and not reset. It is no obstacle to
 * a new connection from the same port.
 *
 * Limits. TCP_UP_MAX and TCP_DOWN_MAX bytes per flow, RANGES_MAX holes;
 * TCP_HALF_OPEN_MAX handshakes at once, so that a flood of SYNs does not
 * use up the host's ports, whose search gets slow long before. Where there
 * is no room the oldest handshake goes, if it has had a second at least and
 * thus most likely meets silence: a guest that scans what does not answer
 * bars itself from nothing, and repeats its SYNs where it still cares.
 */
#ifndef PROTO_TCP_H
#define PROTO_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/wheel.h"
#include "flow/table.h"
#include "proto/ctx.h"
#include "proto/ranges.h"
#include "proto/store.h"
#include "proto/tcp_close.h"
#include "wire/tcp.h"

#define TCP_UP_SHIFT	5		/* 65535 << 5 covers TCP_UP_MAX */
#define TCP_UP_FIRST	(256u << 10)	/* window that a flow starts with */
#define TCP_UP_MAX	(1u << 20)
#define TCP_DOWN_FIRST	(16u << 10)	/* of its ring */
#define TCP_DOWN_MAX	(1u << 20)
/* Of a crowd of flows each has its part of this, but never less. */
#define TCP_CROWD_BYTES	(16u << 20)
#define TCP_CROWD_MIN	(64u << 10)
/*
 * RFC-DEVIATION: RFC 6928 section 2, RFC 5681 section 3.1: the congestion
 * window begins with 64 KiB and recovers to no less, because the link is
 * this machine's memory.
 */
#define TCP_CWND_MIN	(64u << 10)
#define TCP_HALF_OPEN_MAX 4096		/* connections not yet established */
/*
 * RFC-DEVIATION: RFC 9293 section 3.4.2: 2 MSL would be 4 minutes; nothing
 * stays on the link for longer than the guest retransmits its FIN.
 */
#define TCP_LINGER_NS	UINT64_C(2000000000)

#define TCP_RTO_FIRST_US 1000000u	/* RFC 6298 (2.1) */
#define TCP_RTO_LOST_US	3000000u	/* (5.7): after a SYN-ACK was lost */

enum tcp_phase {
	TCP_CONNECTING,		/* the host's connect is under way */
	TCP_ANSWERED,		/* SYN-ACK sent (RFC 9293: SYN-RECEIVED) */
	TCP_OFFERED,		/* SYN sent to the guest (SYN-SENT) */
	TCP_ESTABLISHED,	/* and on; see close */
	TCP_LINGERING,		/* over; only answers a guest that did not
				   hear so (RFC 9293: TIME-WAIT) */
};

struct tcp {
	struct flow flow;		/* first */
	struct timer timer;
	uint64_t due_ns;		/* when the timer means it; 0 never */
	struct tcp *owed_next, **owed_prev;	/* in a list of struct proto's */
	struct tcp *half_next, *half_prev;	/* likewise, if half open */

	const struct stream_ops *host;
	void *host_ctx;
	int host_id;
	struct ip next_to;		/* to try when the first refuses */

	uint8_t held;			/* the link of the list held, + 1; 0:
					   of owed, or in none */
	uint8_t phase;			/* enum tcp_phase */
	uint8_t close;			/* enum tcp_close_state */
	uint8_t guest_shift, our_shift;	/* window scales */
	uint8_t retries;		/* of the timer, since progress */
	uint8_t dup_acks;
	uint8_t tried;			/* addresses after the first */
	uint16_t mss;			/* bytes of data per segment to guest */

	bool has_next : 1;		/* next_to is set, or tried: host's own */
	bool sack_ok : 1;
	bool ts_ok : 1;			/* RFC 7323 timestamps are in use */
	bool ack_owed : 1;
	bool stalled : 1;		/* the link took no more */
	bool host_ready : 1;		/* reading the host may give more */
	bool host_blocked : 1;		/* host takes nothing until writable */
	bool host_ended : 1;		/* its end is behind what is to be read */
	bool host_eof : 1;
	bool guest_fin : 1;		/* its FIN's place is known: fin_seq */
	bool fin_queued : 1;		/* ours follows the data */
	bool shut_queued : 1;		/* host to be shut when up is empty */
	bool release_queued : 1;	/* flow to be freed when up is empty */
	bool recovering : 1;		/* fast recovery, until `recover` */
	bool probing : 1;		/* window shut or silly: the timer probes */
	bool timing : 1;		/* rtt_seq is being timed */
	bool tail_probed : 1;		/* the timer means time-out now */
	bool keepalive : 1;		/* the guest has it; so has the host */
	bool offered : 1;		/* to the guest, by tcp_offer() */
	bool up_urgent : 1;		/* the host has not had up_urg */
	bool down_urgent : 1;		/* the guest has not acked down_urg */
	bool host_urgent : 1;		/* a byte to be read will be down_urg */
	bool leaves : 1;		/* bulk has come from the host, and is to be
					   left unread */
	bool takes_back : 1;		/* that cannot be: all is read */
	bool unread_seek : 1;		/* see unread_at */
	bool unread_lost : 1;		/* what was left there is not there */
	uint8_t silent;			/* window probes without any answer */
	uint8_t challenges;		/* ACKs since challenge_ns, see rx */
	uint8_t events;			/* enum env_event, for the turn's end */

	/* guest to host */
	uint32_t irs;			/* guest's first sequence number */
	uint32_t rcv_nxt;
	uint32_t rcv_edge;		/* right edge of the window promised */
	uint32_t rcv_told;		/* rcv_nxt in our last segment */
	uint32_t fin_seq;
	uint32_t up_urg;		/* of the urgent byte */
	uint32_t ts_recent;		/* RFC 7323: TS.Recent, and since when */
	uint64_t ts_recent_ns;
	uint32_t up_len;		/* in order, not yet taken by the host */
	uint32_t up_limit;		/* window we grant an empty store */
	uint32_t up_grow;		/* bytes until up_limit may double */
	uint16_t up_seen, down_seen;	/* struct crowd */
	uint8_t down_crowd;		/* log2 of what the host was told */
	uint16_t rcv_wraps, snd_wraps;	/* how often rcv_nxt, snd_una have */
	struct store up;
	struct ranges ooo;
	struct tcp_range dup;		/* came twice, to be told (RFC 2883);
					   empty: nothing */
	uint64_t challenge_ns;
	uint32_t recent[TCP_SACK_MAX];	/* a number in each range of ooo that
					   grew last, the newest first */

	/* host to guest */
	uint32_t iss, snd_una, snd_nxt, snd_max;
	uint32_t snd_wnd;		/* bytes from snd_una */
	uint32_t wnd_max;		/* largest seen */
	uint32_t snd_edge;		/* window's edge, before any rounding:
					   what lies before it may be taken */
	uint32_t wnd_seq, wnd_ack;	/* RFC 9293: SND.WL1, SND.WL2 */
	uint32_t down_urg;		/* of the urgent byte */
	uint32_t down_len;
	uint32_t down_unread;		/* its last, still in the socket, */
	uint32_t unread_done;		/* where so many are before them that the
					   guest has acknowledged, */
	uint32_t unread_more;		/* and so many at least behind */
	uint32_t unread_at;		/* where the socket stands, to be copied
					   from, unless unread_seek */
	uint32_t down_want;		/* ring size that the path can use */
	uint32_t cwnd, ssthresh;	/* bytes */
	uint32_t recover;		/* snd_max when recovery began */
	uint32_t hole_nxt;		/* next to retransmit in recovery */
	struct store down;
	struct ranges sacked;

	/* RFC 6298 */
	uint32_t rtt_seq;
	uint32_t srtt_us, rttvar_us, rto_us;
	uint64_t rtt_start_ns;
};

/* Where a new connection goes. */
struct tcp_target {
	struct endpoint to;
	bool has_next;
	struct ip next_to;		/* same port, if `to` refuses; and if
					   that does, the host's own addresses */
	uint8_t ttl;			/* for `to`; 0: the host's own */
	uint16_t mss;			/* likewise, see env's tcp_connect */
	bool reopens;			/* a connection that has ended just now, */
	uint32_t past;			/* its first sequence number not used */
	/* A service of the gateway's own instead; NULL: env's tcp_connect. */
	int (*open)(void *ctx, const struct endpoint *from,
		    struct handle owner);
	const struct stream_ops *ops;	/* of the service */
	void *ctx;			/* for open and ops */
};

/**
 * tcp_offer() - open a connection to the guest (RFC 9293 section 3.5)
 * @key:	its own address and port, and whom it is to see; of no flow
 * @id:		connected stream of env's, taken in any case: it is reset if
 *		the guest refuses or is silent
 *
 * The SYN is sent at once. DROP_OK, DROP_FLOWS, DROP_LIMIT or DROP_SYSTEM.
 */
enum drop tcp_offer(struct proto *p, const struct flow_key *key, int id);

/*
 * A SYN that belongs to no flow. DROP_OK: a flow was made and its host
 * side is connecting. DROP_FLOWS, DROP_LIMIT, DROP_SYSTEM: nothing was made.
 */
enum drop tcp_open(struct proto *p, const struct flow_key *key,
		   const struct tcp_segment *seg,
		   const struct tcp_target *target);

/*
 * A segment of an existing flow. t may be gone afterwards. false: it is
 * gone, and the segment is a SYN that begins a new connection, for which
 * *past is to be handed to tcp_open(); else *past is untouched.
 */
MUST bool tcp_rx(struct proto *p, struct tcp *t,
		 const struct tcp_segment *seg, uint32_t *past);

/* RFC 9293 section 3.10.7.1: a segment that belongs to no flow, not RST. */
void tcp_refuse(struct proto *p, const struct flow_key *key,
		const struct tcp_segment *seg);

/* Events of the host's stream. t may be gone afterwards. */
void tcp_host_event(struct proto *p, struct tcp *t, unsigned events);

/* The flow's timer was popped. t may be gone afterwards. */
void tcp_timer(struct proto *p, struct tcp *t);

/* There may be room at that link: those that wait for it go on. */
void tcp_link_ready(struct proto *p, unsigned link);

/* p->full_timer was popped: the same, of all links. */
void tcp_links_retry(struct proto *p);

/* Handle everything on p->owed, once each. */
void tcp_turn_end(struct proto *p);

/* End a flow now: RST to the guest if told, RST to the host, free. */
void tcp_abort(struct proto *p, struct tcp *t, bool tell_guest);

void tcp_check(const struct proto *p, const struct tcp *t);

/* ---- between the files of this module ---- */

/* n more bytes of the guest's, or its FIN, are in order. */
static inline void tcp_received(struct tcp *t, uint32_t n)
{
	t->rcv_wraps = (uint16_t)(t->rcv_wraps + (t->rcv_nxt + n < n));
	t->rcv_nxt += n;
}

/* proto/tcp_segment.c */
void tcp_send_ack(struct proto *p, struct tcp *t);
void tcp_send_syn(struct proto *p, struct tcp *t);
void tcp_send_synack(struct proto *p, struct tcp *t);
void tcp_send_rst(struct proto *p, struct tcp *t);
/* A segment with what all of ours have in common; promises its window. */
struct tcp_segment tcp_segment_at(struct tcp *t, uint32_t seq, uint8_t flags);
/*
 * Complete s, put it on the link with its data: 0 to 2 spans, then what is
 * unread, if that is not NULL.
 */
bool tcp_put(struct proto *p, struct tcp *t, struct tcp_segment *s,
	     struct span *data, unsigned n, const struct frame_unread *unread);
/* Would an update of the window be worth an ACK (RFC 9293, 3.8.6.2.2)? */
bool tcp_window_owed(const struct tcp *t);

/* proto/tcp_tx.c */
/* Send what windows allow, and nothing if they do not. */
void tcp_output(struct proto *p, struct tcp *t);
/* First sequence number after all that is to be sent, our FIN apart. */
uint32_t tcp_data_end(const struct tcp *t);
/* Send [seq, seq + len) of down, and FIN if it follows. false: link full. */
bool tcp_send_data(struct proto *p, struct tcp *t, uint32_t seq,
		   uint32_t len);
/* May len bytes go where more are waiting (RFC 9293, 3.8.6.2.1)? */
bool tcp_worth_sending(const struct tcp *t, uint32_t len);

/* proto/tcp_loss.c */
/* Arm the flow's timer for due_ns (0: not needed). Lazy: late is moved. */
void tcp_arm(struct proto *p, struct tcp *t, uint64_t due_ns);
/* When the timer is to time out, and when it is to look after a tail. */
uint64_t tcp_rto_due(const struct proto *p, const struct tcp *t);
uint64_t tcp_loss_due(const struct proto *p, const struct tcp *t);
/*
 * The guest has acknowledged up to ack, and what it had before, again.
 * twice: it says that some of that came twice (RFC 2883).
 */
void tcp_ack_advanced(struct proto *p, struct tcp *t, uint32_t ack,
		      bool twice);
void tcp_ack_repeated(struct proto *p, struct tcp *t);

/* proto/tcp_pull.c */
/* Take what the host has. false: t is gone */
bool tcp_pull(struct proto *p, struct tcp *t);
/* The guest has the first so many bytes of down. */
void tcp_forget(struct proto *p, struct tcp *t, uint32_t bytes);

/* proto/tcp_host.c */
/* What the guest's SYN says of it: numbers, options, window. */
void tcp_take_syn(struct proto *p, struct tcp *t,
		  const struct tcp_segment *seg);
void tcp_owe(struct proto *p, struct tcp *t);

/* Is its link known to be full? Then nothing need be tried. */
bool tcp_link_is_full(const struct proto *p, const struct tcp *t);

/* It is: t goes on when there is room. */
void tcp_hold(struct proto *p, struct tcp *t);
/*
 * Send the guest's bytes from seq on to the host, which are in v (none of
 * them empty, shortened). Bytes taken, or -ENV_*.
 */
int64_t tcp_to_host(struct proto *p, struct tcp *t, uint32_t seq,
		    struct span *v, unsigned n);
bool tcp_flush_up(struct proto *p, struct tcp *t);	/* false: t is gone */
bool tcp_closing(struct proto *p, struct tcp *t, enum tcp_close_event ev);
void tcp_free(struct proto *p, struct tcp *t, bool reset_host);
/* The handshake is over: well, or t is about to go. */
void tcp_shaken(struct proto *p, struct tcp *t);
/* All was said and heard: the socket goes, the entry stays a little. */
void tcp_linger(struct proto *p, struct tcp *t);
MUST bool tcp_reserve(struct proto *p, struct store *s, uint32_t need,
		      uint32_t keep);
void tcp_release(struct proto *p, struct store *s);

#endif
