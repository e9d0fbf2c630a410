/* SPDX-License-Identifier: MIT */
#include "linux/procfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ssize_t procfile_read(const char *path, char *buf, size_t cap)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return -errno;
	while (n > 0 && len < cap) {
		n = read(fd, buf + len, cap - len);
		if (n < 0) {
			const int err = errno;

			close(fd);
			return -err;
		}
		len += (size_t)n;
	}
	close(fd);
	if (len == cap)
		return -EFBIG;
	buf[len] = '\0';
	return (ssize_t)len;
}

int procfile_write(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

void procfile_try(const char *path, const char *text)
{
	(void)!procfile_write(path, text);
}

long procfile_number(const char *path, long otherwise)
{
	char buf[256];
	char *end;
	long value;

	if (procfile_read(path, buf, sizeof(buf)) < 0)
		return otherwise;
	value = strtol(buf, &end, 10);
	return end == buf ? otherwise : value;
}
