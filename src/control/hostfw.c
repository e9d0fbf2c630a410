/* SPDX-License-Identifier: MIT */
#include "control/hostfw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/hostfw_match.h"
#include "control/hostfw_xt.h"
#include "control/member.h"

#define JUMPS_MAX	16

/* What may become of a packet; a set. */
enum outcome {
	ACCEPT	= 1 << 0,
	DROP	= 1 << 1,
	NEXT	= 1 << 2,		/* the next rule */
	RETURN	= 1 << 3,		/* back to the chain that jumped */
	ELSEWHERE = 1 << 4,
};

struct hostfw {
	json_t *rules;			/* the ruleset's list */
	json_t *tables;			/* "ip filter" -> struct of a table */
	json_t *base;			/* chains with a hook that counts */
	bool untracked;
};

struct walk {
	const struct hostfw_packet *p;
	struct hostfw_sets sets;	/* of the table */
	json_t *chains;			/* of the table: name -> its rules */
	const char *family, *table;
	unsigned depth;
	/* Who dropped last: once nothing but drop is left, who decided. */
	const char *chain;
	json_int_t handle;
};

/* The object of a table of ours, made if there is none: chains, sets, ufw. */
static json_t *table_of(json_t *tables, json_t *o, const char *name)
{
	char key[300];
	json_t *t;

	snprintf(key, sizeof(key), "%s %s", text_at(o, "family"), name);
	t = json_object_get(tables, key);
	if (t)
		return t;
	t = json_pack("{s:{}, s:{}}", "chains", "sets");
	return json_object_set_new(tables, key, t) ? NULL : t;
}

static json_t *list_of(json_t *chains, const char *name)
{
	json_t *list = json_object_get(chains, name);

	if (list)
		return list;
	list = json_array();
	return json_object_set_new(chains, name, list) ? NULL : list;
}

/*
 * nft 1.0.6 prints the name of the table where the flag belongs. Who says
 * nothing is never wrong; but firewalld's flag is that it owns its table.
 */
static bool is_dormant(json_t *table)
{
	json_t *flags = json_object_get(table, "flags"), *flag;
	const char *name = text_at(table, "name");
	size_t i;

	if (!strcmp(text_at(table, "flags"), "dormant") ||
	    (strcmp(name, "firewalld") && json_is_string(flags) &&
	     !strcmp(json_string_value(flags), name)))
		return true;
	json_array_foreach(flags, i, flag)
		if (json_is_string(flag) &&
		    !strcmp(json_string_value(flag), "dormant"))
			return true;
	return false;
}

static void add_chain(struct hostfw *fw, json_t *o)
{
	const char *hook = text_at(o, "hook"), *name = text_at(o, "name");
	json_t *t = table_of(fw->tables, o, text_at(o, "table"));

	list_of(json_object_get(t, "chains"), name);
	if (!strncmp(name, "ufw", 3))
		json_object_set_new(t, "ufw", json_true());
	if (!strcmp(hook, "input") || !strcmp(hook, "prerouting"))
		json_array_append(fw->base, o);
}

static void add_rule(struct hostfw *fw, json_t *o)
{
	json_t *t = table_of(fw->tables, o, text_at(o, "table")), *e;
	json_t *chains = json_object_get(t, "chains");
	size_t i;

	json_array_append(list_of(chains, text_at(o, "chain")), o);
	json_array_foreach(json_object_get(o, "expr"), i, e)
		if (json_object_get(e, "notrack"))
			fw->untracked = true;
}

/* One entry of the list: {KIND: {…}} */
static void add(struct hostfw *fw, json_t *entry)
{
	json_t *o, *sets;

	if ((o = json_object_get(entry, "table"))) {
		if (is_dormant(o))
			json_object_set_new(
				table_of(fw->tables, o, text_at(o, "name")),
				"dormant", json_true());
	} else if ((o = json_object_get(entry, "chain"))) {
		add_chain(fw, o);
	} else if ((o = json_object_get(entry, "rule"))) {
		add_rule(fw, o);
	} else if ((o = json_object_get(entry, "set")) ||
		   (o = json_object_get(entry, "map"))) {
		json_t *elem = json_object_get(o, "elem");

		sets = json_object_get(table_of(fw->tables, o,
						text_at(o, "table")), "sets");
		json_object_set_new(sets, text_at(o, "name"), elem ?
				    json_incref(elem) : json_array());
	}
}

struct hostfw *hostfw_load(json_t *ruleset, const char *text)
{
	json_t *list = json_object_get(ruleset, "nftables"), *entry;
	struct hostfw *fw = calloc(1, sizeof(*fw));
	size_t i;

