/* SPDX-License-Identifier: MIT */
/* test/unit/control_status.c - the shape of a status, and its table. */
#include "control/status.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "control/render.h"
#include "control/render_ports.h"
#include "test.h"

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

static void check_shape(void)
{
	struct network_stats counters = { .flows_tcp = 3 };
	struct status s = sample();
	const char *guest, *why;
	json_t *o = status_json(&s);
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
	o = status_json(&s);
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

	json_array_append_new(list, status_json(&s));
	render_table(f, list);
	fclose(f);
	CHECK("table", !strcmp(text, want));
	free(text);
	json_decref(list);
}

static const struct publish_entry entries[] = {
	{ .used = true, .kept = true, .what = { .text = "8080:80" } },
	{ .used = false, .what = { .text = "not there" } },
	{ .used = true, .what = { .text = "53/udp", .udp = true } },
};

static void check_ports(void)
{
	static const char want[] =
		"NAME  HOST            GUEST          STATE\n"
		"web   127.0.0.1:8000  [::]:0         localhost\n"
		"web   [::1]:8000      [::]:0         localhost\n"
		"web   127.0.0.1:9000  [::]:0         nginx (pid 12) has the "
		"port\n"
		"web   0.0.0.0:8080    172.20.0.2:80  published, kept\n"
		"web   53/udp          -              published; the guest "
		"does not listen there\n";
	const struct publish_status there = {
		.entry = &entries[0].what, .state = FORWARD_OPEN,
		.at = { ip_from_v4(0), 8080 },
		.to = { ip_from_v4(0xac140002), 80 },
	};
	struct status s = sample();
	json_t *rows = json_array(), *ports;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	s.publish = entries;
	s.n_publish = 3;
	s.published = &there;
	s.n_published = 1;
	ports = status_ports_json(&s);
	render_ports_add(rows, "web", ports);
	render_ports(f, rows);
	fclose(f);
	CHECK(text, !strcmp(text, want));
	free(text);
	json_decref(ports);
	json_decref(rows);
}

/* A domain with servers of its own, in JSON and as text. */
static void check_domains(void)
{
	static const struct dns_zone zones[] = {
		{ .name = "office.test", .n = 2, .at = {
			{ .ip = { .b = { [10] = 0xff, 0xff, 10, 0, 0, 53 } } },
			{ .ip = { .b = { [10] = 0xff, 0xff, 10, 0, 0, 54 } } },
		} },
	};
	struct status s = sample();
	const char *domain = "", *server = "";
	char *text = NULL;
	json_t *o;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	s.zones = zones;
	s.n_zones = 1;
	o = status_json(&s);
	CHECK("JSON", json_unpack(o, "{s:[{s:s, s:[s, s]}!]}", "domains",
		"domain", &domain, "servers", &server, &(const char *){ "" })
		== 0 && !strcmp(domain, "office.test") &&
	      !strcmp(server, "10.0.0.53"));
	render_details(f, o);
	fclose(f);
	CHECK(text, strstr(text, "\ndns         192.0.2.1\n"
		"            10.0.0.53, 10.0.0.54 alone for office.test\n"));
	free(text);
	json_decref(o);
}

void test_control_status(void);
void test_control_status(void)
{
	check_shape();
	check_domains();
	check_table();
	check_ports();
}
