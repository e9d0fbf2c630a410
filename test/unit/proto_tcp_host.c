/* SPDX-License-Identifier: MIT */
/* test/unit/proto_tcp_host.c - many connections at once: memory and room. */
#include "network/state.h"
#include "proto/tcp.h"
#include "rig.h"

#define FLOWS	70
#define PERIOD_NS UINT64_C(100000000)

static struct {
	bool read;			/* the flow had its bulk */
	unsigned told;			/* how often */
	uint32_t n;			/* what, last */
} at[FAKE_SOCKETS];

static int64_t bulk(void *ctx, int id, const struct span *v, unsigned n)
{
	(void)ctx, (void)n;
	if (at[id].read)
		return -ENV_AGAIN;
	at[id].read = true;
	memset(v[0].p, 0, CROWD_BULK_BYTES);
	return CROWD_BULK_BYTES;
}

static void told(void *ctx, int id, uint32_t n)
{
	(void)ctx;
	at[id].told++;
	at[id].n = n;
}

static struct env_ops with_bulk(void)
{
	struct env_ops ops = *fake_ops();

	ops.tcp.recv = bulk;
	ops.tcp_crowd = told;
	return ops;
}

/* A connection whose guest takes nothing: all that is read stays. */
static struct tcp *made(struct rig *r, const struct env_ops *ops, uint16_t i)
{
	const struct flow_key key = {
		.guest_ip = r->fake->setup.guest4, .guest_port = i,
		.peer_ip = ip_from_v4(0xc0000201), .peer_port = 80,
		.kind = FLOW_TCP,
	};
	struct tcp *t = (struct tcp *)(void *)flow_alloc(&r->net->p.flows,
							  &key);

	t->phase = TCP_ESTABLISHED;
	t->host = &ops->tcp;
	t->host_ctx = r->fake;
	t->host_id = fake_accept(r->fake);
	t->mss = 1000;
	t->down_want = 64u << 10;	/* more than all of that */
	return t;
}

/* The first n have bulk to read; what flow 0 has been told, and how often. */
static bool is_told(struct rig *r, struct tcp **t, unsigned n, uint32_t what,
		    unsigned times)
{
	for (unsigned i = 0; i < n; i++) {
		at[t[i]->host_id].read = false;
		t[i]->host_ready = true;
		CHECK("still there", tcp_pull(&r->net->p, t[i]));
	}
	/* Once more: before the others it was alone. */
	at[t[0]->host_id].read = false;
	t[0]->host_ready = true;
	CHECK("still there", tcp_pull(&r->net->p, t[0]));
	return at[t[0]->host_id].n == what && at[t[0]->host_id].told == times;
}

/* The size of a crowd is the larger one of two periods: let both pass. */
static bool is_told_later(struct rig *r, struct tcp **t, unsigned n,
			  uint32_t what, unsigned times)
{
	for (unsigned i = 0; i < 2; i++) {
		r->net->p.now_ns += PERIOD_NS;
		(void)is_told(r, t, n, what, times);
	}
	return is_told(r, t, n, what, times);
}

static struct flow_key key_of(const struct rig *r, uint16_t port)
{
	return (struct flow_key){
		.guest_ip = r->fake->setup.guest4, .guest_port = port,
		.peer_ip = ip_from_v4(0xc0000201), .peer_port = 80,
		.kind = FLOW_TCP,
	};
}

/* A SYN of the guest's; the host stays silent. */
static enum drop opens(struct rig *r, uint16_t port)
{
	const struct flow_key key = key_of(r, port);
	const struct tcp_segment syn = {
		.src_port = port, .dst_port = 80, .flags = TCP_SYN,
		.window = 1000, .wscale = TCP_NO_WSCALE,
	};
	const struct tcp_target target = {
		.to = { .ip = key.peer_ip, .port = 80 },
	};

	return tcp_open(&r->net->p, &key, &syn, &target);
}

static struct tcp *find(struct rig *r, uint16_t port)
{
	const struct flow_key key = key_of(r, port);

	return (struct tcp *)(void *)flow_find(&r->net->p.flows, &key);
}

/* The oldest handshake makes room, but not in its first second. */
static void check_room(void)
{
	struct network_setup setup = fake_setup();
	struct proto *p;
	struct rig r;

	setup.max_flows = 4;
	r = rig_start(&setup);
	p = &r.net->p;
	p->now_ns = RIG_START_NS + UINT64_C(900000000);	/* late in a second */
	for (uint16_t port = 1; port <= 4; port++)
		CHECK("room", opens(&r, port) == DROP_OK);
	p->now_ns += UINT64_C(990000000);
	CHECK("too soon", opens(&r, 5) == DROP_FLOWS && find(&r, 1));
	p->now_ns += UINT64_C(1110000000);
	CHECK("late enough", opens(&r, 5) == DROP_OK && find(&r, 5));
	CHECK("the oldest", !find(&r, 1) && find(&r, 2) && find(&r, 3));
	CHECK("told nobody", !r.fake->frames && p->drops[DROP_LIMIT] == 1);
	tcp_abort(p, find(&r, 3), false);	/* out of the middle */
	CHECK("a free one", opens(&r, 6) == DROP_OK && find(&r, 2));
	find(&r, 2)->phase = TCP_ESTABLISHED;
	tcp_shaken(p, find(&r, 2));
	CHECK("none that is open", opens(&r, 7) == DROP_OK && find(&r, 2) &&
				   !find(&r, 4));
	CHECK("the rest is new", opens(&r, 8) == DROP_FLOWS);
	CHECK("counted", p->half_open == 3);
	for (uint16_t port = 5; port <= 7; port++)
		tcp_abort(p, find(&r, port), false);
	CHECK("all are gone", !p->half_open && !p->half_oldest &&
			      !p->half_newest);
	rig_end(&r, "room");
}

static void check_crowd(void)
{
	const struct network_setup setup = fake_setup();
	const struct env_ops ops = with_bulk();
	struct rig r = rig_start_with(&setup, &ops);
	struct tcp *t[FLOWS];

	memset(at, 0, sizeof(at));
	r.net->p.now_ns = RIG_START_NS;
	for (uint16_t i = 0; i < FLOWS; i++)
		t[i] = made(&r, &r.net->p.env.ops[0], (uint16_t)(1000 + i));

	CHECK("few", is_told(&r, t, 32, 0, 0));
	CHECK("33: as many as 64", is_told(&r, t, 33, 64, 1));
	CHECK("64: told already", is_told(&r, t, 64, 64, 1));
	CHECK("65", is_told(&r, t, 65, 128, 2));
	CHECK("64: hardly fewer", is_told_later(&r, t, 64, 128, 2));
	CHECK("32: few again", is_told_later(&r, t, 32, 0, 3));
	CHECK("and told no more", is_told_later(&r, t, 2, 0, 3));

	for (unsigned i = 0; i < FLOWS; i++)
		tcp_free(&r.net->p, t[i], false);
	rig_end(&r, "crowd");
}

void test_proto_tcp_host(void);
void test_proto_tcp_host(void)
{
	check_crowd();
	check_room();
}
