/* SPDX-License-Identifier: MIT */
/* firewall/compile.c - rules to groups and rows; see firewall/index.h. */
#include <string.h>

#include "firewall/index.h"

static const uint8_t list_of[NUMBERS] = {
	[DIM_PROTOCOL] = RULE_LISTS,	/* a field */
	[DIM_LOCAL_PORT] = RULE_LOCAL_PORTS,
	[DIM_REMOTE_PORT] = RULE_REMOTE_PORTS,
	[DIM_ICMP] = RULE_ICMP,
	[DIM_LOCAL] = RULE_LOCAL,
	[DIM_REMOTE] = RULE_REMOTE,
	[DIM_EXCEPT] = RULE_EXCEPT,
};

/* The block: what stays is taken from its start, scratch from its end. */
struct arena {
	uint8_t *at, *end;
};

static void *take(struct arena *a, size_t bytes)
{
	void *p = a->at;

	bytes = (bytes + 7) & ~(size_t)7;
	ASSERT(bytes <= (size_t)(a->end - a->at));
	a->at += bytes;
	return p;
}

/* Upper bound of the ranges of all rules. */
static size_t most_ranges(const struct rules *set)
{
	size_t n = set->used.rules;		/* their protocols */

	for (uint32_t i = 0; i < set->used.items; i++)
		n += set->item[i].kind == ITEM_ADDR_WORD ? RANGES_PER_ITEM : 2;
	return n;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t firewall_bytes(const struct rules *set)
{
	const size_t n = set->used.rules, ranges = most_ranges(set);
	const size_t bins = least(BINS_MAX, 2 * ranges + 2);
	const size_t words = n / 64 + 4;	/* of the four groups */

	return sizeof(struct firewall) + n + n * sizeof(struct entry) +
	       (ranges + RANGES_PER_ITEM) * sizeof(struct range) +
	       DIMENSIONS * ((bins + 2) * words * sizeof(uint64_t) +
			     4 * bins * sizeof(struct key)) +
	       2 * ranges * sizeof(struct range) +	/* edges, sorted */
	       8 * (8 + 16 * DIMENSIONS);		/* alignment */
}

struct compile {
	struct firewall *fw;
	const struct rules *set;
	const struct firewall_net *net;
	struct arena arena;
	uint32_t n_ranges;
};

static bool lists_text(const struct rules *set, const struct rule *r,
		       enum rule_list list, enum rule_item_kind kind,
		       const char *text)
{
	const size_t n = strlen(text) + 1;
	const struct rule_item *i = rule_first(set, r, list);

	for (; i; i = rule_next(set, i)) {
		const char *other = set->text + i->text;

		if (i->kind == kind && strlen(other) + 1 == n &&
		    !memcmp(other, text, n))
			return true;
	}
	return false;
}

static bool is_here(const struct compile *c, const struct rule *r)
{
	if (!(r->profiles & c->net->profile))
		return false;
	return !r->list[RULE_NETWORKS].first ||
	       lists_text(c->set, r, RULE_NETWORKS, ITEM_TEXT, c->net->name);
}

/* Ranges of one list, merged, behind those that there are; how many. */
static uint32_t add_ranges(struct compile *c, const struct rule *r,
			   enum dimension d)
{
	struct range *out = c->fw->range + c->n_ranges;
	const struct rule_item *i;
	uint32_t n = 0;

	if (d == DIM_PROTOCOL) {
		if (r->protocol == RULE_ANY_PROTOCOL)
			return 0;
		out[0].first = out[0].last = key_of(r->protocol);
		n = 1;
	} else {
		i = rule_first(c->set, r, list_of[d]);
		for (; i; i = rule_next(c->set, i))
			n += range_of_item(i, c->net, out + n);
		n = range_merge(out, n);
	}
	c->n_ranges += n;
	return n;
}

static bool has_item(const struct rules *set, const struct rule *r,
		     enum rule_list list, enum rule_item_kind kind)
{
	const struct rule_item *i = rule_first(set, r, list);

	while (i && i->kind != kind)
		i = rule_next(set, i);
	return i;
}

static bool asks(const struct rule *r, enum dimension d)
{
	if (d == DIM_PROTOCOL)
		return r->protocol != RULE_ANY_PROTOCOL;
	return r->list[list_of[d]].first;
}

static unsigned families(const struct range *r, uint32_t n)
{
	static const struct key first4 = { 0, 0xffff00000000 };
	static const struct key last4 = { 0, 0xffffffffffff };
	unsigned seen = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (key_less(r[i].first, first4) || key_less(last4, r[i].last))
			seen |= RULE_V6;
		if (!key_less(r[i].last, first4) &&
		    !key_less(last4, r[i].first))
			seen |= RULE_V4;
	}
	return seen;
}

