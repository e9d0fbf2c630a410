/* SPDX-License-Identifier: MIT */
#include "control/hostfw_warn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/member.h"

#define ZONE "filter_IN_"		/* firewalld's chains of a zone */
#define COMMAND_BYTES 1024

/* false: it is not open, or not for other machines. */
static bool read_port(json_t *o, struct hostfw_packet *p)
{
	const char *at = text_at(o, "at"), *colon = strrchr(at, ':');

	if (strcmp(text_at(o, "state"), "open") || !colon ||
	    !strncmp(at, "127.", 4) || !strncmp(at, "[::1]", 5))
		return false;
	*p = (struct hostfw_packet){
		.v6 = *at == '[', .udp = !strcmp(text_at(o, "protocol"), "udp"),
		.port = (uint16_t)strtoul(colon + 1, NULL, 10),
	};
	return true;
}

static bool same_port(const struct hostfw_packet *a,
		      const struct hostfw_packet *b)
{
	return a->port == b->port && a->udp == b->udp;
}

struct hostfw_packet *hostfw_packets(json_t *published, size_t *n)
{
	struct hostfw_packet *list = calloc(json_array_size(published) + 1,
					    sizeof(*list));
	json_t *o;
	size_t i;

	*n = 0;
	json_array_foreach(published, i, o)
		if (list && read_port(o, &list[*n]))
			++*n;
	if (*n)
		return list;
	free(list);
	return NULL;
}

const char *hostfw_label(const struct hostfw_packet *p,
			 char buf[HOSTFW_LABEL_BYTES])
{
	snprintf(buf, HOSTFW_LABEL_BYTES, "%u%s", p->port,
		 p->udp ? "/udp" : "");
	return buf;
}

bool hostfw_is_again(const struct hostfw_packet *p, size_t n)
{
	while (n--)
		if (same_port(p - n - 1, p))
			return true;
	return false;
}

/* May a name stand in a command as it is? */
static bool is_plain(const char *s)
{
	return *s && *s != '-' && !s[strspn(s,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789_.-")];
}

/* "filter_IN_public_allow": "public"; "" if the chain is of no zone. */
static size_t zone_of(const char *chain, const char **zone)
{
	static const char *const ends[] = { "_pre", "_log", "_deny", "_allow",
					    "_post" };
	size_t n;

	if (strncmp(chain, ZONE, strlen(ZONE)))
		return 0;
	*zone = chain + strlen(ZONE);
	n = strlen(*zone);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		const size_t end = strlen(ends[i]);

		if (n > end && !strcmp(*zone + n - end, ends[i]))
			return n - end;
	}
	return n;
}

static bool is_iptables(const struct hostfw_why *why)
{
	static const char *const tables[] = { "filter", "raw", "mangle",
					      "security" };
	const bool named = !strcmp(why->base, "INPUT") ||
			   !strcmp(why->base, "PREROUTING");

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (named && strcmp(why->family, "inet") &&
		    !strcmp(why->table, tables[i]))
			return true;
	return false;
}

static bool is_firewalld(const struct hostfw_why *why)
{
	return !strcmp(why->table, "firewalld");
}

static const char *manager(const struct hostfw_why *why)
{
	return why->ufw ? "ufw" : is_firewalld(why) ? "firewalld" :
	       is_iptables(why) ? "iptables" : "nftables";
}

/* What opens the port. */
static void command(const struct hostfw_packet *p,
		    const struct hostfw_why *why, char *buf, size_t size)
{
	const char *proto = p->udp ? "udp" : "tcp", *zone = "";
	const size_t n = zone_of(why->chain, &zone);

	if (!is_plain(why->table) || !is_plain(why->base) ||
	    !is_plain(why->chain))
		snprintf(buf, size, "see nft list ruleset");
	else if (why->ufw)
		snprintf(buf, size, "ufw allow %u/%s", p->port, proto);
	else if (is_firewalld(why))
		snprintf(buf, size, "firewall-cmd %s%.*s%s--add-port=%u/%s",
			 n ? "--zone=" : "", (int)n, zone, n ? " " : "",
			 p->port, proto);
	else if (is_iptables(why))
		snprintf(buf, size, "%s %s%s%s-I %s -p %s --dport %u -j "
			 "ACCEPT", p->v6 ? "ip6tables" : "iptables",
			 strcmp(why->table, "filter") ? "-t " : "",
			 strcmp(why->table, "filter") ? why->table : "",
			 strcmp(why->table, "filter") ? " " : "", why->base,
			 proto, p->port);
	else
		snprintf(buf, size, "nft insert rule %s %s %s %s dport %u "
			 "accept", why->family, why->table, why->base, proto,
			 p->port);
}

static void sentence(const struct hostfw_packet *p,
		     const struct hostfw_why *why, const char *family,
		     char *buf, size_t size)
{
	char label[HOSTFW_LABEL_BYTES], how[COMMAND_BYTES], rule[32];

	snprintf(rule, sizeof(rule), "rule %lld", (long long)why->handle);
	command(p, why, how, sizeof(how));
	snprintf(buf, size, "%s is published, but the host's firewall drops "
		 "it%s: %s (table %s %s, chain %s, %s); %s",
		 hostfw_label(p, label), family, manager(why), why->family,
		 why->table, why->chain,
		 why->handle ? rule : "policy drop", how);
}

/* What the firewall says of that port in the other family. */
enum partner {
	ALONE,				/* not published, or not dropped */
	DIFFERS,			/* dropped; another command opens it */
	TOLD,				/* one command for both, said before */
	FIRST,				/* one command for both */
};

static enum partner partner(const struct hostfw *fw,
			    const struct hostfw_packet *all, size_t n,
			    size_t i, const struct hostfw_why *why)
{
	struct hostfw_packet other = all[i];
	char mine[COMMAND_BYTES], its[COMMAND_BYTES];
	struct hostfw_why also;
	size_t j;

	other.v6 = !other.v6;
	for (j = 0; j < n; j++)
		if (same_port(&all[j], &other) && all[j].v6 == other.v6)
			break;
	if (j == n || hostfw_ask(fw, &other, &also) != HOSTFW_DROPPED)
		return ALONE;
	command(&all[i], why, mine, sizeof(mine));
	command(&other, &also, its, sizeof(its));
	return strcmp(mine, its) ? DIFFERS : j < i ? TOLD : FIRST;
}

static bool is_told(const struct hostfw_packet *all, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (same_port(&all[j], &all[i]) && all[j].v6 == all[i].v6)
			return true;
	return false;
}

void hostfw_warn(json_t *warnings, const struct hostfw *fw,
		 const struct hostfw_packet *p, size_t n)
{
	unsigned told = 0;

	for (size_t i = 0; i < n; i++) {
		const char *family = p[i].v6 ? " over IPv6" : " over IPv4";
		struct hostfw_why why;
		enum partner other;
		char text[2 * COMMAND_BYTES];

		if (is_told(p, i) ||
		    hostfw_ask(fw, &p[i], &why) != HOSTFW_DROPPED)
			continue;
		other = partner(fw, p, n, i, &why);
		if (other == TOLD)
			continue;
		if (told++ == HOSTFW_WARNINGS_MAX) {
			json_array_append_new(warnings, json_string(
				"the host's firewall drops more published "
				"ports"));
			return;
		}
		sentence(&p[i], &why, other == FIRST ? "" : family, text,
			 sizeof(text));
		json_array_append_new(warnings, json_string(text));
	}
}
