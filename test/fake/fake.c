/* SPDX-License-Identifier: MIT */
#include "fake/fake.h"

#include <stdlib.h>
#include <string.h>

#include "base/csum.h"
#include "env/env.h"
#include "proto/udp.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ndp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define SOMEWHERE 0xc0000201u		/* 192.0.2.1 */

static void expect(struct fake *f, bool cond, const char *what)
{
	if (!cond && !f->failure)
		f->failure = what;
}

static uint32_t random_u32(struct fake *f)
{
	f->rng ^= f->rng << 13;
	f->rng ^= f->rng >> 7;
	f->rng ^= f->rng << 17;
	return (uint32_t)(f->rng >> 33);
}

uint32_t fake_dice(struct fake *f, uint32_t sides)
{
	if (!f->scripted)
		return random_u32(f) % sides;
	if (!f->script.left)
		return sides - 1;
	return (sides > 256 ? rd_be16(&f->script) : rd_u8(&f->script)) % sides;
}

/* Any of enum env_error, negative. */
static int some_error(struct fake *f)
{
	return -(int)(1 + fake_dice(f, ENV_OTHER));
}

/* ---- sockets ---- */

static int open_any(struct fake *f, struct handle owner,
		    const struct endpoint *to)
{
	if (fake_dice(f, 8) == 0)
		return some_error(f);
	for (int i = 0; i < FAKE_SOCKETS; i++) {
		struct fake_socket *s = &f->sock[i];

		if (s->open)
			continue;
		*s = (struct fake_socket){ .open = true, .owner = owner };
		if (to)
			s->to = *to;
		return i;
	}
	return -ENV_LIMIT;
}

static int tcp_connect(void *ctx, const struct endpoint *to, uint8_t ttl,
		       uint16_t mss, struct handle h)
{
	const int id = open_any(ctx, h, to);

	(void)ttl;
	if (id >= 0)
		((struct fake *)ctx)->sock[id].mss = mss;
	return id;
}

static int adopt(void *ctx, int id, struct handle h)
{
	struct fake *f = ctx;

	if (fake_dice(f, 8) == 0)
		return -ENV_LIMIT;
	f->sock[id].owner = h;
	return 0;
}

int fake_accept(struct fake *f)
{
	return open_any(f, (struct handle){ .slot = UINT32_MAX }, NULL);
}

static int open_dgram(void *ctx, bool v6, struct handle h)
{
	(void)v6;
	return open_any(ctx, h, NULL);
}

static struct fake_socket *sock(struct fake *f, int id)
{
	const bool good = id >= 0 && id < FAKE_SOCKETS && f->sock[id].open;

	expect(f, good, "a socket is used that is not open");
	return &f->sock[good ? id : 0];
}

static void close_any(struct fake *f, int id)
{
	sock(f, id)->open = false;
	if (f->saying && f->say_id == id)
		f->saying = FAKE_NOTHING;
}

static void tcp_keepalive(void *ctx, int id)
{
	sock(ctx, id);
}

