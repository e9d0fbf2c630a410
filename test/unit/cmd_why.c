/* SPDX-License-Identifier: MIT */
/* test/unit/cmd_why.c - the ends of a flow, as people write them. */
#include "cmd/why_ends.h"

#include <string.h>

#include "test.h"

/* A URL or a name, or three words; who begins, and each pair. */
static const struct {
	const char *words[3];
	const char *protocol;
	const char *pairs;		/* "FROM>TO FROM>TO" */
	bool named;
} good[] = {
	{ { "tcp", "guest", "host:8000" }, "tcp",
	  "172.20.0.2>172.20.0.1:8000 fd00::2>fd00::1:8000" },
	{ { "TCP", "web", "gateway:80" }, "tcp",
	  "172.20.0.2>172.20.0.1:80 fd00::2>fd00::1:80" },
	{ { "tcp", "ship:4000", "HOST.slipway.internal:80" }, "tcp",
	  "172.20.0.2:4000>172.20.0.1:80 fd00::2:4000>fd00::1:80" },
	{ { "udp", "172.20.0.2", "192.0.2.1:53" }, "udp",
	  "172.20.0.2>192.0.2.1:53" },
	{ { "udp", "guest", "[2001:db8::1]:53" }, "udp",
	  "fd00::2>2001:db8::1:53" },
	{ { "icmp", "guest", "2001:db8::1" }, "icmp",
	  "fd00::2>2001:db8::1" },
	{ { "ping", "guest", "host" }, "icmp",
	  "172.20.0.2>172.20.0.1 fd00::2>fd00::1" },
	{ { "tcp", "198.51.100.7", "guest:8000" }, "tcp",
	  "198.51.100.7>172.20.0.2:8000" },
	{ { "tcp", "localhost", "guest:8000" }, "tcp",
	  "172.20.0.1>172.20.0.2:8000 fd00::1>fd00::2:8000" },
	{ { "tcp", "host", "127.0.0.1:8000" }, "tcp",
	  "172.20.0.1>172.20.0.2:8000 fd00::1>fd00::2:8000" },
	{ { "tcp", "guest", "[::1]:8000" }, "tcp",
	  "172.20.0.2>172.20.0.1:8000 fd00::2>fd00::1:8000" },
	{ { "http://host.slipway.internal:8000/x?y#z" }, "tcp",
	  "172.20.0.2>172.20.0.1:8000 fd00::2>fd00::1:8000" },
	{ { "http://host/" }, "tcp",
	  "172.20.0.2>172.20.0.1:80 fd00::2>fd00::1:80" },
	{ { "https://me:p@ss@[2001:db8::1]/" }, "tcp",
	  "fd00::2>2001:db8::1:443" },
	{ { "HTTPS://192.0.2.1" }, "tcp", "172.20.0.2>192.0.2.1:443" },
	{ { "udp://192.0.2.1:53" }, "udp", "172.20.0.2>192.0.2.1:53" },
	{ { "http://localhost:8000" }, "tcp",
	  "172.20.0.1>172.20.0.2:8000 fd00::1>fd00::2:8000" },
	{ { "http://127.9.9.9:8000" }, "tcp",
	  "172.20.0.1>172.20.0.2:8000 fd00::1>fd00::2:8000" },
	{ { "pypi.org" }, "dns", "", true },
	{ { "a.b.test" }, "dns", "", true },
};

/* And what the error must speak of. */
static const struct {
	const char *words[3];
	const char *says;
} bad[] = {
	{ { "sctp", "guest", "host:1" }, "no such protocol" },
	{ { "tcp", "guest", "host" }, "no port" },
	{ { "tcp", "guest", "host:0" }, "no port" },
	{ { "tcp", "guest", "host:65536" }, "no port" },
	{ { "tcp", "guest", "host:-1" }, "no port" },
	{ { "tcp", "guest", "host:80x" }, "no port" },
	{ { "tcp", "guest", "host:" }, "no port" },
	{ { "tcp", "guest", ":80" }, "no address" },
	{ { "tcp", "", "host:80" }, "empty" },
	{ { "tcp", "guest", "[::1" }, "brackets" },
	{ { "tcp", "guest", "[::1]80" }, "brackets" },
	{ { "tcp", "guest", "[]:80" }, "no address" },
	{ { "tcp", "192.0.2.1", "[2001:db8::1]:80" }, "one family" },
	{ { "gopher://host/" }, "not known" },
	{ { "tcp://host/" }, "no port" },
	{ { "http://:80/" }, "no address" },
	{ { "http:///x" }, "empty" },
	{ { "" }, "empty" },
};