	if (!fw || !json_is_array(list)) {
		json_decref(ruleset);
		free(fw);
		return NULL;
	}
	fw->rules = json_incref(list);
	fw->tables = json_object();
	fw->base = json_array();
	json_decref(ruleset);
	hostfw_xt_translate(list, text);
	json_array_foreach(list, i, entry)
		add(fw, entry);
	return fw;
}

void hostfw_free(struct hostfw *fw)
{
	if (!fw)
		return;
	json_decref(fw->base);
	json_decref(fw->tables);
	json_decref(fw->rules);
	free(fw);
}

bool hostfw_wants_text(json_t *ruleset)
{
	json_t *entry, *e;
	size_t i, j;

	json_array_foreach(json_object_get(ruleset, "nftables"), i, entry)
		json_array_foreach(json_object_get(json_object_get(
				   entry, "rule"), "expr"), j, e)
			if (json_object_get(e, "xt"))
				return true;
	return false;
}

static unsigned walk_chain(struct walk *w, const char *name);

/* The chain that a jump or goto names; what its end means is the caller's. */
static unsigned other_chain(struct walk *w, json_t *jump)
{
	unsigned set;

	if (w->depth >= JUMPS_MAX)
		return ELSEWHERE;
	w->depth++;
	set = walk_chain(w, text_at(jump, "target"));
	w->depth--;
	return set;
}

static unsigned dropped(struct walk *w, json_t *rule)
{
	w->chain = text_at(rule, "chain");
	w->handle = json_integer_value(json_object_get(rule, "handle"));
	return DROP;
}

/* A statement of iptables' that is none of nft's. */
static unsigned xt_target(struct walk *w, json_t *rule, const char *name)
{
	static const char *const harmless[] = { "LOG", "NFLOG", "MARK",
		"CONNMARK", "TRACE", "TCPMSS", "CHECKSUM", "CLASSIFY",
		"DSCP", "ULOG", "AUDIT", "SECMARK", "CONNSECMARK" };

	if (!strcmp(name, "REJECT"))
		return dropped(w, rule);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (!strcmp(name, harmless[i]))
			return NEXT;
	return ELSEWHERE;
}

/* What a verdict leads to; 0: that is none. */
static unsigned verdict(struct walk *w, json_t *rule, json_t *e)
{
	static const char *const elsewhere[] = { "dnat", "redirect", "queue",
						 "tproxy", "synproxy", "fwd" };
	json_t *o;

	if (json_object_get(e, "accept"))
		return ACCEPT;
	if (json_object_get(e, "drop") || json_object_get(e, "reject"))
		return dropped(w, rule);
	if (json_object_get(e, "continue"))
		return NEXT;
	if (json_object_get(e, "return"))
		return RETURN;
	if ((o = json_object_get(e, "goto")))
		return other_chain(w, o);
	if ((o = json_object_get(e, "jump"))) {
		const unsigned set = other_chain(w, o);

		return set & RETURN ? (set & ~(unsigned)RETURN) | NEXT : set;
	}
	if ((o = json_object_get(e, "xt")) &&
	    strcmp(text_at(o, "type"), "match"))
		return xt_target(w, rule, text_at(o, "name"));
	o = json_object_get(json_object_get(json_object_get(e, "mangle"),
					    "key"), "payload");
	if (!strcmp(text_at(o, "field"), "dport") ||
	    !strcmp(text_at(o, "field"), "daddr"))
		return ELSEWHERE;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (json_object_get(e, elsewhere[i]))
			return ELSEWHERE;
	return 0;
}

/* The elements of a map that is written there, or named. */
static json_t *map_of(const struct walk *w, json_t *data)
{
	const char *s = json_string_value(data);

	return s && *s == '@' ? json_object_get(w->sets.by_name, s + 1) :
				json_object_get(data, "set");
}

static bool is_any(json_t *key)
{
	const char *s = json_string_value(key);

	return s && !strcmp(s, "*");
}

/* Each key that may be the packet's adds what its verdict leads to. */
static unsigned verdict_map(struct walk *w, json_t *rule, json_t *vmap)
{
	json_t *map = map_of(w, json_object_get(vmap, "data")), *pair;
	json_t *any = NULL, *expr = json_object_get(vmap, "key");
	unsigned set = 0;
	size_t i;

	if (!json_is_array(map))
		return ELSEWHERE;
	json_array_foreach(map, i, pair) {
		json_t *key = json_array_get(pair, 0);
		enum hostfw_match m;

		if (is_any(key)) {
			any = json_array_get(pair, 1);
			continue;
		}
		if (++w->sets.looked > HOSTFW_LOOKS_MAX)
			return ELSEWHERE;
		m = hostfw_key_is(expr, key, w->p, &w->sets);
		if (m == HOSTFW_NO)
			continue;
		set |= verdict(w, rule, json_array_get(pair, 1));
		if (m == HOSTFW_YES)
			return set;
	}
	return set | (any ? verdict(w, rule, any) : NEXT);
}

