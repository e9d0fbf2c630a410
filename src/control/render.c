/* SPDX-License-Identifier: MIT */
#include "control/render.h"

#include <string.h>

#include "control/member.h"
#include "control/table.h"

#define COLUMNS	7
#define CELL	64

static const char *const heads[COLUMNS] = {
	"NAME", "PID", "GUEST", "GATEWAY", "LOCALHOST", "MTU", "DNS",
};

static long long number_at(json_t *o, const char *outer, const char *key)
{
	if (outer)
		o = json_object_get(o, outer);
	return (long long)json_integer_value(json_object_get(o, key));
}

/* What stands behind a port that is not of TCP. */
static const char *udp_mark(json_t *o)
{
	return strcmp(text_at(o, "protocol"), "udp") ? "" : "/udp";
}

static int is_open(json_t *forward)
{
	static const char *const families[] = { "ipv4", "ipv6" };

	for (unsigned i = 0; i < 2; i++) {
		const char *state = text_in(forward, families[i], "state");

		if (!strcmp(state, "open") || !strcmp(state, "published"))
			return 1;
	}
	return 0;
}

/* Add item to a list in a cell; false if it does not fit any more. */
static int add_item(char *cell, const char *item)
{
	const size_t n = strlen(cell);

	/* Room is left for the count of those that do not fit. */
	if (n + strlen(item) + 1 > 40)
		return 0;
	snprintf(cell + n, CELL - n, "%s%s", n ? "," : "", item);
	return 1;
}

static void end_list(char *cell, unsigned left_out)
{
	const size_t n = strlen(cell);

	if (left_out)
		snprintf(cell + n, CELL - n, ",+%u", left_out);
	else if (n == 0)
		strcpy(cell, "-");
}

static void forwards_cell(char *cell, json_t *o)
{
	json_t *list = json_object_get(o, "forwards"), *f;
	unsigned left_out = 0;
	char item[16];
	size_t i;

	json_array_foreach(list, i, f) {
		if (!is_open(f))
			continue;
		snprintf(item, sizeof(item), "%lld%s",
			 number_at(f, NULL, "port"), udp_mark(f));
		left_out += !add_item(cell, item);
	}
	if (!*cell && !left_out && !strcmp(text_at(o, "localhost"),
					   "off"))
		strcpy(cell, "off");
	end_list(cell, left_out);
}

static void dns_cell(char *cell, json_t *o)
{
	json_t *list = json_object_get(o, "dns"), *server;
	unsigned left_out = 0;
	size_t i;

	json_array_foreach(list, i, server)
		left_out += !add_item(cell, json_string_value(server));
	end_list(cell, left_out);
}

static json_t *row_of(json_t *o)
{
	char pid[CELL], mtu[CELL], forwards[CELL] = "", dns[CELL] = "";

	snprintf(pid, sizeof(pid), "%lld", number_at(o, NULL, "pid"));
	snprintf(mtu, sizeof(mtu), "%lld", number_at(o, NULL, "mtu"));
	forwards_cell(forwards, o);
	dns_cell(dns, o);
	return json_pack("[s, s, s, s, s, s, s]", text_at(o, "name"),
			 pid, text_in(o, "guest", "ipv4"),
			 text_in(o, "gateway", "ipv4"), forwards, mtu, dns);
}

void render_warnings(FILE *out, json_t *list)
{
	json_t *seen = json_object(), *o, *w;
	size_t i, j;

	json_array_foreach(list, i, o) {
		json_array_foreach(json_object_get(o, "warnings"), j, w) {
			const char *text = json_string_value(w);

			if (!text || json_object_get(seen, text))
				continue;
			if (!json_object_size(seen))
				fputc('\n', out);
			json_object_set_new(seen, text, json_true());
			fprintf(out, "%s: %s\n", text_at(o, "name"),
				text);
		}
	}
	json_decref(seen);
}

void render_table(FILE *out, json_t *list)
{
	json_t *rows = json_array(), *o;
	size_t i;

	json_array_foreach(list, i, o)
		json_array_append_new(rows, row_of(o));
	table_print(out, heads, COLUMNS, rows);
	json_decref(rows);
	render_warnings(out, list);
}

