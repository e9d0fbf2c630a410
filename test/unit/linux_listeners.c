/* SPDX-License-Identifier: MIT */
/* test/unit/linux_listeners.c - what is told of listeners that change. */
#include "linux/listeners.h"

#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/dial.h"
#include "linux/sockaddr.h"
#include "test.h"

#define MAX_TOLD 8

struct log {
	unsigned n;			/* told, also what was not taken */
	unsigned take;			/* how many more are taken */
	bool refuse_gone;		/* but none of those */
	struct {
		bool gone;
		uint16_t port;
	} told[MAX_TOLD];
};

static bool tell(void *ctx, bool gone, const struct listener *l)
{
	struct log *log = ctx;

	if (log->n < MAX_TOLD) {
		log->told[log->n].gone = gone;
		log->told[log->n].port = l->at.port;
	}
	log->n++;
	if (gone && log->refuse_gone)
		return false;
	return log->take && log->take--;
}

static struct listener on(uint16_t port)
{
	return (struct listener){ .at = { ip_from_v4(0), port } };
}

/* A set of the ports in a string, one letter a port. */
static void set_of(struct listeners *set, const char *ports)
{
	set->n = 0;
	for (; *ports; ports++) {
		const struct listener l = on((uint16_t)*ports);

		listeners_add(set, &l);
	}
}

static const struct {
	const char *name;
	const char *known, *seen;
	unsigned take;			/* tell() takes so many */
	const char *told;		/* "-a+b": a gone, b began */
	const char *after;		/* known then */
} cases[] = {
	{ "nothing", "", "", 9, "", "" },
	{ "first", "", "b", 9, "+b", "b" },
	{ "same", "ab", "ab", 9, "", "ab" },
	{ "order does not count", "ab", "ba", 9, "", "ab" },
	{ "twice is once", "a", "aab", 9, "+b", "ab" },
	{ "last", "b", "", 9, "-b", "" },
	{ "before", "b", "ab", 9, "+a", "ab" },
	{ "after", "b", "bc", 9, "+c", "bc" },
	{ "gone before began", "bd", "ac", 9, "-b-d+a+c", "ac" },
	{ "between", "ace", "abcde", 9, "+b+d", "abcde" },

	{ "gone, not told", "ab", "b", 0, "-a", "ab" },
	{ "began, not told", "a", "ab", 0, "+b", "a" },
	{ "told in part", "ab", "cd", 1, "-a-b+c+d", "b" },
	{ "told but the last", "ab", "cd", 3, "-a-b+c+d", "c" },
};

static bool same_log(const struct log *log, const char *want)
{
	for (unsigned i = 0; i < log->n; i++, want += 2)
		if (!want[0] || log->told[i].gone != (want[0] == '-') ||
		    log->told[i].port != (uint16_t)want[1])
			return false;
	return !*want;
}

static void check_case(size_t i, struct listeners *set)
{
	struct listeners *known = &set[0], *seen = &set[1], *want = &set[2];
	struct log log = { .take = cases[i].take };
	const char *name = cases[i].name;

	set_of(known, cases[i].known);
	set_of(seen, cases[i].seen);
	set_of(want, cases[i].after);
	listeners_diff(known, seen, tell, &log);
	CHECK(name, same_log(&log, cases[i].told));
	CHECK(name, known->n == want->n);
	for (uint32_t k = 0; k < known->n && k < want->n; k++)
		CHECK(name, known->v[k].at.port == want->v[k].at.port);

	/* What was not told is told by the next one, and then no more. */
	log = (struct log){ .take = 9 };
	listeners_diff(known, seen, tell, &log);
	log = (struct log){ .take = 9 };
	listeners_diff(known, seen, tell, &log);
	CHECK(name, log.n == 0 && known->n == seen->n);
}

