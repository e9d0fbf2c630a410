/* SPDX-License-Identifier: MIT */
/*
 * engine/framed.h - datagrams over a stream, as an agent carries them
 *
 * Each is its length, in two bytes, and its bytes (wire/agent.h). What the
 * stream does not take at once is lost, as by any full queue, but never a part
 * of one.
 */
#ifndef ENGINE_FRAMED_H
#define ENGINE_FRAMED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/check.h"

#define FRAMED_LENGTH_BYTES	2
#define FRAMED_BYTES		(FRAMED_LENGTH_BYTES + 65535)

struct framed {
	int fd;				/* a stream that does not block */
	size_t n_in, at_out, n_out;
	uint8_t in[FRAMED_BYTES], out[FRAMED_BYTES];
};

/* Send one. false: it is lost. */
MUST bool framed_send(struct framed *f, const void *data, size_t len);

/* The stream takes more: the rest of what it took a part of. */
void framed_flush(struct framed *f);

/*
 * The next one: its length, and *data, lent until the next call. -EAGAIN: not
 * there yet; -EPIPE: none will come any more.
 */
MUST ssize_t framed_recv(struct framed *f, void **data);

#endif
