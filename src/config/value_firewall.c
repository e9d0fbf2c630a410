/* SPDX-License-Identifier: MIT */
/* config/value_firewall.c - what [firewall] accepts; see config/value.h. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/value.h"
#include "firewall/text.h"
#include "firewall/word.h"

static const char *profile(const char *text, enum rule_profile *out)
{
	static const struct known_word words[] = {
		{ "private", RULE_PRIVATE }, { "public", RULE_PUBLIC },
		{ "domain", RULE_DOMAIN },
	};
	unsigned v;

	if (!word_known(word_of(text), words, 3, &v))
		return "no such profile";
	*out = (enum rule_profile)v;
	return NULL;
}

const char *value_profile(struct config *c, const char *text)
{
	const char *why = profile(text, &c->profile);

	c->profile_given |= !why;
	return why;
}

const char *value_file_profile(struct config *c, const char *text)
{
	return profile(text, &c->profile);
}

const char *value_block_action(struct config *c, const char *text)
{
	if (strcasecmp(text, "drop") && strcasecmp(text, "refuse"))
		return "neither drop nor refuse";
	c->block_refuse = !strcasecmp(text, "refuse");
	c->has_block_action = true;
	return NULL;
}

const char *value_log(struct config *c, const char *text)
{
	if (!strcasecmp(text, "off")) {
		c->log_blocked = false;
		return NULL;
	}
	if (text[0] != '/')
		return "not the whole path of a file";
	/* ".old" is to follow it. */
	if (strlen(text) + 5 > sizeof(c->log_file))
		return "too long";
	strcpy(c->log_file, text);
	c->log_blocked = true;
	return NULL;
}

const char *value_log_size(struct config *c, const char *text)
{
	struct view w = word_of(text);
	unsigned shift = 0, n;

	if (w.len && (w.p[w.len - 1] == 'K' || w.p[w.len - 1] == 'k'))
		shift = 10;
	if (w.len && (w.p[w.len - 1] == 'M' || w.p[w.len - 1] == 'm'))
		shift = 20;
	w.len -= shift > 0;
	if (!word_number(w, CONFIG_LOG_BYTES_MAX >> shift, &n))
		return "not a size up to 1024M";
	if (n << shift < CONFIG_LOG_BYTES_MIN)
		return "too small";
	c->log_bytes = n << shift;
	return NULL;
}

/* "allow WORD", out, to that alone. */
static const char *allow_rule(struct ruleset *out, struct view word)
{
	const struct rules_size need = { .rules = 1, .items = 2,
		.text_bytes = 2 * (uint32_t)word.len + 32 };
	struct ruleset one = { .from = NULL };
	struct text_error error;
	struct text_draft d;
	char name[300];
	const char *why = "no memory";

	if (ruleset_reserve(&one, &need) < 0)
		return why;
	text_begin(&d);
	d.rule.action = RULE_ALLOW;
	d.rule.direction = RULE_OUT;
	snprintf(name, sizeof(name), "allow %.*s", (int)word.len,
		 (const char *)word.p);
	if (!text_take(&one.set, &d, word_of("remoteAddress"), word, &error))
		why = "neither a name nor an address";
	else if (rules_text(&one.set, word_of(name), &d.rule.name) &&
		 ruleset_add(out, &one.set, &d.rule, ""))
		why = NULL;
	ruleset_fini(&one);
	return why;
}

const char *value_allow(struct config *c, const char *text)
{
	struct view rest = word_of(text);
	const char *why = rest.len ? NULL : "empty";

	while (!why && rest.len) {
		struct view word = word_trim(word_cut(&rest, ','));

		if (!word.len)
			continue;
		if (word.len > 256)
			why = "neither a name nor an address";
		else if (c->allow.set.used.rules == CONFIG_ALLOW_MAX)
			why = "more than 1,000 of them";
		else
			why = allow_rule(&c->allow, word);
	}
	c->says_allow = true;
	return why;
}
