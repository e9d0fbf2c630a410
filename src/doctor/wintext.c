/* SPDX-License-Identifier: MIT */
#include "doctor/wintext.h"

#include <ctype.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define GAP	"    "		/* between the columns of reg.exe */
#define BLANKS	" \t\r"

/* A piece of a text. */
struct piece {
	const char *p;
	size_t len;
};

static bool next_line(const char **text, struct piece *out)
{
	if (!**text)
		return false;
	*out = (struct piece){ *text, strcspn(*text, "\n") };
	*text += out->len + ((*text)[out->len] == '\n');
	if (out->len && out->p[out->len - 1] == '\r')
		out->len--;
	return true;
}

/* The next word of a line, cut off it; false at its end. */
static bool next_word(struct piece *line, struct piece *out)
{
	while (line->len && strchr(BLANKS, *line->p)) {
		line->p++;
		line->len--;
	}
	*out = (struct piece){ line->p, 0 };
	while (out->len < line->len && !strchr(BLANKS, out->p[out->len]))
		out->len++;
	line->p += out->len;
	line->len -= out->len;
	return out->len;
}

static bool is(const struct piece *w, const char *text)
{
	return strlen(text) == w->len && !strncasecmp(w->p, text, w->len);
}

static void copy(const struct piece *w, char *out, size_t cap)
{
	snprintf(out, cap, "%.*s", (int)w->len, w->p);
}

/* ---- reg.exe ---- */

/* Is that the line of a value with this name? Then its data. */
static bool value_of(struct piece line, const char *name, struct piece *data)
{
	const size_t gap = strlen(GAP), n = strlen(name);
	struct piece rest = line, type;

	if (line.len < 2 * gap + n || memcmp(line.p, GAP, gap) ||
	    strncasecmp(line.p + gap, name, n) ||
	    memcmp(line.p + gap + n, GAP, gap))
		return false;
	rest.p += 2 * gap + n;
	rest.len -= 2 * gap + n;
	if (!next_word(&rest, &type) || type.len < 4 ||
	    memcmp(type.p, "REG_", 4))
		return false;
	/* Without data there is nothing behind the type. */
	if (rest.len >= gap && !memcmp(rest.p, GAP, gap)) {
		rest.p += gap;
		rest.len -= gap;
	}
	*data = rest;
	return true;
}

bool reg_text(const char *text, const char *name, char *out, size_t cap)
{
	struct piece line, data;

	while (next_line(&text, &line))
		if (value_of(line, name, &data)) {
			copy(&data, out, cap);
			return true;
		}
	return false;
}

unsigned long reg_number(const char *text, const char *name,
			 unsigned long otherwise)
{
	char data[32], *end;
	unsigned long n;

	if (!reg_text(text, name, data, sizeof(data)) ||
	    strncasecmp(data, "0x", 2) || !isxdigit((unsigned char)data[2]))
		return otherwise;
	n = strtoul(data, &end, 16);
	return *end ? otherwise : n;
}

/* ---- netstat.exe, tasklist.exe ---- */

/* "0.0.0.0:8000", "[::]:8000", "[fe80::1%5]:8000". */
static bool endpoint_of(const struct piece *w, struct ip *ip,
			unsigned long *port)
{
	char text[80], *colon, *end, *zone;

	if (w->len >= sizeof(text))
		return false;
	copy(w, text, sizeof(text));
	colon = strrchr(text, ':');
	if (!colon || !isdigit((unsigned char)colon[1]))
		return false;
	*port = strtoul(colon + 1, &end, 10);
	*colon = '\0';
	if (*end)
		return false;
	if (text[0] != '[')
		return ip_parse(text, ip);
	zone = strpbrk(text, "%]");
	if (zone)
		*zone = '\0';
	return ip_parse(text + 1, ip);
}

/* A listener has no far end; how its state is called, depends. */
static bool listener_of(struct piece line, uint16_t port,
			struct win_listener *out)
{
	struct piece word, last = { "", 0 };
	struct ip there;
	unsigned long at, far;
	char pid[16];

	if (!next_word(&line, &word) || !is(&word, "TCP") ||
	    !next_word(&line, &word) || !endpoint_of(&word, &out->at, &at) ||
	    at != port || !next_word(&line, &word) ||
	    !endpoint_of(&word, &there, &far) || far ||
	    !ip_is_unspecified(&there))
		return false;
	while (next_word(&line, &word))
		last = word;
	if (!last.len || !isdigit((unsigned char)*last.p))
		return false;
	copy(&last, pid, sizeof(pid));
	out->pid = strtoul(pid, NULL, 10);
	return true;
}

unsigned win_listeners(const char *netstat, uint16_t port,
		       struct win_listener *out, unsigned max)
{
	struct win_listener one;
	struct piece line;
	unsigned n = 0;

