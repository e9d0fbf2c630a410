/* SPDX-License-Identifier: MIT */
/*
 * firewall/firewall.h - what the rules say of a flow, and why.
 *
 * A set of rules is compiled for one network and its profile; then each new
 * flow is decided: an explicit block (unless one of its exceptions holds)
 * beats an explicit allow, which beats the default. Of several blocks or
 * allows the first in the set is named. The decision and its explanation
 * are one walk over the same rules, which the explanation does not end at
 * the first.
 *
 * A program that is not known matches no rule that asks for one; the
 * verdict says so where it might have been another.
 */
#ifndef FIREWALL_FIREWALL_H
#define FIREWALL_FIREWALL_H

#include "firewall/rule.h"

#define FIREWALL_NO_RULE UINT32_MAX
#define FIREWALL_SHOWN 8	/* rules of each kind that are explained */

/* Where a flow begins. */
enum firewall_origin {
	FROM_GUEST,
	FROM_HOST,
	FROM_LAN,		/* another machine, to a published port */
};

/* "guest", "host", "lan", for JSON and for people. */
const char *firewall_origin_name(enum firewall_origin origin);

/* What holds where no rule does: true allows. */
struct firewall_defaults {
	bool in_from_guest, in_from_host, in_from_lan, out;
};

/*
 * private, domain: guests may come in, other machines may not; public:
 * neither may. The host itself may always, and everything may go out.
 */
struct firewall_defaults firewall_defaults(enum rule_profile profile);

/* One network: what names it in a rule, and what the words stand for. */
struct firewall_net {
	const char *name;
	enum rule_profile profile;
	bool v6;			/* the last two are there */
	struct prefix subnet4, subnet6;
	struct ip gateway4, gateway6;
	struct firewall_defaults defaults;
};

struct firewall;

/* Block for a compiled set; it is to be aligned to 8. */
size_t firewall_bytes(const struct rules *set);

/*
 * Compile into a block (lent) of firewall_bytes(). The set is lent too, and
 * so is net->name during the call. Costs n log n, with n rules of a handful
 * of items some 20 n microseconds at most.
 */
struct firewall *firewall_compile(const struct rules *set,
				  const struct firewall_net *net, void *block);

/* One flow; all texts are lent during the call. */
struct firewall_flow {
	enum rule_direction direction;
	enum firewall_origin origin;
	uint8_t protocol;
	uint8_t icmp_type, icmp_code;	/* of the first packet */
	struct endpoint local, remote;	/* of one family */
	const char *guest;		/* its name, or NULL */
	const char *program;		/* at the local end; NULL: unknown */
	/* `out`: names for which our DNS gave the guest this address */
	const char *const *names;
	unsigned n_names;
};

enum firewall_reason { BY_BLOCK, BY_ALLOW, BY_DEFAULT };

struct firewall_verdict {
	bool allow;
	enum firewall_reason reason;
	uint32_t rule;		/* number in the set, or FIREWALL_NO_RULE */
	/*
	 * The first rule that would decide otherwise if it were the program
	 * of the flow, which is not known; or FIREWALL_NO_RULE.
	 */
	uint32_t unsure;
};

/* Costs about a microsecond with 10,000 rules; see make bench. */
struct firewall_verdict firewall_decide(const struct firewall *fw,
					const struct firewall_flow *flow);

/* May a flow `in` from there be blocked at all? */
bool firewall_may_refuse(const struct firewall *fw,
			 enum firewall_origin origin);

struct firewall_found {
	uint32_t n;				/* all of them */
	uint32_t rule[FIREWALL_SHOWN];		/* the first, in order */
};

enum firewall_change {
	CHANGE_EXCEPT,		/* an exception in each of `blocks` */
	CHANGE_EXCEPT_AND_ALLOW,	/* that, and an allow rule */
	CHANGE_ALLOW,		/* an allow rule */
	CHANGE_BLOCK,		/* a block rule */
};

struct firewall_why {
	struct firewall_verdict verdict;	/* as firewall_decide()'s */
	struct firewall_found blocks;	/* match, and no exception holds */
	struct firewall_found allows;	/* match; they lost if one blocks */
	struct firewall_found excepted;	/* blocks but for an exception */
	struct firewall_found unsure;	/* if the program were known */
	enum firewall_change change;	/* the narrowest to the contrary */
};

void firewall_explain(const struct firewall *fw,
		      const struct firewall_flow *flow,
		      struct firewall_why *out);

/* May all go out that no rule blocks? */
bool firewall_out_is_open(const struct firewall *fw);

/*
 * May a name be asked for on this network by this guest: does an allow rule
 * `out` open one like it, or may everything go out? Ports and protocol are
 * not known yet.
 */
bool firewall_name_allowed(const struct firewall *fw, const char *guest,
			   const char *name);

enum firewall_finding {
	RULE_WORKS,
	RULE_OFF,		/* not enabled */
	RULE_ELSEWHERE,		/* of other networks or profiles */
	RULE_NEVER,		/* its conditions hold for nothing here */
	RULE_SHADOWED,		/* an allow: `by` blocks all it would allow */
};

/* What is the matter with a rule; *by is written if it is shadowed. */
enum firewall_finding firewall_check(const struct firewall *fw, uint32_t rule,
				     uint32_t *by);

#endif
