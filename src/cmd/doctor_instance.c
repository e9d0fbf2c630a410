/* SPDX-License-Identifier: MIT */
/*
 * cmd/doctor_instance.c - a guest that runs on this host, from both ends
 *
 * A child enters the guest's namespaces, as a command of `exec` does, tries
 * what is to be tried in there (doctor/guest.h), listens on its localhost,
 * and writes what it has found into a pipe; it stays until a second pipe
 * closes. Meanwhile a server waits on the host's localhost for the child to
 * come by the gateway, and then the child's server is looked for on the
 * host's localhost. Both say a word that nobody else knows.
 *
 * The child shares the guest with whatever runs there, so it is not dumpable,
 * and what it writes is read within bounds, as if it were the guest's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/ask.h"
#include "cmd/doctor.h"
#include "control/member.h"
#include "doctor/clock.h"
#include "doctor/probe.h"
#include "keeper/nsfds.h"

#define INSIDE_MS	60000	/* all that is tried inside */
#define INSIDE_BYTES	(256u << 10)
#define SOON_MS		1000	/* localhost is promised within 50 ms */
#define TCP_MS		2000

#define LOOPBACK4	ip_from_v4(0x7f000001)
#define LOOPBACK6	((struct ip){ .b = { [15] = 1 } })

struct visit {
	struct doctor *d;
	const char *name;
	json_t *status;			/* borrowed */
	struct guest_facts facts;
	char word[PROBE_WORD_BYTES];
	struct guest_ns ns;
	int ask_fd;			/* its end is the guest's */
	json_t *found;			/* by the child; NULL: nothing */
};

/* ---- in the guest ---- */

/* Listen on one localhost of the guest's; *port 0 if there is none. */
static int listen_inside(struct ip ip, uint16_t *port)
{
	struct endpoint at = { .ip = ip };
	const int fd = probe_listen(&at);

	*port = fd < 0 ? 0 : at.port;
	return fd;
}

/* Does a command that was told so listen there? 0, or what came of it. */
static int listens(struct ip ip, uint16_t port)
{
	const struct endpoint at = { .ip = ip, .port = port };

	return probe_tcp(&at, NULL, 500);
}

static void try_port(const struct visit *v, json_t *o, uint16_t port)
{
	const struct endpoint gateway = { .ip = v->facts.gateway4,
					  .port = port };

	json_object_set_new(o, "listens", json_boolean(
		!listens(LOOPBACK4, port) || !listens(LOOPBACK6, port) ||
		!listens(v->facts.guest4, port)));
	json_object_set_new(o, "to_gateway", json_integer(
		probe_tcp(&gateway, NULL, TCP_MS)));
}

