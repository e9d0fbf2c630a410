/* SPDX-License-Identifier: MIT */
#include "keeper/why.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/host_names.h"
#include "firewall/text.h"
#include "firewall/word.h"
#include "keeper/process.h"
#include "linux/sockaddr.h"

#define WORDS_MAX	10		/* of a command */

/* A flow that is asked about. */
struct asked {
	struct keeper *k;
	const struct firewall *fw;
	const char *protocol_text;
	uint8_t protocol;
	struct endpoint from, to;
	const char *name;		/* for which `to` was given; NULL */
	const char *program;		/* at the end that decides; NULL */
};

static const char *text_of(const struct client *cl, const char *key)
{
	return json_string_value(json_object_get(cl->body, key));
}

static void refuse(struct client *cl, const char *detail)
{
	clients_refuse(cl, 400, detail, keeper_now_ns());
}

/* ---- what is asked ---- */

/* "ADDR", "ADDR:PORT", "[ADDR]:PORT"; no port is 0. */
static bool read_end(const char *text, struct endpoint *out)
{
	char ip[IP_TEXT_BYTES + 2];
	const char *colon = strrchr(text, ':');
	const bool brackets = text[0] == '[';
	unsigned port = 0;
	size_t n;

	if (ip_parse(text, &out->ip)) {
		out->port = 0;
		return true;
	}
	if (!colon || (brackets && colon[-1] != ']') ||
	    !word_number(word_of(colon + 1), 65535, &port))
		return false;
	n = (size_t)(colon - text) - (brackets ? 2 : 0);
	if (colon - text < (brackets ? 2 : 0) || n >= sizeof(ip))
		return false;
	memcpy(ip, text + brackets, n);
	ip[n] = '\0';
	out->port = (uint16_t)port;
	return ip_parse(ip, &out->ip) && brackets == !ip_is4(&out->ip);
}

static bool read_protocol(const char *text, uint8_t *out)
{
	static const struct known_word words[] = {
		{ "tcp", RULE_TCP }, { "udp", RULE_UDP },
		{ "icmp", RULE_ICMP4 }, { "icmpv6", RULE_ICMP6 },
	};
	unsigned v;

	if (!text || !word_known(word_of(text), words, 4, &v))
		return false;
	*out = (uint8_t)v;
	return true;
}

/* ---- whose ends these are ---- */

static bool is_gateway(const struct asked *a, const struct ip *ip)
{
	return ip_equal(ip, &a->k->in.gateway4) ||
	       ip_equal(ip, &a->k->in.gateway6);
}

static bool is_guest(const struct asked *a, const struct ip *ip)
{
	return !is_gateway(a, ip) &&
	       (prefix_has(&a->k->in.plan.net4, ip) ||
		prefix_has(&a->k->in.plan.net6, ip));
}

/* Which guest has that address of the network's: as rules name it. */
static const char *guest_name(const struct asked *a, const struct ip *ip)
{
	const char *name = roster_name_of(a->k, ip);

	return name ? name : a->k->in.name;
}

/* Two guests: what is between them goes no further. */
static bool is_between(const struct asked *a)
{
	return is_guest(a, &a->from.ip) && is_guest(a, &a->to.ip);
}

/* One of the host's own? */
static bool is_hosts(const struct ip *ip)
{
	struct ifaddrs *all, *i;
	bool found = ip_is_loopback(ip);

	if (found || getifaddrs(&all) < 0)
		return found;
	for (i = all; i && !found; i = i->ifa_next) {
		struct sockaddr_any sa = { 0 };
		struct endpoint e;

		if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET &&
				     i->ifa_addr->sa_family != AF_INET6))
			continue;
		memcpy(&sa, i->ifa_addr, i->ifa_addr->sa_family == AF_INET ?
		       sizeof(sa.in) : sizeof(sa.in6));
		found = sockaddr_to(&sa, &e) && ip_equal(&e.ip, ip);
	}
	freeifaddrs(all);
	return found;
}

/* ---- one check ---- */

static json_t *found_json(const struct rules *set,
			  const struct firewall_found *f)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < f->n && i < FIREWALL_SHOWN; i++)
		json_array_append_new(list, api_text(set->text +
			set->rule[f->rule[i]].name));
	return list;
}

static const char *reason_name(enum firewall_reason reason)
{
	switch (reason) {
	case BY_BLOCK:
		return "block";
	case BY_ALLOW:
		return "allow";
	case BY_DEFAULT:
		return "default";
	}
	return "default";
}

struct check {
	struct firewall_flow flow;
	struct firewall_why why;
};

static json_t *check_json(const struct asked *a, const struct check *c)
{
	const struct rules *set = &a->k->firewall.book.all.set;
	const struct firewall_verdict *v = &c->why.verdict;
	json_t *j = json_pack("{s:s, s:s, s:b, s:s, s:o, s:o, s:o, s:o}",
		"direction", c->flow.direction == RULE_IN ? "in" : "out",
		"origin", firewall_origin_name(c->flow.origin),
		"allowed", (int)v->allow, "reason", reason_name(v->reason),
		"blocks", found_json(set, &c->why.blocks),
		"allows", found_json(set, &c->why.allows),
		"excepted", found_json(set, &c->why.excepted),
		"unsure", found_json(set, &c->why.unsure));

	if (v->rule != FIREWALL_NO_RULE)
		json_object_set_new(j, "rule", api_text(set->text +
			set->rule[v->rule].name));
	json_object_set_new(j, "program", c->flow.program ?
			    api_text(c->flow.program) : json_null());
	return j;
}

