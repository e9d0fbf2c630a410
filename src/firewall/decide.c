/* SPDX-License-Identifier: MIT */
/* firewall/decide.c - the walk over the rules; see firewall/index.h. */
#include <string.h>

#include "firewall/index.h"

#define NAMES_INDEXED 4		/* names of a flow that have a row each */

enum match {
	MATCH_NO,
	MATCH_YES,
	MATCH_EXCEPTED,		/* but for an exception */
	MATCH_UNSURE,		/* if it is the program */
};

/* A flow as numbers. */
struct numbers {
	struct key key[NUMBERS];
	uint32_t has;			/* bits of those that it has */
};

struct query {
	const struct firewall *fw;
	const struct group *g;
	const struct firewall_flow *flow;
	const struct numbers *of;	/* the flow */
	const uint64_t *row[DIMENSIONS];	/* ANDed */
	unsigned n_rows;
	const uint64_t *remote[1 + NAMES_INDEXED];	/* ORed, then ANDed */
	unsigned n_remote;
};

static void set_key(struct numbers *q, enum dimension d, struct key key)
{
	q->key[d] = key;
	q->has |= 1u << d;
}

static void set_keys(struct numbers *q, const struct firewall_flow *f)
{
	q->has = 0;
	set_key(q, DIM_PROTOCOL, key_of(f->protocol));
	set_key(q, DIM_LOCAL, key_of_ip(&f->local.ip));
	set_key(q, DIM_REMOTE, key_of_ip(&f->remote.ip));
	set_key(q, DIM_EXCEPT, q->key[f->direction == RULE_IN ? DIM_REMOTE :
							 DIM_LOCAL]);
	if (f->protocol == RULE_TCP || f->protocol == RULE_UDP) {
		set_key(q, DIM_LOCAL_PORT, key_of(f->local.port));
		set_key(q, DIM_REMOTE_PORT, key_of(f->remote.port));
	}
	if (f->protocol == RULE_ICMP4 || f->protocol == RULE_ICMP6)
		set_key(q, DIM_ICMP, key_of((unsigned)f->icmp_type << 8 |
					    f->icmp_code));
}

/* Rows of names, to be ORed with those of the remote address. */
static void add_names(struct query *q)
{
	const struct rows *rows = &q->g->dim[DIM_NAME];
	const struct firewall_flow *f = q->flow;

	if (!rows->used || !f->n_names)
		return;
	if (f->n_names > NAMES_INDEXED) {
		q->remote[q->n_remote++] = rows->asks;
		return;
	}
	for (unsigned i = 0; i < f->n_names; i++)
		q->remote[q->n_remote++] = index_name_row(q->g, f->names[i]);
}

static const uint64_t *text_row(const struct group *g, enum dimension d,
				const char *text)
{
	return text ? index_text_row(g, d, text) : g->dim[d].any;
}

/* any_program: the rules that ask for one, instead of those for this one. */
static void begin(struct query *q, const struct firewall *fw,
		  const struct firewall_flow *flow,
		  const struct numbers *of, enum rule_action action,
		  bool any_program)
{
	const struct group *g = &fw->group[flow->direction][action];

	q->fw = fw;
	q->g = g;
	q->flow = flow;
	q->of = of;
	q->n_rows = q->n_remote = 0;
	/* Ports first: they leave the least. */
	for (unsigned i = DIM_LOCAL_PORT; i < DIM_LOCAL_PORT + NUMBERS; i++) {
		const enum dimension d = i % NUMBERS;
		const uint64_t *row = g->dim[d].any;

		if (!g->dim[d].used)
			continue;
		if (of->has >> d & 1)
			row = index_number_row(g, d, of->key[d]);
		if (d == DIM_REMOTE)
			q->remote[q->n_remote++] = row;
		else
			q->row[q->n_rows++] = row;
	}
	if (q->n_remote)
		add_names(q);
	if (g->dim[DIM_GUEST].used)
		q->row[q->n_rows++] = text_row(g, DIM_GUEST, flow->guest);
	if (any_program)
		q->row[q->n_rows++] = g->dim[DIM_PROGRAM].asks;
	else if (g->dim[DIM_PROGRAM].used)
		q->row[q->n_rows++] = text_row(g, DIM_PROGRAM, flow->program);
}

