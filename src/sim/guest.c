/* SPDX-License-Identifier: MIT */
/*
 * sim/guest.c - a plain TCP for the guest's end, and its programs
 *
 * Slow start and elegance are left out; retransmission, windows, probes,
 * SACK and both ways to end are in. Nothing here looks into proto/.
 */
#include <stdio.h>
#include <string.h>

#include "base/csum.h"
#include "sim/world.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define FLIGHT_MAX	100000u
#define GSO_BYTES	20000u
#define RTO_NS		(300 * WORLD_MS)
#define RTO_MAX_NS	(5000 * WORLD_MS)
#define RETRIES_SYN	8

static const struct plan_conn *plan_of(const struct world *w, unsigned i)
{
	return &w->plan.conn[i];
}

static unsigned index_of(const struct world *w, const struct sim_conn *c)
{
	return (unsigned)(c - w->conns);
}

/* Bytes of the stream received in order. */
static uint64_t received(const struct sim_conn *c)
{
	return c->rcv_nxt - (c->irs + 1) - c->fin_seen;
}

static uint32_t data_end(const struct world *w, unsigned i)
{
	return w->conns[i].iss + 1 + plan_of(w, i)->up_bytes;
}

static void put_sack(const struct world *w, const struct sim_conn *c,
		     struct tcp_segment *s)
{
	if (!plan_of(w, index_of(w, c))->guest_sack)
		return;
	for (unsigned i = 0; i < c->n_ooo && i < 3; i++)
		s->sack[s->sacks++] = (struct tcp_range){
			c->ooo[i].from, c->ooo[i].to };
}

static void transmit(struct world *w, unsigned i, struct tcp_segment *s,
		     uint64_t at, uint32_t len)
{
	const struct network_setup n = world_setup(&w->plan);
	const bool v6 = plan_of(w, i)->v6;
	const struct eth eth = { .dst = n.gateway_mac, .src = n.guest_mac,
				 .type = v6 ? ETH_IPV6 : ETH_IPV4 };
	struct ip_packet ip = {
		.src = v6 ? n.guest6 : n.guest4,
		.dst = v6 ? (struct ip){ .b = { 0x20, 1, 0xd, 0xb8, [15] = 1 } }
			  : ip_from_v4(0xc0000201),
		.proto = PROTO_TCP, .ttl = 64,
	};
	static uint8_t frame[FRAME_MAX_BYTES];
	struct wr out = wr(frame, sizeof(frame));

	s->src_port = (uint16_t)(WORLD_GUEST_PORT + i);
	s->dst_port = (uint16_t)(WORLD_PORT + i);
	eth_emit(&out, &eth);
	ip_emit(&out, &ip, tcp_header_bytes(s) + len);
	tcp_emit(&out, s, 0);
	for (uint32_t k = 0; k < len; k++)
		wr_u8(&out, world_byte(i, true, at + k));
	ASSERT(!out.bad);
	world_to_gateway(w, frame, (size_t)(out.p - frame),
			 len > w->conns[i].mss ? w->conns[i].mss : 0);
}

/* Window to advertise; promises it. */
static uint16_t take_window(struct world *w, unsigned i, bool syn)
{
	struct sim_conn *c = &w->conns[i];
	const unsigned shift = syn ? 0 : plan_of(w, i)->guest_wscale;
	const uint64_t unread = c->irs ? received(c) - c->read : 0;
	const uint32_t room = (uint32_t)(plan_of(w, i)->guest_buffer > unread ?
				plan_of(w, i)->guest_buffer - unread : 0);
	uint32_t edge = c->rcv_nxt + room, window;

	if (seq_lt(edge, c->rcv_edge))
		edge = c->rcv_edge;
	window = (edge - c->rcv_nxt) >> shift;
	window = window > 65535 ? 65535 : window;
	edge = c->rcv_nxt + (window << shift);
	if (seq_lt(c->rcv_edge, edge))
		c->rcv_edge = edge;
	return (uint16_t)window;
}

static void send_ack(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];
	struct tcp_segment s = {
		.seq = c->snd_max, .ack = c->rcv_nxt, .flags = TCP_ACK,
		.window = take_window(w, i, false), .wscale = TCP_NO_WSCALE,
	};

	if (seq_lt(c->snd_una + c->snd_wnd, s.seq))
		s.seq = c->snd_una + c->snd_wnd;
	put_sack(w, c, &s);
	transmit(w, i, &s, 0, 0);
}

