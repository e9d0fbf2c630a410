/* SPDX-License-Identifier: MIT */
#include "firewall/rule.h"

#include <string.h>

#include "firewall/windows.h"
#include "firewall/word.h"

size_t rules_bytes(const struct rules_size *max)
{
	return max->rules * sizeof(struct rule) +
	       max->items * sizeof(struct rule_item) + max->text_bytes + 1;
}

void rules_init(struct rules *set, void *block, const struct rules_size *max)
{
	*set = (struct rules){ .rule = block, .max = *max };
	set->item = (struct rule_item *)(void *)(set->rule + max->rules);
	set->text = (char *)(set->item + max->items);
	set->max.text_bytes++;
	set->text[0] = '\0';		/* text 0 is "" */
	set->used.text_bytes = 1;
}

void rules_adopt(struct rules *set, const void *block,
		 const struct rules_size *size)
{
	union {			/* what a set holds may be written to: not here */
		const void *in;
		void *out;
	} bytes = { .in = block };

	*set = (struct rules){ .rule = bytes.out, .max = *size };
	set->item = (struct rule_item *)(void *)(set->rule + size->rules);
	set->text = (char *)(set->item + size->items);
	set->max.text_bytes++;
	set->used = set->max;
}

struct rules_size rules_needed(const struct rules *set)
{
	struct rules_size size = set->used;

	size.text_bytes--;		/* rules_init() adds that of text 0 */
	return size;
}

void rule_init(struct rule *r)
{
	*r = (struct rule){ .protocol = RULE_ANY_PROTOCOL, .enabled = true,
			    .profiles = RULE_EVERY_PROFILE };
}

bool rules_add(struct rules *set, const struct rule *r)
{
	if (set->used.rules == set->max.rules)
		return false;
	set->rule[set->used.rules++] = *r;
	return true;
}

bool rules_append(struct rules *set, struct rule *r, enum rule_list list,
		  const struct rule_item *item)
{
	uint32_t n;

	if (set->used.items == set->max.items)
		return false;
	set->item[set->used.items] = *item;
	set->item[set->used.items].next = 0;
	n = ++set->used.items;
	if (r->list[list].last)
		set->item[r->list[list].last - 1].next = n;
	else
		r->list[list].first = n;
	r->list[list].last = n;
	return true;
}

bool rules_text(struct rules *set, struct view text, uint32_t *out)
{
	const uint32_t at = set->used.text_bytes;

	if (!text.len) {
		*out = 0;
		return true;
	}
	if (text.len >= set->max.text_bytes - at)
		return false;
	memcpy(set->text + at, text.p, text.len);
	set->text[at + text.len] = '\0';
	set->used.text_bytes += (uint32_t)text.len + 1;
	*out = at;
	return true;
}

static bool has_text(const struct rule_item *item)
{
	switch ((enum rule_item_kind)item->kind) {
	case ITEM_NAME: case ITEM_TEXT: case ITEM_GUEST: case ITEM_NETWORK:
		return true;
	case ITEM_PORTS: case ITEM_PORT_WORD: case ITEM_ICMP:
	case ITEM_ADDRS: case ITEM_ADDR_WORD:
		break;
	}
	return false;
}

static bool copy_text(struct rules *set, const struct rules *from,
		      uint32_t text, uint32_t *out)
{
	return rules_text(set, word_of(from->text + text), out);
}

static bool copy_list(struct rules *set, const struct rules *from,
		      const struct rule *r, enum rule_list list,
		      struct rule *out)
{
	const struct rule_item *i = rule_first(from, r, list);

	for (; i; i = rule_next(from, i)) {
		struct rule_item item = *i;

		if (has_text(i) && !copy_text(set, from, i->text, &item.text))
			return false;
		if (!rules_append(set, out, list, &item))
			return false;
	}
	return true;
}

bool rules_copy(struct rules *set, const struct rules *from,
		const struct rule *r, struct rule *out)
{
	const struct rules_size before = set->used;
	struct rule new = *r;
	bool ok;

	memset(new.list, 0, sizeof(new.list));
	ok = copy_text(set, from, r->name, &new.name) &&
	     copy_text(set, from, r->id, &new.id) &&
	     copy_text(set, from, r->group, &new.group) &&
	     copy_text(set, from, r->description, &new.description);
	for (enum rule_list l = 0; ok && l < RULE_LISTS; l++)
		ok = copy_list(set, from, r, l, &new);
	if (ok)
		*out = new;
	else
		rules_rewind(set, &before);
	return ok;
}

void rules_rewind(struct rules *set, const struct rules_size *used)
{
	ASSERT(used->rules <= set->used.rules &&
	       used->items <= set->used.items &&
	       used->text_bytes <= set->used.text_bytes);
	set->used = *used;
}

static const struct rule_item *item_at(const struct rules *set, uint32_t n)
{
	return n ? &set->item[n - 1] : NULL;
}

const struct rule_item *rule_first(const struct rules *set,
				   const struct rule *r, enum rule_list list)
{
	return item_at(set, r->list[list].first);
}

const struct rule_item *rule_next(const struct rules *set,
				  const struct rule_item *item)
{
	return item_at(set, item->next);
}

