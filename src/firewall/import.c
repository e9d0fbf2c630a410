/* SPDX-License-Identifier: MIT */
#include "firewall/import.h"

#include <string.h>

#include "firewall/unicode.h"
#include "firewall/word.h"

struct reader {
	struct rules *set;
	const struct windows_maps *maps;
	const struct windows_sink *sink;
	uint8_t *p;			/* what is not read yet */
	size_t left;
	unsigned line;
	bool bytes;			/* REGEDIT4: hex(1) is not UTF-16 */
	struct import_result result;
};

bool import_needs(struct view file, const struct windows_maps *maps,
		  struct import_needs *out)
{
	struct import_needs need = { .set = { .rules = 1 } };
	size_t longest = 0;

	if (file.len > IMPORT_MAX_BYTES)
		return false;
	for (size_t i = 0; i < file.len; i++) {
		const uint8_t c = file.p[i];

		need.set.rules += c == '\n';
		/* '|' itself, or "7c" as text of one or two bytes */
		need.set.items += c == '|' || c == '7';
	}
	for (unsigned i = 0; maps && i < maps->n; i++) {
		const size_t n = strlen(maps->map[i].to);

		longest = n > longest ? n : longest;
	}
	if (longest > IMPORT_MAX_BYTES / need.set.rules)
		return false;
	need.set.items += need.set.rules;
	need.scratch_bytes = 3 * file.len + 4;
	need.set.text_bytes = (uint32_t)(3 * file.len + need.set.items +
					 need.set.rules * (longest + 4));
	*out = need;
	return true;
}

static void skip(struct reader *r, struct view name, struct view word,
		 const char *why)
{
	const struct windows_note n = { .kind = NOTE_SKIPPED, .line = r->line,
		.column = 1, .rule = name, .word = word, .why = why };

	r->result.skipped++;
	if (r->sink)
		r->sink->note(r->sink->ctx, &n);
}

static bool next_line(struct reader *r, struct view *out)
{
	struct view rest = { .p = r->p, .len = r->left };

	if (!r->left)
		return false;
	*out = word_cut(&rest, '\n');
	r->p += r->left - rest.len;
	r->left = rest.len;
	r->line++;
	return true;
}

static bool is_rule(struct view v)
{
	return v.len >= 2 && (v.p[0] | 0x20) == 'v' && v.p[1] >= '0' &&
	       v.p[1] <= '9';
}

static void take_rule(struct reader *r, struct view name, struct view string,
		      unsigned line, unsigned column)
{
	if (!is_rule(string))
		skip(r, name, string, "its value is no rule");
	else if (windows_rule(r->set, string, name, r->maps, r->sink, line,
			      column))
		r->result.rules++;
	else
		r->result.errors++;
}

/*
 * A quoted string at the start of *rest, with \\ and \" made what they
 * stand for, in place. false: it has no end.
 */
