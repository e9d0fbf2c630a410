/* SPDX-License-Identifier: MIT */
#include "keeper/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "keeper/process.h"
#include "keeper/state.h"
#include "linux/channel.h"

#define FIRST_HOST	3u		/* 1: the gateway, 2: the first guest */
#define HOSTS_LOOKED_AT	1024u		/* more than may be taken */

static uint32_t host_mask(const struct plan *plan)
{
	return 0xffffffffu >> plan->net4.bits;
}

/* One that a guest of the network can have; not the gateway's. */
static bool is_host(const struct plan *plan, const struct ip *ip4)
{
	const uint32_t host = ip_to_v4(*ip4) & host_mask(plan);

	return ip_is4(ip4) && prefix_has(&plan->net4, ip4) && host > 1 &&
	       host != host_mask(plan);
}

struct ip roster_ip6(const struct plan *plan, const struct ip *ip4)
{
	const uint32_t host = ip_to_v4(*ip4) & host_mask(plan);
	struct ip ip = plan->net6.ip;

	for (unsigned i = 0; i < 4; i++)
		ip.b[12 + i] = (uint8_t)(host >> (24 - 8 * i));
	return ip;
}

/* Is it another guest's now? Of IPv6 it is asked, too. */
static bool is_used(const struct roster *g, const struct plan *plan,
		    const char *name, const struct ip *ip4)
{
	const struct ip ip6 = roster_ip6(plan, ip4);

	if (ip_equal(ip4, &plan->guest4) || ip_equal(&ip6, &plan->guest6))
		return true;
	for (unsigned i = 1; i < NETWORK_GUESTS_MAX; i++)
		if (g->at[i].used && strcmp(g->at[i].name, name) &&
		    ip_equal(&g->at[i].ip4, ip4))
			return true;
	return false;
}

/* Or promised to another name, by a section or by what is kept? */
static bool is_promised(const struct roster *g, const struct config *c,
			const char *name, const struct ip *ip4)
{
	for (unsigned i = 0; i < c->n_guests; i++)
		if (c->guests[i].has_address &&
		    strcmp(c->guests[i].name, name) &&
		    ip_equal(&c->guests[i].address, ip4))
			return true;
	for (unsigned i = 0; i < g->n_kept; i++)
		if (strcmp(g->kept[i].name, name) &&
		    ip_equal(&g->kept[i].ip4, ip4))
			return true;
	return false;
}

static const struct roster_kept *kept_of(const struct roster *g,
					const char *name)
{
	for (unsigned i = 0; i < g->n_kept; i++)
		if (!strcmp(g->kept[i].name, name))
			return &g->kept[i];
	return NULL;
}

bool roster_address(const struct roster *g, const struct plan *plan,
		    const struct config *c, const char *name, struct ip *out)
{
	const struct config_guest *section = config_guest(c, name);
	const struct roster_kept *kept = kept_of(g, name);

	if (section && section->has_address) {
		*out = section->address;
		return is_host(plan, out) && !is_used(g, plan, name, out);
	}
	if (kept && is_host(plan, &kept->ip4) &&
	    !is_used(g, plan, name, &kept->ip4)) {
		*out = kept->ip4;
		return true;
	}
	for (uint32_t n = 0; n < HOSTS_LOOKED_AT; n++) {
		*out = ip_from_v4(ip_to_v4(plan->net4.ip) + FIRST_HOST + n);
		if (!is_host(plan, out))
			return false;
		if (!is_used(g, plan, name, out) &&
		    !is_promised(g, c, name, out))
			return true;
	}
	return false;
}

void roster_parse(const char *text, struct roster *g)
{
	g->n_kept = 0;
	while (*text && g->n_kept < ROSTER_KEPT_MAX) {
		const size_t line = strcspn(text, "\n");
		struct roster_kept *k = &g->kept[g->n_kept];
		char address[IP_TEXT_BYTES];

		if (sscanf(text, "%32[a-z0-9._-] = %45[0-9.]", k->name,
			   address) == 2 &&
		    ip_parse(address, &k->ip4) && ip_is4(&k->ip4) &&
		    !kept_of(g, k->name))
			g->n_kept++;
		text += line + (text[line] == '\n');
	}
}

