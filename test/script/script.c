/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool complain(const struct script *s, unsigned number, const char *what)
{
	fprintf(stderr, "%s:%u: %s\n", s->path, number, what);
	return false;
}

/* Comment and newline cut, one space between words, none at the ends. */
static void tidy(char *text)
{
	char *comment = strstr(text, "//"), *out = text;
	bool space = false;

	if (comment)
		*comment = '\0';
	for (const char *c = text; *c; c++) {
		if (isspace((unsigned char)*c)) {
			space = out != text;
			continue;
		}
		if (space)
			*out++ = ' ';
		space = false;
		*out++ = *c;
	}
	*out = '\0';
}

/* What follows the prefix, or NULL. */
static const char *after(const char *text, const char *prefix)
{
	const size_t len = strlen(prefix);

	return strncmp(text, prefix, len) ? NULL : text + len;
}

static bool setting(struct script *s, unsigned number, const char *text)
{
	unsigned long value;

	if (!strcmp(text, "ipv6"))
		s->v6 = true;
	else if (!strcmp(text, "keep-iss"))
		s->keep_iss = true;
	else if (!strcmp(text, "host-access off"))
		s->host_access = false;
	else if (sscanf(text, "mtu %lu", &value) == 1)
		s->mtu = (unsigned)value;
	else if (sscanf(text, "iss %lu", &value) == 1)
		s->iss = (uint32_t)value;
	else
		return complain(s, number, "no such setting");
	return true;
}

static int64_t seconds(const char *text, char **end)
{
	return (int64_t)(strtod(text, end) * 1e9 + 0.5);
}

/* The time at the start of text, skipped; NULL if there is none. */
static const char *take_time(struct line *l, const char *text)
{
	char *end;

	if (*text == '&') {
		l->same_turn = l->relative = true;
		return text[1] == ' ' ? text + 2 : NULL;
	}
	l->relative = *text == '+';
	text += l->relative;
	l->from_ns = l->to_ns = seconds(text, &end);
	if (end == text)
		return NULL;
	if (*end == '~') {
		text = end + 1;
		l->to_ns = seconds(text, &end);
		if (end == text)
			return NULL;
	}
	return *end == ' ' ? end + 1 : NULL;
}

static bool event(struct script *s, unsigned number, const char *text)
{
	struct line *l = &s->line[s->n];
	const char *rest;

	if (s->n == SCRIPT_LINES)
		return complain(s, number, "too many events");
	*l = (struct line){ .number = number };
	text = take_time(l, text);
	if (!text)
		return complain(s, number, "no time");
	if ((rest = after(text, "> "))) {
		l->kind = LINE_GUEST;
	} else if (after(text, "< ") || after(text, "host gets ")) {
		l->kind = LINE_EXPECT;
		rest = text;
	} else if ((rest = after(text, "host "))) {
		l->kind = LINE_HOST;
	} else if ((rest = after(text, "gateway "))) {
		l->kind = LINE_GATEWAY;
	} else if ((rest = after(text, "link "))) {
		l->kind = LINE_LINK;
	} else {
		return complain(s, number, "no such event");
	}
	snprintf(l->text, sizeof(l->text), "%s", rest);
	s->n++;
	return true;
}

static bool take_line(struct script *s, unsigned number, char *text)
{
	const char *rest;
	unsigned rfc;

	if (!s->n && sscanf(text, "# RFC %u %*[0-9A-Z.]: %*s", &rfc) == 1 &&
	    strchr(text, ':'))
		s->clauses++;
	if (*text == '#')
		return true;
	tidy(text);
	if (!*text)
		return true;
	rest = after(text, "set ");
	if (!rest)
		return event(s, number, text);
	if (s->n)
		return complain(s, number, "a setting after an event");
	return setting(s, number, rest);
}

bool script_read(const char *path, struct script *s)
{
	FILE *f = fopen(path, "r");
	char text[SCRIPT_TEXT];
	unsigned number = 0;
	bool ok = true;

	s->path = path;
	s->mtu = 1500;
	s->iss = 1000;
	s->v6 = s->keep_iss = false;
	s->host_access = true;
	s->clauses = s->n = 0;
	if (!f) {
		perror(path);
		return false;
	}
	while (ok && fgets(text, sizeof(text), f)) {
		number++;
		ok = strchr(text, '\n') ? take_line(s, number, text) :
					  complain(s, number, "no end of line");
	}
	fclose(f);
	if (ok && !s->clauses)
		ok = complain(s, 1, "no clause of an RFC in the head");
	if (ok && !s->n)
		ok = complain(s, number, "no event");
	return ok;
}

bool script_match(const char *pattern, const char *text)
{
	for (; *pattern; pattern++, text++) {
		const bool any = !strncmp(pattern, "...", 3);

		if (any || *pattern == '*') {
			pattern += any ? 3 : 1;
			while (!script_match(pattern, text)) {
				if (!*text || (!any && strchr(" ,<>", *text)))
					return false;
				text++;
			}
			return true;
		}
		if (*pattern != *text)
			return false;
	}
	return !*text;
}