static void send_syn(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];
	struct tcp_segment s = {
		.seq = c->iss, .flags = TCP_SYN,
		.window = take_window(w, i, true),
		.mss = (uint16_t)(w->plan.mtu - (plan_of(w, i)->v6 ? 60 : 40)),
		.wscale = plan_of(w, i)->guest_wscale,
		.sack_ok = plan_of(w, i)->guest_sack,
	};

	transmit(w, i, &s, 0, 0);
	c->snd_nxt = c->snd_max = c->iss + 1;
}

static void send_rst(struct world *w, unsigned i, uint32_t seq, uint32_t ack)
{
	struct tcp_segment s = { .seq = seq, .ack = ack,
				 .flags = TCP_RST | TCP_ACK,
				 .wscale = TCP_NO_WSCALE };

	transmit(w, i, &s, 0, 0);
}

static void timer(void *ctx, uint64_t arg, void *data, size_t len);

static void arm(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];
	const bool pending = c->rto_at != 0;
	uint64_t rto = RTO_NS << (c->retries < 5 ? c->retries : 5);

	rto = rto > RTO_MAX_NS ? RTO_MAX_NS : rto;
	c->rto_at = w->now_ns + rto;
	if (!pending)
		world_after(w, rto, timer, i, NULL, 0);
}

/* Send [seq, seq + len) and the FIN if it follows. */
static void send_data(struct world *w, unsigned i, uint32_t seq, uint32_t len)
{
	struct sim_conn *c = &w->conns[i];
	const bool fin = seq + len == data_end(w, i);
	struct tcp_segment s = {
		.seq = seq, .ack = c->rcv_nxt,
		.flags = (uint8_t)(TCP_ACK | (fin ? TCP_FIN : 0)),
		.window = take_window(w, i, false), .wscale = TCP_NO_WSCALE,
	};

	put_sack(w, c, &s);
	transmit(w, i, &s, seq - (c->iss + 1), len);
	c->fin_sent |= fin;
	if (seq_lt(c->snd_max, seq + len + fin))
		c->snd_max = seq + len + fin;
}

static void pump(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];
	const struct plan_conn *p = plan_of(w, i);
	const uint32_t most = p->guest_gso && GSO_BYTES > c->mss ?
			      GSO_BYTES - GSO_BYTES % c->mss : c->mss;
	bool sent = false;

	if (c->state != G_OPEN || (p->guest_waits_for_fin && !c->fin_seen))
		return;
	for (;;) {
		const uint32_t wnd = c->snd_wnd < FLIGHT_MAX ? c->snd_wnd :
							       FLIGHT_MAX;
		const uint32_t edge = c->snd_una + wnd;
		uint32_t len = data_end(w, i) - c->snd_nxt;

		if (seq_lt(data_end(w, i), c->snd_nxt))
			break;		/* the FIN is out */
		if (!seq_lt(c->snd_nxt, edge) && len)
			break;
		if (len > edge - c->snd_nxt)
			len = edge - c->snd_nxt;
		len = len > most ? most : len;
		if (!len && c->snd_nxt != data_end(w, i))
			break;
		send_data(w, i, c->snd_nxt, len);
		sent = true;
		c->snd_nxt += len;
		if (c->snd_nxt == data_end(w, i))
			c->snd_nxt++;
	}
	if ((sent || c->snd_una != data_end(w, i) + 1) && !c->rto_at)
		arm(w, i);
}

static void timer(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	struct sim_conn *c = &w->conns[i];

	(void)data, (void)len;
	if (c->rto_at > w->now_ns) {
		world_after(w, c->rto_at - w->now_ns, timer, arg, NULL, 0);
		return;
	}
	c->rto_at = 0;
	if (c->state == G_SYN_SENT) {
		if (++c->retries > RETRIES_SYN) {
			c->state = G_CLOSED;
			return;
		}
		send_syn(w, i);
		arm(w, i);
		return;
	}
	if (c->state != G_OPEN || seq_lt(data_end(w, i), c->snd_una))
		return;			/* all is acknowledged */
	if (plan_of(w, i)->guest_waits_for_fin && !c->fin_seen)
		return;
	c->retries++;
	c->snd_nxt = c->snd_una;
	if (c->snd_wnd == 0 && c->snd_una != data_end(w, i)) {
		send_data(w, i, c->snd_una, 1);		/* a window probe */
		c->snd_nxt = c->snd_una;
		arm(w, i);
		return;
	}
	pump(w, i);
	if (!c->rto_at)
		arm(w, i);
}

