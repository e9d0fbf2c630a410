/* SPDX-License-Identifier: MIT */
/*
 * network/guests.c - guests come and go, and what each calls its own
 *
 * Which address and MAC is whose, proto/guests.h says. Here a guest has its
 * names besides, and whoever takes what is another's is told of once.
 */
#include <string.h>

#include "network/state.h"

/* A machine that has its own way with IPv6 has no address until one is
   heard; a name must not stand for one that nobody has. */
static void name_ip6(struct network *net, unsigned id, const struct ip *ip)
{
	struct member *m = &net->members[id];

	m->named6 = *ip;
	dns_set_guest(net->dns, id, &(struct dns_guest){
		.name = m->name, .ip4 = m->ip4, .ip6 = *ip,
	});
}

static void name_anew(struct network *net, unsigned id)
{
	const struct member *m = &net->members[id];
	const struct ip none = { .b = { 0 } };

	name_ip6(net, id, m->own_ip6 ? &none : &m->ip6);
}

static int add(struct network *net, const struct network_guest_setup *s)
{
	const struct guests_new what = {
		.link = s->link, .mac = s->mac, .fixed = !s->learn_mac,
		.ip4 = s->ip4, .ip6 = s->ip6,
	};
	const int id = guests_add(&net->p.guests, &what);
	struct member *m;

	if (id < 0)
		return id;
	m = &net->members[id];
	*m = (struct member){ .ip4 = s->ip4, .ip6 = s->ip6,
			      .own_ip6 = s->own_ip6 };
	memcpy(m->name, s->name, sizeof(m->name) - 1);
	memcpy(m->rule_name, s->rule_name, sizeof(m->rule_name) - 1);
	name_anew(net, (unsigned)id);
	return id;
}

void network_first_guest(struct network *net)
{
	const struct network_setup *s = &net->setup;
	struct network_guest_setup first = {
		.mac = s->guest_mac, .learn_mac = s->learn_mac,
		.ip4 = s->guest4, .own_ip6 = s->own_ip6,
	};

	if (s->v6)
		first.ip6 = s->guest6;
	memcpy(first.name, s->guest_name, sizeof(first.name));
	ASSERT(add(net, &first) == 0);
}

/* ---- more of them ---- */

/* An address that a guest may be given; it is of the family, or none. */
static bool is_ours_to_give(const struct network *net, const struct ip *ip,
			    bool v4)
{
	const struct prefix *of = v4 ? &net->p.net4 : &net->p.net6;

	if (ip_is_unspecified(ip))
		return !v4;
	return ip_is4(ip) == v4 && prefix_has(of, ip) &&
	       !ip_equal(ip, proto_gateway(&net->p, ip));
}

static bool is_named(const struct network *net, const char *name)
{
	for (unsigned i = 0; name[0] && i < NETWORK_GUESTS_MAX; i++)
		if (net->p.guests.at[i].used &&
		    !memcmp(net->members[i].name, name,
			    sizeof(net->members[i].name)))
			return true;
	return false;
}

int network_guest_add(struct network *net,
		      const struct network_guest_setup *setup,
		      uint64_t now_ns)
{
	struct network_guest_setup s = *setup;
	size_t n = 0;
	int id;

	net->p.now_ns = now_ns;
	/* So that names can be compared as bytes. */
	while (n < sizeof(s.name) - 1 && s.name[n])
		n++;
	memset(s.name + n, 0, sizeof(s.name) - n);
	if (!is_ours_to_give(net, &s.ip4, true) ||
	    !is_ours_to_give(net, &s.ip6, false) || is_named(net, s.name))
		return -ENV_OTHER;
	id = add(net, &s);
	if (id == GUESTS_NOBODY)
		return -ENV_LIMIT;
	return id < 0 ? -ENV_OTHER : id;
}

/* Whatever is under way with it. */
static void end_flows(struct network *net, unsigned id)
{
	struct flow_table *t = &net->p.flows;
	uint32_t slot = 0;

	for (struct flow *f; (f = flow_next(t, &slot)); slot++)
		if (f->owner == id ||
		    guests_find(&net->p.guests, &f->key.peer_ip) == (int)id)
			guard_end_flow(net, f);
}

void network_guest_remove(struct network *net, unsigned id, uint64_t now_ns)
{
	net->p.now_ns = now_ns;
	ASSERT(id && id < NETWORK_GUESTS_MAX && net->p.guests.at[id].used);
	udp_turn_end(&net->p);
	end_flows(net, id);
	openings_forget(&net->openings, id);
	dns_set_guest(net->dns, id, &(struct dns_guest){ .name = NULL });
	guests_remove(&net->p.guests, id);
	net->members[id] = (struct member){ .told = false };
}

