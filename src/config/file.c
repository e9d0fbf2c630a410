/* SPDX-License-Identifier: MIT */
#include "config/file.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/nearest.h"
#include "config/ruleset.h"
#include "config/sections.h"
#include "config/settings.h"
#include "firewall/word.h"

#define SYSTEM_FILE	"/etc/slipway.conf"
#define FILE_BYTES_MAX	((size_t)16 << 20)
#define RULE		"rule"
#define GUEST_WORD	"guest"
#define GUEST_TABLE	"guest NAME"	/* in config/settings.c */

enum kind {
	OURS,		/* keys must be known */
	WSL,		/* known keys count, others are passed over */
	FOREIGN,	/* passed over as a whole */
	GUEST,		/* [guest NAME]: as OURS, of that guest */
	RULES,		/* read by firewall/text.h */
	UNKNOWN,
};

static const struct {
	const char *name;
	enum kind kind;
} sections[] = {
	{ "network", OURS }, { "dns", OURS }, { "publish", OURS },
	{ "boot", WSL }, { "wsl2", WSL }, { "experimental", WSL },
	{ "automount", FOREIGN }, { "interop", FOREIGN },
	{ "user", FOREIGN }, { "gpu", FOREIGN },
	{ "time", FOREIGN }, { "general", FOREIGN },
	{ "firewall", OURS },
};

struct state {
	struct config *config;
	struct view rest;		/* of the text without its rules */
	const char *name;		/* of the file */
	const struct log_sink *notes;
	struct fail *fail;
	unsigned line;
	bool failed;
};

static enum kind kind_of(const char *section)
{
	const size_t n = strcspn(section, " \t");

	if (n == strlen(GUEST_WORD) && !strncasecmp(section, GUEST_WORD, n))
		return GUEST;
	if (!strcasecmp(section, RULE))
		return RULES;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		if (!strcasecmp(section, sections[i].name))
			return sections[i].kind;
	return UNKNOWN;
}

static void note(const struct state *st, const char *section, const char *key)
{
	char text[320];

	if (!st->notes)
		return;
	snprintf(text, sizeof(text), "%s:%u: [%s]%s%s: not ours, passed over",
		 st->name, st->line, section, key ? " " : "", key ? key : "");
	st->notes->write(st->notes->ctx, LOG_INFO, text);
}

static void unknown_section(struct state *st, const char *section)
{
	struct nearest n = { .text = section };

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		nearest_offer(&n, sections[i].name);
	if (n.best)
		fail_set(st->fail, "%s:%u: [%s]: no such section; "
			 "did you mean [%s]?", st->name, st->line, section,
			 n.best);
	else
		fail_set(st->fail, "%s:%u: [%s]: no such section; "
			 "there are [network], [dns], [publish], [boot], "
			 "[firewall], [rule NAME] and [guest NAME]", st->name,
			 st->line, section);
	st->failed = true;
}

static void enter_guest(struct state *st, const char *section)
{
	const char *name = section + strcspn(section, " \t");
	const char *why;

	name += strspn(name, " \t");
	why = config_enter_guest(st->config, name);
	if (!why)
		return;
	fail_set(st->fail, "%s:%u: [%s]: %s; give [guest NAME], NAME up to 32 "
		 "of a-z, 0-9, '.', '_' and '-'", st->name, st->line, section,
		 why);
	st->failed = true;
}

/* A line "[section]": is it one that we may read on in? */
static void enter_section(struct state *st, const char *line)
{
	const size_t n = strcspn(line + 1, "]\n");
	char section[50];

	if (line[1 + n] != ']') {
		fail_set(st->fail, "%s:%u: neither a [section] nor "
			 "key = value; mend the line", st->name, st->line);
		st->failed = true;
		return;
	}
	snprintf(section, sizeof(section), "%.*s", (int)n, line + 1);
	switch (kind_of(section)) {
	case OURS:
	case WSL:
		break;
	case FOREIGN:
		note(st, section, NULL);
		break;
	case GUEST:
		enter_guest(st, section);
		break;
	case RULES: case UNKNOWN:
		unknown_section(st, section);
		break;
	}
}

