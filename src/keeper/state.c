/* SPDX-License-Identifier: MIT */
#include "keeper/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/textfile.h"

#define STATE_BYTES 1024
#define PORTS_BYTES 16384
#define GUESTS_BYTES 65536
#define RULES_BYTES ((size_t)64 << 20)

/*
 * Path of a directory of the state's, made if `make`. false: no home, or too
 * long.
 */
static bool state_dir(char *buf, size_t cap, const char *which, bool make)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int n = -1;

	if (geteuid() == 0)
		n = snprintf(buf, cap, "/var/lib/slipway/%s", which);
	else if (state && *state == '/')
		n = snprintf(buf, cap, "%s/slipway/%s", state, which);
	else if (home && *home == '/')
		n = snprintf(buf, cap, "%s/.local/state/slipway/%s", home,
			     which);
	if (n < 0 || (size_t)n >= cap)
		return false;
	if (!make || access(buf, W_OK) == 0)
		return true;
	for (char *p = buf + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(buf, 0755);
		*p = '/';
	}
	return mkdir(buf, 0700) == 0 || errno == EEXIST;
}

/* The value of "key = value" in text, copied; false if it has none. */
static bool value_of(const char *text, const char *key, char *buf, size_t cap)
{
	const size_t len = strlen(key);

	while (*text) {
		const size_t line = strcspn(text, "\n");

		if (line > len + 3 && !strncmp(text, key, len) &&
		    !strncmp(text + len, " = ", 3)) {
			const size_t n = line - len - 3;

			if (n >= cap)
				return false;
			memcpy(buf, text + len + 3, n);
			buf[n] = '\0';
			return true;
		}
		text += line + (text[line] == '\n');
	}
	return false;
}

/* What --subnet and --address would take: others edit the file. */
static bool usable4(const struct plan *p)
{
	struct ip gateway;
	uint32_t host, own;

	if (!ip_is4(&p->net4.ip) || p->net4.bits < 8 || p->net4.bits > 30)
		return false;
	gateway = plan_gateway4(p);
	host = 0xffffffffu >> p->net4.bits;
	own = ip_to_v4(p->guest4) & host;
	return ip_to_v4(p->net4.ip) >> 24 != 0 &&
	       !ip_is_loopback(&p->net4.ip) &&
	       ip_to_v4(p->net4.ip) >> 28 < 14 &&
	       prefix_has(&p->net4, &p->guest4) && own != 0 && own != host &&
	       !ip_equal(&p->guest4, &gateway);
}

static bool usable6(const struct plan *p)
{
	const struct ip gateway = plan_gateway6(p);

	return !ip_is4(&p->net6.ip) && p->net6.bits == 64 &&
	       !ip_is_loopback(&gateway) && !ip_is_multicast(&p->net6.ip) &&
	       !ip_is_link_local(&p->net6.ip) &&
	       prefix_has(&p->net6, &p->guest6) &&
	       !ip_equal(&p->guest6, &p->net6.ip) &&
	       !ip_equal(&p->guest6, &gateway);
}

static bool usable(const struct plan *p)
{
	return usable4(p) && usable6(p) && !(p->guest_mac.b[0] & 1);
}

bool state_parse(const char *text, struct plan *out)
{
	struct plan p = { 0 };
	char buf[64];

	if (!value_of(text, "subnet", buf, sizeof(buf)) ||
	    !prefix_parse(buf, &p.net4))
		return false;
	if (!value_of(text, "address", buf, sizeof(buf)) ||
	    !ip_parse(buf, &p.guest4))
		return false;
	if (!value_of(text, "subnet6", buf, sizeof(buf)) ||
	    !prefix_parse(buf, &p.net6))
		return false;
	if (!value_of(text, "address6", buf, sizeof(buf)) ||
	    !ip_parse(buf, &p.guest6))
		return false;
	if (!value_of(text, "mac", buf, sizeof(buf)) ||
	    !mac_parse(buf, &p.guest_mac))
		return false;
	if (!usable(&p))
		return false;
	*out = p;
	return true;
}

/* A file's text; NULL: there is none. */
static char *load_text(const char *which, const char *name, size_t max)
{
	char dir[PATH_MAX], path[PATH_MAX + 64];

	if (!state_dir(dir, sizeof(dir), which, false))
		return NULL;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return textfile_read(path, max);
}

bool state_load(const char *name, struct plan *out)
{
	char *text = load_text("networks", name, STATE_BYTES);
	const bool ok = text && state_parse(text, out);

	free(text);
	return ok;
}

char *state_load_ports(const char *name)
{
	return load_text("ports", name, PORTS_BYTES);
}

/* Whole or not at all. 0 or -errno. */
static int save_text(const char *which, const char *name, const char *text)
{
	char dir[PATH_MAX], path[PATH_MAX + 64], new[PATH_MAX + 64];
	FILE *f;
	int rc = 0;

	if (!state_dir(dir, sizeof(dir), which, true))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(new, sizeof(new), "%s/.%s.new", dir, name);
	f = fopen(new, "we");
	if (!f)
		return -errno;
	if (fputs(text, f) < 0 || fflush(f) != 0)
		rc = -errno;
	if (fclose(f) != 0 && !rc)
		rc = -errno;
	if (!rc && rename(new, path) < 0)
		rc = -errno;
	if (rc)
		unlink(new);
	return rc;
}

/* 0, also if there is none; or -errno. */
static int remove_text(const char *which, const char *name)
{
	char dir[PATH_MAX], path[PATH_MAX + 64];

	if (!state_dir(dir, sizeof(dir), which, false))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

int state_save_ports(const char *name, const char *text)
{
	return save_text("ports", name, text);
}

char *state_load_guests(const char *name)
{
	return load_text("guests", name, GUESTS_BYTES);
}

int state_save_guests(const char *name, const char *text)
{
	return save_text("guests", name, text);
}

/* NAME.rules, NAME.log */
static void in_firewall(char *buf, size_t cap, const char *name,
			const char *what)
{
	snprintf(buf, cap, "%s.%s", name, what);
}

char *state_load_rules(const char *name)
{
	char file[64];

	in_firewall(file, sizeof(file), name, "rules");
	return load_text("firewall", file, RULES_BYTES);
}

int state_save_rules(const char *name, const char *text)
{
	char file[64];

	in_firewall(file, sizeof(file), name, "rules");
	return text ? save_text("firewall", file, text) :
		      remove_text("firewall", file);
}

bool state_log_path(const char *name, char *buf, size_t cap)
{
	char dir[PATH_MAX], file[64];
	int n;

	if (!state_dir(dir, sizeof(dir), "firewall", true))
		return false;
	in_firewall(file, sizeof(file), name, "log");
	n = snprintf(buf, cap, "%s/%s", dir, file);
	return n > 0 && (size_t)n < cap;
}

int state_save(const char *name, const struct plan *p)
{
	char a[IP_TEXT_BYTES], b[IP_TEXT_BYTES], m[MAC_TEXT_BYTES];
	char c[IP_TEXT_BYTES], d[IP_TEXT_BYTES], text[STATE_BYTES];

	snprintf(text, sizeof(text),
		 "# Addresses of this network; remove the file to have them "
		 "chosen anew.\n"
		 "subnet = %s/%u\naddress = %s\n"
		 "subnet6 = %s/%u\naddress6 = %s\nmac = %s\n",
		 ip_format(&p->net4.ip, a), p->net4.bits,
		 ip_format(&p->guest4, b),
		 ip_format(&p->net6.ip, c), p->net6.bits,
		 ip_format(&p->guest6, d), mac_format(&p->guest_mac, m));
	return save_text("networks", name, text);
}
