/* SPDX-License-Identifier: MIT */
/*
 * test/unit/linux_sockfind.c - which socket is meant: by what is known of it,
 * and then the kernel's own sockets in this very process.
 */
#include "linux/sockfind.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exact.h"
#include "linux/sockaddr.h"
#include "test.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum { TCP = IPPROTO_TCP, UDP = IPPROTO_UDP };

static struct endpoint end(const char *ip, uint16_t port)
{
	struct endpoint e = { .port = port };

	if (!ip_parse(ip, &e.ip))
		abort();
	return e;
}

/* ---- the choice ---- */

/* Ports: 80 at the local end of the question, 1000 at the remote. */
static const struct {
	const char *name;
	uint8_t protocol;
	bool listens;
	const char *local, *remote;	/* of the question */
	const char *at;			/* the socket's */
	uint16_t port;
	const char *to;			/* it is connected to; NULL: not */
	uint16_t to_port;
	bool v6, v6only, waits;
	unsigned want;			/* its rank */
} ranks[] = {
	{ "a client", TCP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, "10.0.0.2", 1000, .want = 8 },
	{ "a client of IPv6", TCP, false, "fd00::1", "fd00::2",
	  "fd00::1", 80, "fd00::2", 1000, true, .want = 8 },
	{ "IPv4 by a socket of IPv6", TCP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, "10.0.0.2", 1000, true, .want = 7 },
	{ "another port of its own", TCP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 81, "10.0.0.2", 1000 },
	{ "another address of its own", TCP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.3", 80, "10.0.0.2", 1000 },
	{ "another far port", TCP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, "10.0.0.2", 1001 },
	{ "another far end", TCP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, "10.0.0.3", 1000 },
	{ "a server is no client", TCP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, NULL, 0, .waits = true },
	{ "bound, no more", TCP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80 },

	{ "a server", TCP, true, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, .waits = true, .want = 4 },
	{ "at all of IPv4", TCP, true, "10.0.0.1", "10.0.0.2",
	  "0.0.0.0", 80, .waits = true, .want = 2 },
	{ "at all of both", TCP, true, "10.0.0.1", "10.0.0.2",
	  "::", 80, .v6 = true, .waits = true, .want = 1 },
	{ "at all of IPv6", TCP, true, "10.0.0.1", "10.0.0.2",
	  "::", 80, .v6 = true, .v6only = true, .waits = true },
	{ "at all of IPv4, as a mapped one", TCP, true, "10.0.0.1", "10.0.0.2",
	  "0.0.0.0", 80, .v6 = true, .waits = true, .want = 1 },
	{ "IPv6, at all of both", TCP, true, "fd00::1", "fd00::2",
	  "::", 80, .v6 = true, .waits = true, .want = 2 },
	{ "IPv6, at all of it", TCP, true, "fd00::1", "fd00::2",
	  "::", 80, .v6 = true, .v6only = true, .waits = true, .want = 2 },
	{ "IPv6 is not IPv4", TCP, true, "fd00::1", "fd00::2",
	  "0.0.0.0", 80, .waits = true },
	{ "IPv6, at IPv4 by a mapped one", TCP, true, "fd00::1", "fd00::2",
	  "0.0.0.0", 80, .v6 = true, .waits = true },
	{ "a server elsewhere", TCP, true, "10.0.0.1", "10.0.0.2",
	  "127.0.0.1", 80, .waits = true },
	{ "its client is not the server", TCP, true, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, "10.0.0.2", 1000 },

	{ "datagrams, to anybody", UDP, false, "10.0.0.1", "10.0.0.2",
	  "0.0.0.0", 80, .want = 2 },
	{ "datagrams, from there", UDP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, .want = 4 },
	{ "datagrams, connected", UDP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, "10.0.0.2", 1000, .want = 8 },
	{ "datagrams, to somebody else", UDP, false, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, "10.0.0.2", 53 },
	{ "a server of them", UDP, true, "10.0.0.1", "10.0.0.2",
	  "::", 80, .v6 = true, .want = 1 },
	{ "a server connected to its client", UDP, true, "10.0.0.1",
	  "10.0.0.2", "10.0.0.1", 80, "10.0.0.2", 1000, .want = 8 },
	{ "connected to another's", UDP, true, "10.0.0.1", "10.0.0.2",
	  "10.0.0.1", 80, "10.0.0.3", 1000 },
};

static void check_rank(size_t i)
{
	const struct sockfind_question q = {
		.listens = ranks[i].listens, .protocol = ranks[i].protocol,
		.local = end(ranks[i].local, 80),
		.remote = end(ranks[i].remote, 1000),
	};
	struct sockfind_socket s = {
		.local = end(ranks[i].at, ranks[i].port),
		.v6 = ranks[i].v6, .v6only = ranks[i].v6only,
		.listens = ranks[i].waits, .inode = 1,
	};

	s.remote = ranks[i].to ? end(ranks[i].to, ranks[i].to_port) :
		   end(s.v6 ? "::" : "0.0.0.0", 0);
	CHECK(ranks[i].name, sockfind_rank(&q, &s) == ranks[i].want);
}

static void check_offers(void)
{
	struct sockfind_found f = { .n = 0 };

	sockfind_offer(&f, 0, 7);
	CHECK("not meant", f.n == 0);
	sockfind_offer(&f, 2, 0);
	CHECK("nobody's", f.n == 0);
	sockfind_offer(&f, 2, 7);
	sockfind_offer(&f, 1, 8);
	CHECK("the better one", f.n == 1 && f.inode[0] == 7);
	sockfind_offer(&f, 2, 9);
	CHECK("both", f.n == 2 && f.inode[1] == 9);
	sockfind_offer(&f, 4, 10);
	CHECK("a better one", f.n == 1 && f.inode[0] == 10);
	for (uint32_t i = 0; i < 2 * SOCKFIND_MAX; i++)
		sockfind_offer(&f, 8, 100 + i);
	CHECK("bounded", f.n == SOCKFIND_MAX && f.inode[0] == 100);
}

/* ---- what the kernel writes ---- */

struct answer {
	struct inet_diag_msg m;
	struct nlattr a;
	uint8_t v6only, pad[3];
};

static void check_cuts(const struct answer *a)
{
	for (size_t n = 0; n <= sizeof(*a); n++) {
		struct sockfind_socket s = { .inode = 99 };
		uint8_t *p = exact(a, n);
		const bool whole = n >= offsetof(struct answer, pad);

		CHECK("cut", sockfind_parse(p, n, &s) == (n >= sizeof(a->m)));
		CHECK("cut", n >= sizeof(a->m) ? s.inode == 5 :
						 s.inode == 99);
		CHECK("cut", n < sizeof(a->m) || s.v6only == whole);
		free(p);
	}
}

static void check_parse(void)
{
	struct answer a = {
		.m = {
			.idiag_family = AF_INET6, .idiag_state = 10,
			.id.idiag_sport = htons(80), .idiag_inode = 5,
		},
		.a = { .nla_len = sizeof(a.a) + 1,
		       .nla_type = INET_DIAG_SKV6ONLY },
		.v6only = 1,
	};
	const struct endpoint local = end("fd00::1", 80), far = end("::", 0);
	struct sockfind_socket s;

	memcpy(a.m.id.idiag_src, local.ip.b, 16);
	check_cuts(&a);
	CHECK("IPv6", sockfind_parse(&a, sizeof(a), &s) && s.v6 && s.v6only &&
		      s.listens && s.local.port == 80 &&
		      ip_equal(&s.local.ip, &local.ip) &&
		      ip_equal(&s.remote.ip, &far.ip));
	a.v6only = 0;
	CHECK("of both", sockfind_parse(&a, sizeof(a), &s) && !s.v6only);
	a.m.idiag_family = AF_INET;
	a.m.idiag_state = 1;
	a.m.id.idiag_src[0] = htonl(0x0a000001);
	a.v6only = 1;
	CHECK("IPv4", sockfind_parse(&a, sizeof(a), &s) && !s.v6 &&
		      !s.v6only && !s.listens &&
		      ip_to_v4(s.local.ip) == 0x0a000001);
	a.m.idiag_family = AF_UNIX;
	CHECK("no family of ours", !sockfind_parse(&a, sizeof(a), &s));
}

#define TAIL " 07 00000000:00000000 00:00000000 00000000  1000        0 "
#define ZERO6 "00000000000000000000000000000000"

static const struct {
	const char *name, *line;
	bool v6, want;
	uint16_t number;
	const char *local, *remote;
	uint32_t inode;
} lines[] = {
	{ "a ping", "  12: 00000000:0007 00000000:0000" TAIL "4711 2 0 0",
	  false, true, 7, "0.0.0.0", "0.0.0.0", 4711 },
	{ "connected", "   0: 0100007F:FFFF 0200007F:0000" TAIL "1 2 0 0",
	  false, true, 0xffff, "127.0.0.1", "127.0.0.2", 1 },
	{ "IPv6", "   0: 000000FD000000000000000001000000:0001 " ZERO6
	  ":0000" TAIL "5 2 0 0", true, true, 1, "fd00::1", "::", 5 },

	{ "the heading", "  sl  local_address rem_address   st", false },
	{ "nothing", "", false },
	{ "no end", "   0:", false },
	{ "half an address", "   0: 0100", false },
	{ "no second", "   0: 0100007F:FFFF", false },
	{ "no inode", "   0: 0100007F:FFFF 0200007F:0000 07", false },
	{ "another family", "   0: 0100007F:FFFF 0200007F:0000" TAIL "1 2",
	  true },
	{ "words", "   0: ABCDEFGH:0001 0200007F:0000" TAIL "1 2", false },
};

static void check_line(size_t i)
{
	struct endpoint local, remote;
	struct sockfind_socket s;
	uint16_t number = 99;
	/* A copy that ends where it ends. */
	char *line = (char *)exact(lines[i].line, strlen(lines[i].line) + 1);
	const bool got = sockfind_parse_line(line, lines[i].v6, &number, &s);

	CHECK(lines[i].name, got == lines[i].want);
	free(line);
	if (!got || !lines[i].want) {
		CHECK(lines[i].name, number == 99);
		return;
	}
	CHECK(lines[i].name, number == lines[i].number &&
			     s.inode == lines[i].inode && !s.listens);
	local = end(lines[i].local, 0);
	remote = end(lines[i].remote, 0);
	CHECK(lines[i].name, ip_equal(&s.local.ip, &local.ip) &&
			     ip_equal(&s.remote.ip, &remote.ip));
}

/* ---- the kernel's sockets ---- */

/* A socket that this test has made; fd -1: the machine lacks that. */
struct made {
	int fd;
	uint32_t inode;
	struct endpoint at;
};

static void look_at(struct made *m)
{
	struct sockaddr_any sa;
	socklen_t len = sizeof(sa);
	struct stat st;

	if (m->fd < 0)
		return;
	if (fstat(m->fd, &st) || getsockname(m->fd, &sa.sa, &len) ||
	    !sockaddr_to(&sa, &m->at))
		abort();
	m->inode = (uint32_t)st.st_ino;
}

/* ip "" is :: of both families. port 0: the kernel's choice. */
static struct made make(int type, int protocol, const char *ip, uint16_t port)
{
	const struct endpoint at = end(*ip ? ip : "::", port);
	const int on = 1, v6only = *ip != '\0';
	struct sockaddr_any sa;
	const socklen_t len = sockaddr_from(&sa, &at);
	struct made m = {
		.fd = socket(sa.sa.sa_family, type | SOCK_CLOEXEC, protocol),
	};

	if (m.fd < 0)
		return m;
	if (sa.sa.sa_family == AF_INET6)
		setsockopt(m.fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
			   sizeof(v6only));
	setsockopt(m.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(m.fd, &sa.sa, len) ||
	    (type == SOCK_STREAM && listen(m.fd, 4))) {
		close(m.fd);
		m.fd = -1;
	}
	look_at(&m);
	return m;
}

/* dev: the interface that it is bound to; "": none. */
static struct made client(int type, int protocol, bool v6,
			  const struct endpoint *to, const char *dev)
{
	struct endpoint at = *to;
	struct sockaddr_any sa;
	socklen_t len;
	struct made m = {
		.fd = socket(v6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC,
			     protocol),
	};

	len = sockaddr_from(&sa, &at);
	if (v6 && ip_is4(&at.ip)) {
		sa.in6.sin6_family = AF_INET6;
		sa.in6.sin6_port = htons(at.port);
		memcpy(&sa.in6.sin6_addr, at.ip.b, 16);
		len = sizeof(sa.in6);
	}
	if (m.fd >= 0 &&
	    ((*dev && setsockopt(m.fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
				 (socklen_t)strlen(dev))) ||
	     connect(m.fd, &sa.sa, len))) {
		close(m.fd);
		m.fd = -1;
	}
	look_at(&m);
	return m;
}

static void unmake(struct made *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}

/* How many are found, and is the first of them that one? */
static bool finds(const struct sockfind *f, uint8_t protocol, bool listens,
		  const struct endpoint *local, const struct endpoint *remote,
		  unsigned n, uint32_t inode)
{
	const struct sockfind_question q = {
		.listens = listens, .protocol = protocol,
		.local = *local, .remote = *remote,
	};
	struct sockfind_found found = { .n = 0 };

	if (!sockfind(f, &q, &found))
		return n == 0;
	for (unsigned i = 0; i < found.n; i++)
		if (found.inode[i] == inode)
			return found.n == n;
	return false;
}

static const struct {
	const char *name, *ip;		/* "": all of both families */
	const char *to;			/* where a client goes */
	bool v6;			/* by a socket of IPv6 */
} ways[] = {
	{ "IPv4", "127.0.0.1", "127.0.0.1", false },
	{ "IPv4, any", "0.0.0.0", "127.0.0.2", false },
	{ "IPv6", "::1", "::1", true },
	{ "both, by IPv6", "", "::1", true },
	{ "both, by IPv4", "", "127.0.0.2", false },
	{ "both, by IPv4 in IPv6", "", "127.0.0.2", true },
};

static void check_way(const struct sockfind *f, size_t i, int type,
		      int protocol)
{
	const uint8_t proto = type == SOCK_STREAM ? TCP : UDP;
	struct made s = make(type, protocol, ways[i].ip, 0), c = { .fd = -1 };
	struct endpoint to, nobody;

	if (s.fd < 0)
		return;
	to = end(ways[i].to, s.at.port);
	nobody = end(ip_is4(&to.ip) ? "127.0.0.9" : "::9", 9);
	CHECK(ways[i].name, finds(f, proto, true, &to, &nobody, 1, s.inode));
	c = client(type, protocol, ways[i].v6, &to, "");
	CHECK(ways[i].name, c.fd >= 0);
	CHECK(ways[i].name, finds(f, proto, false, &c.at, &to, 1, c.inode));
	CHECK(ways[i].name, finds(f, proto, false, &c.at, &nobody, 0, 0));
	CHECK(ways[i].name, finds(f, proto, true, &to, &nobody, 1, s.inode));
	nobody = c.at;
	unmake(&c);
	CHECK(ways[i].name, proto == TCP ||
	      finds(f, proto, false, &nobody, &to, 0, 0));
	unmake(&s);
	CHECK(ways[i].name, finds(f, proto, true, &to, &nobody, 0, 0));
}

/* Who is led to a loopback address where nobody waits gets the next one. */
static void check_elsewhere(const struct sockfind *f)
{
	struct made s = make(SOCK_STREAM, 0, "127.0.0.1", 0);
	struct endpoint six, other, nobody = end("::9", 9);

	if (s.fd < 0)
		return;
	six = end("::1", s.at.port);
	other = end("2001:db8::1", s.at.port);
	CHECK("the other loopback",
	      finds(f, TCP, true, &six, &nobody, 1, s.inode));
	CHECK("not of datagrams", finds(f, UDP, true, &six, &nobody, 0, 0));
	CHECK("not from elsewhere",
	      finds(f, TCP, true, &other, &nobody, 0, 0));
	unmake(&s);
	s = make(SOCK_STREAM, 0, "127.0.0.3", 0);
	six = end("::1", s.at.port);
	CHECK("any address",
	      s.fd < 0 || finds(f, TCP, true, &six, &nobody, 1, s.inode));
	unmake(&s);
}

/* A connection by an interface and no other: "lo", as check_kernel() says. */
static void check_bound(const struct sockfind *f)
{
	struct made s = make(SOCK_STREAM, 0, "127.0.0.1", 0);
	struct made c = { .fd = -1 };

	if (s.fd >= 0)
		c = client(SOCK_STREAM, 0, false, &s.at, "lo");
	if (c.fd >= 0)
		CHECK("bound to it",
		      finds(f, TCP, false, &c.at, &s.at, 1, c.inode));
	unmake(&s);
	unmake(&c);
}

/* Datagrams of a socket that is not connected; of one at an interface. */
static void check_loose(const struct sockfind *f)
{
	struct made s = make(SOCK_DGRAM, 0, "0.0.0.0", 0);
	struct endpoint at, far = end("127.0.0.2", 53);

	if (s.fd < 0)
		return;
	at = end("127.0.0.1", s.at.port);
	CHECK("to anybody", finds(f, UDP, false, &at, &far, 1, s.inode));
	if (setsockopt(s.fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) == 0)
		CHECK("by an interface",
		      finds(f, UDP, false, &at, &far, 1, s.inode));
	unmake(&s);
}

static void check_alike(const struct sockfind *f)
{
	struct made a = make(SOCK_STREAM, 0, "0.0.0.0", 0);
	struct made b = { .fd = -1 }, c = { .fd = -1 };
	struct endpoint at, far = end("127.0.0.2", 9);

	if (a.fd < 0)
		return;
	b = make(SOCK_STREAM, 0, "0.0.0.0", a.at.port);
	at = end("127.0.0.1", a.at.port);
	CHECK("alike", finds(f, TCP, true, &at, &far, 2, a.inode) &&
		       finds(f, TCP, true, &at, &far, 2, b.inode));
	c = make(SOCK_STREAM, 0, "127.0.0.1", a.at.port);
	CHECK("rather there", finds(f, TCP, true, &at, &far, 1, c.inode));
	at = end("127.0.0.2", a.at.port);
	CHECK("not there", finds(f, TCP, true, &at, &far, 2, a.inode));
	unmake(&a);
	unmake(&b);
	unmake(&c);
}

/* Echo: where the machine allows a socket of it. */
static void check_echo(const struct sockfind *f, bool v6)
{
	const uint8_t proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	const struct endpoint far = end(v6 ? "::1" : "127.0.0.1", 0);
	struct endpoint at = end(v6 ? "::1" : "127.0.0.1", 0);
	const char *any = v6 ? "::" : "0.0.0.0";
	struct made raw = make(SOCK_RAW, proto, any, 0), other, ping;

	if (raw.fd >= 0)
		CHECK("raw", finds(f, proto, false, &at, &far, 1, raw.inode));
	other = make(SOCK_RAW, TCP, any, 0);
	if (raw.fd >= 0)
		CHECK("raw, of another",
		      finds(f, proto, false, &at, &far, 1, raw.inode));
	ping = make(SOCK_DGRAM, proto, any, 0);
	if (ping.fd >= 0) {
		CHECK("any ping", finds(f, proto, false, &at, &far, 1,
					ping.inode));
		at.port = ping.at.port;
		CHECK("that ping", finds(f, proto, false, &at, &far, 1,
					 ping.inode));
		at.port ^= 1;
		CHECK("no ping", finds(f, proto, false, &at, &far,
				       raw.fd >= 0, raw.inode));
	}
	unmake(&raw);
	unmake(&other);
	unmake(&ping);
	CHECK("none", finds(f, proto, false, &at, &far, 0, 0));
}

static void check_kernel(void)
{
	struct sockfind f = SOCKFIND_NONE;
	const struct endpoint at = end("127.0.0.1", 1);

	CHECK("nothing to ask", finds(&f, TCP, true, &at, &at, 0, 0) &&
				finds(&f, UDP, false, &at, &at, 0, 0) &&
				finds(&f, 1, false, &at, &at, 0, 0));
	if (sockfind_open(&f, "lo") < 0)
		return;			/* no sock_diag here */
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		check_way(&f, i, SOCK_STREAM, 0);
		check_way(&f, i, SOCK_STREAM, IPPROTO_MPTCP);
		check_way(&f, i, SOCK_DGRAM, 0);
	}
	check_elsewhere(&f);
	check_bound(&f);
	check_loose(&f);
	check_alike(&f);
	check_echo(&f, false);
	check_echo(&f, true);
	CHECK("no protocol of ours", finds(&f, 132, true, &at, &at, 0, 0));
	sockfind_close(&f);
	CHECK("closed", f.diag == -1 && f.raw[1] == -1);
}

void test_linux_sockfind(void);
void test_linux_sockfind(void)
{
	for (size_t i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++)
		check_rank(i);
	check_offers();
	check_parse();
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		check_line(i);
	check_kernel();
}
