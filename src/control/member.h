/* SPDX-License-Identifier: MIT */
/*
 * control/member.h - members of an answer's objects, by name
 *
 * What is not there, or is of another type, reads as empty: an older slipway
 * at the other end leaves out what it does not know.
 */
#ifndef CONTROL_MEMBER_H
#define CONTROL_MEMBER_H

#include <jansson.h>

/* A text, "" if there is none. Lent: it lives as long as the object. */
static inline const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* The same of the object `outer` in o. */
static inline const char *text_in(const json_t *o, const char *outer,
				  const char *key)
{
	return text_at(json_object_get(o, outer), key);
}

#endif
