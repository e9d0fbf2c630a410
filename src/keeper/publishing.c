/* SPDX-License-Identifier: MIT */
#include "keeper/publishing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"
#include "keeper/answers.h"
#include "keeper/process.h"
#include "keeper/state.h"

/* Does nobody see whether the guest that is meant listens? */
static bool is_unseen(const struct keeper *k, const struct publish *p)
{
	return k->machine || *p->guest;
}

/*
 * Where such a one would listen for an entry. false: that guest is not there
 * now.
 */
static bool unseen_ip(const struct keeper *k, const struct publish *p,
		      struct ip *out)
{
	const bool v6 = p->has_ip && !ip_is4(&p->ip) &&
			!ip_is_loopback(&p->ip);
	const int at = *p->guest ? roster_find(k, p->guest) : 0;

	if (at < 0)
		return false;
	*out = v6 ? k->in.plan.guest6 : k->in.plan.guest4;
	if (at > 0)
		*out = v6 ? k->roster.at[at].ip6 : k->roster.at[at].ip4;
	return true;
}

/* Does an entry that there is want a listener there? */
static bool is_wanted(const struct keeper *k, const struct listener *l)
{
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++) {
		const struct publish_entry *e = &k->published.entry[i];
		struct ip ip;

		if (e->used && !e->what.automatic && e->what.udp == l->udp &&
		    is_unseen(k, &e->what) && unseen_ip(k, &e->what, &ip) &&
		    ip_equal(&ip, &l->at.ip) &&
		    publish_host_port(&e->what, l->at.port))
			return true;
	}
	return false;
}

/*
 * One entry for a machine, as if it listened there; gone: not any more, with
 * `spare` but where another entry wants it.
 */
static void machine_listens(struct keeper *k, const struct publish *p,
			    bool gone, bool spare)
{
	struct listener l = { .udp = p->udp };

	if (!unseen_ip(k, p, &l.at.ip))
		return;
	for (unsigned n = 0; !p->automatic &&
			     n <= (unsigned)(p->last - p->first); n++) {
		l.at.port = (uint16_t)(p->guest_first + n);
		if (!spare || !is_wanted(k, &l))
			published_listener(&k->published, p->guest, &l, gone);
	}
}

/* Publish that no longer. */
static void remove_entry(struct keeper *k, const struct publish_entry *at)
{
	const struct publish what = at->what;

	published_remove(&k->published, at);
	if (is_unseen(k, &what) && k->phase == UP)
		machine_listens(k, &what, true, true);
}

void publishing_machine(struct keeper *k)
{
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++)
		if (k->published.entry[i].used &&
		    is_unseen(k, &k->published.entry[i].what))
			machine_listens(k, &k->published.entry[i].what,
					false, false);
}

void publishing_guest(struct keeper *k, const char *name, bool gone)
{
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++) {
		const struct publish_entry *e = &k->published.entry[i];

		if (e->used && !strcmp(e->what.guest, name))
			machine_listens(k, &e->what, gone, false);
	}
	published_bind(&k->published);
}

void publishing_by_agent(struct keeper *k, const char *guest, uint8_t number,
			 const struct listener *l, bool gone)
{
	bool wanted = gone;

	/* No more is noted of what a machine says than is asked for. */
	for (unsigned i = 0; !wanted && i < PUBLISHED_ENTRIES_MAX; i++)
		wanted = k->published.entry[i].used &&
			 published_is_local(&k->published.entry[i].what, guest,
					    l);
	if (!wanted)
		return;
	published_by_agent(&k->published, guest, number, l, gone);
	published_bind(&k->published);
}

/* "8080:80", or "8080:80 GUEST". NULL, or why it is none. */
static const char *parse_kept(const char *line, struct publish *out)
{
	const size_t n = strcspn(line, " ");
	char text[PUBLISH_TEXT_BYTES];
	const char *why;

	if (n >= sizeof(text))
		return "too long";
	memcpy(text, line, n);
	text[n] = '\0';
	why = publish_parse(text, out);
	if (!why && line[n] && !value_is_name(line + n + 1))
		why = "no guest's name";
	if (!why && line[n])
		strcpy(out->guest, line + n + 1);
	return why;
}

/* One line of what was kept. */
static void take_kept(struct keeper *k, const char *line)
{
	const struct publish_entry *other;
	struct publish what;
	const char *why = parse_kept(line, &what);

	if (!why)
		switch (published_add(&k->published, &what, true, &other)) {
		case PUBLISHED_ADDED: case PUBLISHED_SAME:
			return;
		case PUBLISHED_OVERLAP:
			why = "another has that port";
			break;
		case PUBLISHED_FULL:
			why = "there are too many";
			break;
		}
	log_print(&k->in.log, LOG_WARN, "%s, which was kept, is not "
		  "published: %s", line, why);
}

