/* SPDX-License-Identifier: MIT */
#include "control/status.h"

#include <stdio.h>
#include <string.h>

#include "base/network_guest.h"
#include "control/api.h"

static json_t *ip_json(const struct ip *ip)
{
	char text[IP_TEXT_BYTES];

	return json_string(ip_format(ip, text));
}

static json_t *mac_json(const struct mac *mac)
{
	char text[MAC_TEXT_BYTES];

	return json_string(mac_format(mac, text));
}

static json_t *prefix_json(const struct prefix *p)
{
	char ip[IP_TEXT_BYTES], text[IP_TEXT_BYTES + 4];

	snprintf(text, sizeof(text), "%s/%u", ip_format(&p->ip, ip), p->bits);
	return json_string(text);
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static void put_addresses(json_t *root, const struct status *s)
{
	json_t *guest = json_object(), *gateway = json_object();
	json_t *subnet = json_object();

	json_object_set_new(guest, "ipv4", ip_json(&s->guest4));
	json_object_set_new(gateway, "ipv4", ip_json(&s->gateway4));
	json_object_set_new(subnet, "ipv4", prefix_json(&s->net4));
	if (s->v6) {
		json_object_set_new(guest, "ipv6", ip_json(&s->guest6));
		json_object_set_new(gateway, "ipv6", ip_json(&s->gateway6));
		json_object_set_new(subnet, "ipv6", prefix_json(&s->net6));
	}
	json_object_set_new(guest, "mac", mac_json(&s->guest_mac));
	json_object_set_new(guest, "hostname", api_text(s->hostname));
	json_object_set_new(gateway, "mac", mac_json(&s->gateway_mac));
	json_object_set_new(root, "guest", guest);
	json_object_set_new(root, "gateway", gateway);
	json_object_set_new(root, "subnet", subnet);
}

static void put_agent(json_t *j, const struct guest_status *g)
{
	char since[sizeof("2000-01-01T00:00:00Z")];
	struct tm tm;

	if (g->boot_ended)
		json_object_set_new(j, "boot", json_pack("{s:i}", "status",
							 (int)g->boot_status));
	if (!g->agent_version)
		return;
	gmtime_r(&g->agent_since, &tm);
	strftime(since, sizeof(since), "%FT%TZ", &tm);
	json_object_set_new(j, "agent", json_pack("{s:o, s:o, s:o, s:s}",
		"version", api_text(g->agent_version),
		"hostname", api_text(g->agent_hostname),
		"address", ip_json(&g->agent_from), "since", since));
}

static json_t *forwards_json(const struct forward_status *all, size_t n);

static json_t *guests_json(const struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_guests; i++) {
		const struct guest_status *g = &s->guests[i];
		json_t *j = json_object();

		json_object_set_new(j, "name", api_text(g->name));
		json_object_set_new(j, "hostname", api_text(g->hostname));
		json_object_set_new(j, "ipv4", ip_json(&g->ip4));
		if (s->v6)
			json_object_set_new(j, "ipv6", ip_json(&g->ip6));
		json_object_set_new(j, "mac", mac_json(&g->mac));
		if (g->link != NETWORK_LINK_ANY)
			json_object_set_new(j, "link",
					    json_integer(g->link + 1));
		json_object_set_new(j, "up", json_boolean(g->up));
		json_object_set_new(j, "joined", json_boolean(g->joined));
		json_object_set_new(j, "bytes_from", number(g->bytes_from));
		json_object_set_new(j, "bytes_to", number(g->bytes_to));
		put_agent(j, g);
		if (g->mirrors)
			json_object_set_new(j, "mirrors", forwards_json(
						g->mirrors, g->n_mirrors));
		json_array_append_new(list, j);
	}
	return list;
}

