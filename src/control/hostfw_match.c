/* SPDX-License-Identifier: MIT */
#include "control/hostfw_match.h"

#include <string.h>

#include "control/member.h"

#define CONCAT_MAX	8

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECN = 64,
       CWR = 128 };

/* What is known of one field of the packet. */
struct value {
	enum {
		UNKNOWN,
		ABSENT,			/* no such packet: never matches */
		NUMBER,
		WORD,
		BOTH,			/* a word that is a number, too */
		OUTSIDE,		/* an interface that is not lo */
		NOTHING,		/* no bit of a set of flags */
		FLAGS,			/* of TCP */
	} kind;
	json_int_t number;
	const char *word;
};

static enum hostfw_match opposite(enum hostfw_match m)
{
	return m == HOSTFW_YES ? HOSTFW_NO :
	       m == HOSTFW_NO ? HOSTFW_YES : HOSTFW_MAYBE;
}

static enum hostfw_match sure(bool yes)
{
	return yes ? HOSTFW_YES : HOSTFW_NO;
}

static struct value unknown(void)
{
	return (struct value){ .kind = UNKNOWN };
}

static struct value word(const char *text)
{
	return (struct value){ .kind = WORD, .word = text };
}

static struct value number(json_int_t n)
{
	return (struct value){ .kind = NUMBER, .number = n };
}

static struct value protocol(const struct hostfw_packet *p)
{
	return (struct value){ .kind = BOTH, .number = p->udp ? 17 : 6,
			       .word = p->udp ? "udp" : "tcp" };
}

/* A field of an IP header is there, or the rule is of the other family. */
static struct value ip_field(const char *field, bool v6,
			     const struct hostfw_packet *p)
{
	if (v6 != p->v6)
		return (struct value){ .kind = ABSENT };
	if (!strcmp(field, v6 ? "nexthdr" : "protocol"))
		return protocol(p);
	if (!strcmp(field, "version"))
		return number(v6 ? 6 : 4);
	return unknown();
}

static struct value payload(json_t *o, const struct hostfw_packet *p)
{
	static const char *const others[] = { "icmp", "icmpv6", "igmp", "sctp",
					      "dccp", "esp", "ah", "udplite",
					      "comp" };
	const char *proto = text_at(o, "protocol");
	const char *field = text_at(o, "field");
	const bool ours = !strcmp(proto, p->udp ? "udp" : "tcp");

	if (!strcmp(proto, "ip") || !strcmp(proto, "ip6"))
		return ip_field(field, !strcmp(proto, "ip6"), p);
	if (!strcmp(proto, p->udp ? "tcp" : "udp"))
		return (struct value){ .kind = ABSENT };
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!strcmp(proto, others[i]))
			return (struct value){ .kind = ABSENT };
	if ((ours || !strcmp(proto, "th")) && !strcmp(field, "dport"))
		return number(p->port);
	if (ours && !p->udp && !strcmp(field, "flags"))
		return (struct value){ .kind = FLAGS, .number = SYN };
	return unknown();
}

static struct value meta(const char *key, const struct hostfw_packet *p)
{
	if (!strcmp(key, "l4proto"))
		return protocol(p);
	if (!strcmp(key, "nfproto"))
		return word(p->v6 ? "ipv6" : "ipv4");
	if (!strcmp(key, "protocol"))
		return word(p->v6 ? "ip6" : "ip");
	if (!strcmp(key, "iif") || !strcmp(key, "iifname"))
		return (struct value){ .kind = OUTSIDE };
	if (!strcmp(key, "pkttype"))
		return word("host");
	return unknown();
}

/* DNAT that might have touched it makes the whole answer unknown anyway. */
static struct value ct(const char *key, const struct hostfw_sets *sets)
{
	if (sets->untracked)
		return unknown();
	if (!strcmp(key, "state"))
		return word("new");
	if (!strcmp(key, "direction"))
		return word("original");
	if (!strcmp(key, "status"))
		return (struct value){ .kind = NOTHING };
	return unknown();
}

/* Only the kind of its destination: of this machine. */
static struct value fib(json_t *o)
{
	json_t *flags = json_object_get(o, "flags"), *flag;
	bool daddr = false;
	size_t i;

