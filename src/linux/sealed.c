/* SPDX-License-Identifier: MIT */
#include "linux/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* 0 or -errno. */
static int write_all(int fd, struct view v)
{
	while (v.len) {
		const ssize_t n = write(fd, v.p, v.len);

		if (n < 0)
			return -errno;
		v.p += n;
		v.len -= (size_t)n;
	}
	return 0;
}

int sealed_file(const char *name, const struct view *part, size_t n)
{
	const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc = 0;

	if (fd < 0)
		return -errno;
	for (size_t i = 0; !rc && i < n; i++)
		rc = write_all(fd, part[i]);
	if (!rc && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
			 F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		rc = -errno;
	if (!rc)
		return fd;
	close(fd);
	return rc;
}
