/* SPDX-License-Identifier: MIT */
/* test/unit/control_firewall.c - rules and verdicts as people see them. */
#include "control/render_firewall.h"

#include <stdlib.h>
#include <string.h>

#include "control/shown.h"
#include "test.h"

/* Text of a fixed room, and what is shown of it. */
static const struct {
	const char *text, *shown;
} cells[] = {
	{ "plain", "plain" },
	{ "123456789", "123456789" },
	{ "1234567890", "123456…" },
	{ "12345é7890", "12345…" },
	{ "1234é67890", "1234é…" },
	{ "\x1b[31m\n\t\x7f", "?[31m???" },
	{ "a\xc2\x9b" "b", "a?b" },		/* CSI of ISO 6429 */
	{ "é", "é" },
	{ "", "" },
};

static void check_cells(void)
{
	char buf[10];

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		memset(buf, '#', sizeof(buf));
		CHECK(cells[i].shown, !strcmp(shown(cells[i].text, buf,
						    sizeof(buf)),
					      cells[i].shown));
	}
}

static const struct {
	const char *word, *quoted;
} words[] = {
	{ "firewall", "firewall" },
	{ "--from", "--from" },
	{ "172.20.0.1:80", "172.20.0.1:80" },
	{ "/usr/bin/g++", "/usr/bin/g++" },
	{ "", "''" },
	{ "guest web", "'guest web'" },
	{ "*.test", "'*.test'" },
	{ "~", "'~'" },
	{ "$(reboot)", "'$(reboot)'" },
	{ "a'b", "'a'\\''b'" },
	{ "a\\b", "'a\\b'" },
	{ "é", "'é'" },
	{ "a\nb'\\", "$'a\\012b\\'\\\\'" },
	{ "é\x1b", "$'\\303\\251\\033'" },
};

static char *text_of_word(const char *word)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	shown_word(f, word);
	fclose(f);
	return text;
}

static void check_words(void)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		char *text = text_of_word(words[i].word);

		CHECK(text, !strcmp(text, words[i].quoted));
		free(text);
	}
}

static const char answer[] =
	"{'profile': 'public', 'on': false, 'off_for_s': 61,"
	" 'block_action': 'refuse', 'defaults': {'in_from_guest': 'block',"
	" 'in_from_host': 'allow', 'in_from_lan': 'block', 'out': 'allow'},"
	" 'blocked': 7, 'not_told': 2, 'rules': ["
	"{'name': 'no web', 'from': 'added', 'enabled': true, 'hits': 5,"
	" 'finding': 'works', 'text': '[rule no web]\\naction = block\\n"
	"direction = in\\nprotocol = tcp\\nlocalPort = 80, 8000\\n"
	"id = {1}\\ndescription = x\\n'},"
	"{'name': 'all\\u001b', 'from': '/a.conf', 'enabled': false,"
	" 'hits': 0, 'finding': 'off',"
	" 'text': '[rule all]\\naction = allow\\ndirection = out\\n"
	"enabled = false\\n'},"
	"{'name': 'lost', 'from': 'added', 'enabled': true, 'hits': 0,"
	" 'finding': 'shadowed', 'by': 'no web',"
	" 'text': '[rule = lost]\\naction = allow\\ndirection = in\\n"
	"protocol = tcp\\nlocalPort = 80\\n'}]}";

static const char table[] =
	"web: profile public\n"
	"OFF for 61 seconds more: everything passes\n"
	"without a rule: in from guests block, from the host allow, from "
	"other machines block; out allow\n"
	"7 flows were blocked, and refused; 2 of them were too many for the "
	"log\n\n"
	"RULE    FROM     DIR  ACTION       HITS  FOR\n"
	"no web  added    in   block        5     tcp; localPort 80, 8000\n"
	"all?    /a.conf  out  allow (off)  0     everything\n"
	"lost    added    in   allow        0     tcp; localPort 80\n\n"
	"1 of these rules can have no effect; see slipway firewall list "
	"--check\n";

static const char check[] =
	"web: 2 of 3 rules are without effect\n"
	"all?: off: it is not enabled\n"
	"lost: shadowed: the block 'no web' holds for all that it allows; "
	"give that an exception, or delete one\n";