static void save(struct keeper *k)
{
	const struct roster *g = &k->roster;
	char *text = NULL, ip[IP_TEXT_BYTES];
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int rc = -1;

	if (!f)
		return;
	fputs("# Addresses of this network's guests, by their names.\n", f);
	for (unsigned i = 0; i < g->n_kept; i++)
		fprintf(f, "%s = %s\n", g->kept[i].name,
			ip_format(&g->kept[i].ip4, ip));
	if (fclose(f) == 0)
		rc = state_save_guests(k->in.name, text);
	if (rc < 0)
		log_print(&k->in.log, LOG_WARN, "the addresses of guests are "
			  "not kept for the next time: %s", strerror(-rc));
	free(text);
}

static bool runs(const struct roster *g, const char *name)
{
	for (unsigned i = 1; i < NETWORK_GUESTS_MAX; i++)
		if (g->at[i].used && !strcmp(g->at[i].name, name))
			return true;
	return false;
}

/* The oldest of those that nobody bears. There are more than guests. */
static void forget_one(struct roster *g)
{
	for (unsigned i = 0; i < g->n_kept; i++) {
		if (runs(g, g->kept[i].name))
			continue;
		g->n_kept--;
		memmove(g->kept + i, g->kept + i + 1,
			sizeof(g->kept[0]) * (g->n_kept - i));
		return;
	}
}

/* From now on the address is that name's. */
static void keep(struct keeper *k, const char *name, const struct ip *ip4)
{
	struct roster *g = &k->roster;
	const struct roster_kept *there = kept_of(g, name);

	if (there && ip_equal(&there->ip4, ip4))
		return;
	if (there)
		g->kept[there - g->kept].ip4 = *ip4;
	if (!there && g->n_kept == ROSTER_KEPT_MAX)
		forget_one(g);
	if (!there) {
		g->kept[g->n_kept].ip4 = *ip4;
		strcpy(g->kept[g->n_kept++].name, name);
	}
	save(k);
}

static void tell(struct keeper *k, unsigned at)
{
	const struct roster_guest *g = &k->roster.at[at];
	struct msg_guest m = {
		.kind = MSG_GUEST_ADD, .at = at, .link = g->link,
		.learn_mac = g->learn_mac, .own_ip6 = k->machine && !g->client,
		.mac = g->mac, .ip4 = g->ip4, .ip6 = g->ip6,
	};

	strcpy(m.name, g->hostname);
	strcpy(m.rule_name, g->name);
	if (channel_send(k->engine_ch, &m, sizeof(m), NULL, 0) < 0)
		log_print(&k->in.log, LOG_ERROR, "the engine does not take "
			  "the guest %s", g->name);
}

static void dns_name(const char *name, char out[CONFIG_HOSTNAME_BYTES])
{
	snprintf(out, CONFIG_HOSTNAME_BYTES, "%s", name);
}

/* Known by the same MAC, or found by the same name? */
static bool is_same(const struct roster_guest *a, const char *hostname,
		    const struct mac *mac, bool learn_mac)
{
	return !strcasecmp(a->hostname, hostname) ||
	       (!learn_mac && !a->learn_mac && mac_equal(&a->mac, mac));
}

/*
 * A guest of which the engine would not have two: by its DNS name, or by the
 * MAC that it is known by.
 */
static int check_alone(const struct keeper *k, const struct roster_guest *g,
		       struct fail *fail)
{
	const struct config *c = k->in.config;
	const char *other = NULL;

	if (is_same(g, c->hostname[0] ? c->hostname : k->in.name,
		    &k->in.plan.guest_mac, k->machine && !c->has_mac))
		other = k->in.name;

