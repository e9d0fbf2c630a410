/* SPDX-License-Identifier: MIT */
#include "service/dhcp6.h"

static struct dhcp6_reply reply(const struct dhcp6_setup *s,
				enum dhcp6_type type)
{
	return (struct dhcp6_reply){
		.type = type, .server = s->gateway_mac, .addr = s->guest6,
		.preferred_s = DHCP6_PREFERRED_S, .valid_s = DHCP6_VALID_S,
		.dns = s->gateway6, .search = s->search,
		.refresh_s = DHCP6_VALID_S,
	};
}

/* Nothing but a status. */
static struct dhcp6_reply status(const struct dhcp6_setup *s,
				 enum dhcp6_status code)
{
	return (struct dhcp6_reply){
		.type = DHCP6_REPLY, .server = s->gateway_mac,
		.has_status = true, .status = code,
	};
}

/* Are the addresses of an association (NULL: of all) of this link? */
static bool on_link(const struct dhcp6_setup *s, const struct dhcp6 *m,
		    const struct dhcp6_ia *ia)
{
	const unsigned first = ia ? ia->first : 0;
	const unsigned n = ia ? ia->n : m->n_addr;

	for (unsigned i = first; i < first + n; i++)
		if (!prefix_has(&s->net6, &m->addr[i]))
			return false;
	return true;
}

static bool has_guests(const struct dhcp6_setup *s, const struct dhcp6 *m,
		       const struct dhcp6_ia *ia)
{
	for (unsigned i = ia->first; i < ia->first + ia->n; i++)
		if (ip_equal(&m->addr[i], &s->guest6))
			return true;
	return false;
}

/* What may be had: the first IA_NA gets the address (section 18.3.1, .2). */
static void grant_new(const struct dhcp6_setup *s, const struct dhcp6 *m,
		      struct dhcp6_reply *r)
{
	bool taken = false;

	for (unsigned i = 0; i < m->n_ia; i++) {
		const struct dhcp6_ia *ia = &m->ia[i];
		struct dhcp6_grant *g = &r->grant[r->n_grants++];

		*g = (struct dhcp6_grant){ .kind = ia->kind, .id = ia->id };
		if (ia->kind == DHCP6_OPT_IA_PD)
			g->status = DHCP6_NO_PREFIX;
		else if (m->type == DHCP6_REQUEST && !on_link(s, m, ia))
			g->status = DHCP6_NOT_ON_LINK;
		else if (ia->kind != DHCP6_OPT_IA_NA || taken)
			g->status = DHCP6_NO_ADDRS;
		else
			g->has_addr = taken = true;
	}
}

/*
 * What is held on to: the first IA_NA, even if it comes without the address,
 * and any other address is void (sections 18.3.4, 18.3.5).
 */
static void grant_again(const struct dhcp6 *m, struct dhcp6_reply *r)
{
	bool taken = false;

	for (unsigned i = 0; i < m->n_ia; i++) {
		const struct dhcp6_ia *ia = &m->ia[i];
		struct dhcp6_grant *g = &r->grant[r->n_grants++];

		*g = (struct dhcp6_grant){ .kind = ia->kind, .id = ia->id };
		if (ia->kind != DHCP6_OPT_IA_NA || taken) {
			g->status = DHCP6_NO_BINDING;
			continue;
		}
		g->has_addr = taken = true;
		g->first = ia->first;
		g->n = ia->n;
	}
}

/* What is given up, though it stays the guest's (18.3.7, 18.3.8). */
static void grant_nothing(const struct dhcp6_setup *s, const struct dhcp6 *m,
			  struct dhcp6_reply *r)
{
	for (unsigned i = 0; i < m->n_ia; i++) {
		const struct dhcp6_ia *ia = &m->ia[i];

		if (ia->kind == DHCP6_OPT_IA_NA && has_guests(s, m, ia))
			continue;
		r->grant[r->n_grants++] = (struct dhcp6_grant){
			.kind = ia->kind, .id = ia->id,
			.status = DHCP6_NO_BINDING,
		};
	}
}

static bool may_be_unicast(enum dhcp6_type type)
{
	return type == DHCP6_REQUEST || type == DHCP6_RENEW ||
	       type == DHCP6_RELEASE || type == DHCP6_DECLINE;
}

/* For us, and one to answer? */
static bool concerns_us(const struct dhcp6_setup *s, const struct dhcp6 *m,
			bool multicast)
{
	if (m->server_id.p && !dhcp6_is_server(m->server_id, &s->gateway_mac))
		return false;
	/* Section 18.3.3: without an address there is nothing to confirm. */
	if (m->type == DHCP6_CONFIRM && !m->n_addr)
		return false;
	return multicast || may_be_unicast(m->type);
}

bool dhcp6_answer(const struct dhcp6_setup *s, const struct dhcp6 *m,
		  bool multicast, struct dhcp6_reply *out)
{
	struct dhcp6_reply r = reply(s, DHCP6_REPLY);

	if (!concerns_us(s, m, multicast))
		return false;
	if (!multicast) {
		*out = status(s, DHCP6_USE_MULTICAST);
		return true;
	}
	switch (m->type) {
	case DHCP6_SOLICIT:
		r.rapid_commit = m->rapid_commit;
		r.type = m->rapid_commit ? DHCP6_REPLY : DHCP6_ADVERTISE;
		grant_new(s, m, &r);
		break;
	case DHCP6_REQUEST:
		grant_new(s, m, &r);
		break;
	case DHCP6_RENEW: case DHCP6_REBIND:
		grant_again(m, &r);
		break;
	case DHCP6_CONFIRM:
		r = status(s, on_link(s, m, NULL) ? DHCP6_SUCCESS :
						    DHCP6_NOT_ON_LINK);
		break;
	case DHCP6_RELEASE: case DHCP6_DECLINE:
		r = status(s, DHCP6_SUCCESS);
		grant_nothing(s, m, &r);
		break;
	case DHCP6_INFORMATION:
		break;
	case DHCP6_ADVERTISE: case DHCP6_REPLY: case DHCP6_RECONFIGURE:
		return false;
	}
	*out = r;
	return true;
}
