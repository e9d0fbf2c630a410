/* SPDX-License-Identifier: MIT */
#include "cmd/why_ends.h"

#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/member.h"

static const struct {
	const char *scheme;
	uint16_t port;
} schemes[] = {
	{ "http", 80 }, { "https", 443 }, { "ws", 80 }, { "wss", 443 },
	{ "ftp", 21 }, { "ssh", 22 }, { "git", 9418 }, { "postgres", 5432 },
	{ "postgresql", 5432 }, { "mysql", 3306 }, { "redis", 6379 },
	{ "amqp", 5672 }, { "ldap", 389 }, { "ldaps", 636 }, { "smtp", 25 },
	{ "tcp", 0 }, { "udp", 0 },
};

#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

/* 1 to 65535; 0: none. */
static uint16_t port_of(const char *text)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*text))
		return 0;
	n = strtoul(text, &end, 10);
	return *end || n > 65535 ? 0 : (uint16_t)n;
}

/* HOST, HOST:PORT, [HOST]:PORT, or an IPv6 address as it is. */
static int read_end(const char *text, size_t len, struct why_end *out,
		    struct fail *fail)
{
	char copy[WHY_HOST_BYTES + 8], *host = copy, *port = NULL, *colon;

	if (!len || len >= sizeof(copy))
		return fail_set(fail, "%.60s: %s; give ADDRESS:PORT, guest, "
				"host or a name", text, len ? "too long" :
				"empty");
	memcpy(copy, text, len);
	copy[len] = '\0';
	colon = strrchr(copy, ':');
	if (copy[0] == '[') {
		char *end = strchr(copy, ']');

		if (!end || (end[1] && end[1] != ':'))
			return fail_set(fail, "%s: not an address in "
					"brackets; give [ADDRESS]:PORT", copy);
		host = copy + 1;
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
	} else if (colon && strchr(copy, ':') == colon) {
		*colon = '\0';
		port = colon + 1;
	}
	out->port = port ? port_of(port) : 0;
	if (port && !out->port)
		return fail_set(fail, "%.*s: no port: %s; give 1 to 65535",
				(int)len, text, port);
	if (!*host || strlen(host) >= sizeof(out->host))
		return fail_set(fail, "%.*s: no address; give ADDRESS:PORT, "
				"guest, host or a name", (int)len, text);
	strcpy(out->host, host);
	return 0;
}

bool why_read_endpoint(const char *text, struct endpoint *out)
{
	struct why_end end;
	struct fail fail;

	if (ip_parse(text, &out->ip)) {
		out->port = 0;
		return true;
	}
	if (read_end(text, strlen(text), &end, &fail) < 0 ||
	    !ip_parse(end.host, &out->ip))
		return false;
	out->port = end.port;
	return true;
}

/* What loops back, or is the host's name for that. */
static bool is_localhost(const char *host)
{
	struct ip ip;

	if (ip_parse(host, &ip))
		return ip_is_loopback(&ip) || ip_is_unspecified(&ip);
	return !strcasecmp(host, "localhost");
}

int why_read_url(const char *text, struct why_flow *out, struct fail *fail)
{
	const char *sep = strstr(text, "://"), *rest, *at;
	uint16_t port = 0;
	bool known = false;
	size_t len;

	*out = (struct why_flow){ .from = { .host = "guest" } };
	if (!sep) {
		strcpy(out->protocol, "dns");
		out->named = true;
		return read_end(text, strlen(text), &out->to, fail);
	}
	for (size_t i = 0; i < N_SCHEMES; i++)
		if (strlen(schemes[i].scheme) == (size_t)(sep - text) &&
		    !strncasecmp(schemes[i].scheme, text,
				 (size_t)(sep - text))) {
			port = schemes[i].port;
			known = true;
		}
	strcpy(out->protocol, strncasecmp(text, "udp:", 4) ? "tcp" : "udp");
	rest = sep + 3;
	len = strcspn(rest, "/?#");
	at = memrchr(rest, '@', len);
	if (at) {			/* user and password */
		len -= (size_t)(at + 1 - rest);
		rest = at + 1;
	}
	if (read_end(rest, len, &out->to, fail) < 0)
		return -1;
	if (!out->to.port)
		out->to.port = port;
	if (!out->to.port)
		return fail_set(fail, "%.100s: %s; give it, as in "
				"http://HOST:PORT/", text, known ? "no port" :
				"a scheme whose port is not known");
	if (is_localhost(out->to.host))
		strcpy(out->from.host, "host");
	return 0;
}

int why_read_words(char *const words[3], struct why_flow *out,
		   struct fail *fail)
{
	static const char *const known[] = { "tcp", "udp", "icmp", "icmpv6",
					     "ping" };
	bool ok = false;

