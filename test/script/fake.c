/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_MAX 1000		/* that one event may take */

static void see(struct fake *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void see(struct fake *f, const char *format, ...)
{
	struct fake_seen *s = &f->seen[f->n];
	va_list args;

	if (f->n == FAKE_SEEN) {
		fprintf(stderr, "more was seen than fits\n");
		exit(1);
	}
	f->n++;
	s->at_ns = f->now_ns;
	va_start(args, format);
	vsnprintf(s->text, sizeof(s->text), format, args);
	va_end(args);
	if (f->verbose)
		printf("%12.6f %s\n",
		       (double)(f->now_ns - FAKE_START_NS) / 1e9, s->text);
}

static struct fake_sock *sock_of(void *ctx, int id)
{
	struct fake *f = ctx;

	ASSERT(id >= 0 && (unsigned)id < f->sockets && f->sock[id].open);
	return &f->sock[id];
}

static int take_error(struct fake *f)
{
	const int error = f->next_error;

	f->next_error = 0;
	return error;
}

static int open_sock(struct fake *f, struct handle owner, bool stream)
{
	if (f->sockets == FAKE_SOCKETS)
		return -ENV_LIMIT;
	f->sock[f->sockets] = (struct fake_sock){
		.open = true, .stream = stream, .owner = owner,
		.outcome = -ENV_AGAIN, .takes = UINT64_MAX,
	};
	return (int)f->sockets++;
}

static int tcp_connect(void *ctx, const struct endpoint *to, uint8_t ttl,
		       uint16_t mss, struct handle h)
{
	struct fake *f = ctx;

	(void)to, (void)mss;
	if (f->next_error)
		return take_error(f);
	f->stream = open_sock(f, h, true);
	if (f->stream >= 0)
		f->sock[f->stream].ttl = ttl;
	return f->stream;
}

static int tcp_adopt(void *ctx, int id, struct handle h)
{
	sock_of(ctx, id)->owner = h;
	return 0;
}

static int connected(void *ctx, int id)
{
	return sock_of(ctx, id)->outcome;
}

static int64_t stream_send(void *ctx, int id, const struct span *v, unsigned n)
{
	struct fake_sock *s = sock_of(ctx, id);
	int64_t took = 0;

	if (s->failed)
		return -ENV_RESET;
	for (unsigned i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].len && s->got < s->takes; k++) {
			if (((uint8_t *)v[i].p)[k] != fake_byte(s->got))
				s->bad_bytes = true;
			s->got++;
			took++;
		}
	if (took)
		return took;
	s->blocked = true;
	return -ENV_AGAIN;
}

static int send_urgent(void *ctx, int id, uint8_t byte)
{
	const struct span v = { .p = &byte, .len = 1 };
	const int64_t took = stream_send(ctx, id, &v, 1);

	if (took > 0)
		see(ctx, "host gets s%d urgent %llu", id + 1,
		    (unsigned long long)sock_of(ctx, id)->got);
	return (int)took;
}

static bool at_urgent(void *ctx, int id)
{
	const struct fake_sock *s = sock_of(ctx, id);

	return s->urgent && s->read + 1 == s->urgent;
}

static int64_t stream_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	struct fake_sock *s = sock_of(ctx, id);
	const uint64_t end = s->read + 1 < s->urgent ? s->urgent - 1 :
						       s->given;
	int64_t gave = 0;

	if (s->failed)
		return -ENV_RESET;
	for (unsigned i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].len && s->read < end; k++) {
			((uint8_t *)v[i].p)[k] = fake_byte(s->read++);
			gave++;
		}
	return gave ? gave : s->end ? 0 : -ENV_AGAIN;
}

static void shut(void *ctx, int id)
{
	sock_of(ctx, id)->saw_end = true;
}

static void stream_close(void *ctx, int id, bool reset)
{
	struct fake_sock *s = sock_of(ctx, id);

	s->open = false;
	s->saw_reset = reset;
}

static void keepalive(void *ctx, int id)
{
	(void)sock_of(ctx, id);
	see(ctx, "host gets s%d keepalive", id + 1);
}

static void crowd(void *ctx, int id, uint32_t n)
{
	(void)sock_of(ctx, id);
	see(ctx, "host gets s%d crowd %u", id + 1, n);
}

static int udp_open(void *ctx, bool v6, struct handle h)
{
	(void)v6;
	return open_sock(ctx, h, false);
}

static void dgram_close(void *ctx, int id)
{
	sock_of(ctx, id)->open = false;
	see(ctx, "host gets s%d closed", id + 1);
}

