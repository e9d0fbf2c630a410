/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_programlinks.c - rules for links to programs. */
#include "keeper/programlinks.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "firewall_set.h"

#define RULE(name)	"[rule " name "]\naction = block\ndirection = out\n"

static char dir[PATH_MAX], text[8 * PATH_MAX];

/* The n-th program of a rule; NULL: it has no more. */
static const char *program(const struct rules *set, uint32_t rule, unsigned n)
{
	const struct rule_item *p = rule_first(set, &set->rule[rule],
					       RULE_PROGRAMS);

	while (p && n--)
		p = rule_next(set, p);
	return p ? set->text + p->text : NULL;
}

static bool is(const struct rules *set, uint32_t rule, unsigned n,
	       const char *name)
{
	const char *path = program(set, rule, n);
	char want[2 * PATH_MAX];

	if (!name || !path)
		return !name && !path;
	snprintf(want, sizeof(want), "%s/%s", name[0] == '/' ? "" : dir,
		 name);
	return !strcmp(path, name[0] == '/' ? name : want);
}

static void check_links(void)
{
	struct rules set;
	struct ruleset out;

	snprintf(text, sizeof(text),
		 RULE("a") "remotePort = 80\nprotocol = tcp\n"
		 RULE("b") "program = %s/two, %s/file, /none\n"
		 RULE("c") "program = %s/two\nenabled = no\n"
		 RULE("d") "program = %s/loop, C:\\x.exe, %s/one, .\n",
		 dir, dir, dir, dir, dir);
	CHECK("read", set_read(&set, text, NULL) == 0);
	CHECK("followed", programlinks_follow(&set, &out) == 0 &&
			  out.set.rule && out.set.used.rules == 4);
	CHECK("none", is(&out.set, 0, 0, NULL) &&
		      rule_first(&out.set, &out.set.rule[0],
				 RULE_REMOTE_PORTS));
	CHECK("as written, and the end of two links behind",
	      is(&out.set, 1, 0, "two") && is(&out.set, 1, 1, "file") &&
	      is(&out.set, 1, 2, "/none") && is(&out.set, 1, 3, "file") &&
	      is(&out.set, 1, 4, NULL));
	CHECK("off", is(&out.set, 2, 0, "two") && is(&out.set, 2, 1, NULL));
	CHECK("nowhere, and another system's",
	      is(&out.set, 3, 0, "loop") &&
	      !strcmp(program(&out.set, 3, 1), "C:\\x.exe") &&
	      !strcmp(program(&out.set, 3, 3), ".") &&
	      is(&out.set, 3, 4, "file") && is(&out.set, 3, 5, NULL));
	CHECK("the name", !strcmp(out.set.text + out.set.rule[3].name, "d"));
	CHECK("the first", rule_equal(&set, &set.rule[0], &out.set,
				      &out.set.rule[0]));
	ruleset_fini(&out);
	free(set.rule);
}

static void check_nothing(void)
{
	struct rules set;
	struct ruleset out;

	snprintf(text, sizeof(text), RULE("a") "program = %s/file\n" RULE("b"),
		 dir);
	CHECK("read", set_read(&set, text, NULL) == 0);
	CHECK("no link, no copy", programlinks_follow(&set, &out) == 0 &&
				  !out.set.rule);
	ruleset_fini(&out);
	free(set.rule);
}

static void in_dir(const char *name, const char *to)
{
	char path[2 * PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	if (!to)
		return;
	if (*to && symlink(to, path))
		abort();
	f = *to ? NULL : fopen(path, "we");
	if (f)
		fclose(f);
}

void test_keeper_programlinks(void);
void test_keeper_programlinks(void)
{
	char at[] = "/tmp/slipway-links-XXXXXX";

	if (!mkdtemp(at) || !realpath(at, dir))
		abort();
	in_dir("file", "");
	in_dir("one", "file");
	in_dir("two", "one");
	in_dir("loop", "loop");
	check_links();
	check_nothing();
	in_dir("file", NULL);
	in_dir("one", NULL);
	in_dir("two", NULL);
	in_dir("loop", NULL);
	rmdir(dir);
}
