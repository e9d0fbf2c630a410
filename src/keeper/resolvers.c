/* SPDX-License-Identifier: MIT */
#include "keeper/resolvers.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "keeper/textfile.h"

#define RESOLV_CONF	"/etc/resolv.conf"
#define TEXT_MAX	65536
#define LINKS_MAX	8

#define CHANGES (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | \
		 IN_DELETE)

/* Watch the directory of path, or the nearest one above that exists. */
static void watch_directory(int fd, const char *path)
{
	char dir[PATH_MAX];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	while ((slash = strrchr(dir, '/'))) {
		slash[slash == dir] = '\0';
		if (inotify_add_watch(fd, dir, CHANGES | IN_ONLYDIR) >= 0 ||
		    slash == dir)
			return;
	}
}

/* path = where the link at path leads. false: it is no link. */
static bool follow(char path[PATH_MAX])
{
	char to[PATH_MAX], joined[2 * PATH_MAX];
	const ssize_t n = readlink(path, to, sizeof(to) - 1);

	if (n <= 0)
		return false;
	to[n] = '\0';
	if (to[0] == '/')
		snprintf(joined, sizeof(joined), "%s", to);
	else
		snprintf(joined, sizeof(joined), "%.*s/%s",
			 (int)(strrchr(path, '/') - path), path, to);
	if (strlen(joined) >= PATH_MAX)
		return false;
	strcpy(path, joined);
	return true;
}

/* Adding a watch that is there changes nothing: so this may be repeated. */
static void watch(int fd)
{
	char path[PATH_MAX] = RESOLV_CONF;
	unsigned links = 0;

	if (fd < 0)
		return;
	do
		watch_directory(fd, path);
	while (links++ < LINKS_MAX && follow(path));
	/* A file that is bind-mounted changes in place, unseen from there. */
	inotify_add_watch(fd, path, IN_CLOSE_WRITE);
}

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
	r->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch(r->fd);
	(void)read_now(r);
}

bool resolvers_event(struct resolvers *r)
{
	char buf[4096] __attribute__((aligned(8)));

	while (read(r->fd, buf, sizeof(buf)) > 0)
		;
	watch(r->fd);
	return read_now(r);
}
