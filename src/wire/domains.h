/* SPDX-License-Identifier: MIT */
/*
 * wire/domains.h - a list of domains in the form of DNS.
 *
 * What options of DHCP and router advertisements carry as search list:
 * RFC 3397 section 2, RFC 8106 section 5.2, RFC 8415 section 10. Names are
 * not compressed: only the first of the three would allow it.
 */
#ifndef WIRE_DOMAINS_H
#define WIRE_DOMAINS_H

#include "base/span.h"
#include "base/wr.h"

/**
 * domains_emit() - write names as labels, each ended by the root label
 * @w:		gets the names; it may be that none is written
 * @list:	NUL-terminated text, blanks between the names; a final dot
 *		is allowed
 * @max:	bytes to write at most; names from the first on that does not
 *		fit are left out, and none is written in part
 *
 * What DNS cannot carry is left out: a name with an empty label, one of
 * over 63 bytes, or over 255 in all.
 */
void domains_emit(struct wr *w, const char *list, size_t max);

/* The first word of a list; its length is 0 if there is none. */
struct view domains_first(const char *list);

#endif
