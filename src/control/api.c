/* SPDX-License-Identifier: MIT */
#include "control/api.h"

#include <string.h>

static const struct api_call calls[API_MAX] = {
	[API_INDEX] = { "GET", "/v1", "",
		"calls: [{method, path, takes, gives, about}]",
		"What can be asked: this table." },
	[API_STATUS] = { "GET", "/v1/status", "",
		"name, pid, keeper, command, guest, gateway, subnet, mtu, "
		"dns, search, host_access, host_interface, localhost, "
		"binds_refused, forwards, mirrors, publish, kept, published, "
		"flows, traffic, "
		"questions, drops, ping, narrow, log, warnings",
		"All that `slipway status NAME` tells, but for the host's "
		"firewall, which the command asks itself." },
	[API_PORTS] = { "GET", "/v1/ports", "",
		"forwards, mirrors, publish, kept, published",
		"The ports of localhost, the host's and the guest's, what is "
		"to be published, and what there is of it." },
	[API_FLOWS] = { "GET", "/v1/flows", "",
		"flows: [{protocol, state, guest, peer, begun_by, "
		"from_guest, to_guest, rtt_us, age_s}], more",
		"Flows that live, at most 10,000; `more` counts the others. "
		"Of TCP the state of the gateway's end, and the round trip "
		"to the guest." },
	[API_PUBLISH] = { "POST", "/v1/publish", "publish, once",
		"publish, kept, published",
		"Publish ports, as `--publish` writes them, from now on and, "
		"unless `once` is true, after a restart. The same again "
		"changes nothing." },
	[API_UNPUBLISH] = { "POST", "/v1/unpublish", "publish",
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
	[API_EXEC] = { "POST", "/v1/exec", "",
		"namespaces, gateway, proxies",
		"With `Upgrade: " API_UPGRADE "`: a line of JSON with the "
		"descriptors of the guest's namespaces (SCM_RIGHTS). The "
		"connection closes when the guest ends." },
};

const struct api_call *api_call(enum api_op op)
{
	return &calls[op];
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
	char ascii[1024];
	size_t n;

	if (j)
		return j;
	n = strnlen(text, sizeof(ascii) - 1);
	for (size_t i = 0; i < n; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	ascii[n] = '\0';
	return json_string(ascii);
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
