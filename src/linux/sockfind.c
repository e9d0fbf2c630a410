/* SPDX-License-Identifier: MIT */
#include "linux/sockfind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/sockdiag.h"

#define STATE_ESTABLISHED	1	/* the kernel's; of UDP: connected */
#define STATE_CLOSE		7	/* of UDP: not connected */
#define STATE_LISTEN		10
#define LINE_BYTES		256	/* no list has longer ones */
#define ANY_PROTOCOL		255	/* IPPROTO_RAW: headers of its own */

/* ---- pure ---- */

static bool is_set(const struct endpoint *e)
{
	return e->port || !ip_is_unspecified(&e->ip);
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ip_equal(&a->ip, &b->ip);
}

static struct endpoint take_end(bool v6, const uint32_t *ip_be,
				uint16_t port_be)
{
	struct endpoint e = { .port = ntohs(port_be) };

	if (v6)
		memcpy(e.ip.b, ip_be, sizeof(e.ip.b));
	else
		e.ip = ip_from_v4(ntohl(*ip_be));
	return e;
}

static bool is_v6only(struct view left)
{
	struct nlmsg_attr a;
	bool v6only = false;

	while (nlmsg_attr_next(&left, &a))
		if (a.type == INET_DIAG_SKV6ONLY)
			v6only = nlmsg_attr_u8(&a);
	return v6only;
}

bool sockfind_parse(const void *answer, size_t len,
		    struct sockfind_socket *out)
{
	struct inet_diag_msg m;
	struct sockfind_socket s = { .v6only = false };
	struct view left = { .p = answer, .len = len };

	if (len < sizeof(m))
		return false;
	memcpy(&m, answer, sizeof(m));
	left.p += sizeof(m);
	left.len -= sizeof(m);
	if (m.idiag_family != AF_INET && m.idiag_family != AF_INET6)
		return false;
	s.v6 = m.idiag_family == AF_INET6;
	s.local = take_end(s.v6, m.id.idiag_src, m.id.idiag_sport);
	s.remote = take_end(s.v6, m.id.idiag_dst, m.id.idiag_dport);
	s.listens = m.idiag_state == STATE_LISTEN;
	s.inode = m.idiag_inode;
	if (s.v6)
		s.v6only = is_v6only(left);
	*out = s;
	return true;
}

/* Eight digits of the list are four bytes as they lie in memory. */
static bool take_words(const char **at, unsigned n, uint32_t *out_be)
{
	for (unsigned i = 0; i < n; i++, *at += 8)
		if (strspn(*at, "0123456789ABCDEF") < 8 ||
		    sscanf(*at, "%8x", &out_be[i]) != 1)
			return false;
	return *(*at)++ == ':';
}

/* An address, ":", and the number that stands for a port. */
static bool take_listed_end(const char **at, bool v6, struct endpoint *out,
			    uint16_t *number)
{
	uint32_t ip_be[4];
	unsigned n;

	*at += strspn(*at, " ");
	if (!take_words(at, v6 ? 4 : 1, ip_be) || sscanf(*at, "%4x", &n) != 1)
		return false;
	*at += strcspn(*at, " ");
	*out = take_end(v6, ip_be, 0);
	*number = (uint16_t)n;
	return true;
}

bool sockfind_parse_line(const char *line, bool v6, uint16_t *number,
			 struct sockfind_socket *out)
{
	struct sockfind_socket s = { .v6 = v6, .v6only = v6 };
	const char *at = strchr(line, ':');
	uint16_t own, other;

	if (!at)
		return false;
	at++;
	if (!take_listed_end(&at, v6, &s.local, &own) ||
	    !take_listed_end(&at, v6, &s.remote, &other) ||
	    sscanf(at, " %*x %*s %*s %*s %*u %*d %u", &s.inode) != 1)
		return false;
	*number = own;
	*out = s;
	return true;
}

/* All addresses, the one meant among them? */
static bool is_any(const struct sockfind_socket *s, bool v4)
{
	if (!ip_is_unspecified(&s->local.ip))
		return false;
	return v4 ? ip_is4(&s->local.ip) || !s->v6only :
		    !ip_is4(&s->local.ip);
}

