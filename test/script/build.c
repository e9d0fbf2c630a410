/* SPDX-License-Identifier: MIT */
#include "build.h"

#include "base/csum.h"
#include "base/wr.h"
#include "text.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define OPTIONS_MAX 40

/* An L4 packet on its way into a frame. */
struct packet {
	struct ip_packet ip;
	uint8_t bytes[FRAME_MAX_BYTES];
	size_t len;
	struct frame_meta meta;
};

static void send_packet(struct fake *f, struct packet *p, size_t from,
			size_t to)
{
	static uint8_t frame[FRAME_MAX_BYTES];
	const struct eth eth = {
		.dst = f->setup.gateway_mac, .src = f->setup.guest_mac,
		.type = p->ip.v6 ? ETH_IPV6 : ETH_IPV4,
	};
	struct wr w = wr(frame, sizeof(frame));

	eth_emit(&w, &eth);
	ip_emit(&w, &p->ip, to - from);
	wr_bytes(&w, p->bytes + from, to - from);
	ASSERT(!w.bad);
	fake_frame(f, &p->meta, frame, (size_t)(w.p - frame));
}

static void address(const struct fake *f, struct packet *p, uint8_t proto,
		    const struct ip *to, const char *text)
{
	p->ip = (struct ip_packet){
		.src = ip_is4(to) ? f->setup.guest4 : f->setup.guest6,
		.dst = *to, .v6 = !ip_is4(to), .proto = proto,
		.ttl = (uint8_t)text_number(text, "ttl", 64),
		.tos = (uint8_t)text_number(text, "tos", 0),
		.dont_fragment = strstr(text, " df"),
	};
}

/* Put the complete checksum at offset `at`. */
static void seal(struct packet *p, size_t at)
{
	csum_t sum = csum_pseudo(0, &p->ip.src, &p->ip.dst, p->ip.proto,
				 (uint32_t)p->len);
	struct wr w = wr(p->bytes + at, 2);

	wr_be16(&w, csum_finish(csum_add(sum, p->bytes, p->len)));
}

static void put_sacks(struct wr *w, const struct show *s, const char *text)
{
	uint8_t *len = w->p + 1;
	unsigned from, to;
	int skip;

	wr_be16(w, 5 << 8 | 2);
	while (sscanf(text, " %u:%u%n", &from, &to, &skip) == 2) {
		wr_be32(w, s->iss + from);
		wr_be32(w, s->iss + to);
		*len = (uint8_t)(*len + 8);
		text += skip;
	}
}

static bool put_option(struct wr *w, const struct show *s, const char *text)
{
	unsigned a, b;

	if (!strcmp(text, "nop")) {
		wr_u8(w, 1);
	} else if (!strcmp(text, "eol")) {
		wr_u8(w, 0);
	} else if (!strcmp(text, "sackOK")) {
		wr_be16(w, 4 << 8 | 2);
	} else if (sscanf(text, "mss %u", &a) == 1) {
		wr_be16(w, 2 << 8 | 4);
		wr_be16(w, (uint16_t)a);
	} else if (sscanf(text, "wscale %u", &a) == 1) {
		wr_be16(w, 3 << 8 | 3);
		wr_u8(w, (uint8_t)a);
	} else if (sscanf(text, "ts %u %u", &a, &b) == 2) {
		wr_be16(w, 8 << 8 | 10);
		wr_be32(w, a);
		wr_be32(w, s->known ? s->ts + b : b);
	} else if (!strncmp(text, "sack ", 5)) {
		put_sacks(w, s, text + 5);
	} else {
		return false;
	}
	return true;
}

/* The list in <>, padded with zeros to 4 bytes. */
static bool put_options(struct wr *w, const struct show *s, const char *text)
{
	char list[SCRIPT_TEXT], *save = NULL;
	const char *start = strchr(text, '<');
	const uint8_t *first = w->p;

	if (!start)
		return true;
	snprintf(list, sizeof(list), "%s", start + 1);
	list[strcspn(list, ">")] = '\0';
	for (char *word = strtok_r(list, ",", &save); word;
	     word = strtok_r(NULL, ",", &save))
		if (!put_option(w, s, word))
			return false;
	wr_zero(w, (size_t)(first - w->p) & 3);
	return !w->bad;
}

static bool read_flags(const char *text, uint8_t *flags)
{
	static const char letters[] = "FSRP.UEW";

	*flags = 0;
	for (; *text && *text != ' '; text++) {
		const char *at = strchr(letters, *text);

		if (at)
			*flags |= (uint8_t)(1u << (at - letters));
		else if (*text != '-')
			return false;
	}
	return true;
}

/* The connection begins anew: forget the gateway's first numbers. */
static void begin(struct show *s, uint8_t flags, uint32_t seq)
{
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && seq != s->syn &&
	    !s->keep)
		s->known = false;
	if (flags & TCP_SYN)
		s->syn = seq;
	if (!s->known)
		s->iss = s->ts = 0;
}

