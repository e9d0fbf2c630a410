/* SPDX-License-Identifier: MIT */
/*
 * test/unit/network_garbage.c - frames that no guest should send.
 *
 * A whole network over a host that answers at random. Frames are good ones
 * with bytes changed, cut or made of noise; the link vouches for their
 * checksums, so that the mutations reach the state machines. Nothing may
 * crash (run under sanitizers), every invariant holds after each turn, and
 * at the end no socket and no byte of store is left.
 */
#include "network/network.h"

#include <stdlib.h>
#include <string.h>

#include "service/dns.h"
#include "test.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define TURNS 60000
#define SOCKETS 256
#define PORTS	12		/* of the guest, from FIRST_PORT on */
#define FIRST_PORT 1000

struct world {
	uint64_t rng;
	struct handle owner[SOCKETS];
	bool open[SOCKETS];
	size_t stores;			/* bytes */
	uint32_t seq[PORTS], ack[PORTS];	/* the gateway's last, by port */
	uint64_t frames;
};

static uint32_t dice(struct world *w, uint32_t sides)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return (uint32_t)(w->rng >> 33) % sides;
}

static int open_any(struct world *w, struct handle owner)
{
	if (dice(w, 8) == 0)
		return -(int)(1 + dice(w, ENV_OTHER));
	for (int i = 0; i < SOCKETS; i++) {
		if (w->open[i])
			continue;
		w->open[i] = true;
		w->owner[i] = owner;
		return i;
	}
	return -ENV_LIMIT;
}

static int tcp_connect(void *ctx, const struct endpoint *to, struct handle h)
{
	(void)to;
	return open_any(ctx, h);
}

static int open_dgram(void *ctx, bool v6, struct handle h)
{
	(void)v6;
	return open_any(ctx, h);
}

static int connected(void *ctx, int id)
{
	(void)id;
	return dice(ctx, 4) ? 0 : -(int)(1 + dice(ctx, ENV_OTHER));
}

static size_t total(const struct span *v, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += v[i].len;
	return len;
}

static int64_t stream_send(void *ctx, int id, const struct span *v, unsigned n)
{
	const size_t len = total(v, n);

	(void)id;
	if (dice(ctx, 3) == 0)
		return dice(ctx, 20) ? -ENV_AGAIN : -ENV_RESET;
	return len ? 1 + dice(ctx, (uint32_t)len) : 0;
}

static int64_t stream_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	(void)id;
	switch (dice(ctx, 6)) {
	case 0:
		return dice(ctx, 10) ? -ENV_AGAIN : -ENV_RESET;
	case 1:
		return dice(ctx, 10) ? -ENV_AGAIN : 0;
	default:
		memset(v[0].p, 'x', v[0].len);
		(void)n;
		return 1 + dice(ctx, (uint32_t)v[0].len);
	}
}

static void shut(void *ctx, int id)
{
	(void)ctx;
	(void)id;
}

static void close_any(struct world *w, int id)
{
	CHECK("closed once", id >= 0 && id < SOCKETS && w->open[id]);
	w->open[id] = false;
}

static void stream_close(void *ctx, int id, bool reset)
{
	(void)reset;
	close_any(ctx, id);
}

static void dgram_close(void *ctx, int id)
{
	close_any(ctx, id);
}

static int dgram_send(void *ctx, int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v,
		      unsigned n)
{
	(void)id, (void)to, (void)mark, (void)v, (void)n;
	return dice(ctx, 4) ? 0 : -(int)(1 + dice(ctx, ENV_OTHER));
}

static void dgram_fragment(void *ctx, int id, bool v6, bool allowed)
{
	(void)ctx, (void)id, (void)v6, (void)allowed;
}

static int64_t dgram_recv(void *ctx, int id, struct endpoint *from,
			  struct env_mark *mark, void *buf, size_t cap)
{
	const uint32_t len = dice(ctx, 3000);

	(void)id;
	if (dice(ctx, 2) || len > cap)
		return -ENV_AGAIN;
	memset(buf, 0, len);
	*from = (struct endpoint){ .ip = ip_from_v4(0xc0000201),
				   .port = (uint16_t)(1 + dice(ctx, 3)) };
	*mark = (struct env_mark){ 0 };
	return len;
}

