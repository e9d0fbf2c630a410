/* SPDX-License-Identifier: MIT */
/* test/unit/cmd_import.c - what is said of a file of imported rules. */
#include "cmd/import_notes.h"

#include "firewall_set.h"

#define V "v2.30|Active=TRUE|"

static const char file[] =
	V "Action=Block|Dir=In|Name=a|Edge=TRUE|\n"
	V "Action=Block|Dir=In|Name=b|Edge=FALSE|\n"
	V "Action=Block|Dir=In|Name=c|Svc=x|\n"
	"v2.30|Active=FALSE|Action=Block|Dir=In|Name=d|Svc=y|\n"
	V "Action=Allow|Dir=In|Name=e|Svc=x|App=C:\\e.exe|\n"
	V "Action=Block|Dir=In|Name=f|App=C:\\e.exe|\n"
	V "Action=Block|Dir=In|Name=g|App=/usr/bin/g|\n"
	"two\n"
	"words\n";

/* Each finding once, where it was first, and how often it was. */
static const char notes_text[] =
	"x.reg:1:46: Edge=TRUE: says nothing here (and once more)\n"
	"x.reg:3:46: Svc=x: holds for nothing here (and 2 times more)\n"
	"x.reg:5:56: C:\\e.exe: is no program of this system; --map says "
	"which one it is (and once more)\n"
	"x.reg:8:1: two: no rule (and once more)\n";

static const char counts_text[] =
	"x.reg: 7 rules, 6 enabled\n"
	"2 have fields without meaning here, which are kept\n"
	"4 never match here\n"
	"2 of those are blocks in force on Windows: 'c', 'f'\n"
	"2 values or lines are no rules, and were passed over\n";

static struct import_result read_file(struct rules *set, const char *text,
				      struct import_notes *notes)
{
	const struct windows_sink sink = { import_note, notes };
	struct import_needs needs;
	struct import_result result;
	void *scratch;

	CHECK("room", import_needs(view_of(text), NULL, &needs));
	scratch = malloc(needs.scratch_bytes);
	if (!scratch)
		abort();
	set_open(set, needs.set);
	import_notes_init(notes);
	result = import_read(set, view_of(text), NULL, &sink, scratch);
	free(scratch);
	return result;
}

static void check_findings(void)
{
	struct import_notes notes;
	struct import_counts counts;
	struct import_result result;
	json_t *summary;
	char *text = NULL;
	struct rules set;
	int rules, n = 0;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	result = read_file(&set, file, &notes);
	import_count(&set, &counts);
	import_notes_print(f, "x.reg", &notes);
	fflush(f);
	CHECK(text, !strcmp(text, notes_text));
	rewind(f);
	import_counts_print(f, "x.reg", &counts, &result);
	fclose(f);
	CHECK(text, len == sizeof(counts_text) - 1 &&
		    !strncmp(text, counts_text, len));
	summary = import_summary(&notes, &counts, &result);
	CHECK("summary", json_unpack(summary, "{s:i, s:[{s:i}]}", "rules",
				     &rules, "notes", "times", &n) == 0 &&
			 rules == 7 && n == 2);
	json_decref(summary);
	json_decref(counts.never_block);
	import_notes_fini(&notes);
	free(set.rule);
	free(text);
}

/* Each error is told, but of a file of nothing else not all. */
static void check_errors(void)
{
	char bad[200 * 24] = "";
	struct import_notes notes;
	struct rules set;
	char *text = NULL;
	unsigned lines = 0;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (unsigned i = 0; i < 200; i++)
		strcat(bad, "v2.30|Action=Deny|\n");
	CHECK("errors", read_file(&set, bad, &notes).errors == 200);
	import_errors_print(f, "x", &notes);
	fclose(f);
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	CHECK(text, lines == IMPORT_ERRORS_SHOWN + 1);
	CHECK(text, !strncmp(text, "x:1:14: Deny: Allow, Block or", 29));
	CHECK(text, strstr(text, "x:50:14: "));
	CHECK(text, strstr(text, "x: and 150 errors more\n"));
	import_notes_fini(&notes);
	free(set.rule);
	free(text);
}

void test_cmd_import(void);
void test_cmd_import(void)
{
	check_findings();
	check_errors();
}
