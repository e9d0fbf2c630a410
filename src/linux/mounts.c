/* SPDX-License-Identifier: MIT */
/*
 * linux/mounts.c - the guest's own /etc/resolv.conf, hosts, nsswitch.conf
 *
 * Theory of operation
 * ===================
 *
 * All files of ours are in one private tmpfs. It is mounted on /etc and at
 * once hidden under a second mount there, so it has no path that a guest
 * could meet, leaves nothing on the host, and yet stays in the namespace,
 * as the source of bind mounts must. The working directory is in it.
 *
 * What hides it is one of two things:
 *
 *   overlay  for an ordinary user: the host's /etc below, ours on top. No
 *            change of the host's files can uncover the host's again.
 *   bind     the host's /etc itself, and each file of ours bound over the
 *            host's of that name. For root, whose programs mean what they
 *            write to /etc; and where the kernel refuses the overlay (no
 *            overlay in user namespaces before Linux 5.11; /etc that is an
 *            overlay, or has mounts in it, as in a container).
 *
 * A root whose host lacks one of the files, so that there is nothing to
 * bind over, gets the overlay.
 *
 * glibc asks resolved, nscd and avahi by sockets, past resolv.conf and the
 * network namespace. nsswitch.conf gets a `hosts:` line without the first
 * and the last; the directories of all three's sockets are covered by
 * directories of ours. That of resolved has our resolv.conf by each of its
 * names, because the host's /etc/resolv.conf often is a link to there.
 *
 * /sys shows the interfaces of the namespace that mounted it: the two
 * directories that list them are covered by those of a sysfs of our own.
 *
 * A bind mount goes when the host renames a new file over what is under it
 * (every VPN does), or removes the directory (a service that ends does).
 * Then the kernel reports a change of mounts, mounts_heal() finds that a
 * path does not lead to our tmpfs, and binds again. A directory that comes
 * new is found by the owner's calling mounts_heal() from time to time.
 */
#include "linux/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/nsswitch.h"
#include "linux/procfile.h"

#define SOURCE	"slipway"	/* shown in the guest's mount table */
#define NSSWITCH_BYTES 16384

/* Covered directories: name in the tmpfs, and what it goes over. */
static const struct cover {
	const char *ours, *at;
} masks[] = {
	{ "resolve", "/run/systemd/resolve" },
	{ "nscd", "/run/nscd" },
	{ "nscd", "/var/run/nscd" },	/* where that is no link to /run */
	{ "avahi", "/run/avahi-daemon" },
};

static const struct cover interfaces[] = {
	{ "sys/class/net", "/sys/class/net" },
	{ "sys/devices/virtual/net", "/sys/devices/virtual/net" },
};

static const struct cover files[] = {
	{ "etc/resolv.conf", "/etc/resolv.conf" },
	{ "etc/hosts", "/etc/hosts" },
	{ "etc/nsswitch.conf", "/etc/nsswitch.conf" },
};

#define N_FILES		(sizeof(files) / sizeof(files[0]))
#define N_MASKS		(sizeof(masks) / sizeof(masks[0]))
#define N_NEEDED	2	/* of files: the others may be missing */

static int write_file(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			    0644);
	const size_t len = strlen(text);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		err = -EIO;
	close(fd);
	return err;
}

static int make_dir(const char *path)
{
	return mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
}

/* Fill the tmpfs, which is the working directory. 0 or -errno. */
static int fill(const char *resolv_conf, const char *hosts,
		const char *nsswitch)
{
	const struct {
		const char *path, *text;
	} texts[] = {
		{ "etc/resolv.conf", resolv_conf },
		{ "etc/hosts", hosts },
		{ "etc/nsswitch.conf", nsswitch },
		{ "resolve/resolv.conf", resolv_conf },
		{ "resolve/stub-resolv.conf", resolv_conf },
	};
	int err = make_dir("etc");

	if (!err)
		err = make_dir("work");
	for (size_t i = 0; !err && i < N_MASKS; i++)
		err = make_dir(masks[i].ours);
	for (size_t i = 0; !err && i < sizeof(texts) / sizeof(texts[0]); i++)
		err = write_file(texts[i].path, texts[i].text);
	return err;
}

static bool is_ours(const struct mounts *m, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_dev == m->dev;
}

/* Bind ours over what is there. 0 if it is covered now, or -errno. */
static int cover(const struct mounts *m, const struct cover *c)
{
	if (is_ours(m, c->at))
		return 0;
	return mount(c->ours, c->at, NULL, MS_BIND, NULL) ? -errno : 0;
}