static void reader(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	struct sim_conn *c = &w->conns[i];
	const struct plan_conn *p = plan_of(w, i);
	const uint32_t open = c->rcv_edge - c->rcv_nxt;
	uint64_t step = received(c) - c->read;

	(void)data, (void)len;
	c->reader_at = 0;
	if (c->state != G_OPEN)
		return;
	if (w->now_ns >= p->guest_sleep_ns + 1000 * WORLD_MS)
		c->read += step < p->guest_drain ? step : p->guest_drain;
	if (received(c) > c->read) {
		c->reader_at = w->now_ns + WORLD_MS;
		world_after(w, WORLD_MS, reader, arg, NULL, 0);
	}
	/* After the last FIN no kernel sends updates. */
	if (!c->fin_seen && open < c->mss && open < p->guest_buffer / 2 &&
	    p->guest_buffer - (received(c) - c->read) >= open + c->mss) {
		if (w->plan.drop_first_update && !w->update_dropped)
			w->update_dropped = true;
		else
			send_ack(w, i);
	}
}

static void wake_reader(struct world *w, unsigned i)
{
	struct sim_conn *c = &w->conns[i];

	if (c->reader_at)
		return;
	c->reader_at = w->now_ns + WORLD_MS;
	world_after(w, WORLD_MS, reader, i, NULL, 0);
}

/* Remember [from, to) behind a gap, if there is room. */
static void keep_ooo(struct sim_conn *c, uint32_t from, uint32_t to)
{
	if (c->n_ooo == sizeof(c->ooo) / sizeof(c->ooo[0]))
		return;
	c->ooo[c->n_ooo].from = from;
	c->ooo[c->n_ooo++].to = to;
}

static void join_ooo(struct sim_conn *c)
{
	for (unsigned i = 0; i < c->n_ooo;) {
		if (seq_lt(c->rcv_nxt, c->ooo[i].from)) {
			i++;
			continue;
		}
		if (seq_lt(c->rcv_nxt, c->ooo[i].to))
			c->rcv_nxt = c->ooo[i].to;
		c->ooo[i] = c->ooo[--c->n_ooo];
		i = 0;
	}
}

static void take_data(struct world *w, unsigned i,
		      const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];
	const struct plan_conn *p = plan_of(w, i);
	uint32_t end = s->seq + (uint32_t)s->data.len;

	for (uint32_t k = 0; k < s->data.len; k++)
		if (s->data.p[k] != world_byte(i, false,
					       s->seq + k - (c->irs + 1)))
			world_fail(w, "wrong byte down, connection %u", i);
	if (seq_lt(c->rcv_edge, end) &&
	    !(s->data.len == 1 && s->seq == c->rcv_edge))
		world_fail(w, "past the guest's window, connection %u", i);
	if (end - (c->irs + 1) > p->down_bytes && s->data.len)
		world_fail(w, "more than there is, connection %u", i);
	if (seq_lt(c->rcv_edge, end))
		end = c->rcv_edge;
	if (seq_lt(c->rcv_nxt, s->seq)) {
		if (s->data.len)
			keep_ooo(c, s->seq, end);
	} else if (seq_lt(c->rcv_nxt, end)) {
		c->rcv_nxt = end;
		join_ooo(c);
	}
}

static void take_fin(struct world *w, unsigned i, const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];

	if (!(s->flags & TCP_FIN) || c->fin_seen ||
	    s->seq + s->data.len != c->rcv_nxt)
		return;
	if (received(c) != plan_of(w, i)->down_bytes)
		world_fail(w, "FIN after %llu bytes down, connection %u",
			   (unsigned long long)received(c), i);
	c->rcv_nxt++;
	c->fin_seen = true;
}

static void take_ack(struct world *w, unsigned i, const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];
	const uint32_t window = (uint32_t)s->window << c->peer_shift;
	const uint32_t edge = s->ack + window;
	const uint32_t slack = (1u << c->peer_shift) - 1;
	const bool calm = !w->plan.reorder && !w->plan.duplicate;

	if (seq_lt(c->snd_max, s->ack)) {
		world_fail(w, "acknowledges what was not sent, "
			   "connection %u", i);
		return;
	}
	if (calm && c->edge_known && seq_lt(edge + slack, c->edge))
		world_fail(w, "the window's edge moved back, "
			   "connection %u", i);
	if (!c->edge_known || seq_lt(c->edge, edge))
		c->edge = edge;
	c->edge_known = true;
	if (seq_lt(s->ack, c->snd_una))
		return;
	c->dups = s->ack == c->snd_una && !s->data.len &&
		  c->snd_una != c->snd_max ? c->dups + 1 : 0;
	if (seq_lt(c->snd_una, s->ack)) {
		c->snd_una = s->ack;
		c->retries = 0;
		if (seq_lt(c->snd_nxt, c->snd_una))
			c->snd_nxt = c->snd_una;
		if (c->rto_at)
			arm(w, i);
	}
	c->snd_wnd = window;
	if (c->fin_sent && s->ack == data_end(w, i) + 1)
		c->fin_acked = true;
	if (c->dups == 3 && seq_lt(c->snd_una, data_end(w, i))) {
		const uint32_t left = data_end(w, i) - c->snd_una;

		send_data(w, i, c->snd_una, left < c->mss ? left : c->mss);
	}
}