/* Does an answer of DNS open that address by its name? See network/names.h. */
static bool opens_by_name(const struct asked *a)
{
	return a->name && ip_is_public(&a->to.ip) && !is_guest(a, &a->to.ip) &&
	       !is_hosts(&a->to.ip);
}

static void explain(const struct asked *a, enum rule_direction direction,
		    enum firewall_origin origin, bool to_is_local,
		    struct check *out)
{
	/* A rule's guest is who is to be reached, if there is one. */
	const bool at_to = to_is_local && is_guest(a, &a->to.ip);

	out->flow = (struct firewall_flow){
		.direction = direction, .origin = origin,
		.protocol = a->protocol,
		.icmp_type = a->protocol == RULE_ICMP6 ? 128 :
			     a->protocol == RULE_ICMP4 ? 8 : 0,
		.local = to_is_local ? a->to : a->from,
		.remote = to_is_local ? a->from : a->to,
		.guest = guest_name(a, at_to ? &a->to.ip : &a->from.ip),
		.program = a->program,
	};
	if (direction == RULE_OUT && is_gateway(a, &a->to.ip)) {
		out->flow.names = host_names;
		out->flow.n_names = HOST_NAMES;
	} else if (direction == RULE_OUT && a->name) {
		out->flow.names = &a->name;
		out->flow.n_names = 1;
	}
	firewall_explain(a->fw, &out->flow, &out->why);
	if (out->flow.names != &a->name || opens_by_name(a) ||
	    out->why.verdict.reason == BY_BLOCK)
		return;
	out->flow.n_names = 0;
	firewall_explain(a->fw, &out->flow, &out->why);
}

/* The checks of a flow, as network/guard.h has them. How many. */
static unsigned find_checks(const struct asked *a, struct check out[2])
{
	const bool by_guest = is_guest(a, &a->from.ip);

	if (by_guest) {
		explain(a, RULE_OUT, FROM_GUEST, false, &out[0]);
		if (!is_gateway(a, &a->to.ip) && !is_hosts(&a->to.ip) &&
		    !is_between(a))
			return 1;
		explain(a, RULE_IN, FROM_GUEST, true, &out[1]);
		return 2;
	}
	explain(a, RULE_IN, is_gateway(a, &a->from.ip) ||
		is_hosts(&a->from.ip) ? FROM_HOST : FROM_LAN, true, &out[0]);
	return 1;
}

/* ---- the change ---- */

/* A command: words, each for the client to quote. */
static json_t *command_begin(const char *verb)
{
	return json_pack("[s, s, s]", "slipway", "firewall", verb);
}

static void put_word(json_t *command, const char *format, const char *text)
{
	char word[512];

	snprintf(word, sizeof(word), format, text);
	json_array_append_new(command, api_text(word));
}

/* Who begins the flow, as the key `except` has it. */
static void put_from(const struct asked *a, const struct check *c,
		     json_t *command)
{
	char ip[IP_TEXT_BYTES];

	json_array_append_new(command, json_string("--from"));
	/* Of two guests the one that is reached would be meant by that. */
	if (c->flow.origin == FROM_GUEST &&
	    !(is_between(a) && c->flow.direction == RULE_IN))
		put_word(command, "guest %s", guest_name(a, &a->from.ip));
	else
		put_word(command, "%s", ip_format(&a->from.ip, ip));
}

/* How a rule has a name: of one label with its dot. */
static const char *remote_key(const char *name)
{
	return strchr(name, '.') ? "remoteAddress=%s" : "remoteAddress=%s.";
}

static json_t *add_command(const struct asked *a, const struct check *c,
			   const char *action)
{
	const bool in = c->flow.direction == RULE_IN;
	const char *port = in ? "localPort=%s" : "remotePort=%s";
	json_t *command = command_begin("add");
	char ip[IP_TEXT_BYTES], number[8];

	put_word(command, "action=%s", action);
	put_word(command, "direction=%s", in ? "in" : "out");
	put_word(command, "protocol=%s", a->protocol_text);
	snprintf(number, sizeof(number), "%u", a->to.port);
	if (a->to.port)
		put_word(command, port, number);
	if (!in && opens_by_name(a))
		put_word(command, remote_key(a->name), a->name);
	else
		put_word(command, "remoteAddress=%s",
			 ip_format(&c->flow.remote.ip, ip));
	return command;
}

static void put_excepts(const struct asked *a, const struct check *c,
			json_t *commands)
{
	const struct rules *set = &a->k->firewall.book.all.set;
	const struct firewall_found *f = &c->why.blocks;

	for (uint32_t i = 0; i < f->n && i < FIREWALL_SHOWN; i++) {
		const struct rule *r = &set->rule[f->rule[i]];
		json_t *command = command_begin("except");

		json_array_append_new(command, api_text(set->text +
					(r->id ? r->id : r->name)));
		put_from(a, c, command);
		json_array_append_new(commands, command);
	}
}

