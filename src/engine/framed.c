/* SPDX-License-Identifier: MIT */
#include "engine/framed.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

void framed_flush(struct framed *f)
{
	const ssize_t n = f->n_out ? send(f->fd, f->out + f->at_out, f->n_out,
					  MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	if (n <= 0)
		return;			/* its end is to be read */
	f->at_out += (size_t)n;
	f->n_out -= (size_t)n;
}

bool framed_send(struct framed *f, const void *data, size_t len)
{
	framed_flush(f);
	if (f->n_out || len > UINT16_MAX)
		return false;
	f->out[0] = (uint8_t)(len >> 8);
	f->out[1] = (uint8_t)len;
	memcpy(f->out + FRAMED_LENGTH_BYTES, data, len);
	f->at_out = 0;
	f->n_out = FRAMED_LENGTH_BYTES + len;
	framed_flush(f);
	/* Of which nothing is under way nobody waits for the rest. */
	if (f->at_out == 0 && f->n_out) {
		f->n_out = 0;
		return false;
	}
	return true;
}

ssize_t framed_recv(struct framed *f, void **data)
{
	for (;;) {
		const size_t len = f->n_in < FRAMED_LENGTH_BYTES ? 0 :
				   (size_t)f->in[0] << 8 | f->in[1];
		const size_t want = FRAMED_LENGTH_BYTES + len;
		ssize_t n;

		if (f->n_in >= FRAMED_LENGTH_BYTES && f->n_in == want) {
			f->n_in = 0;
			*data = f->in + FRAMED_LENGTH_BYTES;
			return (ssize_t)len;
		}
		n = recv(f->fd, f->in + f->n_in, want - f->n_in,
			 MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return -EAGAIN;
		if (n <= 0)
			return -EPIPE;
		f->n_in += (size_t)n;
	}
}