/* The first candidate from `from` on; g->n if there is none. */
static uint32_t next_candidate(const struct query *q, uint32_t from)
{
	uint64_t mask = UINT64_MAX << from % 64;

	for (uint32_t w = from / 64; w < q->g->words; w++) {
		uint64_t left = mask;

		for (unsigned i = 0; i < q->n_rows && left; i++)
			left &= q->row[i][w];
		if (q->n_remote && left) {
			uint64_t any = 0;

			for (unsigned i = 0; i < q->n_remote; i++)
				any |= q->remote[i][w];
			left &= any;
		}
		if (left) {
			const uint32_t i = w * 64 +
				(uint32_t)__builtin_ctzll(left);

			return i < q->g->n ? i : q->g->n;
		}
		mask = UINT64_MAX;
	}
	return q->g->n;
}

static bool in_ranges(const struct query *q, const struct entry *e,
		      enum dimension d)
{
	return q->of->has >> d & 1 &&
	       range_has(q->fw->range + e->first[d],
			 e->first[d + 1] - e->first[d], q->of->key[d]);
}

/* Does a list have this text, among items of this kind? */
static bool lists(const struct query *q, const struct entry *e,
		  enum rule_list list, enum rule_item_kind kind,
		  const char *text)
{
	const struct rules *set = q->fw->set;
	const struct rule_item *i = rule_first(set, &set->rule[e->rule], list);
	const size_t n = text ? strlen(text) + 1 : 0;

	for (; text && i; i = rule_next(set, i)) {
		const char *other = set->text + i->text;

		if (i->kind == kind && strlen(other) + 1 == n &&
		    !memcmp(other, text, n))
			return true;
	}
	return false;
}

static bool named(const struct query *q, const struct entry *e,
		  const char *name)
{
	const struct rules *set = q->fw->set;
	const struct rule_item *i = rule_first(set, &set->rule[e->rule],
					       RULE_REMOTE);

	for (; i; i = rule_next(set, i))
		if (i->kind == ITEM_NAME &&
		    rule_name_matches(set->text + i->text, name))
			return true;
	return false;
}

static bool remote_matches(const struct query *q, const struct entry *e)
{
	if (in_ranges(q, e, DIM_REMOTE))
		return true;
	if (e->asks >> DIM_NAME & 1)
		for (unsigned i = 0; i < q->flow->n_names; i++)
			if (named(q, e, q->flow->names[i]))
				return true;
	return false;
}

static bool asks(const struct entry *e, enum dimension d)
{
	return e->asks >> d & 1;
}

static enum match check(const struct query *q, const struct entry *e)
{
	const struct firewall_flow *f = q->flow;

	for (enum dimension d = 0; d < DIM_REMOTE; d++)
		if (asks(e, d) && !in_ranges(q, e, d))
			return MATCH_NO;
	if (asks(e, DIM_REMOTE) && !remote_matches(q, e))
		return MATCH_NO;
	if (asks(e, DIM_GUEST) &&
	    !lists(q, e, RULE_GUESTS, ITEM_TEXT, f->guest))
		return MATCH_NO;
	if (asks(e, DIM_PROGRAM) && f->program &&
	    !lists(q, e, RULE_PROGRAMS, ITEM_TEXT, f->program))
		return MATCH_NO;
	if (asks(e, DIM_EXCEPT) &&
	    (in_ranges(q, e, DIM_EXCEPT) ||
	     lists(q, e, RULE_EXCEPT, ITEM_GUEST, f->guest)))
		return MATCH_EXCEPTED;
	return asks(e, DIM_PROGRAM) && !f->program ? MATCH_UNSURE : MATCH_YES;
}

static void found(struct firewall_found *f, uint32_t rule)
{
	if (f->n < FIREWALL_SHOWN)
		f->rule[f->n] = rule;
	f->n++;
}

/*
 * The first rule that gives `wanted`. With a list, all of those are put
 * into it, and into `excepted` those that an exception keeps off.
 */
static uint32_t walk(const struct query *q, enum match wanted,
		     struct firewall_found *all,
		     struct firewall_found *excepted)
{
	uint32_t first = FIREWALL_NO_RULE;

	for (uint32_t i = next_candidate(q, 0); i < q->g->n;
	     i = next_candidate(q, i + 1)) {
		const struct entry *e = &q->g->entry[i];
		const enum match m = check(q, e);

		if (m == MATCH_EXCEPTED && excepted)
			found(excepted, e->rule);
		if (m != wanted)
			continue;
		if (first == FIREWALL_NO_RULE)
			first = e->rule;
		if (!all)
			return first;
		found(all, e->rule);
	}
	return first;
}

static uint32_t first_of(const struct firewall *fw,
			 const struct firewall_flow *flow,
			 const struct numbers *of, enum rule_action action,
			 struct firewall_found *all,
			 struct firewall_found *excepted)
{
	struct query q;

	begin(&q, fw, flow, of, action, false);
	return walk(&q, MATCH_YES, all, excepted);
}

