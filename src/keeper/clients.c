/* SPDX-License-Identifier: MIT */
#include "keeper/clients.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 128

int clients_init(struct clients *c, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int error;

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		c->at[i].got_fd = -1;
	c->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
			      SOCK_NONBLOCK, 0);
	if (c->listen_fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(sa.sun_path)) {
		close(c->listen_fd);
		return -ENAMETOOLONG;
	}
	strcpy(sa.sun_path, path);
	unlink(path);
	/* The umask is 077: the socket is ours alone from the start. */
	if (bind(c->listen_fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
	    listen(c->listen_fd, BACKLOG) == 0)
		return 0;
	error = errno;
	close(c->listen_fd);
	return -error;
}

/* What it was lent is its own, or nobody's. */
static void give_up(struct client *cl)
{
	if (cl->lent)
		close(cl->lent);
	cl->lent = 0;
}

void clients_drop(struct client *cl)
{
	close(cl->fd);
	give_up(cl);
	if (cl->got_fd >= 0)
		close(cl->got_fd);
	free(cl->text);
	json_decref(cl->body);
	*cl = (struct client){ .state = CLIENT_FREE, .got_fd = -1 };
}

static size_t count(const struct clients *c)
{
	size_t n = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		n += c->at[i].state != CLIENT_FREE;
	return n;
}

bool clients_crowded(const struct clients *c)
{
	size_t n = 0;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		n += c->at[i].state == CLIENT_HELD;
	return n >= CLIENTS_HELD_MAX;
}

size_t clients_fill(const struct clients *c, struct pollfd *p)
{
	size_t n = 0;

	if (count(c) < CLIENTS_MAX)
		p[n++] = (struct pollfd){ .fd = c->listen_fd,
					  .events = POLLIN };
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		const struct client *cl = &c->at[i];

		if (cl->state == CLIENT_FREE)
			continue;
		p[n++] = (struct pollfd){
			.fd = cl->fd,
			.events = cl->state == CLIENT_WRITING ? POLLOUT :
				  cl->state == CLIENT_WAITING ? 0 : POLLIN,
		};
	}
	return n;
}

static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

/*
 * Does a socket belong to our own network namespace? Of one that was accepted
 * its client's is told, as of when that was opened. (Linux before 5.14 does
 * not say.)
 */
static bool is_elsewhere(int listen_fd, int fd)
{
	uint64_t ours = 0, its = 0;
	socklen_t a = sizeof(ours), b = sizeof(its);

	return getsockopt(listen_fd, SOL_SOCKET, SO_NETNS_COOKIE, &ours,
			  &a) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &its, &b) == 0 &&
	       ours != its;
}

static void accept_one(struct clients *c, uint64_t now_ns)
{
	const int fd = accept4(c->listen_fd, NULL, NULL,
			       SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i = 0;

	if (fd < 0)
		return;
	while (i < CLIENTS_MAX && c->at[i].state != CLIENT_FREE)
		i++;
	if (i == CLIENTS_MAX || !is_ours(fd)) {
		close(fd);
		return;
	}
	c->at[i] = (struct client){ .state = CLIENT_READING, .fd = fd,
				    .got_fd = -1, .serial = ++c->serials,
				    .elsewhere = is_elsewhere(c->listen_fd, fd),
				    .deadline_ns = now_ns + CLIENT_NS };
}

/* What there is of a body, as an object. false: it is none. */
static bool read_body(struct client *cl, struct http_text body)
{
	cl->body = body.len ? json_loadb(body.p, body.len,
					 JSON_REJECT_DUPLICATES, NULL) :
			      json_object();
	return json_is_object(cl->body);
}

/* Is it whole? Then it is handed out, or refused. */
static bool take_request(struct client *cl, uint64_t now_ns)
{
	struct http_request r;
	char why[64];
	int status = http_request_parse(cl->text, cl->len, &r);

	if (status == HTTP_MORE)
		return false;
	cl->state = CLIENT_WAITING;
	if (status) {
		clients_refuse(cl, status, "not a request that is understood "
			       "here; see docs/control.md", now_ns);
		return false;
	}
	cl->op = api_find(r.method, r.path, &status);
	if (cl->op == API_NONE) {
		clients_refuse(cl, status, "no such call; GET /v1 lists what "
			       "there is", now_ns);
		return false;
	}
	if (api_upgrade(cl->op) && !http_is(r.upgrade, api_upgrade(cl->op))) {
		snprintf(why, sizeof(why), "ask with Upgrade: %s",
			 api_upgrade(cl->op));
		clients_refuse(cl, 426, why, now_ns);
		return false;
	}
	if (!read_body(cl, r.body)) {
		clients_refuse(cl, 400, "the body is not a JSON object; send "
			       "one", now_ns);
		return false;
	}
	free(cl->text);
	cl->text = NULL;
	return true;
}

/* true: the request is whole, and one of ours. */
static bool read_more(struct client *cl, uint64_t now_ns)
{
	char buf[4096];
	const ssize_t n = recv(cl->fd, buf, sizeof(buf), 0);
	char *grown;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	grown = n > 0 ? realloc(cl->text, cl->len + (size_t)n) : NULL;
	if (!grown) {
		clients_drop(cl);
		return false;
	}
	memcpy(grown + cl->len, buf, (size_t)n);
	cl->text = grown;
	cl->len += (size_t)n;
	return take_request(cl, now_ns);
}

/* Some bytes, and with the first of them the descriptors. */
static ssize_t send_some(const struct client *cl)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int) * CHANNEL_MAX_FDS)];
	} control = { 0 };
	struct iovec iov = { .iov_base = cl->text + cl->done,
			     .iov_len = cl->len - cl->done };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (cl->n_pass && !cl->done) {
		m.msg_control = control.buf;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * cl->n_pass);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * cl->n_pass);
		memcpy(CMSG_DATA(c), cl->pass, sizeof(int) * cl->n_pass);
	}
	return sendmsg(cl->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void write_more(struct client *cl)
{
	while (cl->done < cl->len) {
		const ssize_t n = send_some(cl);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			clients_drop(cl);
			return;
		}
		cl->done += (size_t)n;
	}
	give_up(cl);
	if (!cl->hold) {
		clients_drop(cl);
		return;
	}
	free(cl->text);
	cl->text = NULL;
	cl->state = CLIENT_HELD;
}

