/* SPDX-License-Identifier: MIT */
#include "control/shown.h"

#include <stdbool.h>
#include <string.h>

#define CUT "…"

/* Does a control character begin at s? C1 ones are two bytes of UTF-8. */
static bool is_control(const char *s)
{
	const unsigned char c = (unsigned char)s[0];
	const unsigned char d = (unsigned char)(c ? s[1] : 0);

	return c < 0x20 || c == 0x7f || (c == 0xc2 && d >= 0x80 && d < 0xa0);
}

const char *shown(const char *text, char *buf, size_t cap)
{
	const size_t room = cap - sizeof(CUT);
	size_t n = 0, whole = 0;

	for (; *text && n + 1 < cap; text++) {
		const bool control = is_control(text);

		if (((unsigned char)*text & 0xc0) != 0x80 && n <= room)
			whole = n;
		buf[n++] = control ? '?' : *text;
		text += control && (unsigned char)*text == 0xc2;
	}
	buf[n] = '\0';
	if (*text)
		strcpy(buf + whole, CUT);
	return buf;
}

static bool is_plain(const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-_./:=@%+,";

	return *word && *word != '=' && strspn(word, plain) == strlen(word);
}

static bool has_control(const char *word)
{
	for (; *word; word++)
		if (is_control(word))
			return true;
	return false;
}

void shown_word(FILE *out, const char *word)
{
	const bool control = has_control(word);

	if (is_plain(word)) {
		fputs(word, out);
		return;
	}
	fputs(control ? "$'" : "'", out);
	for (; *word; word++) {
		const unsigned char c = (unsigned char)*word;

		if (*word == '\'')
			fputs(control ? "\\'" : "'\\''", out);
		else if (control && c == '\\')
			fputs("\\\\", out);
		else if (control && (c < 0x20 || c >= 0x7f))
			fprintf(out, "\\%03o", c);
		else
			fputc(c, out);
	}
	fputc('\'', out);
}

void shown_command(FILE *out, json_t *words)
{
	const char *between = "";
	json_t *w;
	size_t i;

	json_array_foreach(words, i, w) {
		const char *word = json_string_value(w);

		fputs(between, out);
		shown_word(out, word ? word : "");
		between = " ";
	}
}
