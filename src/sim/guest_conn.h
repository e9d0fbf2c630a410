/* SPDX-License-Identifier: MIT */
/* sim/guest_conn.h - what the files of the guest's TCP share. */
#ifndef SIM_GUEST_CONN_H
#define SIM_GUEST_CONN_H

#include "sim/world.h"

static inline const struct plan_conn *guest_plan(const struct world *w,
						 unsigned i)
{
	return &w->plan.conn[i];
}

/* Bytes of the stream received in order. */
static inline uint64_t guest_received(const struct sim_conn *c)
{
	return c->rcv_nxt - (c->irs + 1) - c->fin_seen;
}

/* The sequence number of our FIN. */
static inline uint32_t guest_data_end(const struct sim_conn *c)
{
	return c->iss + 1 + c->up_len;
}

/* sim/guest_tx.c */
void guest_send_syn(struct world *w, unsigned i);
void guest_send_ack(struct world *w, unsigned i);
void guest_send_rst(struct world *w, unsigned i, uint32_t seq, uint32_t ack);
/* Answer s, for which there is no socket. */
void guest_refuse(struct world *w, unsigned i, const struct tcp_segment *s);
/* Send [seq, seq + len) and the FIN if it follows and may go. */
void guest_send_data(struct world *w, unsigned i, uint32_t seq, uint32_t len);
/* Send what the windows allow. */
void guest_pump(struct world *w, unsigned i);
void guest_arm(struct world *w, unsigned i);
void guest_arm_keepalive(struct world *w, unsigned i);
/* The program reads, a little later. */
void guest_wake_reader(struct world *w, unsigned i);
void guest_reset(struct world *w, unsigned i);

#endif
