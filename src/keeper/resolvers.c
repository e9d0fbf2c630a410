/* SPDX-License-Identifier: MIT */
#include "keeper/resolvers.h"

#include <stdlib.h>
#include <string.h>

#include "keeper/textfile.h"
#include "keeper/watch.h"

#define RESOLV_CONF	"/etc/resolv.conf"
#define TEXT_MAX	65536

static bool read_now(struct resolvers *r)
{
	char *text = textfile_read(RESOLV_CONF, TEXT_MAX);
	struct resolvconf new;
	bool changed;

	if (text && !*text) {
		free(text);
		return false;
	}
	resolvconf_parse(text ? text : "", &new);
	free(text);
	changed = memcmp(&new, &r->now, sizeof(new)) != 0;
	r->now = new;
	return changed;
}

void resolvers_init(struct resolvers *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = watch_open(RESOLV_CONF);
	(void)read_now(r);
}

bool resolvers_event(struct resolvers *r)
{
	const bool written = watch_again(r->fd, RESOLV_CONF);

	return read_now(r) || (written && r->now.n);
}
