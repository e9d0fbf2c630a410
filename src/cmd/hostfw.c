/* SPDX-License-Identifier: MIT */
#include "cmd/hostfw.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/output.h"
#include "control/hostfw_warn.h"

#define UFW_CONF "/etc/ufw/ufw.conf"

/* Root of a container may be without it. */
static bool may_ask_nft(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &h, d) == 0 &&
	       d[0].effective & 1u << CAP_NET_ADMIN;
}

static char *nft(const char *option)
{
	const char *const argv[] = { "nft", option, "list", "ruleset", NULL };
	char *text = NULL;

	if (output_of(argv, &text) == 0)
		return text;
	free(text);
	return NULL;
}

static struct hostfw *ask_nft(void)
{
	char *text = nft("-j"), *words = NULL;
	json_t *rules = text ? json_loads(text, 0, NULL) : NULL;
	struct hostfw *fw;

	free(text);
	if (!rules)
		return NULL;
	if (hostfw_wants_text(rules))
		words = nft("-a");
	fw = hostfw_load(rules, words);
	free(words);
	return fw;
}

/* Its file is readable for all; its rules are not. */
static bool is_ufw_on(void)
{
	FILE *f = fopen(UFW_CONF, "re");
	char line[256];
	bool on = false;

	if (!f)
		return false;
	while (!on && fgets(line, sizeof(line), f))
		on = !strncasecmp(line, "ENABLED=yes", 11);
	fclose(f);
	return on;
}

static bool is_firewalld_there(void)
{
	return access("/usr/bin/firewall-cmd", X_OK) == 0;
}

static void learn(struct hostfw_view *v)
{
	if (v->asked)
		return;
	v->asked = true;
	if (may_ask_nft()) {
		v->fw = ask_nft();
		return;
	}
	v->ufw = is_ufw_on();
	v->firewalld = !v->ufw && is_firewalld_there();
}

/* firewalld answers "no", and 1. Anything else: it does not run. */
static bool is_not_listed(struct hostfw_view *v, const char *port)
{
	char option[64], *text = NULL;
	const char *const argv[] = { "firewall-cmd", option, NULL };
	int status;

	snprintf(option, sizeof(option), "--query-port=%s", port);
	status = output_of(argv, &text);
	free(text);
	v->firewalld = status == 0 || status == 1;
	return status == 1;
}

/* Of the first few ports, for who may not ask nft. */
static void warn_maybe(struct hostfw_view *v, json_t *warnings,
		       const struct hostfw_packet *p, size_t n)
{
	char label[HOSTFW_LABEL_BYTES], port[16], text[256];
	unsigned told = 0;

	for (size_t i = 0; i < n && told < HOSTFW_WARNINGS_MAX; i++) {
		if (hostfw_is_again(&p[i], i))
			continue;
		told++;
		snprintf(port, sizeof(port), "%u/%s", p[i].port,
			 p[i].udp ? "udp" : "tcp");
		if (v->ufw)
			snprintf(text, sizeof(text), "%s is published, but "
				 "ufw, the host's firewall, may drop it, if it "
				 "is not allowed yet; sudo ufw allow %s",
				 hostfw_label(&p[i], label), port);
		else if (v->firewalld && is_not_listed(v, port))
			snprintf(text, sizeof(text), "%s is published, but "
				 "firewalld, the host's firewall, may drop it: "
				 "it does not list the port; sudo firewall-cmd "
				 "--add-port=%s", hostfw_label(&p[i], label),
				 port);
		else
			continue;
		json_array_append_new(warnings, json_string(text));
	}
}

void hostfw_view_warn(struct hostfw_view *v, json_t *published,
		      json_t *warnings)
{
	struct hostfw_packet *p;
	size_t n;

	p = hostfw_packets(published, &n);
	if (!p)
		return;
	learn(v);
	if (v->fw)
		hostfw_warn(warnings, v->fw, p, n);
	else
		warn_maybe(v, warnings, p, n);
	free(p);
}

void hostfw_view_fini(struct hostfw_view *v)
{
	hostfw_free(v->fw);
}
