/* SPDX-License-Identifier: MIT */
#include "control/render_ports.h"

#include <stdbool.h>
#include <string.h>

#include "control/member.h"
#include "control/table.h"

#define CELL 128

static const char *udp_mark(json_t *o)
{
	return strcmp(text_at(o, "protocol"), "udp") ? "" : "/udp";
}

static void add_row(json_t *rows, const char *name, const char *host,
		    const char *guest, const char *state)
{
	json_array_append_new(rows, json_pack("[s, s, s, s]", name, host,
					      guest, state));
}

static void add_half(json_t *rows, const char *name, json_t *f,
		     const char *family, const char *at)
{
	json_t *half = json_object_get(f, family);
	char host[CELL];
	const char *why;

	/* What is published has a row of its own. */
	if (!half || !strcmp(text_at(half, "state"), "published"))
		return;
	why = text_at(half, "why");
	snprintf(host, sizeof(host), "%s:%lld%s", at,
		 (long long)json_integer_value(json_object_get(f, "port")),
		 udp_mark(f));
	add_row(rows, name, host, text_at(half, "to"),
		*why ? why : "localhost");
}

static bool has(json_t *list, const char *text)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (!strcmp(json_string_value(item), text))
			return true;
	return false;
}

/* All that there is of an entry, or that it waits. */
static void add_entry(json_t *rows, const char *name, json_t *ports,
		      const char *entry)
{
	const char *kept = has(json_object_get(ports, "kept"), entry) ?
			   ", kept" : "";
	char host[CELL], state[CELL];
	unsigned n = 0;
	json_t *p;
	size_t i;

	json_array_foreach(json_object_get(ports, "published"), i, p) {
		const char *why = text_at(p, "why");

		if (strcmp(text_at(p, "publish"), entry))
			continue;
		n++;
		snprintf(host, sizeof(host), "%s%s", text_at(p, "at"),
			 udp_mark(p));
		snprintf(state, sizeof(state), "published%s", kept);
		add_row(rows, name, host, text_at(p, "to"),
			*why ? why : state);
	}
	snprintf(state, sizeof(state), "published%s; the guest does not "
		 "listen there", kept);
	if (!n)
		add_row(rows, name, entry, "-", state);
}

void render_ports_add(json_t *rows, const char *name, json_t *ports)
{
	json_t *f;
	size_t i;

	json_array_foreach(json_object_get(ports, "forwards"), i, f) {
		add_half(rows, name, f, "ipv4", "127.0.0.1");
		add_half(rows, name, f, "ipv6", "[::1]");
	}
	json_array_foreach(json_object_get(ports, "publish"), i, f)
		add_entry(rows, name, ports, json_string_value(f));
}

void render_ports(FILE *out, json_t *rows)
{
	static const char *const heads[] = { "NAME", "HOST", "GUEST",
					     "STATE" };

	if (json_array_size(rows))
		table_print(out, heads, 4, rows);
	else
		fputs("No port is forwarded.\n", out);
}

void render_publish(FILE *out, const char *name, json_t *answer)
{
	json_t *list = json_object_get(answer, "published"), *p;
	size_t i;

	json_array_foreach(list, i, p)
		fprintf(out, "%s: %s%s -> %s\n", name, text_at(p, "at"),
			udp_mark(p), text_at(p, "to"));
	if (!json_array_size(list))
		fprintf(out, "%s: %s opens when the guest listens there\n",
			name, text_at(answer, "publish"));
}