/*
 * fgets() for inih. Debian's inih tells no line numbers, so they are
 * counted here; and leading blanks go, which would make the line a
 * continuation of the last value.
 */
static char *next_line(char *buf, int cap, void *ctx)
{
	struct state *st = ctx;
	size_t left = st->rest.len, skip = 0;
	struct view line;

	if (st->failed || !left)
		return NULL;
	line = word_cut(&st->rest, '\n');
	left -= st->rest.len;		/* with the end of the line */
	st->line++;
	if (left >= (size_t)cap) {
		fail_set(st->fail, "%s:%u: the line is longer than %d "
			 "characters; shorten it", st->name, st->line,
			 cap - 2);
		st->failed = true;
		return NULL;
	}
	if (memchr(line.p, '\0', line.len)) {
		fail_set(st->fail, "%s:%u: a NUL byte; see that it is a text "
			 "in UTF-8", st->name, st->line);
		st->failed = true;
		return NULL;
	}
	while (skip < left && (line.p[skip] == ' ' || line.p[skip] == '\t'))
		skip++;
	memcpy(buf, line.p + skip, left - skip);
	buf[left - skip] = '\0';
	if (buf[0] == '[')
		enter_section(st, buf);
	return st->failed ? NULL : buf;
}

/* As the table of settings calls it. */
static const char *table_of(const char *section)
{
	return kind_of(section) == GUEST ? GUEST_TABLE : section;
}

static void unknown_key(struct state *st, const char *section,
			const char *key)
{
	const char *near = setting_nearest_key(table_of(section), key);

	if (near)
		fail_set(st->fail, "%s:%u: %s: no such key in [%s]; "
			 "did you mean %s?", st->name, st->line, key, section,
			 near);
	else
		fail_set(st->fail, "%s:%u: %s: no such key in [%s]; see "
			 "slipway(1), FILES", st->name, st->line, key,
			 section);
	st->failed = true;
}

/* inih's handler: 1 to go on. */
static int take(void *ctx, const char *section, const char *key,
		const char *value)
{
	struct state *st = ctx;
	const enum kind kind = kind_of(section);
	const struct setting *s = setting_by_key(table_of(section), key);
	const char *why;

	if (st->failed)
		return 0;
	if (kind == FOREIGN)
		return 1;
	if (!*section) {
		fail_set(st->fail, "%s:%u: %s: before any section; put it "
			 "below [network] or [dns]", st->name, st->line, key);
		st->failed = true;
		return 0;
	}
	if (!s && kind == WSL) {
		note(st, section, key);
		return 1;
	}
	if (!s) {
		unknown_key(st, section, key);
		return 0;
	}
	why = s->take(st->config, value);
	if (!why)
		return 1;
	fail_set(st->fail, "%s:%u: %s = %s: %s; give %s", st->name, st->line,
		 key, value, why, s->accepts);
	st->failed = true;
	return 0;
}

/* All settings but the rules. */
static int read_settings(struct config *c, struct view text, const char *name,
			 const struct log_sink *notes, struct fail *fail)
{
	struct state st = { .config = c, .name = name, .notes = notes,
			    .fail = fail };
	size_t len;
	char *others = sections_part(text, RULE, false, &len);
	int line;

	if (!others)
		return fail_set(fail, "%s: cannot be read: no memory; try "
				"again", name);
	st.rest = (struct view){ (const uint8_t *)others, len };
	line = ini_parse_stream(next_line, &st, take, &st);
	free(others);
	if (st.failed)
		return -1;
	if (line)
		return fail_set(fail, "%s:%d: neither a [section] nor "
				"key = value; mend the line", name, line);
	return 0;
}

/* Errors in rules; one is the failure, of several all are told. */
struct complaints {
	const char *name;		/* of the file */
	const struct log_sink *notes;
	struct fail *fail;
	unsigned n;
};

static void say_complaint(const struct complaints *co)
{
	if (co->n && co->notes)
		co->notes->write(co->notes->ctx, LOG_ERROR, co->fail->text);
}