	if (strcmp(text_at(o, "result"), "type"))
		return unknown();
	if (json_is_string(flags))
		return strcmp(json_string_value(flags), "daddr") ? unknown() :
		       word("local");
	json_array_foreach(flags, i, flag) {
		const char *s = json_string_value(flag);

		if (!s || !strcmp(s, "saddr"))
			return unknown();
		daddr |= !strcmp(s, "daddr");
	}
	return daddr ? word("local") : unknown();
}

/* One flag, a list of them, or a number; -1: none of these. */
static int flag_bits(json_t *o)
{
	static const char *const names[] = { "fin", "syn", "rst", "psh",
					     "ack", "urg", "ecn", "cwr" };
	const char *s = json_string_value(o);
	int bits = 0;
	json_t *item;
	size_t i;

	if (json_is_integer(o))
		return (int)(json_integer_value(o) & 255);
	for (i = 0; s && i < 8; i++)
		if (!strcmp(s, names[i]))
			return 1 << i;
	if (!json_is_array(o))
		return -1;
	json_array_foreach(o, i, item) {
		const int one = json_is_string(item) ? flag_bits(item) : -1;

		if (one < 0)
			return -1;
		bits |= one;
	}
	return bits;
}

static struct value value_of(json_t *expr, const struct hostfw_packet *p,
			     const struct hostfw_sets *sets)
{
	json_t *masked = json_object_get(expr, "&"), *o;
	const int bits = flag_bits(json_array_get(masked, 1));
	struct value v;

	if (masked) {
		o = json_object_get(json_array_get(masked, 0), "payload");
		v = payload(o, p);
		if (v.kind == ABSENT)
			return v;
		if (v.kind != FLAGS || bits < 0)
			return unknown();
		v.number &= bits;
		return v;
	}
	if ((o = json_object_get(expr, "payload")))
		return payload(o, p);
	if ((o = json_object_get(expr, "meta")))
		return meta(text_at(o, "key"), p);
	if ((o = json_object_get(expr, "ct")))
		return ct(text_at(o, "key"), sets);
	if ((o = json_object_get(expr, "fib")))
		return fib(o);
	return unknown();
}

static enum hostfw_match is_word(const struct value *v, const char *s)
{
	switch (v->kind) {
	case WORD: case BOTH:
		if (!strcmp(s, "unicast"))	/* nft has two names for it */
			s = "host";
		return sure(!strcmp(v->word, s));
	case OUTSIDE:
		return strcmp(s, "lo") ? HOSTFW_MAYBE : HOSTFW_NO;
	case UNKNOWN: case ABSENT: case NUMBER: case NOTHING: case FLAGS:
		break;
	}
	return HOSTFW_MAYBE;
}

static bool has_number(const struct value *v)
{
	return v->kind == NUMBER || v->kind == BOTH;
}

static enum hostfw_match in_range(const struct value *v, json_t *range)
{
	json_t *low = json_array_get(range, 0);
	json_t *high = json_array_get(range, 1);

	if (!has_number(v) || !json_is_integer(low) || !json_is_integer(high))
		return HOSTFW_MAYBE;
	return sure(v->number >= json_integer_value(low) &&
		    v->number <= json_integer_value(high));
}

/* One value beside one that is written in a rule or in a set. */
static enum hostfw_match is_one(const struct value *v, json_t *right)
{
	json_t *o = json_object_get(right, "elem");
	json_t *range;

	if (o)
		right = json_object_get(o, "val");
	range = json_object_get(right, "range");
	if (v->kind == FLAGS) {
		const int bits = flag_bits(right);

		return bits < 0 ? HOSTFW_MAYBE : sure(v->number == bits);
	}
	if (range)
		return in_range(v, range);
	if (json_is_integer(right))
		return has_number(v) ? sure(v->number ==
					    json_integer_value(right)) :
		       HOSTFW_MAYBE;
	if (json_is_string(right))
		return is_word(v, json_string_value(right));
	return HOSTFW_MAYBE;
}

/* The same of values that stand beside one another. */
static enum hostfw_match are(const struct value *v, size_t n, json_t *right)
{
	json_t *elem = json_object_get(right, "elem"), *list;
	enum hostfw_match all = HOSTFW_YES;

	if (n == 1)
		return is_one(v, right);
	if (elem)
		right = json_object_get(elem, "val");
	list = json_object_get(right, "concat");
	if (json_array_size(list) != n)
		return HOSTFW_MAYBE;
	for (size_t i = 0; i < n; i++) {
		const enum hostfw_match m = is_one(&v[i],
						   json_array_get(list, i));

		all = m < all ? m : all;
	}
	return all;
}