static int dgram_send(void *ctx, int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v,
		      unsigned n)
{
	const size_t segment = mark && mark->segment ? mark->segment :
			       SIZE_MAX;
	char name[ENDPOINT_TEXT_BYTES], ttl[16] = "", by[16] = "",
	     tos[16] = "";
	struct fake *f = ctx;
	bool bad = false;
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		for (size_t k = 0; k < v[i].len; k++)
			bad |= ((uint8_t *)v[i].p)[k] !=
			       fake_byte(len++ % segment);
	if (f->next_error)
		return take_error(f);
	if (mark && mark->ttl)
		snprintf(ttl, sizeof(ttl), " ttl %u", mark->ttl);
	if (mark && mark->tos)
		snprintf(tos, sizeof(tos), " tos %u", mark->tos);
	if (mark && mark->segment)
		snprintf(by, sizeof(by), " by %u", mark->segment);
	see(f, "host gets s%d > %s (%zu)%s%s%s%s", id + 1,
	    endpoint_format(to, name), len, by, ttl, tos, bad ? " BAD BYTES" : "");
	return 0;
}

static void dgram_fragment(void *ctx, int id, bool v6, bool allowed,
			   uint16_t mtu)
{
	(void)ctx, (void)id, (void)v6, (void)allowed, (void)mtu;
}

static int64_t dgram_recv(void *ctx, int id, struct endpoint *from,
			  struct env_mark *mark, void *buf, size_t cap)
{
	struct fake_sock *s = sock_of(ctx, id);
	const struct fake_dgram d = s->queue[0];

	if (!s->queued)
		return -ENV_AGAIN;
	s->queued--;
	memmove(&s->queue[0], &s->queue[1], s->queued * sizeof(s->queue[0]));
	*from = d.from;
	*mark = (struct env_mark){ .ttl = d.ttl, .tos = d.tos };
	for (size_t i = 0; i < d.len && i < cap; i++)
		((uint8_t *)buf)[i] = fake_byte(i);
	return (int64_t)(d.len < cap ? d.len : cap);
}

static bool dgram_error(void *ctx, int id, struct env_net_error *out,
			void *payload, size_t cap)
{
	struct fake_sock *s = sock_of(ctx, id);

	if (!s->has_error)
		return false;
	s->has_error = false;
	*out = s->error;
	for (size_t i = 0; i < cap; i++)
		((uint8_t *)payload)[i] = fake_byte(i);
	return true;
}

static bool tcp_error(void *ctx, int id, struct env_net_error *out)
{
	uint8_t none;

	return dgram_error(ctx, id, out, &none, 0);
}

static bool host_address(void *ctx, bool v6, unsigned n, struct ip *out)
{
	(void)ctx, (void)v6, (void)n, (void)out;
	return false;
}

static enum env_route route(void *ctx, const struct ip *ip)
{
	(void)ctx, (void)ip;
	return ENV_ROUTE_WORLD;
}

static void *mem_alloc(void *ctx, size_t bytes)
{
	struct fake *f = ctx;

	if (f->no_memory)
		return NULL;
	f->stores += bytes;
	return malloc(bytes);
}

static void mem_free(void *ctx, void *p, size_t bytes)
{
	((struct fake *)ctx)->stores -= bytes;
	free(p);
}

static int link_send(void *ctx, unsigned link, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	static uint8_t frame[FRAME_MAX_BYTES];
	char text[SCRIPT_TEXT];
	struct fake *f = ctx;
	size_t len = 0;

	ASSERT(link == 0);
	if (f->link_full)
		return -ENV_AGAIN;
	for (unsigned i = 0; i < n; i++) {
		ASSERT(len + v[i].len <= sizeof(frame));
		memcpy(frame + len, v[i].p, v[i].len);
		len += v[i].len;
	}
	show_frame(&f->show, meta, frame, len, text, sizeof(text));
	see(f, "%s", text);
	return 0;
}

/* The same each time: a script is repeatable. */
static void random_bytes(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	memset(buf, 0x5a, len);
}

static void blocked(void *ctx, const struct network_blocked *what)
{
	(void)ctx, (void)what;
}

static unsigned never(void *ctx, int id)
{
	(void)ctx, (void)id;
	return 0;
}

/* No tunnels, and routes that stay. */
static void path(void *ctx, const struct ip *ip, struct env_path *out)
{
	(void)ctx, (void)ip;
	*out = (struct env_path){ .dev = 0 };
}

static uint32_t never_waits(void *ctx, int id, bool *gap)
{
	(void)ctx, (void)id;
	*gap = false;
	return 0;
}

static bool stays(void *ctx, int id)
{
	(void)ctx, (void)id;
	return false;
}

static bool takes_unread(void *ctx, unsigned link)
{
	(void)ctx, (void)link;
	return false;
}

