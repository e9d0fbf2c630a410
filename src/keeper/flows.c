/* SPDX-License-Identifier: MIT */
#include "keeper/flows.h"

#include "keeper/process.h"
#include "linux/channel.h"

static const char *const protocols[FLOW_PROTOCOL_MAX] = {
#define X(id, text) text,
	FLOW_PROTOCOLS(X)
#undef X
};

static const char *const states[FLOW_STATE_MAX] = {
#define X(id, text) text,
	FLOW_STATES(X)
#undef X
};

/* Answer all that wait; list is taken. */
static void answer(struct keeper *k, json_t *list, uint64_t more)
{
	const uint64_t now = keeper_now_ns();

	k->flows_ns = NEVER;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *cl = &k->clients.at[i];

		if (cl->state != CLIENT_WAITING || cl->op != API_FLOWS)
			continue;
		if (list)
			clients_reply(cl, 200, json_pack("{s:O, s:I}", "flows",
							 list, "more",
							 (json_int_t)more),
				      false, now);
		else
			clients_refuse(cl, 503, "the engine does not answer; "
				       "try again", now);
	}
	json_decref(list);
}

/* false: the engine cannot be asked. */
static bool ask(struct keeper *k, uint32_t from)
{
	const struct msg_flows_get m = { .kind = MSG_FLOWS_GET,
					 .from = from };

	k->flows_ns = keeper_now_ns() + FLOWS_WAIT_NS;
	return k->phase == UP && channel_send(k->engine_ch, &m, sizeof(m),
					      NULL, 0) == 0;
}

void flows_want(struct keeper *k)
{
	if (k->flows_ns != NEVER)
		return;			/* asked already */
	json_decref(k->flows);
	k->flows = json_array();
	if (!ask(k, 0))
		flows_expire(k);
}

/* Of several guests, which one has that address. */
static void add_name(const struct keeper *k, json_t *j, const char *key,
		     const struct ip *ip)
{
	const char *name = roster_has_others(k) ? roster_name_of(k, ip) : NULL;

	if (name)
		json_object_set_new(j, key, json_string(name));
}

static json_t *flow_json(const struct keeper *k, const struct network_flow *f)
{
	char guest[ENDPOINT_TEXT_BYTES], peer[ENDPOINT_TEXT_BYTES];
	json_t *j;

	if (f->protocol >= FLOW_PROTOCOL_MAX || f->state >= FLOW_STATE_MAX)
		return NULL;
	j = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}",
		      "protocol", protocols[f->protocol], "state",
		      states[f->state], "guest",
		      endpoint_format(&f->guest, guest), "peer",
		      endpoint_format(&f->peer, peer), "begun_by",
		      f->by_peer ? "peer" : "guest", "from_guest",
		      (json_int_t)f->from_guest, "to_guest",
		      (json_int_t)f->to_guest, "age_s",
		      (json_int_t)f->age_s);
	add_name(k, j, "guest_name", &f->guest.ip);
	add_name(k, j, "peer_name", &f->peer.ip);
	if (f->rtt_us)
		json_object_set_new(j, "rtt_us", json_integer(f->rtt_us));
	return j;
}

void flows_take(struct keeper *k, const struct msg_flows *m)
{
	json_t *list = k->flows;
	size_t n;

	if (k->flows_ns == NEVER || !list)
		return;			/* too late: nobody waits */
	for (uint32_t i = 0; i < m->n && i < MSG_FLOWS_MAX; i++)
		json_array_append_new(list, flow_json(k, &m->at[i]));
	n = json_array_size(list);
	if (m->next && n < FLOWS_TOLD_MAX && ask(k, m->next))
		return;
	k->flows = NULL;
	answer(k, list, m->next && m->all > n ? m->all - n : 0);
}

void flows_expire(struct keeper *k)
{
	json_decref(k->flows);
	k->flows = NULL;
	answer(k, NULL, 0);
}