/* What is no verdict: does the rule go on behind it? */
static enum hostfw_match passes(struct walk *w, json_t *e)
{
	static const char *const always[] = { "counter", "log", "comment",
		"mangle", "notrack", "last", "dup", "snat", "masquerade",
		"ct helper", "ct timeout", "secmark" };
	json_t *o = json_object_get(e, "match");

	if (o)
		return hostfw_match(o, w->p, &w->sets);
	if ((o = json_object_get(e, "xt")))
		return strcmp(text_at(o, "name"), "comment") ? HOSTFW_MAYBE :
		       HOSTFW_YES;
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (json_object_get(e, always[i]))
			return HOSTFW_YES;
	return HOSTFW_MAYBE;
}

/* One rule, from left to right. */
static unsigned walk_rule(struct walk *w, json_t *rule)
{
	enum hostfw_match all = HOSTFW_YES, m;
	unsigned set;
	json_t *e, *o;
	size_t i;

	json_array_foreach(json_object_get(rule, "expr"), i, e) {
		o = json_object_get(e, "vmap");
		set = o ? verdict_map(w, rule, o) : verdict(w, rule, e);
		if (set)
			return all == HOSTFW_YES ? set : set | NEXT;
		m = passes(w, e);
		if (m == HOSTFW_NO)
			return NEXT;
		all = m < all ? m : all;
	}
	return NEXT;
}

/* What may become of it in there; RETURN: it came to the end. */
static unsigned walk_chain(struct walk *w, const char *name)
{
	json_t *rules = json_object_get(w->chains, name), *rule;
	unsigned set = 0;
	size_t i;

	if (!rules)
		return ELSEWHERE;
	json_array_foreach(rules, i, rule) {
		unsigned one;

		if (++w->sets.looked > HOSTFW_LOOKS_MAX)
			return ELSEWHERE;
		one = walk_rule(w, rule);
		set |= one & ~(unsigned)NEXT;
		if (!(one & NEXT))
			return set;
	}
	return set | RETURN;
}

static bool of_family(const char *family, bool v6)
{
	return !strcmp(family, "inet") || !strcmp(family, v6 ? "ip6" : "ip");
}

static unsigned walk_base(struct walk *w, json_t *chain)
{
	unsigned set = walk_chain(w, text_at(chain, "name"));

	if (!(set & RETURN))
		return set;
	set &= ~(unsigned)RETURN;
	if (strcmp(text_at(chain, "policy"), "drop"))
		return set | ACCEPT;
	w->chain = text_at(chain, "name");
	w->handle = 0;
	return set | DROP;
}

/* One base chain. Nothing (0) if no such packet comes to it. */
static unsigned ask_base(const struct hostfw *fw, json_t *chain,
			 const struct hostfw_packet *p, struct hostfw_why *why)
{
	struct walk w = { .p = p, .family = text_at(chain, "family"),
			  .table = text_at(chain, "table") };
	json_t *t = table_of(fw->tables, chain, w.table);
	unsigned set;

	if (!of_family(w.family, p->v6) || json_object_get(t, "dormant"))
		return 0;
	w.chains = json_object_get(t, "chains");
	w.sets.by_name = json_object_get(t, "sets");
	w.sets.untracked = fw->untracked;
	set = walk_base(&w, chain);
	if (set == DROP)
		*why = (struct hostfw_why){
			.family = w.family, .table = w.table,
			.chain = w.chain, .handle = w.handle,
			.base = text_at(chain, "name"),
			.ufw = json_object_get(t, "ufw"),
		};
	return set;
}

enum hostfw_answer hostfw_ask(const struct hostfw *fw,
			      const struct hostfw_packet *p,
			      struct hostfw_why *why)
{
	struct hostfw_why first = { .family = NULL };
	unsigned all = 0;
	json_t *chain;
	size_t i;

	json_array_foreach(fw->base, i, chain) {
		struct hostfw_why one;
		const unsigned set = ask_base(fw, chain, p, &one);

		if (set == DROP && !first.family)
			first = one;
		all |= set;
	}
	if (all & ELSEWHERE)
		return HOSTFW_UNKNOWN;
	if (first.family) {
		*why = first;
		return HOSTFW_DROPPED;
	}
	return all & DROP ? HOSTFW_UNKNOWN : HOSTFW_ALLOWED;
}
