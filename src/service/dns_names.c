/* SPDX-License-Identifier: MIT */
/*
 * service/dns_names.c - the names that are ours to answer
 *
 * The host's four names mean the gateway, a guest's name that guest, and
 * their addresses mean those names. Everything else below slipway.internal
 * does not exist and is never sent upstream; nor is localhost, which is
 * whoever asks (RFC 6761 section 6.3). The host's hosts file answers for the
 * addresses of a name as the host's own resolver does: with those in the
 * file, or with none.
 */
#include "base/host_names.h"
#include "service/dns_state.h"

#include <string.h>

#define TTL_S		60
#define ADDRESSES_MAX	16	/* of a name in the hosts file */
#define DOMAIN		"slipway.internal"
#define GUEST_NAME_BYTES 64		/* with NUL: as RFC 1035 has a label */

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/* name is prefix + ".slipway.internal", or only prefix where bare. */
static bool is_ours(const char *name, const char *prefix, bool bare)
{
	const size_t n = length(prefix);

	if (!n || length(name) < n || memcmp(name, prefix, n))
		return false;
	return (bare && !name[n]) || same(name + n, "." DOMAIN);
}

static bool is_host_name(const char *name)
{
	for (unsigned i = 0; i < HOST_NAMES; i++)
		if (same(name, host_names[i]))
			return true;
	return false;
}

/* Is name anything below domain? */
static bool is_below(const char *name, const char *domain)
{
	const size_t n = length(name), m = length(domain);

	return n > m && name[n - m - 1] == '.' && same(name + n - m, domain);
}

static void answer_addresses(const struct dns *dns,
			     const struct dns_question *q, struct wr *w,
			     const struct ip *v4, const struct ip *v6)
{
	if (q->type == DNS_A)
		dns_emit_response(w, q, DNS_NOERROR, v4, 1, TTL_S);
	else if (q->type == DNS_AAAA && dns->setup.v6 &&
		 !ip_is_unspecified(v6))
		dns_emit_response(w, q, DNS_NOERROR, v6, 1, TTL_S);
	else
		dns_emit_response(w, q, DNS_NOERROR, NULL, 0, TTL_S);
}

/* One of the guest's own loopback addresses, whoever asks. */
static bool answer_localhost(const struct dns_question *q, struct wr *w)
{
	const struct ip v4 = ip_from_v4(0x7f000001);
	const struct ip v6 = { .b = { [15] = 1 } };

	if (!same(q->name, "localhost") && !is_below(q->name, "localhost"))
		return false;
	if (q->type == DNS_A)
		dns_emit_response(w, q, DNS_NOERROR, &v4, 1, TTL_S);
	else if (q->type == DNS_AAAA)
		dns_emit_response(w, q, DNS_NOERROR, &v6, 1, TTL_S);
	else
		dns_emit_response(w, q, DNS_NOERROR, NULL, 0, TTL_S);
	return true;
}

static bool answer_hosts(const struct dns *dns, const struct dns_question *q,
			 struct wr *w)
{
	struct ip addrs[ADDRESSES_MAX];
	const bool v4 = q->type == DNS_A;
	struct hosts_found found;
	size_t n;

	if (q->type != DNS_A && q->type != DNS_AAAA)
		return false;
	if (!hosts_by_name(&dns->hosts, q->name, &found))
		return false;
	n = v4 ? found.n4 : found.n6;
	if (n > ADDRESSES_MAX)
		n = ADDRESSES_MAX;
	for (size_t i = 0; i < n; i++)
		addrs[i] = (v4 ? found.v4 : found.v6)[i].ip;
	dns_emit_response(w, q, DNS_NOERROR, addrs, n, TTL_S);
	return true;
}

static const struct dns_guest *guest_at(const struct dns *dns,
					const struct ip *ip)
{
	if (ip_is_unspecified(ip) || (!ip_is4(ip) && !dns->setup.v6))
		return NULL;
	for (unsigned i = 0; i < dns->n_guests; i++) {
		const struct dns_guest *g = &dns->guests[i];

		if (g->name && g->name[0] &&
		    ip_equal(ip, ip_is4(ip) ? &g->ip4 : &g->ip6))
			return g;
	}
	return NULL;
}

static const struct dns_guest *guest_of_name(const struct dns *dns,
					     const char *name)
{
	for (unsigned i = 0; i < dns->n_guests; i++)
		if (dns->guests[i].name &&
		    is_ours(name, dns->guests[i].name, true))
			return &dns->guests[i];
	return NULL;
}

static bool answer_reverse(const struct dns *dns, const struct dns_question *q,
			   struct wr *w)
{
	const struct dns_setup *s = &dns->setup;
	char name[GUEST_NAME_BYTES + sizeof("." DOMAIN)];
	const struct dns_guest *g;
	struct ip ip;
	size_t n;

	if (q->type != DNS_PTR || !dns_reverse_address(q->name, &ip))
		return false;
	if (ip_equal(&ip, &s->gateway4) ||
	    (s->v6 && ip_equal(&ip, &s->gateway6))) {
		dns_emit_ptr(w, q, "host." DOMAIN, TTL_S);
		return true;
	}
	g = guest_at(dns, &ip);
	n = g ? length(g->name) : GUEST_NAME_BYTES;
	if (n >= GUEST_NAME_BYTES)
		return false;
	memcpy(name, g->name, n);
	memcpy(name + n, "." DOMAIN, sizeof("." DOMAIN));
	dns_emit_ptr(w, q, name, TTL_S);
	return true;
}

bool dns_own_answer(const struct dns *dns, const struct dns_question *q,
		    struct wr *w)
{
	const struct dns_setup *s = &dns->setup;
	const struct dns_guest *g;

	if (is_host_name(q->name)) {
		if (s->host_access)
			answer_addresses(dns, q, w, &s->gateway4,
					 &s->gateway6);
		else
			dns_emit_response(w, q, DNS_NXDOMAIN, NULL, 0, TTL_S);
		return true;
	}
	g = guest_of_name(dns, q->name);
	if (g) {
		answer_addresses(dns, q, w, &g->ip4, &g->ip6);
		return true;
	}
	if (same(q->name, DOMAIN) || is_below(q->name, DOMAIN)) {
		dns_emit_response(w, q, DNS_NXDOMAIN, NULL, 0, TTL_S);
		return true;
	}
	return answer_localhost(q, w) || answer_reverse(dns, q, w);
}

static bool answer_reverse_hosts(const struct dns *dns,
				 const struct dns_question *q, struct wr *w)
{
	const char *name;
	struct ip ip;

	if (q->type != DNS_PTR || !dns_reverse_address(q->name, &ip))
		return false;
	name = ip_is_loopback(&ip) ? "localhost" :
	       hosts_by_ip(&dns->hosts, &ip);
	if (name)
		dns_emit_ptr(w, q, name, TTL_S);
	return name;
}

bool dns_hosts_answer(const struct dns *dns, const struct dns_question *q,
		      struct wr *w)
{
	return answer_hosts(dns, q, w) || answer_reverse_hosts(dns, q, w);
}
