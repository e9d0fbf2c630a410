/* SPDX-License-Identifier: MIT */
#include "firewall/text.h"

#include <string.h>

#include "firewall/address.h"
#include "firewall/keys.h"

const struct known_word rule_keys[KEYS] = {
	{ "action", KEY_ACTION }, { "direction", KEY_DIRECTION },
	{ "enabled", KEY_ENABLED }, { "profile", KEY_PROFILE },
	{ "protocol", KEY_PROTOCOL }, { "localPort", KEY_LOCAL_PORT },
	{ "remotePort", KEY_REMOTE_PORT }, { "icmpType", KEY_ICMP_TYPE },
	{ "localAddress", KEY_LOCAL_ADDRESS },
	{ "remoteAddress", KEY_REMOTE_ADDRESS },
	{ "network", KEY_NETWORK }, { "guest", KEY_GUEST },
	{ "program", KEY_PROGRAM }, { "except", KEY_EXCEPT },
	{ "id", KEY_ID }, { "group", KEY_GROUP },
	{ "description", KEY_DESCRIPTION }, { "windows", KEY_WINDOWS },
};

const struct known_word action_words[3] = {
	{ "block", RULE_BLOCK }, { "allow", RULE_ALLOW },
	{ "bypass", RULE_BYPASS },
};

const struct known_word direction_words[2] = {
	{ "in", RULE_IN }, { "out", RULE_OUT },
};

const struct known_word profile_words[3] = {
	{ "domain", RULE_DOMAIN }, { "private", RULE_PRIVATE },
	{ "public", RULE_PUBLIC },
};

const struct known_word protocol_words[PROTOCOL_WORDS] = {
	{ "tcp", RULE_TCP }, { "udp", RULE_UDP }, { "icmp", RULE_ICMP4 },
	{ "icmpv6", RULE_ICMP6 }, { "any", RULE_ANY_PROTOCOL },
};