static void tcp_crowd(void *ctx, int id, uint32_t n)
{
	sock(ctx, id)->crowd = n;
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

static int connected(void *ctx, int id)
{
	sock(ctx, id);
	return fake_dice(ctx, 4) ? 0 : some_error(ctx);
}

/* Keep the first len bytes of v for fake_say(). */
static void remember(struct fake_socket *s, const struct span *v, unsigned n,
		     size_t len)
{
	for (unsigned i = 0; i < n && len; i++) {
		const size_t room = sizeof(s->sent) - s->sent_len;
		size_t step = v[i].len < len ? v[i].len : len;

		len -= step;
		if (step > room)
			step = room;
		if (step)
			memcpy(s->sent + s->sent_len, v[i].p, step);
		s->sent_len += step;
	}
}

static int64_t stream_send(void *ctx, int id, const struct span *v, unsigned n)
{
	struct fake *f = ctx;
	struct fake_socket *s = sock(f, id);
	const size_t len = spans_bytes(v, n);
	size_t taken;

	expect(f, len > 0, "nothing is sent");
	if (!len || fake_dice(f, 3) == 0)
		return fake_dice(f, 20) ? -ENV_AGAIN : -ENV_RESET;
	taken = 1 + fake_dice(f, len < 65536 ? (uint32_t)len : 65536);
	if (taken > len)
		taken = len;
	remember(s, v, n, taken);
	return (int64_t)taken;
}

static int send_urgent(void *ctx, int id, uint8_t byte)
{
	struct fake *f = ctx;
	struct fake_socket *s = sock(f, id);
	const struct span v = { .p = &byte, .len = 1 };

	switch (fake_dice(f, 4)) {
	case 0: return -ENV_RESET;
	case 1: return -ENV_AGAIN;
	default:
		remember(s, &v, 1, 1);
		return 1;
	}
}

static bool at_urgent(void *ctx, int id)
{
	sock(ctx, id);
	return !fake_dice(ctx, 2);
}

static void shut(void *ctx, int id)
{
	sock(ctx, id);
}

/* What was told to be read, into v; 0 when there is no more of it. */
static size_t take_saying(struct fake *f, void *buf, size_t cap)
{
	const size_t left = f->say_len - f->say_at;
	const size_t n = left < cap ? left : cap;

	memcpy(buf, f->say + f->say_at, n);
	f->say_at += n;
	if (f->say_at == f->say_len)
		f->saying = FAKE_NOTHING;
	return n;
}

static bool has_say(const struct fake *f, int id, bool error)
{
	return f->saying && f->say_id == id &&
	       (f->saying == FAKE_ERROR) == error;
}

static int64_t stream_recv(void *ctx, int id, const struct span *v, unsigned n)
{
	struct fake *f = ctx;

	sock(f, id);
	expect(f, spans_bytes(v, n) > 0, "nothing is asked for");
	if (has_say(f, id, false) && f->say_len)
		return (int64_t)take_saying(f, v[0].p, v[0].len);
	switch (fake_dice(f, 6)) {
	case 5:
		return fake_dice(f, 10) ? -ENV_AGAIN : -ENV_RESET;
	case 4:
		return fake_dice(f, 10) ? -ENV_AGAIN : 0;
	default:
		memset(v[0].p, 'x', v[0].len);
		return 1 + fake_dice(f, v[0].len < 65536 ?
					(uint32_t)v[0].len : 65536);
	}
}

static uint32_t tcp_unread(void *ctx, int id)
{
	struct fake *f = ctx;

	sock(f, id);
	return fake_dice(f, 4) ? fake_dice(f, 300000) : 0;
}

static bool tcp_skip(void *ctx, int id, uint32_t bytes)
{
	struct fake *f = ctx;

	sock(f, id);
	expect(f, bytes > 0, "nothing is skipped");
	return fake_dice(f, 200);
}

static int dgram_send(void *ctx, int id, const struct endpoint *to,
		      const struct env_mark *mark, const struct span *v,
		      unsigned n)
{
	struct fake *f = ctx;
	struct fake_socket *s = sock(f, id);

	expect(f, !mark || !mark->segment || mark->segment < spans_bytes(v, n),
	       "a batch of one");
	s->to = *to;
	s->sent_len = 0;
	remember(s, v, n, spans_bytes(v, n));
	return fake_dice(f, 4) ? 0 : some_error(f);
}

static void dgram_fragment(void *ctx, int id, bool v6, bool allowed,
			   uint16_t mtu)
{
	(void)ctx, (void)id, (void)v6, (void)allowed, (void)mtu;
}

/* Of a batch now and then; usually there is none. */
static uint16_t some_segment(struct fake *f, uint32_t len)
{
	if (len < 2 || fake_dice(f, 4))
		return 0;
	return (uint16_t)(1 + fake_dice(f, len - 1));
}

static int64_t dgram_recv(void *ctx, int id, struct endpoint *from,
			  struct env_mark *mark, void *buf, size_t cap)
{
	struct fake *f = ctx;
	const struct fake_socket *s = sock(f, id);
	uint32_t len;

	if (has_say(f, id, false)) {
		*from = s->to;
		len = (uint32_t)take_saying(f, buf, cap);
		*mark = (struct env_mark){ .segment = some_segment(f, len) };
		f->saying = FAKE_NOTHING;
		return len;
	}
	if (fake_dice(f, 2))
		return -ENV_AGAIN;
	len = fake_dice(f, 3000);
	if (len > cap)
		len = (uint32_t)cap;
	memset(buf, 0, len);
	*from = (struct endpoint){ .ip = ip_from_v4(SOMEWHERE),
				   .port = (uint16_t)(1 + fake_dice(f, 3)) };
	*mark = (struct env_mark){ .segment = some_segment(f, len) };
	return len;
}

static bool dgram_error(void *ctx, int id, struct env_net_error *out,
			void *payload, size_t cap)
{
	struct fake *f = ctx;
	const struct fake_socket *s = sock(f, id);

	memset(payload, 8, cap);
	*out = (struct env_net_error){
		.to = { .ip = ip_from_v4(SOMEWHERE), .port = 1 },
	};
	if (has_say(f, id, true)) {
		out->to = s->to;
		take_saying(f, payload, cap);
		f->saying = FAKE_NOTHING;
		out->payload_bytes = f->say_len;
	} else if (fake_dice(f, 2)) {
		return false;
	} else {
		out->payload_bytes = fake_dice(f, 2000);
	}
	out->type = (uint8_t)fake_dice(f, 14);
	out->code = (uint8_t)fake_dice(f, 16);
	out->mtu = fake_dice(f, 65536);
	if (fake_dice(f, 2))
		out->offender = out->to.ip;
	return true;
}

static bool tcp_stranded(void *ctx, int id)
{
	struct fake *f = ctx;

	expect(f, f->sock[id].open, "a question about a closed socket");
	return f->sock[id].stranded;
}

static bool tcp_error(void *ctx, int id, struct env_net_error *out)
{
	uint8_t none;

	return dgram_error(ctx, id, out, &none, 0);
}

int fake_nth_socket(const struct fake *f, unsigned n)
{
	unsigned count = 0;

	for (int i = 0; i < FAKE_SOCKETS; i++)
		count += f->sock[i].open;
	if (!count)
		return -1;
	n %= count;
	for (int i = 0;; i++)
		if (f->sock[i].open && n-- == 0)
			return i;
}

void fake_say(struct fake *f, unsigned n, enum fake_saying what,
	      struct rd bytes, size_t zeros)
{
	const int id = fake_nth_socket(f, n);
	const struct fake_socket *s;
	size_t len = bytes.left < sizeof(f->say) ? bytes.left : sizeof(f->say);

	f->saying = FAKE_NOTHING;
	if (id < 0)
		return;
	s = &f->sock[id];
	memset(f->say, 0, sizeof(f->say));
	if (len)
		memcpy(f->say, bytes.p, len);
	if (what != FAKE_BYTES) {
		for (size_t i = 0; i < s->sent_len; i++)
			f->say[i] ^= s->sent[i];
		if (len < s->sent_len)
			len = s->sent_len;
	}
	f->saying = what;
	f->say_id = id;
	f->say_len = zeros < sizeof(f->say) - len ? len + zeros :
						    sizeof(f->say);
	f->say_at = 0;
}

/* ---- the rest of the world ---- */

static bool host_address(void *ctx, bool v6, unsigned n, struct ip *out)
{
	const struct fake *f = ctx;

	(void)v6;
	if (n < f->n_own)
		*out = f->own[n];
	return n < f->n_own;
}

static enum env_route route(void *ctx, const struct ip *ip)
{
	(void)ip;
	switch (fake_dice(ctx, 4)) {
	case 0: return ENV_ROUTE_NONE;
	case 1: return ENV_ROUTE_HOST;
	case 2: return ENV_ROUTE_OTHER;
	default: return ENV_ROUTE_WORLD;
	}
}

static void *mem_alloc(void *ctx, size_t bytes)
{
	struct fake *f = ctx;

	expect(f, bytes >= 4096 && bytes <= 4u << 20 &&
	       !(bytes & (bytes - 1)), "a block of that size");
	if (fake_dice(f, 10) == 0)
		return NULL;
	f->stores += bytes;
	return malloc(bytes);
}

static void mem_free(void *ctx, void *p, size_t bytes)
{
	((struct fake *)ctx)->stores -= bytes;
	free(p);
}

static void random_bytes(void *ctx, void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)random_u32(ctx);
}

