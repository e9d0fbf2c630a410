/* SPDX-License-Identifier: MIT */
/* test/unit/keeper_rulebook.c - links keeper, config, firewall and base. */
#include "keeper/rulebook.h"

#include "firewall_set.h"

#define BLOCK	"action = block\ndirection = in\n"

struct told {
	unsigned n;
	char first[TEXT_ERROR_BYTES];
};

static void take_error(void *ctx, const struct text_error *e)
{
	struct told *t = ctx;

	if (!t->n++)
		text_error_format(e, t->first);
}

struct rig {
	struct ruleset files, allow;
	struct rulebook book;
	struct told told;
	struct text_sink sink;
};

static void rig_open(struct rig *r, const char *files)
{
	*r = (struct rig){ .told.n = 0 };
	r->sink = (struct text_sink){ take_error, &r->told };
	r->book.files = &r->files;
	r->book.allow = &r->allow;
	CHECK("files", ruleset_read(&r->files, view_of(files), "a.conf",
				    &r->sink) == 0);
	CHECK("merge", !rulebook_merge(&r->book));
}

static void rig_close(struct rig *r)
{
	ruleset_fini(&r->files);
	ruleset_fini(&r->allow);
	rulebook_fini(&r->book);
}

/* Add rules; how many errors. */
static unsigned add(struct rig *r, const char *text, bool once, bool replace)
{
	const char *clash;
	unsigned n;
	const unsigned errors = rulebook_add(&r->book, view_of(text), once,
					     replace, &r->sink, &n, &clash);

	CHECK("merge", !rulebook_merge(&r->book));
	return errors;
}

static enum rulebook_outcome change(struct rig *r, enum rulebook_verb verb,
				    const char *rule, const char *except,
				    bool once, unsigned *n)
{
	const struct rulebook_asked what = { .rule = rule, .verb = verb,
					     .except = except, .once = once };
	struct text_error e;
	enum rulebook_outcome rc;

	*n = 0;
	rc = rulebook_change(&r->book, &what, n, &e);
	if (rc == CHANGE_BAD_WORDS)
		text_error_format(&e, r->told.first);
	CHECK("merge", !rulebook_merge(&r->book));
	return rc;
}

/* All rules in force, as text. */
static const char *all_text(const struct rig *r)
{
	static char text[8192];
	const struct rules *set = &r->book.all.set;
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < set->used.rules; i++)
		at += text_print(set, &set->rule[i], text + at,
				 sizeof(text) - at);
	return text;
}

static void check_order(void)
{
	static const struct rulebook_range to[2] = {
		{ { { [10] = 0xff, [11] = 0xff, 172, 20, 0, 2 } },
		  { { [10] = 0xff, [11] = 0xff, 172, 20, 15, 255 } } },
		{ { { 0xfd, [15] = 2 } },
		  { { 0xfd, [8] = 255, 255, 255, 255, 255, 255, 255, 255 } } },
	};
	struct publish what;
	struct rig r;

	rig_open(&r, "[rule file]\n" BLOCK);
	CHECK("once", add(&r, "[rule once]\n" BLOCK, true, false) == 0);
	CHECK("kept", add(&r, "[rule kept]\n" BLOCK, false, false) == 0);
	CHECK("allow", ruleset_read(&r.allow, view_of("[rule allow a]\n"
		"action = allow\ndirection = out\n"), "", &r.sink) == 0);
	CHECK("publish", !publish_parse("[::1]:8080-8081:80/udp", &what));
	CHECK("publish", rulebook_publish(&r.book, &what, "web", to));
	CHECK("publish", !publish_parse("auto", &what));
	CHECK("publish", rulebook_publish(&r.book, &what, "web", to));
	CHECK("merge", !rulebook_merge(&r.book));
	CHECK(all_text(&r), !strcmp(all_text(&r),
		"[rule file]\n" BLOCK "[rule kept]\n" BLOCK
		"[rule once]\n" BLOCK
		"[rule allow a]\naction = allow\ndirection = out\n"
		"[rule \"publish [::1\\x5d:8080-8081:80/udp\"]\n"
		"action = allow\ndirection = in\nprotocol = udp\n"
		"localPort = 80-81\nlocalAddress = 172.20.0.2-172.20.15.255, "
		"fd00::2-fd00::ffff:ffff:ffff:ffff\nguest = web\n"
		"[rule publish auto]\naction = allow\ndirection = in\n"
		"localAddress = 172.20.0.2-172.20.15.255, "
		"fd00::2-fd00::ffff:ffff:ffff:ffff\nguest = web\n"));
	CHECK("origins", r.book.origin[0].source == SOURCE_FILE &&
	      !strcmp(r.book.origin[0].file, "a.conf") &&
	      r.book.origin[1].source == SOURCE_ADDED &&
	      r.book.origin[1].kept && !r.book.origin[2].kept &&
	      r.book.origin[3].source == SOURCE_ALLOW &&
	      r.book.origin[5].source == SOURCE_PUBLISH);
	rulebook_unpublish_all(&r.book);
	CHECK("merge", !rulebook_merge(&r.book) &&
		       r.book.all.set.used.rules == 4);
	rig_close(&r);
}