/* What was found, as JSON; the server inside runs when it is written. */
_Noreturn static void inside(const struct visit *v, int out, int until)
{
	struct fail fail = { 0 };
	struct report r;
	uint16_t port = 0;
	json_t *o;
	int fd;

	/*
	 * Not before: who is not dumpable has a /proc/self of root's, and may
	 * not write its own maps. The guest's own cannot trace what is in no
	 * user namespace of theirs.
	 */
	if (guest_join(&v->ns, false, &fail) < 0)
		_exit(1);
	prctl(PR_SET_DUMPABLE, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	report_init(&r);
	report_place(&r, "", "", "");
	guest_check(&r, &v->facts);
	fd = listen_inside(LOOPBACK4, &port);
	if (fd >= 0 && probe_serve(&fd, 1, v->word) < 0)
		port = 0;
	o = json_pack("{s:O, s:i}", "checks", report_checks(&r), "port",
		      (int)port);
	if (v->d->config->doctor_port)
		try_port(v, o, v->d->config->doctor_port);
	if (json_dumpfd(o, out, JSON_COMPACT) < 0)
		_exit(1);
	close(out);
	(void)!read(until, &(char){ 0 }, 1);
	_exit(0);
}

/* ---- on the host ---- */

/* All that the child writes, within bounds. NULL: nothing that is JSON. */
static json_t *read_found(int fd)
{
	const int64_t end = clock_ms() + INSIDE_MS;
	char *text = malloc(INSIDE_BYTES);
	json_t *found = NULL;
	size_t len = 0;
	ssize_t n = 1;

	while (text && n > 0 && len < INSIDE_BYTES &&
	       clock_wait(fd, POLLIN, end)) {
		n = read(fd, text + len, INSIDE_BYTES - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (text && n == 0)
		found = json_loadb(text, len, 0, NULL);
	free(text);
	return found;
}

/* From the host to the server that the child has inside. */
static void check_to_guest(struct visit *v)
{
	struct report *r = &v->d->report;
	const json_int_t port = json_integer_value(json_object_get(v->found,
								   "port"));
	const struct endpoint at4 = { LOOPBACK4, (uint16_t)port };
	const struct endpoint at6 = { LOOPBACK6, (uint16_t)port };
	struct endpoint to = { .ip = v->facts.guest4 };
	int err4, err6;

	if (!v->facts.localhost) {
		report_add(r, REPORT_SKIPPED, "host-to-guest",
			   "host to guest", "off, or a list of ports, as it "
			   "is set: --localhost");
		return;
	}
	if (port < 1 || port > 65535)
		return;
	to.port = (uint16_t)port;
	if (doctor_firewall_blocks(v->d, v->name, &v->facts.gateway4, &to,
				   REPORT_SKIPPED, "host-to-guest",
				   "host to guest"))
		return;
	err4 = probe_tcp_soon(&at4, v->word, SOON_MS);
	err6 = probe_tcp_soon(&at6, v->word, SOON_MS);
	if (err6 == -EADDRNOTAVAIL || err6 == -EAFNOSUPPORT)
		err6 = 0;		/* the host has no IPv6 */
	if (!err4 && !err6) {
		report_add(r, REPORT_OK, "host-to-guest", "host to guest",
			   "is reached on our localhost, 127.0.0.1 and ::1");
		return;
	}
	report_add(r, REPORT_BROKEN, "host-to-guest", "host to guest",
		   "a server on its localhost, tried on ours at %s:%u: %s",
		   err4 ? "127.0.0.1" : "[::1]", (unsigned)port,
		   guest_why(err4 ? err4 : err6));
	report_todo(r, "look for rules that drop what comes to localhost: "
		    "nft list ruleset; and see: slipway status %s", v->name);
}

/* A forward or mirror of that port of TCP, or NULL. */
static json_t *forward_of(json_t *list, uint16_t port)
{
	json_t *f;
	size_t i;

	json_array_foreach(list, i, f)
		if (json_integer_value(json_object_get(f, "port")) == port &&
		    !strcmp(text_at(f, "protocol"), "tcp"))
			return f;
	return NULL;
}

/* Nobody answers on localhost, though somebody listens: who is in the way? */
static void tell_dropped(struct visit *v, const char *tried, uint16_t port)
{
	if (doctor_hostfw(v->d, port, tried))
		return;
	report_add(&v->d->report, REPORT_BROKEN, "port", tried,
		   "the host gets no answer from its own localhost: "
		   "something drops it there");
	report_todo(&v->d->report, "look for the rule: sudo nft list ruleset");
}

/* The guest listens: is it on localhost? */
static void port_of_guest(struct visit *v, const char *tried, uint16_t port)
{
	json_t *f = forward_of(json_object_get(v->status, "forwards"), port);
	json_t *half = json_object_get(f, "ipv4");
	struct report *r = &v->d->report;
	int err;

	if (!half)
		half = json_object_get(f, "ipv6");
	if (!half) {
		report_add(r, REPORT_BROKEN, "port", tried, "the guest "
			   "listens, but localhost is not to have it");
		report_todo(r, "--localhost auto, or %u in its list; or: "
			    "slipway publish %s %u", port, v->name, port);
		return;
	}
	if (!strcmp(text_at(half, "state"), "failed")) {
		report_add(r, REPORT_BROKEN, "port", tried, "the guest "
			   "listens, but localhost does not have it: %s",
			   text_at(half, "why"));
		report_todo(r, "end whoever has it, then: slipway ports take "
			    "%s %u", v->name, port);
		return;
	}
	err = listens(LOOPBACK4, port);
	if (!err)
		report_add(r, REPORT_OK, "port", tried, "the guest listens, "
			   "and the host reaches it at 127.0.0.1:%u", port);
	else if (err == -ETIMEDOUT)
		tell_dropped(v, tried, port);
	else
		report_add(r, REPORT_BROKEN, "port", tried, "the guest "
			   "listens; at 127.0.0.1:%u of the host: %s", port,
			   guest_why(err));
}

/* It does not: does the host, and does the guest reach that? */
static void port_of_host(struct visit *v, const char *tried, uint16_t port)
{
	const int to_gateway = (int)json_integer_value(json_object_get(
		v->found, "to_gateway"));
	const int err4 = listens(LOOPBACK4, port);
	const int err6 = listens(LOOPBACK6, port);
	const struct endpoint to = { v->facts.gateway4, port };
	struct report *r = &v->d->report;
	char gateway[IP_TEXT_BYTES];

	ip_format(&v->facts.gateway4, gateway);
	if (!to_gateway) {
		report_add(r, REPORT_OK, "port", tried, "a server of the "
			   "host, which the guest reaches at %s:%u", gateway,
			   port);
	} else if (err4 == -ETIMEDOUT || err6 == -ETIMEDOUT) {
		tell_dropped(v, tried, port);
	} else if (err4 && err6) {
		report_add(r, REPORT_BROKEN, "port", tried, "nobody listens, "
			   "neither in the guest nor on the host's localhost");
		report_todo(r, "start the server, and let it listen at port "
			    "%u of TCP", port);
	} else if (!v->facts.to_host) {
		report_add(r, REPORT_BROKEN, "port", tried, "the host "
			   "listens, but the guest is not to reach it");
		report_todo(r, "--host-access %u, or gateway for all", port);
	} else if (!doctor_firewall_blocks(v->d, v->name, &v->facts.guest4,
					   &to, REPORT_BROKEN, "port",
					   tried)) {
		report_add(r, REPORT_BROKEN, "port", tried, "the host "
			   "listens; from the guest, %s:%u: %s", gateway, port,
			   guest_why(to_gateway));
		report_todo(r, "look for the rule: sudo nft list ruleset");
	}
}

static void check_port(struct visit *v)
{
	const uint16_t port = v->d->config->doctor_port;
	const bool mirrored = forward_of(json_object_get(v->status, "mirrors"),
					 port);
	char tried[32];

	if (!port)
		return;
	snprintf(tried, sizeof(tried), "port %u", port);
	if (json_is_true(json_object_get(v->found, "listens")) && !mirrored)
		port_of_guest(v, tried, port);
	else
		port_of_host(v, tried, port);
}

/* ---- both ends at once ---- */

static void tell_found(struct visit *v)
{
	struct report *r = &v->d->report;

	if (report_merge(r, json_object_get(v->found, "checks"))) {
		check_to_guest(v);
		check_port(v);
		return;
	}
	report_add(r, REPORT_BROKEN, "inside", "inside", "the guest could "
		   "not be entered, or nothing came of it within %u s",
		   INSIDE_MS / 1000);
	report_todo(r, "slipway exec %s true, which says why", v->name);
}

static void close_ns(struct guest_ns *ns)
{
	const int all[] = { ns->user, ns->net, ns->mnt, ns->uts };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= 0)
			close(all[i]);
}

static void send_in(struct visit *v)
{
	int result[2], until[2];
	pid_t child;

	if (pipe2(result, O_CLOEXEC) < 0)
		return;
	if (pipe2(until, O_CLOEXEC) < 0) {
		close(result[0]);
		close(result[1]);
		return;
	}
	child = fork();
	if (child == 0) {
		close(result[0]);
		close(until[1]);
		inside(v, result[1], until[0]);
	}
	close(result[1]);
	close(until[0]);
	v->found = child > 0 ? read_found(result[0]) : NULL;
	tell_found(v);
	json_decref(v->found);
	close(result[0]);
	close(until[1]);
	if (child > 0)
		kill(child, SIGKILL);	/* and its server dies with it */
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
}

/* What its rules block, to whatever server of ours, is not broken. */
static void ask_firewall(struct visit *v)
{
	const struct endpoint to = { v->facts.gateway4, v->facts.port4 };

	v->facts.blocked = v->facts.to_host && to.port &&
		doctor_firewall_blocks(v->d, v->name, &v->facts.guest4, &to,
				       REPORT_SKIPPED, "guest-to-host",
				       "guest to host");
}

/* With a server on the host's localhost for the child to reach. */
static void try_both(struct visit *v)
{
	struct endpoint at4 = { .ip = LOOPBACK4 }, at6 = { .ip = LOOPBACK6 };
	int fds[2];
	unsigned n = 0;
	pid_t server;

	fds[n] = probe_listen(&at4);
	v->facts.port4 = fds[n] < 0 ? 0 : at4.port;
	n += fds[n] >= 0;
	fds[n] = probe_listen(&at6);
	v->facts.port6 = fds[n] < 0 ? 0 : at6.port;
	n += fds[n] >= 0;
	v->facts.word = v->word;
	ask_firewall(v);
	server = probe_serve(fds, n, v->word);
	if (server < 0)
		v->facts.port4 = v->facts.port6 = 0;
	send_in(v);
	probe_serve_end(server);
	while (n)
		close(fds[--n]);
}

/* The guest's namespaces. false: it has none, or does not hand them out. */
static bool enter(struct visit *v)
{
	struct fail fail = { 0 };
	int fds[ASK_MAX_FDS];
	size_t n_fds = 0;
	json_t *reply = NULL;
	bool good;

	v->ask_fd = ask_named(v->name, &fail);
	if (v->ask_fd >= 0)
		reply = ask(v->ask_fd, API_EXEC, NULL, fds, &n_fds, &fail);
	good = reply && nsfds_unpack(fds, n_fds, (unsigned)json_integer_value(
				json_object_get(reply, "namespaces")),
				     &v->ns) && v->ns.net >= 0;
	json_decref(reply);
	if (good)
		return true;
	while (reply && n_fds)
		close(fds[--n_fds]);
	report_add(&v->d->report, REPORT_SKIPPED, "inside", "inside", "%s",
		   fail.text);
	report_todo(&v->d->report, "in there: slipway doctor");
	return false;
}

/* ---- what the host knows of it ---- */

static void check_servers(struct visit *v)
{
	json_t *list = json_object_get(v->status, "dns"), *text;
	struct ip at[CONFIG_DNS_MAX];
	unsigned n = 0;
	size_t i;

	json_array_foreach(list, i, text)
		if (n < CONFIG_DNS_MAX && json_string_value(text) &&
		    ip_parse(json_string_value(text), &at[n]))
			n++;
	if (n)
		doctor_servers(v->d, at, n, "the gateway's servers (--dns, "
			       "or /etc/resolv.conf)");
}

/* What status has to say, in its own words. */
static void tell_warnings(struct visit *v)
{
	json_t *w, *list = json_object_get(v->status, "warnings");
	size_t i;

	hostfw_view_warn(&v->d->hostfw, json_object_get(v->status,
							"published"), list);
	json_array_foreach(list, i, w) {
		const char *words = json_string_value(w);

		doctor_words(v->d, strstr(words, " drops it") ?
			     REPORT_BROKEN : REPORT_NOTE, "status", "status",
			     words);
	}
}

void doctor_instance(struct doctor *d, const char *name, json_t *status)
{
	struct visit v = { .d = d, .name = name, .status = status,
			   .ns = GUEST_NS_NONE, .ask_fd = -1 };
	char about[128], ip[IP_TEXT_BYTES];

	doctor_facts(status, &v.facts);
	probe_word(v.word);
	snprintf(about, sizeof(about), "%s, a guest of this host",
		 ip_format(&v.facts.guest4, ip));
	report_place(&d->report, "instance", name, about);
	tell_warnings(&v);
	check_servers(&v);
	doctor_firewall(d, name);
	if (enter(&v)) {
		v.facts.own_files = v.ns.mnt >= 0;
		try_both(&v);
		close_ns(&v.ns);
	}
	if (v.ask_fd >= 0)
		close(v.ask_fd);
}