static bool dgram_error(void *ctx, int id, struct env_dgram_error *out,
			void *payload, size_t cap)
{
	(void)id;
	if (dice(ctx, 2))
		return false;
	memset(payload, 8, cap);
	*out = (struct env_dgram_error){
		.to = { .ip = ip_from_v4(0xc0000201), .port = 1 },
		.type = (uint8_t)dice(ctx, 14), .code = (uint8_t)dice(ctx, 16),
		.payload_bytes = dice(ctx, 2000),
	};
	return true;
}

static enum env_route route(void *ctx, const struct ip *ip)
{
	(void)ip;
	return (enum env_route)dice(ctx, 4);
}

static void *mem_alloc(void *ctx, size_t bytes)
{
	struct world *w = ctx;

	if (dice(w, 10) == 0)
		return NULL;
	w->stores += bytes;
	return malloc(bytes);
}

static void mem_free(void *ctx, void *p, size_t bytes)
{
	((struct world *)ctx)->stores -= bytes;
	free(p);
}

static int link_send(void *ctx, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	struct world *w = ctx;
	const uint8_t *head = v[0].p;

	(void)meta;
	w->frames++;
	CHECK("size", total(v, n) <= FRAME_MAX_BYTES && v[0].len >= 14);
	if (v[0].len >= 54 && head[12] == 8 && !head[13] &&
	    head[23] == PROTO_TCP) {
		struct tcp_segment s;
		const struct view l4 = { .p = head + 34,
					 .len = v[0].len - 34 };

		if (tcp_parse(l4, &s) == DROP_OK &&
		    (unsigned)(s.dst_port - FIRST_PORT) < PORTS) {
			w->seq[s.dst_port - FIRST_PORT] = s.seq +
				!!(s.flags & (TCP_SYN | TCP_FIN));
			w->ack[s.dst_port - FIRST_PORT] = s.ack;
		}
	}
	return dice(w, 20) ? 0 : -ENV_AGAIN;
}

static void random_bytes(void *ctx, void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)dice(ctx, 256);
}

static const struct env_ops ops = {
	.tcp_connect = tcp_connect,
	.tcp = { connected, stream_send, stream_recv, shut, stream_close },
	.udp_open = open_dgram, .ping_open = open_dgram,
	.dgram_send = dgram_send, .dgram_recv = dgram_recv,
	.dgram_fragment = dgram_fragment,
	.dgram_error = dgram_error, .dgram_close = dgram_close,
	.route = route, .mem_alloc = mem_alloc, .mem_free = mem_free,
	.link_send = link_send, .random = random_bytes,
};

static struct network_setup setup_of(void)
{
	struct network_setup s = {
		.gateway_mac = { { 2, 0, 0, 0, 0, 1 } },
		.guest_mac = { { 2, 0, 0, 0, 0, 2 } },
		.net4 = { .ip = ip_from_v4(0xac140000), .bits = 20 },
		.gateway4 = ip_from_v4(0xac140001),
		.guest4 = ip_from_v4(0xac140002),
		.v6 = true, .mtu = 1500, .host_access = true, .max_flows = 200,
		.net6 = { .ip.b = { 0xfd, 1 }, .bits = 64 },
		.gateway6.b = { 0xfd, 1, [15] = 1 },
		.guest6.b = { 0xfd, 1, [15] = 2 },
	};

	return s;
}

static void put_tcp(struct world *w, struct wr *out)
{
	static const uint8_t flags[] = {
		TCP_SYN, TCP_ACK, TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH,
		TCP_ACK | TCP_FIN, TCP_ACK, TCP_RST | TCP_ACK, TCP_URG, 0xff,
	};
	const uint32_t port = dice(w, PORTS);
	const uint32_t seq = w->seq[port];
	const bool fresh = !w->ack[port] || dice(w, 40) == 0;
	struct tcp_segment s = {
		.src_port = (uint16_t)(FIRST_PORT + port),
		.dst_port = port % 4 ? 80 : 53,
		/* Near what the gateway expects, so that much is taken. */
		.seq = w->ack[port] + dice(w, 3000) * (dice(w, 3) == 0),
		.ack = seq + dice(w, 3000) * (dice(w, 3) == 0),
		.flags = fresh ? TCP_SYN : flags[dice(w, sizeof(flags))],
		.window = (uint16_t)(dice(w, 3) ? dice(w, 65536) : 0),
		.mss = (uint16_t)dice(w, 2000), .wscale = TCP_NO_WSCALE,
		.sack_ok = dice(w, 2), .sacks = (uint8_t)dice(w, 3),
		.sack = { { seq, seq + dice(w, 5000) },
			  { seq + 6000, seq + 9000 } },
	};

	tcp_emit(out, &s, 0);
	wr_zero(out, dice(w, 1400));
}

