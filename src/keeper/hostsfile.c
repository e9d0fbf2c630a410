/* SPDX-License-Identifier: MIT */
#include "keeper/hostsfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keeper/etctext.h"
#include "keeper/textfile.h"
#include "keeper/watch.h"

#define HOSTS "/etc/hosts"

void hostsfile_init(struct hostsfile *h)
{
	memset(h, 0, sizeof(*h));
	h->fd = watch_open(HOSTS);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Other files of the directory change, too: that shall not cost a reading. */
bool hostsfile_event(struct hostsfile *h)
{
	struct stat now;

	watch_again(h->fd, HOSTS);
	if (stat(HOSTS, &now) < 0)
		memset(&now, 0, sizeof(now));
	return now.st_ino != h->seen.st_ino || now.st_dev != h->seen.st_dev ||
	       now.st_size != h->seen.st_size ||
	       !same_time(&now.st_mtim, &h->seen.st_mtim) ||
	       !same_time(&now.st_ctim, &h->seen.st_ctim);
}

/* The block in a descriptor of its own; or -errno. */
static int to_descriptor(const char *block, size_t len)
{
	const int fd = memfd_create("hosts", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len) {
		n = write(fd, block, len);
		if (n < 0) {
			const int err = errno;

			close(fd);
			return -err;
		}
		block += n;
		len -= (size_t)n;
	}
	/* The engine maps it: what shrinks there, or changes, would end it. */
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
		  F_SEAL_SEAL) < 0) {
		const int err = errno;

		close(fd);
		return -err;
	}
	return fd;
}

int hostsfile_table(struct hostsfile *h, size_t *bytes)
{
	char *text, *block;
	int fd;

	if (stat(HOSTS, &h->seen) < 0)
		memset(&h->seen, 0, sizeof(h->seen));
	text = textfile_read(HOSTS, HOSTSFILE_BYTES);
	if (!text)
		return -errno;
	block = hosts_table(text, bytes);
	free(text);
	if (!block)
		return -ENOENT;
	fd = to_descriptor(block, *bytes);
	free(block);
	return fd;
}