unsigned sockfind_rank(const struct sockfind_question *q,
		       const struct sockfind_socket *s)
{
	const bool v4 = ip_is4(&q->local.ip);
	const bool exact = ip_equal(&s->local.ip, &q->local.ip);
	const bool connected = is_set(&s->remote);

	if (s->local.port != q->local.port ||
	    (!q->anywhere && !exact && !is_any(s, v4)) ||
	    (connected && !same(&s->remote, &q->remote)) ||
	    s->listens != (q->listens && q->protocol == IPPROTO_TCP) ||
	    (!connected && !s->listens && q->protocol == IPPROTO_TCP))
		return 0;
	return 1u + (s->v6 != v4) + 2u * exact + 4u * connected;
}

void sockfind_offer(struct sockfind_found *found, unsigned rank,
		    uint32_t inode)
{
	if (!rank || !inode || rank < found->rank)
		return;
	if (rank > found->rank)
		found->n = 0;
	found->rank = rank;
	if (found->n < SOCKFIND_MAX)
		found->inode[found->n++] = inode;
}

/* ---- what the kernel says ---- */

struct search {
	const struct sockfind_question *q;
	struct sockfind_found *found;
};

static void consider(void *arg, const struct nlmsghdr *h)
{
	const struct search *s = arg;
	struct sockfind_socket socket;

	if (sockfind_parse(nlmsg_body(h, 0), h->nlmsg_len - NLMSG_HDRLEN,
			   &socket))
		sockfind_offer(s->found, sockfind_rank(s->q, &socket),
			       socket.inode);
}

/* All of that port; those of IPv6 may serve IPv4 as well. */
static void look_at_all(int diag, struct search *s)
{
	const bool tcp = s->q->protocol == IPPROTO_TCP;
	struct inet_diag_req_v2 what = {
		.sdiag_family = AF_INET,
		.sdiag_protocol = s->q->protocol,
		.idiag_states = tcp ? 1u << STATE_LISTEN :
				1u << STATE_CLOSE | 1u << STATE_ESTABLISHED,
		.id.idiag_sport = htons(s->q->local.port),
	};

	/* What fails has found nothing, or less: then nobody is found. */
	if (ip_is4(&s->q->local.ip) || s->q->anywhere)
		(void)!sockdiag_dump(diag, &what, consider, s);
	what.sdiag_family = AF_INET6;
	(void)!sockdiag_dump(diag, &what, consider, s);
}

static void put_ip(uint32_t out_be[4], const struct ip *ip)
{
	if (ip_is4(ip))
		out_be[0] = htonl(ip_to_v4(*ip));
	else
		memcpy(out_be, ip->b, sizeof(ip->b));
}

/*
 * The one that gets what the other end says; of the interface dev, or of none.
 * Of UDP the kernel takes the two ends the other way round ("for historical
 * reasons").
 */
static void look_at_one(int diag, unsigned dev, struct search *s)
{
	const struct sockfind_question *q = s->q;
	const bool tcp = q->protocol == IPPROTO_TCP;
	const struct endpoint *src = tcp ? &q->local : &q->remote;
	const struct endpoint *dst = tcp ? &q->remote : &q->local;
	struct inet_diag_req_v2 what = {
		.sdiag_family = ip_is4(&q->local.ip) ? AF_INET : AF_INET6,
		.sdiag_protocol = q->protocol,
		.idiag_states = ~0u,
		.id = {
			.idiag_sport = htons(src->port),
			.idiag_dport = htons(dst->port),
			.idiag_if = dev,
			.idiag_cookie = { INET_DIAG_NOCOOKIE,
					  INET_DIAG_NOCOOKIE },
		},
	};

	put_ip(what.id.idiag_src, &src->ip);
	put_ip(what.id.idiag_dst, &dst->ip);
	/* An error says that there is none. */
	(void)!sockdiag_one(diag, &what, consider, s);
}