/* ---- what the guest gets ---- */

static void note_tcp(struct fake *f, const struct ip_packet *ip,
		     const struct tcp_segment *s)
{
	const unsigned port = (unsigned)(s->dst_port - FAKE_PORT);
	const uint32_t len = (uint32_t)s->data.len +
			     !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
	struct fake_peer *peer;

	if (port >= FAKE_PORTS)
		return;
	peer = &f->peer[ip->v6][port];
	peer->seq = s->seq + !!(s->flags & (TCP_SYN | TCP_FIN));
	if (s->flags & TCP_SYN || seq_lt(peer->end, s->seq + len))
		peer->end = s->seq + len;
	peer->ack = s->ack;
}

/* The checksum at `offset` of the payload is whole, or left to the link. */
static void check_sum(struct fake *f, const struct frame_meta *meta,
		      const struct ip_packet *ip, size_t offset)
{
	const struct view l4 = ip->payload;
	const csum_t pseudo = ip->proto == PROTO_ICMP ? 0 :
		csum_pseudo(0, &ip->src, &ip->dst, ip->proto,
			    (uint32_t)l4.len);
	const uint16_t field = (uint16_t)(l4.p[offset] << 8 |
					  l4.p[offset + 1]);

	if (f->by_guest) {		/* its sum is its own affair */
		expect(f, !meta->needs_csum ||
		       (f->frame + meta->csum_start == l4.p &&
			meta->csum_offset == offset),
		       "checksum of a guest's for the link to complete");
		return;
	}
	if (!meta->needs_csum) {
		expect(f, csum_fold(csum_add(pseudo, l4.p, l4.len)) == 0xffff,
		       "checksum to the guest");
		return;
	}
	expect(f, f->frame + meta->csum_start == l4.p &&
	       meta->csum_offset == offset && field == csum_fold(pseudo),
	       "checksum that the link is to complete");
}

