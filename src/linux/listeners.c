/* SPDX-License-Identifier: MIT */
#include "linux/listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "linux/sockdiag.h"

#define STATE_CLOSE	7	/* the kernel's TCP_CLOSE: UDP, not connected */
#define STATE_LISTEN	10	/* and TCP_LISTEN */

static int compare(const struct listener *a, const struct listener *b)
{
	if (a->at.port != b->at.port)
		return a->at.port < b->at.port ? -1 : 1;
	if (a->udp != b->udp)
		return (int)a->udp - (int)b->udp;
	if (!ip_equal(&a->at.ip, &b->at.ip))
		return memcmp(a->at.ip.b, b->at.ip.b, sizeof(a->at.ip.b));
	return (int)a->v6only - (int)b->v6only;
}

void listeners_add(struct listeners *set, const struct listener *l)
{
	uint32_t lo = 0, hi = set->n;

	while (lo < hi) {
		const uint32_t mid = lo + (hi - lo) / 2;
		const int c = compare(&set->v[mid], l);

		if (c == 0)
			return;
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == LISTENERS_MAX)
		return;
	if (set->n == LISTENERS_MAX)
		set->n--;
	memmove(&set->v[lo + 1], &set->v[lo],
		(set->n - lo) * sizeof(set->v[0]));
	set->v[lo] = *l;
	set->n++;
}

void listeners_diff(struct listeners *known, const struct listeners *seen,
		    bool (*tell)(void *ctx, bool gone,
				 const struct listener *l),
		    void *ctx)
{
	uint32_t kept = 0, s = 0, k = 0;

	for (uint32_t i = 0; i < known->n; i++) {
		while (s < seen->n && compare(&seen->v[s], &known->v[i]) < 0)
			s++;
		if ((s < seen->n &&
		     compare(&seen->v[s], &known->v[i]) == 0) ||
		    !tell(ctx, true, &known->v[i]))
			known->v[kept++] = known->v[i];
	}
	known->n = kept;

	for (s = 0; s < seen->n; s++) {
		while (k < known->n && compare(&known->v[k], &seen->v[s]) < 0)
			k++;
		if (k < known->n && compare(&known->v[k], &seen->v[s]) == 0)
			continue;
		/* Full of what could not be told: nothing may be pushed out. */
		if (known->n < LISTENERS_MAX && tell(ctx, false, &seen->v[s]))
			listeners_add(known, &seen->v[s]);
	}
}

int listeners_open(void)
{
	return sockdiag_open();
}

/* What a dump is about. */
struct dump {
	bool udp;
	const struct picked_ports *picked;
	listeners_own_fn *own;
	void *ctx;
	struct listeners *set;
};

static uint64_t cookie_of(const struct inet_diag_msg *m)
{
	return (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0];
}

/* DHCP clients of both kinds and mDNS bind these, and serve nobody. */
bool listeners_casual(const struct picked_ports *picked, uint16_t port)
{
	return (port >= picked->first && port <= picked->last) ||
	       port == 68 || port == 546 || port == 5353;
}

/* A socket of a dump; one without a port is none. */
static bool read_socket(const struct nlmsghdr *h, struct listener *l)
{
	const struct inet_diag_msg *m = nlmsg_body(h, sizeof(*m));
	struct view left = nlmsg_attrs(h, sizeof(*m));
	struct nlmsg_attr a;

	if (!m)
		return false;
	l->at.port = ntohs(m->id.idiag_sport);
	if (m->idiag_family == AF_INET) {
		l->at.ip = ip_from_v4(ntohl(m->id.idiag_src[0]));
		return l->at.port;
	}
	memcpy(l->at.ip.b, m->id.idiag_src, sizeof(l->at.ip.b));
	while (nlmsg_attr_next(&left, &a))
		if (a.type == INET_DIAG_SKV6ONLY)
			l->v6only = nlmsg_attr_u8(&a);
	return l->at.port;
}

static void add_socket(void *arg, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = nlmsg_body(h, sizeof(*m));
	const struct dump *d = arg;
	struct listener l = { .udp = d->udp };

	if (!read_socket(h, &l))
		return;
	l.casual = l.udp && listeners_casual(d->picked, l.at.port);
	if (!d->own(d->ctx, &l, cookie_of(m)))
		listeners_add(d->set, &l);
}

static int dump(int fd, unsigned char family, struct dump *d)
{
	const struct inet_diag_req_v2 what = {
		.sdiag_family = family,
		.sdiag_protocol = d->udp ? IPPROTO_UDP : IPPROTO_TCP,
		.idiag_states = 1u << (d->udp ? STATE_CLOSE : STATE_LISTEN),
	};

	return sockdiag_dump(fd, &what, add_socket, d);
}

/* Where a question names the socket's own end. */
static void put_ip(uint32_t out[4], const struct ip *ip)
{
	if (ip_is4(ip))
		out[0] = htonl(ip_to_v4(*ip));
	else
		memcpy(out, ip->b, sizeof(ip->b));
}

/* An answer: it takes clients. An error: there is none. */
static void take_state(void *arg, const struct nlmsghdr *h)
{
	const struct inet_diag_msg *m = nlmsg_body(h, sizeof(*m));
	uint8_t *state = arg;

	if (m)
		*state = m->idiag_state;
}

/*
 * The one that would get what comes by the interface dev, from anybody. Of
 * UDP the kernel takes the two ends the other way round ("for historical
 * reasons").
 */
bool listeners_at(int fd, unsigned dev, const struct endpoint *at, bool udp)
{
	struct inet_diag_req_v2 what = {
		.sdiag_family = ip_is4(&at->ip) ? AF_INET : AF_INET6,
		.sdiag_protocol = udp ? IPPROTO_UDP : IPPROTO_TCP,
		.idiag_states = ~0u,
		.id.idiag_if = dev,
		.id.idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE },
	};
	uint8_t state = 0;

	if (udp) {
		what.id.idiag_dport = htons(at->port);
		put_ip(what.id.idiag_dst, &at->ip);
	} else {
		what.id.idiag_sport = htons(at->port);
		put_ip(what.id.idiag_src, &at->ip);
	}
	return sockdiag_one(fd, &what, take_state, &state) == 0 &&
	       state == (udp ? STATE_CLOSE : STATE_LISTEN);
}

struct picked_ports listeners_picked(void)
{
	struct picked_ports p = LISTENERS_PICKED_NEW;
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned first, last;

	if (!f)
		return p;
	if (fscanf(f, "%u %u", &first, &last) == 2 && first <= last &&
	    last <= UINT16_MAX)
		p = (struct picked_ports){ .first = (uint16_t)first,
					   .last = (uint16_t)last };
	fclose(f);
	return p;
}

int listeners_read(int fd, const struct picked_ports *picked,
		   listeners_own_fn *own, void *ctx, struct listeners *set)
{
	static const unsigned char families[] = { AF_INET, AF_INET6 };
	struct dump d = { .picked = picked, .own = own, .ctx = ctx,
			  .set = set };
	int err;

	set->n = 0;
	for (unsigned i = 0; i < 4; i++) {
		d.udp = i >= 2;
		err = dump(fd, families[i % 2], &d);
		/* A kernel may lack IPv6, or the part of sock_diag for UDP. */
		if (err && (err != -ENOENT || !i))
			return err;
	}
	return 0;
}
