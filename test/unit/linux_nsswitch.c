/* SPDX-License-Identifier: MIT */
/* test/unit/linux_nsswitch.c - where a guest's host names come from. */
#include "linux/nsswitch.h"

#include <string.h>

#include "test.h"

static const struct {
	const char *name, *host, *guest;
} cases[] = {
	{ "none", "", "hosts: files dns\n" },
	{ "plain", "hosts: files dns\n", "hosts: files dns\n" },
	{ "Debian's", "passwd: files\nhosts:          files dns\nrpc: db\n",
	  "passwd: files\nhosts: files dns\nrpc: db\n" },
	{ "mdns", "hosts: files mdns4_minimal [NOTFOUND=return] dns\n",
	  "hosts: files dns\n" },
	{ "resolved", "hosts: mymachines resolve [!UNAVAIL=return] files "
	  "myhostname dns\n", "hosts: files myhostname dns\n" },
	{ "myhostname last", "hosts: files myhostname",
	  "hosts: files myhostname dns\n" },
	{ "only in a comment", "hosts: files # myhostname\n",
	  "hosts: files dns\n" },
	{ "longer word", "hosts: files myhostname2\n", "hosts: files dns\n" },
	{ "indented", " \thosts:\tfiles\n", "hosts: files dns\n" },
	{ "twice", "hosts: resolve\nhosts: myhostname\n",
	  "hosts: files dns\n" },
	{ "a comment", "# hosts: resolve\n",
	  "# hosts: resolve\nhosts: files dns\n" },
	{ "no newline", "passwd: files", "passwd: files\nhosts: files dns\n" },
	{ "empty lines", "\n\npasswd: db\n",
	  "\n\npasswd: db\nhosts: files dns\n" },
	{ "other names", "netgroup: nis\nmyhosts: x\n",
	  "netgroup: nis\nmyhosts: x\nhosts: files dns\n" },
};

void test_linux_nsswitch(void);
void test_linux_nsswitch(void)
{
	char out[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t len = strlen(cases[i].guest);

		nsswitch_rewrite(cases[i].host, out, sizeof(out));
		CHECK(cases[i].name, strcmp(out, cases[i].guest) == 0);

		/* Too little room: cut, ended, and nothing written past it. */
		for (size_t cap = 1; cap <= len; cap++) {
			memset(out, '?', sizeof(out));
			nsswitch_rewrite(cases[i].host, out, cap);
			CHECK(cases[i].name, strlen(out) == cap - 1);
			CHECK(cases[i].name, out[cap] == '?');
		}
	}
}
