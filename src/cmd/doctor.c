/* SPDX-License-Identifier: MIT */
/*
 * cmd/doctor.c - `slipway doctor`: where are we, and what is to be tried there
 *
 * In a guest nothing can be asked of the host but by the guest's own means;
 * of `run`, whose files are the host's, its control socket answers, too. On
 * the host each guest is entered, as by `exec`. A distribution of WSL is a
 * guest of Windows', and may be a host as well.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/cmd.h"
#include "cmd/doctor.h"
#include "config/settings.h"
#include "control/member.h"

void doctor_facts(json_t *status, struct guest_facts *f)
{
	const char *access = text_at(status, "host_access");

	f->told = ip_parse(text_in(status, "gateway", "ipv4"), &f->gateway4) &&
		  ip_parse(text_in(status, "guest", "ipv4"), &f->guest4);
	f->v6 = ip_parse(text_in(status, "gateway", "ipv6"), &f->gateway6);
	f->mtu = (unsigned)json_integer_value(json_object_get(status, "mtu"));
	f->to_host = !strcmp(access, "gateway") ||
		     !strcmp(access, "localhost");
	f->localhost = !strcmp(text_at(status, "localhost"), "auto");
	f->own_files = true;
}

void doctor_words(struct doctor *d, enum report_state state, const char *id,
		  const char *tried, const char *words)
{
	const char *todo = NULL;

	for (const char *p = strstr(words, "; "); p; p = strstr(p + 2, "; "))
		todo = p;
	report_add(&d->report, state, id, tried, "%.*s",
		   todo ? (int)(todo - words) : (int)strlen(words), words);
	if (todo)
		report_todo(&d->report, "%s", todo + 2);
}

/* The instance whose guest this is, if its socket can be reached from here. */
static json_t *own_status(const struct guest_facts *f)
{
	struct fail fail;
	json_t *all = ask_all(API_STATUS, &fail), *status, *found = NULL;
	const char *name;
	struct ip ip;

	json_object_foreach(all, name, status)
		if (!found && ip_parse(text_in(status, "gateway", "ipv4"),
				       &ip) && ip_equal(&ip, &f->gateway4))
			found = json_incref(status);
	json_decref(all);
	return found;
}

/* By the rules of its network, as far as the guest can ask for them. */
static bool is_blocked(struct doctor *d, const struct guest_facts *f,
		       const char *name, uint16_t port,
		       enum report_state state, const char *id,
		       const char *tried)
{
	const struct endpoint to = { f->gateway4, port };

	return f->told && f->to_host &&
	       doctor_firewall_blocks(d, name, &f->guest4, &to, state, id,
				      tried);
}

static void in_guest(struct doctor *d, struct guest_facts *f)
{
	const uint16_t port = d->config->doctor_port;
	json_t *status = own_status(f);
	const char *name = text_at(status, "name");

	if (status)
		doctor_facts(status, f);
	report_place(&d->report, "guest", status ? name : "here", "in a "
		     "guest of slipway");
	guest_check(&d->report, f);
	if (!f->localhost || !is_blocked(d, f, name, 0, REPORT_SKIPPED,
					 "both-ways", "to the host and back"))
		guest_check_loop(&d->report, f);
	if (port && !is_blocked(d, f, name, port, REPORT_BROKEN, "port",
				"port"))
		guest_check_port(&d->report, f, port);
	json_decref(status);
}

/* 0, or what to exit with. */
static int one_instance(struct doctor *d, const char *name)
{
	struct fail fail;
	json_t *status = ask_once(name, API_STATUS, NULL, &fail);

	if (!status)
		return cmd_fail(&fail, EXIT_FAILED);
	doctor_instance(d, name, status);
	json_decref(status);
	return 0;
}

static int all_instances(struct doctor *d)
{
	struct fail fail;
	json_t *all = ask_all(API_STATUS, &fail), *status;
	const char *name;

	if (!all)
		return cmd_fail(&fail, EXIT_FAILED);
	json_object_foreach(all, name, status)
		doctor_instance(d, name, status);
	if (d->config->doctor_port && !json_object_size(all) &&
	    !doctor_is_wsl()) {
		report_add(&d->report, REPORT_SKIPPED, "port", "port",
			   "no guest runs that could listen there");
		report_todo(&d->report, "slipway run COMMAND");
	}
	json_decref(all);
	return 0;
}

static int examine(struct doctor *d, const char *name)
{
	struct guest_facts f = { .told = false };

	if (name) {
		doctor_host(d);
		return one_instance(d, name);
	}
	if (guest_recognise(&f)) {
		in_guest(d, &f);
		return 0;
	}
	if (doctor_is_wsl())
		doctor_wsl(d);
	else
		doctor_host(d);
	return all_instances(d);
}

static bool wants_colour(void)
{
	const char *term = getenv("TERM");

	return isatty(1) && !getenv("NO_COLOR") && term &&
	       strcmp(term, "dumb");
}

int cmd_doctor(char **argv)
{
	struct doctor d = { .n_servers = 0 };
	struct config c;
	struct fail fail;
	int status = cmd_options(&c, FOR_DOCTOR, argv, &argv);

	if (status >= 0)
		return status;
	if (argv[0] && argv[1]) {
		fail_set(&fail, "doctor %s %s: one NAME at a time; leave it "
			 "away for all", argv[0], argv[1]);
		return cmd_fail(&fail, EXIT_USAGE);
	}
	d.config = &c;
	report_init(&d.report);
	status = examine(&d, argv[0]);
	if (!status && c.json)
		cmd_json(report_json(&d.report));
	else if (!status)
		report_print(&d.report, stdout, wants_colour());
	if (!status && d.report.broken)
		status = EXIT_FAILED;
	hostfw_view_fini(&d.hostfw);
	report_fini(&d.report);
	return status;
}
