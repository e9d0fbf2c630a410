/* SPDX-License-Identifier: MIT */
#include "fake/rules.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/firewall.h"
#include "firewall/text.h"

#define SET_BYTES	65536
#define COMPILED_BYTES	(1u << 20)
#define HITS_MAX	64

/* Two of each: what is in force is lent until the next is. */
static struct {
	alignas(8) uint8_t set_block[SET_BYTES];
	alignas(8) uint8_t compiled[COMPILED_BYTES];
	uint64_t hits[HITS_MAX];
	struct rules set;
} block[2];
static unsigned turn;

#define OPEN	"[rule in]\n"						\
		"action = allow\n"					\
		"direction = in\n"

static const char *const texts[FAKE_RULES_MAX] = {
	[FAKE_RULES_EMPTY] = "",
	[FAKE_RULES_OPEN] = OPEN,
	[FAKE_RULES_SOME] = OPEN
		"[rule odd ports out]\n"
		"action = block\n"
		"direction = out\n"
		"protocol = udp\n"
		"remotePort = 1001, 1003, 1005, 1007, 1009, 1011, 1013, 1015\n"
		"[rule odd ports in]\n"
		"action = block\n"
		"direction = in\n"
		"protocol = tcp\n"
		"localPort = 1001, 1003, 1005, 1007, 1009, 1011, 1013, 1015\n",
	[FAKE_RULES_PROGRAMS] = OPEN
		"[rule culprit out]\n"
		"action = block\n"
		"direction = out\n"
		"program = " FAKE_PROGRAM "\n"
		"[rule culprit in]\n"
		"action = block\n"
		"direction = in\n"
		"program = " FAKE_PROGRAM "\n",
};

#define NAMES	OPEN							\
		"[rule names]\n"					\
		"action = allow\n"					\
		"direction = out\n"					\
		"remoteAddress = *.example, example.\n"		\
		"[rule even ports]\n"					\
		"action = allow\n"					\
		"direction = out\n"					\
		"remotePort = 1000, 1002, 1004, 1006, 1008\n"		\
		"remoteAddress = 0.0.0.0/0, ::/0\n"

static void error(void *ctx, const struct text_error *e)
{
	(void)ctx, (void)e;
	abort();
}

/* out: what no rule speaks of may go there. */
static void give(struct network *net, const struct network_setup *setup,
		 const char *text, bool out, const struct network_rules *with,
		 uint64_t now_ns)
{
	const struct view v = { .p = (const uint8_t *)text,
				.len = strlen(text) };
	const struct text_sink sink = { .error = error };
	struct firewall_net n = {
		.name = "default", .profile = RULE_PRIVATE, .v6 = setup->v6,
		.subnet4 = setup->net4, .subnet6 = setup->net6,
		.gateway4 = setup->gateway4, .gateway6 = setup->gateway6,
		.defaults = firewall_defaults(RULE_PRIVATE),
	};
	const struct rules_size size = text_needs(v);
	struct network_rules rules = *with;

	n.defaults.out = out;
	turn ^= 1;
	if (rules_bytes(&size) > SET_BYTES)
		abort();
	rules_init(&block[turn].set, block[turn].set_block, &size);
	if (text_parse(&block[turn].set, v, &sink) ||
	    firewall_bytes(&block[turn].set) > COMPILED_BYTES ||
	    block[turn].set.used.rules > HITS_MAX)
		abort();
	memset(block[turn].hits, 0, sizeof(block[turn].hits));
	rules.firewall = firewall_compile(&block[turn].set, &n,
					  block[turn].compiled);
	rules.hits = block[turn].hits;
	network_set_rules(net, &rules, now_ns);
}

void fake_set_rules_text(struct network *net,
			 const struct network_setup *setup, const char *text,
			 const struct network_rules *with, uint64_t now_ns)
{
	give(net, setup, text, true, with, now_ns);
}

void fake_set_rules(struct network *net, const struct network_setup *setup,
		    enum fake_rules which, uint64_t now_ns)
{
	const struct network_rules with = {
		.off = which == FAKE_RULES_OFF, .refuse = true,
	};

	if (which == FAKE_RULES_NAMES)
		give(net, setup, NAMES, false, &with, now_ns);
	else if (texts[which])
		fake_set_rules_text(net, setup, texts[which], &with, now_ns);
	else
		network_set_rules(net, &with, now_ns);
}