void mounts_heal(const struct mounts *m)
{
	/* Missing ones are the usual case: nothing there, nothing to hide. */
	for (size_t i = 0; i < N_MASKS; i++)
		(void)cover(m, &masks[i]);
	if (m->own_etc)
		return;
	for (size_t i = 0; i < N_FILES; i++)
		(void)cover(m, &files[i]);
}

/* The host's /etc, kept in hand while ours covers it. */
struct host_etc {
	int dir;		/* the directory */
	int copy;		/* its mounts, detached; < 0: none */
};

static int overlay_etc(int dir)
{
	static const char *const kinds[] = { ",userxattr", "" };
	char options[128];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(options, sizeof(options), "lowerdir=/proc/self/fd/%d,"
			 "upperdir=etc,workdir=work%s", dir, kinds[i]);
		if (mount(SOURCE, "/etc", "overlay", MS_NOSUID | MS_NODEV,
			  options) == 0)
			return 0;
	}
	return -errno;
}

/* copy: a detached copy of the mounts at the host's /etc. 0 or -errno. */
static int bind_etc(const struct mounts *m, int copy)
{
	int err = 0;

	if (move_mount(copy, "", AT_FDCWD, "/etc", MOVE_MOUNT_F_EMPTY_PATH))
		return -errno;
	for (size_t i = 0; !err && i < N_FILES; i++) {
		err = cover(m, &files[i]);
		if (err == -ENOENT && i >= N_NEEDED)
			err = 0;
	}
	if (err)
		umount2("/etc", MNT_DETACH);
	return err;
}

static int cover_etc(struct mounts *m, const struct host_etc *host,
		     bool overlay)
{
	int err;

	m->own_etc = overlay;
	err = overlay ? overlay_etc(host->dir) : bind_etc(m, host->copy);
	if (!err)
		return 0;
	m->own_etc = !overlay;
	return overlay ? bind_etc(m, host->copy) : overlay_etc(host->dir);
}

/* No loss of much where the kernel refuses this, as in a container. */
static void cover_interfaces(void)
{
	const size_t n = sizeof(interfaces) / sizeof(interfaces[0]);

	if (mkdir("sys", 0555) ||
	    mount("sysfs", "sys", "sysfs",
		  MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return;
	for (size_t i = 0; i < n; i++)
		(void)mount(interfaces[i].ours, interfaces[i].at, NULL,
			    MS_BIND, NULL);
}

/* The host's nsswitch.conf as the guest is to see it. */
static void make_nsswitch(char *out, size_t cap)
{
	static char host[NSSWITCH_BYTES];

	if (procfile_read("/etc/nsswitch.conf", host, sizeof(host)) < 0)
		host[0] = '\0';
	nsswitch_rewrite(host, out, cap);
}

/* Mount the private tmpfs, which becomes the working directory. */
static int make_private(struct mounts *m)
{
	struct stat st;

	if (mount(SOURCE, "/etc", "tmpfs", MS_NOSUID | MS_NODEV,
		  "mode=755,size=16m") || chdir("/etc") || stat(".", &st))
		return -errno;
	m->dev = st.st_dev;
	return 0;
}

int mounts_make(struct mounts *m, const char *resolv_conf, const char *hosts,
		bool overlay, struct fail *fail)
{
	static char nsswitch[NSSWITCH_BYTES + 256];
	const char *what = "detach from the host's mounts";
	struct host_etc host = { .dir = -1, .copy = -1 };
	struct mounts new = { .changed = -1 };
	int err = 0;

	make_nsswitch(nsswitch, sizeof(nsswitch));
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL)) {
		err = -errno;
		goto out;
	}
	host.dir = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	host.copy = open_tree(AT_FDCWD, "/etc", OPEN_TREE_CLONE |
			      OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	what = "write files";
	err = make_private(&new);
	if (!err)
		err = fill(resolv_conf, hosts, nsswitch);
	if (err)
		goto out;
	for (size_t i = 0; i < N_MASKS; i++)
		(void)cover(&new, &masks[i]);
	cover_interfaces();
	what = "cover the host's /etc/resolv.conf";
	err = cover_etc(&new, &host, overlay);
	if (err)
		goto out;
	new.changed = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	*m = new;
out:
	if (host.dir >= 0)
		close(host.dir);
	if (host.copy >= 0)
		close(host.copy);
	return err ? fail_set(fail, "cannot %s for the guest: %s", what,
			      strerror(-err)) : 0;
}
