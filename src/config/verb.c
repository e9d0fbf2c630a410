/* SPDX-License-Identifier: MIT */
#include "config/verb.h"

#include <stdlib.h>
#include <string.h>

#include "config/value.h"

/* What an option without a value says. */
static const char *yes(bool *out)
{
	*out = true;
	return NULL;
}

const char *value_check(struct config *c, const char *text)
{
	(void)text;
	return yes(&c->verb.check);
}

const char *value_replace(struct config *c, const char *text)
{
	(void)text;
	return yes(&c->verb.replace);
}

const char *value_dry_run(struct config *c, const char *text)
{
	(void)text;
	return yes(&c->verb.dry_run);
}

const char *value_spare_flows(struct config *c, const char *text)
{
	(void)text;
	return yes(&c->verb.keep_flows);
}

const char *value_follow(struct config *c, const char *text)
{
	(void)text;
	return yes(&c->verb.follow);
}

const char *value_last(struct config *c, const char *text)
{
	(void)text;
	return yes(&c->verb.last);
}

unsigned verb_duration(const char *text)
{
	static const struct {
		const char *unit;
		unsigned seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 },
		      { "d", 86400 } };
	char *end;
	unsigned long n;

	if (*text < '0' || *text > '9')
		return 0;
	n = strtoul(text, &end, 10);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].unit) &&
		    n <= VERB_FOR_MAX_S / units[i].seconds)
			return (unsigned)n * units[i].seconds;
	return 0;
}

const char *value_for(struct config *c, const char *text)
{
	const unsigned s = verb_duration(text);

	if (!s)
		return "not a time, or longer than 7 days";
	c->verb.for_s = s;
	return NULL;
}

const char *value_from(struct config *c, const char *text)
{
	if (!*text)
		return "empty";
	if (c->verb.n_from == VERB_FROM_MAX)
		return "more than 64";
	c->verb.from[c->verb.n_from++] = text;
	return NULL;
}

const char *value_program(struct config *c, const char *text)
{
	if (*text != '/')
		return "not a full path";
	c->verb.program = text;
	return NULL;
}

const char *value_map(struct config *c, const char *text)
{
	struct config_verb *v = &c->verb;
	const char *to = strchr(text, '=');

	if (!to || to == text || to[1] != '/')
		return "not WINDOWS-NAME=/PATH";
	if (v->n_maps == VERB_MAPS_MAX)
		return "more than 64";
	v->map[v->n_maps++] = text;
	return NULL;
}