static const char *build_tcp(struct fake *f, const char *text)
{
	static struct packet p;
	uint8_t options[OPTIONS_MAX], flags;
	struct wr o = wr(options, sizeof(options));
	struct wr w = wr(p.bytes, sizeof(p.bytes));
	unsigned seq, end, len;
	size_t header;

	if (!read_flags(text, &flags) ||
	    sscanf(text, "%*s %u:%u(%u)", &seq, &end, &len) != 3 ||
	    end - seq != len || len > 60000)
		return "no TCP segment";
	begin(&f->show, flags, seq);
	if (!put_options(&o, &f->show, text))
		return "no such option";
	address(f, &p, PROTO_TCP, &f->tcp_peer, text);
	header = TCP_HEADER_BYTES + (size_t)(o.p - options);
	wr_be16(&w, SHOW_GUEST_PORT);
	wr_be16(&w, f->show.peer_port);
	wr_be32(&w, f->show.guest_iss + seq);
	wr_be32(&w, flags & TCP_ACK ?
		f->show.iss + (uint32_t)text_number(text, "ack", 0) : 0);
	wr_u8(&w, (uint8_t)(header / 4 << 4));
	wr_u8(&w, flags);
	wr_be16(&w, (uint16_t)text_number(text, "win", 65535));
	wr_be16(&w, 0);
	wr_be16(&w, (uint16_t)text_number(text, "urg", 0));
	wr_bytes(&w, options, (size_t)(o.p - options));
	for (unsigned i = 0; i < len; i++)
		wr_u8(&w, fake_byte((uint32_t)(seq - 1 + i)));
	p.len = (size_t)(w.p - p.bytes);
	seal(&p, TCP_CSUM_OFFSET);
	if (strstr(text, " csum bad"))
		p.bytes[TCP_CSUM_OFFSET] ^= 1;
	p.meta = (struct frame_meta){ .csum_valid = false };
	p.meta.gso_size = (uint16_t)text_number(text, "gso", 0);
	if (p.meta.gso_size)
		p.meta.gso = f->v6 ? FRAME_GSO_TCP6 : FRAME_GSO_TCP4;
	send_packet(f, &p, 0, p.len);
	return NULL;
}

static const char *fill_udp(const struct fake *f, struct packet *p,
			    const char *text)
{
	struct wr w = wr(p->bytes, sizeof(p->bytes));
	char peer[SCRIPT_TEXT];
	struct endpoint to;
	unsigned from, len;

	if (sscanf(text, "udp %u > %255s (%u)", &from, peer, &len) != 3 ||
	    !text_endpoint(peer, &to))
		return "no UDP datagram";
	address(f, p, PROTO_UDP, &to.ip, text);
	p->meta = (struct frame_meta){ .csum_valid = false };
	udp_emit(&w, (uint16_t)from, to.port, len, 0);
	for (unsigned i = 0; i < len; i++)
		wr_u8(&w, fake_byte(i));
	p->len = (size_t)(w.p - p->bytes);
	if (!strstr(text, " csum 0"))
		seal(p, UDP_CSUM_OFFSET);
	if (strstr(text, " csum bad"))
		p->bytes[UDP_CSUM_OFFSET] ^= 1;
	return NULL;
}

static const char *build_udp(struct fake *f, const char *text)
{
	static struct packet p;
	const char *wrong = fill_udp(f, &p, text);

	if (!wrong)
		send_packet(f, &p, 0, p.len);
	return wrong;
}

/* A fragment header that says whole, which ip_emit() leaves out. */
static void make_atomic(struct packet *p, uint32_t id)
{
	struct wr w = wr(p->bytes, IPV6_FRAGMENT_BYTES);

	memmove(p->bytes + IPV6_FRAGMENT_BYTES, p->bytes, p->len);
	wr_u8(&w, p->ip.proto);
	wr_u8(&w, 0);
	wr_be16(&w, 0);
	wr_be32(&w, id);
	p->ip.proto = 44;
	p->len += IPV6_FRAGMENT_BYTES;
}

static const char *build_fragment(struct fake *f, const char *text)
{
	static struct packet p;
	unsigned id, from, to;
	const char *of = strstr(text, " of "), *wrong;
	int skip;

	if (sscanf(text, "frag %u %u:%u%n", &id, &from, &to, &skip) != 3 ||
	    !of)
		return "no fragment";
	wrong = fill_udp(f, &p, of + 4);
	if (wrong)
		return wrong;
	if (from > to || to > p.len)
		return "no part of it";
	if (strstr(text, " fill"))
		memset(p.bytes + from, 0xee, to - from);
	p.ip.frag_id = id;
	p.ip.frag_offset = (uint16_t)from;
	p.ip.more = text[skip] == '+';
	if (p.ip.v6 && !from && !p.ip.more && to == p.len) {
		make_atomic(&p, id);
		to = (unsigned)p.len;
	}
	send_packet(f, &p, from, to);
	return NULL;
}

const char *build_frame(struct fake *f, const char *text)
{
	if (!strncmp(text, "udp ", 4))
		return build_udp(f, text);
	if (!strncmp(text, "frag ", 5))
		return build_fragment(f, text);
	return build_tcp(f, text);
}
