/* SPDX-License-Identifier: MIT */
#include "firewall/windows.h"

#include <string.h>

#include "firewall/address.h"

enum take {
	ACTION, DIRECTION, ACTIVE, PROFILE, PROTOCOL, LOCAL_PORT, REMOTE_PORT,
	ICMP_TYPE, LOCAL_ADDR, REMOTE_ADDR, APP, NAME, DESCRIPTION, GROUP,
	LINK_TYPE, SILENT, NEVER,
};

/*
 * The fields of [MS-GPFAS] section 2.2.2.19, and the numbered ones for
 * ports of later schemas. number: a protocol that must come before, a
 * family, or 0.
 */
static const struct field {
	const char *name;
	enum take take;
	bool once;
	uint8_t number;
} fields[] = {
	{ "Action", ACTION, true }, { "Dir", DIRECTION, true },
	{ "Active", ACTIVE, true }, { "Profile", PROFILE },
	{ "Protocol", PROTOCOL, true },
	{ "LPort", LOCAL_PORT }, { "LPort2_10", LOCAL_PORT },
	{ "LPort2_20", LOCAL_PORT }, { "LPort2_24", LOCAL_PORT },
	{ "LPort2_25", LOCAL_PORT }, { "LPort2_29", LOCAL_PORT },
	{ "RPort", REMOTE_PORT }, { "RPort2_10", REMOTE_PORT },
	{ "RPort2_25", REMOTE_PORT }, { "RPort2_28", REMOTE_PORT },
	{ "ICMP4", ICMP_TYPE, false, RULE_ICMP4 },
	{ "ICMP6", ICMP_TYPE, false, RULE_ICMP6 },
	{ "LA4", LOCAL_ADDR, false, RULE_V4 },
	{ "LA6", LOCAL_ADDR, false, RULE_V6 },
	{ "RA4", REMOTE_ADDR, false, RULE_V4 },
	{ "RA6", REMOTE_ADDR, false, RULE_V6 },
	{ "RA42", REMOTE_ADDR, false, RULE_V4 },
	{ "RA62", REMOTE_ADDR, false, RULE_V6 },
	{ "App", APP, true }, { "Name", NAME, true },
	{ "Desc", DESCRIPTION, true }, { "EmbedCtxt", GROUP, true },
	{ "IFType", LINK_TYPE },

	/* How Windows handles what matches, not what does. */
	{ "Edge", SILENT, true }, { "Defer", SILENT },
	{ "LSM", SILENT, true }, { "LOM", SILENT, true },
	{ "PCross", SILENT, true }, { "AuthByPassOut", SILENT, true },
	{ "Platform", SILENT }, { "Platform2", SILENT },
	{ "SkipVer", SILENT, true },

	/* Services, packages, users, IPsec, interfaces of a Windows. */
	{ "Svc", NEVER, true }, { "AppPkgId", NEVER, true },
	{ "IF", NEVER }, { "LUAuth", NEVER, true },
	{ "LUAuth2_24", NEVER, true }, { "LUOwn", NEVER, true },
	{ "RMAuth", NEVER, true }, { "RUAuth", NEVER, true },
	{ "Security", NEVER, true }, { "Security2_9", NEVER, true },
	{ "Security2", NEVER, true }, { "SecurityRealmId", NEVER, true },
	{ "TTK", NEVER }, { "TTK2_22", NEVER }, { "TTK2_27", NEVER },
	{ "TTK2_28", NEVER }, { "NNm", NEVER, true },
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))
_Static_assert(N_FIELDS <= 64, "one bit each in struct reading");