	while (n < max && next_line(&netstat, &line))
		if (listener_of(line, port, &one))
			out[n++] = one;
	return n;
}

bool win_image(const char *tasklist, char *out, size_t cap)
{
	struct piece line, name;

	while (next_line(&tasklist, &line)) {
		const char *end;

		if (line.len < 3 || *line.p != '"')
			continue;
		end = memchr(line.p + 1, '"', line.len - 1);
		if (!end || end == line.p + 1)
			continue;
		name = (struct piece){ line.p + 1, (size_t)(end - line.p) - 1 };
		copy(&name, out, cap);
		return true;
	}
	return false;
}

/* ---- paths ---- */

/* One of the octal escapes of /proc/mounts, or the character itself. */
static char unescaped(struct piece *w)
{
	const char *p = w->p;
	char c = *p;
	size_t n = 1;

	if (c == '\\' && w->len >= 4 && strspn(p + 1, "01234567") >= 3) {
		c = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 |
			   (p[3] - '0'));
		n = 4;
	}
	w->p += n;
	w->len -= n;
	return c;
}

/* "C:\134 /mnt/c 9p …", of drvfs "C: /mnt/c drvfs …": is it that drive's? */
static bool mount_of(struct piece line, char letter, char *out, size_t cap)
{
	struct piece what, where;
	size_t n = 0;

	if (!next_word(&line, &what) || !next_word(&line, &where) ||
	    what.len < 2 || tolower((unsigned char)what.p[0]) !=
	    tolower((unsigned char)letter) || what.p[1] != ':')
		return false;
	what.p += 2;
	what.len -= 2;
	if (what.len && (unescaped(&what) != '\\' || what.len))
		return false;
	while (where.len && n + 1 < cap)
		out[n++] = unescaped(&where);
	out[n] = '\0';
	return !where.len;
}

bool win_path(const char *mounts, const char *path, char *out, size_t cap)
{
	struct piece line;
	char dir[256];
	int n;

	if (!isalpha((unsigned char)path[0]) || path[1] != ':' ||
	    path[2] != '\\')
		return false;
	while (next_line(&mounts, &line)) {
		if (!mount_of(line, path[0], dir, sizeof(dir)))
			continue;
		n = snprintf(out, cap, "%s%s", strcmp(dir, "/") ? dir : "",
			     path + 2);
		for (char *p = out; n > 0 && (size_t)n < cap && *p; p++)
			if (*p == '\\')
				*p = '/';
		return n > 0 && (size_t)n < cap;
	}
	return false;
}

/* ---- WSL ---- */

static const char *const modes[] = {
	[WSL_MODE_UNKNOWN] = "unknown",
	[WSL_MODE_NAT] = "nat",
	[WSL_MODE_MIRRORED] = "mirrored",
	[WSL_MODE_BRIDGED] = "bridged",
	[WSL_MODE_VIRTIOPROXY] = "virtioproxy",
	[WSL_MODE_NONE] = "none",
	[WSL_MODE_WSL1] = "wsl1",
};

const char *wsl_mode_text(enum wsl_mode mode)
{
	return modes[mode];
}

enum wsl_mode wsl_mode_of(const char *word)
{
	struct piece line = { word, strcspn(word, "\n") }, w;

	if (next_word(&line, &w))
		for (unsigned i = WSL_MODE_NAT; i <= WSL_MODE_WSL1; i++)
			if (is(&w, modes[i]))
				return (enum wsl_mode)i;
	return WSL_MODE_UNKNOWN;
}

/* The rest of a line may be a remark. */
static bool says(const char *value, const char *word)
{
	struct piece line = { value, strcspn(value, "#;") }, w;

	return next_word(&line, &w) && is(&w, word);
}

static int take_setting(void *ctx, const char *section, const char *name,
			const char *value)
{
	const bool experimental = !strcasecmp(section, "experimental");
	struct wslconfig *c = ctx;
	char word[32];

	if (!experimental && strcasecmp(section, "wsl2"))
		return 1;
	if (!strcasecmp(name, "networkingMode")) {
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(value,
						" \t#;"), value);
		c->has_mode = true;
		c->old_mode = experimental;
		c->mode = wsl_mode_of(word);
	} else if (!strcasecmp(name, "localhostForwarding")) {
		c->localhost_forwarding = !says(value, "false");
	} else if (!strcasecmp(name, "firewall")) {
		c->firewall = !says(value, "false");
	}
	return 1;
}

void wslconfig_parse(const char *text, struct wslconfig *out)
{
	int line;

	*out = (struct wslconfig){ .localhost_forwarding = true,
				   .firewall = true };
	line = ini_parse_string(text, take_setting, out);
	out->bad_line = line > 0 ? (unsigned)line : 0;
}