static json_t *change_json(const struct asked *a, const struct check *c)
{
	json_t *commands = json_array(), *j;
	const char *kind = "except";

	switch (c->why.change) {
	case CHANGE_EXCEPT:
		put_excepts(a, c, commands);
		break;
	case CHANGE_EXCEPT_AND_ALLOW:
		kind = "except and allow";
		put_excepts(a, c, commands);
		json_array_append_new(commands, add_command(a, c, "allow"));
		break;
	case CHANGE_ALLOW:
		kind = "allow";
		json_array_append_new(commands, add_command(a, c, "allow"));
		break;
	case CHANGE_BLOCK:
		kind = "block";
		json_array_append_new(commands, add_command(a, c, "block"));
		break;
	}
	j = json_pack("{s:s, s:O}", "kind", kind, "command",
		      json_array_get(commands, 0));
	json_object_set_new(j, "commands", commands);
	return j;
}

static void answer_flow(struct client *cl, const struct asked *a)
{
	char from[ENDPOINT_TEXT_BYTES], to[ENDPOINT_TEXT_BYTES];
	const bool off = !a->k->firewall.on;
	json_t *checks = json_array(), *j;
	struct check c[2];
	const unsigned n = find_checks(a, c);
	unsigned decides = 0;
	bool allowed = true;

	for (unsigned i = n; i-- > 0;)
		if (!c[i].why.verdict.allow) {
			decides = i;
			allowed = false;
		}
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(checks, check_json(a, &c[i]));
	j = json_pack("{s:b, s:b, s:s, s:s, s:s, s:o, s:o}",
		      "allowed", allowed || off, "on", !off,
		      "protocol", a->protocol_text,
		      "from", a->from.port ?
			      endpoint_format(&a->from, from) :
			      ip_format(&a->from.ip, from),
		      "to", a->to.port ? endpoint_format(&a->to, to) :
					 ip_format(&a->to.ip, to),
		      "checks", checks,
		      "change", change_json(a, &c[decides]));
	clients_reply(cl, 200, j, false, keeper_now_ns());
}

/* ---- a question ---- */

/* May that name be asked for? */
static void answer_question(struct client *cl, struct keeper *k,
			    const struct firewall *fw, const char *to)
{
	const struct firewall_defaults d = firewalling_defaults(k);
	char name[256];
	bool allowed;
	json_t *command, *check;
	size_t n = to ? strlen(to) : 0;

	if (!n || n >= sizeof(name)) {
		refuse(cl, "give \"to\", a name");
		return;
	}
	n -= to[n - 1] == '.';
	for (size_t i = 0; i < n; i++)
		name[i] = (char)(to[i] >= 'A' && to[i] <= 'Z' ? to[i] | 0x20 :
								 to[i]);
	name[n] = '\0';
	allowed = firewall_name_allowed(fw, k->in.name, name);
	check = json_pack("{s:s, s:s, s:b, s:s}", "direction", "out",
			  "origin", "guest", "allowed", (int)allowed,
			  "reason", allowed && !d.out ? "allow" : "default");
	command = command_begin("add");
	put_word(command, "action=%s", allowed ? "block" : "allow");
	put_word(command, "direction=%s", "out");
	put_word(command, remote_key(name), name);
	clients_reply(cl, 200, json_pack(
		"{s:b, s:b, s:s, s:o, s:[o], s:{s:s, s:O, s:[o]}}",
		"allowed", allowed || !k->firewall.on, "on",
		(int)k->firewall.on, "protocol", "dns", "to", api_text(to),
		"checks", check, "change", "kind", allowed ? "block" : "allow",
		"command", command, "commands", command), false,
		keeper_now_ns());
}

void why_answer(struct keeper *k, struct client *cl)
{
	const char *from = text_of(cl, "from"), *to = text_of(cl, "to");
	struct asked a = { .k = k, .name = text_of(cl, "name"),
			   .program = text_of(cl, "program"),
			   .protocol_text = text_of(cl, "protocol"),
			   .fw = firewalling_compiled(k) };

	if (!a.fw) {
		clients_refuse(cl, 503, "no memory; try again",
			       keeper_now_ns());
		return;
	}
	if (a.protocol_text && !strcmp(a.protocol_text, "dns")) {
		answer_question(cl, k, a.fw, to);
		return;
	}
	if (!read_protocol(a.protocol_text, &a.protocol))
		refuse(cl, "give \"protocol\": tcp, udp, icmp, icmpv6 or dns");
	else if (!from || !to || !read_end(from, &a.from) ||
		 !read_end(to, &a.to) || ip_is4(&a.from.ip) !=
					 ip_is4(&a.to.ip))
		refuse(cl, "give \"from\" and \"to\": ADDRESS, ADDRESS:PORT "
		       "or [ADDRESS]:PORT, of one family");
	else
		answer_flow(cl, &a);
}