static void tell(const struct network *net, unsigned id,
		 struct network_guest *out)
{
	const struct guest *of = &net->p.guests.at[id];
	const struct member *m = &net->members[id];

	*out = (struct network_guest){
		.id = (uint8_t)id, .link = of->link, .up = of->up,
		.mac = of->mac, .ip4 = m->ip4, .ip6 = m->named6,
		.frames_from = of->frames_from, .frames_to = of->frames_to,
		.bytes_from = of->bytes_from, .bytes_to = of->bytes_to,
	};
	memcpy(out->name, m->name, sizeof(out->name));
}

bool network_guest_at(const struct network *net, const struct ip *ip,
		      struct network_guest *out)
{
	const int id = guests_to(&net->p.guests, ip);

	if (id < 0)
		return false;
	tell(net, (unsigned)id, out);
	return true;
}

unsigned network_guests(const struct network *net, unsigned *id,
			struct network_guest *out, unsigned n)
{
	unsigned found = 0;

	for (; *id < NETWORK_GUESTS_MAX && found < n; ++*id)
		if (net->p.guests.at[*id].used)
			tell(net, *id, &out[found++]);
	return found;
}

/* ---- links ---- */

void network_link_down(struct network *net, unsigned link)
{
	ASSERT(link < NETWORK_LINKS_MAX);
	guests_link_down(&net->p.guests, link);
}

void network_rejoined(struct network *net, unsigned link)
{
	unsigned own;

	ASSERT(link < NETWORK_LINKS_MAX);
	own = net->p.guests.links[link].own;
	if (own < NETWORK_GUESTS_MAX && net->members[own].own_ip6)
		name_anew(net, own);
}

/* ---- what they say ---- */

bool network_is_guests(const struct network *net, const struct ip *ip)
{
	if (net->p.guests.n > 1 || ip_is4(ip))
		return guests_find(&net->p.guests, ip) >= 0 &&
		       !ip_is_link_local(ip);
	/* It takes more by itself, which may not have been heard yet. */
	return prefix_has(&net->setup.net6, ip) &&
	       !ip_equal(ip, &net->setup.gateway6);
}

/* Once for each that has it taken: whoever does can go on for ever. */
static void tell_theft(struct network *net, unsigned victim, const char *text)
{
	const struct log_sink *log = &net->p.env.log;

	if (!net->members[victim].told && log->write)
		log->write(log->ctx, LOG_WARN, text);
	net->members[victim].told = true;
}

int network_hear(struct network *net, unsigned link, const struct mac *mac)
{
	unsigned victim = 0;
	const int id = guests_hear(&net->p.guests, link, mac, &victim);

	if (id == GUESTS_THIEF)
		tell_theft(net, victim, "a guest sends frames from the MAC of "
			   "another guest, on another link; they are dropped "
			   "(SOURCE in `status`): give each a MAC of its own");
	return id < 0 ? GUESTS_NOBODY : id;
}

/*
 * A machine without a client of DHCPv6 has a stateless address and not the
 * one that was meant for it. So the name stands for what was heard, and
 * `status` shows that: the one that was meant if it is in use, else the first
 * one, as temporary ones come later.
 */
static void hear_ip6(struct network *net, unsigned id, const struct ip *ip)
{
	const struct member *m = &net->members[id];

	if (m->own_ip6 && prefix_has(&net->p.net6, ip) &&
	    !ip_equal(ip, &m->named6) &&
	    (ip_is_unspecified(&m->named6) || ip_equal(ip, &m->ip6)))
		name_ip6(net, id, ip);
}

bool network_heard(struct network *net, const struct arrival *from,
		   const struct ip *ip)
{
	const bool takes = ip_is_link_local(ip) ?
			   !ip_equal(ip, &net->autoconf.own) :
			   prefix_has(&net->p.net6, ip) &&
			   !ip_equal(ip, &net->p.gateway6);
	int other;

	if (!guests_heard(&net->p.guests, from->guest, ip, &from->mac,
			  takes)) {
		other = guests_find(&net->p.guests, ip);
		if (other >= 0 && other != (int)from->guest)
			tell_theft(net, (unsigned)other, "a guest sends "
				   "packets from the address of another guest; "
				   "they are dropped (SOURCE in `status`): "
				   "have each use the address that DHCP gives it");
		return false;
	}
	if (!ip_is4(ip))
		hear_ip6(net, from->guest, ip);
	return true;
}
