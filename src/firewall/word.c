/* SPDX-License-Identifier: MIT */
#include "firewall/word.h"

#include <string.h>

#include "base/nearest.h"

static uint8_t low(uint8_t c)
{
	return (uint8_t)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

struct view word_of(const char *s)
{
	return (struct view){ .p = (const uint8_t *)s, .len = strlen(s) };
}

bool word_is(struct view w, const char *s)
{
	for (size_t i = 0; i < w.len; i++)
		if (!s[i] || low(w.p[i]) != low((uint8_t)s[i]))
			return false;
	return !s[w.len];
}

bool word_equal(struct view a, struct view b)
{
	return a.len == b.len && (!a.len || !memcmp(a.p, b.p, a.len));
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

struct view word_trim(struct view w)
{
	while (w.len && is_blank(w.p[0])) {
		w.p++;
		w.len--;
	}
	while (w.len && is_blank(w.p[w.len - 1]))
		w.len--;
	return w;
}

struct view word_cut(struct view *rest, uint8_t at)
{
	const uint8_t *end = rest->len ? memchr(rest->p, at, rest->len) : NULL;
	struct view w = *rest;

	if (!end) {
		rest->p += rest->len;
		rest->len = 0;
		return w;
	}
	w.len = (size_t)(end - w.p);
	rest->p = end + 1;
	rest->len -= w.len + 1;
	return w;
}

bool word_number(struct view w, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (!w.len || w.len > 9)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(w.p[i] - '0');
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

bool word_known(struct view w, const struct known_word *known, unsigned n,
		unsigned *out)
{
	for (unsigned i = 0; i < n; i++)
		if (word_is(w, known[i].name)) {
			*out = known[i].value;
			return true;
		}
	return false;
}

const char *word_nearest(struct view w, const struct known_word *known,
			 unsigned n)
{
	char text[NEAREST_MAX + 1];
	struct nearest near = { .text = text };

	if (!w.len || w.len > NEAREST_MAX || memchr(w.p, 0, w.len))
		return NULL;
	memcpy(text, w.p, w.len);
	text[w.len] = '\0';
	for (unsigned i = 0; i < n; i++)
		nearest_offer(&near, known[i].name);
	return near.best;
}
