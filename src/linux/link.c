/* SPDX-License-Identifier: MIT */
#include "linux/link.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "linux/channel.h"
#include "linux/framesocket.h"
#include "linux/vhost.h"
#include "wire/offload.h"

ssize_t link_read(struct link *l, struct frame_meta *meta,
		  const uint8_t **frame)
{
	if (l->kind == LINK_TAP) {
		*frame = l->frame + TAP_HEADER_BYTES;
		return tap_read(l->fd, l->frame, l->frame_cap, meta);
	}
	if (l->fd < 0)
		return -EAGAIN;
	if (l->kind == LINK_VHOST)
		return vhost_read(l->vhost, meta, frame);
	*meta = (struct frame_meta){ 0 };
	return framesocket_read(l->socket, frame);
}

/* A batch of UDP, one datagram after the other. */
static int write_cut(const struct link *l, const struct frame_meta *meta,
		     const struct span *v, unsigned n)
{
	const struct frame_meta plain = { 0 };
	uint8_t frame[FRAME_MAX_BYTES];
	size_t len = 0;
	int rc = 0;

	for (unsigned i = 0; i < n; i++)
		len += v[i].len;
	for (unsigned i = 0; i < offload_frames(meta, len) && !rc; i++) {
		const struct span one = {
			.p = frame,
			.len = offload_emit(meta, v, n, i, frame),
		};

		rc = tap_write(l->fd, &plain, &one, 1);
	}
	return rc;
}

int link_write(struct link *l, const struct frame_meta *meta,
	       const struct span *v, unsigned n)
{
	if (meta->unread.bytes && l->kind != LINK_VHOST)
		return -ENODATA;
	if (l->kind == LINK_TAP && l->no_uso &&
	    (meta->gso == FRAME_GSO_UDP4 || meta->gso == FRAME_GSO_UDP6))
		return write_cut(l, meta, v, n);
	if (l->kind == LINK_TAP)
		return tap_write(l->fd, meta, v, n);
	if (l->kind == LINK_VHOST)
		return vhost_write(l->vhost, meta, v, n);
	return l->fd < 0 ? -EIO : framesocket_write(l->socket, meta, v, n);
}

/* The others copy from our memory, whatever they are given. */
bool link_copies_unread(const struct link *l)
{
	return l->kind == LINK_VHOST && vhost_copies_unread(l->vhost);
}

bool link_push(struct link *l)
{
	switch (l->kind) {
	case LINK_VHOST:
		return vhost_push(l->vhost);
	case LINK_STREAM: case LINK_DATAGRAM:
		return l->fd < 0 || framesocket_flush(l->socket);
	case LINK_TAP:
		break;
	}
	return false;			/* it cannot tell */
}

bool link_is_held(const struct link *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLRDHUP };

	return l->fd >= 0 && poll(&p, 1, 0) == 0;
}

int link_door(int ends[2])
{
	return channel_pair(ends, true);
}

int link_hand_over(int door, int fd)
{
	const char word = 0;

	return channel_send(door, &word, sizeof(word), &fd, 1);
}

bool link_is_door(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	(void)!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len);
	return type == SOCK_SEQPACKET;
}

/* One that was handed over; or -1. */
static int take_one(int door)
{
	int fds[CHANNEL_MAX_FDS];
	size_t n_fds = 0;
	char word;
	const ssize_t n = channel_recv(door, &word, sizeof(word), fds, &n_fds);

	while (n_fds > 1)
		close(fds[--n_fds]);
	return n > 0 && n_fds ? fds[0] : -1;
}

static int accept_one(const struct link *l)
{
	return l->door ? take_one(l->listen_fd) :
			 accept4(l->listen_fd, NULL, NULL,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
}

bool link_turn_away(const struct link *l)
{
	bool any = false;
	int fd;

	while ((fd = accept_one(l)) >= 0) {
		close(fd);
		any = true;
	}
	return any;
}

int link_accept(struct link *l)
{
	if (l->fd >= 0)
		return -1;
	l->fd = accept_one(l);
	if (l->fd >= 0 && l->kind == LINK_VHOST)
		vhost_begin(l->vhost, l->fd);
	else if (l->fd >= 0)
		framesocket_init(l->socket, l->fd, false);
	return l->fd;
}

bool link_is_back(struct link *l)
{
	if (l->kind == LINK_VHOST)
		return vhost_is_back(l->vhost);
	if (l->kind != LINK_DATAGRAM || !l->socket->away)
		return false;
	l->socket->away = false;
	return true;
}

bool link_event(struct link *l)
{
	return l->kind != LINK_VHOST || vhost_event(l->vhost);
}

void link_flush(struct link *l)
{
	if (l->kind == LINK_VHOST)
		vhost_flush(l->vhost);
}

void link_hang_up(struct link *l)
{
	if (l->kind == LINK_VHOST)
		vhost_end(l->vhost);
	/* Who handed it over has it, too, and waits for its end. */
	shutdown(l->fd, SHUT_RDWR);
	close(l->fd);
	l->fd = -1;
}
