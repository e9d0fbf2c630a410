/* SPDX-License-Identifier: MIT */
/* cmd/why.c - `slipway why` */
#include <stdio.h>
#include <string.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/why_ends.h"
#include "cmd/why_program.h"
#include "config/settings.h"
#include "control/render_firewall.h"
#include "control/shown.h"

/* As grep has it: what was found out is told from what went wrong. */
enum { EXIT_ALLOWED = 0, EXIT_BLOCKED = 1, EXIT_TROUBLE = 2 };

struct asking {
	const char *name;		/* of the network */
	const struct config *config;
	json_t *answers;
	struct fail fail;
};

static bool is_allowed(json_t *answer)
{
	return json_is_true(json_object_get(answer, "allowed"));
}

/* One answer. body is taken; program: that of the end that decides, or NULL. */
static json_t *ask_why(struct asking *a, json_t *body, const char *program)
{
	if (!body) {
		fail_set(&a->fail, "why: a word is not UTF-8; give it so");
		return NULL;
	}
	if (program && json_object_set_new(body, "program",
					   json_string(program)) < 0) {
		json_decref(body);
		fail_set(&a->fail, "%s: the path is not UTF-8; give it so",
			 program);
		return NULL;
	}
	return ask_once(a->name, API_FIREWALL_WHY, body, &a->fail);
}

/* answer is taken, NULL too. */
static int keep(struct asking *a, json_t *answer)
{
	if (!answer)
		return -1;
	json_array_append_new(a->answers, answer);
	return 0;
}

static int ask_question(struct asking *a, const char *name)
{
	return keep(a, ask_why(a, json_pack("{s:s, s:s}", "protocol", "dns",
					    "to", name), NULL));
}

/* "ADDRESS:PORT", or without a port if none is known. */
static json_t *end_json(const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_BYTES];

	return json_string(e->port ? endpoint_format(e, text) :
				     ip_format(&e->ip, text));
}

static json_t *pair_body(const struct why_flow *f, const struct why_pair *p)
{
	const char *protocol = f->protocol;
	json_t *body;

	if (!strcmp(protocol, "icmp") && !ip_is4(&p->to.ip))
		protocol = "icmpv6";
	body = json_pack("{s:s, s:o, s:o}", "protocol", protocol, "from",
			 end_json(&p->from), "to", end_json(&p->to));
	if (body && f->named &&
	    json_object_set_new(body, "name", json_string(f->to.host)) < 0) {
		json_decref(body);
		body = NULL;
	}
	return body;
}

/* Would the host's program alter what its door says? */
static bool is_unsure_of_host(json_t *answer)
{
	json_t *checks = json_object_get(answer, "checks");
	json_t *door = json_array_get(checks, 1);

	return json_array_size(json_object_get(door, "unsure")) &&
	       json_is_true(json_object_get(json_array_get(checks, 0),
					    "allowed"));
}

/*
 * Whose the host's service is can be seen from here. It is said of both
 * checks, but the guest's end is another program: what changes there counts
 * for nothing.
 */
static json_t *ask_again(struct asking *a, const struct why_flow *f,
			 const struct why_pair *p, json_t *answer)
{
	char program[WHY_PROGRAM_BYTES];
	json_t *again, *first;

	if (!is_unsure_of_host(answer) ||
	    !why_host_program(!strcmp(f->protocol, "udp"),
			      !ip_is4(&p->to.ip), p->to.port, program))
		return answer;
	again = ask_why(a, pair_body(f, p), program);
	first = json_array_get(json_object_get(again, "checks"), 0);
	if (!json_is_true(json_object_get(first, "allowed"))) {
		json_decref(again);
		return answer;
	}
	json_object_set_new(first, "program", json_null());
	json_decref(answer);
	return again;
}

static int ask_pair(struct asking *a, const struct why_flow *f,
		    const struct why_pair *p)
{
	const char *program = a->config->verb.program;
	json_t *answer = ask_why(a, pair_body(f, p), program);

	if (answer && !program)
		answer = ask_again(a, f, p, answer);
	return keep(a, answer);
}

/* A name that may not be asked for is not reached, wherever it is. */
static int ask_flow(struct asking *a, const struct why_flow *f)
{
	int rc = 0;

	if (f->named) {
		rc = ask_question(a, f->to.host);
		if (rc == 0 &&
		    !is_allowed(json_array_get(a->answers, 0)))
			return 0;
	}
	for (unsigned i = 0; i < f->n_pairs && rc == 0; i++)
		rc = ask_pair(a, f, &f->pair[i]);
	return rc;
}

/* What was said then; by now the rules may be others. */
static void print_last(const struct asking *a, json_t *last)
{
	const char *rule = json_string_value(json_object_get(last, "rule"));
	const char *time = json_string_value(json_object_get(last, "time"));
	char cell[160];

	if (a->config->json)
		return;
	printf("at %s %s", time ? time : "an unknown time", rule ?
	       "the rule " : "the default");
	if (rule)
		printf("'%s'", shown(rule, cell, sizeof(cell)));
	printf(" has blocked it; now it is:\n");
}

