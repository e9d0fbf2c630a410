/* SPDX-License-Identifier: MIT */
#include "linux/framestream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/wr.h"
#include "wire/offload.h"

#define LENGTH_BYTES 4

void framestream_init(struct framestream *s, int fd)
{
	s->fd = fd;
	s->broken = false;
	s->in_at = s->in_len = s->out_at = s->out_len = 0;
}

/* Read what there is behind what is left over. false: nothing came. */
static bool fill(struct framestream *s)
{
	ssize_t n;

	memmove(s->in, s->in + s->in_at, s->in_len - s->in_at);
	s->in_len -= s->in_at;
	s->in_at = 0;
	n = read(s->fd, s->in + s->in_len, sizeof(s->in) - s->in_len);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		s->broken = true;
	if (n <= 0)
		return false;
	s->in_len += (size_t)n;
	return true;
}

/*
 * A whole frame of what was read. 0: not yet. One too short to be a frame
 * is the machine's own doing, not the stream's: it is refused like others.
 */
static ssize_t take(struct framestream *s, const uint8_t **frame)
{
	struct rd r = rd(s->in + s->in_at, s->in_len - s->in_at);
	uint32_t len = rd_be32(&r);

	while (!r.bad && !len) {
		s->in_at += LENGTH_BYTES;
		len = rd_be32(&r);
	}
	if (r.bad)
		return 0;
	if (len > FRAME_MAX_BYTES) {
		s->broken = true;
		return -1;
	}
	*frame = rd_bytes(&r, len);
	if (!*frame)
		return 0;
	s->in_at += LENGTH_BYTES + len;
	return (ssize_t)len;
}

ssize_t framestream_read(struct framestream *s, const uint8_t **frame)
{
	for (;;) {
		const ssize_t n = s->broken ? -1 : take(s, frame);

		if (n)
			return n;
		if (!fill(s))
			return s->broken ? -1 : 0;
	}
}

void framestream_flush(struct framestream *s)
{
	while (s->out_at < s->out_len && !s->broken) {
		const ssize_t n = send(s->fd, s->out + s->out_at,
				       s->out_len - s->out_at,
				       MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			s->broken = true;
		else if (n > 0)
			s->out_at += (size_t)n;
	}
	s->out_at = s->out_len = 0;
}

/* Bytes that the frame needs in the buffer, as many frames as it makes. */
static size_t room_for(const struct frame_meta *meta, size_t len,
		       unsigned frames)
{
	return len + (frames - 1) * (size_t)meta->hdr_len +
	       frames * (size_t)LENGTH_BYTES;
}

int framestream_write(struct framestream *s, const struct frame_meta *meta,
		      const struct span *v, unsigned n)
{
	size_t len = 0;
	unsigned frames;

	for (unsigned i = 0; i < n; i++)
		len += v[i].len;
	frames = offload_frames(meta, len);
	if (s->out_len)
		framestream_flush(s);
	if (s->broken)
		return -EPIPE;
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
	framestream_flush(s);
	return 0;
}
