/* SPDX-License-Identifier: MIT */
#include "keeper/names.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/value.h"

static int path_of_dir(char dir[NAMES_DIR_BYTES], struct fail *fail)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const size_t room = sizeof(((struct sockaddr_un *)0)->sun_path) -
			    CONFIG_NAME_BYTES - sizeof(".sock");
	int n;

	if (geteuid() == 0)
		n = snprintf(dir, NAMES_DIR_BYTES, "/run/slipway");
	else if (runtime && *runtime == '/')
		n = snprintf(dir, NAMES_DIR_BYTES, "%s/slipway", runtime);
	else
		n = snprintf(dir, NAMES_DIR_BYTES, "/tmp/slipway-%u",
			     (unsigned)geteuid());
	if (n < 0 || (size_t)n > room)
		return fail_set(fail, "XDG_RUNTIME_DIR: %s: too long for the "
				"path of a socket; set it to at most %zu "
				"characters", runtime, room - 8);
	return 0;
}

/* In /tmp anybody may have made it, and would be believed. */
static int check_dir(const char *dir, struct fail *fail)
{
	struct stat st;

	if (lstat(dir, &st) < 0)
		return errno == ENOENT ? 0 :
		       fail_set(fail, "%s: %s; set XDG_RUNTIME_DIR to a "
				"directory of yours", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_mode & (S_IWGRP | S_IWOTH))
		return fail_set(fail, "%s: not a directory that only you may "
				"write to; set XDG_RUNTIME_DIR to a directory "
				"of yours", dir);
	return 0;
}

int names_find_dir(char dir[NAMES_DIR_BYTES], struct fail *fail)
{
	return path_of_dir(dir, fail) < 0 ? -1 : check_dir(dir, fail);
}

int names_make_dir(char dir[NAMES_DIR_BYTES], struct fail *fail)
{
	if (path_of_dir(dir, fail) < 0)
		return -1;
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return fail_set(fail, "%s: cannot be made: %s; %s", dir,
				strerror(errno), geteuid() == 0 ?
				"see that /run is there and writable" :
				"set XDG_RUNTIME_DIR to a directory of yours");
	return check_dir(dir, fail);
}

const char *names_path(char *buf, const char *dir, const char *name,
		       const char *suffix)
{
	snprintf(buf, NAMES_PATH_BYTES, "%s/%s%s", dir, name, suffix);
	return buf;
}

void names_from_command(const char *command, char out[CONFIG_NAME_BYTES])
{
	const char *slash = strrchr(command, '/');
	const char *p = slash ? slash + 1 : command;
	size_t n = 0;

	for (; *p && n < CONFIG_NAME_BYTES - 1; p++) {
		const unsigned char c = (unsigned char)*p;
		const bool fits = isascii(c) && (isalnum(c) ||
						 strchr("._-", c));

		if (n == 0 && !(isascii(c) && isalnum(c)))
			continue;
		out[n++] = fits ? (char)tolower(c) : '-';
	}
	out[n] = '\0';
	if (n == 0)
		strcpy(out, "guest");
}

void names_nth(const char *base, unsigned n, char out[CONFIG_NAME_BYTES])
{
	char suffix[16] = "";
	int len = 0;

	if (n > 1)
		len = snprintf(suffix, sizeof(suffix), "-%u", n);
	snprintf(out, CONFIG_NAME_BYTES, "%.*s%s",
		 CONFIG_NAME_BYTES - 1 - len, base, suffix);
}

/* Is the file behind fd still the one at path? Its owner may remove it. */
static bool still_there(int fd, const char *path)
{
	struct stat open, at;

	return fstat(fd, &open) == 0 && lstat(path, &at) == 0 &&
	       open.st_ino == at.st_ino && open.st_dev == at.st_dev;
}

int names_lock(const char *dir, const char *name)
{
	char path[NAMES_PATH_BYTES];

	names_path(path, dir, name, ".lock");
	for (;;) {
		const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC |
					  O_NOFOLLOW, 0600);
		int error;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			error = errno;
			close(fd);
			return -error;
		}
		if (still_there(fd, path))
			return fd;
		close(fd);
	}
}

void names_remove(const char *dir, const char *name, bool keep_log)
{
	static const char *const suffixes[] = { ".sock", ".pid", ".log",
						".lock" };
	char path[NAMES_PATH_BYTES];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
		if (!keep_log || strcmp(suffixes[i], ".log"))
			unlink(names_path(path, dir, name, suffixes[i]));
}

static int is_socket(const struct dirent *d)
{
	const size_t n = strlen(d->d_name);

	return n > 5 && !strcmp(d->d_name + n - 5, ".sock");
}

static int is_pid(const struct dirent *d)
{
	const size_t n = strlen(d->d_name);

	return n > 4 && !strcmp(d->d_name + n - 4, ".pid");
}

/* The number in a pid file; 0 if it has none. */
static pid_t read_pid(const char *path)
{
	FILE *f = fopen(path, "re");
	int pid = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid;
}

bool names_of_pid(const char *dir, pid_t keeper, char out[CONFIG_NAME_BYTES])
{
	struct dirent **list;
	const int n = scandir(dir, &list, is_pid, NULL);
	bool found = false;

	for (int i = 0; i < n; i++) {
		char path[NAMES_PATH_BYTES];

		snprintf(path, sizeof(path), "%s/%.38s", dir, list[i]->d_name);
		if (!found && read_pid(path) == keeper) {
			list[i]->d_name[strlen(list[i]->d_name) - 4] = '\0';
			snprintf(out, CONFIG_NAME_BYTES, "%.32s",
				 list[i]->d_name);
			found = true;
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return found;
}

/* By name, without the suffix: web, web-2, web.old. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	const size_t n = strlen((*a)->d_name) - 5;
	const size_t m = strlen((*b)->d_name) - 5;
	const int order = memcmp((*a)->d_name, (*b)->d_name, n < m ? n : m);

	return order ? order : n < m ? -1 : n > m;
}

int names_each(const char *dir, void (*each)(void *ctx, const char *name),
	       void *ctx)
{
	struct dirent **list;
	const int n = scandir(dir, &list, is_socket, by_name);
	int found = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		list[i]->d_name[strlen(list[i]->d_name) - 5] = '\0';
		if (value_is_name(list[i]->d_name)) {
			each(ctx, list[i]->d_name);
			found++;
		}
		free(list[i]);
	}
	free(list);
	return found;
}
