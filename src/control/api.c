/* SPDX-License-Identifier: MIT */
#include "control/api.h"

#include <stdlib.h>
#include <string.h>

static const struct api_call calls[API_MAX] = {
	[API_INDEX] = { "GET", "/v1", "",
		"calls: [{method, path, takes, gives, about}]",
		"What can be asked: this table." },
	[API_STATUS] = { "GET", "/v1/status", "",
		"name, pid, keeper, command, guest, gateway, subnet, guests, "
		"isolate, joined, mtu, dns, domains, search, host_access, "
		"host_interface, localhost, "
		"binds_refused, forwards, mirrors, publish, kept, published, "
		"agent, boot, flows, traffic, "
		"questions, drops, ping, narrow, log, warnings",
		"All that `slipway status NAME` tells, but for the host's "
		"firewall, which the command asks itself." },
	[API_PORTS] = { "GET", "/v1/ports", "",
		"forwards, mirrors, publish, kept, published",
		"The ports of localhost, the host's and the guest's, what is "
		"to be published, and what there is of it." },
	[API_FLOWS] = { "GET", "/v1/flows", "",
		"flows: [{protocol, state, guest, peer, begun_by, "
		"from_guest, to_guest, rtt_us, age_s, guest_name, peer_name}], "
		"more",
		"Flows that live, at most 10,000; `more` counts the others. "
		"Of TCP the state of the gateway's end, and the round trip "
		"to the guest. Of several guests, their names." },
	[API_PUBLISH] = { "POST", "/v1/publish", "publish, guest, once",
		"publish, kept, published",
		"Publish ports, as `--publish` writes them, from now on and, "
		"unless `once` is true, after a restart. The same again "
		"changes nothing. `guest` is the name of one of several; the "
		"first without." },
	[API_UNPUBLISH] = { "POST", "/v1/unpublish", "publish, guest",
		"publish",
		"Publish them no longer. Connections that there are stay." },
	[API_TAKE] = { "POST", "/v1/take", "port, protocol",
		"port, protocol",
		"Bind a port of the host that another had when the guest "
		"began to listen, and has no longer. `protocol` is tcp or "
		"udp; tcp without." },
	[API_STOP] = { "POST", "/v1/stop", "", "pid",
		"End the guest and its command. The connection closes when "
		"all is gone." },
	[API_EXEC] = { "POST", "/v1/exec", "guest",
		"namespaces, gateway, proxies; or agent",
		"With `Upgrade: " API_UPGRADE "`: a line of JSON with the "
		"descriptors of the guest's namespaces (SCM_RIGHTS). Of a "
		"virtual machine: that of a stream to its agent, which "
		"speaks as `src/wire/agent.h` says. `guest` is the name of "
		"one of several machines; the first without. The connection "
		"closes when the guest ends." },
	[API_JOIN] = { "POST", "/v1/join", "name",
		"network, mac, ipv4, subnet, bits, ipv6, subnet6, has_ipv6, "
		"mtu, host_access",
		"With `Upgrade: " API_UPGRADE_JOIN "`: a line of JSON with "
		"what one more guest of that name is to have. Then the client "
		"sends a line `{\"offloads\": N}` (TUN_F_*) with its tap "
		"(SCM_RIGHTS; virtio-net headers of 12 bytes). The guest "
		"leaves when the connection closes, and it closes when the "
		"network ends; `{\"mtu\": N}` says that its MTU is another." },
	[API_FIREWALL] = { "GET", "/v1/firewall", "",
		"name, generation, profile, mode, on, off_for_s, "
		"block_action, keep_flows, defaults: {in_from_guest, "
		"in_from_host, in_from_lan, out}, blocked, not_told, log, "
		"rules: [{name, id, from, kept, changed, text, enabled, hits, "
		"finding, by}]",
		"The rules in force, in their order, and what holds where "
		"there is none. `from` is a file, or added, allow, publish; "
		"`hits` counts since the rules last changed; `finding` is "
		"works, off, elsewhere, never or shadowed." },
	[API_FIREWALL_ADD] = { "POST", "/v1/firewall/add",
		"text, once, replace, keep_flows", "generation, rules",
		"Add the rules of a text, all or none. `once`: for this run. "
		"`replace`: those that were added before, and have the same "
		"id or name, go." },
	[API_FIREWALL_CHANGE] = { "POST", "/v1/firewall/change",
		"rule, change, from: [...], once, keep_flows",
		"generation, rules",
		"enable, disable, delete or except each rule of that id or "
		"name. `from` are the words of a rule's `except`. Rules of "
		"files are changed beside the file, and cannot be deleted." },
	[API_FIREWALL_PROFILE] = { "POST", "/v1/firewall/profile",
		"profile, once, keep_flows", "generation, profile",
		"The network is private, public or domain, from now on." },
	[API_FIREWALL_SWITCH] = { "POST", "/v1/firewall/switch",
		"on, for_s, keep_flows", "generation, on, off_for_s",
		"Off, for so many seconds if `for_s` is not 0, or on again. "
		"Never kept for the next run." },
	[API_FIREWALL_WHY] = { "POST", "/v1/firewall/why",
		"protocol, from, to, name, program",
		"allowed, protocol, from, to, checks: [{direction, origin, "
		"allowed, reason, rule, program, blocks, allows, excepted, "
		"unsure}], change: {kind, command, commands}",
		"What the rules say of a flow, which of them decide, and the "
		"narrowest change to the contrary. `protocol` is tcp, udp, "
		"icmp, icmpv6, or dns: may `to` be asked for?" },
	[API_FIREWALL_BLOCKED] = { "GET", "/v1/firewall/blocked", "",
		"blocked: [{time, direction, origin, protocol, from, to, "
		"name, rule, told, count}]",
		"The last 64 that were blocked, newest first." },
};

const struct api_call *api_call(enum api_op op)
{
	return &calls[op];
}

const char *api_upgrade(enum api_op op)
{
	return op == API_EXEC ? API_UPGRADE :
	       op == API_JOIN ? API_UPGRADE_JOIN : NULL;
}

enum api_op api_find(struct http_text method, struct http_text path,
		     int *status)
{
	*status = 404;
	for (unsigned op = API_NONE + 1; op < API_MAX; op++) {
		if (!http_is(path, calls[op].path))
			continue;
		if (http_is(method, calls[op].method))
			return (enum api_op)op;
		*status = 405;
	}
	return API_NONE;
}

json_t *api_index(void)
{
	json_t *list = json_array();

	for (unsigned op = API_NONE + 1; op < API_MAX; op++)
		json_array_append_new(list, json_pack(
			"{s:s, s:s, s:s, s:s, s:s}",
			"method", calls[op].method, "path", calls[op].path,
			"takes", calls[op].takes, "gives", calls[op].gives,
			"about", calls[op].about));
	return json_pack("{s:o}", "calls", list);
}

json_t *api_text(const char *text)
{
	json_t *j = json_string(text);
	char *ascii;

	if (j)
		return j;
	ascii = strdup(text);
	for (char *p = ascii; p && *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	j = ascii ? json_string(ascii) : NULL;
	free(ascii);
	return j;
}

json_t *api_problem(int status, const char *detail)
{
	return json_pack("{s:s, s:s, s:i, s:o}", "type", "about:blank",
			 "title", http_reason(status), "status", status,
			 "detail", api_text(detail));
}

const char *api_detail(const json_t *problem)
{
	const char *s = json_string_value(json_object_get(problem, "detail"));

	return s ? s : "the guest refuses, without a reason; it may be of "
		       "another version of slipway";
}
