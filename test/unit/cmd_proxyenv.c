/* SPDX-License-Identifier: MIT */
/* test/unit/cmd_proxyenv.c - which proxies are the host's own. */
#include "cmd/proxyenv.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

#define G "172.20.0.1"

static const struct {
	const char *url, *want;		/* NULL: as it is */
} cases[] = {
	{ "http://127.0.0.1:8080", "http://" G ":8080" },
	{ "http://localhost:3128/", "http://" G ":3128/" },
	{ "http://LocalHost", "http://" G },
	{ "localhost:3128", G ":3128" },
	{ "127.9.9.9", G },
	{ "[::1]:80", G ":80" },
	{ "socks5h://[::1]:1080", "socks5h://" G ":1080" },
	{ "http://[::ffff:127.0.0.1]:1", "http://" G ":1" },
	{ "http://me:p@ss@localhost:1/x@y", "http://me:p@ss@" G ":1/x@y" },
	{ "http://localhost@proxy.example:80", NULL },
	{ "http://localhost:pw@proxy.example:80", NULL },
	{ "http://proxy.example:80/localhost", NULL },
	{ "http://localhost.example:80", NULL },
	{ "http://192.0.2.1:80", NULL },
	{ "http://[::1", NULL },
	{ "http://[]:80", NULL },
	{ "http://1270.0.0.1", NULL },
	{ "://", NULL }, { "", NULL }, { "@", NULL }, { "[", NULL },
};

void test_cmd_proxyenv(void);
void test_cmd_proxyenv(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = proxyenv_rewrite(cases[i].url, G);

		CHECK(cases[i].url, cases[i].want ? text &&
			!strcmp(text, cases[i].want) : !text);
		free(text);
	}
	setenv("http_proxy", "http://localhost:1", 1);
	setenv("ALL_PROXY", "socks5://192.0.2.1:2", 1);
	unsetenv("HTTP_PROXY");
	CHECK("applied", proxyenv_apply(G) == 0);
	CHECK("here", !strcmp(getenv("http_proxy"), "http://" G ":1"));
	CHECK("there", !strcmp(getenv("ALL_PROXY"), "socks5://192.0.2.1:2"));
	CHECK("not made", !getenv("HTTP_PROXY"));
}
