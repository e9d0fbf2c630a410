/* SPDX-License-Identifier: MIT */
/*
 * test/script/main.c - run conformance scripts: script [-v] FILE|FOLDER…
 *
 * -v shows all that is seen, with its time. Exits 1 if any script failed.
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "build.h"
#include "fake.h"
#include "script.h"

struct run {
	const struct script *s;
	struct fake f;
	uint64_t last_ns;		/* when the last event was */
};

static double when(uint64_t at_ns)
{
	return (double)(at_ns - FAKE_START_NS) / 1e9;
}

static bool wrong(const struct run *r, const struct line *l, const char *what)
{
	fprintf(stderr, "%s:%u: %s\n", r->s->path, l->number, what);
	if (l->kind == LINE_EXPECT)
		fprintf(stderr, "  expected: %s\n", l->text);
	else
		fprintf(stderr, "  at:       %s\n", l->text);
	if (r->f.first < r->f.n)
		fprintf(stderr, "  seen:     %s (%.6f)\n",
			r->f.seen[r->f.first].text,
			when(r->f.seen[r->f.first].at_ns));
	else
		fprintf(stderr, "  seen:     nothing (%.6f)\n",
			when(r->f.now_ns));
	return false;
}

static uint64_t time_of(const struct run *r, const struct line *l, int64_t ns)
{
	return (l->relative ? r->last_ns : FAKE_START_NS) + (uint64_t)ns;
}

static bool expect(struct run *r, const struct line *l)
{
	const uint64_t from = time_of(r, l, l->from_ns);
	const uint64_t to = time_of(r, l, l->to_ns) + (uint64_t)TOLERANCE_NS;
	const struct fake_seen *seen = &r->f.seen[r->f.first];

	fake_run(&r->f, to);
	if (r->f.first == r->f.n)
		return wrong(r, l, "did not come");
	if (!script_match(l->text, seen->text))
		return wrong(r, l, "is another");
	if (seen->at_ns + (uint64_t)TOLERANCE_NS < from || seen->at_ns > to)
		return wrong(r, l, "came at another time");
	r->last_ns = seen->at_ns;
	r->f.first++;
	return true;
}

/* A link that is full is not tried again and again: it tells. */
static const char *link_changes(struct run *r, const char *text)
{
	if (!strcmp(text, "forgets")) {
		r->f.first = r->f.n;
		return NULL;
	}
	if (!strcmp(text, "room")) {
		r->f.link_full = false;
		if (network_busy(r->f.net))
			return "busy, with a full link";
		network_link_ready(r->f.net, 0, r->f.now_ns);
		return NULL;
	}
	r->f.link_full = !strcmp(text, "full");
	return NULL;
}

static bool act(struct run *r, const struct line *l)
{
	const char *what = NULL;

	switch (l->kind) {
	case LINE_GUEST:
		what = build_frame(&r->f, l->text);
		break;
	case LINE_HOST:
		what = fake_host(&r->f, l->text);
		break;
	case LINE_GATEWAY:
		what = fake_gateway(&r->f, l->text);
		break;
	case LINE_LINK:
		what = link_changes(r, l->text);
		break;
	case LINE_EXPECT:
		break;
	}
	return what ? wrong(r, l, what) : true;
}

/* more: the next line happens in the same turn. */
static bool step(struct run *r, const struct line *l, bool more)
{
	const uint64_t at = time_of(r, l, l->from_ns);

	if (l->kind == LINE_EXPECT)
		return expect(r, l);
	if (!l->same_turn) {
		fake_run(&r->f, at);
		if (r->f.first != r->f.n && strcmp(l->text, "forgets"))
			return wrong(r, l, "something came before");
		if (r->f.now_ns > at)
			return wrong(r, l, "it is later already");
	}
	r->last_ns = r->f.now_ns;
	if (!act(r, l))
		return false;
	if (!more)
		fake_turn_end(&r->f);
	return true;
}

static bool run(const struct script *s, bool verbose)
{
	static struct run r;
	const struct line *last = &s->line[s->n - 1];
	bool ok = true;

	r.s = s;
	fake_init(&r.f, s, verbose);
	r.last_ns = r.f.now_ns;
	for (unsigned i = 0; ok && i < s->n; i++)
		ok = step(&r, &s->line[i],
			  i + 1 < s->n && s->line[i + 1].same_turn);
	if (ok && r.f.first != r.f.n)
		ok = wrong(&r, last, "something came after the end");
	r.f.verbose = false;
	if (!fake_fini(&r.f) && ok)
		ok = wrong(&r, last, "a socket or memory is left");
	return ok;
}

int main(int argc, char **argv)
{
	static struct script s;
	unsigned passed = 0, failed = 0;
	bool verbose = false;
	glob_t found = { 0 };

	for (int i = 1; i < argc; i++) {
		char pattern[4096];
		struct stat st;

		if (!strcmp(argv[i], "-v")) {
			verbose = true;
			continue;
		}
		snprintf(pattern, sizeof(pattern), "%s%s", argv[i],
			 !stat(argv[i], &st) && S_ISDIR(st.st_mode) ?
			 "/*.pkt" : "");
		glob(pattern, found.gl_pathc ? GLOB_APPEND : 0, NULL, &found);
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		const bool ok = script_read(found.gl_pathv[i], &s) &&
				run(&s, verbose);

		*(ok ? &passed : &failed) += 1;
		if (!ok)
			printf("not ok %s\n", found.gl_pathv[i]);
	}
	globfree(&found);
	printf("%u scripts passed, %u failed\n", passed, failed);
	return failed || !passed;
}
