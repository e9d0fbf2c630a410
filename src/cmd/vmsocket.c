/* SPDX-License-Identifier: MIT */
#include "cmd/vmsocket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/notify.h"
#include "keeper/watch.h"
#include "linux/link.h"

#define WAITING		4	/* streams; there is but one machine */
#define TRIES_MAX	6
#define FIRST_TRY_MS	5
#define AGAIN_MS	100	/* from one connection to the next */

static struct sockaddr_un address_of(const char *path, size_t len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	/* config/value.c has seen to its length. */
	memcpy(a.sun_path, path, len);
	return a;
}

/* Has whoever made the socket gone, by SIGKILL perhaps? */
static bool is_stale(const struct sockaddr_un *a, int type)
{
	const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	struct stat st;
	bool stale;

	if (fd < 0 || lstat(a->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	stale = connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* A socket at that path, for the user alone; -1 with fail set. */
static int bind_at(const struct sockaddr_un *a, int type, const char *option,
		   struct fail *fail)
{
	const struct sockaddr *sa = (const struct sockaddr *)a;
	const int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	const mode_t old = umask(0177);
	int rc = fd < 0 ? -1 : bind(fd, sa, sizeof(*a));

	if (fd >= 0 && rc < 0 && errno == EADDRINUSE && is_stale(a, type)) {
		unlink(a->sun_path);
		rc = bind(fd, sa, sizeof(*a));
	}
	umask(old);
	if (rc == 0 && (type == SOCK_DGRAM || listen(fd, WAITING) == 0))
		return fd;
	fail_set(fail, "%s %s: %s; %s", option, a->sun_path, strerror(errno),
		 errno == EADDRINUSE ? "another one serves there, or it is a "
		 "file: take another path" : "see that its directory is yours");
	if (fd >= 0)
		close(fd);
	return -1;
}

/* From the root on: only so can it be watched. false: too long. */
static bool make_absolute(char path[PATH_MAX])
{
	char at[PATH_MAX], whole[2 * PATH_MAX];

	if (path[0] == '/')
		return true;
	if (!getcwd(at, sizeof(at)) ||
	    snprintf(whole, sizeof(whole), "%s/%s", at, path) >= PATH_MAX)
		return false;
	strcpy(path, whole);
	return true;
}

/* What the machine makes itself: to be told when it does. */
static int watch_peer(struct vmsocket *s, const char *option,
		      const char *text, struct fail *fail)
{
	if (!make_absolute(s->peer))
		return fail_set(fail, "%s %s: too far below the root; take "
				"another path", option, text);
	s->watch_fd = watch_open(s->peer);
	if (s->watch_fd >= 0)
		return 0;
	return fail_set(fail, "%s %s: cannot be watched: %s; raise "
			"fs.inotify.max_user_instances", option, text,
			strerror(errno));
}

static int open_datagrams(struct vmsocket *s, const char *text,
			  struct fail *fail)
{
	const char *comma = strchr(text, ',');
	const int len = comma ? (int)(comma - text) : (int)strlen(text);

	s->own = address_of(text, (size_t)len);
	if (comma)
		snprintf(s->peer, sizeof(s->peer), "%s", comma + 1);
	else
		snprintf(s->peer, sizeof(s->peer), "%s" CONFIG_PEER_SUFFIX,
			 text);
	if (watch_peer(s, "--qemu-dgram", text, fail) < 0)
		return -1;
	s->fd = bind_at(&s->own, SOCK_DGRAM, "--qemu-dgram", fail);
	return s->fd < 0 ? -1 : 0;
}

static int open_door(struct vmsocket *s, const char *text, struct fail *fail)
{
	int ends[2], rc;

	s->own = address_of(text, strlen(text));
	s->given = true;
	snprintf(s->peer, sizeof(s->peer), "%s", text);
	if (watch_peer(s, "--qemu-connect", text, fail) < 0)
		return -1;
	rc = link_door(ends);
	if (rc < 0)
		return fail_set(fail, "--qemu-connect %s: %s; try again", text,
				strerror(-rc));
	s->fd = ends[0];
	s->door = ends[1];
	return 0;
}

/* Those of a service manager that no link has taken are left. */
struct given {
	unsigned n;
	int fd[CONFIG_LINKS_MAX];	/* -1: taken */
};

/* Does it listen there? That cannot be seen later. */
static bool listens_at(int fd, const char *path)
{
	struct sockaddr_un at = { 0 };
	socklen_t len = sizeof(at) - 1, int_len = sizeof(int);
	int listens = 0, type = 0;

	return getsockname(fd, (struct sockaddr *)&at, &len) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &int_len) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens,
			  &int_len) == 0 &&
	       at.sun_family == AF_UNIX && type == SOCK_STREAM && listens &&
	       !strcmp(at.sun_path, path) &&
	       fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0;
}

/* The one at that path; -1: there is none. */
static int take_given(struct given *given, const char *path)
{
	for (unsigned i = 0; i < given->n; i++) {
		const int fd = given->fd[i];

		if (fd < 0 || !listens_at(fd, path))
			continue;
		given->fd[i] = -1;
		return fd;
	}
	return -1;
}

/* One that we were started with: which of the two it is, and where. */
static int open_inherited(struct vmsocket *s, int fd, struct fail *fail)
{
	socklen_t len = sizeof(s->own) - 1, int_len = sizeof(int);
	int listens = 0, type = 0;

	if (getsockname(fd, (struct sockaddr *)&s->own, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &int_len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens,
		       &int_len) < 0 ||
	    type != SOCK_STREAM ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return fail_set(fail, "--fd %d: no stream socket; give one "
				"that is connected or listens", fd);
	s->fd = fd;
	s->given = true;
	s->connected = !listens;
	if (s->own.sun_family != AF_UNIX || !s->own.sun_path[0])
		snprintf(s->own.sun_path, sizeof(s->own.sun_path), "fd %d",
			 fd);
	return 0;
}

static int open_one(struct vmsocket *s, const struct config_link *link,
		    struct given *given, struct fail *fail)
{
	const char *option;

	*s = (struct vmsocket){
		.fd = -1, .door = -1, .machine_fd = -1, .watch_fd = -1,
	};
	if (link->kind == CONFIG_LINK_CONNECT)
		return open_door(s, link->path, fail);
	if (link->kind == CONFIG_LINK_DATAGRAM)
		return open_datagrams(s, link->path, fail);
	if (link->kind == CONFIG_LINK_FD)
		return open_inherited(s, link->fd, fail);
	s->vhost_user = link->kind == CONFIG_LINK_VHOST;
	s->own = address_of(link->path, strlen(link->path));
	option = s->vhost_user ? "--vhost-user" : "--qemu";
	s->fd = take_given(given, link->path);
	s->given = s->fd >= 0;
	if (!s->given)
		s->fd = bind_at(&s->own, SOCK_STREAM, option, fail);
	return s->fd < 0 ? -1 : 0;
}

/* One that was handed to us is to serve for something. */
static int no_given_left(const struct given *given, struct fail *fail)
{
	int rc = 0;

	for (unsigned i = 0; i < given->n; i++) {
		if (given->fd[i] < 0)
			continue;
		close(given->fd[i]);
		rc = fail_set(fail, "serve: a socket of the service manager's "
			      "is that of no link; give ListenStream= the "
			      "same path");
	}
	return rc;
}

int vmsocket_open_all(struct vmsocket *all, const struct config *c,
		      struct fail *fail)
{
	struct given given;
	unsigned n = 0;
	int rc = 0;

	given.n = notify_take_sockets(given.fd, CONFIG_LINKS_MAX);
	while (n < c->n_links && rc == 0) {
		rc = open_one(&all[n], &c->links[n], &given, fail);
		n += rc == 0;
	}
	if (rc == 0)
		rc = no_given_left(&given, fail);
	while (rc < 0 && n)
		vmsocket_close(&all[--n]);
	return rc;
}

void vmsocket_lent(struct vmsocket *s)
{
	if ((s->peer[0] && s->door < 0) || s->connected)
		return;
	close(s->fd);
	s->fd = -1;
}

/*
 * The machine's socket, by a descriptor of its file, so that it is the one
 * that was looked at. In a directory that all may write to, like /tmp, it
 * could be anybody's. -errno; -EPERM: it is another user's.
 */
static int connect_to(int fd, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int rc = 0;

	if (file < 0)
		return -errno;
	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d", file);
	if (fstat(file, &st) < 0 || (st.st_uid != geteuid() && st.st_uid))
		rc = -EPERM;
	else if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		rc = -errno;
	close(file);
	return rc;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000u + (uint64_t)ts.tv_nsec / 1000000u;
}

static bool has_ended(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) > 0;
}

/* A new connection to the machine, for the engine. 0 or -errno. */
static int dial(struct vmsocket *s)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
				       SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -errno : connect_to(fd, s->peer);

	if (!rc)
		rc = link_hand_over(s->door, fd);
	if (!rc)
		s->machine_fd = fd;
	else if (fd >= 0)
		close(fd);
	if (!rc || rc == -EAGAIN)
		s->next_ms = now_ms() + AGAIN_MS;
	return rc;
}