/* A guest with too many: the lowest are known, and none is lost. */
static void check_bound(struct listeners *set)
{
	struct log log = { .take = UINT32_MAX, .refuse_gone = true };

	set[0].n = set[1].n = 0;
	for (unsigned port = 3000; port > 1000; port--) {
		const struct listener l = on((uint16_t)port);

		listeners_add(&set[0], &l);
	}
	CHECK("bounded", set[0].n == LISTENERS_MAX);
	CHECK("lowest", set[0].v[0].at.port == 1001);
	CHECK("highest", set[0].v[LISTENERS_MAX - 1].at.port ==
			 1000 + LISTENERS_MAX);

	/* Full of what could not be told gone: no room, nothing pushed out. */
	set_of(&set[1], "a");
	listeners_diff(&set[0], &set[1], tell, &log);
	CHECK("full", set[0].n == LISTENERS_MAX && set[0].v[0].at.port == 1001);
	log.refuse_gone = false;
	listeners_diff(&set[0], &set[1], tell, &log);
	CHECK("emptied", set[0].n == 1 && set[0].v[0].at.port == 'a');
}

/* Families, addresses and v6only are told apart. */
static void check_kinds(struct listeners *set)
{
	const struct listener kinds[] = {
		{ .at = { ip_from_v4(0), 80 } },
		{ .at = { ip_from_v4(0x7f000001), 80 } },
		{ .at = { { { 0 } }, 80 } },
		{ .at = { { { 0 } }, 80 }, .v6only = true },
		{ .at = { { { 0 } }, 80 }, .udp = true },
	};

	set->n = 0;
	for (unsigned i = 0; i < 10; i++)
		listeners_add(set, &kinds[i % 5]);
	CHECK("five kinds", set->n == 5);
}

static bool has(const struct listeners *set, const struct listener *l)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (set->v[i].at.port == l->at.port &&
		    ip_equal(&set->v[i].at.ip, &l->at.ip) &&
		    set->v[i].v6only == l->v6only &&
		    set->v[i].udp == l->udp && set->v[i].casual == l->casual)
			return true;
	return false;
}

static bool is_own(void *ctx, const struct listener *l, uint64_t cookie)
{
	(void)l;
	return cookie == *(const uint64_t *)ctx;
}

/* The kernel's list, with a listener of this test in it and then not. */
static void check_kernel(struct listeners *set, const char *ip, int v6only,
			 bool udp)
{
	/* The kernel picks the port: a client's, if this is the range. */
	const struct picked_ports all = { .first = 1, .last = 65535 };
	const struct picked_ports none = { .first = 1, .last = 0 };
	struct listener l = { .v6only = v6only, .udp = udp };
	struct sockaddr_any sa;
	uint64_t own = 0;
	socklen_t len;
	int s, diag;

	if (!ip_parse(ip, &l.at.ip))
		abort();
	len = sockaddr_from(&sa, &l.at);
	s = socket(sa.sa.sa_family, (udp ? SOCK_DGRAM : SOCK_STREAM) |
		   SOCK_CLOEXEC, 0);
	diag = listeners_open();
	if (sa.sa.sa_family == AF_INET6)
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
			   sizeof(v6only));
	/* No such family here, or no sock_diag: nothing to be tested. */
	if (diag < 0 || bind(s, &sa.sa, len) || (!udp && listen(s, 1)) ||
	    getsockname(s, &sa.sa, &len) || !sockaddr_to(&sa, &l.at) ||
	    listeners_read(diag, &none, is_own, &own, set))
		goto out;
	CHECK(ip, has(set, &l));
	l.casual = udp;
	CHECK(ip, listeners_read(diag, &all, is_own, &own, set) == 0 && has(set, &l));
	own = dial_cookie(s);
	CHECK(ip, own && listeners_read(diag, &all, is_own, &own, set) == 0 &&
		  !has(set, &l));
	own = 0;
	/* A client: connected to itself, it listens to nobody else. */
	if (udp) {
		if (ip_is_loopback(&l.at.ip) && !connect(s, &sa.sa, len))
			CHECK(ip, listeners_read(diag, &all, is_own, &own, set) == 0 &&
				  !has(set, &l));
	}
	close(s);
	s = -1;
	CHECK(ip, listeners_read(diag, &all, is_own, &own, set) == 0 && !has(set, &l));
