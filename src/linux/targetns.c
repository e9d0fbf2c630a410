/* SPDX-License-Identifier: MIT */
#include "linux/targetns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "linux/procfile.h"

#define NAMED_DIR "/run/netns"	/* of ip-netns(8) */

static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static bool is_netns(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC &&
	       ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

/* What the user named is a network namespace, and not his host's. */
static int check(const char *word, int net, struct fail *fail)
{
	if (!is_netns(net))
		return fail_set(fail, "%s: not a network namespace; give a "
				"file such as /proc/PID/ns/net or "
				NAMED_DIR "/NAME", word);
	if (same_file(net, "/proc/self/ns/net"))
		return fail_set(fail, "%s: in the host's own network "
				"namespace; start it with one of its own: "
				"unshare --net, --network none", word);
	return 0;
}

/* Who owns it? What ours does not own, directly or not, we cannot enter. */
static int find_owner(const char *word, struct targetns *t, struct fail *fail)
{
	const int user = ioctl(t->net, NS_GET_USERNS);

	if (user < 0 && errno == EPERM)
		return fail_set(fail, "%s: its network namespace is not yours; "
				"run slipway as the user who made it, or as "
				"root", word);
	if (user < 0)
		return fail_set(fail, "%s: its user namespace cannot be "
				"found: %s; run slipway as root", word,
				strerror(errno));
	(void)fcntl(user, F_SETFD, FD_CLOEXEC);
	if (same_file(user, "/proc/self/ns/user"))
		close(user);
	else
		t->user = user;
	return 0;
}

static int no_file(const char *word, const char *path, int error,
		   struct fail *fail)
{
	if (error == ENOENT && strchr(word, '/'))
		return fail_set(fail, "%s: no such file; check its path",
				word);
	if (error == ENOENT)
		return fail_set(fail, "%s: no such namespace in " NAMED_DIR
				"; see ip netns, or give a process or a path",
				word);
	if (error == EACCES || error == EPERM)
		return fail_set(fail, "%s: it may not be opened; run slipway "
				"as the user it belongs to, or as root", path);
	return fail_set(fail, "%s: cannot be opened: %s; check its path",
			path, strerror(error));
}

static int open_file(const char *word, struct targetns *t, struct fail *fail)
{
	char path[PATH_MAX];

	if (strchr(word, '/'))
		snprintf(path, sizeof(path), "%s", word);
	else
		snprintf(path, sizeof(path), NAMED_DIR "/%s", word);
	/* It may be anything: a FIFO, a terminal. */
	t->net = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return t->net < 0 ? no_file(word, path, errno, fail) : 0;
}

static int no_process(const char *word, struct fail *fail)
{
	return fail_set(fail, "%s: no such process; see what runs: ps, or "
			"give the path of a namespace", word);
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

static void read_comm(const char *pid, char comm[TARGETNS_COMM_BYTES])
{
	char path[64], text[TARGETNS_COMM_BYTES + 1];

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	if (procfile_read(path, text, sizeof(text)) < 0)
		return;
	text[strcspn(text, "\n")] = '\0';
	snprintf(comm, TARGETNS_COMM_BYTES, "%s", text);
}

static bool is_other(const char *path, const char *than)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat(than, &b) == 0 &&
	       (a.st_dev != b.st_dev || a.st_ino != b.st_ino);
}

static int open_process(const char *word, struct targetns *t,
			struct fail *fail)
{
	const long pid = strtol(word, NULL, 10);
	char path[64];
	int error;

	if (pid <= 0 || pid > INT_MAX)
		return no_process(word, fail);
	t->pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (t->pidfd < 0 && errno != ESRCH)
		return fail_set(fail, "%s: cannot be watched: %s; give the "
				"number of a process, not of a thread", word,
				strerror(errno));
	if (t->pidfd < 0)
		return no_process(word, fail);
	snprintf(path, sizeof(path), "/proc/%ld/ns/net", pid);
	t->net = open(path, O_RDONLY | O_CLOEXEC);
	error = errno;
	read_comm(word, t->comm);
	snprintf(path, sizeof(path), "/proc/%ld/ns/pid", pid);
	t->sees_us = !is_other(path, "/proc/self/ns/pid");
	/* By now the number may be another's: only if ours has ended. */
	if (has_ended(t->pidfd))
		return no_process(word, fail);
	if (t->net < 0)
		return fail_set(fail, "%s: its namespaces cannot be opened: "
				"%s; run slipway as its user, or as root",
				word, strerror(error));
	return 0;
}

static void shut(struct targetns *t)
{
	const int all[] = { t->net, t->user, t->pidfd };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] >= 0)
			close(all[i]);
}

int targetns_open(const char *word, struct targetns *out, struct fail *fail)
{
	struct targetns t = { .net = -1, .user = -1, .pidfd = -1,
			      .sees_us = true };
	const bool digits = *word && !word[strspn(word, "0123456789")];
	int rc = digits ? open_process(word, &t, fail) :
			  open_file(word, &t, fail);

	if (!rc)
		rc = check(word, t.net, fail);
	if (!rc)
		rc = find_owner(word, &t, fail);
	if (rc)
		shut(&t);
	else
		*out = t;
	return rc;
}