static const char *state_text(enum forward_state state)
{
	switch (state) {
	case FORWARD_OPEN:	return "open";
	case FORWARD_ASKED:	return "opening";
	case FORWARD_PUBLISHED:	return "published";
	case FORWARD_FAILED: case FORWARD_NONE:
		break;
	}
	return "failed";
}

static json_t *half_json(const struct forward_half *h)
{
	char to[ENDPOINT_TEXT_BYTES];
	json_t *j = json_pack("{s:s}", "to", endpoint_format(&h->to, to));

	json_object_set_new(j, "state", json_string(state_text(h->state)));
	if (h->state == FORWARD_FAILED)
		json_object_set_new(j, "why", api_text(h->why));
	return j;
}

static json_t *forwards_json(const struct forward_status *all, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct forward_status *f = &all[i];
		json_t *j = json_pack("{s:i, s:s}", "port", (int)f->port,
				      "protocol", f->udp ? "udp" : "tcp");

		if (f->half[0].state != FORWARD_NONE)
			json_object_set_new(j, "ipv4", half_json(&f->half[0]));
		if (f->half[1].state != FORWARD_NONE)
			json_object_set_new(j, "ipv6", half_json(&f->half[1]));
		json_array_append_new(list, j);
	}
	return list;
}

json_t *status_published_json(const struct status *s,
			      const struct publish *entry)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_published; i++) {
		const struct publish_status *p = &s->published[i];
		char at[ENDPOINT_TEXT_BYTES], to[ENDPOINT_TEXT_BYTES];
		json_t *j;

		if (p->state == FORWARD_NONE || (entry && p->entry != entry))
			continue;
		j = json_pack("{s:o, s:s, s:s, s:s, s:s}", "publish",
			      api_text(p->entry->text), "protocol",
			      p->udp ? "udp" : "tcp", "at",
			      endpoint_format(&p->at, at), "to",
			      endpoint_format(&p->to, to), "state",
			      state_text(p->state));
		if (p->state == FORWARD_FAILED)
			json_object_set_new(j, "why", api_text(p->why));
		if (*p->entry->guest)
			json_object_set_new(j, "guest",
					    json_string(p->entry->guest));
		json_array_append_new(list, j);
	}
	return list;
}

static void put_ports(json_t *root, const struct status *s)
{
	json_t *entries = json_array(), *kept = json_array();

	for (size_t i = 0; i < s->n_publish; i++) {
		if (!s->publish[i].used)
			continue;
		json_array_append_new(entries,
				      api_text(s->publish[i].what.text));
		if (s->publish[i].kept)
			json_array_append_new(kept, api_text(
				s->publish[i].what.text));
	}
	json_object_set_new(root, "forwards",
			    forwards_json(s->forwards, s->n_forwards));
	json_object_set_new(root, "mirrors",
			    forwards_json(s->mirrors, s->n_mirrors));
	json_object_set_new(root, "publish", entries);
	json_object_set_new(root, "kept", kept);
	json_object_set_new(root, "published",
			    status_published_json(s, NULL));
}

static void put_counters(json_t *root, const struct network_stats *c)
{
	json_t *flows = json_object(), *traffic = json_object();
	json_t *questions = json_object(), *drops = json_object();

	json_object_set_new(flows, "tcp", number(c->flows_tcp));
	json_object_set_new(flows, "udp", number(c->flows_udp));
	json_object_set_new(flows, "icmp", number(c->flows_icmp));
	json_object_set_new(flows, "relays", number(c->relays));
	json_object_set_new(flows, "max", number(c->flows_max));
	json_object_set_new(traffic, "frames_from_guest",
			    number(c->frames_from_guest));
	json_object_set_new(traffic, "bytes_from_guest",
			    number(c->bytes_from_guest));
	json_object_set_new(traffic, "frames_to_guest",
			    number(c->frames_to_guest));
	json_object_set_new(traffic, "bytes_to_guest",
			    number(c->bytes_to_guest));
	json_object_set_new(traffic, "retransmits", number(c->retransmits));
	json_object_set_new(questions, "asked", number(c->dns_questions));
	json_object_set_new(questions, "from_cache",
			    number(c->dns_from_cache));
	json_object_set_new(questions, "failed", number(c->dns_failed));
	json_object_set_new(questions, "refused", number(c->dns_refused));
	json_object_set_new(questions, "names_lost", number(c->names_lost));
	for (unsigned i = DROP_OK + 1; i < DROP_MAX; i++)
		if (c->drops[i])
			json_object_set_new(drops, drop_name((enum drop)i),
					    number(c->drops[i]));
	json_object_set_new(root, "flows", flows);
	json_object_set_new(root, "traffic", traffic);
	json_object_set_new(root, "questions", questions);
	json_object_set_new(root, "drops", drops);
}

