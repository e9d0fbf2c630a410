/* SPDX-License-Identifier: MIT */
#include "linux/framesocket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/wr.h"
#include "wire/offload.h"

#define LENGTH_BYTES 4

void framesocket_init(struct framesocket *s, int fd, bool datagrams)
{
	s->fd = fd;
	s->datagrams = datagrams;
	s->broken = s->away = false;
	s->in_at = s->in_len = s->out_at = s->out_len = 0;
}

/* Read what there is behind what is left over: 0, or -errno for nothing. */
static int fill(struct framesocket *s)
{
	ssize_t n;

	memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
	s->in_len -= s->in_at;
	s->in_at = 0;
	n = read(s->fd, s->in + s->in_len, sizeof(s->in) - s->in_len);
	if (n > 0) {
		s->in_len += (size_t)n;
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	s->broken = true;
	return -EPIPE;
}

/* A whole frame of what was read; -EAGAIN: not yet. */
static ssize_t take(struct framesocket *s, const uint8_t **frame)
{
	struct rd r = rd(s->in + s->in_at, s->in_len - s->in_at);
	const uint32_t len = rd_be32(&r);

	if (len > FRAME_MAX_BYTES) {
		s->broken = true;
		return -EPIPE;
	}
	*frame = rd_bytes(&r, len);
	if (r.bad)
		return -EAGAIN;
	s->in_at += LENGTH_BYTES + len;
	return (ssize_t)len;
}

static ssize_t receive(struct framesocket *s, const uint8_t **frame)
{
	const ssize_t n = recv(s->fd, s->in, FRAME_MAX_BYTES, MSG_TRUNC);

	*frame = s->in;
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN : 0;
	return n > FRAME_MAX_BYTES ? 0 : n;
}

ssize_t framesocket_read(struct framesocket *s, const uint8_t **frame)
{
	ssize_t n;

	if (s->datagrams)
		return receive(s, frame);
	do
		n = s->broken ? -EPIPE : take(s, frame);
	while (n == -EAGAIN && (n = fill(s)) == 0);
	return n;
}

/* One call's worth of what waits. Bytes of it that are done with, or -1. */
static ssize_t send_some(const struct framesocket *s)
{
	struct rd r = rd(s->out + s->out_at, s->out_len - s->out_at);
	const uint32_t len = s->datagrams ? rd_be32(&r) : 0;
	const ssize_t n = send(s->fd, r.p, s->datagrams ? len : r.left,
			       MSG_NOSIGNAL | MSG_DONTWAIT);

	return n < 0 || !s->datagrams ? n : (ssize_t)(LENGTH_BYTES + len);
}

/* Send what waits: 0, -EAGAIN where some is left, -EIO where it is lost. */
static int push(struct framesocket *s)
{
	int rc = 0;

	while (s->out_at < s->out_len && !rc) {
		const ssize_t n = send_some(s);

		if (n < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (n < 0 && errno != EINTR)
			rc = -EIO;
		else if (n > 0)
			s->out_at += (size_t)n;
	}
	s->out_at = s->out_len = 0;
	if (rc)
		*(s->datagrams ? &s->away : &s->broken) = true;
	return rc;
}

bool framesocket_flush(struct framesocket *s)
{
	(void)push(s);
	return !s->out_len;
}

/* Bytes that the frame needs in the buffer, as many frames as it makes. */
static size_t room_for(const struct frame_meta *meta, size_t len,
		       unsigned frames)
{
	return len + (frames - 1) * (size_t)meta->hdr_len +
	       frames * (size_t)LENGTH_BYTES;
}

int framesocket_write(struct framesocket *s, const struct frame_meta *meta,
		      const struct span *v, unsigned n)
{
	size_t len = 0;
	unsigned frames;

	for (unsigned i = 0; i < n; i++)
		len += v[i].len;
	frames = offload_frames(meta, len);
	if (s->broken)
		return -EPIPE;
	(void)push(s);
	if (s->out_len || room_for(meta, len, frames) > sizeof(s->out))
		return -EAGAIN;
	for (unsigned i = 0; i < frames; i++) {
		uint8_t *at = s->out + s->out_len;
		struct wr w = wr(at, LENGTH_BYTES);
		const size_t one = offload_emit(meta, v, n, i,
						at + LENGTH_BYTES);

		wr_be32(&w, (uint32_t)one);
		s->out_len += LENGTH_BYTES + one;
	}
	if (!framesocket_flush(s))
		return 1;
	return s->away ? -EIO : 0;
}