static void check_add(void)
{
	const char *clash;
	unsigned n;
	struct rig r;

	rig_open(&r, "[rule file]\n" BLOCK);
	CHECK("errors", add(&r, "[rule a]\nacton = block\n[rule b]\n" BLOCK,
			    false, false) == 1 && r.told.n == 1);
	CHECK("none is there", r.book.all.set.used.rules == 1);
	CHECK("two", add(&r, "[rule a]\n" BLOCK "[rule b]\n" BLOCK "id = x\n",
			 false, false) == 0);
	CHECK("a clash", rulebook_add(&r.book, view_of("[rule c]\n" BLOCK
		"[rule file]\n" BLOCK), true, false, &r.sink, &n, &clash) == 1);
	CHECK("its name", clash && !strcmp(clash, "file"));
	CHECK("the same name, another id", add(&r, "[rule a]\n" BLOCK
		"id = y\n", true, false) == 0);
	CHECK("replace", add(&r, "[rule b2]\n" BLOCK "id = x\nprotocol = tcp\n"
			     "[rule a]\n" BLOCK "protocol = udp\n",
			     false, true) == 0);
	CHECK(all_text(&r), !strcmp(all_text(&r), "[rule file]\n" BLOCK
		"[rule b2]\n" BLOCK "protocol = tcp\nid = x\n"
		"[rule a]\n" BLOCK "protocol = udp\n"
		"[rule a]\n" BLOCK "id = y\n"));
	rig_close(&r);
}