static const struct env_ops ops = {
	.tcp_connect = tcp_connect, .tcp_adopt = tcp_adopt,
	.tcp_error = tcp_error, .tcp_stranded = stays, .tcp_moved = stays,
	.tcp_stalled = never,
	.tcp_waits = never_waits,
	.tcp_send_urgent = send_urgent, .tcp_at_urgent = at_urgent,
	.tcp = { connected, stream_send, stream_recv, shut, stream_close },
	.tcp_keepalive = keepalive, .tcp_crowd = crowd,
	.udp_open = udp_open, .udp_adopt = tcp_adopt, .ping_open = udp_open,
	.dgram_send = dgram_send, .dgram_recv = dgram_recv,
	.dgram_fragment = dgram_fragment,
	.dgram_error = dgram_error, .dgram_close = dgram_close,
	.host_address = host_address,
	.route = route, .path = path, .mem_alloc = mem_alloc, .mem_free = mem_free,
	.link_send = link_send,
	.link_takes_unread = takes_unread, .random = random_bytes,
	.blocked = blocked,
};

void fake_init(struct fake *f, const struct script *s, bool verbose)
{
	const struct ip world6 = { .b = { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	const struct env env = { .ops = &ops, .ctx = f };
	size_t bytes;

	*f = (struct fake){
		.setup = {
			.gateway_mac = { { 2, 0, 0, 0, 0, 1 } },
			.guest_mac = { { 2, 0, 0, 0, 0, 2 } },
			.net4 = { .ip = ip_from_v4(0xac140000), .bits = 20 },
			.gateway4 = ip_from_v4(0xac140001),
			.guest4 = ip_from_v4(0xac140002),
			.net6 = { .ip.b = { 0xfd, 1 }, .bits = 64 },
			.gateway6.b = { 0xfd, 1, [15] = 1 },
			.guest6.b = { 0xfd, 1, [15] = 2 },
			.v6 = true, .mtu = s->mtu, .max_flows = 32,
			.host_access = s->host_access,
		},
		.now_ns = FAKE_START_NS, .stream = -1, .verbose = verbose,
		.v6 = s->v6, .tcp_peer = s->v6 ? world6 : ip_from_v4(0xc0000201),
		.show = { .guest_iss = s->iss, .keep = s->keep_iss,
			  .peer_port = SHOW_PEER_PORT },
	};
	bytes = (network_bytes(&f->setup) + 63) & ~(size_t)63;
	f->mem = aligned_alloc(64, bytes);
	if (!f->mem)
		abort();
	memset(f->mem, 0, bytes);
	f->net = network_init(f->mem, &f->setup, &env, f->now_ns);
	network_set_rules(f->net, &(struct network_rules){ .off = true },
			  f->now_ns);
}

void fake_offer(struct fake *f)
{
	const struct endpoint to = {
		.ip = f->v6 ? f->setup.guest6 : f->setup.guest4,
		.port = SHOW_GUEST_PORT,
	};
	const struct endpoint nobody = { 0 };

	f->stream = open_sock(f, (struct handle){ 0 }, true);
	ASSERT(f->stream >= 0);
	f->sock[f->stream].outcome = 0;
	f->tcp_peer = f->v6 ? f->setup.gateway6 : f->setup.gateway4;
	f->show.peer_port = 0;
	network_offer(f->net, f->stream, &nobody, &to, f->now_ns);
}

bool fake_fini(struct fake *f)
{
	bool clean = true;

	network_fini(f->net);
	for (unsigned i = 0; i < f->sockets; i++)
		clean = clean && !f->sock[i].open;
	free(f->mem);
	return clean && !f->stores;
}

void fake_frame(struct fake *f, const struct frame_meta *meta,
		const uint8_t *buf, size_t len)
{
	uint8_t *exact = malloc(len);	/* ASan faults on one byte more */

	if (!exact)
		abort();
	memcpy(exact, buf, len);
	network_frame(f->net, 0, meta, exact, len, f->now_ns);
	free(exact);
}

void fake_turn_end(struct fake *f)
{
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		network_turn_end(f->net, f->now_ns);
		network_check(f->net);
		if (!network_busy(f->net))
			return;
	}
	ASSERT(!network_busy(f->net));	/* it comes to rest */
}

void fake_run(struct fake *f, uint64_t until_ns)
{
	while (f->first == f->n) {
		const uint64_t next = network_next_timer(f->net);

		if (next > until_ns)
			break;
		if (next > f->now_ns)
			f->now_ns = next;
		network_timers(f->net, f->now_ns);
		fake_turn_end(f);
	}
	if (f->first == f->n && f->now_ns < until_ns)
		f->now_ns = until_ns;
}