static bool cut_string(struct view *rest, struct view *out)
{
	uint8_t *to = (uint8_t *)(uintptr_t)rest->p + 1, *start = to;
	size_t i = 1;

	for (; i < rest->len && rest->p[i] != '"'; i++) {
		if (rest->p[i] == '\\' && i + 1 < rest->len)
			i++;
		*to++ = rest->p[i];
	}
	if (i >= rest->len)
		return false;
	*out = (struct view){ .p = start, .len = (size_t)(to - start) };
	rest->p += i + 1;
	rest->len -= i + 1;
	return true;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Bytes as text, on this line and, behind a backslash, on the next. */
struct hex {
	struct reader *r;
	struct view line;
};

/* The next byte; -1: no more; -2: what stands there is none. */
static int next_byte(struct hex *h)
{
	int high, low;

	for (;;) {
		struct view *l = &h->line;

		*l = word_trim(*l);
		if (!l->len)
			return -1;
		if (l->p[0] == '\\' && l->len == 1) {
			if (!next_line(h->r, l))
				return -1;
			continue;
		}
		if (l->p[0] != ',')
			break;
		l->p++;
		l->len--;
	}
	high = hex_digit(h->line.p[0]);
	low = h->line.len > 1 ? hex_digit(h->line.p[1]) : -1;
	if (high < 0 || low < 0)
		return -2;
	h->line.p += 2;
	h->line.len -= 2;
	return high << 4 | low;
}

/*
 * A value written as bytes becomes text where it stands: six characters
 * for a unit of UTF-16, which is at most three bytes of UTF-8.
 */
static bool cut_hex(struct reader *r, struct view line, struct view *out)
{
	uint8_t *start = (uint8_t *)(uintptr_t)line.p, *to = start;
	struct hex h = { .r = r, .line = line };
	struct utf16 u = { 0 };
	int low, high = 0;

	while ((low = next_byte(&h)) >= 0) {
		if (r->bytes) {
			to += unicode_put((uint32_t)low, to);
			continue;
		}
		high = next_byte(&h);
		if (high < 0)
			break;
		to += utf16_put(&u, (uint16_t)(high << 8 | low), to,
				&r->result.broken);
	}
	if (!r->bytes)
		to += utf16_end(&u, to, &r->result.broken);
	while (to > start && !to[-1])	/* the NUL behind a REG_SZ */
		to--;
	*out = (struct view){ .p = start, .len = (size_t)(to - start) };
	return low == -1 && high >= 0;
}

static bool begins(struct view v, const char *with)
{
	const size_t n = strlen(with);

	return v.len >= n && word_is((struct view){ v.p, n }, with);
}

/* Lines that a value in hex goes on over, when nobody wants it. */
static void skip_rest(struct reader *r, struct view line)
{
	while (line.len && line.p[line.len - 1] == '\\')
		if (!next_line(r, &line))
			break;
		else
			line = word_trim(line);
}

/* "name"="value", "name"=hex(1):76,00,… */
static void read_export(struct reader *r, struct view line)
{
	const struct view whole = line;
	const unsigned at = r->line;
	struct view name = { 0 }, value;
	unsigned column;

	if (line.p[0] == '@') {
		line.p++;
		line.len--;
	} else if (!cut_string(&line, &name)) {
		skip(r, name, whole, "its name has no end");
		return;
	}
	line = word_trim(line);
	if (!line.len || line.p[0] != '=') {
		skip(r, name, whole, "no = behind its name");
		return;
	}
	line.p++;
	line.len--;
	line = word_trim(line);
	column = (unsigned)(line.p - whole.p) + 2;
	if (line.len && line.p[0] == '"') {
		if (cut_string(&line, &value))
			take_rule(r, name, value, at, column);
		else
			skip(r, name, whole, "its value has no end");
	} else if (begins(line, "hex(1):") || begins(line, "hex(2):")) {
		line.p += 7;
		line.len -= 7;
		if (cut_hex(r, line, &value))
			take_rule(r, name, value, at, column);
		else
			skip(r, name, name, "its bytes are not all bytes");
	} else {
		skip(r, name, name, "no string");
		skip_rest(r, line);
	}
}

/* Where a word stands between blanks; v.len if nowhere. */
static size_t find_type(struct view v, const char *type)
{
	const size_t n = strlen(type);

	for (size_t i = 1; i + n < v.len; i++)
		if ((v.p[i - 1] == ' ' || v.p[i - 1] == '\t') &&
		    (v.p[i + n] == ' ' || v.p[i + n] == '\t') &&
		    !memcmp(v.p + i, type, n))
			return i;
	return v.len;
}

/* "    name    REG_SZ    value" */
static bool read_query(struct reader *r, struct view line)
{
	static const char *const types[] = { "REG_SZ", "REG_EXPAND_SZ" };

	for (unsigned i = 0; i < 2; i++) {
		const size_t at = find_type(line, types[i]);
		const size_t end = at + strlen(types[i]);
		struct view value;

		if (at == line.len)
			continue;
		value = word_trim((struct view){ .p = line.p + end,
						 .len = line.len - end });
		take_rule(r, word_trim((struct view){ line.p, at }), value,
			  r->line, (unsigned)(value.p - line.p) + 1);
		return true;
	}
	return false;
}

static bool says_nothing(struct view v)
{
	return !v.len || v.p[0] == ';' || v.p[0] == '#' || v.p[0] == '[' ||
	       begins(v, "HKEY_") || begins(v, "HKLM\\") ||
	       begins(v, "Windows Registry Editor") ||
	       begins(v, "End of search");
}

static void read_line(struct reader *r, struct view line)
{
	const struct view v = word_trim(line);

	if (begins(v, "REGEDIT4"))
		r->bytes = true;
	else if (says_nothing(v))
		return;
	else if (v.p[0] == '"' || v.p[0] == '@')
		read_export(r, v);
	else if (is_rule(v))
		take_rule(r, (struct view){ 0 }, v, r->line,
			  (unsigned)(v.p - line.p) + 1);
	else if (!read_query(r, line))
		skip(r, (struct view){ 0 }, v, "no rule");
}

struct import_result import_read(struct rules *set, struct view file,
				 const struct windows_maps *maps,
				 const struct windows_sink *sink,
				 void *scratch)
{
	struct reader r = { .set = set, .maps = maps, .sink = sink,
			    .p = scratch };
	struct view line;

	r.left = unicode_decode(file, scratch, &r.result.broken);
	while (next_line(&r, &line))
		read_line(&r, line);
	return r.result;
}
