/* SPDX-License-Identifier: MIT */
/*
 * cmd/firewall_import.c - `slipway firewall import`
 *
 * The file is read here, by whoever may read it; the keeper gets rules of
 * our own text. What is to be said of the file is put together first, so
 * that a field which two hundred rules have is said once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/firewall.h"
#include "cmd/import_notes.h"
#include "config/settings.h"
#include "firewall/import.h"
#include "firewall/text.h"

#define TEXT_MAX ((size_t)8 << 20)	/* of a request, less what is around it */

struct importing {
	const char *file;		/* its name, for people */
	struct view bytes;		/* owned, as is the block of set */
	struct rules set;
	struct import_result result;
	struct import_notes notes;
	struct windows_map map[VERB_MAPS_MAX];
	char *map_text[VERB_MAPS_MAX];
	unsigned n_maps;
	struct fail fail;
};

/* "python.exe=/usr/bin/python3", as --map has checked it. */
static int split_maps(struct importing *m, const struct config_verb *v)
{
	for (; m->n_maps < v->n_maps; m->n_maps++) {
		char *copy = strdup(v->map[m->n_maps]);
		char *to = copy ? strchr(copy, '=') : NULL;

		if (!to)
			return fail_set(&m->fail, "no memory; try again");
		*to = '\0';
		m->map_text[m->n_maps] = copy;
		m->map[m->n_maps] = (struct windows_map){ copy, to + 1 };
	}
	return 0;
}

/* All of it, up to one byte more than may be. */
static int slurp(struct importing *m, FILE *f)
{
	size_t cap = 1 << 16, len = 0;
	char *buf = malloc(cap), *grown;

	while (buf) {
		len += fread(buf + len, 1, cap - len, f);
		if (len < cap || len > IMPORT_MAX_BYTES)
			break;
		cap *= 2;
		grown = realloc(buf, cap);
		if (!grown)
			free(buf);
		buf = grown;
	}
	if (!buf)
		return fail_set(&m->fail, "no memory; try again");
	m->bytes = (struct view){ (uint8_t *)buf, len };
	if (ferror(f))
		return fail_set(&m->fail, "cannot be read: %s; see that it is "
				"a file you may read", strerror(errno));
	return 0;
}

static int read_file(struct importing *m, const char *path)
{
	const bool standard = !strcmp(path, "-");
	FILE *f = standard ? stdin : fopen(path, "re");
	int rc;

	m->file = standard ? "standard input" : path;
	if (!f)
		return fail_set(&m->fail, "cannot be opened: %s; give the "
				"name of a file, or -", strerror(errno));
	rc = slurp(m, f);
	if (!standard)
		fclose(f);
	return rc;
}

static int read_rules(struct importing *m)
{
	const struct windows_maps maps = { m->map, m->n_maps };
	const struct windows_sink sink = { import_note, &m->notes };
	struct import_needs needs;
	void *block, *scratch;

	if (!import_needs(m->bytes, &maps, &needs))
		return fail_set(&m->fail, "longer than 64 MiB; export no more "
				"than FirewallRules");
	block = malloc(rules_bytes(&needs.set));
	scratch = malloc(needs.scratch_bytes);
	if (block && scratch) {
		rules_init(&m->set, block, &needs.set);
		m->result = import_read(&m->set, m->bytes, &maps, &sink,
					scratch);
	} else {
		free(block);
		fail_set(&m->fail, "no memory; try again");
	}
	free(scratch);
	return block && scratch ? 0 : -1;
}

/* All rules as our own text, allocated. */
static char *print_rules(const struct rules *set)
{
	size_t len = 0, at = 0;
	char *text;

	for (uint32_t i = 0; i < set->used.rules; i++)
		len += text_print(set, &set->rule[i], NULL, 0) + 1;
	text = malloc(len + 1);
	for (uint32_t i = 0; text && i < set->used.rules; i++) {
		at += text_print(set, &set->rule[i], text + at, len + 1 - at);
		text[at++] = '\n';
	}
	if (text)
		text[at] = '\0';
	return text;
}

static int check_result(struct importing *m)
{
	if (m->result.errors)
		return fail_set(&m->fail, "%u errors, so nothing was "
				"imported; mend those lines, or take them "
				"out", m->result.errors);
	if (!m->result.rules)
		return fail_set(&m->fail, "no rule is in it; give what `reg "
				"query' prints of FirewallRules, see "
				"slipway(1), FIREWALL");
	return 0;
}

/* The summary last, so that a terminal still shows it. */
static void tell(struct importing *m, const struct config *c, FILE *out)
{
	struct import_counts counts;
	json_t *summary;

	import_count(&m->set, &counts);
	if (c->json) {
		summary = import_summary(&m->notes, &counts, &m->result);
		json_dumpf(summary, out, JSON_INDENT(2));
		fputc('\n', out);
		json_decref(summary);
	} else {
		import_notes_print(out, m->file, &m->notes);
		import_counts_print(out, m->file, &counts, &m->result);
	}
	json_decref(counts.never_block);
}

static int send_rules(struct importing *m, const struct config *c)
{
	char name[CONFIG_NAME_BYTES], *text = print_rules(&m->set);
	const size_t len = text ? strlen(text) : 0;
	json_t *answer = NULL;

	if (!text)
		return fail_set(&m->fail, "no memory; try again");
	if (c->verb.dry_run) {
		fputs(c->json ? "" : text, stdout);
		free(text);
		return 0;
	}
	if (len > TEXT_MAX - 1024)
		fail_set(&m->fail, "more than 8 MiB of rules; import them in "
			 "parts");
	else
		answer = firewall_ask(c, "firewall import", API_FIREWALL_ADD,
				      json_pack("{s:s, s:b, s:b, s:b}", "text",
						text, "once", c->once,
						"replace", 1, "keep_flows",
						c->verb.keep_flows), name,
				      &m->fail);
	free(text);
	json_decref(answer);
	return answer ? 0 : -1;
}

static int import(struct importing *m, const struct config *c,
		  const char *path)
{
	int rc = split_maps(m, &c->verb);

	if (rc == 0)
		rc = read_file(m, path);
	if (rc == 0)
		rc = read_rules(m);
	if (rc < 0)
		return rc;
	import_errors_print(stderr, m->file, &m->notes);
	rc = check_result(m);
	if (rc == 0)
		rc = send_rules(m, c);
	if (rc == 0)
		tell(m, c, c->verb.dry_run && !c->json ? stderr : stdout);
	return rc;
}

int firewall_import(char **argv)
{
	struct importing m = { .file = "" };
	struct fail fail;
	struct config c;
	int done = cmd_options(&c, FOR_FW_IMPORT, argv, &argv), rc;

	if (done >= 0)
		return done;
	if (!argv[0] || argv[1])
		return firewall_usage("firewall import", "one FILE is needed, "
				      "or - for the standard input");
	import_notes_init(&m.notes);
	rc = import(&m, &c, argv[0]);
	import_notes_fini(&m.notes);
	while (m.n_maps)
		free(m.map_text[--m.n_maps]);
	free((void *)(uintptr_t)m.bytes.p);
	free(m.set.rule);
	if (rc == 0)
		return EXIT_DONE;
	fail_set(&fail, "%.100s: %s", m.file, m.fail.text);
	return cmd_fail(&fail, EXIT_FAILED);
}