/* text is taken; NULL: the client is cut off. */
static void begin_writing(struct client *cl, char *text, size_t len,
			  bool hold, uint64_t now_ns)
{
	free(cl->text);
	cl->text = text;
	if (!text) {
		clients_drop(cl);
		return;
	}
	cl->len = len;
	cl->done = 0;
	cl->hold = hold;
	cl->deadline_ns = now_ns + CLIENT_NS * (1 + len / CLIENT_BYTES);
	cl->state = CLIENT_WRITING;
	write_more(cl);
}

static void reply(struct client *cl, int status, json_t *root, bool problem,
		  bool hold, uint64_t now_ns)
{
	char *body = root ? json_dumps(root, JSON_COMPACT) : NULL;
	size_t len = 0;
	char *text = body ? http_response_make(status, body, problem, &len) :
			    NULL;

	json_decref(root);
	free(body);
	begin_writing(cl, text, len, hold, now_ns);
}

void clients_reply(struct client *cl, int status, json_t *root, bool hold,
		   uint64_t now_ns)
{
	reply(cl, status, root, false, hold, now_ns);
}

void clients_refuse(struct client *cl, int status, const char *detail,
		    uint64_t now_ns)
{
	reply(cl, status, api_problem(status, detail), true, false, now_ns);
}

void clients_switch(struct client *cl, json_t *root, const int *fds,
		    size_t n_fds, uint64_t now_ns)
{
	char *line = root ? json_dumps(root, JSON_COMPACT) : NULL;
	size_t len = 0;
	char *head = line ? http_switch_make(api_upgrade(cl->op),
							   &len) : NULL;
	char *text = head ? realloc(head, len + strlen(line) + 2) : NULL;

	if (text)
		len += (size_t)sprintf(text + len, "%s\n", line);
	else
		free(head);
	json_decref(root);
	free(line);
	cl->n_pass = n_fds;
	memcpy(cl->pass, fds, sizeof(int) * n_fds);
	begin_writing(cl, text, len, true, now_ns);
}

/* The one message of a joiner's: a line, and a descriptor. */
static void hear_joiner(struct client *cl)
{
	char line[256];
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	const ssize_t n = channel_recv(cl->fd, line, sizeof(line) - 1, fds,
				       &n_fds);

	if (n == -EAGAIN)
		return;
	if (n > 0 && n_fds == 1 && cl->got_fd < 0 && !cl->text) {
		line[n] = '\0';
		cl->text = strdup(line);
		cl->got_fd = fds[--n_fds];
	}
	while (n_fds)
		close(fds[--n_fds]);
	/* Its end; or it talks on, which it should not. */
	if (n <= 0 || cl->got_fd < 0)
		clients_drop(cl);
}

void clients_lend(struct client *cl, json_t *root, int fd, uint64_t now_ns)
{
	cl->lent = fd;
	clients_switch(cl, root, &fd, 1, now_ns);
}

/* A client that hangs up, or talks on when it should not, is let go. */
static void event(struct client *cl, short revents, uint64_t now_ns,
		  void (*want)(void *ctx, struct client *client), void *ctx)
{
	switch (cl->state) {
	case CLIENT_READING:
		if (read_more(cl, now_ns))
			want(ctx, cl);
		break;
	case CLIENT_WRITING:
		write_more(cl);
		break;
	case CLIENT_WAITING:
		if (revents & (POLLHUP | POLLERR))
			clients_drop(cl);
		break;
	case CLIENT_HELD:
		if (cl->op == API_JOIN)
			hear_joiner(cl);
		else
			clients_drop(cl);
		break;
	case CLIENT_FREE:
		break;
	}
}

void clients_turn(struct clients *c, const struct pollfd *p, size_t n,
		  uint64_t now_ns,
		  void (*want)(void *ctx, struct client *client), void *ctx)
{
	for (size_t i = 0; i < n; i++) {
		if (!p[i].revents || p[i].fd == c->listen_fd)
			continue;
		for (size_t j = 0; j < CLIENTS_MAX; j++)
			if (c->at[j].state != CLIENT_FREE &&
			    c->at[j].fd == p[i].fd) {
				event(&c->at[j], p[i].revents, now_ns,
				      want, ctx);
				break;
			}
	}
	/* Last: a new client must not meet an old one's event. */
	if (n && p[0].fd == c->listen_fd && p[0].revents)
		accept_one(c, now_ns);
}

uint64_t clients_expire(struct clients *c, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *cl = &c->at[i];

		if (cl->state != CLIENT_READING && cl->state != CLIENT_WRITING)
			continue;
		if (cl->deadline_ns <= now_ns)
			clients_drop(cl);
		else if (cl->deadline_ns < next)
			next = cl->deadline_ns;
	}
	return next;
}