/* Both ends are given, by addresses of different families. */
static bool families_differ(const struct firewall *fw, const struct entry *e)
{
	const uint32_t *f = e->first;
	const unsigned local = families(fw->range + f[DIM_LOCAL],
					f[DIM_LOCAL + 1] - f[DIM_LOCAL]);
	const unsigned remote = families(fw->range + f[DIM_REMOTE],
					 f[DIM_REMOTE + 1] - f[DIM_REMOTE]);

	return local && remote && !(local & remote) &&
	       !(e->asks >> DIM_NAME & 1);
}

/* false: the rule can never match, and nothing was added. */
static bool fill_entry(struct compile *c, uint32_t rule, struct entry *e)
{
	const struct rule *r = &c->set->rule[rule];
	const uint32_t before = c->n_ranges;
	bool never = rule_is_inert(c->set, r);

	*e = (struct entry){ .rule = rule };
	if (has_item(c->set, r, RULE_REMOTE, ITEM_NAME))
		e->asks |= 1u << DIM_NAME;
	if (r->list[RULE_GUESTS].first)
		e->asks |= 1u << DIM_GUEST;
	if (r->list[RULE_PROGRAMS].first)
		e->asks |= 1u << DIM_PROGRAM;
	for (enum dimension d = 0; d < NUMBERS && !never; d++) {
		uint32_t n;

		e->first[d] = c->n_ranges;
		n = add_ranges(c, r, d);
		if (!asks(r, d))
			continue;
		e->asks |= 1u << d;
		never = !n && d != DIM_EXCEPT &&
			!(d == DIM_REMOTE && e->asks >> DIM_NAME & 1);
	}
	e->first[NUMBERS] = c->n_ranges;
	if (!never && !families_differ(c->fw, e))
		return true;
	c->n_ranges = before;
	return false;
}

/* An exception of a block that is the whole network: it is not here. */
static bool is_excepted(const struct compile *c, const struct rule *r)
{
	return lists_text(c->set, r, RULE_EXCEPT, ITEM_NETWORK, c->net->name);
}

static enum firewall_finding sort_out(struct compile *c, uint32_t rule,
				      enum rule_direction dir,
				      enum rule_action action, struct entry *e)
{
	const struct rule *r = &c->set->rule[rule];

	if (!r->enabled)
		return RULE_OFF;
	if (!is_here(c, r) || is_excepted(c, r))
		return RULE_ELSEWHERE;
	if (r->action == RULE_BYPASS)
		return RULE_NEVER;
	if (r->direction != dir || r->action != action)
		return RULE_WORKS;	/* of another group */
	return fill_entry(c, rule, e) ? RULE_WORKS : RULE_NEVER;
}

static void set_bit(uint64_t *row, uint32_t i)
{
	row[i / 64] |= (uint64_t)1 << i % 64;
}

static uint32_t bin_of(const struct rows *d, struct key key)
{
	uint32_t low = 0, high = d->n_edges;

	while (low < high) {
		const uint32_t mid = low + (high - low) / 2;

		if (key_less(key, d->edge[mid]))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

const uint64_t *index_number_row(const struct group *g, enum dimension d,
				 struct key key)
{
	const struct rows *rows = &g->dim[d];

	return rows->bin + (size_t)bin_of(rows, key) * g->words;
}

/* FNV-1a */
static uint32_t hash(const char *text, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)text[i]) * 16777619u;
	return h ^ h >> 15;
}