static void check_tcp(struct fake *f, const struct frame_meta *meta,
		      const struct ip_packet *ip)
{
	struct tcp_segment s;
	const bool good = tcp_parse(ip->payload, &s) == DROP_OK;

	expect(f, good, "a segment to the guest");
	if (!good)
		return;
	check_sum(f, meta, ip, TCP_CSUM_OFFSET);
	note_tcp(f, ip, &s);
	if (meta->gso)
		expect(f, meta->gso == (ip->v6 ? FRAME_GSO_TCP6 :
						 FRAME_GSO_TCP4) &&
		       meta->gso_size && s.data.len > meta->gso_size,
		       "a batch of segments to the guest");
}

static void check_l4(struct fake *f, const struct frame_meta *meta,
		     const struct ip_packet *ip)
{
	struct udp udp;

	if (ip->fragment)
		return;
	switch (ip->proto) {
	case PROTO_TCP:
		check_tcp(f, meta, ip);
		break;
	case PROTO_UDP:
		expect(f, udp_parse(ip->payload, &udp) == DROP_OK,
		       "a datagram to the guest");
		if (meta->gso)
			expect(f, meta->gso == (ip->v6 ? FRAME_GSO_UDP6 :
							 FRAME_GSO_UDP4) &&
			       meta->gso_size &&
			       udp.data.len > meta->gso_size,
			       "a batch of datagrams to the guest");
		if (ip->payload.len >= UDP_HEADER_BYTES)
			check_sum(f, meta, ip, UDP_CSUM_OFFSET);
		break;
	case PROTO_ICMP: case PROTO_ICMP6:
		expect(f, ip->payload.len >= ICMP_HEADER_BYTES,
		       "an ICMP message to the guest");
		if (ip->payload.len >= ICMP_HEADER_BYTES)
			check_sum(f, meta, ip, 2);
		break;
	default:
		expect(f, f->by_guest, "a protocol to the guest");
	}
}

/* Whoever asks is told, of any subnet: RFC 4861 section 7.2.4. */
static bool answers_neighbor(const struct ip_packet *ip)
{
	return ip->proto == PROTO_ICMP6 && ip->payload.len &&
	       ip->payload.p[0] == NDP_NEIGHBOR_ADVERT;
}

static void check_ip(struct fake *f, const struct frame_meta *meta,
		     struct rd r, bool v6)
{
	const size_t len = r.left;
	struct ip_packet ip;
	const bool good = ip_parse_packet(r, v6, &ip) == DROP_OK;

	expect(f, good, "a packet to the guest");
	if (!good)
		return;
	expect(f, ip.whole.len == len, "bytes behind a packet");
	expect(f, (v6 ? prefix_has(&f->setup.net6, &ip.dst) :
			ip_equal(&ip.dst, &f->setup.guest4) ||
			(f->links && prefix_has(&f->setup.net4, &ip.dst))) ||
	       ip_is_multicast(&ip.dst) || ip_is_broadcast(&ip.dst) ||
	       ip_is_link_local(&ip.dst) || answers_neighbor(&ip),
	       "a packet to nobody");
	if (meta->gso)
		expect(f, meta->gso_size + (size_t)meta->hdr_len -
		       ETH_HEADER_BYTES <= f->setup.mtu,
		       "segments over the link's MTU");
	else
		expect(f, len <= f->setup.mtu, "a packet over the link's MTU");
	check_l4(f, meta, &ip);
}

