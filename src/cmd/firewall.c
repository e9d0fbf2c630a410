/* SPDX-License-Identifier: MIT */
/* cmd/firewall.c - `slipway firewall`: its verbs, and those that look */
#include "cmd/firewall.h"

#include <stdio.h>
#include <string.h>

#include "cmd/firewall_kept.h"
#include "config/settings.h"
#include "config/value.h"
#include "control/render_firewall.h"

json_t *firewall_ask(const struct config *c, const char *command,
		     enum api_op op, json_t *body,
		     char name[CONFIG_NAME_BYTES], struct fail *fail)
{
	json_t *answer;
	bool runs;

	if (ask_which(c->name, command, name, fail) < 0) {
		json_decref(body);
		return NULL;
	}
	if (!firewall_kept_does(op) || ask_runs(name, &runs, fail) < 0 ||
	    runs)
		return ask_once(name, op, body, fail);
	answer = firewall_kept(name, op, body, fail);
	json_decref(body);
	if (answer && op != API_FIREWALL)
		fprintf(stderr, "slipway: %s does not run; kept for its next "
			"run\n", name);
	return answer;
}

int firewall_usage(const char *command, const char *what)
{
	struct fail fail;

	fail_set(&fail, "%s: %s", command, what);
	return cmd_fail(&fail, EXIT_USAGE);
}

int firewall_change(const struct config *c, const char *command,
		    enum api_op op, json_t *body)
{
	char name[CONFIG_NAME_BYTES];
	struct fail fail;
	json_t *answer;

	if (!body)
		return firewall_usage(command, "a word is not UTF-8; give "
				      "it so");
	json_object_set_new(body, "keep_flows",
			    json_boolean(c->verb.keep_flows));
	answer = firewall_ask(c, command, op, body, name, &fail);
	if (!answer)
		return cmd_fail(&fail, EXIT_FAILED);
	if (c->json)
		return cmd_json(answer);
	json_decref(answer);
	return EXIT_DONE;
}

int firewall_network(struct config *c, const char *command, char **argv)
{
	char what[160];

	if (!argv[0] || (!argv[1] && !value_name(c, argv[0])))
		return -1;
	snprintf(what, sizeof(what), "%.80s: one NETWORK at a time; leave it "
		 "away if only one guest runs", argv[argv[1] ? 1 : 0]);
	return firewall_usage(command, what);
}

static int list(char **argv)
{
	static const char command[] = "firewall list";
	char name[CONFIG_NAME_BYTES];
	struct fail fail;
	struct config c;
	json_t *answer;
	int done = cmd_options(&c, FOR_FW_LIST, argv, &argv);

	if (done < 0)
		done = firewall_network(&c, command, argv);
	if (done >= 0)
		return done;
	answer = firewall_ask(&c, command, API_FIREWALL, NULL, name, &fail);
	if (!answer)
		return cmd_fail(&fail, EXIT_FAILED);
	if (c.json)
		return cmd_json(answer);
	done = EXIT_DONE;
	if (!c.verb.check) {
		render_firewall(stdout, name, answer);
	} else if (!json_is_false(json_object_get(answer, "running"))) {
		render_firewall_check(stdout, name, answer);
	} else {
		fail_set(&fail, "%s: does not run, and which rules have no "
			 "effect is known only then; start it", name);
		done = cmd_fail(&fail, EXIT_FAILED);
	}
	json_decref(answer);
	return done;
}

static bool is_text(json_t *rule, const char *key, const char *text)
{
	const char *s = json_string_value(json_object_get(rule, key));

	return s && !strcmp(s, text);
}

/* By its id, or else the first of that name: as everywhere. */
static json_t *find_rule(json_t *answer, const char *word)
{
	json_t *rules = json_object_get(answer, "rules"), *rule;
	static const char *const keys[] = { "id", "name" };
	size_t i;

	for (unsigned k = 0; k < 2; k++)
		json_array_foreach(rules, i, rule)
			if (is_text(rule, keys[k], word))
				return rule;
	return NULL;
}

static int show(char **argv)
{
	static const char command[] = "firewall show";
	char name[CONFIG_NAME_BYTES];
	json_t *answer, *rule;
	struct fail fail;
	struct config c;
	int done = cmd_options(&c, FOR_FW_SHOW, argv, &argv);

	if (done >= 0)
		return done;
	if (!argv[0] || argv[1])
		return firewall_usage(command, "one RULE is needed, by its "
				      "name as slipway firewall list has it");
	answer = firewall_ask(&c, command, API_FIREWALL, NULL, name, &fail);
	if (!answer)
		return cmd_fail(&fail, EXIT_FAILED);
	rule = find_rule(answer, argv[0]);
	done = rule ? EXIT_DONE : EXIT_FAILED;
	if (!rule) {
		fail_set(&fail, "%s: no rule of that name or id; see slipway "
			 "firewall list", argv[0]);
		cmd_fail(&fail, EXIT_FAILED);
	} else if (c.json) {
		cmd_json(json_incref(rule));
	} else {
		render_rule(stdout, rule);
	}
	json_decref(answer);
	return done;
}

static int turn(char **argv, unsigned bit, const char *command, bool on)
{
	struct config c;
	int done = cmd_options(&c, bit, argv, &argv);

	if (done < 0)
		done = firewall_network(&c, command, argv);
	if (done >= 0)
		return done;
	return firewall_change(&c, command, API_FIREWALL_SWITCH,
			       json_pack("{s:b, s:i}", "on", on, "for_s",
					 (int)c.verb.for_s));
}

