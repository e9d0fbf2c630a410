/* SPDX-License-Identifier: MIT */
/* test/script/act.c - what a script says of the host, done or checked. */
#include <stdio.h>
#include <string.h>

#include "fake.h"
#include "text.h"

static void event(struct fake *f, const struct fake_sock *s, unsigned events)
{
	if (s->open)
		network_sock_event(f->net, s->owner, events, f->now_ns);
}

static const char *finish_connect(struct fake *f, int outcome)
{
	struct fake_sock *s = f->stream < 0 ? NULL : &f->sock[f->stream];

	if (s && s->open && s->outcome == -ENV_AGAIN) {
		s->outcome = outcome;
		event(f, s, outcome ? ENV_FAILED : ENV_WRITABLE);
	} else if (outcome) {
		f->next_error = outcome;
	} else {
		return "no connect is under way";
	}
	return NULL;
}

static bool outcome_named(const char *text, int *outcome)
{
	static const struct {
		const char *name;
		int outcome;
	} names[] = {
		{ "connects", 0 },
		{ "refuses", -ENV_REFUSED },
		{ "unreachable", -ENV_HOST_UNREACHABLE },
		{ "net-unreachable", -ENV_NET_UNREACHABLE },
		{ "prohibits", -ENV_ACCESS },
		{ "times-out", -ENV_TIMED_OUT },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i].name)) {
			*outcome = names[i].outcome;
			return true;
		}
	return false;
}

/* What a datagram socket is given: a datagram or an error. */
static const char *on_dgram(struct fake *f, const char *text)
{
	char peer[SCRIPT_TEXT], offender[SCRIPT_TEXT];
	unsigned id, type, code, mtu = 0;
	struct fake_sock *s;
	struct endpoint e;
	size_t len;

	if (sscanf(text, "%*s s%u", &id) != 1 || id < 1 || id > f->sockets ||
	    !f->sock[id - 1].open)
		return "no such socket";
	s = &f->sock[id - 1];
	if (sscanf(text, "sends s%u < %255s (%zu)", &id, peer, &len) == 3 &&
	    text_endpoint(peer, &e)) {
		ASSERT(s->queued < FAKE_DGRAMS);
		s->queue[s->queued++] = (struct fake_dgram){
			.from = e, .len = len,
			.ttl = (uint8_t)text_number(text, "ttl", 0),
			.tos = (uint8_t)text_number(text, "tos", 0),
		};
		if (!strstr(text, " more"))
			event(f, s, ENV_READABLE);
		return NULL;
	}
	if (sscanf(text, "fails s%u %255s (%zu) icmp %u/%u from %255s mtu %u",
		   &id, peer, &len, &type, &code, offender, &mtu) < 6 ||
	    !text_endpoint(peer, &s->error.to) ||
	    !ip_parse(offender, &s->error.offender))
		return "no such datagram";
	s->error.type = (uint8_t)type;
	s->error.code = (uint8_t)code;
	s->error.mtu = mtu;
	s->error.payload_bytes = len;
	s->has_error = true;
	event(f, s, ENV_FAILED);
	return NULL;
}

/* "meets icmp 3/13 from 203.0.113.9": what the SYN met on its way */
static const char *fail_connect(struct fake *f, const char *text)
{
	struct fake_sock *s = f->stream < 0 ? NULL : &f->sock[f->stream];
	char offender[SCRIPT_TEXT];
	unsigned type, code;

	if (!s || sscanf(text, "meets icmp %u/%u from %255s", &type, &code,
			 offender) != 3 ||
	    !ip_parse(offender, &s->error.offender))
		return "no such error";
	s->error.to.ip = f->tcp_peer;
	s->error.type = (uint8_t)type;
	s->error.code = (uint8_t)code;
	s->has_error = true;
	return finish_connect(f, !f->v6 && type == 3 && code == 3 ?
			      -ENV_REFUSED : -ENV_HOST_UNREACHABLE);
}

static const char *check(const struct fake_sock *s, const char *text)
{
	unsigned long long n;

	if (s->bad_bytes)
		return "the host has got other bytes";
	if (sscanf(text, "has %llu", &n) == 1)
		return s->got == n ? NULL : "the host has another number";
	if (!strcmp(text, "saw end"))
		return s->saw_end && s->open ? NULL : "the host saw no end";
	if (sscanf(text, "saw ttl %llu", &n) == 1)
		return s->ttl == n ? NULL : "the host saw another ttl";
	if (!strcmp(text, "saw nothing"))
		return !s->saw_end && s->open ? NULL : "the host saw an end";
	if (!strcmp(text, "saw close"))
		return !s->open && !s->saw_reset ? NULL : "it saw no close";
	if (!strcmp(text, "saw reset"))
		return s->saw_reset ? NULL : "the host saw no reset";
	return "no such act of the host";
}

const char *fake_host(struct fake *f, const char *text)
{
	struct fake_sock *s = f->stream < 0 ? NULL : &f->sock[f->stream];
	unsigned long long n;
	int outcome;

	if (outcome_named(text, &outcome))
		return finish_connect(f, outcome);
	if (!strcmp(text, "offers")) {
		fake_offer(f);
		return NULL;
	}
	if (!strcmp(text, "lacks memory") || !strcmp(text, "has memory")) {
		f->no_memory = *text == 'l';
		return NULL;
	}
	if (!strncmp(text, "sends ", 6) || !strncmp(text, "fails ", 6))
		return on_dgram(f, text);
	if (!strncmp(text, "meets ", 6))
		return fail_connect(f, text);
	if (!s)
		return "there is no connection";
	if (sscanf(text, "writes %llu", &n) == 1) {
		s->given += n;
		if (strstr(text, " urgent"))
			s->urgent = s->given;
		event(f, s, ENV_READABLE |
			    (s->urgent > s->read ? ENV_URGENT : 0u));
	} else if (!strcmp(text, "closes")) {
		s->end = true;
		event(f, s, ENV_READABLE | ENV_ENDED);
	} else if (!strcmp(text, "resets")) {
		s->failed = true;
		event(f, s, ENV_READABLE | ENV_WRITABLE | ENV_FAILED);
	} else if (!strcmp(text, "blocks")) {
		s->takes = s->got;
	} else if (!strcmp(text, "takes all")) {
		s->takes = UINT64_MAX;
		event(f, s, ENV_WRITABLE);
	} else if (sscanf(text, "takes %llu", &n) == 1) {
		s->takes = s->got + n;
		event(f, s, ENV_WRITABLE);
	} else {
		return check(s, text);
	}
	return NULL;
}

const char *fake_gateway(const struct fake *f, const char *text)
{
	struct network_stats st;
	unsigned long long n;

	if (sscanf(text, "counts %llu retransmits", &n) != 1)
		return "no such word about the gateway";
	network_get_stats(f->net, &st);
	return st.retransmits == n ? NULL : "the gateway counts another number";
}
