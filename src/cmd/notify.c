/* SPDX-License-Identifier: MIT */
#include "cmd/notify.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD	3		/* SD_LISTEN_FDS_START */

void notify(const char *word)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (!len || len >= sizeof(a.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(a.sun_path, path, len);
	if (path[0] == '@')
		a.sun_path[0] = '\0';	/* abstract */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Nobody there: then nobody waits for it either. */
	(void)!sendto(fd, word, strlen(word), MSG_NOSIGNAL,
		      (const struct sockaddr *)&a,
		      (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				  len));
	close(fd);
}

unsigned notify_take_sockets(int *fds, unsigned max)
{
	const char *pid = getenv("LISTEN_PID"), *text = getenv("LISTEN_FDS");
	const long n = text ? strtol(text, NULL, 10) : 0;
	const int mine = pid && strtol(pid, NULL, 10) == getpid();

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	if (!mine || n < 1 || (unsigned long)n > max)
		return 0;
	for (int i = 0; i < (int)n; i++) {
		fds[i] = FIRST_FD + i;
		if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) < 0)
			return 0;
	}
	return (unsigned)n;
}
