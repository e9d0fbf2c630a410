/* SPDX-License-Identifier: MIT */
/*
 * wire/offload.h - what a link without offloads has to do itself: cut a
 * batch into segments or datagrams and complete checksums (base/frame.h).
 */
#ifndef WIRE_OFFLOAD_H
#define WIRE_OFFLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"
#include "base/span.h"

/* Frames that a frame of len bytes becomes: 1 without GSO. */
unsigned offload_frames(const struct frame_meta *meta, size_t len);

/**
 * offload_emit() - write one of those frames, complete
 * @v:		the frame's pieces, n of them, cut anywhere
 * @i:		which one, 0..offload_frames() - 1
 * @out:	room for the headers and gso_size bytes, or all of the frame
 *
 * Each segment of a batch gets its own length and, for IPv4,
 * identification; of TCP its own sequence number, FIN and PSH go with the
 * last, CWR with the first.
 *
 * Return: the frame's bytes.
 */
size_t offload_emit(const struct frame_meta *meta, const struct span *v,
		    unsigned n, unsigned i, uint8_t *out);

#endif