/* "label   a, b" with what is not there left out. */
static void pair(FILE *out, const char *label, const char *a, const char *b)
{
	fprintf(out, "%-12s%s%s%s\n", label, a, *a && *b ? ", " : "", b);
}

static void print_half(FILE *out, json_t *f, const char *label,
		       const char *family, const char *at)
{
	json_t *half = json_object_get(f, family);
	const char *why;

	if (!half)
		return;
	why = text_at(half, "why");
	fprintf(out, "%-12s%s:%lld%s -> %s%s%s\n", label, at,
		number_at(f, NULL, "port"), udp_mark(f),
		text_at(half, "to"), *why ? ": " : "", why);
}

static void print_halves(FILE *out, json_t *list, const char *label)
{
	json_t *f;
	size_t i;

	json_array_foreach(list, i, f) {
		print_half(out, f, label, "ipv4", "127.0.0.1");
		print_half(out, f, label, "ipv6", "[::1]");
	}
}

static void print_forwards(FILE *out, json_t *o)
{
	json_t *list = json_object_get(o, "forwards");

	if (!json_array_size(list)) {
		const char *mode = text_at(o, "localhost");

		pair(out, "localhost", mode,
		     strcmp(mode, "off") ? "no ports now" : "");
		return;
	}
	print_halves(out, list, "localhost");
}

static void print_refused(FILE *out, json_t *o)
{
	if (json_object_get(o, "binds_refused"))
		fprintf(out, "%-12s%lld binds of ports that localhost has "
			"already\n", "refused", number_at(o, NULL,
							    "binds_refused"));
}

/* One line for each that there is, and for each that waits for its port. */
static void print_published(FILE *out, json_t *o)
{
	json_t *entry, *p, *there = json_object_get(o, "published");
	size_t i, j;

	json_array_foreach(json_object_get(o, "publish"), i, entry) {
		const char *text = json_string_value(entry);
		unsigned n = 0;

		json_array_foreach(there, j, p) {
			const char *why = text_at(p, "why");

			if (strcmp(text_at(p, "publish"), text))
				continue;
			n++;
			fprintf(out, "%-12s%s%s -> %s%s%s\n", "published",
				text_at(p, "at"), udp_mark(p),
				text_at(p, "to"), *why ? ": " : "",
				why);
		}
		if (!n)
			fprintf(out, "%-12s%s: the guest does not listen "
				"there\n", "published", text);
	}
}

/* Where there are several. */
static void print_guests(FILE *out, json_t *o)
{
	json_t *list = json_object_get(o, "guests"), *g;
	size_t i;

	if (json_array_size(list) < 2)
		return;
	json_array_foreach(list, i, g) {
		const char *ipv6 = text_at(g, "ipv6");

		fprintf(out, "%-12s%s: %s%s%s, %s, ", "guests",
			text_at(g, "name"), text_at(g, "ipv4"),
			*ipv6 ? ", " : "", ipv6, text_at(g, "mac"));
		if (json_object_get(g, "link"))
			fprintf(out, "link %lld, ", number_at(g, NULL, "link"));
		fputs(json_is_true(json_object_get(g, "up")) ? "up\n" :
							       "down\n", out);
	}
	if (json_is_true(json_object_get(o, "isolate")))
		pair(out, "isolate", "they do not reach each other", "");
}

static void print_servers(FILE *out, json_t *list)
{
	json_t *server;
	size_t i;

	json_array_foreach(list, i, server)
		fprintf(out, "%s%s", i ? ", " : "",
			json_string_value(server));
	if (!json_array_size(list))
		fputs("none", out);
}

static void print_dns(FILE *out, json_t *o)
{
	const char *search = text_at(o, "search");
	json_t *zone;
	size_t i;

	fprintf(out, "%-12s", "dns");
	print_servers(out, json_object_get(o, "dns"));
	fputc('\n', out);
	json_array_foreach(json_object_get(o, "domains"), i, zone) {
		fprintf(out, "%-12s", "");
		print_servers(out, json_object_get(zone, "servers"));
		fprintf(out, " alone for %s\n", text_at(zone, "domain"));
	}
	if (*search)
		pair(out, "search", search, "");
}

