/* SPDX-License-Identifier: MIT */
#include "keeper/owner.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/names.h"
#include "keeper/textfile.h"

#define INODES_MAX	8
#define TCP_LISTEN	0x0a	/* the kernel's, as /proc/net/tcp shows it */

/* What is looked for in its tables. */
struct search {
	uint16_t port;
	bool udp;		/* else only what listens is in the way */
};

struct inodes {
	unsigned n;
	unsigned long at[INODES_MAX];
};

/*
 * One line of /proc/net/tcp and the like. Anything on the port that listens and
 * has our family or the other's wildcard may be in the way: the addresses
 * are compared no further, because a hint is all this is for.
 */
static void take_line(const char *line, const struct search *s,
		      struct inodes *out)
{
	unsigned local_port, state;
	unsigned long inode;

	if (sscanf(line, "%*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x "
		   "%*s %*s %*s %*d %*d %lu", &local_port, &state,
		   &inode) != 3)
		return;
	if (local_port == s->port && (s->udp || state == TCP_LISTEN) &&
	    out->n < INODES_MAX)
		out->at[out->n++] = inode;
}

static void take_table(const char *path, const struct search *s,
		       struct inodes *out)
{
	FILE *f = fopen(path, "re");
	char line[512];

	if (!f)
		return;
	while (fgets(line, sizeof(line), f))
		take_line(line, s, out);
	fclose(f);
}

static bool is_one(const char *link, const struct inodes *inodes)
{
	char want[32];

	for (unsigned i = 0; i < inodes->n; i++) {
		snprintf(want, sizeof(want), "socket:[%lu]", inodes->at[i]);
		if (!strcmp(link, want))
			return true;
	}
	return false;
}

static bool has_socket(const char *pid, const struct inodes *inodes)
{
	char path[300], link[64];
	struct dirent *d;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (d = readdir(dir))) {
		const ssize_t n = readlinkat(dirfd(dir), d->d_name, link,
					     sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		found = is_one(link, inodes);
	}
	closedir(dir);
	return found;
}

static void describe(const char *pid, const char *dir, char *buf, size_t cap)
{
	char path[300], name[CONFIG_NAME_BYTES], *comm;

	if (names_of_pid(dir, (pid_t)atoi(pid), name)) {
		snprintf(buf, cap, "slipway %s (pid %s)", name, pid);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	comm = textfile_read(path, 64);
	if (comm)
		comm[strcspn(comm, "\n")] = '\0';
	/* Another user's choice of words: none that a terminal obeys. */
	for (char *p = comm; p && *p; p++)
		if (iscntrl((unsigned char)*p) || !isascii((unsigned char)*p))
			*p = '?';
	snprintf(buf, cap, "%s (pid %s)", comm ? comm : "a process", pid);
	free(comm);
}

bool owner_of(const struct endpoint *at, bool udp, const char *dir,
	      char *buf, size_t cap)
{
	const struct search s = { .port = at->port, .udp = udp };
	struct inodes inodes = { 0 };
	struct dirent *d;
	bool found = false;
	DIR *proc;

	take_table(udp ? "/proc/net/udp" : "/proc/net/tcp", &s, &inodes);
	take_table(udp ? "/proc/net/udp6" : "/proc/net/tcp6", &s, &inodes);
	proc = inodes.n ? opendir("/proc") : NULL;
	if (!proc)
		return false;
	while (!found && (d = readdir(proc))) {
		if (!isdigit((unsigned char)d->d_name[0]) ||
		    atoi(d->d_name) == getpid() ||
		    !has_socket(d->d_name, &inodes))
			continue;
		describe(d->d_name, dir, buf, cap);
		found = true;
	}
	closedir(proc);
	return found;
}