static bool same_text(const struct rules *a, uint32_t x,
		      const struct rules *b, uint32_t y)
{
	return word_equal(word_of(a->text + x), word_of(b->text + y));
}

bool rule_item_equal(const struct rules *a, const struct rule_item *x,
		     const struct rules *b, const struct rule_item *y)
{
	if (x->kind != y->kind)
		return false;
	switch ((enum rule_item_kind)x->kind) {
	case ITEM_PORTS:
		return x->port.first == y->port.first &&
		       x->port.last == y->port.last;
	case ITEM_ICMP:
		return x->icmp.type == y->icmp.type &&
		       x->icmp.code == y->icmp.code;
	case ITEM_ADDRS:
		return ip_equal(&x->addr.first, &y->addr.first) &&
		       ip_equal(&x->addr.last, &y->addr.last);
	case ITEM_PORT_WORD:
		return x->word == y->word;
	case ITEM_ADDR_WORD:
		return x->word == y->word && x->families == y->families;
	case ITEM_NAME: case ITEM_TEXT: case ITEM_GUEST: case ITEM_NETWORK:
		return same_text(a, x->text, b, y->text);
	}
	__builtin_trap();
}

static bool same_list(const struct rules *a, const struct rule_item *x,
		      const struct rules *b, const struct rule_item *y)
{
	while (x && y && rule_item_equal(a, x, b, y)) {
		x = rule_next(a, x);
		y = rule_next(b, y);
	}
	return !x && !y;
}

bool rule_equal(const struct rules *a, const struct rule *x,
		const struct rules *b, const struct rule *y)
{
	if (x->protocol != y->protocol || x->action != y->action ||
	    x->direction != y->direction || x->profiles != y->profiles ||
	    x->enabled != y->enabled ||
	    !same_text(a, x->name, b, y->name) ||
	    !same_text(a, x->id, b, y->id) ||
	    !same_text(a, x->group, b, y->group) ||
	    !same_text(a, x->description, b, y->description))
		return false;
	for (enum rule_list l = 0; l < RULE_LISTS; l++)
		if (!same_list(a, rule_first(a, x, l), b, rule_first(b, y, l)))
			return false;
	return true;
}

/* Does it ask for programs, and for none that has a path here? */
static bool is_for_others(const struct rules *set, const struct rule *r)
{
	const struct rule_item *first = rule_first(set, r, RULE_PROGRAMS);

	for (const struct rule_item *p = first; p; p = rule_next(set, p))
		if (set->text[p->text] == '/')
			return false;
	return first;
}

bool rule_is_inert(const struct rules *set, const struct rule *r)
{
	const struct rule_item *kept = rule_first(set, r, RULE_KEPT);
	bool other_link = false, our_link = false;

	if (r->action == RULE_BYPASS || is_for_others(set, r))
		return true;
	for (; kept; kept = rule_next(set, kept)) {
		struct view value = word_of(set->text + kept->text);
		const struct view field = word_cut(&value, '=');

		switch (windows_kept(field, value)) {
		case WINDOWS_SAYS_NOTHING:
			break;
		case WINDOWS_NEVER:
			return true;
		case WINDOWS_OUR_LINK:
			our_link = true;
			break;
		case WINDOWS_OTHER_LINK:
			other_link = true;
			break;
		case WINDOWS_UNKNOWN:	/* may narrow what is allowed */
			if (r->action == RULE_ALLOW)
				return true;
			break;
		}
	}
	return other_link && !our_link;
}

uint32_t rules_find(const struct rules *set, const char *name)
{
	const struct view wanted = word_of(name);
	const uint32_t n = set->used.rules;

	for (uint32_t i = 0; i < n; i++)
		if (word_equal(word_of(set->text + set->rule[i].id), wanted))
			return i;
	for (uint32_t i = 0; i < n; i++)
		if (word_equal(word_of(set->text + set->rule[i].name), wanted))
			return i;
	return n;
}

bool rules_ask_programs(const struct rules *set)
{
	for (uint32_t i = 0; i < set->used.rules; i++) {
		const struct rule *r = &set->rule[i];

		if (r->enabled && !rule_is_inert(set, r) &&
		    rule_first(set, r, RULE_PROGRAMS))
			return true;
	}
	return false;
}

bool rule_name_matches(const char *pattern, const char *name)
{
	const struct view p = word_of(pattern), n = word_of(name);
	const size_t tail = p.len - 1;		/* with its dot */

	if (pattern[0] != '*')
		return word_equal(p, n);
	return n.len > tail && (!tail || !memcmp(p.p + 1,
						 n.p + n.len - tail, tail));
}

uint16_t port_word_number(enum port_word word)
{
	switch (word) {
	case PORT_RPC_EPMAP:
		return 135;
	case PORT_IPTLS_IN: case PORT_IPHTTPS_IN:
	case PORT_IPTLS_OUT: case PORT_IPHTTPS_OUT:
		return 443;
	case PORT_MDNS:
		return 5353;
	case PORT_RPC: case PORT_TEREDO: case PORT_DHCP: case PORT_PLY2DISC:
	case PORT_CORTANA_OUT: case PORT_TCP_CDP: case PORT_WORDS:
		break;
	}
	return 0;
}
