/* SPDX-License-Identifier: MIT */
#include "linux/proclisteners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES	512
#define STATE_CLOSE	7	/* the kernel's TCP_CLOSE: UDP, not connected */
#define STATE_LISTEN	10	/* and TCP_LISTEN */
#define WORD_DIGITS	8	/* of an address: 32 bits in host order */

bool proclisteners_line(const char *line, bool v6, bool udp,
			struct listener *out)
{
	struct listener l = { .udp = udp };
	char local[4 * WORD_DIGITS + 1], word[WORD_DIGITS + 1] = "";
	unsigned port, state, words = v6 ? 4 : 1;
	uint32_t part;

	if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*4x %2x",
		   local, &port, &state) != 3 ||
	    strlen(local) != words * WORD_DIGITS || !port ||
	    state != (udp ? STATE_CLOSE : STATE_LISTEN))
		return false;
	if (!v6)
		l.at.ip = ip_from_v4(0);
	for (unsigned i = 0; i < words; i++) {
		memcpy(word, local + i * WORD_DIGITS, WORD_DIGITS);
		part = (uint32_t)strtoul(word, NULL, 16);
		memcpy(l.at.ip.b + (v6 ? 4 * i : 12), &part, sizeof(part));
	}
	l.at.port = (uint16_t)port;
	*out = l;
	return true;
}

static bool has_any4(const struct listeners *set, const struct listener *l)
{
	const struct ip any = ip_from_v4(0);

	for (uint32_t i = 0; i < set->n; i++)
		if (set->v[i].at.port == l->at.port &&
		    set->v[i].udp == l->udp &&
		    ip_equal(&set->v[i].at.ip, &any))
			return true;
	return false;
}

static int read_file(const char *path, bool v6, bool udp,
		     const struct picked_ports *picked, struct listeners *set)
{
	char line[LINE_BYTES];
	FILE *f = fopen(path, "re");
	struct listener l;

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (!proclisteners_line(line, v6, udp, &l))
			continue;
		l.casual = udp && listeners_casual(picked, l.at.port);
		l.v6only = v6 && ip_is_unspecified(&l.at.ip) &&
			   has_any4(set, &l);
		listeners_add(set, &l);
	}
	fclose(f);
	return 0;
}

int proclisteners_read(const struct picked_ports *picked,
		       struct listeners *set)
{
	static const struct {
		const char *path;
		bool v6, udp;
	} files[] = {
		{ "/proc/net/tcp", false, false },
		{ "/proc/net/tcp6", true, false },
		{ "/proc/net/udp", false, true },
		{ "/proc/net/udp6", true, true },
	};

	set->n = 0;
	for (unsigned i = 0; i < 4; i++) {
		const int rc = read_file(files[i].path, files[i].v6,
					 files[i].udp, picked, set);

		/* A kernel may lack IPv6. */
		if (rc && (rc != -ENOENT || !files[i].v6))
			return rc;
	}
	return 0;
}
