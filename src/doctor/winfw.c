/* SPDX-License-Identifier: MIT */
#include "doctor/winfw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "doctor/powershell.h"
#include "doctor/wintext.h"
#include "firewall/firewall.h"
#include "firewall/import.h"

#define ASKED		"/asked"	/* what its program is called here */
#define FROM_PORT	50000		/* any that a client may have */
#define LISTED		6		/* rules that are named one by one */

#define TRIED		"Windows' firewall"
#define BUT		"; but it was let in just now"

/* Both sets of rules as one: first the machine's, then those of policy. */
struct loaded {
	struct rules set;
	uint32_t n_local;
	unsigned errors;
};

static struct view view_of(const char *text)
{
	return (struct view){ (const uint8_t *)text, strlen(text) };
}

static void pass_over(void *ctx, const struct windows_note *note)
{
	(void)ctx;
	(void)note;
}

static struct import_result read_rules(struct rules *set, struct view file,
				       const struct windows_maps *maps,
				       size_t scratch_bytes)
{
	const struct windows_sink sink = { .note = pass_over };
	struct import_result got = { .errors = 1 };
	void *scratch = malloc(scratch_bytes + 1);

	if (scratch)
		got = import_read(set, file, maps, &sink, scratch);
	free(scratch);
	return got;
}

/*
 * A rule for a program that has no path of this system holds for nothing here.
 * These are to hold where they are from, for some program or other: none but
 * ASKED is ever asked about, so they only have to look like a path.
 */
static void bring_home(struct rules *set)
{
	for (uint32_t i = 0; i < set->used.rules; i++) {
		const struct rule_item *p = rule_first(set, &set->rule[i],
						       RULE_PROGRAMS);

		for (; p; p = rule_next(set, p))
			if (p->text)
				set->text[p->text] = '/';
	}
}

/* false: too long, or no memory. free() set.rule. */
static bool load(const struct winfw_texts *t, const char *program, bool local,
		 struct loaded *out)
{
	const struct windows_map map = { program ? program : "", ASKED };
	const struct windows_maps maps = { &map, program ? 1 : 0 };
	const struct view own = view_of(local ? t->rules : "");
	const struct view policy = view_of(t->policy_rules);
	struct import_needs a, b;
	struct rules_size max;
	void *block;

	if (!import_needs(own, &maps, &a) || !import_needs(policy, &maps, &b))
		return false;
	max = (struct rules_size){
		a.set.rules + b.set.rules, a.set.items + b.set.items,
		a.set.text_bytes + b.set.text_bytes,
	};
	block = malloc(rules_bytes(&max) + 1);
	if (!block)
		return false;
	rules_init(&out->set, block, &max);
	out->errors = read_rules(&out->set, own, &maps,
				 a.scratch_bytes).errors;
	out->n_local = out->set.used.rules;
	out->errors += read_rules(&out->set, policy, &maps,
				  b.scratch_bytes).errors;
	bring_home(&out->set);
	return true;
}

/* ---- what the profile says ---- */

/* A setting of group policy is in force over the machine's own. */
static unsigned long setting(const struct winfw_texts *t, const char *name,
			     unsigned long otherwise)
{
	return reg_number(t->policy_profile, name,
			  reg_number(t->profile, name, otherwise));
}

/* What is in force whatever the rules are. true: the rules count. */
static bool judge_profile(struct report *r, const struct winfw_texts *t)
{
	char list[512];

	if (!setting(t, "EnableFirewall", 1)) {
		report_add(r, REPORT_OK, "windows-profile", TRIED, "is off "
			   "for the public profile, in which Windows has "
			   "WSL's network");
		return false;
	}
	if (setting(t, "DoNotAllowExceptions", 0)) {
		report_add(r, REPORT_BROKEN, "windows-profile", TRIED,
			   "blocks all that comes in, whatever the rules say "
			   "(public profile)");
		report_todo(r, "Set-NetFirewallProfile -Name Public "
			    "-AllowInboundRules True");
		return false;
	}
	report_add(r, REPORT_OK, "windows-profile", TRIED, "is on; WSL's "
		   "network is public; what no rule allows is %s",
		   setting(t, "DefaultInboundAction", 1) ? "blocked" :
							   "let in");
	if (reg_text(t->profile, "DisabledInterfaces", list, sizeof(list)) &&
	    *list) {
		report_add(r, REPORT_NOTE, "windows-interfaces", TRIED,
			   "is off for some interfaces; if WSL's is one, no "
			   "rule counts");
		report_todo(r, "(Get-NetFirewallProfile -Name "
			    "Public).DisabledInterfaceAliases");
	}
	return true;
}

/* ---- what mends it ---- */

