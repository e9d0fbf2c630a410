/* SPDX-License-Identifier: MIT */
#include "wire/dhcp4.h"

#include <string.h>

#include "base/rd.h"
#include "wire/domains.h"

enum {
	BOOTREQUEST = 1, BOOTREPLY = 2,
	HTYPE_ETHER = 1, FLAG_BROADCAST = 0x8000,
	OVERLOAD_FILE = 1, OVERLOAD_SNAME = 2,
	CHADDR_BYTES = 16, SNAME_BYTES = 64, FILE_BYTES = 128,
	OPTION_MAX_BYTES = 255,
	OWN_OPTIONS_BYTES = 32,		/* type, server, lease and its times */
};
#define MAGIC_COOKIE	0x63825363u	/* RFC 2131 section 3 */

/* What is found out about a message while its options are read. */
struct parse {
	struct dhcp4 m;
	uint8_t type;			/* option 53; 0 if absent */
	uint8_t overload;
	uint64_t seen[4];		/* one bit per option code */
};

static struct view view(const struct rd *v)
{
	return (struct view){ .p = v->p, .len = v->left };
}

static enum drop take_ip(struct rd *v, struct ip *out)
{
	if (v->left != 4)
		return DROP_LENGTH;
	*out = ip_from_v4(rd_be32(v));
	return DROP_OK;
}

static enum drop take_type(struct rd *v, struct parse *p)
{
	if (v->left != 1)
		return DROP_LENGTH;
	p->type = rd_u8(v);
	return p->type < DHCP4_DISCOVER || p->type > DHCP4_INFORM ?
	       DROP_VALUE : DROP_OK;
}

static enum drop take_overload(struct rd *v, struct parse *p)
{
	if (v->left != 1)
		return DROP_LENGTH;
	p->overload = rd_u8(v);
	return !p->overload ||
	       p->overload > (OVERLOAD_FILE | OVERLOAD_SNAME) ?
	       DROP_VALUE : DROP_OK;
}

static enum drop take_max_size(struct rd *v, struct parse *p)
{
	if (v->left != 2)
		return DROP_LENGTH;
	p->m.max_bytes = rd_be16(v);
	if (p->m.max_bytes < DHCP4_IP_BYTES)	/* RFC 2132 section 9.10 */
		p->m.max_bytes = DHCP4_IP_BYTES;
	return DROP_OK;
}

static enum drop take_view(const struct rd *v, size_t least,
			   struct view *out)
{
	*out = view(v);
	return v->left >= least ? DROP_OK : DROP_LENGTH;
}

/* Read the value of one option; v holds exactly its length. */
static enum drop parse_option(uint8_t code, struct rd v, struct parse *p)
{
	switch (code) {
	case DHCP4_OPT_TYPE:
		return take_type(&v, p);
	case DHCP4_OPT_OVERLOAD:
		return take_overload(&v, p);
	case DHCP4_OPT_REQUESTED_IP:
		return take_ip(&v, &p->m.requested);
	case DHCP4_OPT_SERVER_ID:
		return take_ip(&v, &p->m.server_id);
	case DHCP4_OPT_MAX_SIZE:
		return take_max_size(&v, p);
	case DHCP4_OPT_PARAMS:
		return take_view(&v, 1, &p->m.params);
	case DHCP4_OPT_CLIENT_ID:
		return take_view(&v, 2, &p->m.client_id);
	case DHCP4_OPT_AGENT:
		return take_view(&v, 1, &p->m.agent);
	case DHCP4_OPT_RAPID_COMMIT:
		p->m.rapid_commit = true;
		return v.left == 0 ? DROP_OK : DROP_LENGTH;
	default:
		return DROP_OK;
	}
}

static enum drop parse_options(struct rd r, struct parse *p)
{
	while (r.left > 0) {
		const uint8_t code = rd_u8(&r);
		const uint64_t bit = (uint64_t)1 << (code & 63);
		enum drop drop;
		struct rd v;
		uint8_t len;

		if (code == DHCP4_OPT_PAD)
			continue;
		if (code == DHCP4_OPT_END)
			return DROP_OK;

		len = rd_u8(&r);
		v = rd_cut(&r, len);
		if (r.bad)
			return DROP_SHORT;
		if (p->seen[code >> 6] & bit)
			return DROP_VALUE;
		p->seen[code >> 6] |= bit;

		drop = parse_option(code, v, p);
		if (drop != DROP_OK)
			return drop;
	}
	return DROP_SHORT;		/* RFC 2131 section 4.1: end is a must */
}