static const struct known_word actions[] = {
	{ "Allow", RULE_ALLOW }, { "Block", RULE_BLOCK },
	{ "ByPass", RULE_BYPASS },
};
static const struct known_word directions[] = {
	{ "In", RULE_IN }, { "Out", RULE_OUT },
};
static const struct known_word profiles[] = {
	{ "Domain", RULE_DOMAIN }, { "Private", RULE_PRIVATE },
	{ "Public", RULE_PUBLIC },
};
static const struct known_word booleans[] = {
	{ "TRUE", true }, { "FALSE", false },
};
static const struct known_word links[] = {
	{ "Lan", WINDOWS_OUR_LINK }, { "Wireless", WINDOWS_OTHER_LINK },
	{ "RemoteAccess", WINDOWS_OTHER_LINK },
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

struct reading {
	struct rules *set;
	struct rule rule;
	const struct windows_maps *maps;
	const struct windows_sink *sink;
	struct view id, string;
	unsigned line, column;
	uint64_t seen;
};

static const struct field *find(struct view name)
{
	for (size_t i = 0; i < N_FIELDS; i++)
		if (word_is(name, fields[i].name))
			return &fields[i];
	return NULL;
}

enum windows_meaning windows_kept(struct view field, struct view value)
{
	const struct field *f = find(field);
	unsigned link;

	if (!f)
		return WINDOWS_UNKNOWN;
	if (f->take == LINK_TYPE)
		return word_known(value, links, N(links), &link) ?
			(enum windows_meaning)link : WINDOWS_OTHER_LINK;
	return f->take == NEVER ? WINDOWS_NEVER : WINDOWS_SAYS_NOTHING;
}

static void note(const struct reading *r, enum windows_note_kind kind,
		 struct view word, const char *why)
{
	const struct windows_note n = { .kind = kind, .line = r->line,
		.column = r->column + (unsigned)(word.p - r->string.p),
		.rule = r->id, .word = word, .why = why };

	if (r->sink)
		r->sink->note(r->sink->ctx, &n);
}

static bool bad(const struct reading *r, struct view word, const char *why)
{
	note(r, NOTE_ERROR, word, why);
	return false;
}

static bool append(struct reading *r, enum rule_list list, struct view word,
		   const struct rule_item *item)
{
	return rules_append(r->set, &r->rule, list, item) ||
	       bad(r, word, "there is no room for more");
}

static bool text(struct reading *r, struct view word, uint32_t *out)
{
	return rules_text(r->set, word, out) ||
	       bad(r, word, "there is no room for more");
}

static bool known(const struct reading *r, struct view word,
		  const struct known_word *words, size_t n, const char *why,
		  unsigned *out)
{
	return word_known(word, words, (unsigned)n, out) || bad(r, word, why);
}

static bool take_ports(struct reading *r, enum rule_list list, struct view v)
{
	struct rule_item item = { .kind = ITEM_PORT_WORD };
	unsigned word;

	if (r->rule.protocol != RULE_TCP && r->rule.protocol != RULE_UDP)
		return bad(r, v, "ports need Protocol=6 or 17 before them");
	if (ports_parse(v, &item))
		return append(r, list, v, &item);
	if (!known(r, v, port_words, PORT_WORDS, "a port, FIRST-LAST or a "
		   "word of [MS-GPFAS] 2.2.2.3 is expected", &word))
		return false;
	item.word = (uint8_t)word;
	if (!port_word_number(word))
		note(r, NOTE_WORD, v, "stands for no port here");
	return append(r, list, v, &item);
}

static bool take_addresses(struct reading *r, enum rule_list list,
			   uint8_t family, struct view v)
{
	struct rule_item item;

	if (address_parse(v, true, &item)) {
		if (ip_is4(&item.addr.first) != (family == RULE_V4))
			return bad(r, v, "an address of the other family");
		return append(r, list, v, &item);
	}
	if (!address_word_parse(v, &item) || item.families != RULE_BOTH)
		return bad(r, v, "an address, ADDRESS/BITS, FIRST-LAST or a "
			   "word of [MS-GPFAS] 2.2.2.13 is expected");
	item.families = family;
	if (item.word >= ADDR_WINS)
		note(r, NOTE_WORD, v, "stands for no address here");
	return append(r, list, v, &item);
}

/* What comes behind the last \ or / of a path. */
static struct view last_part(struct view path)
{
	struct view v = path;

	for (size_t i = 0; i < path.len; i++)
		if (path.p[i] == '\\' || path.p[i] == '/')
			v = (struct view){ .p = path.p + i + 1,
					   .len = path.len - i - 1 };
	return v;
}

static struct view map_program(const struct windows_maps *maps, struct view v)
{
	for (unsigned i = 0; maps && i < maps->n; i++) {
		const struct view from = word_of(maps->map[i].from);
		const bool whole = last_part(from).len < from.len;

		if (word_is(whole ? v : last_part(v), maps->map[i].from))
			return word_of(maps->map[i].to);
	}
	return v;
}

static bool take_program(struct reading *r, struct view v)
{
	const struct view here = map_program(r->maps, v);
	struct rule_item item = { .kind = ITEM_TEXT };

	if (!here.len)
		return bad(r, v, "the path of a program is expected");
	if (here.p[0] != '/')
		note(r, NOTE_PROGRAM, v, "is no program of this system");
	return text(r, here, &item.text) && append(r, RULE_PROGRAMS, v, &item);
}

static bool take_protocol(struct reading *r, struct view v)
{
	unsigned n;

	if (!word_number(v, 255, &n))
		return bad(r, v, "a number from 0 to 255 is expected");
	r->rule.protocol = (uint16_t)n;
	return true;
}

static bool take_icmp(struct reading *r, uint8_t protocol, struct view v)
{
	struct rule_item item;

	if (r->rule.protocol != protocol)
		return bad(r, v, "ICMP types need Protocol=1 (ICMP4) or 58 "
			   "(ICMP6) before them");
	if (!icmp_parse(v, &item))
		return bad(r, v, "TYPE:CODE or TYPE:* is expected");
	return append(r, RULE_ICMP, v, &item);
}

/* The whole field as it is. */
static bool keep(struct reading *r, struct view field, struct view value)
{
	const enum windows_meaning meaning = windows_kept(
		word_cut(&(struct view){ field.p, field.len }, '='), value);
	struct rule_item item = { .kind = ITEM_TEXT };

	switch (meaning) {
	case WINDOWS_SAYS_NOTHING: case WINDOWS_OUR_LINK:
		note(r, NOTE_KEPT, field, "says nothing here");
		break;
	case WINDOWS_NEVER: case WINDOWS_OTHER_LINK:
		note(r, NOTE_NEVER, field, "holds for nothing here");
		break;
	case WINDOWS_UNKNOWN:
		note(r, r->rule.action == RULE_ALLOW ? NOTE_NEVER : NOTE_KEPT,
		     field, "is not known: an allow rule with it never "
		     "matches, a block is in force without it");
		break;
	}
	return text(r, field, &item.text) &&
	       append(r, RULE_KEPT, field, &item);
}

static bool take(struct reading *r, const struct field *f, struct view field,
		 struct view v)
{
	unsigned n;

	switch (f->take) {
	case ACTION:
		if (!known(r, v, actions, N(actions),
			   "Allow, Block or ByPass is expected", &n))
			return false;
		r->rule.action = (uint8_t)n;
		if (n == RULE_BYPASS)
			note(r, NOTE_NEVER, v, "needs IPsec");
		return true;
	case DIRECTION:
		if (!known(r, v, directions, N(directions),
			   "In or Out is expected", &n))
			return false;
		r->rule.direction = (uint8_t)n;
		return true;
	case ACTIVE:
		if (!known(r, v, booleans, N(booleans),
			   "TRUE or FALSE is expected", &n))
			return false;
		r->rule.enabled = n;
		return true;
	case PROFILE:
		if (!known(r, v, profiles, N(profiles),
			   "Domain, Private or Public is expected", &n))
			return false;
		r->rule.profiles |= (uint8_t)n;
		return true;
	case PROTOCOL:
		return take_protocol(r, v);
	case LOCAL_PORT:
		return take_ports(r, RULE_LOCAL_PORTS, v);
	case REMOTE_PORT:
		return take_ports(r, RULE_REMOTE_PORTS, v);
	case ICMP_TYPE:
		return take_icmp(r, f->number, v);
	case LOCAL_ADDR:
		return take_addresses(r, RULE_LOCAL, f->number, v);
	case REMOTE_ADDR:
		return take_addresses(r, RULE_REMOTE, f->number, v);
	case APP:
		return take_program(r, v);
	case NAME:
		return text(r, v, &r->rule.name);
	case DESCRIPTION:
		return text(r, v, &r->rule.description);
	case GROUP:
		return text(r, v, &r->rule.group);
	case LINK_TYPE: case SILENT: case NEVER:
		return keep(r, field, v);
	}
	__builtin_trap();
}

static bool read_field(struct reading *r, struct view field)
{
	struct view value = field;
	const struct view name = word_cut(&value, '=');
	const struct field *f = find(name);
	uint64_t bit;

	if (name.len == field.len)
		return bad(r, field, "Field=value is expected");
	if (memchr(field.p, 0, field.len))
		return bad(r, field, "a NUL byte in it");
	if (!f)
		return keep(r, field, value);
	bit = (uint64_t)1 << (f - fields);
	if (f->once && r->seen & bit)
		return bad(r, field, "must not be given twice");
	r->seen |= bit;
	return take(r, f, field, value);
}

/* "v2.30" */
static bool read_version(const struct reading *r, struct view w)
{
	struct view minor = w, major;
	unsigned n;

	if (w.len && (w.p[0] | 0x20) == 'v') {
		minor.p++;
		minor.len--;
		major = word_cut(&minor, '.');
		if (word_number(major, 255, &n) && n == 2 &&
		    word_number(minor, 255, &n)) {
			if (n > 32)
				note(r, NOTE_KEPT, w,
				     "is newer than 2.32, which is known");
			return true;
		}
	}
	return bad(r, w, "v2.0 to v2.32 is expected");
}

static bool read_fields(struct reading *r)
{
	struct view rest = r->string;

	if (r->id.len && memchr(r->id.p, 0, r->id.len))
		return bad(r, r->string, "its name has a NUL byte");
	if (!read_version(r, word_cut(&rest, '|')))
		return false;
	while (rest.len) {
		const struct view field = word_cut(&rest, '|');

		if (field.len && !read_field(r, field))
			return false;
	}
	if (!(r->seen & 1))		/* the first two of the table */
		return bad(r, r->string, "Action= is missing");
	if (!(r->seen & 2))
		return bad(r, r->string, "Dir= is missing");
	if (!r->rule.profiles)
		r->rule.profiles = RULE_EVERY_PROFILE;
	if (!text(r, r->id, &r->rule.id))
		return false;
	if (!r->rule.name)
		r->rule.name = r->rule.id;
	return rules_add(r->set, &r->rule) ||
	       bad(r, r->string, "there is no room for more");
}

bool windows_rule(struct rules *set, struct view string, struct view id,
		  const struct windows_maps *maps,
		  const struct windows_sink *sink, unsigned line,
		  unsigned column)
{
	const struct rules_size before = set->used;
	struct reading r = { .set = set, .maps = maps, .sink = sink, .id = id,
			     .string = string, .line = line,
			     .column = column };

	rule_init(&r.rule);
	r.rule.enabled = false;		/* but for Active=TRUE */
	r.rule.profiles = 0;
	if (read_fields(&r))
		return true;
	rules_rewind(set, &before);
	return false;
}