static void take_synack(struct world *w, unsigned i,
			const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];

	if (s->flags & TCP_RST) {
		c->state = G_REFUSED;
		return;
	}
	if ((s->flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK) ||
	    s->ack != c->iss + 1)
		return;
	c->state = G_OPEN;
	c->connected_once = true;
	c->irs = s->seq;
	c->rcv_edge = s->seq + 1 + (c->rcv_edge - c->rcv_nxt);
	c->rcv_nxt = s->seq + 1;
	c->snd_una = c->iss + 1;
	c->snd_wnd = s->window;
	c->retries = 0;
	c->peer_shift = s->wscale == TCP_NO_WSCALE ? 0 : s->wscale;
	if (s->mss && s->mss < c->mss)
		c->mss = s->mss;
	if (c->rto_at)
		arm(w, i);
	send_ack(w, i);
}

static void open_segment(struct world *w, unsigned i,
			 const struct tcp_segment *s)
{
	struct sim_conn *c = &w->conns[i];
	const bool has_text = s->data.len || (s->flags & TCP_FIN);

	if (s->flags & TCP_RST) {
		if (s->seq == c->rcv_nxt)
			c->state = G_RESET;
		else if (seq_lt(c->rcv_nxt, s->seq) &&
			 seq_lt(s->seq, c->rcv_edge))
			send_ack(w, i);
		c->was_reset |= c->state == G_RESET;
		return;
	}
	if (s->flags & TCP_SYN) {
		send_ack(w, i);
		return;
	}
	take_ack(w, i, s);
	take_data(w, i, s);
	take_fin(w, i, s);
	if (received(c) >= plan_of(w, i)->guest_reset_at) {
		c->state = G_RESET;
		send_rst(w, i, c->snd_nxt, c->rcv_nxt);
		return;
	}
	if (received(c) > c->read)
		wake_reader(w, i);
	if (has_text)
		send_ack(w, i);
	pump(w, i);
}

/* Complete the checksum as the link would, and see that it is right. */
static bool checksum_ok(const struct frame_meta *meta,
			const struct ip_packet *ip, const uint8_t *frame)
{
	const size_t l4 = (size_t)(ip->payload.p - frame);
	const csum_t pseudo = csum_pseudo(0, &ip->src, &ip->dst, ip->proto,
					  (uint32_t)ip->payload.len);
	struct rd r = rd(ip->payload.p + TCP_CSUM_OFFSET, 2);

	if (!meta->needs_csum)
		return csum_fold(csum_add(pseudo, ip->payload.p,
					  ip->payload.len)) == 0xffff;
	return meta->csum_start == l4 &&
	       meta->csum_offset == TCP_CSUM_OFFSET &&
	       rd_be16(&r) == csum_fold(pseudo);
}

/* An ICMP error about one of our SYNs. */
static void take_icmp(struct world *w, const struct ip_packet *ip)
{
	struct rd r = rd(ip->payload.p, ip->payload.len);
	uint16_t port;

	rd_bytes(&r, 8 + (ip->v6 ? IPV6_HEADER_BYTES : IPV4_HEADER_BYTES));
	port = rd_be16(&r);
	if (r.bad || port < WORLD_GUEST_PORT ||
	    port >= WORLD_GUEST_PORT + w->plan.conns)
		return;
	if (w->conns[port - WORLD_GUEST_PORT].state == G_SYN_SENT)
		w->conns[port - WORLD_GUEST_PORT].state = G_REFUSED;
}

