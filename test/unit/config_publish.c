/* SPDX-License-Identifier: MIT */
/* test/unit/config_publish.c - ports that are published, as they are written. */
#include "config/publish.h"

#include <stdio.h>
#include <string.h>

#include "test.h"

/* As it is read: address, interface, host's ports, the guest's first. */
static const struct {
	const char *text, *means;
} good[] = {
	{ "80", "* - 80-80:80" },
	{ "80/tcp", "* - 80-80:80" },
	{ "80/udp", "* - 80-80:80 udp" },
	{ "[::1]:80-81:90/udp", "::1 - 80-81:90 udp" },
	{ "8080:80", "* - 8080-8080:80" },
	{ "8000-8010", "* - 8000-8010:8000" },
	{ "8000-8010:9000", "* - 8000-8010:9000" },
	{ "1-65535", "* - 1-65535:1" },
	{ "192.0.2.1:80", "192.0.2.1 - 80-80:80" },
	{ "0.0.0.0:80:81", "0.0.0.0 - 80-80:81" },
	{ "127.0.0.1:8080-8081:80/tcp", "127.0.0.1 - 8080-8081:80" },
	{ "[::]:80", ":: - 80-80:80" },
	{ "[2001:db8::1]:8080:80", "2001:db8::1 - 8080-8080:80" },
	{ "%eth0:80", "* eth0 80-80:80" },
	{ "192.0.2.1%eth0:80", "192.0.2.1 eth0 80-80:80" },
	{ "[fe80::1%eth0]:80", "fe80::1 eth0 80-80:80" },
	{ "[fe80::1]%eth0:80", "fe80::1 eth0 80-80:80" },
	{ "65535:1", "* - 65535-65535:1" },
};

static const char *const bad[] = {
	"", "0", "65536", "80:0", "80:65536", "80-", "-80", "90-80", "80-65536",
	"80:65530-65540", "1-10:65530", "80/sctp", "80/UDP", "80/udp/udp", "80/", "80 ",
	"x", "x:80", "192.0.2.1", "192.0.2.1:", "192.0.2:80", "2001:db8::1:80",
	"[::1", "[::1]", "[::1]80", "[192.0.2.1]:80", "[]:80", "[%eth0]:80",
	"%:80", "%abcdefghijklmnop:80", "%a b:80", "%a\n9:80", "%\033[2J:80",
	"%a/b:80", "%\303\251:80", "[fe80::1]%a\n:80", "%\177:80",
 "224.0.0.1:80", "::1:80", ":80",
	"80:", "80::80", "80:80:80", "1.2.3.4:5:6:7", "123456", "AUTO",
};

static void check_good(void)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char means[128] = "", ip[IP_TEXT_BYTES];
		struct publish p;

		if (!publish_parse(good[i].text, &p))
			snprintf(means, sizeof(means), "%s %s %u-%u:%u%s",
				 p.has_ip ? ip_format(&p.ip, ip) : "*",
				 *p.dev ? p.dev : "-", p.first, p.last,
				 p.guest_first, p.udp ? " udp" : "");
		CHECK(good[i].text, !strcmp(means, good[i].means));
	}
}

static void check_bad(void)
{
	char text[PUBLISH_TEXT_BYTES + 1];
	struct publish p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(bad[i], publish_parse(bad[i], &p) != NULL);
	memset(text, '1', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	CHECK("long", publish_parse(text, &p) != NULL);
}

static bool overlap(const char *a, const char *b)
{
	struct publish x, y;

	CHECK(a, !publish_parse(a, &x));
	CHECK(b, !publish_parse(b, &y));
	CHECK(a, publish_overlap(&x, &y) == publish_overlap(&y, &x));
	return publish_overlap(&x, &y);
}

static void check_overlap(void)
{
	CHECK("same", overlap("80", "80:81"));
	CHECK("ranges", overlap("80-90", "90-99"));
	CHECK("ranges apart", !overlap("80-90", "91-99"));
	CHECK("all and one", overlap("80", "192.0.2.1:80"));
	CHECK("wildcard and one", overlap("0.0.0.0:80", "192.0.2.1:80"));
	CHECK("two addresses", !overlap("192.0.2.2:80", "192.0.2.1:80"));
	CHECK("protocols", !overlap("80", "80/udp"));
	CHECK("one protocol", overlap("80/udp", "80-90/udp"));
	CHECK("families", !overlap("0.0.0.0:80", "[::]:80"));
	CHECK("interfaces", !overlap("%eth0:80", "%eth1:80"));
	CHECK("one interface and all", overlap("%eth0:80", "80"));
	CHECK("auto", overlap("auto", "auto"));
	CHECK("auto and one", !overlap("auto", "80"));
}

static void check_ports(void)
{
	struct publish p;

	CHECK("range", !publish_parse("8000-8010:90", &p));
	CHECK("below", publish_host_port(&p, 89) == 0);
	CHECK("first", publish_host_port(&p, 90) == 8000);
	CHECK("last", publish_host_port(&p, 100) == 8010);
	CHECK("above", publish_host_port(&p, 101) == 0);
	CHECK("auto", !publish_parse("auto", &p));
	CHECK("its own", publish_host_port(&p, 8000) == 8000);
}

void test_config_publish(void);
void test_config_publish(void)
{
	check_good();
	check_bad();
	check_overlap();
	check_ports();
}