static void print_counters(FILE *out, json_t *o)
{
	json_t *drops = json_object_get(o, "drops"), *n;
	const char *reason, *gap = "";

	if (!json_object_get(o, "flows"))
		return;
	fprintf(out, "%-12s%lld tcp, %lld udp, %lld ping, %lld of localhost; "
		"at most %lld\n", "flows", number_at(o, "flows", "tcp"),
		number_at(o, "flows", "udp"), number_at(o, "flows", "icmp"),
		number_at(o, "flows", "relays"),
		number_at(o, "flows", "max"));
	fprintf(out, "%-12s%lld bytes from the guest, %lld to it, "
		"%lld retransmissions\n", "traffic",
		number_at(o, "traffic", "bytes_from_guest"),
		number_at(o, "traffic", "bytes_to_guest"),
		number_at(o, "traffic", "retransmits"));
	fprintf(out, "%-12s%lld asked, %lld from the cache, "
		"%lld failed, %lld refused\n", "questions",
		number_at(o, "questions", "asked"),
		number_at(o, "questions", "from_cache"),
		number_at(o, "questions", "failed"),
		number_at(o, "questions", "refused"));
	if (!json_object_size(drops))
		return;
	fprintf(out, "%-12s", "dropped");
	json_object_foreach(drops, reason, n) {
		fprintf(out, "%s%lld %s", gap,
			(long long)json_integer_value(n), reason);
		gap = ", ";
	}
	fputc('\n', out);
}

/* Of machines: who there speaks with us. whose: "", or "NAME: ". */
static void print_agent(FILE *out, json_t *g, const char *whose,
			const char *colon)
{
	const json_t *agent = json_object_get(g, "agent");
	const json_t *boot = json_object_get(g, "boot");

	if (agent)
		fprintf(out, "%-12s%s%sslipway %s in %s, since %s\n", "agent",
			whose, colon, text_at(agent, "version"),
			text_at(agent, "hostname"), text_at(agent, "since"));
	if (boot)
		fprintf(out, "%-12s%s%sthe command has ended with status "
			"%lld\n", "boot", whose, colon,
			number_at(g, "boot", "status"));
}

static void print_agents(FILE *out, json_t *o)
{
	json_t *list = json_object_get(o, "guests"), *g;
	size_t i;

	print_agent(out, o, "", "");
	json_array_foreach(list, i, g) {
		if (!i)
			continue;
		print_agent(out, g, text_at(g, "name"), ": ");
		print_halves(out, json_object_get(g, "mirrors"), text_at(g,
								 "name"));
	}
}

void render_details(FILE *out, json_t *o)
{
	json_t *w;
	size_t i;

	pair(out, "name", text_at(o, "name"), "");
	fprintf(out, "%-12s%lld\n", "pid", number_at(o, NULL, "pid"));
	pair(out, "command", text_at(o, "command"), "");
	pair(out, "guest", text_in(o, "guest", "ipv4"),
	     text_in(o, "guest", "ipv6"));
	pair(out, "gateway", text_in(o, "gateway", "ipv4"),
	     text_in(o, "gateway", "ipv6"));
	pair(out, "nameserver", text_in(o, "gateway", "ipv4"), "");
	pair(out, "subnet", text_in(o, "subnet", "ipv4"),
	     text_in(o, "subnet", "ipv6"));
	pair(out, "mac", text_in(o, "guest", "mac"), "");
	if (json_object_get(o, "joined"))
		pair(out, "joined", text_at(o, "joined"), "");
	print_guests(out, o);
	fprintf(out, "%-12s%lld\n", "mtu", number_at(o, NULL, "mtu"));
	print_dns(out, o);
	pair(out, "host access", text_at(o, "host_access"), "");
	pair(out, "interface", json_object_get(o, "host_interface") ?
	     text_at(o, "host_interface") :
	     "none: the gateway is virtual", "");
	print_forwards(out, o);
	print_halves(out, json_object_get(o, "mirrors"), "in guest");
	print_refused(out, o);
	print_agents(out, o);
	print_published(out, o);
	print_counters(out, o);
	pair(out, "log", text_at(o, "log"), "");
	json_array_foreach(json_object_get(o, "warnings"), i, w)
		pair(out, "warning", json_string_value(w), "");
}
