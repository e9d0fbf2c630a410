/* SPDX-License-Identifier: MIT */
#include "show.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/rd.h"
#include "fake.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

struct out {
	char *p;
	size_t left;
};

static void say(struct out *o, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct out *o, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(o->p, o->left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= o->left)
		n = (int)o->left - 1;
	o->p += n;
	o->left -= (size_t)n;
}

static csum_t sum_of(const struct ip_packet *ip, uint32_t len)
{
	return ip->proto == PROTO_ICMP ? 0 :
	       csum_pseudo(0, &ip->src, &ip->dst, ip->proto, len);
}

/* The L4 checksum: complete, or as the link wants it to be completed. */
static bool sum_is_right(const struct frame_meta *meta,
			 const struct ip_packet *ip)
{
	const struct view v = ip->payload;
	const csum_t sum = sum_of(ip, (uint32_t)v.len);

	if (meta->needs_csum) {
		struct rd field = rd(v.p, v.len);

		(void)rd_bytes(&field, meta->csum_offset);
		return rd_be16(&field) == csum_fold(sum);
	}
	return csum_fold(csum_add(sum, v.p, v.len)) == 0xffff;
}

static bool bytes_are_right(struct view v, uint64_t at)
{
	for (size_t i = 0; i < v.len; i++)
		if (v.p[i] != fake_byte(at + i))
			return false;
	return true;
}

static void say_option(struct out *o, const struct show *s, uint8_t kind,
		       struct rd v)
{
	switch (kind) {
	case 2:
		say(o, "mss %u", rd_be16(&v));
		break;
	case 3:
		say(o, "wscale %u", rd_u8(&v));
		break;
	case 4:
		say(o, "sackOK");
		break;
	case 5:
		say(o, "sack");
		while (v.left && !v.bad) {
			const uint32_t from = rd_be32(&v) - s->guest_iss;
			const uint32_t to = rd_be32(&v) - s->guest_iss;

			say(o, " %u:%u", from, to);
		}
		break;
	case 8: {
		const uint32_t val = rd_be32(&v) - s->ts;

		say(o, "ts %u %u", val, rd_be32(&v));
		break;
	}
	default:
		say(o, "kind %u", kind);
	}
}

static void say_options(struct out *o, const struct show *s, struct rd r)
{
	const char *before = " <";

	while (r.left && !r.bad) {
		const uint8_t kind = rd_u8(&r);

		say(o, "%s", before);
		before = ",";
		if (kind < 2)
			say(o, kind ? "nop" : "eol");
		else
			say_option(o, s, kind, rd_cut(&r, rd_u8(&r) - 2u));
	}
	if (*before == ',')
		say(o, ">");
	if (r.bad)
		say(o, " BAD OPTIONS");
}

static void say_flags(struct out *o, uint8_t flags)
{
	static const char letters[] = "FSRP.UEW";

	for (unsigned i = 0; i < 8; i++)
		if (flags & 1u << i && letters[i] != '.')
			say(o, "%c", letters[i]);
	if (flags & TCP_ACK)
		say(o, ".");
	if (!flags)
		say(o, "-");
}

/* The gateway's first sequence number and timestamp are 0 from here on. */
static void learn(struct show *s, const struct tcp_segment *seg)
{
	if (s->known || !(seg->flags & TCP_SYN))
		return;
	s->known = true;
	s->iss = seg->seq;
	s->ts = seg->ts_val;
}

static void say_tcp(struct out *o, struct show *s, const struct ip_packet *ip,
		    const struct frame_meta *meta)
{
	struct tcp_segment seg;
	uint32_t seq, len;
	size_t header;

	if (tcp_parse(ip->payload, &seg) != DROP_OK) {
		say(o, "BAD TCP");
		return;
	}
	learn(s, &seg);
	if (!s->peer_port)
		s->peer_port = seg.src_port;
	seq = seg.seq - s->iss;
	len = (uint32_t)seg.data.len;
	header = ip->payload.len - len;
	say_flags(o, seg.flags);
	say(o, " %u:%u(%u)", seq, seq + len, len);
	if (seg.flags & TCP_ACK)
		say(o, " ack %u", seg.ack - s->guest_iss);
	else if (seg.ack)
		say(o, " BAD ACK");
	say(o, " win %u", seg.window);
	if (seg.flags & TCP_URG)
		say(o, " urg %u", seg.urgent);
	else if (seg.urgent)
		say(o, " BAD URG");
	if (meta->gso)
		say(o, " gso %u", meta->gso_size);
	say_options(o, s, rd(ip->payload.p + TCP_HEADER_BYTES,
			     header - TCP_HEADER_BYTES));
	if (seg.src_port != s->peer_port || seg.dst_port != SHOW_GUEST_PORT)
		say(o, " BAD PORTS");
	if (len && !bytes_are_right(seg.data.near, (uint32_t)(seq - 1)))
		say(o, " BAD BYTES");
}

/* Each datagram of a batch has the pattern from its start. */
static bool batch_is_right(struct view v, size_t segment)
{
	while (v.len > segment) {
		if (!bytes_are_right((struct view){ v.p, segment }, 0))
			return false;
		v.p += segment;
		v.len -= segment;
	}
	return bytes_are_right(v, 0);
}