static bool is_any(json_t *o)
{
	const char *s = json_string_value(o);

	return s && !strcmp(s, "*");
}

/* In a list of values, each of which is enough? */
static enum hostfw_match in_list(const struct value *v, size_t n, json_t *list,
				 struct hostfw_sets *sets)
{
	enum hostfw_match any = HOSTFW_NO;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const enum hostfw_match m = is_any(item) ? HOSTFW_YES :
					    are(v, n, item);

		if (++sets->looked > HOSTFW_LOOKS_MAX)
			return HOSTFW_MAYBE;
		any = m > any ? m : any;
	}
	return any;
}

static enum hostfw_match equals(const struct value *v, size_t n, json_t *right,
				struct hostfw_sets *sets)
{
	const char *s = json_string_value(right);
	json_t *set = json_object_get(right, "set");

	if (s && *s == '@') {
		set = json_object_get(sets->by_name, s + 1);
		return set ? in_list(v, n, set, sets) : HOSTFW_MAYBE;
	}
	if (set)
		return json_is_array(set) ? in_list(v, n, set, sets) :
		       are(v, n, set);
	return are(v, n, right);
}

/* "in": one bit at least of those on the right, or as in a set. */
static enum hostfw_match has_bit(const struct value *v, json_t *right,
				 struct hostfw_sets *sets)
{
	const int bits = flag_bits(right);

	if (v->kind == NOTHING)
		return HOSTFW_NO;
	if (v->kind == FLAGS)
		return bits < 0 ? HOSTFW_MAYBE : sure(v->number & bits);
	return json_is_array(right) ? in_list(v, 1, right, sets) :
	       equals(v, 1, right, sets);
}

static enum hostfw_match compare(const struct value *v, const char *op,
				 json_t *right)
{
	const json_int_t n = json_integer_value(right);

	if (!has_number(v) || !json_is_integer(right))
		return HOSTFW_MAYBE;
	if (!strcmp(op, "<"))
		return sure(v->number < n);
	if (!strcmp(op, ">"))
		return sure(v->number > n);
	if (!strcmp(op, "<="))
		return sure(v->number <= n);
	if (!strcmp(op, ">="))
		return sure(v->number >= n);
	return HOSTFW_MAYBE;
}

/* The values on the left of a match; 0: more than there is room for. */
static size_t left_values(json_t *left, const struct hostfw_packet *p,
			  const struct hostfw_sets *sets, struct value *v)
{
	json_t *list = json_object_get(left, "concat"), *item;
	size_t i;

	if (!list) {
		v[0] = value_of(left, p, sets);
		return 1;
	}
	if (json_array_size(list) > CONCAT_MAX)
		return 0;
	json_array_foreach(list, i, item)
		v[i] = value_of(item, p, sets);
	return json_array_size(list);
}

static bool one_absent(const struct value *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].kind == ABSENT)
			return true;
	return false;
}

enum hostfw_match hostfw_match(json_t *match, const struct hostfw_packet *p,
			       struct hostfw_sets *sets)
{
	const char *op = text_at(match, "op");
	json_t *right = json_object_get(match, "right");
	struct value v[CONCAT_MAX];
	const size_t n = left_values(json_object_get(match, "left"), p, sets,
				     v);

	if (!n || !right)
		return HOSTFW_MAYBE;
	/* nft does not print the match on the protocol that this implies. */
	if (one_absent(v, n))
		return HOSTFW_NO;
	if (!strcmp(op, "=="))
		return equals(v, n, right, sets);
	if (!strcmp(op, "!="))
		return opposite(equals(v, n, right, sets));
	if (n > 1)
		return HOSTFW_MAYBE;
	if (!strcmp(op, "in"))
		return has_bit(v, right, sets);
	return compare(v, op, right);
}

enum hostfw_match hostfw_key_is(json_t *expr, json_t *key,
				const struct hostfw_packet *p,
				struct hostfw_sets *sets)
{
	struct value v[CONCAT_MAX];
	const size_t n = left_values(expr, p, sets, v);

	if (!n)
		return HOSTFW_MAYBE;
	if (one_absent(v, n))
		return HOSTFW_NO;
	return are(v, n, key);
}