/* What such a path is called; "" for an interface that has gone. */
static const char *narrow_name(const struct status *s, unsigned i,
			       char buf[IP_TEXT_BYTES])
{
	const struct network_narrow *n = &s->counters->narrow[i];

	if (!n->dev)
		return ip_format(&n->to, buf);
	return s->narrow_dev[i] ? s->narrow_dev[i] : "";
}

static json_t *narrow_json(const struct status *s)
{
	json_t *list = json_array();
	char buf[IP_TEXT_BYTES];

	for (unsigned i = 0; i < s->counters->n_narrow; i++)
		json_array_append_new(list, json_pack("{s:s, s:i}", "path",
			narrow_name(s, i, buf), "mtu",
			(int)s->counters->narrow[i].mtu));
	return list;
}

static void warn_narrow(json_t *list, const struct status *s)
{
	char buf[IP_TEXT_BYTES], text[192];

	for (unsigned i = 0; s->counters && i < s->counters->n_narrow; i++) {
		const struct network_narrow *n = &s->counters->narrow[i];

		snprintf(text, sizeof(text), "the path %s %s takes %u: longer "
			 "packets are lost there, and nothing says so; new "
			 "connections are held to that", n->dev ? "by" : "to",
			 narrow_name(s, i, buf), n->mtu);
		json_array_append_new(list, api_text(text));
	}
}

/* not: what it is that such a port is not. */
static void warn_forward(json_t *list, const struct forward_status *f,
			 const char *not)
{
	static const char *const at[] = { "127.0.0.1", "[::1]" };
	const struct forward_half *h = f->half;
	const char *udp = f->udp ? "/udp" : "";
	char text[192];

	if (h[0].state == FORWARD_FAILED && h[1].state == FORWARD_FAILED &&
	    !strcmp(h[0].why, h[1].why)) {
		snprintf(text, sizeof(text), "localhost:%u%s is not %s: %s",
			 f->port, udp, not, h[0].why);
		json_array_append_new(list, api_text(text));
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (h[i].state != FORWARD_FAILED)
			continue;
		snprintf(text, sizeof(text), "%s:%u%s is not %s: %s",
			 at[i], f->port, udp, not, h[i].why);
		json_array_append_new(list, api_text(text));
	}
}

static void warn_published(json_t *list, const struct publish_status *p)
{
	char at[ENDPOINT_TEXT_BYTES], text[192];

	if (p->state != FORWARD_FAILED)
		return;
	snprintf(text, sizeof(text), "%s%s is not published: %s",
		 endpoint_format(&p->at, at), p->udp ? "/udp" : "", p->why);
	json_array_append_new(list, api_text(text));
}