/* Options in all the places where they may be: RFC 2131 section 4.1. */
static enum drop parse_places(struct rd options, struct rd sname,
			      struct rd file, struct parse *p)
{
	enum drop drop = parse_options(options, p);

	if (drop == DROP_OK && (p->overload & OVERLOAD_FILE))
		drop = parse_options(file, p);
	if (drop == DROP_OK && (p->overload & OVERLOAD_SNAME))
		drop = parse_options(sname, p);
	return drop;
}

/* Its type as a value, if it is a client's to send. */
static enum drop set_type(struct parse *p)
{
	switch (p->type) {
	case DHCP4_DISCOVER:
		p->m.type = DHCP4_DISCOVER;
		return DROP_OK;
	case DHCP4_REQUEST:
		p->m.type = DHCP4_REQUEST;
		return DROP_OK;
	case DHCP4_DECLINE:
		p->m.type = DHCP4_DECLINE;
		return DROP_OK;
	case DHCP4_RELEASE:
		p->m.type = DHCP4_RELEASE;
		return DROP_OK;
	case DHCP4_INFORM:
		p->m.type = DHCP4_INFORM;
		return DROP_OK;
	default:
		return DROP_NOTOURS;
	}
}

enum drop dhcp4_parse(struct view msg, struct dhcp4 *out)
{
	struct rd r = rd(msg.p, msg.len);
	struct parse p = { .m.max_bytes = DHCP4_IP_BYTES };
	struct rd sname, file;
	const uint8_t *chaddr;
	enum drop drop;

	p.m.requested = p.m.server_id = ip_from_v4(0);
	/* RFC 2131 figure 1, in order */
	const uint8_t op = rd_u8(&r);
	const uint8_t htype = rd_u8(&r);
	const uint8_t hlen = rd_u8(&r);
	rd_bytes(&r, 1);				/* hops */
	p.m.xid = rd_be32(&r);
	rd_bytes(&r, 2);				/* secs */
	p.m.flags = rd_be16(&r);
	p.m.broadcast = p.m.flags & FLAG_BROADCAST;
	p.m.ciaddr = ip_from_v4(rd_be32(&r));
	rd_bytes(&r, 4 + 4);				/* yiaddr, siaddr */
	p.m.giaddr = ip_from_v4(rd_be32(&r));
	chaddr = rd_bytes(&r, CHADDR_BYTES);
	sname = rd_cut(&r, SNAME_BYTES);
	file = rd_cut(&r, FILE_BYTES);
	const uint32_t cookie = rd_be32(&r);

	if (r.bad)
		return DROP_SHORT;
	if (op == BOOTREPLY)
		return DROP_NOTOURS;
	if (op != BOOTREQUEST || htype != HTYPE_ETHER ||
	    hlen != sizeof(p.m.chaddr) || (chaddr[0] & 1) ||
	    cookie != MAGIC_COOKIE)
		return DROP_VALUE;
	memcpy(p.m.chaddr.b, chaddr, sizeof(p.m.chaddr));

	drop = parse_places(r, sname, file, &p);
	if (drop == DROP_OK)
		drop = set_type(&p);
	if (drop == DROP_OK)
		*out = p.m;
	return drop;
}

bool dhcp4_wants(const struct dhcp4 *m, enum dhcp4_option code)
{
	return !m->params.len || memchr(m->params.p, (int)code, m->params.len);
}

/* Write an option whole, or not at all if it has no room or no value. */
static void put(struct wr *w, enum dhcp4_option code, const void *value,
		size_t len)
{
	if (!len || len > OPTION_MAX_BYTES || w->left < len + 2)
		return;
	wr_u8(w, (uint8_t)code);
	wr_u8(w, (uint8_t)len);
	wr_bytes(w, value, len);
}

static void put_ip(struct wr *w, enum dhcp4_option code, const struct ip *ip)
{
	if (ip_is4(ip) && !ip_is_unspecified(ip))
		put(w, code, &ip->b[12], 4);
}

static void put_number(struct wr *w, enum dhcp4_option code, uint32_t n,
		       size_t len)
{
	uint8_t b[4];
	struct wr all = wr(b, sizeof(b));

	wr_be32(&all, n);
	if (n)
		put(w, code, b + sizeof(b) - len, len);
}

static void put_text(struct wr *w, enum dhcp4_option code, const char *text)
{
	size_t len = 0;

	while (text && text[len])
		len++;
	put(w, code, text, len);
}