/* "all but the subnet", for a block that has no remote addresses yet. */
static void narrow(struct report *r, const char *name,
		   const struct prefix *subnet)
{
	const uint32_t low = ip_to_v4(subnet->ip);
	const uint32_t high = low | (subnet->bits < 32 ?
				     UINT32_MAX >> subnet->bits : 0);
	const struct ip before = ip_from_v4(low - 1);
	const struct ip after = ip_from_v4(high + 1);
	char a[IP_TEXT_BYTES], b[IP_TEXT_BYTES];

	if (!low || high == UINT32_MAX)
		return;
	report_todo(r, "Set-NetFirewallRule -Name %s -RemoteAddress "
		    "'0.0.0.0-%s','%s-255.255.255.255','::-ffff:ffff:ffff:"
		    "ffff:ffff:ffff:ffff:ffff'", name,
		    ip_format(&before, a), ip_format(&after, b));
}

static void allow(struct report *r, const struct winfw_flow *f)
{
	char subnet[IP_TEXT_BYTES], program[512], port[16] = "WSL";

	if (f->port)
		snprintf(port, sizeof(port), "WSL %u", f->port);
	*program = '\0';
	if (f->program && strchr(f->program, '\\')) {
		char quoted[480];

		powershell_quote(f->program, quoted, sizeof(quoted));
		snprintf(program, sizeof(program), " -Program %s", quoted);
	}
	report_todo(r, "New-NetFirewallRule -DisplayName '%s' -Direction "
		    "Inbound -Action Allow -Protocol TCP -LocalPort %u%s "
		    "-RemoteAddress %s/%u", port, f->port, program,
		    ip_format(&f->subnet.ip, subnet), f->subnet.bits);
}

static const char *text_of(const struct rules *set, uint32_t text)
{
	return set->text + text;
}

/* 'python.exe' (TCP Query User{…}): name, and what it is called by. */
static void name_of(const struct rules *set, const struct rule *rule,
		    char *out, size_t cap)
{
	const char *name = text_of(set, rule->name);
	const char *id = text_of(set, rule->id);

	if (strcmp(name, id))
		snprintf(out, cap, "'%s' (%s)", name, id);
	else
		snprintf(out, cap, "'%s'", name);
}

static enum report_state state_of(const struct winfw_flow *f)
{
	return f->reached ? REPORT_NOTE : REPORT_BROKEN;
}

/* One rule that blocks, and what would be done about it. */
static void tell_block(struct report *r, const struct loaded *l, uint32_t at,
		       const struct winfw_flow *f)
{
	const struct rule *rule = &l->set.rule[at];
	const char *but = f->reached ? BUT : "";
	char name[600], quoted[700];

	if (at >= l->n_local) {
		name_of(&l->set, rule, name, sizeof(name));
		report_add(r, state_of(f), "windows-block", "rule of Windows",
			   "%s, of group policy, blocks it%s", name, but);
		report_todo(r, "ask whoever administers this computer: it "
			    "cannot be changed here");
		return;
	}
	report_add(r, state_of(f), "windows-block", "rule of Windows",
		   "'%s' blocks it, whatever others allow%s",
		   text_of(&l->set, rule->name), but);
	powershell_pattern(text_of(&l->set, rule->id), quoted,
			   sizeof(quoted));
	if (!rule_first(&l->set, rule, RULE_REMOTE))
		narrow(r, quoted, &f->subnet);
	report_todo(r, "Disable-NetFirewallRule -Name %s", quoted);
}

/* ---- one flow ---- */

static struct firewall *compile(const struct loaded *l,
				const struct winfw_texts *t,
				const struct winfw_flow *f)
{
	struct firewall_net net = {
		.name = "WSL", .profile = RULE_PUBLIC,
		.subnet4 = f->subnet, .gateway4 = f->host,
		.defaults = firewall_defaults(RULE_PUBLIC),
	};
	void *block = malloc(firewall_bytes(&l->set) + 1);

	net.defaults.in_from_guest = !setting(t, "DefaultInboundAction", 1);
	return block ? firewall_compile(&l->set, &net, block) : NULL;
}

/* Of rules for programs, which may hold or not: those that block. */
static unsigned unsure_blocks(const struct loaded *l,
			      const struct firewall_why *why)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < why->unsure.n && i < FIREWALL_SHOWN; i++)
		n += l->set.rule[why->unsure.rule[i]].action == RULE_BLOCK;
	return n;
}

static void tell_unsure(struct report *r, const struct loaded *l,
			const struct firewall_why *why,
			const struct winfw_flow *f)
{
	char name[600];

	report_add(r, REPORT_NOTE, "windows-rules", "rules of Windows",
		   "%u are for single programs, and which of them is at port "
		   "%u is not known", why->unsure.n, f->port);
	for (uint32_t i = 0; i < why->unsure.n && i < FIREWALL_SHOWN; i++) {
		const struct rule *rule = &l->set.rule[why->unsure.rule[i]];

		if (rule->action != RULE_BLOCK)
			continue;
		name_of(&l->set, rule, name, sizeof(name));
		report_add(r, REPORT_NOTE, "windows-block", "rule of Windows",
			   "%s blocks it, if it is that program", name);
	}
	report_todo(r, "slipway doctor --port %u --program NAME.exe", f->port);
}

