/* SPDX-License-Identifier: MIT */
#include "network/flows.h"

#include "network/state.h"

static enum flow_state established(const struct tcp *t)
{
	switch ((enum tcp_close_state)t->close) {
	case TC_OPEN:
		return FLOW_STATE_ESTABLISHED;
	case TC_GUEST_DONE:
		return FLOW_STATE_CLOSE_WAIT;
	case TC_HOST_DONE:
		return FLOW_STATE_FIN_WAIT_1;
	case TC_HOST_ACKED:
		return FLOW_STATE_FIN_WAIT_2;
	case TC_BOTH_DONE:
		return FLOW_STATE_CLOSING;
	case TC_CLOSED: case TC_STATE_MAX:
		break;
	}
	return FLOW_STATE_TIME_WAIT;
}

static enum flow_state state(const struct tcp *t)
{
	switch ((enum tcp_phase)t->phase) {
	case TCP_CONNECTING:
		return FLOW_STATE_CONNECTING;
	case TCP_ANSWERED:
		return FLOW_STATE_SYN_RECEIVED;
	case TCP_OFFERED:
		return FLOW_STATE_SYN_SENT;
	case TCP_ESTABLISHED:
		return established(t);
	case TCP_LINGERING:
		break;
	}
	return FLOW_STATE_TIME_WAIT;
}

/* Bytes between a first sequence number, not of them, and the next one. */
static uint64_t passed(uint32_t first, uint32_t next, uint16_t wraps)
{
	const uint64_t n = ((uint64_t)wraps << 32) + next - first;

	return n ? n - 1 : 0;		/* the SYN */
}

static void tell_tcp(const struct tcp *t, struct network_flow *out)
{
	out->protocol = FLOW_PROTOCOL_TCP;
	out->state = state(t);
	out->by_peer = t->offered;
	if (t->phase == TCP_CONNECTING || t->phase == TCP_OFFERED)
		return;
	out->from_guest = passed(t->irs, t->rcv_nxt, t->rcv_wraps);
	out->to_guest = passed(t->iss, t->snd_una, t->snd_wraps);
	/* A FIN that was taken, or acknowledged, has a number, too. */
	if (t->guest_fin && t->rcv_nxt == t->fin_seq + 1)
		out->from_guest--;
	if (t->close == TC_HOST_ACKED || t->phase == TCP_LINGERING)
		out->to_guest--;
	out->rtt_us = t->srtt_us;
}

static enum flow_protocol switched_protocol(uint32_t kind)
{
	return kind == FLOW_SWITCH_TCP ? FLOW_PROTOCOL_TCP :
	       kind == FLOW_SWITCH_UDP ? FLOW_PROTOCOL_UDP :
	       kind == FLOW_SWITCH_PING ? FLOW_PROTOCOL_PING :
	       FLOW_PROTOCOL_OTHER;
}

/* false: it is no flow, but the socket of some. */
static bool tell(const struct network *net, const struct flow *f,
		 struct network_flow *out)
{
	const union slot *s = (const union slot *)(const void *)f;
	const struct flow_key *k = &f->key;

	*out = (struct network_flow){
		.guest = { .ip = k->guest_ip, .port = k->guest_port },
		.peer = { .ip = k->peer_ip, .port = k->peer_port },
		.age_s = proto_seconds(&net->p) - f->begun_s,
	};
	switch ((enum flow_kind)k->kind) {
	case FLOW_TCP:
		tell_tcp(&s->tcp, out);
		return true;
	case FLOW_UDP:
		out->protocol = FLOW_PROTOCOL_UDP;
		out->by_peer = s->udp.called;
		out->from_guest = s->udp.from_guest;
		out->to_guest = s->udp.to_guest;
		return true;
	case FLOW_PING:
		out->protocol = FLOW_PROTOCOL_PING;
		return true;
	case FLOW_DIRECT_TCP: case FLOW_DIRECT_UDP: case FLOW_DIRECT_PING:
		out->protocol = k->kind == FLOW_DIRECT_TCP ?
				FLOW_PROTOCOL_TCP :
				k->kind == FLOW_DIRECT_UDP ?
				FLOW_PROTOCOL_UDP : FLOW_PROTOCOL_PING;
		out->state = FLOW_STATE_DIRECT;
		out->by_peer = s->direct.by_host;
		out->from_guest = s->direct.from_guest;
		out->to_guest = s->direct.to_guest;
		return true;
	case FLOW_SWITCH_TCP: case FLOW_SWITCH_UDP: case FLOW_SWITCH_PING:
	case FLOW_SWITCH_OTHER:
		out->protocol = switched_protocol(k->kind);
		out->state = FLOW_STATE_SWITCHED;
		out->from_guest = s->switched.sent;
		out->to_guest = s->switched.got;
		return true;
	case FLOW_UDP_MAP: case FLOW_FREE: case FLOW_KIND_MAX:
		break;
	}
	return false;
}

unsigned network_flows(const struct network *net, uint32_t *from,
		       struct network_flow *out, unsigned n)
{
	unsigned found = 0;

	while (found < n) {
		const struct flow *f = flow_next(&net->p.flows, from);

		if (!f)
			break;
		++*from;
		found += tell(net, f, &out[found]);
	}
	return found;
}
