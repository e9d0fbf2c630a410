/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "doctor/winfw.h"

#define WSL	"'{40E0AC32-46A5-438A-A0B2-2B479E8F2E90}'"
#define TRIED	"Hyper-V firewall"
#define FIELD	64

/*
 * One line for the setting in force, one for each rule. No double quotes: the
 * way from here to Windows' command line has its own ideas of those.
 */
const char winfw_hyperv_script[] =
	"Get-NetFirewallHyperVVMSetting -PolicyStore ActiveStore -Name " WSL
	" | ForEach-Object { 'setting|{0}|{1}|{2}|{3}' -f $_.Enabled,"
	"$_.DefaultInboundAction,$_.DefaultOutboundAction,$_.LoopbackEnabled };"
	"Get-NetFirewallHyperVRule -PolicyStore ActiveStore"
	" | Where-Object { $_.VMCreatorId -eq " WSL " -or "
	"$_.VMCreatorId -eq 'Any' } | ForEach-Object {"
	" 'rule|{0}|{1}|{2}|{3}|{4}|{5}' -f $_.Direction,$_.Action,$_.Enabled,"
	"$_.Protocol,($_.LocalPorts -join ','),$_.Name }";

struct hyperv {
	bool known, enabled, in, out, loopback;	/* in, out: allowed */
	bool blocked, allowed;		/* the port, by a rule */
	char by[256];			/* which one */
};

/* The nth field of a line, behind '|'s; "" if there is none. */
static void field(const char *line, size_t len, unsigned n, char *out,
		  size_t cap)
{
	const char *p = line, *end = line + len;

	for (; n && p < end; p++)
		n -= *p == '|';
	snprintf(out, cap, "%.*s", n ? 0 : (int)strcspn(p, "|\r\n"), p);
}

static bool field_is(const char *line, size_t len, unsigned n,
		     const char *word)
{
	char text[FIELD];

	field(line, len, n, text, sizeof(text));
	return !strcasecmp(text, word);
}

/* "80", "80,443", "8000-8010", "Any" */
static bool ports_have(const char *list, uint16_t port)
{
	if (!strcasecmp(list, "Any") || !*list)
		return true;
	while (*list) {
		char *end;
		const unsigned long first = strtoul(list, &end, 10);
		unsigned long last = first;

		if (end == list)
			return false;		/* a word that we do not know */
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (port >= first && port <= last)
			return true;
		list = end + (*end == ',');
		if (list == end && *end)
			return false;
	}
	return false;
}

static void take_rule(struct hyperv *h, const char *line, size_t len,
		      uint16_t port)
{
	char ports[256];

	field(line, len, 5, ports, sizeof(ports));
	if (!field_is(line, len, 1, "Inbound") ||
	    !field_is(line, len, 3, "True") ||
	    !(field_is(line, len, 4, "TCP") || field_is(line, len, 4, "Any") ||
	      field_is(line, len, 4, "6")) ||
	    !ports_have(ports, port) || h->blocked)
		return;
	h->blocked = field_is(line, len, 2, "Block");
	if (!h->blocked && !field_is(line, len, 2, "Allow"))
		return;
	if (h->blocked || !h->allowed)
		field(line, len, 6, h->by, sizeof(h->by));
	h->allowed = true;
}

static void read_lines(struct hyperv *h, const char *text, uint16_t port)
{
	while (*text) {
		const size_t len = strcspn(text, "\n");

		if (!strncmp(text, "setting|", 8)) {
			h->known = true;
			h->enabled = !field_is(text, len, 1, "False");
			h->in = field_is(text, len, 2, "Allow");
			h->out = !field_is(text, len, 3, "Block");
			h->loopback = !field_is(text, len, 4, "False");
		} else if (!strncmp(text, "rule|", 5) && port) {
			take_rule(h, text, len, port);
		}
		text += len + (text[len] == '\n');
	}
}

/* From other machines, which reach the guest at Windows' addresses. */
static void judge_in(struct report *r, const struct hyperv *h, uint16_t port)
{
	if (!port) {
		report_add(r, h->in ? REPORT_OK : REPORT_NOTE, "hyperv-in",
			   TRIED, "other machines reach %s here", h->in ?
			   "what listens" : "only what a rule allows");
	} else if (h->blocked) {
		report_add(r, REPORT_BROKEN, "hyperv-in", TRIED, "rule '%s' "
			   "blocks port %u for other machines", h->by, port);
		report_todo(r, "Disable-NetFirewallHyperVRule -Name '%s'",
			    h->by);
	} else if (h->allowed || h->in) {
		report_add(r, REPORT_OK, "hyperv-in", TRIED, "other machines "
			   "reach port %u here%s%s%s", port, h->allowed ?
			   ", by rule '" : "", h->by, h->allowed ? "'" : "");
	} else {
		report_add(r, REPORT_NOTE, "hyperv-in", TRIED, "other machines "
			   "do not reach port %u here: no rule allows it",
			   port);
		report_todo(r, "New-NetFirewallHyperVRule -Name 'WSL-%u' "
			    "-DisplayName 'WSL %u' -Direction Inbound "
			    "-VMCreatorId " WSL " -Protocol TCP -LocalPorts "
			    "%u -RemoteAddresses LocalSubnet -Action Allow",
			    port, port, port);
	}
}

void winfw_judge_hyperv(struct report *r, const char *text, uint16_t port,
			bool mirrored)
{
	struct hyperv h = { .known = false };

	read_lines(&h, text, port);
	if (!h.known)
		return;
	if (!h.enabled) {
		report_add(r, REPORT_OK, "hyperv", TRIED, "is off");
		return;
	}
	if (!h.out) {
		report_add(r, REPORT_NOTE, "hyperv-out", TRIED, "blocks what "
			   "goes out of here, unless a rule allows it");
		report_todo(r, "Set-NetFirewallHyperVVMSetting -Name " WSL
			    " -DefaultOutboundAction Allow");
	}
	if (mirrored && !h.loopback) {
		report_add(r, REPORT_BROKEN, "hyperv-loopback", TRIED,
			   "keeps Windows and this guest from each other's "
			   "localhost");
		report_todo(r, "Set-NetFirewallHyperVVMSetting -Name " WSL
			    " -LoopbackEnabled True");
	}
	if (mirrored)
		judge_in(r, &h, port);
	else if (h.out)
		report_add(r, REPORT_OK, "hyperv", TRIED, "lets out what goes "
			   "out of here");
}