	for (unsigned i = 1; i < NETWORK_GUESTS_MAX && !other; i++) {
		const struct roster_guest *at = &k->roster.at[i];

		if (at->used && is_same(g, at->hostname, &at->mac,
					at->learn_mac))
			other = at->name;
	}
	if (mac_equal(&g->mac, &k->in.gateway_mac))
		other = "the gateway";
	return other ? fail_set(fail, "guest %s: the DNS name %s or the MAC "
				"that it would have is %s's; give another by "
				"--name, or hostname and macAddress in its "
				"section", g->name, g->hostname, other) : 0;
}

int roster_add(struct keeper *k, const char *name, uint8_t link,
	       bool learn_mac, struct fail *fail)
{
	const struct config_guest *section = config_guest(k->in.config, name);
	struct roster_guest *g = NULL, new = { .used = false };
	struct ip ip4;
	unsigned at = 1;

	while (at < NETWORK_GUESTS_MAX && k->roster.at[at].used)
		at++;
	if (at == NETWORK_GUESTS_MAX)
		return fail_set(fail, "guest %s: %s has %u guests, which is "
				"all that a network may have", name,
				k->in.name, NETWORK_GUESTS_MAX);
	if (!roster_address(&k->roster, &k->in.plan, k->in.config, name,
			    &ip4))
		return fail_set(fail, "guest %s: no address of the subnet is "
				"free for it, or another guest has its own; "
				"give it one, or a larger --subnet", name);
	g = &k->roster.at[at];
	new = (struct roster_guest){
		.used = true, .link = link, .learn_mac = learn_mac,
		.mac = section && section->has_mac ? section->mac :
						     plan_guest_mac(name),
		.ip4 = ip4, .ip6 = roster_ip6(&k->in.plan, &ip4),
		.until_ns = NEVER, .tap_fd = -1,
	};
	strcpy(new.name, name);
	dns_name(section && section->hostname[0] ? section->hostname : name,
		 new.hostname);
	if (check_alone(k, &new, fail) < 0)
		return -1;
	*g = new;
	if (!section || !section->has_address)
		keep(k, name, &ip4);
	tell(k, at);
	return (int)at;
}

void roster_remove(struct keeper *k, unsigned at)
{
	struct msg_guest m = { .kind = MSG_GUEST_DEL, .at = at };

	k->roster.at[at].used = false;
	if (channel_send(k->engine_ch, &m, sizeof(m), NULL, 0) < 0)
		log_write(&k->in.log, LOG_ERROR,
			  "the engine does not hear that a guest has gone");
}

int roster_find(const struct keeper *k, const char *name)
{
	if (!strcmp(k->in.name, name))
		return 0;
	for (unsigned i = 1; i < NETWORK_GUESTS_MAX; i++)
		if (k->roster.at[i].used &&
		    !strcmp(k->roster.at[i].name, name))
			return (int)i;
	return -1;
}

const char *roster_name_of(const struct keeper *k, const struct ip *ip)
{
	const struct roster *r = &k->roster;

	if (ip_equal(ip, &k->in.plan.guest4) ||
	    ip_equal(ip, &k->in.plan.guest6))
		return k->in.name;
	for (unsigned i = 1; i < NETWORK_GUESTS_MAX; i++)
		if (r->at[i].used && (ip_equal(ip, &r->at[i].ip4) ||
				      ip_equal(ip, &r->at[i].ip6)))
			return r->at[i].name;
	/* One that it has made itself. */
	for (unsigned i = 0; i < r->n_now; i++)
		if (ip_equal(ip, &r->now[i].ip6))
			return r->now[i].id ? r->at[r->now[i].id].name :
					      k->in.name;
	return NULL;
}

bool roster_has_others(const struct keeper *k)
{
	for (unsigned i = 1; i < NETWORK_GUESTS_MAX; i++)
		if (k->roster.at[i].used)
			return true;
	return false;
}

int roster_free_link(const struct keeper *k)
{
	unsigned link = k->machine ? k->n_links : 1;

	for (; link < NETWORK_LINKS_MAX; link++) {
		bool used = false;

		for (unsigned i = 1; i < NETWORK_GUESTS_MAX; i++)
			used |= k->roster.at[i].used &&
				k->roster.at[i].client &&
				k->roster.at[i].joined_link == link;
		if (!used)
			return (int)link;
	}
	return -1;
}

