/* SPDX-License-Identifier: MIT */
#include "linux/procscan.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NAMES_BYTES	32768		/* of a directory at a time */
#define LINK_BYTES	64		/* "socket:[4294967295]" and others */

struct scan {
	struct procscan_net *net;
	size_t path_max;
	uint64_t until_ns;
	procscan_hit_fn *hit;
	void *ctx;
	int proc;
};

/* A process that may have what is wanted. */
struct process {
	const struct scan *scan;
	int dir, fds;			/* /proc/PID, and its fd/ */
	bool read;			/* its path has been */
	char path[PATH_MAX];		/* "": none */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A link's text with NUL; false: it is longer, or cannot be read. */
static bool read_link(int at, const char *name, char *buf, size_t cap)
{
	const ssize_t n = readlinkat(at, name, buf, cap);

	if (n <= 0 || (size_t)n == cap)
		return false;
	buf[n] = '\0';
	return true;
}

/* Each entry whose name is a number. false: there was not time enough. */
static bool each_number(int dir, uint64_t until_ns,
			bool (*each)(void *arg, const char *name), void *arg)
{
	_Alignas(struct dirent64) char buf[NAMES_BYTES];
	ssize_t n;

	while ((n = getdents64(dir, buf, sizeof(buf))) > 0) {
		const struct dirent64 *d;

		if (now_ns() >= until_ns)
			return false;
		for (ssize_t at = 0; at < n; at += d->d_reclen) {
			d = (const void *)(buf + at);
			if (d->d_name[0] >= '0' && d->d_name[0] <= '9' &&
			    !each(arg, d->d_name))
				return false;
		}
	}
	return true;
}

bool procscan_path(char *link)
{
	static const char removed[] = " (deleted)", memory[] = "/memfd:";
	const size_t len = strlen(link), tail = sizeof(removed) - 1;

	if (link[0] != '/' || !strncmp(link, memory, sizeof(memory) - 1))
		return false;
	if (len > tail + 1 && !strcmp(link + len - tail, removed))
		link[len - tail] = '\0';
	return true;
}

static bool read_path(int dir, char *buf, size_t cap)
{
	return read_link(dir, "exe", buf, cap) && procscan_path(buf);
}

static const char *path_of(struct process *p)
{
	if (!p->read) {
		p->read = true;
		if (!read_path(p->dir, p->path, sizeof(p->path)) ||
		    strlen(p->path) >= p->scan->path_max)
			p->path[0] = '\0';
	}
	return p->path[0] ? p->path : NULL;
}

/* Which socket is that? 0: it is none, or cannot be told. */
static uint32_t socket_at(int at, const char *name)
{
	static const char kind[] = "socket:[";
	char link[LINK_BYTES];

	if (!read_link(at, name, link, sizeof(link)) ||
	    strncmp(link, kind, sizeof(kind) - 1))
		return 0;
	return (uint32_t)strtoul(link + sizeof(kind) - 1, NULL, 10);
}

bool procscan_still(int dir, unsigned fd, uint32_t inode, const char *path)
{
	char name[32], now[PATH_MAX];

	snprintf(name, sizeof(name), "fd/%u", fd);
	return socket_at(dir, name) == inode &&
	       read_path(dir, now, sizeof(now)) && !strcmp(now, path);
}

/* Shell's sort: libc's may allocate, and asks the system how much. */
void procscan_sort(struct procscan_net *net)
{
	struct procscan_want *w = net->want;

	for (size_t gap = net->n / 2; gap; gap /= 2)
		for (size_t i = gap; i < net->n; i++) {
			const struct procscan_want moved = w[i];
			size_t at = i;

			for (; at >= gap && w[at - gap].inode > moved.inode;
			     at -= gap)
				w[at] = w[at - gap];
			w[at] = moved;
		}
}

/* The first that wants this one, or a greater one. */
static size_t first_want(const struct procscan_net *net, uint32_t inode)
{
	size_t lo = 0, hi = net->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (net->want[mid].inode < inode)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool look_at_fd(void *arg, const char *name)
{
	struct process *p = arg;
	struct procscan_net *net = p->scan->net;
	const uint32_t inode = socket_at(p->fds, name);

	for (size_t i = first_want(net, inode);
	     i < net->n && net->want[i].inode == inode; i++) {
		net->want[i].found = true;
		p->scan->hit(p->scan->ctx, net->want[i].of, path_of(p), p->dir,
			     (unsigned)strtoul(name, NULL, 10));
	}
	return true;
}

/* That it is still the same process is seen to by its directory. */
static bool look_into(const struct scan *s, const char *pid)
{
	struct process p = { .scan = s, .dir = open_dir(s->proc, pid) };
	bool in_time = true;

	if (p.dir < 0)
		return true;
	p.fds = open_dir(p.dir, "fd");
	if (p.fds >= 0) {
		in_time = each_number(p.fds, s->until_ns, look_at_fd, &p);
		close(p.fds);
	}
	close(p.dir);
	return in_time;
}

static bool look_at_process(void *arg, const char *pid)
{
	const struct scan *s = arg;
	char name[32], link[PROCSCAN_NET_BYTES];

	snprintf(name, sizeof(name), "%s/ns/net", pid);
	if (!read_link(s->proc, name, link, sizeof(link)) ||
	    strcmp(link, s->net->name))
		return true;
	return look_into(s, pid);
}

bool procscan(int proc, struct procscan_net *net, size_t path_max,
	      uint64_t until_ns, procscan_hit_fn *hit, void *ctx)
{
	struct scan s = {
		.net = net, .path_max = path_max, .until_ns = until_ns,
		.hit = hit, .ctx = ctx, .proc = proc,
	};

	return lseek(proc, 0, SEEK_SET) == 0 &&
	       each_number(proc, until_ns, look_at_process, &s);
}

bool procscan_name(int ns, char name[PROCSCAN_NET_BYTES])
{
	struct stat st;

	name[0] = '\0';
	if (fstat(ns, &st) < 0)
		return false;
	snprintf(name, PROCSCAN_NET_BYTES, "net:[%lu]",
		 (unsigned long)st.st_ino);
	return true;
}