static void check_change(void)
{
	unsigned n;
	struct rig r;

	rig_open(&r, "[rule file]\n" BLOCK "except = 10.0.0.1\n"
		     "[rule pass]\naction = allow\ndirection = in\n");
	CHECK("kept", add(&r, "[rule two]\n" BLOCK "id = x\n[rule two]\n"
			  BLOCK "protocol = tcp\n", false, false) == 0);
	CHECK("none", change(&r, VERB_DISABLE, "tw", NULL, false, &n) ==
		      CHANGE_NONE);
	CHECK("none", change(&r, VERB_DELETE, "", NULL, false, &n) ==
		      CHANGE_NONE);
	CHECK("both", change(&r, VERB_DISABLE, "two", NULL, false, &n) ==
		      CHANGE_DONE && n == 2);
	CHECK("by id", change(&r, VERB_ENABLE, "x", NULL, false, &n) ==
		       CHANGE_DONE && n == 1);
	CHECK("a file's", change(&r, VERB_DISABLE, "file", NULL, true, &n) ==
			  CHANGE_DONE && n == 1);
	CHECK("except", change(&r, VERB_EXCEPT, "file", "guest web, "
			       "10.0.0.1", false, &n) == CHANGE_DONE && n == 1);
	CHECK("except", change(&r, VERB_EXCEPT, "two", "network lab", false,
			       &n) == CHANGE_DONE && n == 2);
	CHECK("again", change(&r, VERB_EXCEPT, "two", "network lab, guest a",
			      false, &n) == CHANGE_DONE && n == 2);
	CHECK(all_text(&r), !strcmp(all_text(&r),
		"[rule file]\n" BLOCK "enabled = false\n"
		"except = 10.0.0.1, guest web, 10.0.0.1\n"
		"[rule pass]\naction = allow\ndirection = in\n"
		"[rule two]\n" BLOCK "except = network lab, guest a\n"
		"id = x\n"
		"[rule two]\n" BLOCK "enabled = false\nprotocol = tcp\n"
		"except = network lab, guest a\n"));
	CHECK("is said", r.book.origin[0].changed &&
			 !r.book.origin[2].changed);
	CHECK("no block", change(&r, VERB_EXCEPT, "pass", "guest a", false,
				 &n) == CHANGE_NO_BLOCK);
	CHECK("words", change(&r, VERB_EXCEPT, "two", "gest a", false, &n) ==
		       CHANGE_BAD_WORDS);
	CHECK(r.told.first, strstr(r.told.first, ":1: gest a: no address"));
	CHECK("a file's stays", change(&r, VERB_DELETE, "file", NULL, false,
				       &n) == CHANGE_NOT_ADDED);
	CHECK("ours goes", change(&r, VERB_DELETE, "x", NULL, false, &n) ==
			   CHANGE_DONE && n == 1);
	CHECK("one left", r.book.all.set.used.rules == 3);
	/* What is kept takes the place of what was for this run. */
	CHECK("enable", change(&r, VERB_ENABLE, "file", NULL, false, &n) ==
			CHANGE_DONE && r.book.all.set.rule[0].enabled);
	/* Whichever came first, what was said last counts. */
	CHECK("kept", change(&r, VERB_DISABLE, "pass", NULL, false, &n) ==
		      CHANGE_DONE);
	CHECK("once", change(&r, VERB_ENABLE, "pass", NULL, true, &n) ==
		      CHANGE_DONE && r.book.all.set.rule[1].enabled);
	CHECK("kept", change(&r, VERB_DISABLE, "pass", NULL, false, &n) ==
		      CHANGE_DONE && !r.book.all.set.rule[1].enabled);
	CHECK("once", change(&r, VERB_DISABLE, "file", NULL, true, &n) ==
		      CHANGE_DONE && !r.book.all.set.rule[0].enabled);
	/* For this run, of a rule that is kept. */
	CHECK("once", change(&r, VERB_ENABLE, "two", NULL, true, &n) ==
		      CHANGE_DONE && r.book.all.set.rule[2].enabled &&
		      !r.book.now.kept.set.rule[0].enabled);
	rig_close(&r);
}

/* What is kept comes back, and nothing else. */
static void check_state(void)
{
	struct rig r, s;
	char *text, *again;
	unsigned n;

	rig_open(&r, "[rule \"a]; #\"]\n" BLOCK);
	CHECK("nothing yet", !rulebook_keeps(&r.book));
	CHECK("add", add(&r, "[rule kept]\n" BLOCK, false, false) == 0 &&
		     add(&r, "[rule once]\n" BLOCK, true, false) == 0);
	CHECK("change", change(&r, VERB_EXCEPT, "a]; #", "guest \"x,y\"",
			       false, &n) == CHANGE_DONE);
	CHECK("change", change(&r, VERB_DISABLE, "a]; #", NULL, false, &n) ==
			CHANGE_DONE);
	CHECK("change", change(&r, VERB_DISABLE, "kept", NULL, true, &n) ==
			CHANGE_DONE);
	r.book.now.profile = RULE_PUBLIC;
	CHECK("keeps", rulebook_keeps(&r.book));
	text = rulebook_text(&r.book);
	CHECK(text, !strcmp(strchr(text, '\n'),
		"\n\n[network]\nprofile = public\n\n[change]\n"
		"rule = \"a\\x5d\\x3b \\x23\"\nenabled = false\n"
		"except = guest \"x,y\"\n\n[rule kept]\n" BLOCK));
	rig_open(&s, "[rule \"a]; #\"]\n" BLOCK);
	CHECK("load", rulebook_load(&s.book, view_of(text), &s.sink) &&
		      !s.told.n && !rulebook_merge(&s.book));
	CHECK("profile", s.book.now.profile == RULE_PUBLIC);
	CHECK(all_text(&s), !strcmp(all_text(&s),
		"[rule \"a\\x5d\\x3b \\x23\"]\n" BLOCK "enabled = false\n"
		"except = guest \"x,y\"\n[rule kept]\n" BLOCK));
	again = rulebook_text(&s.book);
	CHECK("the same", again && !strcmp(text, again));
	free(text);
	free(again);
	rig_close(&r);
	rig_close(&s);
}