/* RFC 3442: the width of the default route is 0, with no bytes to follow. */
static void put_routes(struct wr *w, const struct ip *router)
{
	uint8_t b[5] = { 0 };

	if (!ip_is4(router) || ip_is_unspecified(router))
		return;
	memcpy(b + 1, &router->b[12], 4);
	put(w, DHCP4_OPT_ROUTES, b, sizeof(b));
}

static void put_search(struct wr *w, const char *search)
{
	uint8_t b[OPTION_MAX_BYTES];
	struct wr names = wr(b, sizeof(b));
	const struct view first = domains_first(search);

	put(w, DHCP4_OPT_DOMAIN, first.p, first.len);
	domains_emit(&names, search, sizeof(b));
	put(w, DHCP4_OPT_SEARCH, b, (size_t)(names.p - b));
}

/* The most important ones first: the last are those that find no room. */
static void put_options(struct wr *w, const struct dhcp4 *m,
			const struct dhcp4_reply *r)
{
	put_number(w, DHCP4_OPT_TYPE, r->type, 1);
	put_ip(w, DHCP4_OPT_SERVER_ID, &r->server_id);
	put_number(w, DHCP4_OPT_LEASE, r->lease_s, 4);
	put_number(w, DHCP4_OPT_T1, r->t1_s, 4);
	put_number(w, DHCP4_OPT_T2, r->t2_s, 4);
	if (r->rapid_commit && w->left >= 2) {
		wr_u8(w, DHCP4_OPT_RAPID_COMMIT);
		wr_u8(w, 0);
	}
	put_ip(w, DHCP4_OPT_MASK, &r->mask);	/* before 3: RFC 2132 3.3 */
	put_ip(w, DHCP4_OPT_ROUTER, &r->router);
	put_ip(w, DHCP4_OPT_DNS, &r->dns);
	put_number(w, DHCP4_OPT_MTU, r->mtu, 2);
	put_routes(w, &r->default_route);
	put_ip(w, DHCP4_OPT_BROADCAST, &r->broadcast);
	put(w, DHCP4_OPT_CLIENT_ID, m->client_id.p, m->client_id.len);
	put_text(w, DHCP4_OPT_HOSTNAME, r->hostname);
	if (r->search)
		put_search(w, r->search);
}

static void put_ip_field(struct wr *w, const struct ip *ip)
{
	wr_be32(w, ip_is4(ip) ? ip_to_v4(*ip) : 0);
}

void dhcp4_emit(struct wr *w, const struct dhcp4 *m,
		const struct dhcp4_reply *r, size_t max_bytes)
{
	const uint8_t *start = w->p;
	const size_t fixed = DHCP4_FIXED_BYTES;
	size_t agent = m->agent.len ? m->agent.len + 2 : 0;
	struct wr options;
	size_t len;

	wr_u8(w, BOOTREPLY);
	wr_u8(w, HTYPE_ETHER);
	wr_u8(w, sizeof(m->chaddr));
	wr_u8(w, 0);
	wr_be32(w, m->xid);
	wr_be16(w, 0);
	wr_be16(w, m->flags);
	put_ip_field(w, &r->ciaddr);
	put_ip_field(w, &r->yiaddr);
	wr_zero(w, 4 + 4);				/* siaddr, giaddr */
	wr_bytes(w, m->chaddr.b, sizeof(m->chaddr));
	wr_zero(w, CHADDR_BYTES - sizeof(m->chaddr) + SNAME_BYTES +
		   FILE_BYTES);
	wr_be32(w, MAGIC_COOKIE);
	if (max_bytes > w->left + fixed)
		max_bytes = w->left + fixed;
	if (w->bad || max_bytes < fixed + 1) {
		wr_room(w, SIZE_MAX);
		return;
	}
	/*
	 * The agent's option is the last one, and no reason to answer without
	 * any other (RFC 3046 section 2.1).
	 */
	if (max_bytes < fixed + OWN_OPTIONS_BYTES + agent + 1)
		agent = 0;
	options = wr(w->p, max_bytes - fixed - agent - 1);
	put_options(&options, m, r);
	wr_room(w, (size_t)(options.p - w->p));
	if (agent)
		put(w, DHCP4_OPT_AGENT, m->agent.p, m->agent.len);
	wr_u8(w, DHCP4_OPT_END);
	len = (size_t)(w->p - start);
	if (len < DHCP4_MIN_BYTES)
		wr_zero(w, DHCP4_MIN_BYTES - len);
}
