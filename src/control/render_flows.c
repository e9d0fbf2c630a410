/* SPDX-License-Identifier: MIT */
#include "control/render_flows.h"

#include <stdbool.h>
#include <string.h>

#include "control/member.h"
#include "control/table.h"

#define CELL 32
#define END_CELL 64

static json_int_t number_at(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* Bytes as `ls -h` has them: 987, 9.8K, 98K, 9.8M. */
static void bytes_cell(char *cell, json_int_t n)
{
	static const char units[] = "KMGTPE";
	double v = (double)n;
	unsigned i = 0;

	if (n < 1024) {
		snprintf(cell, CELL, "%lld", (long long)n);
		return;
	}
	for (v /= 1024; v >= 1023.5 && i < 5; i++)
		v /= 1024;
	snprintf(cell, CELL, v < 9.95 ? "%.1f%c" : "%.0f%c", v, units[i]);
}

static void rtt_cell(char *cell, json_t *flow)
{
	const json_int_t us = number_at(flow, "rtt_us");

	if (!us)
		strcpy(cell, "-");
	else if (us < 10000)
		snprintf(cell, CELL, "%.2fms", (double)us / 1000);
	else
		snprintf(cell, CELL, "%.0fms", (double)us / 1000);
}

static void age_cell(char *cell, json_int_t s)
{
	if (s < 60)
		snprintf(cell, CELL, "%llds", (long long)s);
	else if (s < 3600)
		snprintf(cell, CELL, "%lldm%llds", (long long)(s / 60),
			 (long long)(s % 60));
	else
		snprintf(cell, CELL, "%lldh%lldm", (long long)(s / 3600),
			 (long long)(s / 60 % 60));
}

/* NAME:PORT, of a guest of several; else as it is. */
static const char *end_cell(char *cell, json_t *flow, const char *key,
			    const char *name_key)
{
	const char *name = text_at(flow, name_key), *end = text_at(flow, key);
	const char *port = strrchr(end, ':');

	if (!*name)
		return end;
	snprintf(cell, END_CELL, "%s%s", name, port ? port : "");
	return cell;
}

void render_flows_add(json_t *rows, const char *name, json_t *answer)
{
	char sent[CELL], received[CELL], rtt[CELL], age[CELL];
	char guest[END_CELL], peer[END_CELL];
	json_t *f;
	size_t i;

	json_array_foreach(json_object_get(answer, "flows"), i, f) {
		const bool by_peer = !strcmp(text_at(f, "begun_by"), "peer");

		bytes_cell(sent, number_at(f, "from_guest"));
		bytes_cell(received, number_at(f, "to_guest"));
		rtt_cell(rtt, f);
		age_cell(age, number_at(f, "age_s"));
		json_array_append_new(rows, json_pack(
			"[s, s, s, s, s, s, s, s, s, s]", name,
			text_at(f, "protocol"),
			end_cell(guest, f, "guest", "guest_name"),
			by_peer ? "<-" : "->",
			end_cell(peer, f, "peer", "peer_name"),
			text_at(f, "state"), sent, received, rtt, age));
	}
}

void render_flows(FILE *out, json_t *rows, json_int_t more)
{
	static const char *const heads[] = {
		"NAME", "PROTO", "GUEST", "", "PEER", "STATE", "SENT",
		"RECEIVED", "RTT", "AGE",
	};

	if (json_array_size(rows))
		table_print(out, heads, 10, rows);
	else
		fputs("No flow lives.\n", out);
	if (more)
		fprintf(out, "and %lld more\n", (long long)more);
}