static void take_error(void *ctx, const struct text_error *e)
{
	struct complaints *co = ctx;
	char text[TEXT_ERROR_BYTES];

	say_complaint(co);		/* the one before */
	co->n++;
	if (e->line)
		fail_set(co->fail, "%.100s:%s", co->name,
			 text_error_format(e, text));
	else
		fail_set(co->fail, "%.100s: %s; give %s", co->name, e->what,
			 e->expected);
}

static int read_rules(struct config *c, struct view text, const char *name,
		      const struct log_sink *notes, struct fail *fail)
{
	struct complaints co = { .name = name, .notes = notes, .fail = fail };
	const struct text_sink sink = { .error = take_error, .ctx = &co };
	size_t len;
	char *rules = sections_part(text, RULE, true, &len);

	if (!rules)
		return fail_set(fail, "%s: cannot be read: no memory; try "
				"again", name);
	(void)!ruleset_read(&c->rules,
			    (struct view){ (const uint8_t *)rules, len },
			    name, &sink);
	free(rules);
	if (co.n > 1) {
		say_complaint(&co);
		fail_set(fail, "%.100s: %u errors in its rules; mend them",
			 name, co.n);
	}
	return co.n ? -1 : 0;
}

/* The whole file, allocated; false with fail set. */
static bool slurp(FILE *f, const char *name, struct view *out,
		  struct fail *fail)
{
	const size_t step = 1 << 16;
	char *buf = NULL, *grown;
	size_t len = 0, n;

	do {
		grown = realloc(buf, len + step);
		if (!grown || len > FILE_BYTES_MAX)
			break;
		buf = grown;
		n = fread(buf + len, 1, step, f);
		len += n;
	} while (n == step);
	*out = (struct view){ (uint8_t *)buf, len };
	if (grown && len <= FILE_BYTES_MAX && !ferror(f))
		return true;
	free(buf);
	fail_set(fail, "%s: cannot be read: %s; see that it is a file you may "
		 "read", name, ferror(f) ? strerror(errno) :
		 "longer than 16 MiB");
	return false;
}

int file_read_stream(struct config *c, FILE *f, const char *name,
		     const struct log_sink *notes, struct fail *fail)
{
	struct view all, text;
	int rc;

	if (!slurp(f, name, &all, fail))
		return -1;
	text = all;
	if (text.len >= 3 && !memcmp(text.p, "\xef\xbb\xbf", 3)) {
		text.p += 3;
		text.len -= 3;
	}
	config_begin(c);
	rc = read_rules(c, text, name, notes, fail);
	if (rc == 0)
		rc = read_settings(c, text, name, notes, fail);
	config_end(c);
	free((void *)(uintptr_t)all.p);
	return rc;
}

static int read_file(struct config *c, const char *path, bool must_exist,
		     const struct log_sink *notes, struct fail *fail)
{
	FILE *f = fopen(path, "re");
	int rc;

	if (!f && errno == ENOENT && !must_exist)
		return 0;
	if (!f && errno == ENOTDIR && !must_exist)
		return 0;
	if (!f)
		return fail_set(fail, "%s: cannot be read: %s; "
				"see that it is a file you may read", path,
				strerror(errno));
	rc = file_read_stream(c, f, path, notes, fail);
	fclose(f);
	return rc;
}

/* false: the user has no such file. */
static bool user_file(char *path, size_t cap)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	int n = -1;

	if (config && *config == '/')
		n = snprintf(path, cap, "%s/slipway/slipway.conf", config);
	else if (home && *home == '/')
		n = snprintf(path, cap, "%s/.config/slipway/slipway.conf",
			     home);
	return n > 0 && (size_t)n < cap;
}

int file_read_all(struct config *c, const char *extra,
		  const struct log_sink *notes, struct fail *fail)
{
	char path[PATH_MAX];

	if (read_file(c, SYSTEM_FILE, false, notes, fail) < 0)
		return -1;
	if (user_file(path, sizeof(path)) &&
	    read_file(c, path, false, notes, fail) < 0)
		return -1;
	if (extra)
		return read_file(c, extra, true, notes, fail);
	return 0;
}
