/* SPDX-License-Identifier: MIT */
#include "wire/domains.h"

#include <stdbool.h>

#define LABEL_MAX_BYTES	63
#define NAME_MAX_BYTES	255

/* The next word of the list, which then begins behind it. */
static struct view next_word(const char **list)
{
	const char *p = *list;
	size_t len = 0;

	while (*p == ' ' || *p == '\t')
		p++;
	while (p[len] && p[len] != ' ' && p[len] != '\t')
		len++;
	*list = p + len;
	return (struct view){ .p = (const uint8_t *)p, .len = len };
}

static size_t label_bytes(struct view rest)
{
	size_t len = 0;

	while (len < rest.len && rest.p[len] != '.')
		len++;
	return len;
}

/* false: no name of DNS; what was written so far is to be thrown away. */
static bool emit_name(struct wr *w, struct view name)
{
	if (name.len && name.p[name.len - 1] == '.')
		name.len--;
	if (!name.len || name.len + 2 > NAME_MAX_BYTES)
		return false;
	for (;;) {
		const size_t len = label_bytes(name);

		if (!len || len > LABEL_MAX_BYTES)
			return false;
		wr_u8(w, (uint8_t)len);
		wr_bytes(w, name.p, len);
		if (len == name.len)
			break;
		name.p += len + 1;
		name.len -= len + 1;
	}
	wr_u8(w, 0);
	return true;
}

void domains_emit(struct wr *w, const char *list, size_t max)
{
	uint8_t buf[NAME_MAX_BYTES];

	for (;;) {
		const struct view name = next_word(&list);
		struct wr one = wr(buf, sizeof(buf));
		size_t len;

		if (!name.len)
			return;
		if (!emit_name(&one, name))
			continue;
		len = (size_t)(one.p - buf);
		if (len > max)
			return;
		wr_bytes(w, buf, len);
		max -= len;
	}
}

struct view domains_first(const char *list)
{
	return next_word(&list);
}
