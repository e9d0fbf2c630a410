/* SPDX-License-Identifier: MIT */
#include "service/dhcp4.h"

static struct ip mask_of(const struct prefix *p)
{
	return ip_from_v4(p->bits ? ~0u << (32 - p->bits) : 0);
}

static struct ip broadcast_of(const struct prefix *p)
{
	return ip_from_v4(ip_to_v4(p->ip) | ~ip_to_v4(mask_of(p)));
}

/* Everything but an address and its lease. */
static struct dhcp4_reply parameters(const struct dhcp4_setup *s,
				     const struct dhcp4 *m)
{
	struct dhcp4_reply r = {
		.type = DHCP4_ACK, .server_id = s->gateway4,
		.mask = mask_of(&s->net4), .router = s->gateway4,
		.dns = s->gateway4, .broadcast = broadcast_of(&s->net4),
		.mtu = s->mtu, .hostname = s->hostname, .search = s->search,
	};

	/* RFC 3442: who asks for routes does not look at the router. */
	if (m->params.len && dhcp4_wants(m, DHCP4_OPT_ROUTES))
		r.default_route = s->gateway4;
	return r;
}

static struct dhcp4_reply lease(const struct dhcp4_setup *s,
				const struct dhcp4 *m, enum dhcp4_type type)
{
	struct dhcp4_reply r = parameters(s, m);

	r.type = type;
	r.yiaddr = s->guest4;
	r.lease_s = DHCP4_LEASE_S;
	r.t1_s = DHCP4_LEASE_S / 2;		/* RFC 2131 section 4.4.5 */
	r.t2_s = DHCP4_LEASE_S / 8 * 7;
	return r;
}

/* RFC 2131 section 4.3.2: the address that the client means to have. */
static struct dhcp4_reply requested(const struct dhcp4_setup *s,
				    const struct dhcp4 *m)
{
	const struct ip *want = ip_is_unspecified(&m->requested) ?
				&m->ciaddr : &m->requested;
	struct dhcp4_reply r = { .type = DHCP4_NAK, .server_id = s->gateway4 };

	if (!ip_equal(want, &s->guest4))
		return r;
	r = lease(s, m, DHCP4_ACK);
	r.ciaddr = m->ciaddr;
	return r;
}

/* RFC 2131 section 4.1: where the answer goes. */
static void address(const struct dhcp4 *m, struct dhcp4_answer *a)
{
	const bool nak = a->reply.type == DHCP4_NAK;

	a->everyone = nak || (m->broadcast && ip_is_unspecified(&m->ciaddr));
	a->dst = a->everyone ? ip_from_v4(~0u) :
		 !ip_is_unspecified(&m->ciaddr) ? m->ciaddr : a->reply.yiaddr;
}

bool dhcp4_answer(const struct dhcp4_setup *s, const struct dhcp4 *m,
		  struct dhcp4_answer *out)
{
	struct dhcp4_answer a = { 0 };

	if (!ip_is_unspecified(&m->giaddr) ||
	    (!ip_is_unspecified(&m->server_id) &&
	     !ip_equal(&m->server_id, &s->gateway4)))
		return false;
	switch (m->type) {
	case DHCP4_DISCOVER:
		a.reply = lease(s, m, m->rapid_commit ? DHCP4_ACK :
							DHCP4_OFFER);
		a.reply.rapid_commit = m->rapid_commit;
		break;
	case DHCP4_REQUEST:
		a.reply = requested(s, m);
		break;
	case DHCP4_INFORM:
		if (ip_is_unspecified(&m->ciaddr))
			return false;
		a.reply = parameters(s, m);
		a.reply.ciaddr = m->ciaddr;
		break;
	case DHCP4_DECLINE: case DHCP4_RELEASE:
	case DHCP4_OFFER: case DHCP4_ACK: case DHCP4_NAK:
		return false;
	}
	address(m, &a);
	*out = a;
	return true;
}