static int explain_last(struct asking *a, json_t *last)
{
	const char *name = json_string_value(json_object_get(last, "name"));
	struct why_flow f = { .n_pairs = 1 };
	const char *to = json_string_value(json_object_get(last, "to"));
	const char *from = json_string_value(json_object_get(last, "from"));
	const char *protocol = json_string_value(json_object_get(last,
								 "protocol"));

	print_last(a, last);
	if (name && *name)
		return ask_question(a, name);
	if (!to || !from || !protocol ||
	    strlen(protocol) >= sizeof(f.protocol) ||
	    !why_read_endpoint(from, &f.pair[0].from) ||
	    !why_read_endpoint(to, &f.pair[0].to))
		return fail_set(&a->fail, "%s: the guest is of another version "
				"of slipway; use that one", a->name);
	strcpy(f.protocol, protocol);
	return ask_pair(a, &f, &f.pair[0]);
}

/* The latest that was blocked, as it was. */
static int ask_last(struct asking *a)
{
	json_t *answer = ask_once(a->name, API_FIREWALL_BLOCKED, NULL,
				  &a->fail);
	json_t *last;
	int rc;

	if (!answer)
		return -1;
	last = json_array_get(json_object_get(answer, "blocked"), 0);
	rc = last ? explain_last(a, last) :
		    fail_set(&a->fail, "%s: nothing was blocked yet; there "
			     "is nothing to explain", a->name);
	json_decref(answer);
	return rc;
}

/* Which of several networks is it about? By the addresses. */
static int choose(const struct config *c, const struct why_flow *f,
		  char name[CONFIG_NAME_BYTES], struct fail *fail)
{
	json_t *all, *status;
	const char *one;
	unsigned n = 0;

	if (*c->name || c->verb.last)
		return ask_which(c->name, "why", name, fail);
	all = ask_all(API_STATUS, fail);
	if (!all)
		return -1;
	json_object_foreach(all, one, status)
		if (why_is_about(f, status)) {
			snprintf(name, CONFIG_NAME_BYTES, "%s", one);
			n++;
		}
	json_decref(all);
	return n == 1 ? 0 : ask_which(NULL, "why", name, fail);
}

static int resolve(const struct asking *a, struct why_flow *f,
		   struct fail *fail)
{
	json_t *status = ask_once(a->name, API_STATUS, NULL, fail);
	int rc;

	if (!status)
		return -1;
	rc = why_resolve(f, status, fail);
	json_decref(status);
	return rc;
}

/* Exit status by all of them; those that were asked are printed. */
static int print(const struct asking *a)
{
	int status = EXIT_ALLOWED;
	json_t *answer;
	size_t i;

	json_array_foreach(a->answers, i, answer) {
		if (!is_allowed(answer))
			status = EXIT_BLOCKED;
		if (!a->config->json)
			render_why(stdout, answer,
				   i ? json_array_get(a->answers, i - 1) :
				       NULL);
	}
	if (a->config->json)
		cmd_json(json_incref(a->answers));
	return status;
}

static int usage(const char *what)
{
	struct fail fail;

	fail_set(&fail, "why: %s", what);
	return cmd_fail(&fail, EXIT_USAGE);
}

static int read_words(const struct config *c, char **argv,
		      struct why_flow *f)
{
	struct fail fail;
	unsigned n = 0;
	int rc;

	while (argv[n])
		n++;
	if (c->verb.last && n == 0)
		return -1;
	if (c->verb.last || (n != 1 && n != 3))
		return usage("PROTOCOL FROM TO, a URL or --last is needed, "
			     "such as: slipway why tcp guest host:8000");
	rc = n == 1 ? why_read_url(argv[0], f, &fail) :
		      why_read_words(argv, f, &fail);
	return rc < 0 ? cmd_fail(&fail, EXIT_USAGE) : -1;
}

int cmd_why(char **argv)
{
	char name[CONFIG_NAME_BYTES];
	struct why_flow flow = { .n_pairs = 0 };
	struct config c;
	struct asking a = { .name = name, .config = &c };
	int done = cmd_options(&c, FOR_WHY, argv, &argv), rc;

	if (done < 0)
		done = read_words(&c, argv, &flow);
	if (done >= 0)
		return done;
	if (choose(&c, &flow, name, &a.fail) < 0)
		return cmd_fail(&a.fail, EXIT_TROUBLE);
	a.answers = json_array();
	if (c.verb.last)
		rc = ask_last(&a);
	else if (resolve(&a, &flow, &a.fail) < 0)
		rc = -1;
	else
		rc = ask_flow(&a, &flow);
	done = rc < 0 ? cmd_fail(&a.fail, EXIT_TROUBLE) : print(&a);
	json_decref(a.answers);
	return done;
}
