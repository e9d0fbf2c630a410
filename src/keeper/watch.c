/* SPDX-License-Identifier: MIT */
#include "keeper/watch.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

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
static void watch(int fd, const char *file)
{
	char path[PATH_MAX];
	unsigned links = 0;

	snprintf(path, sizeof(path), "%s", file);
	do
		watch_directory(fd, path);
	while (links++ < LINKS_MAX && follow(path));
	/* A file that is bind-mounted changes in place, unseen from there. */
	inotify_add_watch(fd, path, IN_CLOSE_WRITE);
}

int watch_open(const char *path)
{
	const int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd >= 0)
		watch(fd, path);
	return fd;
}

/* Does the event tell of that file, or of one with a name made from its? */
static bool is_of(const struct inotify_event *ev, const char *name)
{
	return !ev->len || strstr(ev->name, name);
}

bool watch_again(int fd, const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	char buf[4096] __attribute__((aligned(8)));
	bool written = false;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (const char *p = buf; p < buf + n;) {
			const struct inotify_event *ev = (const void *)p;

			written |= is_of(ev, name);
			p += sizeof(*ev) + ev->len;
		}
	watch(fd, path);
	return written;
}
