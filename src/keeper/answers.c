/* SPDX-License-Identifier: MIT */
#include "keeper/answers.h"

#include <jansson.h>
#include <net/if.h>
#include <string.h>

#include "keeper/firewall_calls.h"
#include "keeper/flows.h"
#include "keeper/joining.h"
#include "keeper/nsfds.h"
#include "keeper/process.h"
#include "keeper/publishing.h"
#include "keeper/why.h"
#include "linux/channel.h"
#include "linux/netlink.h"

#define STATS_NS	(250 * MS_NS)

static bool overlapped(const struct keeper *k)
{
	struct netlink *nl = netlink_open();
	bool yes;

	if (!nl)
		return false;
	yes = netlink_overlaps(nl, &k->in.plan.net4, k->hostif.index) > 0;
	netlink_close(nl);
	return yes;
}

static void put_ports(const struct keeper *k, struct status *s)
{
	const struct agent *agent = agents_of(k, 0);
	const struct mirrors *mirrors = agent ? &agent->binds.mirrors :
						&k->mirrors;

	s->forwards = k->forwards.status;
	s->n_forwards = k->forwards.n;
	s->mirrors = mirrors->forwards.status;
	s->n_mirrors = mirrors->forwards.n;
	s->publish = k->published.entry;
	s->n_publish = PUBLISHED_ENTRIES_MAX;
	s->published = k->published.status;
	s->n_published = k->published.n;
}

void answers_ports(const struct keeper *k, struct status *out)
{
	*out = (struct status){ 0 };
	put_ports(k, out);
}

/* now: NULL, not known. */
static json_t *status_now(struct keeper *k,
			  const struct network_stats *now)
{
	const char *tail[LOG_TAIL];
	char names[NETWORK_NARROW_MAX][IF_NAMESIZE];
	struct status s;

	instance_status(&k->in, &s);
	for (unsigned i = 0; now && i < now->n_narrow; i++)
		s.narrow_dev[i] = if_indextoname(now->narrow[i].dev, names[i]);
	/* A machine may have made its own. */
	if (now && !ip_is_unspecified(&now->guest6))
		s.guest6 = now->guest6;
	for (unsigned i = 0; i < k->in.log.n_tail; i++)
		tail[i] = k->in.log.tail[i];
	s.log_tail = tail;
	s.n_log_tail = k->in.log.n_tail;
	put_ports(k, &s);
	s.n_guests = roster_status(k, &s.guests);
	s.joined = k->join_fd >= 0 ? k->in.config->join : NULL;
	s.binds_refused = k->conflict.refused;
	s.counters = now;
	s.no_route_free = overlapped(k);
	s.host_interface = k->hostif.name;
	/* Not yet known is no reason to warn. */
	s.ping4 = k->phase != UP || k->engine_ready.ping4;
	s.ping6 = k->phase != UP || k->engine_ready.ping6;
	return status_json(&s);
}

void answers_status(struct keeper *k, const struct msg_stats *stats)
{
	k->stats_ns = NEVER;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *cl = &k->clients.at[i];

		if (cl->state == CLIENT_WAITING && cl->op == API_STATUS)
			clients_reply(cl, 200,
				      status_now(k, stats ? &stats->now :
							    NULL),
				      false, keeper_now_ns());
	}
}

static void want_status(struct keeper *k)
{
	const struct msg_head get = { .kind = MSG_STATS_GET };

	if (k->stats_ns != NEVER)
		return;			/* asked already */
	k->stats_ns = keeper_now_ns() + STATS_NS;
	if (k->phase != UP ||
	    channel_send(k->engine_ch, &get, sizeof(get), NULL, 0) < 0)
		k->stats_ns = keeper_now_ns();
}

/* The member `guest`, of several. false: the client was refused. */
static bool guest_meant(struct keeper *k, struct client *cl, int *out)
{
	const json_t *member = json_object_get(cl->body, "guest");
	const char *name = member ? json_string_value(member) : k->in.name;
	char detail[2 * CONFIG_NAME_BYTES + 128];

	*out = name ? roster_find(k, name) : -1;
	if (*out < 0) {
		snprintf(detail, sizeof(detail), "%.40s: the network has no "
			 "guest of that name; `slipway status %s' lists them",
			 name ? name : "guest", k->in.name);
		clients_refuse(cl, 404, detail, keeper_now_ns());
		return false;
	}
	if (*out && k->roster.at[*out].client) {
		snprintf(detail, sizeof(detail), "%s has joined and is "
			 "reached by its own name: slipway exec %s", name,
			 name);
		clients_refuse(cl, 409, detail, keeper_now_ns());
		return false;
	}
	return true;
}

