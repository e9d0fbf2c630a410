/* SPDX-License-Identifier: MIT */
/* test/unit/network_flows.c - what is told of flows. */
#include "network/flows.h"

#include <string.h>

#include "network/state.h"
#include "rig.h"

/* A TCP flow of the table's, as one would find it. */
static struct tcp *made(struct rig *r, uint16_t port, enum tcp_phase phase,
			enum tcp_close_state close)
{
	const struct flow_key key = {
		.guest_ip = r->fake->setup.guest4, .guest_port = port,
		.peer_ip = ip_from_v4(0xc0000201), .peer_port = 80,
		.kind = FLOW_TCP,
	};
	struct tcp *t = (struct tcp *)(void *)flow_alloc(&r->net->p.flows,
							  &key);

	t->phase = (uint8_t)phase;
	t->close = (uint8_t)close;
	t->host_id = -1;
	t->irs = t->rcv_nxt = 0xfffffff0u;
	t->iss = t->snd_una = 5;
	tcp_received(t, 1);
	t->snd_una++;
	return t;
}

static struct network_flow only(struct rig *r)
{
	struct network_flow f[2];
	uint32_t from = 0;

	CHECK("one", network_flows(r->net, &from, f, 2) == 1);
	return f[0];
}

static void check_states(struct rig *r)
{
	static const struct {
		enum tcp_phase phase;
		enum tcp_close_state close;
		enum flow_state want;
	} cases[] = {
		{ TCP_CONNECTING, TC_OPEN, FLOW_STATE_CONNECTING },
		{ TCP_ANSWERED, TC_OPEN, FLOW_STATE_SYN_RECEIVED },
		{ TCP_OFFERED, TC_OPEN, FLOW_STATE_SYN_SENT },
		{ TCP_ESTABLISHED, TC_OPEN, FLOW_STATE_ESTABLISHED },
		{ TCP_ESTABLISHED, TC_GUEST_DONE, FLOW_STATE_CLOSE_WAIT },
		{ TCP_ESTABLISHED, TC_HOST_DONE, FLOW_STATE_FIN_WAIT_1 },
		{ TCP_ESTABLISHED, TC_HOST_ACKED, FLOW_STATE_FIN_WAIT_2 },
		{ TCP_ESTABLISHED, TC_BOTH_DONE, FLOW_STATE_CLOSING },
		{ TCP_LINGERING, TC_CLOSED, FLOW_STATE_TIME_WAIT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tcp *t = made(r, 1000, cases[i].phase, cases[i].close);

		CHECK("state", only(r).state == cases[i].want);
		CHECK("TCP", only(r).protocol == FLOW_PROTOCOL_TCP);
		flow_free(&r->net->p.flows, &t->flow);
	}
}

/* Sequence numbers wrap each 4 GiB; bytes do not. */
static void check_bytes(struct rig *r)
{
	struct tcp *t = made(r, 1000, TCP_ESTABLISHED, TC_OPEN);

	CHECK("none", only(r).from_guest == 0 && only(r).to_guest == 0);
	for (unsigned i = 0; i < 9; i++)
		tcp_received(t, 1u << 30);
	CHECK("nine GiB", only(r).from_guest == UINT64_C(9) << 30);
	t->guest_fin = true;
	t->fin_seq = t->rcv_nxt;
	CHECK("FIN has not come", only(r).from_guest == UINT64_C(9) << 30);
	tcp_received(t, 1);
	CHECK("and is no data", only(r).from_guest == UINT64_C(9) << 30);
	t->snd_una += 1000;
	CHECK("to the guest", only(r).to_guest == 1000);
	t->snd_una++;
	t->close = TC_HOST_ACKED;
	CHECK("FIN is no data", only(r).to_guest == 1000);
	t->snd_una = 3;
	t->snd_wraps = 1;
	t->close = TC_OPEN;
	CHECK("wrapped", only(r).to_guest == UINT32_MAX - 2);
	flow_free(&r->net->p.flows, &t->flow);
}

/* Read three at a time, each is told once; sockets are none. */
static void check_pages(struct rig *r)
{
	const struct flow_key map = { .kind = FLOW_UDP_MAP, .guest_port = 9 };
	struct network_flow f[3];
	struct flow *socket = NULL;
	uint32_t from = 0, seen = 0;
	unsigned n, all = 0;

	for (uint16_t i = 0; i < 8; i++) {
		made(r, (uint16_t)(1000 + i), TCP_ESTABLISHED, TC_OPEN);
		if (i == 3)
			socket = flow_alloc(&r->net->p.flows, &map);
	}
	do {
		n = network_flows(r->net, &from, f, 3);
		for (unsigned i = 0; i < n; i++)
			seen |= 1u << (f[i].guest.port - 1000);
		all += n;
	} while (n == 3);
	CHECK("each", seen == 0xff && all == 8);
	flow_free(&r->net->p.flows, socket);
}

void test_network_flows(void);
void test_network_flows(void)
{
	const struct network_setup setup = fake_setup();
	struct rig r = rig_start(&setup);

	check_states(&r);
	check_bytes(&r);
	check_pages(&r);
	rig_end(&r, "flows");
}