static json_t *warnings(const struct status *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_forwards; i++)
		warn_forward(list, &s->forwards[i], "forwarded");
	for (size_t i = 0; i < s->n_mirrors; i++)
		warn_forward(list, &s->mirrors[i], "the host's in the guest");
	for (size_t i = 0; i < s->n_published; i++)
		warn_published(list, &s->published[i]);
	if (!s->ping4 || (s->v6 && !s->ping6))
		json_array_append_new(list, json_string(
			"the host does not let you ping; to allow it: "
			"sysctl -w net.ipv4.ping_group_range="
			"\"0 2147483647\""));
	if (s->n_dns == 0)
		json_array_append_new(list, json_string(
			"the host's /etc/resolv.conf names no DNS server: "
			"names do not resolve; give --dns"));
	if (s->no_route_free)
		json_array_append_new(list, json_string(
			"the host has a route over this subnet: the guest "
			"does not see the two addresses in use here beyond "
			"the gateway"));
	warn_narrow(list, s);
	for (size_t i = 0; i < s->n_log_tail; i++)
		json_array_append_new(list, api_text(s->log_tail[i]));
	return list;
}

static const char *localhost_text(enum localhost_mode mode)
{
	switch (mode) {
	case LOCALHOST_AUTO:	return "auto";
	case LOCALHOST_OFF:	return "off";
	case LOCALHOST_LIST:	return "list";
	}
	return "";
}

static const char *access_text(enum config_access access)
{
	switch (access) {
	case CONFIG_ACCESS_GATEWAY:	return "gateway";
	case CONFIG_ACCESS_LOCALHOST:	return "localhost";
	case CONFIG_ACCESS_LIST:	return "list";
	case CONFIG_ACCESS_OFF:		return "off";
	}
	return "";
}

static json_t *domains_json(const struct status *s)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < s->n_zones; i++) {
		const struct dns_zone *z = &s->zones[i];
		json_t *servers = json_array();

		for (uint32_t k = 0; k < z->n; k++)
			json_array_append_new(servers, ip_json(&z->at[k].ip));
		json_array_append_new(list, json_pack("{s:s, s:o}",
				"domain", z->name, "servers", servers));
	}
	return list;
}

json_t *status_json(const struct status *s)
{
	json_t *root = json_object(), *dns = json_array();

	json_object_set_new(root, "name", json_string(s->name));
	json_object_set_new(root, "pid", json_integer(s->pid));
	json_object_set_new(root, "keeper", json_integer(s->keeper));
	json_object_set_new(root, "command", api_text(s->command));
	put_addresses(root, s);
	json_object_set_new(root, "guests", guests_json(s));
	json_object_set_new(root, "isolate", json_boolean(s->isolate));
	if (s->joined)
		json_object_set_new(root, "joined", json_string(s->joined));
	json_object_set_new(root, "mtu", json_integer(s->mtu));
	for (unsigned i = 0; i < s->n_dns; i++)
		json_array_append_new(dns, ip_json(&s->dns[i]));
	json_object_set_new(root, "dns", dns);
	json_object_set_new(root, "domains", domains_json(s));
	json_object_set_new(root, "search", api_text(s->search));
	json_object_set_new(root, "host_access",
			    json_string(access_text(s->host_access)));
	if (s->host_interface && *s->host_interface)
		json_object_set_new(root, "host_interface",
				    json_string(s->host_interface));
	json_object_set_new(root, "localhost",
			    json_string(localhost_text(s->localhost)));
	if (s->localhost_conflict == CONFLICT_REFUSE)
		json_object_set_new(root, "binds_refused", json_integer(
					(json_int_t)s->binds_refused));
	put_ports(root, s);
	if (s->n_guests)
		put_agent(root, &s->guests[0]);
	if (s->counters) {
		put_counters(root, s->counters);
		json_object_set_new(root, "narrow", narrow_json(s));
	}
	json_object_set_new(root, "ping", json_pack("{s:b}", "ipv4",
						    s->ping4));
	if (s->v6)
		json_object_set_new(json_object_get(root, "ping"), "ipv6",
				    json_boolean(s->ping6));
	json_object_set_new(root, "log", api_text(s->log));
	json_object_set_new(root, "warnings", warnings(s));
	return root;
}

json_t *status_ports_json(const struct status *s)
{
	json_t *root = json_object();

	put_ports(root, s);
	return root;
}