/* The same of rules that ask for a program, where it is not known. */
static uint32_t unsure_of(const struct firewall *fw,
			  const struct firewall_flow *flow,
			  const struct numbers *of, enum rule_action action,
			  struct firewall_found *all)
{
	struct query q;

	if (flow->program ||
	    !fw->group[flow->direction][action].dim[DIM_PROGRAM].used)
		return FIREWALL_NO_RULE;
	begin(&q, fw, flow, of, action, true);
	return walk(&q, MATCH_UNSURE, all, NULL);
}

static bool default_of(const struct firewall *fw,
		       const struct firewall_flow *flow)
{
	const struct firewall_defaults *d = &fw->defaults;

	if (flow->direction == RULE_OUT)
		return d->out;
	switch (flow->origin) {
	case FROM_GUEST:	return d->in_from_guest;
	case FROM_HOST:		return d->in_from_host;
	case FROM_LAN:		return d->in_from_lan;
	}
	__builtin_trap();
}

/* why: NULL if the first rule will do. */
static struct firewall_verdict decide(const struct firewall *fw,
				      const struct firewall_flow *flow,
				      struct firewall_why *why)
{
	struct firewall_verdict v = { .unsure = FIREWALL_NO_RULE };
	uint32_t block, allow = FIREWALL_NO_RULE;
	struct numbers of;
	bool blocked;

	set_keys(&of, flow);
	block = first_of(fw, flow, &of, RULE_BLOCK,
			 why ? &why->blocks : NULL,
			 why ? &why->excepted : NULL);
	blocked = block != FIREWALL_NO_RULE;
	if (!blocked || why)
		allow = first_of(fw, flow, &of, RULE_ALLOW,
				 why ? &why->allows : NULL, NULL);
	if (blocked) {
		v.reason = BY_BLOCK;
		v.rule = block;
	} else if (allow != FIREWALL_NO_RULE) {
		v.allow = true;
		v.reason = BY_ALLOW;
		v.rule = allow;
	} else {
		v.allow = default_of(fw, flow);
		v.reason = BY_DEFAULT;
		v.rule = FIREWALL_NO_RULE;
	}
	if (!blocked)
		v.unsure = unsure_of(fw, flow, &of, v.allow ? RULE_BLOCK :
				     RULE_ALLOW, why ? &why->unsure : NULL);
	return v;
}

struct firewall_verdict firewall_decide(const struct firewall *fw,
					const struct firewall_flow *flow)
{
	return decide(fw, flow, NULL);
}

void firewall_explain(const struct firewall *fw,
		      const struct firewall_flow *flow,
		      struct firewall_why *out)
{
	struct firewall_why why = { .change = CHANGE_BLOCK };

	why.verdict = decide(fw, flow, &why);
	if (why.verdict.reason == BY_BLOCK)
		why.change = why.allows.n || default_of(fw, flow) ?
			CHANGE_EXCEPT : CHANGE_EXCEPT_AND_ALLOW;
	else if (!why.verdict.allow)
		why.change = CHANGE_ALLOW;
	*out = why;
}

bool firewall_may_refuse(const struct firewall *fw,
			 enum firewall_origin origin)
{
	const struct firewall_flow flow = { .direction = RULE_IN,
					    .origin = origin };

	return fw->group[RULE_IN][RULE_BLOCK].n || !default_of(fw, &flow);
}

bool firewall_out_is_open(const struct firewall *fw)
{
	return fw->defaults.out;
}

bool firewall_name_allowed(const struct firewall *fw, const char *guest,
			   const char *name)
{
	const struct firewall_flow flow = { .direction = RULE_OUT,
		.guest = guest, .names = &name, .n_names = 1 };
	const struct group *g = &fw->group[RULE_OUT][RULE_ALLOW];
	struct query q = { .fw = fw, .g = g, .flow = &flow };

	if (fw->defaults.out)
		return true;
	if (g->dim[DIM_REMOTE].used) {
		q.remote[q.n_remote++] = g->dim[DIM_REMOTE].any;
		add_names(&q);
	}
	if (g->dim[DIM_GUEST].used)
		q.row[q.n_rows++] = text_row(g, DIM_GUEST, guest);
	for (uint32_t i = next_candidate(&q, 0); i < g->n;
	     i = next_candidate(&q, i + 1)) {
		const struct entry *e = &g->entry[i];

		if (asks(e, DIM_GUEST) &&
		    !lists(&q, e, RULE_GUESTS, ITEM_TEXT, guest))
			continue;
		if (!asks(e, DIM_REMOTE) || named(&q, e, name))
			return true;
	}
	return false;
}