static void tell_allowed(struct report *r, const struct loaded *l,
			 const struct firewall_why *why,
			 const struct winfw_flow *f)
{
	char name[600];

	if (unsure_blocks(l, why)) {
		tell_unsure(r, l, why, f);
		return;
	}
	if (why->verdict.rule == FIREWALL_NO_RULE) {
		report_add(r, REPORT_OK, "windows-rules", "rules of Windows",
			   "none blocks port %u, and the profile lets it in",
			   f->port);
		return;
	}
	name_of(&l->set, &l->set.rule[why->verdict.rule], name, sizeof(name));
	report_add(r, REPORT_OK, "windows-rules", "rules of Windows",
		   "none blocks port %u; %s allows it", f->port, name);
}

static void tell_blocked(struct report *r, const struct loaded *l,
			 const struct firewall_why *why,
			 const struct winfw_flow *f)
{
	for (uint32_t i = 0; i < why->blocks.n && i < FIREWALL_SHOWN; i++)
		tell_block(r, l, why->blocks.rule[i], f);
	if (why->change == CHANGE_EXCEPT)
		return;
	if (!why->blocks.n && why->unsure.n && !f->program) {
		tell_unsure(r, l, why, f);
		return;
	}
	report_add(r, state_of(f), "windows-rules", "rules of Windows",
		   "none allows port %u%s%s, so it is blocked%s by default%s",
		   f->port, f->program ? " of " : "", f->program ?
		   f->program : "", why->blocks.n ? ", besides," : "",
		   f->reached ? BUT : "");
	allow(r, f);
}

static void judge_flow(struct report *r, const struct winfw_texts *t,
		       const struct loaded *l, const struct winfw_flow *f)
{
	const struct firewall_flow flow = {
		.direction = RULE_IN, .origin = FROM_GUEST,
		.protocol = RULE_TCP,
		.local = { f->host, f->port },
		.remote = { f->guest, FROM_PORT },
		.program = f->program ? ASKED : NULL,
	};
	struct firewall *fw = compile(l, t, f);
	struct firewall_why why;

	if (!fw)
		return;
	firewall_explain(fw, &flow, &why);
	if (why.verdict.allow)
		tell_allowed(r, l, &why, f);
	else
		tell_blocked(r, l, &why, f);
	free(fw);
}

/* ---- no port is named ---- */

static bool is_for(const struct rules *set, const struct rule *rule,
		   const char *program)
{
	const struct rule_item *i = rule_first(set, rule, RULE_PROGRAMS);

	if (!i)
		return !program;
	for (; i; i = rule_next(set, i))
		if (!program || !strcmp(text_of(set, i->text), program))
			return true;
	return false;
}

/* Blocks of what comes in that hold in the public profile. */
static void list_blocks(struct report *r, const struct loaded *l,
			const struct winfw_flow *f)
{
	char name[600];
	unsigned n = 0;

	for (uint32_t i = 0; i < l->set.used.rules; i++) {
		const struct rule *rule = &l->set.rule[i];

		if (!rule->enabled || rule->direction != RULE_IN ||
		    rule->action != RULE_BLOCK ||
		    !(rule->profiles & RULE_PUBLIC) ||
		    rule_is_inert(&l->set, rule) ||
		    !is_for(&l->set, rule, f->program ? ASKED : NULL))
			continue;
		if (n++ >= LISTED)
			continue;
		name_of(&l->set, rule, name, sizeof(name));
		if (f->program)
			tell_block(r, l, i, f);
		else
			report_add(r, REPORT_NOTE, "windows-block",
				   "rule of Windows", "%s blocks", name);
	}
	if (!n) {
		report_add(r, REPORT_OK, "windows-rules", "rules of Windows",
			   "none blocks %s", f->program ? f->program :
			   "what comes from here");
		return;
	}
	report_add(r, REPORT_NOTE, "windows-rules", "rules of Windows",
		   "%u that block what comes in%s%s", n, f->program ?
		   " to " : "", f->program ? f->program : "");
	report_todo(r, "to learn of one server: slipway doctor --port PORT "
		    "--program NAME.exe");
}

void winfw_judge(struct report *r, const struct winfw_texts *t,
		 const struct winfw_flow *f)
{
	const bool local = reg_number(t->policy_profile,
				      "AllowLocalPolicyMerge", 1);
	struct loaded l;

	if (!judge_profile(r, t))
		return;
	if (!load(t, f->program, local, &l)) {
		report_add(r, REPORT_SKIPPED, "windows-rules", "rules of "
			   "Windows", "there are too many to be read");
		return;
	}
	if (l.errors)
		report_add(r, REPORT_NOTE, "windows-errors", "rules of "
			   "Windows", "%u cannot be read, and are passed over",
			   l.errors);
	if (f->port)
		judge_flow(r, t, &l, f);
	else
		list_blocks(r, &l, f);
	free(l.set.rule);
}
