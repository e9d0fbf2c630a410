/* SPDX-License-Identifier: MIT */
#include "cmd/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/procfile.h"

/* The number in a file: 0 if that is empty, -1 if it has something else. */
static long number_in(const char *path)
{
	char text[32], *end;
	struct stat st;
	long n;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) ||
	    procfile_read(path, text, sizeof(text)) < 0)
		return -1;
	if (!text[0])
		return 0;
	n = strtol(text, &end, 10);
	return n > 0 && n <= INT_MAX && !end[strspn(end, "\n")] ? n : -1;
}

static bool lives(pid_t pid)
{
	return kill(pid, 0) == 0 || errno == EPERM;
}

/* The working directory may be another by the time of the end. */
static bool make_absolute(struct pidfile *p, const char *path)
{
	char at[PATH_MAX] = "";
	int n;

	if (path[0] != '/' && !getcwd(at, sizeof(at)))
		return false;
	n = snprintf(p->path, sizeof(p->path), "%s%s%s", at, at[0] ? "/" : "",
		     path);
	return n > 0 && (size_t)n < sizeof(p->path);
}

int pidfile_check(struct pidfile *p, const char *path, struct fail *fail)
{
	long pid;

	*p = (struct pidfile){ .ours = false };
	if (!path)
		return 0;
	if (!make_absolute(p, path))
		return fail_set(fail, "--pid-file %s: too long a path; take "
				"another", path);
	if (access(p->path, F_OK) < 0)
		return 0;
	pid = number_in(p->path);
	if (pid < 0)
		return fail_set(fail, "--pid-file %s: there already, and no "
				"pid file; take another path", path);
	if (pid > 0 && lives((pid_t)pid))
		return fail_set(fail, "--pid-file %s: process %ld, which it "
				"names, runs; end that, or take another path",
				path, pid);
	return 0;
}

int pidfile_write(struct pidfile *p, struct fail *fail)
{
	char new[PATH_MAX + 16];
	FILE *f;
	int error = 0;

	if (!p->path[0])
		return 0;
	snprintf(new, sizeof(new), "%s.%d", p->path, getpid());
	f = fopen(new, "wxe");
	if (!f || fprintf(f, "%d\n", getpid()) < 0)
		error = errno;
	if (f && fclose(f) != 0)
		error = errno;
	if (!error && rename(new, p->path) < 0)
		error = errno;
	p->ours = !error;
	if (!error)
		return 0;
	if (f)
		unlink(new);
	return fail_set(fail, "--pid-file %s: cannot be written: %s; take "
			"another path", p->path, strerror(error));
}

void pidfile_remove(struct pidfile *p)
{
	if (p->ours && number_in(p->path) == getpid())
		unlink(p->path);
	p->ours = false;
}
