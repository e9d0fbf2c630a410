/* SPDX-License-Identifier: MIT */
/* firewall/address.h - items of a rule's lists, as text and as values. */
#ifndef FIREWALL_ADDRESS_H
#define FIREWALL_ADDRESS_H

#include "firewall/rule.h"
#include "firewall/word.h"

#define ADDRESS_TEXT_BYTES (2 * IP_TEXT_BYTES)	/* "FIRST-LAST" */

extern const struct known_word port_words[PORT_WORDS];
extern const struct known_word addr_words[ADDR_WORDS + 1];

/*
 * "10.0.0.1", "10.0.0.0/8", "10.0.0.0/255.0.0.0", "10.0.0.1-10.0.0.9" and
 * the same of IPv6; gives ITEM_ADDRS. loose: bits behind a prefix may be
 * set, as Windows allows. false: it is none of these.
 */
MUST bool address_parse(struct view w, bool loose, struct rule_item *out);

/* The shortest of these forms. buf holds ADDRESS_TEXT_BYTES. Returns buf. */
const char *address_format(const struct rule_item *item, char *buf);

/* "80" or "8000-8010"; gives ITEM_PORTS. */
MUST bool ports_parse(struct view w, struct rule_item *out);

/* "8:0", "8:*" or "8"; gives ITEM_ICMP. */
MUST bool icmp_parse(struct view w, struct rule_item *out);

/* "LocalSubnet", "localsubnet6", …; gives ITEM_ADDR_WORD. */
MUST bool address_word_parse(struct view w, struct rule_item *out);

/*
 * "*", "*.a.test", "a.test" or, of one label, "a."; the last label is no
 * number. Gives in buf, which holds RULE_NAME_BYTES, the lower-case name
 * without a final dot.
 */
#define RULE_NAME_BYTES 256
MUST bool name_pattern_parse(struct view w, char *buf);

#endif
