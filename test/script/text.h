/* SPDX-License-Identifier: MIT */
/* test/script/text.h - the small words that scripts are made of. */
#ifndef TEXT_H
#define TEXT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

/* "1.2.3.4:80" or "[::1]:80". */
static inline bool text_endpoint(const char *text, struct endpoint *out)
{
	const char *colon = strrchr(text, ':');
	char ip[IP_TEXT_BYTES + 2];
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (!len || len >= sizeof(ip))
		return false;
	if (text[0] == '[') {
		text++;
		len -= 2;
	}
	memcpy(ip, text, len);
	ip[len] = '\0';
	out->port = (uint16_t)atoi(colon + 1);
	return ip_parse(ip, &out->ip);
}

/* The number after " name " in text, or otherwise. */
static inline long text_number(const char *text, const char *name,
			       long otherwise)
{
	char word[16];
	const char *at;

	snprintf(word, sizeof(word), " %s ", name);
	at = strstr(text, word);
	return at ? atol(at + strlen(word)) : otherwise;
}

#endif