static const char one[] =
	"# from added; has decided 5 flows\n"
	"[rule no web]\naction = block\ndirection = in\nprotocol = tcp\n"
	"localPort = 80, 8000\nid = {1}\ndescription = x\n";

/* JSON with ' for ", which is easier to read in C. */
static json_t *load(const char *text)
{
	char *copy = strdup(text);
	json_t *o;

	for (char *p = copy; p && *p; p++)
		if (*p == '\'')
			*p = '"';
	o = copy ? json_loads(copy, 0, NULL) : NULL;
	free(copy);
	return o;
}

static void check_rules(void)
{
	json_t *o = load(answer), *empty = json_object();
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	CHECK("sample", o);
	render_firewall(f, "web", o);
	fflush(f);
	CHECK(text, !strcmp(text, table));
	rewind(f);
	render_firewall_check(f, "web", o);
	fflush(f);
	CHECK(text, len == sizeof(check) - 1 && !strncmp(text, check, len));
	rewind(f);
	render_rule(f, json_array_get(json_object_get(o, "rules"), 0));
	fflush(f);
	CHECK(text, len == sizeof(one) - 1 && !strncmp(text, one, len));
	/* An answer of another version has no member that we know. */
	render_firewall(f, "web", empty);
	render_firewall_check(f, "web", empty);
	render_rule(f, empty);
	render_why(f, empty, empty);
	fclose(f);
	free(text);
	json_decref(empty);
	json_decref(o);
}

static const char blocked[] =
	"{'allowed': false, 'protocol': 'tcp', 'from': '172.20.0.2',"
	" 'to': '172.20.0.1:8000', 'checks': ["
	"{'direction': 'out', 'allowed': true, 'blocks': [], 'allows': [],"
	" 'program': null},"
	"{'direction': 'in', 'allowed': false, 'rule': 'no web',"
	" 'blocks': ['no web', 'no py'], 'allows': ['lost'],"
	" 'excepted': ['no ftp'], 'unsure': ['no perl'],"
	" 'program': '/usr/bin/x'}],"
	" 'change': {'commands': [['slipway', 'firewall', 'except', 'no web',"
	" '--from', 'guest web'], ['slipway', 'firewall', 'add', 'a=b']]}}";

static const char off[] =
	"{'allowed': true, 'on': false, 'protocol': 'tcp', 'from': 'a',"
	" 'to': 'b', 'checks': [{'direction': 'out', 'allowed': false}],"
	" 'change': {'commands': [['slipway', 'x']]}}";

static const char why_blocked[] =
	"blocked, unless a program matters: tcp 172.20.0.2 -> "
	"172.20.0.1:8000\n"
	"  out  allowed by default: no rule is about it\n"
	"  in   blocked by the rule 'no web'\n"
	"       blocked by these, too: 'no py'\n"
	"       would be allowed by these, but a block beats them: 'lost'\n"
	"       would be blocked by these, but for their exceptions: "
	"'no ftp'\n"
	"       the program is /usr/bin/x\n"
	"       the program is not known; it matters to 'no perl': "
	"--program PATH supposes one\n"
	"to allow it:\n"
	"  slipway firewall except 'no web' --from 'guest web'\n"
	"  slipway firewall add a=b\n"
	"blocked, unless a program matters: tcp 172.20.0.2 -> "
	"172.20.0.1:8000\n"
	"  for the same reason\n"
	"allowed: the question for a.test\n"
	"allowed, as the firewall is off: tcp a -> b\n"
	"  out  blocked by default: no rule is about it\n"
	"to allow it when the firewall is on:\n"
	"  slipway x\n";

static void check_why(void)
{
	json_t *o = load(blocked), *dns = load(
		"{'allowed': true, 'protocol': 'dns', 'to': 'a.test',"
		" 'checks': [], 'change': null}"), *open = load(off);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	render_why(f, o, NULL);
	render_why(f, o, o);
	render_why(f, dns, o);
	render_why(f, open, dns);
	fclose(f);
	CHECK(text, !strcmp(text, why_blocked));
	free(text);
	json_decref(open);
	json_decref(dns);
	json_decref(o);
}

void test_control_firewall(void);
void test_control_firewall(void)
{
	check_cells();
	check_words();
	check_rules();
	check_why();
}
