/* SPDX-License-Identifier: MIT */
/*
 * sim/firewall.c - rules of the worlds
 *
 * They let everything pass, but some ask for programs, which becomes known
 * later, or never; some let only half of the questions be asked (those of
 * even numbers, see resolver.c); and some change now and then, so that all
 * flows that live are asked about.
 */
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "firewall/firewall.h"
#include "firewall/text.h"
#include "sim/world.h"

#define RULES	"[rule culprit out]\n"					\
		"action = block\n"					\
		"direction = out\n"					\
		"program = /usr/bin/culprit\n"				\
		"[rule culprit in]\n"					\
		"action = block\n"					\
		"direction = in\n"					\
		"program = /usr/bin/culprit\n"

/* Addresses are no names: none of these may be asked for but by a name. */
#define GATE	"[rule everywhere]\n"					\
		"action = allow\n"					\
		"direction = out\n"					\
		"remoteAddress = 0.0.0.0/0, ::/0\n"			\
		"[rule names]\n"					\
		"action = allow\n"					\
		"direction = out\n"					\
		"remoteAddress = q0.example, q2.example, q4.example, "	\
		"q6.example\n"

static struct kept {
	bool made;
	struct rules set;
	struct firewall *firewall;
	alignas(8) uint8_t set_block[8192], compiled[1u << 20];
} kept[2][2];			/* by what they have; worlds are alike */

static struct firewall *rules(const struct world *w, bool programs, bool gate)
{
	const char *text = programs ? gate ? RULES GATE : RULES :
			   gate ? GATE : "";
	struct kept *k = &kept[programs][gate];
	const struct view v = { .p = (const uint8_t *)text,
				.len = strlen(text) };
	const struct network_setup *s = &w->setup;
	struct firewall_net net = {
		.name = "default", .profile = RULE_PRIVATE, .v6 = s->v6,
		.subnet4 = s->net4, .subnet6 = s->net6,
		.gateway4 = s->gateway4, .gateway6 = s->gateway6,
		.defaults = firewall_defaults(RULE_PRIVATE),
	};
	const struct text_sink none = { .error = NULL };
	const struct rules_size size = text_needs(v);

	if (k->made)
		return k->firewall;
	net.defaults.out = !gate;
	ASSERT(rules_bytes(&size) <= sizeof(k->set_block));
	rules_init(&k->set, k->set_block, &size);
	ASSERT(text_parse(&k->set, v, &none) == 0);
	ASSERT(firewall_bytes(&k->set) <=
	       sizeof(k->compiled));
	k->firewall = firewall_compile(&k->set, &net,
					       k->compiled);
	k->made = true;
	return k->firewall;
}

static void give(struct world *w)
{
	const struct network_rules r = {
		.firewall = rules(w, w->plan.programs, w->plan.gate), .refuse = true,
	};

	network_set_rules(w->net, &r, w->now_ns);
}

static void again(void *ctx, uint64_t arg, void *data, size_t len)
{
	(void)arg, (void)data, (void)len;
	give(ctx);
}

void sim_firewall_start(struct world *w)
{
	give(w);
	for (unsigned i = 1; i <= w->plan.rule_changes; i++)
		world_after(w, i * UINT64_C(7000000), again, 0, NULL, 0);
}

static void answer(void *ctx, uint64_t arg, void *data, size_t len)
{
	static const char *const programs[] = { "/usr/bin/true", NULL,
						"relative", "/" };
	struct world *w = ctx;

	(void)data, (void)len;
	network_program(w->net, (uint32_t)arg, programs[arg % 4], w->now_ns);
}

bool sim_ask_program(void *ctx, uint32_t id, const struct env_socket *what)
{
	struct world *w = ctx;
	const uint32_t k = rng_below(&w->rng, 100);

	(void)what;
	if (k < 5)
		return false;
	if (k < 95)			/* else nothing is ever heard of it */
		world_after(w, rng_below(&w->rng, k < 10 ? 3000000000 :
						  500000),
			    answer, id, NULL, 0);
	return true;
}

/* The worlds' rules let all of it pass but half of the questions. */
void sim_blocked(void *ctx, const struct network_blocked *what)
{
	struct world *w = ctx;
	unsigned n;

	if (sscanf(what->name, "q%u.example", &n) != 1 ||
	    !resolver_is_shut(w, n))
		world_fail(w, "the firewall has blocked something");
}