	*out = (struct why_flow){ .n_pairs = 0 };
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcasecmp(words[0], known[i])) {
			strcpy(out->protocol, i < 2 ? known[i] : "icmp");
			ok = true;
		}
	if (!ok)
		return fail_set(fail, "why %.60s: no such protocol; give tcp, "
				"udp or icmp", words[0]);
	if (read_end(words[1], strlen(words[1]), &out->from, fail) < 0 ||
	    read_end(words[2], strlen(words[2]), &out->to, fail) < 0)
		return -1;
	if (!out->to.port && strcmp(out->protocol, "icmp"))
		return fail_set(fail, "why: %.60s: no port; give the one that "
				"is spoken to, as in %.60s:80", words[2],
				words[2]);
	return 0;
}

enum who {
	WHO_GUEST, WHO_MEMBER, WHO_HOST, WHO_LOOP, WHO_ADDRESS, WHO_NAME
};

static bool is_one_of(const char *host, const char *const list[])
{
	for (; *list; list++)
		if (!strcasecmp(host, *list))
			return true;
	return false;
}

/* One of several guests, by its name or host name; NULL: there is none. */
static json_t *member(const char *host, json_t *status)
{
	json_t *g;
	size_t i;

	json_array_foreach(json_object_get(status, "guests"), i, g)
		if (!strcasecmp(host, text_at(g, "name")) ||
		    !strcasecmp(host, text_at(g, "hostname")))
			return g;
	return NULL;
}

static enum who who_is(const char *host, json_t *status)
{
	static const char *const hosts[] = { "host", "gateway",
		"host.slipway.internal", "host.docker.internal",
		"host.containers.internal", "host.wsl.internal", NULL };
	struct ip ip;

	if (is_localhost(host))
		return WHO_LOOP;
	if (ip_parse(host, &ip))
		return WHO_ADDRESS;
	if (is_one_of(host, hosts))
		return WHO_HOST;
	if (!strcasecmp(host, "guest") ||
	    !strcasecmp(host, text_at(status, "name")) ||
	    !strcasecmp(host, text_in(status, "guest", "hostname")))
		return WHO_GUEST;
	return member(host, status) ? WHO_MEMBER : WHO_NAME;
}

/* The address of one family (4 or 6) that the network has for it. */
static bool own_address(json_t *status, enum who who, unsigned family,
			struct ip *out)
{
	return ip_parse(text_in(status, who == WHO_GUEST ? "guest" :
				"gateway", family == 4 ? "ipv4" : "ipv6"),
			out);
}

static bool lookup(const char *name, unsigned family, struct ip *out)
{
	const struct addrinfo hints = {
		.ai_family = family == 4 ? AF_INET : AF_INET6,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found;

	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	if (family == 4)
		*out = ip_from_v4(ntohl(((struct sockaddr_in *)(void *)
			found->ai_addr)->sin_addr.s_addr));
	else
		memcpy(out->b, &((struct sockaddr_in6 *)(void *)
			found->ai_addr)->sin6_addr, sizeof(out->b));
	freeaddrinfo(found);
	return true;
}

static bool address_of(const char *host, enum who who, json_t *status,
		       unsigned family, struct ip *out)
{
	switch (who) {
	case WHO_GUEST: case WHO_HOST:
		return own_address(status, who, family, out);
	case WHO_MEMBER:
		return ip_parse(text_at(member(host, status), family == 4 ?
					"ipv4" : "ipv6"), out);
	case WHO_ADDRESS:
		return ip_parse(host, out) && ip_is4(out) == (family == 4);
	case WHO_NAME:
		return lookup(host, family, out);
	case WHO_LOOP:
		break;
	}
	return false;
}

int why_resolve(struct why_flow *f, json_t *status, struct fail *fail)
{
	enum who from = who_is(f->from.host, status);
	enum who to = who_is(f->to.host, status);

	/* A loop begins on the host and ends at the other end. */
	if (from == WHO_LOOP)
		from = WHO_HOST;
	if (to == WHO_LOOP)
		to = from == WHO_GUEST || from == WHO_MEMBER ? WHO_HOST :
							       WHO_GUEST;
	f->named = to == WHO_NAME;
	if (!strcmp(f->protocol, "dns"))
		return 0;
	for (unsigned family = 4; family <= 6; family += 2) {
		struct why_pair p = { .from.port = f->from.port,
				      .to.port = f->to.port };

		if (address_of(f->from.host, from, status, family,
			       &p.from.ip) &&
		    address_of(f->to.host, to, status, family, &p.to.ip))
			f->pair[f->n_pairs++] = p;
	}
	if (f->n_pairs)
		return 0;
	return fail_set(fail, "%s -> %s: these have no address of one family; "
			"give addresses, or see slipway status %s",
			f->from.host, f->to.host,
			text_at(status, "name"));
}

static bool is_inside(const char *host, json_t *status)
{
	static const char *const families[] = { "ipv4", "ipv6" };
	struct prefix net;
	struct ip ip;

	if (!strcasecmp(host, text_at(status, "name")) ||
	    member(host, status))
		return true;
	if (!ip_parse(host, &ip))
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (prefix_parse(text_in(status, "subnet", families[i]),
				 &net) && prefix_has(&net, &ip))
			return true;
	return false;
}

bool why_is_about(const struct why_flow *f, json_t *status)
{
	return is_inside(f->from.host, status) ||
	       is_inside(f->to.host, status);
}