static void look(const struct sockfind *f, struct search *s)
{
	const struct sockfind_question *q = s->q;
	const bool one = !q->listens &&
			 ip_is4(&q->local.ip) == ip_is4(&q->remote.ip);

	if (one)
		look_at_one(f->diag, 0, s);
	/* One that is bound to an interface is found by that only. */
	if (one && !s->found->n && f->dev)
		look_at_one(f->diag, f->dev, s);
	if (q->listens || (!s->found->n && q->protocol == IPPROTO_UDP))
		look_at_all(f->diag, s);
}

/* Nobody waits at that loopback address: who else would get the client? */
static void look_elsewhere(const struct sockfind *f, struct search *s)
{
	struct sockfind_question q = *s->q;

	s->q = &q;
	q.local.ip = ip_is4(&q.local.ip) ? (struct ip){ .b[15] = 1 } :
					   ip_from_v4(INADDR_LOOPBACK);
	look(f, s);
	q.anywhere = true;
	if (!s->found->n)
		look(f, s);
}

/* ---- lists of /proc/net ---- */

static void consider_line(const struct search *s, const char *line, bool ping)
{
	struct sockfind_question q = *s->q;
	struct sockfind_socket socket;
	uint16_t number;

	if (!sockfind_parse_line(line, !ip_is4(&q.local.ip), &number, &socket))
		return;
	if (ping ? q.local.port && number != q.local.port :
	    number != q.protocol && number != ANY_PROTOCOL)
		return;
	q.local.port = q.remote.port = 0;
	sockfind_offer(s->found, sockfind_rank(&q, &socket), socket.inode);
}

/* fd: of the list; -1: there is none. */
static void read_list(int fd, const struct search *s, bool ping)
{
	char buf[16 * LINE_BYTES];
	size_t len = 0;
	off_t at = 0;
	ssize_t n;

	while (at < SOCKFIND_LIST_BYTES &&
	       (n = pread(fd, buf + len, sizeof(buf) - len, at)) > 0) {
		char *line = buf, *end;

		at += n;
		len += (size_t)n;
		while ((end = memchr(line, '\n', len))) {
			*end = '\0';
			consider_line(s, line, ping);
			len -= (size_t)(end + 1 - line);
			line = end + 1;
		}
		if (len >= LINE_BYTES)
			return;		/* no list that we know */
		memmove(buf, line, len);
	}
}

bool sockfind(const struct sockfind *f, const struct sockfind_question *q,
	      struct sockfind_found *out)
{
	struct sockfind_found found = { .n = 0 };
	struct search s = { .q = q, .found = &found };
	const bool v6 = !ip_is4(&q->local.ip);

	if (q->protocol == IPPROTO_ICMP || q->protocol == IPPROTO_ICMPV6) {
		read_list(f->ping[v6], &s, true);
		if (!found.n)
			read_list(f->raw[v6], &s, false);
	} else if (f->diag >= 0 && (q->protocol == IPPROTO_TCP ||
				    q->protocol == IPPROTO_UDP)) {
		look(f, &s);
		if (!found.n && q->listens && q->protocol == IPPROTO_TCP &&
		    ip_is_loopback(&q->local.ip))
			look_elsewhere(f, &s);
	}
	if (!found.n)
		return false;
	*out = found;
	return true;
}

int sockfind_open(struct sockfind *out, const char *dev)
{
	const int diag = sockdiag_open();
	const int flags = O_RDONLY | O_CLOEXEC;

	if (diag < 0)
		return diag;
	*out = (struct sockfind){
		.diag = diag,
		.ping = { open("/proc/thread-self/net/icmp", flags),
			  open("/proc/thread-self/net/icmp6", flags) },
		.raw = { open("/proc/thread-self/net/raw", flags),
			 open("/proc/thread-self/net/raw6", flags) },
		.dev = *dev ? if_nametoindex(dev) : 0,
	};
	return 0;
}

void sockfind_close(struct sockfind *f)
{
	const int all[] = { f->diag, f->ping[0], f->ping[1], f->raw[0],
			    f->raw[1] };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= 0)
			close(all[i]);
	*f = SOCKFIND_NONE;
}
