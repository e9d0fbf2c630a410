/* SPDX-License-Identifier: MIT */
#include "keeper/hostsfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/etctext.h"
#include "keeper/textfile.h"
#include "keeper/watch.h"
#include "linux/sealed.h"

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

int hostsfile_table(struct hostsfile *h, size_t *bytes)
{
	char *text, *block;
	struct view part;
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
	part = (struct view){ (const uint8_t *)block, *bytes };
	fd = sealed_file("hosts", &part, 1);
	free(block);
	return fd;
}