static void check_frame(struct fake *f, const struct frame_meta *meta,
			size_t len)
{
	struct rd r = rd(f->frame, len);
	struct eth eth;
	struct arp arp;
	const bool good = eth_parse(&r, &eth) == DROP_OK;

	expect(f, good, "a frame to the guest");
	if (!good)
		return;
	f->by_guest = !mac_equal(&eth.src, &f->setup.gateway_mac);
	expect(f, !f->by_guest || f->links, "a frame from nobody");
	switch (eth.type) {
	case ETH_ARP:
		expect(f, arp_parse(r, &arp) == DROP_OK, "an ARP message");
		break;
	case ETH_IPV4: case ETH_IPV6:
		check_ip(f, meta, r, eth.type == ETH_IPV6);
		break;
	default:
		expect(f, false, "an Ethernet type to the guest");
	}
}

static int link_send(void *ctx, unsigned link, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	struct fake *f = ctx;
	struct wr w = wr(f->frame, FRAME_MAX_BYTES);

	for (unsigned i = 0; i < n; i++)
		wr_bytes(&w, v[i].p, v[i].len);
	if (meta->unread.bytes) {
		sock(f, meta->unread.id);
		if (!fake_dice(f, 50))
			return -ENV_OTHER;
		wr_zero(&w, meta->unread.bytes);
	}
	expect(f, link < (f->links ? f->links : 1), "a link that is not");
	f->link = link;
	f->link_frames[link % NETWORK_LINKS_MAX]++;
	expect(f, !w.bad && v[0].len >= ETH_HEADER_BYTES, "size of a frame");
	f->frame_len = (size_t)(w.p - f->frame);
	f->meta = *meta;
	if (!w.bad)
		check_frame(f, meta, f->frame_len);
	f->frames++;
	return fake_dice(f, 20) ? 0 : -ENV_AGAIN;
}

static bool link_takes_unread(void *ctx, unsigned link)
{
	(void)link;
	return !fake_dice(ctx, 2);
}

/* What the link says of a packet to the host's stack must be so. */
static bool meta_is_true(const struct frame_meta *meta,
			 const struct ip_packet *ip)
{
	const size_t l4 = ip->whole.len - ip->payload.len;
	const unsigned sum = ip->proto == PROTO_TCP ? TCP_CSUM_OFFSET :
						      UDP_CSUM_OFFSET;

	if (meta->gso && (!meta->needs_csum || !meta->gso_size))
		return false;
	if ((meta->gso == FRAME_GSO_UDP4 || meta->gso == FRAME_GSO_UDP6) &&
	    ip->payload.len > UDP_HEADER_BYTES +
			      (size_t)meta->gso_size * UDP_BATCH_MAX)
		return false;
	return !meta->needs_csum ||
	       ((ip->proto == PROTO_TCP || ip->proto == PROTO_UDP) &&
		meta->csum_start == l4 && meta->csum_offset == sum);
}

/* Nothing but what the guest itself says to the gateway's own address. */
static int host_send(void *ctx, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	static uint8_t packet[FRAME_MAX_BYTES];
	struct fake *f = ctx;
	struct wr w = wr(packet, sizeof(packet));
	struct ip_packet ip;
	size_t len;
	bool v6, error;

	for (unsigned i = 0; i < n; i++)
		wr_bytes(&w, v[i].p, v[i].len);
	len = (size_t)(w.p - packet);
	v6 = packet[0] >> 4 == 6;
	expect(f, f->setup.host_port, "a packet where no host listens");
	if (w.bad || ip_parse_packet(rd(packet, len), v6, &ip) != DROP_OK) {
		expect(f, false, "a packet to the host");
		return 0;
	}
	error = n == 2;			/* the network's own: no such guest */
	expect(f, ip.whole.len == len, "bytes behind a packet to the host");
	expect(f, ip_equal(&ip.dst, v6 ? &f->setup.gateway6 :
					 &f->setup.gateway4),
	       "a packet to another address of the host's");
	expect(f, error || (v6 ? prefix_has(&f->setup.net6, &ip.src) :
				 ip_equal(&ip.src, &f->setup.guest4) ||
				 (f->links &&
				  prefix_has(&f->setup.net4, &ip.src))),
	       "a packet to the host from nobody");
	expect(f, !ip_equal(&ip.src, &ip.dst), "a packet of the host's own");
	expect(f, !ip.fragment, "a fragment to the host");
	expect(f, meta_is_true(meta, &ip), "what is said of a packet");
	f->host_packets++;
	f->host_packet = ip;
	return fake_dice(f, 20) ? 0 : -ENV_AGAIN;
}

