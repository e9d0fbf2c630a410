/* SPDX-License-Identifier: MIT */
#include "keeper/etctext.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/host_names.h"
#include "base/hosts.h"

#define BLANKS " \t\r"

/* In a row, a tab before each. */
#define X(name) "\t" name
#define ALL_HOST_NAMES HOST_NAMES_LIST(X)

/* A line of text: its start, and how many bytes to the newline or end. */
struct line {
	const char *p;
	size_t len;
};

static bool next_line(const char **text, struct line *line)
{
	if (!**text)
		return false;
	line->p = *text;
	line->len = strcspn(*text, "\n");
	*text += line->len + (line->p[line->len] == '\n');
	return true;
}

/* The next word of a line, cut off it; false at its end or a comment. */
static bool next_word(struct line *line, struct line *word)
{
	while (line->len && strchr(BLANKS, *line->p)) {
		line->p++;
		line->len--;
	}
	if (!line->len || *line->p == '#' || *line->p == ';')
		return false;
	word->p = line->p;
	word->len = 0;
	while (word->len < line->len && !strchr(BLANKS, word->p[word->len]))
		word->len++;
	line->p += word->len;
	line->len -= word->len;
	return true;
}

static bool word_is(const struct line *w, const char *text)
{
	return strlen(text) == w->len && !strncasecmp(w->p, text, w->len);
}

static bool word_ip(const struct line *w, struct ip *out)
{
	char text[IP_TEXT_BYTES];

	if (w->len >= sizeof(text))
		return false;
	memcpy(text, w->p, w->len);
	text[w->len] = '\0';
	return ip_parse(text, out);
}

static void take_search(struct line line, struct resolvconf *out)
{
	struct line w;
	size_t used = 0;

	out->search[0] = '\0';
	while (next_word(&line, &w)) {
		if (used + w.len + 2 > sizeof(out->search))
			return;
		if (used)
			out->search[used++] = ' ';
		memcpy(out->search + used, w.p, w.len);
		used += w.len;
		out->search[used] = '\0';
	}
}

void resolvconf_parse(const char *text, struct resolvconf *out)
{
	struct line line, w;

	memset(out, 0, sizeof(*out));
	while (next_line(&text, &line)) {
		if (!next_word(&line, &w))
			continue;
		if (word_is(&w, "search") || word_is(&w, "domain"))
			take_search(line, out);
		else if (word_is(&w, "nameserver") &&
			 out->n < CONFIG_DNS_MAX && next_word(&line, &w) &&
			 word_ip(&w, &out->at[out->n]))
			out->n++;
	}
}

size_t resolvconf_make(char *buf, size_t cap, const struct ip *gateway,
		       const char *search)
{
	char ip[IP_TEXT_BYTES];

	return (size_t)snprintf(buf, cap, "nameserver %s\n%s%s%s",
				ip_format(gateway, ip),
				*search ? "search " : "", search,
				*search ? "\n" : "");
}

/* Is this line of a hosts file one that the guest should have, too? */
static bool keep_entry(struct line line, const char *hostname)
{
	struct line w;
	struct ip ip;

	if (!next_word(&line, &w) || !word_ip(&w, &ip) ||
	    ip_is_loopback(&ip))
		return false;
	while (next_word(&line, &w))
		if (word_is(&w, hostname))
			return false;
	return true;
}

static int put_own(char *buf, size_t cap, const struct hosts_setup *s)
{
	char a[IP_TEXT_BYTES], b[IP_TEXT_BYTES];
	int n;

	n = snprintf(buf, cap, "127.0.0.1\tlocalhost\n"
		     "::1\tlocalhost ip6-localhost ip6-loopback\n"
		     "%s\t%s\n%s" ALL_HOST_NAMES "\n",
		     ip_format(&s->guest4, a), s->hostname,
		     ip_format(&s->gateway4, b));
	if (s->v6)
		n += snprintf(buf + n, cap - (size_t)n,
			      "%s\t%s\n%s" ALL_HOST_NAMES "\n",
			      ip_format(&s->guest6, a), s->hostname,
			      ip_format(&s->gateway6, b));
	return n;
}

char *hosts_make(const struct hosts_setup *s)
{
	const size_t own = 1024;
	const size_t cap = own + strlen(s->host_text) + 2;
	const char *text = s->host_text;
	char *buf = malloc(cap);
	struct line line;
	size_t used;

	if (!buf)
		return NULL;
	used = (size_t)put_own(buf, own, s);
	while (next_line(&text, &line)) {
		if (!keep_entry(line, s->hostname))
			continue;
		memcpy(buf + used, line.p, line.len);
		used += line.len;
		buf[used++] = '\n';
	}
	buf[used] = '\0';
	return buf;
}

/* ---- the table ---- */

struct table {
	struct hosts_entry *entries;	/* room for entries_max */
	uint32_t n, entries_max;
	char *text;			/* room for what the file has */
	uint32_t text_bytes;
};

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* Copy a name in lower case and NUL-terminated. false: it is none. */
static bool take_name(const struct line *w, char *out)
{
	const size_t len = w->len && w->p[w->len - 1] == '.' ? w->len - 1 :
							       w->len;
	size_t label = 0;

	if (!len || len >= HOSTS_NAME_BYTES)
		return false;
	for (size_t i = 0; i <= len; i++) {
		const char c = i < len ? w->p[i] : '.';

		if (c == '.' ? !label : !name_char(c) || label == 63)
			return false;
		label = c == '.' ? 0 : label + 1;
		out[i] = (char)(i < len ? tolower((unsigned char)c) : '\0');
	}
	return true;
}

static void take_line(struct line line, struct table *t)
{
	struct line w;
	struct ip ip;

	if (!next_word(&line, &w) || !word_ip(&w, &ip) ||
	    ip_is_loopback(&ip))
		return;
	while (next_word(&line, &w) && t->n < t->entries_max) {
		char *name = t->text + t->text_bytes;

		if (!take_name(&w, name))
			continue;
		t->entries[t->n++] = (struct hosts_entry){
			.ip = ip, .name = t->text_bytes,
		};
		t->text_bytes += (uint32_t)strlen(name) + 1;
	}
}

void *hosts_table(const char *text, size_t *bytes)
{
	/* A name and the blank before it are two bytes at least. */
	struct table t = { .entries_max = (uint32_t)(strlen(text) / 2) };
	struct line line;
	void *block = NULL;

	t.entries = calloc(t.entries_max + 1, sizeof(*t.entries));
	t.text = malloc(strlen(text) + HOSTS_NAME_BYTES);
	while (t.entries && t.text && next_line(&text, &line))
		take_line(line, &t);
	if (t.n) {
		*bytes = hosts_bytes(t.n, t.text_bytes);
		block = malloc(*bytes);
	}
	if (block)
		hosts_make_table(block, t.entries, t.n, t.text,
				 t.text_bytes);
	free(t.entries);
	free(t.text);
	return block;
}
