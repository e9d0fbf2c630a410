/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <string.h>

#include "config/value.h"

void config_defaults(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->mtu_auto = true;
	c->mtu = CONFIG_MTU_USUAL;
	c->ipv6 = true;
	c->agent = true;
	c->generate_hosts = true;
	c->generate_resolv_conf = true;
	c->auto_proxy = true;
	c->ready_fd = -1;
	c->firewall = true;
	c->log_blocked = true;
	c->log_bytes = CONFIG_LOG_BYTES;
}

void config_fini(struct config *c)
{
	ruleset_fini(&c->rules);
	ruleset_fini(&c->allow);
}

void config_begin(struct config *c)
{
	c->says_access = c->says_localhost = c->says_allow = false;
}

void config_end(struct config *c)
{
	if (c->says_allow && !c->says_access)
		c->host_access = CONFIG_ACCESS_OFF;
	if (c->says_allow && !c->says_localhost)
		c->localhost = LOCALHOST_OFF;
}

const struct config_guest *config_guest(const struct config *c,
					const char *name)
{
	for (unsigned i = 0; i < c->n_guests; i++)
		if (!strcmp(c->guests[i].name, name))
			return &c->guests[i];
	return NULL;
}

const char *config_enter_guest(struct config *c, const char *name)
{
	const struct config_guest *there = config_guest(c, name);

	if (!value_is_name(name))
		return "not a name";
	if (there) {
		c->guest_now = (unsigned)(there - c->guests);
		return NULL;
	}
	if (c->n_guests == CONFIG_GUESTS_MAX)
		return "more than 63 guests";
	c->guest_now = c->n_guests++;
	c->guests[c->guest_now] = (struct config_guest){ 0 };
	strcpy(c->guests[c->guest_now].name, name);
	return NULL;
}

int config_check_address(const struct prefix *subnet,
			 const struct ip *address, const char *what,
			 struct fail *fail)
{
	const uint32_t net = ip_to_v4(subnet->ip);
	const uint32_t host = 0xffffffffu >> subnet->bits;
	const uint32_t own = ip_to_v4(*address);
	char a[IP_TEXT_BYTES], n[IP_TEXT_BYTES];

	ip_format(address, a);
	ip_format(&subnet->ip, n);
	if (!prefix_has(subnet, address))
		return fail_set(fail, "%saddress %s: not in the subnet %s/%u; "
				"set both so that they agree", what, a, n,
				subnet->bits);
	if (own == net || own == (net | host))
		return fail_set(fail, "%saddress %s: the subnet's own network "
				"or broadcast address; take another", what, a);
	if (own == net + 1)
		return fail_set(fail, "%saddress %s: the gateway's; "
				"take another", what, a);
	return 0;
}

/* What one guest has, no other may; NULL, or what it is. */
static const char *same_of(const struct config_guest *a, bool has_address,
			   const struct ip *address, bool has_mac,
			   const struct mac *mac)
{
	if (a->has_address && has_address && ip_equal(&a->address, address))
		return "address";
	if (a->has_mac && has_mac && mac_equal(&a->mac, mac))
		return "macAddress";
	return NULL;
}

static int check_guests(const struct config *c, struct fail *fail)
{
	for (unsigned i = 0; i < c->n_guests; i++) {
		const struct config_guest *g = &c->guests[i];
		const char *with = "the network's own guest";
		const char *what = same_of(g, c->has_address, &c->address,
					   c->has_mac, &c->mac);

		for (unsigned j = 0; j < i && !what; j++) {
			const struct config_guest *o = &c->guests[j];

			what = same_of(g, o->has_address, &o->address,
				       o->has_mac, &o->mac);
			with = o->name;
		}
		if (what)
			return fail_set(fail, "[guest %s]: its %s is that of "
					"%s; give each its own", g->name, what,
					with);
	}
	return 0;
}

/* A port of the host leads to one place. */
static int check_publish(const struct config *c, struct fail *fail)
{
	for (unsigned i = 0; i < c->n_publish; i++)
		for (unsigned j = 0; j < i; j++)
			if (publish_overlap(&c->publish[j], &c->publish[i]))
				return fail_set(fail, "publish %s: %s has "
						"that port already; publish "
						"it once", c->publish[i].text,
						c->publish[j].text);
	return 0;
}

int config_check(const struct config *c, struct fail *fail)
{
	if (c->ipv6 && c->mtu < CONFIG_MTU_MIN_V6)
		return fail_set(fail, "mtu %u: IPv6 needs at least %u; "
				"give that, or --no-ipv6", c->mtu,
				CONFIG_MTU_MIN_V6);
	if (c->has_subnet && c->has_address &&
	    config_check_address(&c->subnet, &c->address, "", fail) < 0)
		return -1;
	if (check_guests(c, fail) < 0)
		return -1;
	return check_publish(c, fail);
}
