/* SPDX-License-Identifier: MIT */
/* firewall/print.c - rules and errors to text; see firewall/text.h. */
#include <string.h>

#include "firewall/address.h"
#include "firewall/keys.h"
#include "firewall/text.h"

struct out {
	char *buf;
	size_t cap, len;	/* len goes on where the buffer ends */
};

static void put_byte(struct out *o, char c)
{
	if (o->len + 1 < o->cap)
		o->buf[o->len] = c;
	o->len++;
}

static void put(struct out *o, const char *s)
{
	while (*s)
		put_byte(o, *s++);
}

static void put_number(struct out *o, unsigned v)
{
	if (v >= 10)
		put_number(o, v / 10);
	put_byte(o, (char)('0' + v % 10));
}

static size_t finish(struct out *o)
{
	if (o->cap)
		o->buf[o->len < o->cap ? o->len : o->cap - 1] = '\0';
	return o->len;
}

/* Bytes that stand for themselves wherever a word may. */
static bool is_plain(unsigned char c)
{
	static const char not_plain[] = ",\";#]";

	return c >= ' ' && c != 0x7f &&
	       !memchr(not_plain, c, sizeof(not_plain) - 1);
}

static bool is_plain_word(const char *s)
{
	const size_t n = strlen(s);

	if (!n || s[0] == ' ' || s[n - 1] == ' ')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_plain((unsigned char)s[i]))
			return false;
	return true;
}

/* ; # and ] as escapes, because INI readers look for them in quotes too. */
static void put_word(struct out *o, const char *s)
{
	static const char digit[] = "0123456789abcdef";

	if (is_plain_word(s)) {
		put(o, s);
		return;
	}
	put_byte(o, '"');
	for (; *s; s++) {
		const unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			put_byte(o, '\\');
			put_byte(o, *s);
		} else if (c == ',' || is_plain(c)) {
			put_byte(o, *s);
		} else {
			put(o, "\\x");
			put_byte(o, digit[c >> 4]);
			put_byte(o, digit[c & 15]);
		}
	}
	put_byte(o, '"');
}

static void put_key(struct out *o, enum rule_key key)
{
	put(o, rule_keys[key].name);
	put(o, " = ");
}

static void put_pair(struct out *o, enum rule_key key, const char *value)
{
	put_key(o, key);
	put(o, value);
	put_byte(o, '\n');
}

static void put_name(struct out *o, const char *name)
{
	put(o, name);
	if (!memchr(name, '.', strlen(name)) && name[0] != '*')
		put_byte(o, '.');
}

static void put_numbers(struct out *o, unsigned a, unsigned b, char between)
{
	put_number(o, a);
	if (a != b || between == ':') {
		put_byte(o, between);
		put_number(o, b);
	}
}

static void put_item(struct out *o, const struct rules *set,
		     const struct rule_item *i)
{
	char buf[ADDRESS_TEXT_BYTES];

	switch ((enum rule_item_kind)i->kind) {
	case ITEM_PORTS:
		put_numbers(o, i->port.first, i->port.last, '-');
		return;
	case ITEM_PORT_WORD:
		put(o, port_words[i->word].name);
		return;
	case ITEM_ICMP:
		if (i->icmp.code != RULE_ANY_CODE) {
			put_numbers(o, i->icmp.type, i->icmp.code, ':');
			return;
		}
		put_number(o, i->icmp.type);
		put(o, ":*");
		return;
	case ITEM_ADDRS:
		put(o, address_format(i, buf));
		return;
	case ITEM_ADDR_WORD:
		put(o, addr_words[i->word].name);
		if (i->families != RULE_BOTH)
			put_byte(o, i->families == RULE_V4 ? '4' : '6');
		return;
	case ITEM_NAME:
		put_name(o, set->text + i->text);
		return;
	case ITEM_GUEST: case ITEM_NETWORK:
		put(o, i->kind == ITEM_GUEST ? "guest " : "network ");
		put_word(o, set->text + i->text);
		return;
	case ITEM_TEXT:
		put_word(o, set->text + i->text);
		return;
	}
}

static void put_list(struct out *o, const struct rules *set,
		     const struct rule *r, enum rule_key key)
{
	const struct rule_item *i = rule_first(set, r,
					       (enum rule_list)key_list(key));

	if (!i)
		return;
	put_key(o, key);
	for (; i; i = rule_next(set, i)) {
		put_item(o, set, i);
		if (i->next)
			put(o, ", ");
	}
	put_byte(o, '\n');
}

static void put_profiles(struct out *o, uint8_t profiles)
{
	const char *between = "";

	if (profiles == RULE_EVERY_PROFILE)
		return;
	put_key(o, KEY_PROFILE);
	for (unsigned i = 0; i < 3; i++)
		if (profiles & profile_words[i].value) {
			put(o, between);
			put(o, profile_words[i].name);
			between = ", ";
		}
	put_byte(o, '\n');
}

static void put_protocol(struct out *o, uint16_t protocol)
{
	if (protocol == RULE_ANY_PROTOCOL)
		return;
	put_key(o, KEY_PROTOCOL);
	for (unsigned i = 0; i < PROTOCOL_WORDS; i++)
		if (protocol_words[i].value == protocol) {
			put(o, protocol_words[i].name);
			put_byte(o, '\n');
			return;
		}
	put_number(o, protocol);
	put_byte(o, '\n');
}

static void put_text(struct out *o, const struct rules *set,
		     enum rule_key key, uint32_t text)
{
	if (!text)
		return;
	put_key(o, key);
	put_word(o, set->text + text);
	put_byte(o, '\n');
}

size_t text_print(const struct rules *set, const struct rule *r, char *buf,
		  size_t cap)
{
	struct out o = { .buf = buf, .cap = cap };

	put(&o, "[rule ");
	put_word(&o, set->text + r->name);
	put(&o, "]\n");
	put_pair(&o, KEY_ACTION, action_words[r->action].name);
	put_pair(&o, KEY_DIRECTION, direction_words[r->direction].name);
	if (!r->enabled)
		put_pair(&o, KEY_ENABLED, "false");
	put_profiles(&o, r->profiles);
	put_protocol(&o, r->protocol);
	for (enum rule_key k = KEY_LOCAL_PORT; k <= KEY_EXCEPT; k++)
		put_list(&o, set, r, k);
	put_text(&o, set, KEY_ID, r->id);
	put_text(&o, set, KEY_GROUP, r->group);
	put_text(&o, set, KEY_DESCRIPTION, r->description);
	put_list(&o, set, r, KEY_WINDOWS);
	return finish(&o);
}

size_t text_word(const char *word, char *buf, size_t cap)
{
	struct out o = { .buf = buf, .cap = cap };

	put_word(&o, word);
	return finish(&o);
}

const char *text_error_format(const struct text_error *e,
			      char buf[TEXT_ERROR_BYTES])
{
	struct out o = { .buf = buf, .cap = TEXT_ERROR_BYTES };
	const size_t most = 60;

	put_number(&o, e->line);
	put_byte(&o, ':');
	put_number(&o, e->column);
	put(&o, ": ");
	for (size_t i = 0; i < e->word.len && i < most; i++) {
		const uint8_t c = e->word.p[i];

		put_byte(&o, c < ' ' || c == 0x7f ? '?' : (char)c);
	}
	put(&o, e->word.len > most ? "…: " : e->word.len ? ": " : "");
	put(&o, e->what);
	if (e->near) {
		put(&o, "; did you mean ");
		put(&o, e->near);
		put_byte(&o, '?');
	} else {
		put(&o, "; give ");
		put(&o, e->expected);
	}
	finish(&o);
	return buf;
}