out:
	if (s >= 0)
		close(s);
	if (diag >= 0)
		close(diag);
}

/* One socket, and who would be heard by it. */
static const struct {
	const char *name, *bound;
	int v6only;
	bool there[4];		/* 127.0.0.1, 127.0.0.2, ::1, ::2 */
} ones[] = {
	{ "one address", "127.0.0.1", 0, { true } },
	{ "another", "127.0.0.2", 0, { false, true } },
	{ "all of IPv4", "0.0.0.0", 0, { true, true } },
	{ "all of both", "::", 0, { true, true, true, true } },
	{ "all of IPv6", "::", 1, { false, false, true, true } },
	{ "one of IPv6", "::1", 0, { false, false, true } },
};

static bool heard(int diag, const char *dev, const char *ip, uint16_t port,
		  bool udp)
{
	struct endpoint at = { .port = port };

	if (!ip_parse(ip, &at.ip))
		abort();
	return listeners_at(diag, if_nametoindex(dev), &at, udp);
}

static void check_heard(int diag, size_t i, uint16_t port, bool udp, bool there)
{
	static const char *const asked[] = { "127.0.0.1", "127.0.0.2", "::1",
					     "::2" };

	for (unsigned a = 0; a < 4; a++)
		CHECK(ones[i].name, heard(diag, "lo", asked[a], port, udp) ==
				    (there && ones[i].there[a]));
}

static void check_one(size_t i, bool udp)
{
	const int diag = listeners_open();
	struct endpoint at = { .port = 0 };
	struct sockaddr_any sa;
	socklen_t len;
	int s;

	if (!ip_parse(ones[i].bound, &at.ip))
		abort();
	len = sockaddr_from(&sa, &at);
	s = socket(sa.sa.sa_family, (udp ? SOCK_DGRAM : SOCK_STREAM) |
		   SOCK_CLOEXEC, 0);
	if (sa.sa.sa_family == AF_INET6)
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &ones[i].v6only,
			   sizeof(ones[i].v6only));
	if (diag < 0 || bind(s, &sa.sa, len) || getsockname(s, &sa.sa, &len) ||
	    !sockaddr_to(&sa, &at))
		goto out;
	check_heard(diag, i, at.port, udp, udp);
	if (!udp && listen(s, 1) == 0)
		check_heard(diag, i, at.port, udp, true);
	/* To whom an interface is all there is, others are none. */
	if (setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) == 0) {
		check_heard(diag, i, at.port, udp, true);
		CHECK(ones[i].name, !heard(diag, "", "127.0.0.1", at.port,
					   udp));
	}
	if (udp && ip_is_loopback(&at.ip) && connect(s, &sa.sa, len) == 0)
		check_heard(diag, i, at.port, udp, false);
	close(s);
	s = -1;
	check_heard(diag, i, at.port, udp, false);
out:
	if (s >= 0)
		close(s);
	if (diag >= 0)
		close(diag);
}

void test_linux_listeners(void);
void test_linux_listeners(void)
{
	struct listeners *set = calloc(3, sizeof(*set));

	if (!set)
		abort();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(i, set);
	check_bound(set);
	check_kinds(set);
	for (unsigned udp = 0; udp < 2; udp++) {
		check_kernel(set, "127.0.0.1", false, udp);
		check_kernel(set, "::", false, udp);
		check_kernel(set, "::", true, udp);
		check_kernel(set, "::1", true, udp);
	}
	for (size_t i = 0; i < 2 * sizeof(ones) / sizeof(ones[0]); i++)
		check_one(i / 2, i % 2);
	free(set);
}
