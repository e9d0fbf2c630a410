/* SPDX-License-Identifier: MIT */
#include "linux/nsswitch.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t"

struct text {
	char *p;
	size_t cap, len;	/* len < cap: room for the NUL */
};

static void put(struct text *t, const char *s, size_t n)
{
	if (n > t->cap - 1 - t->len)
		n = t->cap - 1 - t->len;
	memcpy(t->p + t->len, s, n);
	t->len += n;
}

/* A line, which ends at `end`, that says where host names come from. */
static bool is_hosts(const char *line, const char *end)
{
	static const char name[] = "hosts:";

	line += strspn(line, BLANKS);
	return (size_t)(end - line) >= sizeof(name) - 1 &&
	       memcmp(line, name, sizeof(name) - 1) == 0;
}

/* Does the line have this word before any comment? */
static bool has_word(const char *line, const char *end, const char *word)
{
	while (line < end && *line != '#') {
		const size_t n = strcspn(line, BLANKS "\n#");

		if (n == strlen(word) && memcmp(line, word, n) == 0)
			return true;
		line += n;
		line += strspn(line, BLANKS);
		if (*line == '\n' || *line == '\0')
			break;
	}
	return false;
}

static void put_hosts(struct text *t, bool myhostname)
{
	const char *line = myhostname ? "hosts: files myhostname dns\n" :
					"hosts: files dns\n";

	put(t, line, strlen(line));
}

void nsswitch_rewrite(const char *host, char *out, size_t cap)
{
	struct text t = { .p = out, .cap = cap };
	bool written = false;

	while (*host) {
		const size_t n = strcspn(host, "\n");

		if (!is_hosts(host, host + n)) {
			put(&t, host, n);
			put(&t, "\n", 1);
		} else if (!written) {
			put_hosts(&t, has_word(host, host + n, "myhostname"));
			written = true;
		}
		host += n + (host[n] == '\n');
	}
	if (!written)
		put_hosts(&t, false);
	out[t.len] = '\0';
}