static void put_l4(struct world *w, struct wr *out, const struct ip_packet *ip)
{
	const struct icmp_echo echo = { .id = (uint16_t)dice(w, 3) };

	switch (ip->proto) {
	case PROTO_TCP:
		put_tcp(w, out);
		return;
	case PROTO_UDP:
		udp_emit(out, (uint16_t)(1 + dice(w, 5)),
			 dice(w, 3) ? (uint16_t)(1 + dice(w, 3)) : 53, 40, 1);
		wr_zero(out, 40);
		return;
	default:
		icmp_emit_echo(out, &ip->src, &ip->dst, &echo);
		wr_zero(out, 40);
	}
}

static size_t make_frame(struct world *w, uint8_t *buf, size_t cap)
{
	const bool v6 = dice(w, 6) == 0;
	const uint8_t protos[] = { PROTO_TCP, PROTO_TCP, PROTO_TCP, PROTO_UDP,
				   v6 ? PROTO_ICMP6 : PROTO_ICMP };
	const struct network_setup s = setup_of();
	const struct eth eth = {
		.dst = s.gateway_mac, .src = s.guest_mac,
		.type = v6 ? ETH_IPV6 : ETH_IPV4,
	};
	struct ip_packet ip = {
		.src = v6 ? s.guest6 : s.guest4,
		.dst = v6 ? s.gateway6 : s.gateway4,
		.proto = protos[dice(w, sizeof(protos))],
		.ttl = (uint8_t)dice(w, 256),
	};
	uint8_t l4[2048];
	struct wr body = wr(l4, sizeof(l4)), out = wr(buf, cap);

	if (ip.proto != PROTO_TCP && dice(w, 2))
		ip.dst = v6 ? (struct ip){ .b = { 32 } } :
			      ip_from_v4(0xc0000201);
	put_l4(w, &body, &ip);
	eth_emit(&out, &eth);
	ip_emit(&out, &ip, (size_t)(body.p - l4));
	wr_bytes(&out, l4, (size_t)(body.p - l4));
	return (size_t)(out.p - buf);
}

static void one_frame(struct world *w, struct network *net, uint64_t now)
{
	const struct frame_meta meta = { .needs_csum = dice(w, 10) != 0 };
	uint8_t buf[4096], *exact;
	size_t len = make_frame(w, buf, sizeof(buf));

	if (dice(w, 5) == 0)
		for (uint32_t n = 1 + dice(w, 4); n; n--)
			buf[dice(w, (uint32_t)len)] = (uint8_t)dice(w, 256);
	if (dice(w, 10) == 0)
		len = dice(w, (uint32_t)len);
	if (dice(w, 30) == 0)
		random_bytes(w, buf, len);
	exact = malloc(len + !len);	/* ASan faults on one byte more */
	memcpy(exact, buf, len);
	network_frame(net, &meta, exact, len, now);
	free(exact);
}

void test_network_garbage(void);
void test_network_garbage(void)
{
	struct world w = { .rng = 88172645463325252u };
	const struct network_setup setup = setup_of();
	const struct env env = { .ops = &ops, .ctx = &w };
	const size_t bytes = (network_bytes(&setup) + 63) & ~(size_t)63;
	void *mem = aligned_alloc(64, bytes);
	const struct endpoint resolver = { .ip = ip_from_v4(0xc0000235),
					   .port = 53 };
	uint64_t now = 1000000000;
	struct network_stats st;
	struct network *net;

	memset(mem, 0, bytes);
	net = network_init(mem, &setup, &env, now);
	network_set_resolvers(net, &resolver, 1);
	for (unsigned turn = 0; turn < TURNS; turn++) {
		now += dice(&w, 100) ? dice(&w, 1000000) : 5000000000u;
		one_frame(&w, net, now);
		for (int i = 0; i < SOCKETS; i++)
			if (w.open[i] && dice(&w, 4) == 0)
				network_sock_event(net, w.owner[i],
						   dice(&w, 8), now);
		if (network_next_timer(net) <= now)
			network_timers(net, now);
		network_turn_end(net, now);
		network_check(net);
	}
	network_get_stats(net, &st);
	CHECK("much was accepted", st.drops[DROP_OK] > TURNS / 4);
	CHECK("the guest was answered", w.frames > TURNS / 4);
	network_fini(net);
	for (int i = 0; i < SOCKETS; i++)
		CHECK("socket left open", !w.open[i]);
	CHECK("store left", w.stores == 0);
	free(mem);
}