const uint64_t *index_text_row(const struct group *g, enum dimension d,
			       const char *text)
{
	const struct rows *rows = &g->dim[d];

	return rows->bin +
	       (size_t)(hash(text, strlen(text)) % rows->n_bins) * g->words;
}

/* Its last two labels, or all of a shorter one. */
static const char *domain_of(const char *name)
{
	const char *s = name + strlen(name);
	unsigned dots = 0;

	while (s > name && !(s[-1] == '.' && dots++))
		s--;
	return s;
}

const uint64_t *index_name_row(const struct group *g, const char *name)
{
	return index_text_row(g, DIM_NAME, domain_of(name));
}

/* Edges of the entries' ranges into scratch; how many, with repetitions. */
static uint32_t collect_edges(const struct firewall *fw, const struct group *g,
			      enum dimension d, struct range *out)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->n; i++) {
		const struct entry *e = &g->entry[i];

		for (uint32_t k = e->first[d]; k < e->first[d + 1]; k++) {
			const struct range *r = &fw->range[k];

			out[n++].first = r->first;
			if (r->last.high == UINT64_MAX &&
			    r->last.low == UINT64_MAX)
				continue;
			out[n].first = r->last;
			out[n].first.high += !++out[n].first.low;
			n++;
		}
	}
	return n;
}

static void cut_bins(struct compile *c, const struct group *g,
		     enum dimension d, struct rows *rows)
{
	struct range *edges = (struct range *)(void *)c->arena.at;
	uint32_t n = collect_edges(c->fw, g, d, edges), kept = 0, step;

	ASSERT((size_t)(c->arena.end - c->arena.at) / sizeof(*edges) >= n);
	range_sort(edges, n);
	for (uint32_t i = 0; i < n; i++)
		if (!kept || key_less(edges[kept - 1].first, edges[i].first))
			edges[kept++].first = edges[i].first;
	step = kept / BINS_MAX + 1;
	n = 0;
	for (uint32_t i = step - 1; i < kept; i += step)
		edges[n++].first = edges[i].first;
	rows->n_edges = n;
	rows->n_bins = n + 1;
	/* Written front to back, and a key is half as long as a range. */
	rows->edge = (struct key *)(void *)edges;
	for (uint32_t i = 0; i < n; i++)
		rows->edge[i] = edges[i].first;
	take(&c->arena, n * sizeof(struct key));
}

static void fill_number_rows(const struct firewall *fw, struct group *g,
			     enum dimension d)
{
	const struct rows *rows = &g->dim[d];

	for (uint32_t i = 0; i < g->n; i++) {
		const struct entry *e = &g->entry[i];

		for (uint32_t k = e->first[d]; k < e->first[d + 1]; k++) {
			const uint32_t to = bin_of(rows, fw->range[k].last);
			uint32_t b = bin_of(rows, fw->range[k].first);

			for (; b <= to; b++)
				set_bit(rows->bin + (size_t)b * g->words, i);
		}
	}
}

/* The bin of a pattern; n_bins: it belongs into each. */
static uint32_t pattern_bin(const struct rows *rows, const char *pattern)
{
	const char *domain = domain_of(pattern);

	if (domain[0] == '*')
		return rows->n_bins;
	return hash(domain, strlen(domain)) % rows->n_bins;
}

static void fill_text_rows(const struct rules *set, struct group *g,
			   enum dimension d)
{
	const enum rule_list list = d == DIM_NAME ? RULE_REMOTE :
		d == DIM_GUEST ? RULE_GUESTS : RULE_PROGRAMS;
	const struct rows *rows = &g->dim[d];

	for (uint32_t i = 0; i < g->n; i++) {
		const struct rule *r = &set->rule[g->entry[i].rule];
		const struct rule_item *it = rule_first(set, r, list);

		for (; it; it = rule_next(set, it)) {
			const char *text = set->text + it->text;
			uint32_t b, to;

			if (it->kind != ITEM_NAME && it->kind != ITEM_TEXT)
				continue;
			b = d == DIM_NAME ? pattern_bin(rows, text) :
				hash(text, strlen(text)) % rows->n_bins;
			to = b == rows->n_bins ? rows->n_bins : b + 1;
			for (b = b == rows->n_bins ? 0 : b; b < to; b++)
				set_bit(rows->bin + (size_t)b * g->words, i);
		}
	}
}

