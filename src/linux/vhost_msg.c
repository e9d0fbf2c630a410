/* SPDX-License-Identifier: MIT */
#include "linux/vhost_msg.h"

#include <string.h>

#define VERSION		1u
#define VERSION_MASK	3u
#define FLAG_REPLY	4u
#define FLAG_NEED_REPLY	8u
#define NO_FD		0x100u		/* in the word that names a queue */
#define QUEUE_MASK	0xffu
#define ADDR_LOGS	1u		/* VHOST_VRING_F_LOG */
#define PLACE_BYTES	32u

/*
 * A cursor over the payload, whose length was checked before: the byte order
 * is this machine's, so base/rd.h is none for it.
 */
struct words {
	const uint8_t *p;
};

static uint32_t take32(struct words *w)
{
	uint32_t v;

	memcpy(&v, w->p, sizeof(v));
	w->p += sizeof(v);
	return v;
}

static uint64_t take64(struct words *w)
{
	uint64_t v;

	memcpy(&v, w->p, sizeof(v));
	w->p += sizeof(v);
	return v;
}

enum vhost_bad vhost_parse_header(const uint8_t b[VHOST_HEADER_BYTES],
				  struct vhost_header *out)
{
	struct words w = { .p = b };
	const uint32_t request = take32(&w), flags = take32(&w);
	const uint32_t size = take32(&w);

	if ((flags & VERSION_MASK) != VERSION || (flags & FLAG_REPLY))
		return VHOST_BAD_VERSION;
	if (size > VHOST_PAYLOAD_MAX)
		return VHOST_BAD_SIZE;
	out->request = request;
	out->wants_reply = flags & FLAG_NEED_REPLY;
	out->size = size;
	return VHOST_GOOD;
}

/* What kinds of payload there are. */
enum shape {
	SHAPE_NONE, SHAPE_U64, SHAPE_STATE, SHAPE_ADDR, SHAPE_FD, SHAPE_LOG,
	SHAPE_TABLE, SHAPE_REGION, SHAPE_UNKNOWN,
};

static enum shape shape_of(uint32_t request)
{
	switch (request) {
	case VHOST_GET_FEATURES: case VHOST_SET_OWNER: case VHOST_RESET_OWNER:
	case VHOST_GET_PROTOCOL_FEATURES: case VHOST_GET_QUEUE_NUM:
	case VHOST_GET_MAX_MEM_SLOTS: case VHOST_SET_LOG_FD:
		return SHAPE_NONE;
	case VHOST_SET_FEATURES: case VHOST_SET_PROTOCOL_FEATURES:
	case VHOST_SEND_RARP: case VHOST_NET_SET_MTU:
		return SHAPE_U64;
	case VHOST_SET_VRING_NUM: case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE: case VHOST_SET_VRING_ENABLE:
		return SHAPE_STATE;
	case VHOST_SET_VRING_ADDR:
		return SHAPE_ADDR;
	case VHOST_SET_VRING_KICK: case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		return SHAPE_FD;
	case VHOST_SET_LOG_BASE:
		return SHAPE_LOG;
	case VHOST_SET_MEM_TABLE:
		return SHAPE_TABLE;
	case VHOST_ADD_MEM_REG: case VHOST_REM_MEM_REG:
		return SHAPE_REGION;
	default:
		return SHAPE_UNKNOWN;
	}
}

static void read_place(struct words *w, struct guestmem_place *out)
{
	out->guest = take64(w);
	out->bytes = take64(w);
	out->user = take64(w);
	out->offset = take64(w);
}

static bool read_table(struct words *w, uint32_t size, struct vhost_msg *m)
{
	if (size < 8)
		return false;
	m->regions = take32(w);
	(void)take32(w);
	if (m->regions > VHOST_REGIONS_MAX ||
	    size < 8 + m->regions * PLACE_BYTES)
		return false;
	for (uint32_t i = 0; i < m->regions; i++)
		read_place(w, &m->region[i]);
	return true;
}

static bool read_payload(enum shape shape, struct words w, uint32_t size,
			 struct vhost_msg *m)
{
	switch (shape) {
	case SHAPE_NONE: case SHAPE_UNKNOWN:
		return true;
	case SHAPE_U64:
		if (size != 8)
			return false;
		m->u64 = take64(&w);
		return true;
	case SHAPE_STATE:
		if (size != 8)
			return false;
		m->queue = take32(&w);
		m->num = take32(&w);
		return true;
	case SHAPE_ADDR:
		if (size != 40)
			return false;
		m->queue = take32(&w);
		m->addr.logs = take32(&w) & ADDR_LOGS;
		m->addr.desc = take64(&w);
		m->addr.used = take64(&w);
		m->addr.avail = take64(&w);
		m->addr.log = take64(&w);
		return true;
	case SHAPE_FD:
		if (size != 8)
			return false;
		m->u64 = take64(&w);
		m->queue = (uint32_t)m->u64 & QUEUE_MASK;
		m->no_fd = m->u64 & NO_FD;
		return true;
	case SHAPE_LOG:
		if (size != 16)
			return false;
		m->u64 = take64(&w);
		m->log_offset = take64(&w);
		return true;
	case SHAPE_TABLE:
		return read_table(&w, size, m);
	case SHAPE_REGION:
		if (size != 8 + PLACE_BYTES)
			return false;
		(void)take64(&w);
		m->regions = 1;
		read_place(&w, &m->region[0]);
		return true;
	}
	return false;
}

/* Descriptors beside it: as many as it needs, and no more. */
static bool right_fds(enum shape shape, const struct vhost_msg *m, size_t n)
{
	switch (shape) {
	case SHAPE_TABLE:
		return n == m->regions;
	case SHAPE_FD:
		return n == !m->no_fd;
	case SHAPE_LOG:
		return n == 1;
	case SHAPE_REGION:
		/* To take a region back some send its file once more. */
		return n == 1 ||
		       (n == 0 && m->head.request == VHOST_REM_MEM_REG);
	case SHAPE_NONE:
		return n == (m->head.request == VHOST_SET_LOG_FD);
	case SHAPE_U64: case SHAPE_STATE: case SHAPE_ADDR:
	case SHAPE_UNKNOWN:
		break;
	}
	return n == 0;
}

enum vhost_bad vhost_parse(const struct vhost_header *head,
			   const uint8_t *payload, size_t n_fds,
			   struct vhost_msg *out)
{
	const enum shape shape = shape_of(head->request);
	struct vhost_msg m = { .head = *head };

	if (shape == SHAPE_UNKNOWN)
		return VHOST_BAD_REQUEST;
	if (!read_payload(shape, (struct words){ .p = payload }, head->size,
			  &m))
		return VHOST_BAD_SIZE;
	if (!right_fds(shape, &m, n_fds))
		return VHOST_BAD_FDS;
	*out = m;
	return VHOST_GOOD;
}

const char *vhost_bad_text(enum vhost_bad bad)
{
	switch (bad) {
	case VHOST_GOOD:
		return "nothing";
	case VHOST_BAD_VERSION:
		return "a message of another version";
	case VHOST_BAD_SIZE:
		return "a message of the wrong length";
	case VHOST_BAD_REQUEST:
		return "a message that was not offered";
	case VHOST_BAD_FDS:
		return "a message with the wrong number of descriptors";
	}
	return "";
}

size_t vhost_emit(uint8_t *b, uint32_t request, const void *payload, size_t n)
{
	const uint32_t head[3] = { request, VERSION | FLAG_REPLY,
				   (uint32_t)n };

	memcpy(b, head, sizeof(head));
	memcpy(b + sizeof(head), payload, n);
	return sizeof(head) + n;
}