void publishing_begin(struct keeper *k)
{
	const struct config *c = k->in.config;
	const struct publish_entry *at;
	char *text, *rest, *line;

	if (c->join)
		return;			/* its network does that */

	/* config_check() has seen that they neither overlap nor are too many */
	for (unsigned i = 0; i < c->n_publish; i++)
		(void)!published_add(&k->published, &c->publish[i], false,
				     &at);
	text = state_load_ports(k->in.name);
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (*line && *line != '#')
			take_kept(k, line);
	free(text);
}

static int save(const struct keeper *k)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int rc;

	if (!f)
		return -errno;
	fputs("# Ports that `slipway publish' has published, for the next "
	      "time, too.\n", f);
	for (unsigned i = 0; i < PUBLISHED_ENTRIES_MAX; i++) {
		const struct publish_entry *e = &k->published.entry[i];

		if (e->used && e->kept)
			fprintf(f, "%s%s%s\n", e->what.text,
				*e->what.guest ? " " : "", e->what.guest);
	}
	rc = fclose(f) == 0 ? state_save_ports(k->in.name, text) : -ENOMEM;
	free(text);
	return rc;
}

/*
 * The member `guest`: one that is there, or has a section. false: the client
 * was refused.
 */
static bool wanted_guest(struct keeper *k, struct client *cl,
			 struct publish *out)
{
	json_t *member = json_object_get(cl->body, "guest");
	const char *name = json_string_value(member);
	char detail[256];

	if (!member || (name && !strcmp(name, k->in.name)))
		return true;
	if (!name || !value_is_name(name) ||
	    (roster_find(k, name) < 0 && !config_guest(k->in.config, name))) {
		snprintf(detail, sizeof(detail), "%.40s: the network has no "
			 "guest of that name; `slipway status %s' lists them",
			 name ? name : "guest", k->in.name);
		clients_refuse(cl, 404, detail, keeper_now_ns());
		return false;
	}
	if (out->automatic) {
		clients_refuse(cl, 400, "auto: of a guest of several no port "
			       "is known; give PORT", keeper_now_ns());
		return false;
	}
	strcpy(out->guest, name);
	return true;
}

/* The member `publish` of a request. false: the client was refused. */
static bool wanted(struct keeper *k, struct client *cl, struct publish *out)
{
	const char *text = json_string_value(json_object_get(cl->body,
							     "publish"));
	const char *why = text ? publish_parse(text, out) :
			  "the member \"publish\" is missing";
	char detail[256];

	if (!why)
		return wanted_guest(k, cl, out);
	snprintf(detail, sizeof(detail), "%.80s%s%s; give "
		 "[ADDR:]PORT[-PORT][:GUESTPORT][/udp], such as 8080:80, or "
		 "auto", text ? text : "", text ? ": " : "", why);
	clients_refuse(cl, 400, detail, keeper_now_ns());
	return false;
}

static void refuse(struct client *cl, int status, const char *text,
		   const char *why)
{
	char detail[PUBLISH_TEXT_BYTES + STATUS_WHY_BYTES + 64];

	snprintf(detail, sizeof(detail), "%s: %s", text, why);
	clients_refuse(cl, status, detail, keeper_now_ns());
}

/* What there was of an entry before it was asked for. */
struct before {
	bool there, kept;
};

static void confirm(struct keeper *k, struct client *cl,
		    const struct publish_entry *at)
{
	struct status s;

	answers_ports(k, &s);
	clients_reply(cl, 200, json_pack("{s:s, s:b, s:o}", "publish",
					 at->what.text, "kept", at->kept,
					 "published",
					 status_published_json(&s, &at->what)),
		      false, keeper_now_ns());
}

/* As before: what was asked for cannot be had. */
static void take_back(struct keeper *k, const struct publish_entry *at,
		      const struct before *before)
{
	if (before->there) {
		published_keep(&k->published, at, before->kept);
		return;
	}
	remove_entry(k, at);
	firewalling_published(k);
}

/* An entry that was asked for just now: can it be had? */
static void settle(struct keeper *k, struct client *cl,
		   const struct publish_entry *at, const struct before *before)
{
	char text[PUBLISH_TEXT_BYTES], reason[STATUS_WHY_BYTES];
	const char *why;
	int rc;

	strcpy(text, at->what.text);
	why = published_hindrance(&k->published, at, reason);
	if (why) {
		take_back(k, at, before);
		refuse(cl, 409, text, why);
		return;
	}
	rc = at->kept ? save(k) : 0;
	if (rc < 0) {
		take_back(k, at, before);
		snprintf(reason, sizeof(reason), "it cannot be kept: %.40s; "
			 "publish it --once", strerror(-rc));
		refuse(cl, 500, text, reason);
		return;
	}
	confirm(k, cl, at);
}