static void build_rows(struct compile *c, struct group *g, enum dimension d)
{
	struct rows *rows = &g->dim[d];
	const size_t row_bytes = g->words * sizeof(uint64_t);
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->n; i++)
		n += g->entry[i].asks >> d & 1;
	if (!n)
		return;
	rows->used = true;
	if (d < NUMBERS)
		cut_bins(c, g, d, rows);
	else
		rows->n_bins = n < BINS_MAX ? n : BINS_MAX;
	rows->any = take(&c->arena, row_bytes);
	rows->asks = take(&c->arena, row_bytes);
	rows->bin = take(&c->arena, rows->n_bins * row_bytes);
	memset(rows->any, 0, row_bytes);
	memset(rows->asks, 0, row_bytes);
	for (uint32_t i = 0; i < g->n; i++)
		set_bit(g->entry[i].asks >> d & 1 ? rows->asks : rows->any, i);
	if (d == DIM_NAME)		/* is ORed: no names, no match */
		memset(rows->any, 0, row_bytes);
	for (uint32_t b = 0; b < rows->n_bins; b++)
		memcpy(rows->bin + (size_t)b * g->words, rows->any, row_bytes);
	if (d < NUMBERS)
		fill_number_rows(c->fw, g, d);
	else
		fill_text_rows(c->set, g, d);
}

static void build_group(struct compile *c, enum rule_direction dir,
			enum rule_action action)
{
	struct group *g = &c->fw->group[dir][action];
	const uint32_t n = c->set->used.rules;

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t before = c->n_ranges;
		struct entry e;
		const enum firewall_finding f = sort_out(c, i, dir, action,
							 &e);
		const struct rule *r = &c->set->rule[i];

		c->fw->finding[i] = c->fw->finding[i] == RULE_NEVER ?
			RULE_NEVER : (uint8_t)f;
		if (f == RULE_WORKS && r->direction == dir &&
		    r->action == action)
			g->entry[g->n++] = e;
		else
			c->n_ranges = before;
	}
	g->words = g->n / 64 + (g->n % 64 > 0);
}

struct firewall *firewall_compile(const struct rules *set,
				  const struct firewall_net *net, void *block)
{
	const size_t n = set->used.rules;
	struct compile c = { .set = set, .net = net, .arena = {
		.at = block, .end = (uint8_t *)block + firewall_bytes(set) } };
	struct entry *entry;

	c.fw = take(&c.arena, sizeof(*c.fw));
	*c.fw = (struct firewall){ .set = set, .defaults = net->defaults };
	c.fw->finding = take(&c.arena, n);
	memset(c.fw->finding, RULE_WORKS, n);
	entry = take(&c.arena, n * sizeof(*entry));
	c.fw->range = take(&c.arena, (most_ranges(set) + RANGES_PER_ITEM) *
				     sizeof(struct range));
	for (unsigned dir = RULE_IN; dir <= RULE_OUT; dir++)
		for (unsigned a = RULE_BLOCK; a <= RULE_ALLOW; a++) {
			c.fw->group[dir][a].entry = entry;
			build_group(&c, dir, a);
			entry += c.fw->group[dir][a].n;
		}
	for (unsigned i = 0; i < 4; i++)
		for (enum dimension d = 0; d < DIMENSIONS; d++)
			if (d != DIM_EXCEPT)
				build_rows(&c, &c.fw->group[i / 2][i % 2], d);
	return c.fw;
}

const char *firewall_origin_name(enum firewall_origin origin)
{
	switch (origin) {
	case FROM_GUEST:
		return "guest";
	case FROM_HOST:
		return "host";
	case FROM_LAN:
		break;
	}
	return "lan";
}

struct firewall_defaults firewall_defaults(enum rule_profile profile)
{
	return (struct firewall_defaults){
		.in_from_guest = profile != RULE_PUBLIC,
		.in_from_host = true, .out = true };
}
