/* SPDX-License-Identifier: MIT */
#include "wire/dhcp6.h"

#include <string.h>

#include "base/rd.h"
#include "wire/domains.h"

enum {
	DUID_LL = 3, HTYPE_ETHER = 1, DUID_LL_BYTES = 10,
	DUID_LEAST = 3,			/* a type and something */
	IA_ADDR_BYTES = 24, STATUS_BYTES = 2,
	SEARCH_MAX = 256,
	BEST_PREFERENCE = 255,		/* nobody else is waited for */
};

/* ---- from the client ---- */

static enum drop take_duid(const struct rd *v, struct view *out)
{
	if (out->p)
		return DROP_VALUE;
	if (v->left < DUID_LEAST || v->left > DHCP6_DUID_MAX)
		return DROP_LENGTH;
	*out = (struct view){ .p = v->p, .len = v->left };
	return DROP_OK;
}

static enum drop take_oro(struct rd v, struct dhcp6 *m)
{
	if (v.left % 2)
		return DROP_LENGTH;
	m->has_oro = true;
	while (v.left) {
		const uint16_t code = rd_be16(&v);

		m->wants_dns |= code == DHCP6_OPT_DNS;
		m->wants_search |= code == DHCP6_OPT_SEARCH;
		m->wants_refresh |= code == DHCP6_OPT_REFRESH;
	}
	return DROP_OK;
}

static enum drop take_addr(struct rd v, struct dhcp6 *m, struct dhcp6_ia *ia)
{
	struct ip *at = &m->addr[m->n_addr];
	const uint8_t *p = rd_bytes(&v, sizeof(at->b));

	rd_bytes(&v, IA_ADDR_BYTES - sizeof(at->b));
	if (v.bad)
		return DROP_LENGTH;
	if (m->n_addr == DHCP6_ADDRS_MAX)
		return DROP_LIMIT;
	memcpy(at->b, p, sizeof(at->b));
	if (ip_is4(at))
		return DROP_VALUE;
	m->n_addr++;
	ia->n++;
	return DROP_OK;
}

static enum drop take_ia(uint16_t kind, struct rd v, struct dhcp6 *m)
{
	struct dhcp6_ia ia = { .kind = kind, .first = (uint8_t)m->n_addr };
	enum drop drop = DROP_OK;

	ia.id = rd_be32(&v);
	if (kind != DHCP6_OPT_IA_TA)
		rd_bytes(&v, 8);		/* T1 and T2: ours to say */
	if (v.bad)
		return DROP_LENGTH;
	while (v.left && drop == DROP_OK) {
		const uint16_t code = rd_be16(&v);
		const struct rd value = rd_cut(&v, rd_be16(&v));

		if (v.bad)
			return DROP_SHORT;
		if (code == DHCP6_OPT_IA_ADDR && kind != DHCP6_OPT_IA_PD)
			drop = take_addr(value, m, &ia);
	}
	if (drop != DROP_OK)
		return drop;
	if (m->n_ia == DHCP6_IAS_MAX)
		return DROP_LIMIT;
	m->ia[m->n_ia++] = ia;
	return DROP_OK;
}

static enum drop take_option(uint16_t code, struct rd v, struct dhcp6 *m)
{
	switch (code) {
	case DHCP6_OPT_CLIENT_ID:
		return take_duid(&v, &m->client_id);
	case DHCP6_OPT_SERVER_ID:
		return take_duid(&v, &m->server_id);
	case DHCP6_OPT_IA_NA: case DHCP6_OPT_IA_TA: case DHCP6_OPT_IA_PD:
		return take_ia(code, v, m);
	case DHCP6_OPT_ORO:
		return take_oro(v, m);
	case DHCP6_OPT_RAPID_COMMIT:
		m->rapid_commit = true;
		return v.left ? DROP_LENGTH : DROP_OK;
	default:
		return DROP_OK;
	}
}

/* RFC 8415 section 16: which message names whom. */
static enum drop check_names(const struct dhcp6 *m)
{
	bool client = true, server = false;

	switch (m->type) {
	case DHCP6_SOLICIT: case DHCP6_CONFIRM: case DHCP6_REBIND:
		break;
	case DHCP6_REQUEST: case DHCP6_RENEW:
	case DHCP6_RELEASE: case DHCP6_DECLINE:
		server = true;
		break;
	case DHCP6_INFORMATION:
		/* Either may be there or not, but no association. */
		return m->n_ia ? DROP_VALUE : DROP_OK;
	case DHCP6_ADVERTISE: case DHCP6_REPLY: case DHCP6_RECONFIGURE:
		return DROP_NOTOURS;
	}
	return client == !!m->client_id.p && server == !!m->server_id.p ?
	       DROP_OK : DROP_VALUE;
}

enum drop dhcp6_parse(struct view msg, struct dhcp6 *out)
{
	struct rd r = rd(msg.p, msg.len);
	const uint32_t head = rd_be32(&r);
	struct dhcp6 m = { .xid = head & 0xffffff };
	enum drop drop;