/* All of a machine's ports are opened, whether it listens or not. */
static bool is_too_much(const struct keeper *k, const struct publish *p)
{
	const size_t ports = p->automatic ? 0 : p->last - p->first + 1u;

	return is_unseen(k, p) && ports > PUBLISHED_MAX - k->published.n;
}

void publishing_publish(struct keeper *k, struct client *cl)
{
	const bool once = json_is_true(json_object_get(cl->body, "once"));
	const struct publish_entry *at;
	char why[STATUS_WHY_BYTES + PUBLISH_TEXT_BYTES];
	struct publish what;
	struct before before;

	if (k->join_fd >= 0) {
		clients_refuse(cl, 409, "the guest has joined a network; "
			       "publish NETWORK/NAME", keeper_now_ns());
		return;
	}
	if (!wanted(k, cl, &what))
		return;
	at = published_find(&k->published, &what);
	before = (struct before){ .there = at, .kept = at && at->kept };
	if (!at && is_too_much(k, &what)) {
		refuse(cl, 409, what.text, "a machine's ports are all opened, "
		       "and there is room for 1,024; publish a part");
		return;
	}
	switch (published_add(&k->published, &what, !once, &at)) {
	case PUBLISHED_ADDED:
	case PUBLISHED_SAME:
		if (is_unseen(k, &at->what) && k->phase == UP)
			machine_listens(k, &at->what, false, false);
		agents_published(k, &at->what);
		/* The rule first, or it would block who comes at once. */
		firewalling_published(k);
		published_bind(&k->published);
		settle(k, cl, at, &before);
		break;
	case PUBLISHED_OVERLAP:
		snprintf(why, sizeof(why), "%s has that port already; "
			 "unpublish it first", at->what.text);
		refuse(cl, 409, what.text, why);
		break;
	case PUBLISHED_FULL:
		refuse(cl, 409, what.text, "as much is published as can be; "
		       "unpublish something, or publish a range");
		break;
	}
}

void publishing_unpublish(struct keeper *k, struct client *cl)
{
	const struct publish_entry *at;
	struct publish what;
	bool kept;
	int rc = 0;

	if (!wanted(k, cl, &what))
		return;
	at = published_meant(&k->published, &what);
	if (!at) {
		refuse(cl, 404, what.text, "not published; `slipway ports' "
		       "lists what is");
		return;
	}
	kept = at->kept;
	remove_entry(k, at);
	firewalling_published(k);
	if (kept)
		rc = save(k);
	if (rc < 0) {
		refuse(cl, 500, what.text, "not published any more, but the "
		       "state could not be written: it will be again");
		return;
	}
	clients_reply(cl, 200, json_pack("{s:s}", "publish", what.text), false,
		      keeper_now_ns());
}

/* Why a port of localhost is not open, if so. */
static const char *localhost_why(const struct forward_status *f)
{
	for (unsigned half = 0; f && half < 2; half++)
		if (f->half[half].state == FORWARD_FAILED)
			return f->half[half].why;
	return NULL;
}

static const char *published_why(const struct published *p, uint16_t port,
				 bool udp)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->status[i].at.port == port && p->status[i].udp == udp &&
		    p->status[i].state == FORWARD_FAILED)
			return p->status[i].why;
	return NULL;
}

static void take(struct keeper *k, struct client *cl, uint16_t port, bool udp)
{
	const bool published = published_again(&k->published, port, udp);
	const char *protocol = udp ? "udp" : "tcp", *why;
	char text[32];

	for (unsigned half = 0; half < 2; half++)
		forwards_again(&k->forwards, port, udp, half);
	snprintf(text, sizeof(text), "%u/%s", port, protocol);
	if (!published && !forwards_find(&k->forwards, port, udp)) {
		refuse(cl, 404, text, "the guest does not listen there, or it "
		       "is not to be on localhost");
		return;
	}
	why = published_why(&k->published, port, udp);
	if (!why)
		why = localhost_why(forwards_find(&k->forwards, port, udp));
	if (why)
		refuse(cl, 409, text, why);
	else
		clients_reply(cl, 200, json_pack("{s:i, s:s}", "port",
						 (int)port, "protocol",
						 protocol),
			      false, keeper_now_ns());
}

void publishing_take(struct keeper *k, struct client *cl)
{
	json_t *number = json_object_get(cl->body, "port");
	const char *protocol = json_string_value(
		json_object_get(cl->body, "protocol"));
	const json_int_t port = json_integer_value(number);

	if (port < 1 || port > 65535 ||
	    (json_object_get(cl->body, "protocol") &&
	     (!protocol || (strcmp(protocol, "tcp") &&
			    strcmp(protocol, "udp"))))) {
		clients_refuse(cl, 400, "give \"port\", 1 to 65535, and "
			       "\"protocol\", tcp or udp", keeper_now_ns());
		return;
	}
	take(k, cl, (uint16_t)port, protocol && !strcmp(protocol, "udp"));
}