static int on(char **argv)
{
	return turn(argv, FOR_FW_ON, "firewall on", true);
}

static int off(char **argv)
{
	return turn(argv, FOR_FW_OFF, "firewall off", false);
}

static bool is_profile(const char *word)
{
	return !strcmp(word, "private") || !strcmp(word, "public") ||
	       !strcmp(word, "domain");
}

static int print_profile(const struct config *c, const char *command)
{
	char name[CONFIG_NAME_BYTES];
	struct fail fail;
	json_t *answer = firewall_ask(c, command, API_FIREWALL, NULL, name,
				      &fail), *profile;

	if (!answer)
		return cmd_fail(&fail, EXIT_FAILED);
	profile = json_object_get(answer, "profile");
	if (c->json)
		cmd_json(json_incref(profile));
	else
		printf("%s\n", json_string_value(profile));
	json_decref(answer);
	return EXIT_DONE;
}

/* [NETWORK] [PROFILE] */
static int profile(char **argv)
{
	static const char command[] = "firewall profile";
	const char *wanted = NULL;
	struct config c;
	int done = cmd_options(&c, FOR_FW_PROFILE, argv, &argv);

	if (done >= 0)
		return done;
	for (; argv[0]; argv++)
		if (!argv[1] && is_profile(argv[0]))
			wanted = argv[0];
		else if (*c.name || value_name(&c, argv[0]) ||
			 (argv[1] && !is_profile(argv[1])))
			return firewall_usage(command, "[NETWORK] and private, "
				"public or domain are needed, such as: slipway "
				"firewall profile web public");
	if (!wanted)
		return print_profile(&c, command);
	return firewall_change(&c, command, API_FIREWALL_PROFILE,
			       json_pack("{s:s}", "profile", wanted));
}

const struct command firewall_verbs[] = {
	{ "list", FOR_FW_LIST, true, list, " [NETWORK]",
	  "the rules, and how often each has decided",
	  "Lists the profile, what holds without a rule, and the rules." },
	{ "show", FOR_FW_SHOW, true, show, " RULE",
	  "all of one rule, as a file may have it",
	  "Prints a rule as text, which a file of settings may have." },
	{ "add", FOR_FW_ADD, true, firewall_add, " KEY=VALUE...",
	  "one more rule",
	  "Adds a rule, from now on and after a restart. Keys: action (allow,\n"
	  "block) and direction (in, out), which must be there; name, protocol,\n"
	  "localPort, remotePort, icmpType, localAddress, remoteAddress, guest,\n"
	  "network, program, profile, except, enabled, group, description.\n"
	  "Lists have commas between their words. See slipway(1), FIREWALL." },
	{ "except", FOR_FW_EXCEPT, true, firewall_except,
	  " RULE --from WHO...",
	  "narrow a block without deleting it",
	  "A block RULE no longer holds for WHO: an address, a prefix, a range,\n"
	  "a word like LocalSubnet, a guest's name or 'network NAME'." },
	{ "delete", FOR_FW_DELETE, true, firewall_delete, " RULE...",
	  "take rules away that were added",
	  "Deletes rules that were added or imported. Those of a file are\n"
	  "disabled here, or deleted there." },
	{ "enable", FOR_FW_ENABLE, true, firewall_enable, " RULE...",
	  "put rules in force", "Puts rules in force that were not." },
	{ "disable", FOR_FW_DISABLE, true, firewall_disable, " RULE...",
	  "put rules out of force", "Puts rules out of force and keeps them." },
	{ "on", FOR_FW_ON, true, on, " [NETWORK]",
	  "put all of it in force", "Ends a slipway firewall off." },
	{ "off", FOR_FW_OFF, true, off, " [NETWORK]",
	  "let everything pass, for a while",
	  "Lets everything pass, until --for is over or slipway firewall on.\n"
	  "A restart ends it, too." },
	{ "profile", FOR_FW_PROFILE, true, profile,
	  " [NETWORK] [private|public|domain]",
	  "whom the network trusts",
	  "Sets, or prints, which rules and defaults are in force: public lets\n"
	  "nobody but the host in, private and domain guests, too." },
	{ "import", FOR_FW_IMPORT, true, firewall_import, " FILE",
	  "take the rules of a Windows over",
	  "Imports rules of the Windows Defender Firewall: what reg query or\n"
	  "reg export prints of its FirewallRules, or rule strings, one a line;\n"
	  "- is the standard input. Tells what has no meaning here. A file with\n"
	  "errors changes nothing. Those of an earlier import are replaced." },
	{ "log", FOR_FW_LOG, true, firewall_log, " [NETWORK]",
	  "what was blocked",
	  "Prints the log of blocked flows, which is that of a pfirewall.log\n"
	  "with the rule as one field more; as JSON, the latest of them." },
	{ .name = NULL },
};

int cmd_firewall(char **argv)
{
	const struct command *verb;

	if (!argv[0]) {
		cmd_help(stderr, FOR_FIREWALL);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h")) {
		cmd_help(stdout, FOR_FIREWALL);
		return EXIT_DONE;
	}
	verb = cmd_find(firewall_verbs, argv[0]);
	return verb ? verb->main(argv + 1) :
		      cmd_unknown(firewall_verbs, "firewall ", argv[0]);
}