	if (r.bad)
		return DROP_SHORT;
	if (head >> 24 < DHCP6_SOLICIT || head >> 24 > DHCP6_INFORMATION)
		return DROP_NOTOURS;
	m.type = (enum dhcp6_type)(head >> 24);
	while (r.left) {
		const uint16_t code = rd_be16(&r);
		const struct rd v = rd_cut(&r, rd_be16(&r));

		if (r.bad)
			return DROP_SHORT;
		drop = take_option(code, v, &m);
		if (drop != DROP_OK)
			return drop;
	}
	drop = check_names(&m);
	if (drop == DROP_OK)
		*out = m;
	return drop;
}

/* ---- to the client ---- */

static void put_duid(struct wr *w, const struct mac *server)
{
	wr_be16(w, DUID_LL);
	wr_be16(w, HTYPE_ETHER);
	wr_bytes(w, server->b, sizeof(server->b));
}

bool dhcp6_is_server(struct view duid, const struct mac *server)
{
	uint8_t own[DUID_LL_BYTES];
	struct wr w = wr(own, sizeof(own));

	put_duid(&w, server);
	return duid.len == sizeof(own) && !memcmp(duid.p, own, sizeof(own));
}

static void put_option(struct wr *w, uint16_t code, size_t len)
{
	wr_be16(w, code);
	wr_be16(w, (uint16_t)len);
}

static void put_status(struct wr *w, enum dhcp6_status status)
{
	put_option(w, DHCP6_OPT_STATUS, STATUS_BYTES);
	wr_be16(w, (uint16_t)status);
}

static void put_addr(struct wr *w, const struct ip *ip, uint32_t preferred_s,
		     uint32_t valid_s)
{
	put_option(w, DHCP6_OPT_IA_ADDR, IA_ADDR_BYTES);
	wr_bytes(w, ip->b, sizeof(ip->b));
	wr_be32(w, preferred_s);
	wr_be32(w, valid_s);
}

static void put_grant(struct wr *w, const struct dhcp6 *m,
		      const struct dhcp6_reply *r, const struct dhcp6_grant *g)
{
	struct wr length;
	uint8_t *start;

	wr_be16(w, g->kind);
	length = *w;
	wr_be16(w, 0);
	start = w->p;
	wr_be32(w, g->id);
	if (g->kind != DHCP6_OPT_IA_TA) {
		/* RFC 8415 section 21.4: 0.5 and 0.8 times the preferred */
		wr_be32(w, g->has_addr ? r->preferred_s / 2 : 0);
		wr_be32(w, g->has_addr ? r->preferred_s / 10 * 8 : 0);
	}
	if (g->has_addr)
		put_addr(w, &r->addr, r->preferred_s, r->valid_s);
	for (unsigned i = g->first; i < g->first + g->n; i++)
		if (!g->has_addr || !ip_equal(&m->addr[i], &r->addr))
			put_addr(w, &m->addr[i], 0, 0);
	if (g->status != DHCP6_SUCCESS)
		put_status(w, g->status);
	wr_be16(&length, (uint16_t)(w->p - start));
}

/* The names behind a length that is known once they are written. */
static void put_search(struct wr *w, const char *search)
{
	uint8_t names[SEARCH_MAX];
	struct wr n = wr(names, sizeof(names));

	domains_emit(&n, search, sizeof(names));
	if (n.p == names)
		return;
	put_option(w, DHCP6_OPT_SEARCH, (size_t)(n.p - names));
	wr_bytes(w, names, (size_t)(n.p - names));
}

/* What it asks for; who asks for nothing in particular gets it all. */
static void put_parameters(struct wr *w, const struct dhcp6 *m,
			   const struct dhcp6_reply *r)
{
	if (!ip_is_unspecified(&r->dns) && (!m->has_oro || m->wants_dns)) {
		put_option(w, DHCP6_OPT_DNS, sizeof(r->dns.b));
		wr_bytes(w, r->dns.b, sizeof(r->dns.b));
	}
	if (r->search && (!m->has_oro || m->wants_search))
		put_search(w, r->search);
	if (r->refresh_s && m->wants_refresh) {
		put_option(w, DHCP6_OPT_REFRESH, 4);
		wr_be32(w, r->refresh_s);
	}
}

void dhcp6_emit(struct wr *w, const struct dhcp6 *m,
		const struct dhcp6_reply *r)
{
	wr_be32(w, (uint32_t)r->type << 24 | m->xid);
	if (m->client_id.p) {
		put_option(w, DHCP6_OPT_CLIENT_ID, m->client_id.len);
		wr_bytes(w, m->client_id.p, m->client_id.len);
	}
	put_option(w, DHCP6_OPT_SERVER_ID, DUID_LL_BYTES);
	put_duid(w, &r->server);
	if (r->type == DHCP6_ADVERTISE) {
		put_option(w, DHCP6_OPT_PREFERENCE, 1);
		wr_u8(w, BEST_PREFERENCE);
	}
	if (r->rapid_commit)
		put_option(w, DHCP6_OPT_RAPID_COMMIT, 0);
	if (r->has_status)
		put_status(w, r->status);
	for (unsigned i = 0; i < r->n_grants; i++)
		put_grant(w, m, r, &r->grant[i]);
	put_parameters(w, m, r);
}