/* Others edit that file: what is wrong is told, the rest counts. */
static void check_bad_state(void)
{
	static const char text[] =
		"profile = private\n[network]\nprofile = secret\nmtu = 1500\n"
		"[change]\nrule = b\nenabled = perhaps\nexcept = nobody\n"
		"action = allow\n[chnge]\nrule = c\n[change]\nenabled = no\n"
		"[rule ok]\n" BLOCK "[rule bad]\naction = blck\n";
	struct rig r;

	rig_open(&r, "[rule b]\n" BLOCK);
	CHECK("load", rulebook_load(&r.book, view_of(text), &r.sink));
	CHECK("all are told", r.told.n == 8);
	CHECK("profile", r.book.now.profile == RULE_PRIVATE);
	CHECK("merge", !rulebook_merge(&r.book) &&
		       r.book.all.set.used.rules == 2 &&
		       r.book.all.set.rule[0].enabled);
	CHECK("no half of a change", r.book.now.n_changes == 1 &&
	      r.book.now.change[0].enabled == -1 &&
	      !r.book.now.change[0].except);
	rig_close(&r);
}

static void check_restore(void)
{
	struct rulebook_pages before;
	struct rig r;
	unsigned n;

	rig_open(&r, "[rule file]\n" BLOCK);
	CHECK("add", add(&r, "[rule kept]\n" BLOCK, false, false) == 0);
	CHECK("change", change(&r, VERB_DISABLE, "file", NULL, false, &n) ==
			CHANGE_DONE);
	CHECK("copy", rulebook_copy(&r.book, &before));
	CHECK("delete", change(&r, VERB_DELETE, "kept", NULL, false, &n) ==
			CHANGE_DONE);
	CHECK("enable", change(&r, VERB_ENABLE, "file", NULL, false, &n) ==
			CHANGE_DONE);
	rulebook_restore(&r.book, &before);
	CHECK("merge", !rulebook_merge(&r.book));
	CHECK(all_text(&r), !strcmp(all_text(&r), "[rule file]\n" BLOCK
				    "enabled = false\n[rule kept]\n" BLOCK));
	rig_close(&r);
}

static void check_limits(void)
{
	char name[32], words[64];
	struct rig r;
	unsigned n, i;

	rig_open(&r, "[rule file]\n" BLOCK);
	for (i = 0; i < 300; i++) {
		snprintf(words, sizeof(words), "guest a-very-long-name-%u", i);
		if (change(&r, VERB_EXCEPT, "file", words, false, &n) ==
		    CHANGE_FULL)
			break;
	}
	CHECK("exceptions", i > 100 && i < 300);
	rig_close(&r);

	rig_open(&r, "");
	for (i = 0; i <= RULEBOOK_CHANGES_MAX; i++) {
		char text[80];

		snprintf(name, sizeof(name), "r%u", i);
		snprintf(text, sizeof(text), "[rule %s]\n" BLOCK, name);
		CHECK("file", ruleset_read(&r.files, view_of(text), "f",
					   &r.sink) == 0);
		CHECK("merge", !rulebook_merge(&r.book));
		CHECK("changes", change(&r, VERB_DISABLE, name, NULL, false,
					&n) == (i < RULEBOOK_CHANGES_MAX ?
						CHANGE_DONE : CHANGE_FULL));
	}
	rig_close(&r);
}

void test_keeper_rulebook(void);
void test_keeper_rulebook(void)
{
	check_order();
	check_add();
	check_change();
	check_state();
	check_bad_state();
	check_restore();
	check_limits();
}
