/* SPDX-License-Identifier: MIT */
/* test/unit/control_status.c - requests, and the shape of a status. */
#include "control/status.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/render.h"
#include "control/request.h"
#include "test.h"

static void check_requests(void)
{
	static const struct {
		const char *line;
		enum request_op op;
	} cases[] = {
		{ "{\"op\":\"status\"}", REQUEST_STATUS },
		{ " { \"op\" : \"stop\" } ", REQUEST_STOP },
		{ "{\"op\":\"exec\",\"more\":1}", REQUEST_EXEC },
		{ "{\"op\":\"dance\"}", REQUEST_NONE },
		{ "{\"op\":1}", REQUEST_NONE }, { "{\"op\":\"\"}", REQUEST_NONE },
		{ "{}", REQUEST_NONE }, { "[]", REQUEST_NONE },
		{ "\"status\"", REQUEST_NONE }, { "", REQUEST_NONE },
		{ "status", REQUEST_NONE }, { "{\"op\":\"status\"", REQUEST_NONE },
		{ "{\"op\":\"stop\",\"op\":\"status\"}", REQUEST_NONE },
		{ "{\"op\":\"\xff\"}", REQUEST_NONE },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK(cases[i].line,
		      request_parse(cases[i].line, strlen(cases[i].line)) ==
		      cases[i].op);
	for (unsigned op = REQUEST_STATUS; op <= REQUEST_EXEC; op++) {
		char *line = request_make((enum request_op)op);

		CHECK("round trip", line && line[strlen(line) - 1] == '\n' &&
		      request_parse(line, strlen(line) - 1) == op);
		free(line);
	}
}

static const struct forward_status forwards[] = {
	{ .port = 8000, .half = { { .state = FORWARD_OPEN },
				  { .state = FORWARD_OPEN } } },
	{ .port = 9000, .half = { { .state = FORWARD_FAILED,
				    .why = "nginx (pid 12) has the port" },
				  { .state = FORWARD_NONE } } },
};

static struct status sample(void)
{
	return (struct status){
		.name = "web", .command = "serve \xff", .hostname = "ship",
		.search = "", .log = "/run/slipway/web.log",
		.pid = 11, .keeper = 12,
		.net4 = { ip_from_v4(0xac140000), 20 },
		.guest4 = ip_from_v4(0xac140002),
		.gateway4 = ip_from_v4(0xac140001),
		.mtu = 1500, .n_dns = 1, .dns = { ip_from_v4(0xc0000201) },
		.ping4 = true,
		.forwards = forwards, .n_forwards = 2,
	};
}

static json_t *object_of(const struct status *s)
{
	char *line = status_line(s);
	json_t *o = line ? json_loads(line, 0, NULL) : NULL;

	CHECK("one line", line && strchr(line, '\n') ==
			  line + strlen(line) - 1);
	CHECK("an object", json_is_object(o));
	free(line);
	return o;
}

static void check_shape(void)
{
	struct status_counters counters = { .flows_tcp = 3 };
	struct status s = sample();
	const char *guest, *why;
	json_t *o = object_of(&s);
	int port, tcp = 0;

	CHECK("shape", json_unpack(o, "{s:{s:s}, s:[{s:i}, {s:{s:s}}]}",
		"guest", "ipv4", &guest, "forwards", "port", &port,
		"ipv4", "why", &why) == 0 && port == 8000 &&
	      !strcmp(guest, "172.20.0.2") && strstr(why, "nginx"));
	CHECK("no IPv6", !json_object_get(json_object_get(o, "guest"),
					  "ipv6"));
	CHECK("no counters", !json_object_get(o, "flows"));
	CHECK("one warning", json_array_size(json_object_get(o, "warnings"))
			     == 1);
	json_decref(o);

	counters.drops[DROP_SHORT] = 2;
	s.counters = &counters;
	s.ping4 = false;
	o = object_of(&s);
	CHECK("flows", json_unpack(o, "{s:{s:i}}", "flows", "tcp", &tcp) == 0 &&
		       tcp == 3);
	CHECK("drops that are not zero",
	      json_object_size(json_object_get(o, "drops")) == 1);
	CHECK("ping", json_array_size(json_object_get(o, "warnings")) == 2);
	json_decref(o);
}

/* What people see: aligned, and what is wrong below. */
static void check_table(void)
{
	static const char want[] =
		"NAME  PID  GUEST       GATEWAY     LOCALHOST  MTU   DNS\n"
		"web   11   172.20.0.2  172.20.0.1  8000       1500  "
		"192.0.2.1\n\n"
		"web: 127.0.0.1:9000 is not forwarded: nginx (pid 12) has "
		"the port\n";
	const struct status s = sample();
	json_t *list = json_array();
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	json_array_append_new(list, object_of(&s));
	render_table(f, list);
	fclose(f);
	CHECK("table", !strcmp(text, want));
	free(text);
	json_decref(list);
}

void test_control_status(void);
void test_control_status(void)
{
	check_requests();
	check_shape();
	check_table();
}