static void take_tcp(struct world *w, const struct tcp_segment *s)
{
	const unsigned i = (unsigned)(s->dst_port - WORLD_GUEST_PORT);
	struct sim_conn *c;

	if (i >= w->plan.conns)
		return;
	c = &w->conns[i];
	if (c->state == G_SYN_SENT)
		take_synack(w, i, s);
	else if (c->state == G_OPEN)
		open_segment(w, i, s);
	else if (!(s->flags & TCP_RST))
		send_rst(w, i, s->ack, s->seq + (uint32_t)s->data.len);
	if (w->verbose)
		printf("%10.3f ms conn %u flags %02x seq %u ack %u wnd %u "
		       "len %zu\n", (double)w->now_ns / 1e6, i, s->flags,
		       s->seq - c->irs, s->ack - c->iss,
		       (unsigned)s->window << c->peer_shift, s->data.len);
}

void sim_guest_frame(struct world *w, const struct frame_meta *meta,
		     const uint8_t *frame, size_t len)
{
	struct rd r = rd(frame, len);
	struct tcp_segment s;
	struct ip_packet ip;
	struct eth eth;

	if (eth_parse(&r, &eth) != DROP_OK) {
		world_fail(w, "a frame without Ethernet header");
		return;
	}
	if (eth.type == ETH_ARP)
		return;			/* an answer to noise */
	if (ip_parse_packet(r, eth.type == ETH_IPV6, &ip) != DROP_OK) {
		world_fail(w, "a malformed IP packet");
		return;
	}
	if (len != 14 + ip.whole.len)
		world_fail(w, "a frame longer than its packet");
	if (!meta->gso_size && ip.whole.len > w->plan.mtu)
		world_fail(w, "a packet over the MTU");
	if (ip.proto == PROTO_ICMP || ip.proto == PROTO_ICMP6) {
		take_icmp(w, &ip);
		return;
	}
	if (ip.proto != PROTO_TCP)
		return;
	if (!checksum_ok(meta, &ip, frame))
		world_fail(w, "a wrong checksum");
	if (tcp_parse(ip.payload, &s) != DROP_OK)
		world_fail(w, "a malformed segment");
	else
		take_tcp(w, &s);
}

static void begin(void *ctx, uint64_t arg, void *data, size_t len)
{
	struct world *w = ctx;
	const unsigned i = (unsigned)arg;
	struct sim_conn *c = &w->conns[i];

	(void)data, (void)len;
	c->state = G_SYN_SENT;
	c->iss = (uint32_t)rng_next(&w->rng);
	c->snd_una = c->iss;
	c->mss = (uint16_t)(w->plan.mtu - (plan_of(w, i)->v6 ? 60 : 40));
	send_syn(w, i);
	arm(w, i);
}

void sim_guest_start(struct world *w)
{
	for (unsigned i = 0; i < w->plan.conns; i++) {
		w->conns[i].state = G_SYN_SENT;
		world_after(w, rng_below(&w->rng, 20000000), begin, i, NULL,
			    0);
	}
}

/* Is the host's end of that connection still there? */
static bool host_open(const struct world *w, unsigned conn)
{
	for (unsigned i = 0; i < WORLD_SOCKS; i++)
		if (w->socks[i].open && w->socks[i].conn == conn)
			return true;
	return false;
}

bool sim_guest_done(const struct world *w)
{
	for (unsigned i = 0; i < w->plan.conns; i++) {
		const struct sim_conn *c = &w->conns[i];

		/* The one RST may be lost, and the guest waits for ever. */
		if (plan_of(w, i)->host_reset_at != UINT64_MAX &&
		    c->connected_once && !host_open(w, i))
			continue;
		if (c->state == G_SYN_SENT ||
		    (c->state == G_OPEN && !(c->fin_acked && c->fin_seen)))
			return false;
	}
	return true;
}

void sim_guest_end(struct world *w)
{
	for (unsigned i = 0; i < w->plan.conns; i++) {
		const struct plan_conn *p = plan_of(w, i);
		const struct sim_conn *c = &w->conns[i];
		const bool resets = p->host_reset_at != UINT64_MAX ||
				    p->guest_reset_at != UINT64_MAX;

		if (p->connect == PLAN_ACCEPT && !resets &&
		    !(c->state == G_OPEN && c->fin_acked && c->fin_seen))
			world_fail(w, "connection %u did not end well", i);
		if ((p->connect == PLAN_REFUSE ||
		     p->connect == PLAN_UNREACHABLE) &&
		    c->state != G_REFUSED)
			world_fail(w, "connection %u was not refused", i);
		if (p->connect == PLAN_SILENT && c->connected_once)
			world_fail(w, "connection %u to nobody", i);
	}
}