/* What a section says must be right for this network. */
static int check_section(const struct keeper *k, const struct config_guest *g,
			 struct fail *fail)
{
	char what[64];

	if (!strcmp(g->name, k->in.name))
		return fail_set(fail, "[guest %s]: the network's own name, "
				"which its first guest has; give --mac, "
				"--address and --hostname for that", g->name);
	snprintf(what, sizeof(what), "[guest %s]: ", g->name);
	return g->has_address ? config_check_address(&k->in.plan.net4,
						     &g->address, what, fail) :
				0;
}

int roster_begin(struct keeper *k, struct fail *fail)
{
	const struct config *c = k->in.config;
	char *text = state_load_guests(k->in.name), name[CONFIG_NAME_BYTES];

	roster_parse(text ? text : "", &k->roster);
	free(text);
	if (!k->machine)
		return 0;
	for (unsigned i = 0; i < c->n_guests; i++)
		if (check_section(k, &c->guests[i], fail) < 0 ||
		    roster_add(k, c->guests[i].name, NETWORK_LINK_ANY, false,
			       fail) < 0)
			return -1;
	for (unsigned i = 1; i < k->n_links; i++) {
		names_nth(k->in.name, i + 1, name);
		if (roster_find(k, name) > 0)
			return fail_set(fail, "[guest %s]: the name of what "
					"is behind link %u; take another",
					name, i + 1);
		if (roster_add(k, name, (uint8_t)i, true, fail) < 0)
			return -1;
	}
	return 0;
}

void roster_take(struct keeper *k, const struct msg_guests *m)
{
	const uint32_t n = m->n < NETWORK_GUESTS_MAX ? m->n :
						       NETWORK_GUESTS_MAX;

	memcpy(k->roster.now, m->at, n * sizeof(m->at[0]));
	k->roster.n_now = n;
}

static const struct network_guest *now_of(const struct roster *g, unsigned at)
{
	for (unsigned i = 0; i < g->n_now; i++)
		if (g->now[i].id == at)
			return &g->now[i];
	return NULL;
}

/* What is known from here; then what the engine has seen of it. */
static struct guest_status status_of(const struct keeper *k, unsigned at)
{
	const struct network_guest *now = now_of(&k->roster, at);
	const struct roster_guest *g = &k->roster.at[at];
	struct guest_status s = {
		.name = at ? g->name : k->in.name,
		.hostname = at ? g->hostname : k->in.hostname,
		.mac = at ? g->mac : k->in.plan.guest_mac,
		.ip4 = at ? g->ip4 : k->in.plan.guest4,
		.ip6 = at ? g->ip6 : k->in.plan.guest6,
		.link = at ? g->link : 0,
		.joined = at && g->here,
	};
	const struct agent *agent = agents_of(k, at);

	if (agent)
		agent_status(agent, &s);
	if (!now)
		return s;
	s.up = now->up;
	s.mac = now->mac;
	s.link = now->link;
	if (!ip_is_unspecified(&now->ip6))
		s.ip6 = now->ip6;
	s.bytes_from = now->bytes_from;
	s.bytes_to = now->bytes_to;
	return s;
}

/* It stands for whoever else comes up on the link of another one. */
static bool is_spare(const struct roster *g, unsigned at)
{
	const struct network_guest *now = now_of(g, at);

	if (!at || !g->at[at].learn_mac || !now || now->frames_from)
		return false;
	for (unsigned i = 0; i < g->n_now; i++)
		if (g->now[i].id != at && g->now[i].up &&
		    g->now[i].link == g->at[at].link)
			return true;
	return false;
}

size_t roster_status(struct keeper *k, const struct guest_status **out)
{
	struct roster *g = &k->roster;
	size_t n = 0;

	for (unsigned i = 0; i < NETWORK_GUESTS_MAX; i++)
		if (!i || (g->at[i].used && !is_spare(g, i)))
			g->status[n++] = status_of(k, i);
	*out = g->status;
	return n;
}
