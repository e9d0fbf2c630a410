/* SPDX-License-Identifier: MIT */
/*
 * firewall/text.h - rules as we write them.
 *
 *	[rule no web]
 *	action = block
 *	direction = out
 *	protocol = tcp
 *	remotePort = 80, 443
 *	remoteAddress = *.example.test, 192.0.2.0/24
 *
 * One key is one line; lists are separated by commas and may be split over
 * several lines of the same key. A word with a comma, a quote, a blank at
 * an end, or a byte that is no text stands in double quotes, where \\, \"
 * and \xHH have their usual meaning. Lines that begin with # or ; say
 * nothing. `action` and `direction` must be there; the words of a `slipway
 * firewall add` are the same, as key=value.
 */
#ifndef FIREWALL_TEXT_H
#define FIREWALL_TEXT_H

#include "firewall/rule.h"

#define TEXT_ERROR_BYTES 400

struct text_error {
	unsigned line, column;	/* from 1; column in bytes */
	struct view word;	/* what is wrong; lent while the input is */
	const char *what;	/* "no such key" */
	const char *expected;	/* what may stand there */
	const char *near;	/* the nearest known word, or NULL */
};

struct text_sink {
	void (*error)(void *ctx, const struct text_error *error);
	void *ctx;
};

/* A rule while its keys are read. */
struct text_draft {
	struct rule rule;
	uint32_t seen;		/* keys that were given */
};

void text_begin(struct text_draft *d);

/*
 * The value of one key. false: *error is filled in but for the line, its
 * column counts from the first byte of value, 0 meaning the key.
 */
MUST bool text_take(struct rules *set, struct text_draft *d, struct view key,
		    struct view value, struct text_error *error);

/* All keys were read: add the rule to the set, if they go together. */
MUST bool text_end(struct rules *set, struct text_draft *d,
		   struct text_error *error);

/*
 * All rules of a text. Each error is told, and the rule that has one is
 * not added. Returns how many there were.
 */
unsigned text_parse(struct rules *set, struct view text,
		    const struct text_sink *sink);

/* A set in which text_parse() and the like cannot run out of room. */
struct rules_size text_needs(struct view text);

/*
 * The rule as text_parse() reads it. Like snprintf(): at most cap bytes
 * with a NUL, and returns how long it is without that.
 */
size_t text_print(const struct rules *set, const struct rule *r, char *buf,
		  size_t cap);

/* The same of one word, in quotes where it has to be. */
size_t text_word(const char *word, char *buf, size_t cap);

/* "3:14: portt: no such key; did you mean localPort?". Returns buf. */
const char *text_error_format(const struct text_error *e,
			      char buf[TEXT_ERROR_BYTES]);

#endif
