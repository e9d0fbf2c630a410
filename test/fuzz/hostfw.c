/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/hostfw.c - rulesets of the host's firewall
 *
 * The input is nft's JSON, then, behind a NUL, its text. Whatever they say:
 * each question ends, the same is answered again, a drop has its reason.
 */
#include <string.h>

#include "control/hostfw_warn.h"
#include "fuzz/fuzz.h"

static struct hostfw *load(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
	const size_t len = nul ? (size_t)(nul - data) : size;
	json_t *rules = json_loadb((const char *)data, len, 0, NULL);
	char *text = NULL;
	struct hostfw *fw;

	if (nul) {
		text = strndup((const char *)nul + 1, size - len - 1);
		if (!text)
			abort();
	}
	PROPERTY(!hostfw_wants_text(rules) || json_is_object(rules));
	fw = hostfw_load(rules, text);
	free(text);
	return fw;
}

static void check_answer(const struct hostfw *fw, struct hostfw_packet p)
{
	struct hostfw_why why = { .family = NULL }, again;
	const enum hostfw_answer answer = hostfw_ask(fw, &p, &why);
	json_t *warnings = json_array(), *w;
	size_t i;

	PROPERTY(hostfw_ask(fw, &p, &again) == answer);
	PROPERTY((answer == HOSTFW_DROPPED) == !!why.family);
	PROPERTY(!why.family || (why.table && why.chain && why.base));
	hostfw_warn(warnings, fw, &p, 1);
	PROPERTY(json_array_size(warnings) <= (answer == HOSTFW_DROPPED));
	json_array_foreach(warnings, i, w)
		PROPERTY(strstr(json_string_value(w), " is published, but "));
	json_decref(warnings);
}

void fuzz_hostfw(const uint8_t *data, size_t size)
{
	static const uint16_t ports[] = { 22, 80, 8080 };
	struct hostfw *fw = load(data, size);

	if (!fw)
		return;
	for (unsigned i = 0; i < 12; i++)
		check_answer(fw, (struct hostfw_packet){
			.v6 = i & 1, .udp = i & 2, .port = ports[i / 4] });
	hostfw_free(fw);
}
