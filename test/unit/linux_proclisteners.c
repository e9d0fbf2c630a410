/* SPDX-License-Identifier: MIT */
/* test/unit/linux_proclisteners.c - lines of /proc/net, and a live look */
#include "linux/proclisteners.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/dial.h"
#include "test.h"

#define REST " 00000000:00000000 00:00000000 00000000     0        0 1 1 0"
#define NONE6 "00000000000000000000000000000000"

static const struct {
	const char *name, *line;
	bool v6, udp;
	const char *want;		/* NULL: none */
} cases[] = {
	{ "any", " 0: 00000000:1F40 00000000:0000 0A" REST, false, false,
	  "0.0.0.0:8000" },
	{ "any6", "10: " NONE6 ":1F40 " NONE6 ":0000 0A" REST, true, false,
	  "[::]:8000" },
	{ "UDP", " 3: 00000000:0035 00000000:0000 07" REST, false, true,
	  "0.0.0.0:53" },
	{ "a head", "  sl  local_address rem_address   st", false, false,
	  NULL },
	{ "connected", " 0: 00000000:1F40 00000000:0001 01" REST, false,
	  false, NULL },
	{ "UDP connected", " 0: 00000000:0035 00000000:0001 01" REST, false,
	  true, NULL },
	{ "port 0", " 0: 00000000:0000 00000000:0000 0A" REST, false, false,
	  NULL },
	{ "short", " 0: 000000:1F40 00000000:0000 0A" REST, false, false,
	  NULL },
	{ "cut", " 0: 00000000:1F40", false, false, NULL },
	{ "nothing", "", false, false, NULL },
};

static void check_lines(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[ENDPOINT_TEXT_BYTES];
		struct listener l = { .at.port = 7 };
		const bool found = proclisteners_line(cases[i].line,
						      cases[i].v6,
						      cases[i].udp, &l);

		CHECK(cases[i].name, found == !!cases[i].want);
		if (cases[i].want)
			CHECK(cases[i].name, !strcmp(endpoint_format(&l.at,
						text), cases[i].want));
		else
			CHECK(cases[i].name, l.at.port == 7);
	}
}

static bool has(const struct listeners *set, const struct endpoint *at)
{
	for (uint32_t i = 0; i < set->n; i++)
		if (set->v[i].at.port == at->port &&
		    ip_equal(&set->v[i].at.ip, &at->ip))
			return true;
	return false;
}

/* One at loopback is found there, and gone with its end. */
static void check_live(const struct ip *ip)
{
	static struct listeners set;
	const struct picked_ports picked = LISTENERS_PICKED_NEW;
	struct endpoint at = { .ip = *ip };
	struct sockaddr_in6 sa;
	socklen_t len = sizeof(sa);
	const int fd = dial_bind(&at, "", false);

	if (fd < 0)
		return;			/* a machine without IPv6 */
	CHECK("listens", listen(fd, 1) == 0 &&
	      getsockname(fd, (struct sockaddr *)&sa, &len) == 0);
	at.port = ntohs(sa.sin6_port);	/* at the same place in both */
	CHECK("read", proclisteners_read(&picked, &set) == 0);
	CHECK("found", has(&set, &at));
	close(fd);
	CHECK("read", proclisteners_read(&picked, &set) == 0);
	CHECK("gone", !has(&set, &at));
}

void test_linux_proclisteners(void);
void test_linux_proclisteners(void)
{
	const struct ip four = ip_from_v4(0x7f000001u);
	const struct ip six = { .b[15] = 1 };

	check_lines();
	check_live(&four);
	check_live(&six);
}
