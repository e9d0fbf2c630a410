/* SPDX-License-Identifier: MIT */
/* test/unit/doctor_report.c - a report's shape, and what may not be in it. */
#include "doctor/report.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

static char *printed(const struct report *r, bool colour)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	report_print(r, out, colour);
	fclose(out);
	return text;
}

static struct report sample(void)
{
	struct report r;

	report_init(&r);
	report_place(&r, "host", "this host", "");
	report_add(&r, REPORT_OK, "a", "one", "seen %d", 1);
	report_place(&r, "instance", "web", "a guest");
	report_add(&r, REPORT_BROKEN, "b", "two", "worse");
	report_todo(&r, "do %s", "this");
	report_todo(&r, "then that");
	return r;
}

static void check_shape(void)
{
	struct report r = sample();
	const char *name, *state, *second;
	json_t *o = report_json(&r);
	int broken;
	char *text;

	CHECK("shape", json_unpack(o, "{s:i, s:[{}, {s:s, s:[{s:s, s:[s, s]}]}]}",
		"broken", &broken, "places", "name", &name, "checks", "state",
		&state, "todo", &text, &second) == 0);
	CHECK("values", broken == 1 && !strcmp(name, "web") &&
			!strcmp(state, "broken") &&
			!strcmp(second, "then that"));
	json_decref(o);

	text = printed(&r, false);
	CHECK("text", !strcmp(text,
		"this host\n"
		"  ok      one                       seen 1\n"
		"\n"
		"web: a guest\n"
		"  BROKEN  two                       worse\n"
		"          -> do this\n"
		"          -> then that\n"
		"\n"
		"1 thing is broken.\n"));
	free(text);
	text = printed(&r, true);
	CHECK("colour", strstr(text, "\033[1;31mBROKEN  \033[0mtwo"));
	free(text);
	report_fini(&r);
}

/* What comes from a registry or a guest does not reach the terminal raw. */
static void check_hostile(void)
{
	struct report r;
	char *text;

	report_init(&r);
	report_place(&r, "wsl", "a\033[2J", "b\n");
	report_add(&r, REPORT_NOTE, "x", "t\r", "%s", "\302\233m \177 \xff");
	report_todo(&r, "%s", "rm\b\b");
	report_add(&r, REPORT_NOTE, "y", "kept", "Zähler €");
	text = printed(&r, false);
	for (const char *p = text; *p; p++)
		CHECK("control", *p == '\n' || ((unsigned char)*p >= 0x20 &&
						(unsigned char)*p != 0x7f));
	CHECK("C1", !strstr(text, "\302\233"));
	CHECK("UTF-8", strstr(text, "Zähler €\n"));
	free(text);
	report_fini(&r);
}

static void check_wrapped(void)
{
	char word[400];
	struct report r;
	char *text, *line, *rest;

	memset(word, 'x', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	report_init(&r);
	report_place(&r, "host", "h", "");
	report_add(&r, REPORT_OK, "a", "tried", "one two three four five six "
		   "seven eight nine ten eleven twelve thirteen fourteen");
	report_add(&r, REPORT_OK, "b", "tried and found to be rather long",
		   "ééééé ééééé ééééé ééééé ééééé ééééé");
	text = printed(&r, false);
	for (rest = text; (line = strsep(&rest, "\n"));) {
		int n = 0;

		for (const char *p = line; *p; p++)
			n += (*p & 0xc0) != 0x80;
		CHECK("80 columns", n < 80);
	}
	free(text);
	report_add(&r, REPORT_OK, "c", word, "%s", word);
	text = printed(&r, false);
	CHECK("whole", strstr(text, word));
	free(text);
	report_fini(&r);
}

static json_t *load(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	if (!j)
		abort();
	return j;
}

/* What another process has found need not be what one expects. */
static void check_merge(void)
{
	static const char *const none[] = { "{}", "[1]", "[[]]", "[{}]",
		"[{\"state\": 1, \"todo\": {}}]",
		"[{\"state\": \"ok\", \"todo\": [1, null]}]" };
	struct report r = sample(), other;
	json_t *j, *many = json_array();

	report_init(&other);
	report_place(&other, "x", "y", "");
	CHECK("no list", !report_merge(&other, NULL));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		j = load(none[i]);
		CHECK(none[i], report_merge(&other, j) == json_is_array(j));
		json_decref(j);
	}
	CHECK("no state is broken", other.broken == 4);
	report_fini(&other);

	report_init(&other);
	report_place(&other, "x", "y", "");
	CHECK("merged", report_merge(&other, report_checks(&r)));
	CHECK("same", other.broken == 1 &&
		      json_equal(report_checks(&other), report_checks(&r)));
	for (unsigned i = 0; i < 1000; i++)
		json_array_append_new(many, load("{\"state\": \"ok\"}"));
	CHECK("many", report_merge(&other, many));
	CHECK("bounded", json_array_size(report_checks(&other)) < 100);
	json_decref(many);
	report_fini(&other);
	report_fini(&r);
}

void test_doctor_report(void);
void test_doctor_report(void)
{
	check_shape();
	check_hostile();
	check_wrapped();
	check_merge();
}
