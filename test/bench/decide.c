/* SPDX-License-Identifier: MIT */
/*
 * test/bench/decide.c - what a decision of the firewall costs
 *
 *	decide [ROUNDS]
 *
 * One line for each number of rules: processor time of a decision and of
 * an explanation, and of compiling. The rules are of the shape of a
 * Windows': half of them in, a third with a program, ports of their own,
 * some with addresses and names. Few flows find a rule, so that a decision
 * looks at blocks and allows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "firewall/firewall.h"
#include "firewall/text.h"

#define FLOWS 1024

static uint64_t state = 1;

static uint32_t below(uint32_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % n;
}

static void *get(size_t bytes)
{
	void *p = malloc(bytes);

	if (!p)
		abort();
	return p;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One rule as text; of every three one for a program. */
static int write_rule(char *s, size_t cap)
{
	const bool out = below(2);
	int n = snprintf(s, cap, "[rule r]\naction = %s\ndirection = %s\n"
			 "protocol = %s\n%s = %u\n",
			 below(3) ? "allow" : "block", out ? "out" : "in",
			 below(2) ? "tcp" : "udp",
			 out ? "remotePort" : "localPort", below(65536));

	if (!below(3))
		n += snprintf(s + n, cap - (size_t)n, "program = /bin/p%u\n",
			      below(500));
	if (!below(3))
		n += snprintf(s + n, cap - (size_t)n,
			      "remoteAddress = 10.%u.0.0/16, LocalSubnet\n",
			      below(256));
	else if (out && !below(3))
		n += snprintf(s + n, cap - (size_t)n,
			      "remoteAddress = *.n%u.test\n", below(1000));
	return n;
}

static void make_set(struct rules *set, unsigned n)
{
	const size_t cap = (size_t)n * 256 + 1;
	char *text = get(cap);
	struct rules_size needs;
	struct view view;
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += (size_t)write_rule(text + len, cap - len);
	view = (struct view){ (const uint8_t *)text, len };
	needs = text_needs(view);
	rules_init(set, get(rules_bytes(&needs)), &needs);
	if (text_parse(set, view, NULL))
		abort();
	free(text);
}

static void make_flows(struct firewall_flow *f, const char *const *names)
{
	for (unsigned i = 0; i < FLOWS; i++, f++) {
		*f = (struct firewall_flow){
			.direction = below(2), .protocol = RULE_TCP,
			.local = { ip_from_v4(0xac140002),
				   (uint16_t)below(65536) },
			.remote = { ip_from_v4(0x0a000000 + below(1 << 24)),
				    (uint16_t)below(65536) },
			.guest = "guest", .program = "/bin/p7",
			.names = names,
		};
		f->n_names = f->direction == RULE_OUT;
	}
}

static void measure(unsigned n, unsigned rounds)
{
	static const char *const names[] = { "host.n42.test" };
	static struct firewall_flow flows[FLOWS];
	const struct firewall_net net = { .name = "default",
		.profile = RULE_PRIVATE, .subnet4 = { ip_from_v4(0xac140000),
						      20 },
		.gateway4 = ip_from_v4(0xac140001),
		.defaults = firewall_defaults(RULE_PRIVATE) };
	double start, compiled, decided, explained;
	struct firewall *fw;
	unsigned allowed = 0;
	struct rules set;

	make_set(&set, n);
	make_flows(flows, names);
	start = now_ns();
	fw = firewall_compile(&set, &net, get(firewall_bytes(&set)));
	compiled = now_ns();
	for (unsigned i = 0; i < rounds * FLOWS; i++)
		allowed += firewall_decide(fw, &flows[i % FLOWS]).allow;
	decided = now_ns();
	for (unsigned i = 0; i < FLOWS; i++) {
		struct firewall_why why;

		firewall_explain(fw, &flows[i], &why);
		allowed += why.verdict.allow;
	}
	explained = now_ns();
	printf("%7u rules: %7.0f ns a decision, %7.0f ns an explanation, "
	       "%6.2f ms to compile, %6.2f MiB, %2u%% allowed\n", n,
	       (decided - compiled) / (rounds * FLOWS),
	       (explained - decided) / FLOWS, (compiled - start) / 1e6,
	       (double)firewall_bytes(&set) / (1 << 20),
	       allowed * 100 / ((rounds + 1) * FLOWS));
	free(fw);
	free(set.rule);
}

int main(int argc, char **argv)
{
	const int rounds = argc > 1 ? atoi(argv[1]) : 200;
	static const unsigned sizes[] = { 10, 600, 1000, 10000, 100000 };

	if (rounds < 1 || rounds > 100000) {
		fprintf(stderr, "usage: decide [ROUNDS]\n");
		return 2;
	}
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		measure(sizes[i], (unsigned)rounds);
	return 0;
}