static json_t *network(void)
{
	return json_pack("{s:s, s:{s:s, s:s, s:s}, s:{s:s, s:s}, s:{s:s, s:s}}",
		"name", "web", "guest", "ipv4", "172.20.0.2", "ipv6",
		"fd00::2", "hostname", "ship", "gateway", "ipv4",
		"172.20.0.1", "ipv6", "fd00::1", "subnet", "ipv4",
		"172.20.0.0/20", "ipv6", "fd00::/64");
}

static int read_and_resolve(const char *const words[3], json_t *status,
			    struct why_flow *f, struct fail *fail)
{
	char *three[3];
	int rc;

	for (unsigned i = 0; i < 3; i++)
		three[i] = (char *)(uintptr_t)words[i];
	rc = words[1] ? why_read_words(three, f, fail) :
			why_read_url(words[0], f, fail);
	return rc < 0 ? rc : why_resolve(f, status, fail);
}

static size_t put_end(char *to, size_t cap, const struct endpoint *e)
{
	char ip[IP_TEXT_BYTES];
	int n = snprintf(to, cap, "%s", ip_format(&e->ip, ip));

	if (e->port)
		n += snprintf(to + n, cap - (size_t)n, ":%u", e->port);
	return (size_t)n;
}

static void put_pairs(const struct why_flow *f, char *to, size_t cap)
{
	size_t n = 0;

	*to = '\0';
	for (unsigned i = 0; i < f->n_pairs; i++) {
		n += (size_t)snprintf(to + n, cap - n, "%s", i ? " " : "");
		n += put_end(to + n, cap - n, &f->pair[i].from);
		n += (size_t)snprintf(to + n, cap - n, ">");
		n += put_end(to + n, cap - n, &f->pair[i].to);
	}
}

static void check_about(json_t *status)
{
	struct why_flow f = { .from.host = "guest", .to.host = "192.0.2.1" };

	CHECK("no address of it", !why_is_about(&f, status));
	strcpy(f.to.host, "172.20.15.9");
	CHECK("in its subnet", why_is_about(&f, status));
	strcpy(f.to.host, "172.20.16.9");
	CHECK("beside it", !why_is_about(&f, status));
	strcpy(f.from.host, "fd00::5");
	CHECK("in the other", why_is_about(&f, status));
	strcpy(f.from.host, "web");
	CHECK("by name", why_is_about(&f, status));
}

static void check_endpoints(void)
{
	struct endpoint e;

	CHECK("alone", why_read_endpoint("192.0.2.1", &e) && e.port == 0);
	CHECK("four", why_read_endpoint("192.0.2.1:80", &e) && e.port == 80);
	CHECK("six", why_read_endpoint("2001:db8::1:80", &e) && e.port == 0);
	CHECK("six", why_read_endpoint("[2001:db8::1]:80", &e) &&
		     e.port == 80 && !ip_is4(&e.ip));
	CHECK("no address", !why_read_endpoint("guest:80", &e));
	CHECK("nothing", !why_read_endpoint("", &e));
}

void test_cmd_why(void);
void test_cmd_why(void)
{
	json_t *status = network();
	char pairs[256], long_name[400];
	struct why_flow f;
	struct fail fail;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *name = good[i].words[good[i].words[1] ? 2 : 0];

		fail.text[0] = '\0';
		CHECK(name, read_and_resolve(good[i].words, status, &f,
					     &fail) == 0);
		put_pairs(&f, pairs, sizeof(pairs));
		CHECK(pairs, !strcmp(pairs, good[i].pairs));
		CHECK(name, !strcmp(f.protocol, good[i].protocol));
		CHECK(name, f.named == good[i].named);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fail.text[0] = '\0';
		CHECK(bad[i].says, read_and_resolve(bad[i].words, status, &f,
						    &fail) < 0);
		CHECK(fail.text, strstr(fail.text, bad[i].says));
	}
	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	CHECK("too long", why_read_url(long_name, &f, &fail) < 0);
	check_about(status);
	check_endpoints();
	json_decref(status);
}
