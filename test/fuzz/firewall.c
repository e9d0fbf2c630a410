/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/firewall.c - rules in our own text, and files of a Windows
 *
 * Whatever the input is: the room that is said to be enough is, each rule
 * that was read is printed in a way that reads as the same, and a set of
 * them can be compiled and asked.
 */
#include <string.h>

#include "firewall/firewall.h"
#include "firewall/import.h"
#include "firewall/text.h"
#include "fuzz/fuzz.h"

static void *get(size_t bytes)
{
	void *p = malloc(bytes + !bytes);

	if (!p)
		abort();
	return p;
}

static void open_set(struct rules *set, const struct rules_size *size)
{
	rules_init(set, get(rules_bytes(size)), size);
}

static void take_error(void *ctx, const struct text_error *e)
{
	char text[TEXT_ERROR_BYTES];

	PROPERTY(e->line > 0 && e->column > 0);
	PROPERTY(strlen(text_error_format(e, text)) < sizeof(text));
	++*(unsigned *)ctx;
}

static unsigned read_text(struct rules *set, struct view text)
{
	unsigned told = 0;
	const struct text_sink sink = { take_error, &told };
	const struct rules_size needs = text_needs(text);
	unsigned errors;

	open_set(set, &needs);
	errors = text_parse(set, text, &sink);
	PROPERTY(errors == told);
	return errors;
}

static void check_round_trip(const struct rules *set, const struct rule *r)
{
	const size_t len = text_print(set, r, NULL, 0);
	char *text = get(len + 1);
	struct rules again;

	PROPERTY(text_print(set, r, text, len + 1) == len);
	PROPERTY(strlen(text) == len);
	PROPERTY(read_text(&again, (struct view){ (uint8_t *)text, len }) ==
		 0);
	PROPERTY(again.used.rules == 1);
	PROPERTY(rule_equal(set, r, &again, &again.rule[0]));
	free(again.rule);
	free(text);
}

/* The explanation says what the decision does. */
static void ask(const struct firewall *fw, const struct rules *set)
{
	static const char *const names[] = { "a.test" };
	struct firewall_flow f = { .protocol = RULE_TCP, .guest = "g",
				   .names = names };
	struct firewall_verdict v;
	struct firewall_why why;
	uint32_t by;

	f.local = (struct endpoint){ ip_from_v4(0xac140002), 80 };
	f.remote = (struct endpoint){ ip_from_v4(0xac140001), 443 };
	for (unsigned i = 0; i < 4; i++) {
		f.direction = i & 1 ? RULE_OUT : RULE_IN;
		f.n_names = i & 1;
		f.program = i & 2 ? "/p" : NULL;
		v = firewall_decide(fw, &f);
		firewall_explain(fw, &f, &why);
		PROPERTY(v.allow == why.verdict.allow &&
			 v.rule == why.verdict.rule);
		PROPERTY(v.reason != BY_BLOCK || !v.allow);
	}
	for (uint32_t i = 0; i < set->used.rules; i++)
		PROPERTY(firewall_check(fw, i, &by) != RULE_SHADOWED ||
			 by < set->used.rules);
}

static void use(const struct rules *set)
{
	const struct firewall_net net = { .name = "default",
		.profile = RULE_PUBLIC, .v6 = true,
		.subnet4 = { ip_from_v4(0xac140000), 20 },
		.subnet6 = { { { 0xfd, 1 } }, 64 },
		.gateway4 = ip_from_v4(0xac140001),
		.gateway6 = { { 0xfd, 1, [15] = 1 } },
		.defaults = firewall_defaults(RULE_PUBLIC) };
	void *block = get(firewall_bytes(set));

	ask(firewall_compile(set, &net, block), set);
	free(block);
	for (uint32_t i = 0; i < set->used.rules; i++)
		check_round_trip(set, &set->rule[i]);
}

void fuzz_firewall(const uint8_t *data, size_t size)
{
	struct rules set;

	read_text(&set, (struct view){ data, size });
	use(&set);
	free(set.rule);
}

static void take_note(void *ctx, const struct windows_note *n)
{
	(void)ctx;
	PROPERTY(n->line > 0 && n->column > 0 && n->why);
}

void fuzz_firewall_import(const uint8_t *data, size_t size)
{
	static const struct windows_map map[] = { { "a.exe", "/bin/a" } };
	const struct windows_maps maps = { map, 1 };
	const struct windows_sink sink = { .note = take_note };
	struct import_needs needs;
	struct import_result result;
	struct rules set;
	void *scratch;

	PROPERTY(import_needs((struct view){ data, size }, &maps, &needs));
	open_set(&set, &needs.set);
	scratch = get(needs.scratch_bytes);
	result = import_read(&set, (struct view){ data, size }, &maps, &sink,
			     scratch);
	PROPERTY(result.rules == set.used.rules);
	free(scratch);
	use(&set);
	free(set.rule);
}
