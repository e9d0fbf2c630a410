/* SPDX-License-Identifier: MIT */
#include "config/config.h"

#include <string.h>

void config_defaults(struct config *c)
{
	memset(c, 0, sizeof(*c));
	c->mtu_auto = true;
	c->mtu = CONFIG_MTU_USUAL;
	c->ipv6 = true;
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

/* The guest's address must be one that a guest of the subnet can have. */
static int check_address(const struct config *c, struct fail *fail)
{
	const uint32_t net = ip_to_v4(c->subnet.ip);
	const uint32_t host = 0xffffffffu >> c->subnet.bits;
	const uint32_t own = ip_to_v4(c->address);
	char a[IP_TEXT_BYTES], n[IP_TEXT_BYTES];

	ip_format(&c->address, a);
	ip_format(&c->subnet.ip, n);
	if (!prefix_has(&c->subnet, &c->address))
		return fail_set(fail, "address %s: not in the subnet %s/%u; "
				"set both so that they agree", a, n,
				c->subnet.bits);
	if (own == net || own == (net | host))
		return fail_set(fail, "address %s: the subnet's own network "
				"or broadcast address; take another", a);
	if (own == net + 1)
		return fail_set(fail, "address %s: the gateway's; "
				"take another", a);
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
	if (c->has_subnet && c->has_address && check_address(c, fail) < 0)
		return -1;
	return check_publish(c, fail);
}