/*
 * The same where there is none. -EAGAIN: not now, but in AGAIN_MS, for a
 * machine that hangs up at once, or has many others waiting, is not to keep
 * us busy.
 */
static int dial_again(struct vmsocket *s)
{
	if (s->machine_fd >= 0) {
		if (!has_ended(s->machine_fd))
			return 0;
		close(s->machine_fd);
		s->machine_fd = -1;
	}
	return now_ms() < s->next_ms ? -EAGAIN : dial(s);
}

int vmsocket_connect(struct vmsocket *s)
{
	int rc;

	watch_again(s->watch_fd, s->peer);
	rc = s->door < 0 ? connect_to(s->fd, s->peer) : dial_again(s);
	if (rc == -EAGAIN && s->door >= 0)
		return AGAIN_MS;
	if (rc == -ECONNREFUSED && s->tries < TRIES_MAX)
		/* The file is there a moment before the socket is. */
		return FIRST_TRY_MS << s->tries++;
	s->tries = 0;
	if (rc < 0 && rc != -ECONNREFUSED && rc != -ENOENT && !s->told) {
		fprintf(stderr, "slipway: %s cannot be joined: %s\n", s->peer,
			rc == -EPERM ? "it is another user's" :
				       strerror(-rc));
		s->told = true;
	}
	return -1;
}