static bool host_listens(void *ctx, const struct endpoint *at, bool udp)
{
	struct fake *f = ctx;

	(void)udp;
	expect(f, ip_equal(&at->ip, ip_is4(&at->ip) ? &f->setup.gateway4 :
						      &f->setup.gateway6),
	       "a question about another address of the host's");
	return f->host_waits ? at->port == f->host_waits : fake_dice(f, 2);
}

static bool ask_program(void *ctx, uint32_t id, const struct env_socket *what)
{
	struct fake *f = ctx;
	const bool can = fake_dice(f, 4);

	expect(f, id, "a question without a number");
	expect(f, what->local.port || what->protocol == PROTO_ICMP ||
		  what->protocol == PROTO_ICMP6, "a question about no port");
	if (can) {
		f->asked = id;
		f->asked_about = *what;
	}
	return can;
}

/* No relays are judged here but by who asks about one. */
static void judged(void *ctx, uint32_t ticket, bool pass)
{
	struct fake *f = ctx;

	expect(f, ticket == FAKE_TICKET, "a ticket of nobody's");
	f->passed += pass;
	f->refused += !pass;
}

static void blocked(void *ctx, const struct network_blocked *what)
{
	struct fake *f = ctx;

	f->blocked++;
	f->last_blocked = *what;
}

static void path(void *ctx, const struct ip *ip, struct env_path *out)
{
	const struct fake *f = ctx;

	(void)ip;
	*out = f->path;
}

static bool tcp_moved(void *ctx, int id)
{
	const struct fake *f = ctx;

	return f->sock[id].moved;
}

static unsigned tcp_stalled(void *ctx, int id)
{
	const struct fake *f = ctx;

	return f->sock[id].stalled;
}

static uint32_t tcp_waits(void *ctx, int id, bool *gap)
{
	const struct fake *f = ctx;

	*gap = f->sock[id].gap;
	return f->sock[id].waits;
}

const struct env_ops *fake_ops(void)
{
	static const struct env_ops ops = {
		.tcp_connect = tcp_connect, .tcp_adopt = adopt,
		.tcp_keepalive = tcp_keepalive,
		.tcp_crowd = tcp_crowd,
		.tcp_error = tcp_error, .tcp_stranded = tcp_stranded,
		.tcp_moved = tcp_moved, .tcp_stalled = tcp_stalled,
		.tcp_waits = tcp_waits,
		.tcp_send_urgent = send_urgent, .tcp_at_urgent = at_urgent,
		.tcp_unread = tcp_unread, .tcp_skip = tcp_skip,
		.tcp = { connected, stream_send, stream_recv, shut,
			 stream_close },
		.udp_open = open_dgram, .udp_adopt = adopt,
		.ping_open = open_dgram,
		.dgram_send = dgram_send, .dgram_recv = dgram_recv,
		.dgram_fragment = dgram_fragment,
		.dgram_error = dgram_error, .dgram_close = dgram_close,
		.host_address = host_address,
		.route = route, .path = path, .mem_alloc = mem_alloc, .mem_free = mem_free,
		.link_send = link_send,
		.link_takes_unread = link_takes_unread, .random = random_bytes,
		.host_send = host_send, .host_listens = host_listens,
		.ask_program = ask_program, .judged = judged,
		.blocked = blocked,
	};

	return &ops;
}

struct network_setup fake_setup(void)
{
	struct network_setup s = {
		.gateway_mac = { { 2, 0, 0, 0, 0, 1 } },
		.guest_mac = { { 2, 0, 0, 0, 0, 2 } },
		.net4 = { .ip = ip_from_v4(0xac140000), .bits = 20 },
		.gateway4 = ip_from_v4(0xac140001),
		.guest4 = ip_from_v4(0xac140002),
		.v6 = true, .mtu = 1500, .host_access = true, .max_flows = 200,
		.learn_mac = true,
		.net6 = { .ip.b = { 0xfd, 1 }, .bits = 64 },
		.gateway6.b = { 0xfd, 1, [15] = 1 },
		.guest6.b = { 0xfd, 1, [15] = 2 },
	};

	return s;
}

void fake_init(struct fake *f, const struct network_setup *setup,
	       uint64_t seed)
{
	memset(f, 0, offsetof(struct fake, frame));
	f->setup = *setup;
	f->rng = seed;
}

void fake_check_end(struct fake *f)
{
	for (int i = 0; i < FAKE_SOCKETS; i++)
		expect(f, !f->sock[i].open, "a socket is left open");
	expect(f, f->stores == 0, "memory is left");
}