static void want_exec(struct keeper *k, struct client *cl)
{
	const struct config *c = k->in.config;
	const uint64_t now = keeper_now_ns();
	char gateway[IP_TEXT_BYTES];
	int fds[NSFDS_MAX];
	unsigned mask;
	int guest;
	size_t n;

	if (k->phase != UP) {
		clients_refuse(cl, 503, "the guest is still starting; try "
			       "again", now);
		return;
	}
	if (clients_crowded(&k->clients)) {
		clients_refuse(cl, 503, "the guest has as many commands as it "
			       "may have; end one of them", now);
		return;
	}
	if (!guest_meant(k, cl, &guest))
		return;
	if (k->machine) {
		agents_run(k, (unsigned)guest, cl);
		return;
	}
	n = nsfds_pack(&k->ns, fds, &mask);
	clients_switch(cl, json_pack("{s:i, s:s, s:b}", "namespaces", (int)mask,
				     "gateway", ip_format(&k->in.gateway4,
							  gateway),
				     "proxies", c->auto_proxy &&
				     c->host_access != CONFIG_ACCESS_OFF),
		       fds, n, now);
}

/*
 * What is in the guest may look at the rules that hold it, not change them:
 * its programs can be of the same user as we are, and see our socket. Where
 * there is an allow list it may let nobody in, either.
 */
static bool may_do(const struct keeper *k, const struct client *cl)
{
	switch (cl->op) {
	case API_FIREWALL_ADD: case API_FIREWALL_CHANGE:
	case API_FIREWALL_PROFILE: case API_FIREWALL_SWITCH: case API_JOIN:
		return !cl->elsewhere;
	case API_PUBLISH: case API_UNPUBLISH: case API_TAKE:
		return !cl->elsewhere || !k->in.config->allow.set.used.rules;
	case API_NONE: case API_INDEX: case API_STATUS: case API_PORTS:
	case API_FLOWS: case API_STOP: case API_EXEC: case API_FIREWALL:
	case API_FIREWALL_WHY: case API_FIREWALL_BLOCKED: case API_MAX:
		break;
	}
	return true;
}

void answers_want(void *ctx, struct client *cl)
{
	const uint64_t now = keeper_now_ns();
	struct keeper *k = ctx;
	struct status s;

	if (!may_do(k, cl)) {
		clients_refuse(cl, 403, "this is changed from the host's own "
			       "network alone; run the command outside of "
			       "the guest", now);
		return;
	}
	switch (cl->op) {
	case API_INDEX:
		clients_reply(cl, 200, api_index(), false, now);
		break;
	case API_STATUS:
		want_status(k);
		break;
	case API_PORTS:
		answers_ports(k, &s);
		clients_reply(cl, 200, status_ports_json(&s), false, now);
		break;
	case API_FLOWS:
		flows_want(k);
		break;
	case API_PUBLISH:
		publishing_publish(k, cl);
		break;
	case API_UNPUBLISH:
		publishing_unpublish(k, cl);
		break;
	case API_TAKE:
		publishing_take(k, cl);
		break;
	case API_STOP:
		clients_reply(cl, 202, json_pack("{s:i}", "pid",
						 (int)k->in.front),
			      true, now);
		keeper_begin_stop(k);
		break;
	case API_EXEC:
		want_exec(k, cl);
		break;
	case API_JOIN:
		joining_want(k, cl);
		break;
	case API_FIREWALL:
		hits_want(k);
		break;
	case API_FIREWALL_ADD:
		firewall_calls_add(k, cl);
		break;
	case API_FIREWALL_CHANGE:
		firewall_calls_change(k, cl);
		break;
	case API_FIREWALL_PROFILE:
		firewall_calls_profile(k, cl);
		break;
	case API_FIREWALL_SWITCH:
		firewall_calls_switch(k, cl);
		break;
	case API_FIREWALL_WHY:
		why_answer(k, cl);
		break;
	case API_FIREWALL_BLOCKED:
		firewall_calls_blocked(k, cl);
		break;
	case API_NONE: case API_MAX:
		break;		/* clients_turn() hands out no such thing */
	}
}