void vmsocket_close(struct vmsocket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->watch_fd >= 0)
		close(s->watch_fd);
	if (s->door >= 0)
		close(s->door);
	if (s->machine_fd >= 0)
		close(s->machine_fd);
	if (!s->given)
		unlink(s->own.sun_path);
}

void vmsocket_print(const struct vmsocket *s, FILE *out)
{

	if (s->vhost_user)
		fprintf(out, "-object memory-backend-memfd,id=m,size=2G,share=on "
			"-machine memory-backend=m -m 2G "
			"-chardev socket,id=c,path=%s,reconnect=1 "
			"-netdev vhost-user,id=n,chardev=c", s->own.sun_path);
	else if (s->door >= 0)
		fprintf(out, "-netdev stream,id=n,server=on,addr.type=unix,"
			"addr.path=%s", s->peer);
	else if (s->peer[0])
		fprintf(out, "-netdev dgram,id=n,local.type=unix,local.path=%s,"
			"remote.type=unix,remote.path=%s", s->peer,
			s->own.sun_path);
	else if (s->connected)
		fprintf(out, "-netdev stream,id=n,server=off,addr.type=fd,"
			"addr.str=FD");
	else
		fprintf(out, "-netdev stream,id=n,server=off,addr.type=unix,"
			"addr.path=%s", s->own.sun_path);
	fprintf(out, " -device virtio-net,netdev=n\n");
}
