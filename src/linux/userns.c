/* SPDX-License-Identifier: MIT */
#include "linux/userns.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "linux/procfile.h"

#define SYSCTL(path) "/proc/sys/" path

bool userns_filtered(void)
{
	char status[8192];
	const char *at;

	if (procfile_read("/proc/self/status", status, sizeof(status)) < 0)
		return false;
	at = strstr(status, "\nSeccomp:");
	return at && strstr(at, "\t2\n") == at + strlen("\nSeccomp:");
}

/* Who says no, in the order of how often it is met. */
static int explain(struct fail *fail, int err)
{
	const char *const what = "cannot make a user namespace";

	if (procfile_number(SYSCTL("user/max_user_namespaces"), 1) == 0)
		return fail_set(fail, "%s: this machine allows none "
				"(user.max_user_namespaces = 0); as root: "
				"sysctl user.max_user_namespaces=10000", what);
	if (err == ENOSPC || err == EUSERS)
		return fail_set(fail, "%s: too many of them, or too deep in "
				"one another; end some, or raise "
				"user.max_user_namespaces", what);
	if (err == EINVAL || err == ENOSYS)
		return fail_set(fail, "%s: this kernel has none "
				"(CONFIG_USER_NS); run slipway as root", what);
	if (procfile_number(SYSCTL("kernel/unprivileged_userns_clone"), 1)
	    == 0)
		return fail_set(fail, "%s: this machine forbids it to ordinary "
				"users; as root: sysctl "
				"kernel.unprivileged_userns_clone=1", what);
	if (procfile_number(SYSCTL("kernel/apparmor_restrict_unprivileged_"
				   "userns"), 0) == 1)
		return fail_set(fail, "%s: Ubuntu's AppArmor restriction "
				"forbids it to this program; give it an "
				"AppArmor profile that allows userns, or as "
				"root: sysctl kernel.apparmor_restrict_"
				"unprivileged_userns=0", what);
	if (userns_filtered())
		return fail_set(fail, "%s: a seccomp filter forbids it, as in "
				"a plain Docker or Podman container; run "
				"slipway on the host, or the container with "
				"--security-opt seccomp=unconfined --device "
				"/dev/net/tun", what);
	return fail_set(fail, "%s: %s; run slipway as root, or where user "
			"namespaces are allowed (not in a chroot)", what,
			strerror(err));
}

static int write_map(const char *path, unsigned inside, unsigned outside)
{
	char text[64];

	snprintf(text, sizeof(text), "%u %u 1\n", inside, outside);
	return procfile_write(path, text);
}

int userns_enter(uid_t uid, gid_t gid, struct fail *fail)
{
	const uid_t outer_uid = geteuid();
	const gid_t outer_gid = getegid();
	int err;

	if (unshare(CLONE_NEWUSER))
		return explain(fail, errno);
	/* Without this the kernel lets nobody unprivileged map a group. */
	err = procfile_write("/proc/self/setgroups", "deny");
	if (!err || err == -ENOENT)
		err = write_map("/proc/self/uid_map", uid, outer_uid);
	if (!err)
		err = write_map("/proc/self/gid_map", gid, outer_gid);
	return err ? explain(fail, -err) : 0;
}
