/* SPDX-License-Identifier: MIT */
/*
 * proto/tcp_close.h - how a translated TCP flow ends
 *
 * A pure machine: tcp_close_step() reads and writes nothing but its
 * arguments. The caller performs the actions, lowest bit first, then
 * stores the new state. Sequence checks and retransmission of our FIN are
 * the caller's, and so is patience: SHUT_WR and RELEASE take effect when
 * the bytes that the guest sent before have reached the host's socket.
 *
 * A half-closed flow stays for as long as its other side likes; only a
 * FIN of ours that nobody acknowledges ends it, by TC_EV_TIMEOUT.
 */
#ifndef PROTO_TCP_CLOSE_H
#define PROTO_TCP_CLOSE_H

enum tcp_close_state {
	TC_OPEN,		/* both directions carry data */
	TC_GUEST_DONE,		/* guest sent FIN; host write side shut */
	TC_HOST_DONE,		/* host sent EOF; our FIN not yet acked */
	TC_HOST_ACKED,		/* host sent EOF; guest acked our FIN */
	TC_BOTH_DONE,		/* both; our FIN not yet acked */
	TC_CLOSED,		/* final */
	TC_STATE_MAX
};

enum tcp_close_event {
	TC_EV_GUEST_FIN,	/* in-order FIN from the guest */
	TC_EV_HOST_EOF,		/* read from the host socket gave 0 */
	TC_EV_FIN_ACKED,	/* guest acknowledged our FIN */
	TC_EV_GUEST_RESET,	/* acceptable RST */
	TC_EV_HOST_RESET,	/* the host's socket failed */
	TC_EV_TIMEOUT,		/* the guest acknowledges nothing any more */
	TC_EV_MAX
};

enum tcp_close_action {
	TC_DO_ACK	= 1 << 0,	/* send ACK to guest */
	TC_DO_FIN	= 1 << 1,	/* send FIN to guest */
	TC_DO_RST	= 1 << 2,	/* send RST to guest */
	TC_DO_SHUT_WR	= 1 << 3,	/* shut the host socket for writing */
	TC_DO_RELEASE	= 1 << 4,	/* close host socket, free the flow */
	TC_DO_ABORT	= 1 << 5,	/* reset host socket, free the flow */
};

struct tcp_close_step {
	enum tcp_close_state next;
	unsigned actions;		/* TC_DO_* */
};

struct tcp_close_step tcp_close_step(enum tcp_close_state state,
				     enum tcp_close_event ev);

#endif
