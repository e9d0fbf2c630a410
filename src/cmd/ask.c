/* SPDX-License-Identifier: MIT */
#include "cmd/ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/value.h"
#include "keeper/names.h"

#define WAIT_S		5
#define REPLY_MAX	((size_t)4 << 20)

/* Is the one who listens there ours to believe? */
static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

int ask_connect(const char *dir, const char *name)
{
	const struct timeval wait = { .tv_sec = WAIT_S };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char path[NAMES_PATH_BYTES];
	int fd, error;

	names_path(path, dir, name, ".sock");
	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		error = errno;
	else if (is_ours(fd))
		return fd;
	else
		error = EPERM;
	close(fd);
	/* A leftover of a keeper that was killed refuses. */
	return error == ECONNREFUSED ? -ENOENT : -error;
}

int ask_named(const char *name, struct fail *fail)
{
	char dir[NAMES_DIR_BYTES];
	int fd;

	if (names_find_dir(dir, fail) < 0)
		return -1;
	fd = value_is_name(name) ? ask_connect(dir, name) : -ENOENT;
	if (fd >= 0)
		return fd;
	if (fd == -ENOENT)
		return fail_set(fail, "%s: no guest of that name runs; "
				"see slipway status", name);
	return fail_set(fail, "%s: cannot be asked: %s; see %s/%s.log", name,
			strerror(-fd), dir, name);
}

/* Keep the descriptors of a message; those that nobody wants are closed. */
static void take_fds(struct msghdr *m, int *fds, size_t *n_fds)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		const unsigned char *p = CMSG_DATA(c);
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, p + i * sizeof(int), sizeof(int));
			if (fds && *n_fds < ASK_MAX_FDS)
				fds[(*n_fds)++] = fd;
			else
				close(fd);
		}
	}
}

static ssize_t receive(int fd, char *buf, size_t cap, int *fds,
		       size_t *n_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * ASK_MAX_FDS)];
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		take_fds(&m, fds, n_fds);
	return n;
}

/* The reply's line, allocated; NULL with errno. */
static char *receive_line(int fd, size_t *len, int *fds, size_t *n_fds)
{
	size_t used = 0, cap = 0;
	char *text = NULL;

	while (used < REPLY_MAX) {
		char *grown;
		ssize_t n;

		if (cap - used < 4096) {
			cap = cap ? 2 * cap : 8192;
			grown = realloc(text, cap);
			if (!grown)
				break;
			text = grown;
		}
		n = receive(fd, text + used, cap - used, fds, n_fds);
		if (n <= 0) {
			errno = n ? errno : ECONNRESET;
			break;
		}
		used += (size_t)n;
		if (text[used - 1] == '\n') {
			*len = used - 1;
			return text;
		}
	}
	free(text);
	return NULL;
}

static json_t *read_reply(int fd, int *fds, size_t *n_fds, struct fail *fail)
{
	const char *error;
	size_t len;
	char *text = receive_line(fd, &len, fds, n_fds);
	json_t *reply;

	if (!text) {
		fail_set(fail, "the guest does not answer: %s; it may be "
			 "ending, try again", strerror(errno));
		return NULL;
	}
	reply = json_loadb(text, len, 0, NULL);
	free(text);
	error = json_string_value(json_object_get(reply, "error"));
	if (json_is_object(reply) && !error)
		return reply;
	fail_set(fail, "%s", error ? error :
		 "the guest's answer is not JSON; try again");
	json_decref(reply);
	return NULL;
}

json_t *ask(int fd, enum request_op op, int *fds, size_t *n_fds,
	    struct fail *fail)
{
	char *line = request_make(op);
	const size_t len = line ? strlen(line) : 0;
	size_t none = 0, *n = n_fds ? n_fds : &none;
	json_t *reply = NULL;

	*n = 0;
	if (!line || send(fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail_set(fail, "the guest does not listen: %s; it may be "
			 "ending, try again", strerror(errno));
	else
		reply = read_reply(fd, fds, n, fail);
	free(line);
	while (!reply && *n)
		close(fds[--*n]);
	return reply;
}
