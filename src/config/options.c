/* SPDX-License-Identifier: MIT */
#include "config/options.h"

#include <string.h>

#include "config/settings.h"

struct reader {
	struct config *config;
	unsigned command;
	char **next;		/* words not yet read */
	struct fail *fail;
};

/* word: as it was typed, for the error. text NULL: it takes none. */
static int take(struct reader *r, const struct setting *s, const char *word,
		size_t len, const char *text)
{
	const char *why;

	if (!text)
		text = "true";
	why = s->take(r->config, text);
	if (!why)
		return 0;
	return fail_set(r->fail, "%.*s %s: %s; give %s", (int)len, word, text,
			why, s->accepts);
}

static int missing(struct reader *r, const struct setting *s,
		   const char *word)
{
	return fail_set(r->fail, "%s: its %s is missing; give %s", word,
			s->argument, s->accepts);
}

static int unknown(struct reader *r, const char *word, size_t len,
		   const char *near)
{
	if (near)
		return fail_set(r->fail, "%.*s: no such option; "
				"did you mean --%s?", (int)len, word, near);
	return fail_set(r->fail, "%.*s: no such option; see --help",
			(int)len, word);
}

static int long_option(struct reader *r, const char *word)
{
	const size_t len = strcspn(word + 2, "=");
	const struct setting *s = setting_by_option(word + 2, len,
						    r->command);
	const char *equals = word[2 + len] ? word + 2 + len + 1 : NULL;
	char name[64] = "";

	if (!s) {
		if (len < sizeof(name))
			memcpy(name, word + 2, len);
		return unknown(r, word, len + 2,
			       setting_nearest_option(name, r->command));
	}
	if (!s->argument && equals)
		return fail_set(r->fail, "%s: --%s takes no argument; "
				"leave it away", word, s->option);
	if (!s->argument || equals)
		return take(r, s, word, len + 2, equals);
	if (!*r->next)
		return missing(r, s, word);
	return take(r, s, word, len + 2, *r->next++);
}

/* "-qv", "-nNAME", "-n NAME". */
static int letters(struct reader *r, const char *word)
{
	for (const char *p = word + 1; *p; p++) {
		const struct setting *s = setting_by_letter(*p, r->command);
		const char shown[3] = { '-', *p, '\0' };

		if (!s)
			return unknown(r, shown, 2, NULL);
		if (s->argument && p[1])
			return take(r, s, shown, 2, p + 1);
		if (s->argument && !*r->next)
			return missing(r, s, shown);
		if (s->argument)
			return take(r, s, shown, 2, *r->next++);
		if (take(r, s, shown, 2, NULL) < 0)
			return -1;
	}
	return 0;
}

char **options_parse(struct config *c, unsigned command, bool mixed,
		     char **argv, struct fail *fail)
{
	struct reader r = { .config = c, .command = command, .next = argv,
			    .fail = fail };
	char **operands = argv;		/* where the next one is put, if mixed */
	bool options = true;

	config_begin(c);
	while (*r.next) {
		char *word = *r.next++;

		if (options && !strcmp(word, "--")) {
			if (!mixed)
				break;
			options = false;
			continue;
		}
		if (options && word[0] == '-' && word[1]) {
			if ((word[1] == '-' ? long_option(&r, word) :
					      letters(&r, word)) < 0)
				return NULL;
			continue;
		}
		if (!mixed) {
			r.next--;
			break;
		}
		*operands++ = word;
	}
	config_end(c);
	if (!mixed)
		return r.next;
	*operands = NULL;
	return argv;
}