static void say_udp(struct out *o, const struct ip_packet *ip, bool whole,
		    size_t segment)
{
	struct rd r = rd(ip->payload.p, ip->payload.len);
	struct endpoint from = { .ip = ip->src };
	char name[ENDPOINT_TEXT_BYTES];
	unsigned to, len;

	from.port = rd_be16(&r);
	to = rd_be16(&r);
	len = rd_be16(&r);
	if (!rd_be16(&r))
		say(o, "NO CHECKSUM ");
	say(o, "udp %s > %u (%u)", endpoint_format(&from, name), to,
	    len - UDP_HEADER_BYTES);
	if (r.bad || (whole && len != ip->payload.len))
		say(o, " BAD LENGTH");
	else if (!batch_is_right((struct view){ r.p, r.left },
				 segment ? segment : r.left))
		say(o, " BAD BYTES");
	if (segment)
		say(o, " gso %zu", segment);
}

static void say_fragment(struct out *o, struct show *s,
			 const struct ip_packet *ip)
{
	const uint32_t from = ip->frag_offset;
	const uint32_t len = (uint32_t)ip->payload.len;

	if (!s->has_frag)
		s->frag_id = ip->frag_id;
	s->has_frag = true;
	say(o, "frag %u %u:%u(%u)%s", ip->frag_id - s->frag_id, from,
	    from + len, len, ip->more ? "+" : "");
	if (!from) {
		struct rd r = rd(ip->payload.p, ip->payload.len);

		(void)rd_be32(&r);
		s->sum = sum_of(ip, rd_be16(&r));
		say(o, " of ");
		say_udp(o, ip, false, 0);
	} else if (!bytes_are_right(ip->payload, from - UDP_HEADER_BYTES)) {
		say(o, " BAD BYTES");
	}
	s->sum = csum_add(s->sum, ip->payload.p, ip->payload.len);
	if (!ip->more && csum_fold(s->sum) != 0xffff)
		say(o, " BAD CHECKSUM");
}

#define NEXT_FRAGMENT 44		/* RFC 8200 section 4.5 */

/* "icmp 3/1 from 172.20.0.1 about tcp 40000 > 192.0.2.1:80" */
static void say_icmp(struct out *o, const struct show *s,
		     const struct ip_packet *ip)
{
	struct rd r = rd(ip->payload.p, ip->payload.len);
	const unsigned type = rd_u8(&r), code = rd_u8(&r);
	char name[ENDPOINT_TEXT_BYTES];
	struct ip_packet quote;
	struct endpoint to;
	uint32_t word;

	rd_be16(&r);				/* checksum */
	word = rd_be32(&r);
	say(o, "icmp%s %u/%u", ip->v6 ? "6" : "", type, code);
	if (word)
		say(o, ip->v6 && type == 4 ? " at %u" : " mtu %u", word);
	say(o, " from %s about ", ip_format(&ip->src, name));
	/* The quote may be cut, which its length then shows. */
	if (ip_parse_packet(r, ip->v6, &quote) == DROP_OK) {
		r = rd(quote.payload.p, quote.payload.len);
	} else {
		quote.proto = ip->v6 ? r.p[6] : r.p[9];
		(void)rd_bytes(&r, ip->v6 ? 24 : 16);
		quote.dst = ip_from_v4(0);
		if (ip->v6)
			memcpy(quote.dst.b, rd_bytes(&r, 16), 16);
		else
			quote.dst = ip_from_v4(rd_be32(&r));
		if (ip->v6 && quote.proto == NEXT_FRAGMENT) {
			quote.proto = rd_u8(&r);
			(void)rd_bytes(&r, IPV6_FRAGMENT_BYTES - 1);
		}
	}
	say(o, quote.proto == PROTO_TCP ? "tcp " : "udp ");
	say(o, "%u", rd_be16(&r));
	to = (struct endpoint){ .ip = quote.dst, .port = rd_be16(&r) };
	say(o, " > %s", endpoint_format(&to, name));
	if (quote.proto == PROTO_TCP)
		say(o, " seq %u", rd_be32(&r) - s->guest_iss);
	if (r.bad)
		say(o, " BAD QUOTE");
}

void show_frame(struct show *s, const struct frame_meta *meta,
		const uint8_t *frame, size_t len, char *text, size_t size)
{
	struct out o = { .p = text, .left = size };
	struct rd r = rd(frame, len);
	struct ip_packet ip;
	struct eth eth;

	say(&o, "< ");
	if (eth_parse(&r, &eth) != DROP_OK ||
	    ip_parse_packet(r, eth.type == ETH_IPV6, &ip) != DROP_OK) {
		say(&o, "BAD PACKET");
		return;
	}
	if (ip.fragment)
		say_fragment(&o, s, &ip);
	else if (ip.proto == PROTO_TCP)
		say_tcp(&o, s, &ip, meta);
	else if (ip.proto == PROTO_UDP)
		say_udp(&o, &ip, true, meta->gso_size);
	else
		say_icmp(&o, s, &ip);
	if (ip.ttl != 64)
		say(&o, " ttl %u", ip.ttl);
	if (ip.tos)
		say(&o, " tos %u", ip.tos);
	if (!ip.fragment && !sum_is_right(meta, &ip))
		say(&o, " BAD CHECKSUM");
}
