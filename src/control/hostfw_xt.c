/* SPDX-License-Identifier: MIT */
#include "control/hostfw_xt.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "control/member.h"

#define LINE_BYTES 2048

/* A line without what stands in quotes, which may be anything. */
static void unquote(char *out, const char *line, size_t len)
{
	bool inside = false;
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < LINE_BYTES; i++) {
		if (line[i] == '"')
			inside = !inside;
		else if (!inside)
			out[n++] = line[i];
	}
	out[n] = '\0';
}

/* "table ip filter {": "ip filter", in key. */
static void read_table(const char *line, char *key, size_t size)
{
	const char *name = line + strlen("table ");
	const char *end = strstr(name, " {");

	snprintf(key, size, "%.*s", end ? (int)(end - name) : 0, name);
}

/* All lines of rules by table and handle: "ip filter 12". */
static json_t *index_lines(const char *text)
{
	json_t *index = json_object();
	char table[256] = "", line[LINE_BYTES], key[300];

	for (const char *p = text, *end; *p; p = *end ? end + 1 : end) {
		const char *handle;

		end = p + strcspn(p, "\n");
		unquote(line, p, (size_t)(end - p));
		if (!strncmp(line, "table ", 6))
			read_table(line, table, sizeof(table));
		handle = strstr(line, " # handle ");
		if (strncmp(line, "\t\t", 2) || !handle)
			continue;
		snprintf(key, sizeof(key), "%s %ld", table,
			 strtol(handle + strlen(" # handle "), NULL, 10));
		json_object_set_new(index, key, json_string(line));
	}
	return index;
}

/* What follows the only occurrence of word; NULL: there is none, or more. */
static const char *after(const char *line, const char *word)
{
	const char *p = strstr(line, word);

	if (!p || strstr(p + 1, word))
		return NULL;
	return p + strlen(word);
}

/* "a,b ": an array of these words. */
static json_t *words(const char *text)
{
	json_t *list = json_array();

	for (;;) {
		const size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz-");

		json_array_append_new(list, json_stringn(text, n));
		text += n;
		if (!n || *text != ',')
			break;
		text++;
	}
	if (*text == ' ' || !*text)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *match_new(const char *op, json_t *left, json_t *right)
{
	return json_pack("{s:{s:s, s:o, s:o}}", "match", "op", op, "left",
			 left, "right", right);
}

/* "!": the op of what stands there, and *text behind it. */
static const char *op_of(const char **text, const char *otherwise)
{
	const char *p = *text;

	if (*p != '!')
		return otherwise;
	p++;
	p += *p == '=';
	p += *p == ' ';
	*text = p;
	return "!=";
}

static json_t *conntrack(const char *line)
{
	const char *p = after(line, "ct ");
	json_t *list;
	const char *op;

	if (!p || strncmp(p, "state ", 6))
		return NULL;
	p += 6;
	op = op_of(&p, "in");
	list = words(p);
	if (list && *op == '!')
		list = json_pack("{s:o}", "set", list);
	return list ? match_new(op, json_pack("{s:{s:s}}", "ct", "key",
					      "state"), list) : NULL;
}

static json_t *addrtype(const char *line)
{
	const char *p = after(line, "fib daddr type ");
	json_t *list;
	const char *op;

	if (!p || strstr(line, "fib saddr"))
		return NULL;
	op = op_of(&p, "==");
	list = words(p);
	return list ? match_new(op, json_pack("{s:{s:s, s:[s]}}", "fib",
					      "result", "type", "flags",
					      "daddr"),
				json_pack("{s:o}", "set", list)) : NULL;
}

/* "80,443,8000-8010 }" with or without blanks: an array. */
static json_t *ports(const char *text)
{
	json_t *list = json_array();

	for (;;) {
		char *end;
		const long low = strtol(text, &end, 10);
		const long high = *end == '-' ? strtol(end + 1, &end, 10) : low;

		json_array_append_new(list, json_pack("{s:[I, I]}", "range",
			(json_int_t)low, (json_int_t)high));
		if (*end != ',')
			return list;
		text = end + 1;
	}
}

static json_t *multiport(const char *line)
{
	const char *p = after(line, "dport ");
	bool udp = strstr(line, "udp dport ");
	const char *op;

	if (!p || strstr(line, "sport ") ||
	    (!udp && !strstr(line, "tcp dport ")))
		return NULL;
	op = op_of(&p, "==");
	p += *p == '{';
	p += *p == ' ';
	if (*p < '0' || *p > '9')
		return NULL;
	return match_new(op, json_pack("{s:{s:s, s:s}}", "payload", "protocol",
				       udp ? "udp" : "tcp", "field", "dport"),
			 json_pack("{s:o}", "set", ports(p)));
}

static json_t *translate(const char *name, const char *line)
{
	if (!strcmp(name, "conntrack") || !strcmp(name, "state"))
		return conntrack(line);
	if (!strcmp(name, "addrtype"))
		return addrtype(line);
	if (!strcmp(name, "multiport"))
		return multiport(line);
	return NULL;
}

static void translate_rule(json_t *rule, json_t *index)
{
	json_t *exprs = json_object_get(rule, "expr"), *e, *made;
	const char *line;
	char key[300];
	size_t i;

	snprintf(key, sizeof(key), "%s %s %lld", text_at(rule, "family"),
		 text_at(rule, "table"), (long long)json_integer_value(
			 json_object_get(rule, "handle")));
	line = json_string_value(json_object_get(index, key));
	if (!line)
		return;
	json_array_foreach(exprs, i, e) {
		json_t *xt = json_object_get(e, "xt");

		if (!xt || strcmp(text_at(xt, "type"), "match"))
			continue;
		made = translate(text_at(xt, "name"), line);
		if (made)
			json_array_set_new(exprs, i, made);
	}
}

void hostfw_xt_translate(json_t *rules, const char *text)
{
	json_t *index, *entry, *rule;
	size_t i;

	if (!text)
		return;
	index = index_lines(text);
	json_array_foreach(rules, i, entry) {
		rule = json_object_get(entry, "rule");
		if (rule)
			translate_rule(rule, index);
	}
	json_decref(index);
}
