/* SPDX-License-Identifier: MIT */
/*
 * cmd/firewall_log.c - `slipway firewall log`
 *
 * The keeper writes the file; when it is full it gets another name and a
 * new one begins. Followed is the name: what is left of the old file is
 * printed before the new one. Nothing is polled: inotify tells of writes,
 * a pidfd of the keeper's end.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/firewall.h"
#include "config/settings.h"

struct follow {
	const char *path;
	int file;		/* -1: not there yet */
	int watch;		/* inotify, of its directory */
	int keeper;		/* pidfd */
};

/* All that there is from where we are. 0 or -errno. */
static int print_rest(int fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return -EIO;
	if (n < 0)
		return -errno;
	return fflush(stdout) ? -EIO : 0;
}

static bool is_open_file(const struct follow *f)
{
	struct stat named, ours;

	return f->file >= 0 && stat(f->path, &named) == 0 &&
	       fstat(f->file, &ours) == 0 && named.st_ino == ours.st_ino &&
	       named.st_dev == ours.st_dev;
}

/* What is new in the file, and in the one that took its name. */
static int catch_up(struct follow *f)
{
	int rc = f->file >= 0 ? print_rest(f->file) : 0;

	if (rc < 0 || is_open_file(f))
		return rc;
	/* It may have grown before it lost its name. */
	rc = f->file >= 0 ? print_rest(f->file) : 0;
	if (f->file >= 0)
		close(f->file);
	f->file = open(f->path, O_RDONLY | O_CLOEXEC);
	if (f->file < 0)
		return errno == ENOENT ? rc : -errno;
	return rc < 0 ? rc : print_rest(f->file);
}

static int follow_on(struct follow *f)
{
	struct pollfd p[2] = { { .fd = f->watch, .events = POLLIN },
			       { .fd = f->keeper, .events = POLLIN } };
	char events[4096];
	int rc = 0;

	while (rc == 0 && !p[1].revents) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (p[0].revents && read(f->watch, events, sizeof(events)) < 0)
			return -errno;
		rc = catch_up(f);
	}
	return rc;
}

static int watch_directory(struct follow *f)
{
	char dir[4096];
	const char *slash = strrchr(f->path, '/');

	if (!slash || (size_t)(slash - f->path) >= sizeof(dir))
		return -EINVAL;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - f->path), f->path);
	f->watch = inotify_init1(IN_CLOEXEC);
	if (f->watch < 0 ||
	    inotify_add_watch(f->watch, dir, IN_MODIFY | IN_CREATE |
			      IN_MOVED_TO) < 0)
		return -errno;
	return 0;
}

/* The keeper of that network, so that we end with it. */
static int open_keeper(const char *name, struct fail *fail)
{
	json_t *status = ask_once(name, API_STATUS, NULL, fail);
	pid_t pid;
	int fd;

	if (!status)
		return -1;
	pid = (pid_t)json_integer_value(json_object_get(status, "keeper"));
	json_decref(status);
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	return fd >= 0 ? fd : fail_set(fail, "%s: has ended; there is nothing "
				       "to follow", name);
}

static int print_log(const struct config *c, const char *name,
		     const char *path, struct fail *fail)
{
	struct follow f = { .path = path, .file = -1, .watch = -1,
			    .keeper = -1 };
	int rc = 0;

	if (c->verb.follow) {
		f.keeper = open_keeper(name, fail);
		if (f.keeper < 0)
			return -1;
		rc = watch_directory(&f);
	}
	if (rc == 0)
		rc = catch_up(&f);
	if (rc == 0 && c->verb.follow)
		rc = follow_on(&f);
	for (unsigned i = 0; i < 3; i++) {
		const int fd = (int[]){ f.file, f.watch, f.keeper }[i];

		if (fd >= 0)
			close(fd);
	}
	return rc == 0 ? 0 : fail_set(fail, "%s: cannot be read: %s; see "
				      "that it is yours", path, strerror(-rc));
}

/* As JSON there are only the latest, which the keeper remembers. */
static int print_blocked(const struct config *c, const char *command)
{
	char name[CONFIG_NAME_BYTES];
	struct fail fail;
	json_t *answer = firewall_ask(c, command, API_FIREWALL_BLOCKED, NULL,
				      name, &fail);

	return answer ? cmd_json(answer) : cmd_fail(&fail, EXIT_FAILED);
}

int firewall_log(char **argv)
{
	static const char command[] = "firewall log";
	char name[CONFIG_NAME_BYTES];
	struct fail fail;
	const char *path;
	struct config c;
	json_t *answer;
	int done = cmd_options(&c, FOR_FW_LOG, argv, &argv), rc;

	if (done < 0)
		done = firewall_network(&c, command, argv);
	if (done >= 0)
		return done;
	if (c.json)
		return print_blocked(&c, command);
	answer = firewall_ask(&c, command, API_FIREWALL, NULL, name, &fail);
	if (!answer)
		return cmd_fail(&fail, EXIT_FAILED);
	path = json_string_value(json_object_get(answer, "log"));
	if (path)
		rc = print_log(&c, name, path, &fail);
	else
		rc = fail_set(&fail, "%s: blocked flows are not logged; set "
			      "log in [firewall], or see --json", name);
	json_decref(answer);
	return rc < 0 ? cmd_fail(&fail, EXIT_FAILED) : EXIT_DONE;
}
