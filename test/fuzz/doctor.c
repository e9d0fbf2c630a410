/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/doctor.c - what programs of Windows print, for slipway doctor
 *
 * The input is several texts, each ended by a NUL: rules, profile, rules and
 * profile of group policy, netstat, tasklist, mounts, .wslconfig, Hyper-V's;
 * and the whole is an answer of DNS.
 * Whatever they say: it ends; the report is JSON that nothing of a terminal
 * is in; a name within a command is quoted, so that no command follows it.
 */
#include <string.h>

#include "doctor/dnsanswer.h"
#include "doctor/powershell.h"
#include "doctor/winfw.h"
#include "doctor/wintext.h"
#include "fuzz/fuzz.h"

enum { RULES, PROFILE, POLICY, POLICY_PROFILE, NETSTAT, TASKLIST, MOUNTS,
       WSLCONFIG, HYPERV, TEXTS };

static void split(const uint8_t *data, size_t size, char *text[TEXTS])
{
	for (unsigned i = 0; i < TEXTS; i++) {
		const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
		const size_t len = nul ? (size_t)(nul - data) : size;

		text[i] = strndup(size ? (const char *)data : "", len);
		if (!text[i])
			abort();
		data += len + !!nul;
		size -= len + !!nul;
	}
}

/* Single quotes of a command, those within a word doubled, are in pairs. */
static void check_quotes(const char *text)
{
	char quoted[200];
	size_t inner = 0;
	const char *p;

	powershell_pattern(text, quoted, sizeof(quoted));
	PROPERTY(strlen(quoted) >= 2 && strlen(quoted) < sizeof(quoted));
	PROPERTY(quoted[0] == '\'' && quoted[strlen(quoted) - 1] == '\'');
	for (p = quoted + 1; p[1]; p++)
		inner += *p == '\'';
	PROPERTY(inner % 2 == 0);
}

static void check_text(const json_t *value)
{
	const char *s = json_string_value(value);

	PROPERTY(s);
	for (; *s; s++)
		PROPERTY((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void check_report(struct report *r)
{
	json_t *check, *todo;
	unsigned broken = 0;
	size_t i, j;

	json_array_foreach(report_checks(r), i, check) {
		check_text(json_object_get(check, "seen"));
		broken += !strcmp(json_string_value(json_object_get(check,
						    "state")), "broken");
		json_array_foreach(json_object_get(check, "todo"), j, todo)
			check_text(todo);
	}
	PROPERTY(broken == r->broken);
	PROPERTY(i < 64);
}

static void judge(char *text[TEXTS], uint16_t port, const char *program)
{
	const struct winfw_texts t = { text[RULES], text[PROFILE],
				       text[POLICY], text[POLICY_PROFILE] };
	const struct winfw_flow f = {
		.port = port, .program = program,
		.guest = ip_from_v4(0xac140002),
		.host = ip_from_v4(0xac140001),
		.subnet = { ip_from_v4(0xac140000), 20 },
	};
	struct report r;

	report_init(&r);
	report_place(&r, "windows", "", "");
	winfw_judge(&r, &t, &f);
	winfw_judge_hyperv(&r, text[HYPERV], port, program);
	check_report(&r);
	report_fini(&r);
}

static void read_texts(char *text[TEXTS])
{
	struct win_listener l[3];
	struct wslconfig c;
	char out[32] = "";

	PROPERTY(win_listeners(text[NETSTAT], 8000, l, 3) <= 3);
	PROPERTY(!win_image(text[TASKLIST], out, sizeof(out)) || *out);
	PROPERTY(!win_path(text[MOUNTS], "C:\\Users", out, sizeof(out)) ||
		 !strchr(out + strlen(out) - strlen("/Users"), '\\'));
	wslconfig_parse(text[WSLCONFIG], &c);
	PROPERTY(c.mode <= WSL_MODE_WSL1);
	check_quotes(text[RULES]);
	if (reg_text(text[PROFILE], "DisabledInterfaces", out, sizeof(out)))
		PROPERTY(strlen(out) < sizeof(out));
}

/* The input as an answer to a query of its own first bytes, and of ours. */
static void answer(const uint8_t *data, size_t size)
{
	static const uint8_t query[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0"
		"\1a\0\0\1\0\1";
	const struct view msg = { data, size };
	const struct view own = { query, sizeof(query) - 1 };
	const struct view echo = { data, size < 19 ? size : 19 };
	struct probe_answer a = { .n = 99 };

	if (!dnsanswer_parse(msg, own, &a))
		PROPERTY(a.n == 99);
	else
		PROPERTY(a.n <= PROBE_ADDRESSES && a.rcode <= 15 &&
			 strnlen(a.name, sizeof(a.name)) < sizeof(a.name));
	if (size >= 17 && dnsanswer_parse(msg, echo, &a))
		PROPERTY(a.n <= PROBE_ADDRESSES);
}

void fuzz_doctor(const uint8_t *data, size_t size)
{
	char *text[TEXTS];

	answer(data, size);
	split(data, size, text);
	read_texts(text);
	judge(text, 8000, "python.exe");
	judge(text, 8000, NULL);
	judge(text, 0, "python.exe");
	judge(text, 0, NULL);
	for (unsigned i = 0; i < TEXTS; i++)
		free(text[i]);
}
