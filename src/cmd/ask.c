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
#define REPLY_MAX	((size_t)16 << 20)

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

struct ask_whose ask_whose(const char *name)
{
	const size_t n = strcspn(name, "/");
	struct ask_whose w = { .guest = name[n] ? name + n + 1 : NULL };

	snprintf(w.network, sizeof(w.network), "%.*s", (int)n, name);
	return w;
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

/* Bytes that have come. */
struct reply {
	char *text;
	size_t len, cap;
	int *fds;
	size_t *n_fds;
};

/* More of them. false, with errno: no more, or too many. */
static bool more(int fd, struct reply *r)
{
	ssize_t n;

	if (r->cap - r->len < 4096) {
		const size_t cap = r->cap ? 2 * r->cap : 8192;
		char *grown = cap <= REPLY_MAX ? realloc(r->text, cap) : NULL;

		errno = ENOMEM;
		if (!grown)
			return false;
		r->text = grown;
		r->cap = cap;
	}
	n = receive(fd, r->text + r->len, r->cap - r->len, r->fds, r->n_fds);
	if (n <= 0) {
		errno = n ? errno : ECONNRESET;
		return false;
	}
	r->len += (size_t)n;
	return true;
}

/* The whole of a response, or errno. */
static int read_response(int fd, struct reply *r, struct http_response *out)
{
	int rc;

	do {
		if (!more(fd, r))
			return errno;
		rc = http_response_parse(r->text, r->len, REPLY_MAX, out);
	} while (rc == HTTP_MORE);
	return rc ? EPROTO : 0;
}

/* After a switch of protocols: one line. */
static int read_line(int fd, struct reply *r, struct http_response *out)
{
	const char *end;

	while (!(end = memchr(r->text + out->bytes, '\n',
			      r->len - out->bytes)))
		if (!more(fd, r))
			return errno;
	out->body.p = r->text + out->bytes;
	out->body.len = (size_t)(end - out->body.p);
	return 0;
}

static json_t *read_reply(int fd, struct reply *r, struct fail *fail)
{
	struct http_response h;
	json_t *body;
	int error = read_response(fd, r, &h);

	if (!error && h.status == 101)
		error = read_line(fd, r, &h);
	if (error && error != EPROTO) {
		fail_set(fail, "the guest does not answer: %s; it may be "
			 "ending, try again", strerror(error));
		return NULL;
	}
	body = error ? NULL : json_loadb(h.body.p, h.body.len, 0, NULL);
	if (json_is_object(body) && h.status < 400)
		return body;
	fail_set(fail, "%s", body ? api_detail(body) :
		 "the guest is of another version of slipway; use that one");
	json_decref(body);
	return NULL;
}

json_t *ask(int fd, enum api_op op, json_t *body, int *fds, size_t *n_fds,
	    struct fail *fail)
{
	const struct api_call *call = api_call(op);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	size_t len, none = 0;
	char *request = http_request_make(call->method, call->path,
					  op == API_EXEC ? API_UPGRADE : NULL,
					  text, &len);
	struct reply r = { .fds = fds, .n_fds = n_fds ? n_fds : &none };
	json_t *reply = NULL;

	*r.n_fds = 0;
	if (!request || send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail_set(fail, "the guest does not listen: %s; it may be "
			 "ending, try again", strerror(errno));
	else
		reply = read_reply(fd, &r, fail);
	json_decref(body);
	free(text);
	free(request);
	free(r.text);
	while (!reply && *r.n_fds)
		close(fds[--*r.n_fds]);
	return reply;
}

json_t *ask_once(const char *name, enum api_op op, json_t *body,
		 struct fail *fail)
{
	const int fd = ask_named(name, fail);
	json_t *reply = NULL;

	if (fd < 0) {
		json_decref(body);
		return NULL;
	}
	reply = ask(fd, op, body, NULL, NULL, fail);
	close(fd);
	return reply;
}

struct round {
	const char *dir;
	enum api_op op;
	json_t *replies;
};

static void ask_next(void *ctx, const char *name)
{
	struct round *r = ctx;
	const int fd = ask_connect(r->dir, name);
	struct fail fail;
	json_t *reply;

	if (fd < 0)
		return;
	reply = ask(fd, r->op, NULL, NULL, NULL, &fail);
	if (reply)
		json_object_set_new(r->replies, name, reply);
	close(fd);
}

json_t *ask_all(enum api_op op, struct fail *fail)
{
	char dir[NAMES_DIR_BYTES];
	struct round r = { .dir = dir, .op = op };
	int n;

	if (names_find_dir(dir, fail) < 0)
		return NULL;
	r.replies = json_object();
	n = names_each(dir, ask_next, &r);
	if (n >= 0 || n == -ENOENT)
		return r.replies;
	fail_set(fail, "%s: cannot be read: %s; see that it is yours", dir,
		 strerror(-n));
	json_decref(r.replies);
	return NULL;
}

struct running {
	const char *dir;
	char name[CONFIG_NAME_BYTES];	/* the first */
	char all[160];
	unsigned n;
};

static void count_running(void *ctx, const char *name)
{
	struct running *r = ctx;
	const int fd = ask_connect(r->dir, name);
	const size_t len = strlen(r->all);

	if (fd < 0)
		return;
	close(fd);
	if (!r->n++)
		snprintf(r->name, sizeof(r->name), "%s", name);
	if (len + strlen(name) + 8 < sizeof(r->all))
		snprintf(r->all + len, sizeof(r->all) - len, "%s%s",
			 len ? ", " : "", name);
	else if (!strstr(r->all, "..."))
		strcat(r->all, " ...");
}

int ask_which(const char *given, const char *command,
	      char out[CONFIG_NAME_BYTES], struct fail *fail)
{
	char dir[NAMES_DIR_BYTES];
	struct running r = { .dir = dir };

	if (given && *given) {
		if (!value_is_name(given))
			return fail_set(fail, "%s: no guest of that name "
					"runs; see slipway status", given);
		snprintf(out, CONFIG_NAME_BYTES, "%s", given);
		return 0;
	}
	if (names_find_dir(dir, fail) < 0)
		return -1;
	names_each(dir, count_running, &r);
	if (r.n == 0)
		return fail_set(fail, "%s: no guest runs; start one by "
				"slipway run, or see slipway status", command);
	if (r.n > 1)
		return fail_set(fail, "%s: several guests run (%s); say which "
				"by --name NAME", command, r.all);
	strcpy(out, r.name);
	return 0;
}

int ask_runs(const char *name, bool *runs, struct fail *fail)
{
	char dir[NAMES_DIR_BYTES];
	int fd;

	if (names_find_dir(dir, fail) < 0)
		return -1;
	fd = ask_connect(dir, name);
	*runs = fd != -ENOENT;
	if (fd >= 0)
		close(fd);
	return 0;
}