static const struct known_word bool_words[] = {
	{ "true", true }, { "false", false }, { "yes", true },
	{ "no", false }, { "on", true }, { "off", false },
	{ "1", true }, { "0", false },
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

unsigned key_list(enum rule_key key)
{
	switch (key) {
	case KEY_LOCAL_PORT:	return RULE_LOCAL_PORTS;
	case KEY_REMOTE_PORT:	return RULE_REMOTE_PORTS;
	case KEY_ICMP_TYPE:	return RULE_ICMP;
	case KEY_LOCAL_ADDRESS:	return RULE_LOCAL;
	case KEY_REMOTE_ADDRESS: return RULE_REMOTE;
	case KEY_NETWORK:	return RULE_NETWORKS;
	case KEY_GUEST:		return RULE_GUESTS;
	case KEY_PROGRAM:	return RULE_PROGRAMS;
	case KEY_EXCEPT:	return RULE_EXCEPT;
	case KEY_WINDOWS:	return RULE_KEPT;
	case KEY_ACTION: case KEY_DIRECTION: case KEY_ENABLED:
	case KEY_PROFILE: case KEY_PROTOCOL: case KEY_ID: case KEY_GROUP:
	case KEY_DESCRIPTION: case KEYS:
		break;
	}
	return RULE_LISTS;
}

/* One word of a value, and where it stands. */
struct item {
	struct view text;	/* without its quotes */
	bool quoted;
};

struct take {
	struct rules *set;
	struct text_draft *draft;
	struct view value;	/* all of it: columns count from its start */
	struct text_error *error;
};

static bool refuse(const struct take *t, struct view word, const char *what,
		   const char *expected, const char *near)
{
	*t->error = (struct text_error){
		.word = word, .what = what, .expected = expected,
		.near = near,
		.column = word.p >= t->value.p ?
			(unsigned)(word.p - t->value.p) + 1 : 1,
	};
	return false;
}

static bool full(const struct take *t)
{
	return refuse(t, t->value, "no room for it",
		      "fewer or shorter rules", NULL);
}

/* Cut one item off, up to a comma (if `list`) or to the end. */
static bool cut_item(const struct take *t, struct view *rest, bool list,
		     struct item *out)
{
	struct view r = word_trim(*rest);
	size_t n = 1;

	if (!r.len || r.p[0] != '"') {
		*out = (struct item){ .text = r };
		if (list)
			out->text = word_trim(word_cut(&r, ','));
		else
			r.len = 0;
		*rest = r;
		return true;
	}
	while (n < r.len && r.p[n] != '"')
		n += r.p[n] == '\\' ? 2 : 1;
	if (n >= r.len)
		return refuse(t, r, "a quote without its end", "\"…\"", NULL);
	*out = (struct item){ .quoted = true,
			      .text = { .p = r.p + 1, .len = n - 1 } };
	r = word_trim((struct view){ .p = r.p + n + 1, .len = r.len - n - 1 });
	if (r.len && (!list || r.p[0] != ','))
		return refuse(t, r, "something behind a quoted word",
			      list ? "a comma" : "the end of the line", NULL);
	if (r.len)
		word_cut(&r, ',');
	*rest = r;
	return true;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte behind a backslash at p[*at]; 0 if there is none to be had. */
static uint8_t unescape(struct view v, size_t *at)
{
	const uint8_t *p = v.p + *at;
	const size_t left = v.len - *at;
	int high, low;

	if (left >= 2 && (p[1] == '\\' || p[1] == '"')) {
		*at += 2;
		return p[1];
	}
	if (left < 4 || p[1] != 'x')
		return 0;
	high = hex_digit(p[2]);
	low = hex_digit(p[3]);
	*at += 4;
	if (high < 0 || low < 0)
		return 0;
	return (uint8_t)(high << 4 | low);
}

/* The item as a text of the set. */
static bool store(const struct take *t, const struct item *item,
		  uint32_t *out)
{
	const struct view v = item->text;
	uint32_t to;

	if (v.len && memchr(v.p, 0, v.len))
		return refuse(t, v, "it holds a NUL byte", "text", NULL);
	if (!rules_text(t->set, v, out))
		return full(t);
	to = *out;
	for (size_t i = 0; item->quoted && i < v.len;) {
		uint8_t c = v.p[i];

		if (c == '\\')
			c = unescape(v, &i);
		else
			i++;
		if (!c)
			return refuse(t, v, "not an escape",
				      "\\\\, \\\" or \\xHH", NULL);
		t->set->text[to++] = (char)c;
	}
	if (item->quoted && v.len) {
		t->set->text[to] = '\0';
		t->set->used.text_bytes = to + 1;
	}
	return true;
}

static bool append(const struct take *t, enum rule_list list,
		   const struct rule_item *item)
{
	return rules_append(t->set, &t->draft->rule, list, item) || full(t);
}

static bool take_text(const struct take *t, enum rule_list list,
		      const struct item *item, enum rule_item_kind kind)
{
	struct rule_item out = { .kind = (uint8_t)kind };

	if (!item->text.len)
		return refuse(t, item->text, "an empty word", "text", NULL);
	return store(t, item, &out.text) && append(t, list, &out);
}

static bool take_ports(const struct take *t, enum rule_list list,
		       const struct item *item)
{
	struct rule_item out = { .kind = ITEM_PORT_WORD };
	unsigned word;

	if (!item->quoted && ports_parse(item->text, &out))
		return append(t, list, &out);
	if (!word_known(item->text, port_words, PORT_WORDS, &word))
		return refuse(t, item->text, "no port",
			      "0 to 65535, FIRST-LAST or a word like RPC",
			      word_nearest(item->text, port_words,
					   PORT_WORDS));
	out.word = (uint8_t)word;
	return append(t, list, &out);
}

static bool take_icmp(const struct take *t, const struct item *item)
{
	struct rule_item out;

	if (!icmp_parse(item->text, &out))
		return refuse(t, item->text, "no ICMP type",
			      "TYPE, TYPE:CODE or TYPE:*", NULL);
	return append(t, RULE_ICMP, &out);
}

static bool take_address(const struct take *t, enum rule_list list,
			 const struct item *item)
{
	struct rule_item out;
	char name[RULE_NAME_BYTES];

	if (address_parse(item->text, false, &out) ||
	    address_word_parse(item->text, &out))
		return append(t, list, &out);
	if (list != RULE_REMOTE || address_parse(item->text, true, &out) ||
	    !name_pattern_parse(item->text, name))
		return refuse(t, item->text, "no address", list == RULE_REMOTE ?
			"ADDRESS, ADDRESS/BITS (the other bits 0), "
			"FIRST-LAST, *.NAME or a word like LocalSubnet" :
			"ADDRESS, ADDRESS/BITS (the other bits 0), "
			"FIRST-LAST or a word like LocalSubnet",
			word_nearest(item->text, addr_words, ADDR_WORDS));
	out = (struct rule_item){ .kind = ITEM_NAME };
	if (!rules_text(t->set, word_of(name), &out.text))
		return full(t);
	return append(t, list, &out);
}

/* "guest NAME", "network NAME", or an address. */
static bool take_except(const struct take *t, struct view *rest)
{
	struct view r = word_trim(*rest), first = r;
	enum rule_item_kind kind;
	struct item item;

	first.len = 0;
	while (first.len < r.len && r.p[first.len] != ' ' &&
	       r.p[first.len] != '\t' && r.p[first.len] != ',')
		first.len++;
	if (!word_is(first, "guest") && !word_is(first, "network")) {
		if (!cut_item(t, rest, true, &item))
			return false;
		return take_address(t, RULE_EXCEPT, &item);
	}
	kind = word_is(first, "guest") ? ITEM_GUEST : ITEM_NETWORK;
	*rest = (struct view){ .p = r.p + first.len, .len = r.len - first.len };
	return cut_item(t, rest, true, &item) &&
	       take_text(t, RULE_EXCEPT, &item, kind);
}

static bool take_item(const struct take *t, enum rule_list list,
		      const struct item *item)
{
	switch (list) {
	case RULE_LOCAL_PORTS: case RULE_REMOTE_PORTS:
		return take_ports(t, list, item);
	case RULE_ICMP:
		return take_icmp(t, item);
	case RULE_LOCAL: case RULE_REMOTE:
		return take_address(t, list, item);
	case RULE_NETWORKS: case RULE_GUESTS: case RULE_PROGRAMS:
	case RULE_KEPT:
		return take_text(t, list, item, ITEM_TEXT);
	case RULE_EXCEPT: case RULE_LISTS:
		break;
	}
	__builtin_trap();
}

static bool take_list(const struct take *t, enum rule_list list)
{
	struct view rest = t->value;
	struct item item;

	do {
		if (list == RULE_EXCEPT) {
			if (!take_except(t, &rest))
				return false;
			continue;
		}
		if (!cut_item(t, &rest, true, &item) ||
		    !take_item(t, list, &item))
			return false;
	} while (rest.len);
	return true;
}

static bool take_known(const struct take *t, struct view word,
		       const struct known_word *known, unsigned n,
		       const char *expected, unsigned *out)
{
	if (word_known(word, known, n, out))
		return true;
	return refuse(t, word, "no such value", expected,
		      word_nearest(word, known, n));
}

static bool take_profiles(const struct take *t)
{
	struct view rest = t->value;
	unsigned one, all = 0;

	while (rest.len) {
		const struct view w = word_trim(word_cut(&rest, ','));

		if (word_is(w, "any"))
			one = RULE_EVERY_PROFILE;
		else if (!take_known(t, w, profile_words, 3,
				     "domain, private, public or any", &one))
			return false;
		all |= one;
	}
	if (!all)
		return refuse(t, t->value, "no profile",
			      "domain, private, public or any", NULL);
	t->draft->rule.profiles = (uint8_t)all;
	return true;
}

static bool take_string(const struct take *t, uint32_t *out)
{
	struct view rest = t->value;
	struct item item;

	return cut_item(t, &rest, false, &item) && store(t, &item, out);
}

static bool take_value(const struct take *t, enum rule_key key)
{
	struct rule *r = &t->draft->rule;
	const struct view w = t->value;
	unsigned v;

	switch (key) {
	case KEY_ACTION:
		if (!take_known(t, w, action_words, 3, "allow or block", &v))
			return false;
		r->action = (uint8_t)v;
		return true;
	case KEY_DIRECTION:
		if (!take_known(t, w, direction_words, 2, "in or out", &v))
			return false;
		r->direction = (uint8_t)v;
		return true;
	case KEY_ENABLED:
		if (!take_known(t, w, bool_words, N(bool_words),
				"true or false", &v))
			return false;
		r->enabled = v;
		return true;
	case KEY_PROFILE:
		return take_profiles(t);
	case KEY_PROTOCOL:
		if (!word_number(w, 255, &v) &&
		    !take_known(t, w, protocol_words, PROTOCOL_WORDS,
				"tcp, udp, icmp, icmpv6, any or 0 to 255", &v))
			return false;
		r->protocol = (uint16_t)v;
		return true;
	case KEY_ID:
		return take_string(t, &r->id);
	case KEY_GROUP:
		return take_string(t, &r->group);
	case KEY_DESCRIPTION:
		return take_string(t, &r->description);
	case KEY_LOCAL_PORT: case KEY_REMOTE_PORT: case KEY_ICMP_TYPE:
	case KEY_LOCAL_ADDRESS: case KEY_REMOTE_ADDRESS: case KEY_NETWORK:
	case KEY_GUEST: case KEY_PROGRAM: case KEY_EXCEPT: case KEY_WINDOWS:
		return take_list(t, (enum rule_list)key_list(key));
	case KEYS:
		break;
	}
	__builtin_trap();
}

void text_begin(struct text_draft *d)
{
	*d = (struct text_draft){ .seen = 0 };
	rule_init(&d->rule);
}

bool text_take(struct rules *set, struct text_draft *d, struct view key,
	       struct view value, struct text_error *error)
{
	const struct take t = { .set = set, .draft = d, .error = error,
				.value = word_trim(value) };
	const unsigned skipped = (unsigned)(t.value.p - value.p);
	unsigned k;

	if (!word_known(key, rule_keys, KEYS, &k)) {
		*error = (struct text_error){
			.word = key, .what = "no such key",
			.expected = "a key of slipway(1), FIREWALL",
			.near = word_nearest(key, rule_keys, KEYS) };
		return false;
	}
	if (key_list(k) == RULE_LISTS && d->seen >> k & 1) {
		*error = (struct text_error){ .word = key,
			.what = "given twice", .expected = "it once" };
		return false;
	}
	d->seen |= 1u << k;
	if (take_value(&t, k))
		return true;
	error->column += skipped;
	return false;
}

/* What does not go together, or NULL. */
static const char *discord(const struct text_draft *d, const char **expected)
{
	const struct rule *r = &d->rule;
	const bool ports = r->list[RULE_LOCAL_PORTS].first ||
			   r->list[RULE_REMOTE_PORTS].first;

	*expected = "action = allow or block";
	if (!(d->seen >> KEY_ACTION & 1))
		return "no action";
	*expected = "direction = in or out";
	if (!(d->seen >> KEY_DIRECTION & 1))
		return "no direction";
	*expected = "protocol = tcp or udp, or none";
	if (ports && r->protocol != RULE_TCP && r->protocol != RULE_UDP &&
	    r->protocol != RULE_ANY_PROTOCOL)
		return "ports of a protocol that has none";
	*expected = "protocol = icmp or icmpv6";
	if (r->list[RULE_ICMP].first && r->protocol != RULE_ICMP4 &&
	    r->protocol != RULE_ICMP6)
		return "ICMP types of a protocol that has none";
	*expected = "action = block, or conditions that are narrower";
	if (r->list[RULE_EXCEPT].first && r->action != RULE_BLOCK)
		return "exceptions from what is no block";
	return NULL;
}

static bool has_names(const struct rules *set, const struct rule *r)
{
	const struct rule_item *i = rule_first(set, r, RULE_REMOTE);

	while (i && i->kind != ITEM_NAME)
		i = rule_next(set, i);
	return i;
}

bool text_end(struct rules *set, struct text_draft *d,
	      struct text_error *error)
{
	const char *expected;
	const char *what = discord(d, &expected);

	if (!what && d->rule.direction == RULE_IN &&
	    has_names(set, &d->rule)) {
		what = "names of the remote end of what comes in";
		expected = "addresses, or direction = out";
	}
	if (!what && !rules_add(set, &d->rule)) {
		what = "no room for it";
		expected = "fewer rules";
	}
	if (!what)
		return true;
	*error = (struct text_error){ .what = what, .expected = expected,
		.word = word_of(set->text + d->rule.name) };
	return false;
}

struct parse {
	struct rules *set;
	const struct text_sink *sink;
	struct text_draft draft;
	struct rules_size before;	/* where the draft began */
	unsigned line, section_line, errors;
	bool open, bad;			/* a draft; it has an error */
};

static void report(struct parse *p, struct text_error *e, unsigned line,
		   unsigned column)
{
	e->line = line;
	e->column = column;
	p->errors++;
	p->bad = true;
	if (p->sink)
		p->sink->error(p->sink->ctx, e);
}

static void end_section(struct parse *p)
{
	struct text_error e;

	if (p->open && !p->bad && !text_end(p->set, &p->draft, &e))
		report(p, &e, p->section_line, 1);
	if (p->open && p->bad)
		rules_rewind(p->set, &p->before);
	p->open = p->bad = false;
}

/* "[rule NAME]" */
static void begin_section(struct parse *p, struct view line)
{
	struct text_error e = { .word = line, .what = "no section of rules",
				.expected = "[rule NAME]" };
	struct view in = line;
	struct take t = { .set = p->set, .draft = &p->draft, .error = &e };
	struct item item;

	end_section(p);
	p->section_line = p->line;
	p->open = true;
	p->before = p->set->used;
	text_begin(&p->draft);
	in.p++;
	in.len--;
	if (!in.len || in.p[in.len - 1] != ']')
		goto bad;
	in.len--;
	in = word_trim(in);
	if (in.len < 6 || !word_is((struct view){ in.p, 4 }, "rule") ||
	    (in.p[4] != ' ' && in.p[4] != '\t'))
		goto bad;
	in.p += 4;
	in.len -= 4;
	t.value = line;
	if (cut_item(&t, &in, false, &item) &&
	    store(&t, &item, &p->draft.rule.name))
		return;
bad:
	report(p, &e, p->line, e.column ? e.column : 1);
}

static void read_line(struct parse *p, struct view line)
{
	const struct view whole = line;
	struct text_error e;
	struct view key;

	line = word_trim(line);
	if (!line.len || line.p[0] == '#' || line.p[0] == ';')
		return;
	if (line.p[0] == '[') {
		begin_section(p, line);
		return;
	}
	e = (struct text_error){ .word = line, .what = "no key",
				 .expected = "KEY = VALUE or [rule NAME]" };
	if (!memchr(line.p, '=', line.len)) {
		report(p, &e, p->line, (unsigned)(line.p - whole.p) + 1);
		return;
	}
	key = word_trim(word_cut(&line, '='));
	if (!p->open) {
		e.word = key;
		e.what = "a key before any section";
		e.expected = "[rule NAME]";
		report(p, &e, p->line, (unsigned)(key.p - whole.p) + 1);
	} else if (!text_take(p->set, &p->draft, key, line, &e)) {
		const uint8_t *at = e.column ? line.p + e.column - 1 : key.p;

		report(p, &e, p->line, (unsigned)(at - whole.p) + 1);
	}
}

unsigned text_parse(struct rules *set, struct view text,
		    const struct text_sink *sink)
{
	struct parse p = { .set = set, .sink = sink };

	if (text.len >= 3 && !memcmp(text.p, "\xef\xbb\xbf", 3)) {
		text.p += 3;
		text.len -= 3;
	}
	while (text.len) {
		p.line++;
		read_line(&p, word_cut(&text, '\n'));
	}
	end_section(&p);
	return p.errors;
}

struct rules_size text_needs(struct view text)
{
	struct rules_size need = { .rules = 1, .items = 1,
				   .text_bytes = (uint32_t)text.len + 16 };

	for (size_t i = 0; i < text.len; i++) {
		need.rules += text.p[i] == '[';
		need.items += text.p[i] == ',' || text.p[i] == '\n';
	}
	/* Each word has a NUL behind it, in place of what separates it. */
	need.text_bytes += need.items + need.rules;
	return need;
}
