/* SPDX-License-Identifier: MIT */
/*
 * test/fuzz/vhost.c - a virtual machine that does anything to its queues
 *
 * vhost_msg: what is accepted has the lengths and the descriptors of its kind;
 * what is refused leaves the value alone.
 *
 * vhost: the input is the guest's memory, and then what happens, in turns: the
 * memory changes, frames are read and sent, queues begin anew. Whatever it
 * holds, we touch nothing outside of the memory (it lies in blocks of its
 * size, for a sanitizer), and what is lent lies inside it.
 */
#include <linux/virtio_net.h>
#include <string.h>

#include "base/check.h"
#include "base/rd.h"
#include "fuzz/fuzz.h"
#include "linux/vhost.h"

void fuzz_vhost_msg(const uint8_t *data, size_t size)
{
	struct vhost_header head = { .request = 77 };
	struct vhost_msg m = { .u64 = 77 };
	const uint8_t fds = size ? data[0] % (VHOST_REGIONS_MAX + 2) : 0;

	if (size < 1 + VHOST_HEADER_BYTES)
		return;
	data++;
	size -= 1 + VHOST_HEADER_BYTES;
	if (vhost_parse_header(data, &head) != VHOST_GOOD) {
		PROPERTY(head.request == 77);
		return;
	}
	PROPERTY(head.size <= VHOST_PAYLOAD_MAX);
	if (head.size > size)
		return;
	if (vhost_parse(&head, data + VHOST_HEADER_BYTES, fds, &m) !=
	    VHOST_GOOD) {
		PROPERTY(m.u64 == 77 && !m.head.request);
		return;
	}
	PROPERTY(m.regions <= VHOST_REGIONS_MAX);
	PROPERTY(m.head.request == head.request);
	PROPERTY(m.head.request != VHOST_SET_MEM_TABLE || fds == m.regions);
}

/* ---- queues ---- */

enum {
	MEM_A = 4096, MEM_B = 999,	/* two regions, one behind the other */
	USER_A = 0x10000, USER_B = 0x80000,
	RX_AT = 0, TX_AT = 2048,	/* queues, in the first */
};

struct scene {
	struct vhost v;
	uint8_t *mem[2];
	struct rd in;
};

static void quiet(void *ctx, enum log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	PROPERTY(text[0]);
}

/* Descriptors, then the driver's area, then the device's. */
static void start(struct scene *s, unsigned i, uint8_t how)
{
	struct vhost_queue *q = &s->v.queue[i];
	const uint64_t base = USER_A + (i ? TX_AT : RX_AT);
	const struct vring_place at = {
		.desc = base, .driver = base + 1024, .device = base + 1216,
	};

	q->ring.packed = how & 1;
	q->ring.event_idx = how & 2;
	q->ring.indirect = how & 4;
	q->ring.size = (uint16_t)(1u << (how >> 3 & 7));
	q->asked = true;
	q->enabled = true;
	if (q->ring.size > 64)
		q->ring.size = 64;
	q->started = vring_start(&q->ring, &s->v.mem, &at,
				 q->ring.packed ? 0x8000 : 0);
	PROPERTY(q->started);
}

static bool in_memory(const struct scene *s, const struct span *v)
{
	const uint8_t *p = v->p;

	return (p >= s->mem[0] && v->len <= MEM_A &&
		p + v->len <= s->mem[0] + MEM_A) ||
	       (p >= s->mem[1] && v->len <= MEM_B &&
		p + v->len <= s->mem[1] + MEM_B);
}

static void read_some(struct scene *s, unsigned n)
{
	while (n--) {
		struct frame_meta meta = { 0 };
		const uint8_t *frame;
		const ssize_t len = vhost_read(&s->v, &meta, &frame);
		size_t far = 0;

		if (len < 0)
			return;
		PROPERTY(len <= FRAME_MAX_BYTES);
		PROPERTY(!len || frame == s->v.copy);
		PROPERTY((size_t)len + meta.far_bytes <= FRAME_MAX_BYTES);
		for (unsigned i = 0; far < meta.far_bytes; i++) {
			PROPERTY(i < SCATTER_FAR_MAX);
			PROPERTY(in_memory(s, &meta.far[i]));
			far += meta.far[i].len;
		}
		PROPERTY(far == meta.far_bytes);
	}
}

/* A frame of TCP or UDP, of as many bytes, perhaps a batch. */
static void write_one(struct scene *s, uint16_t len, uint8_t how)
{
	static const uint8_t head[54] = {
		[12] = 8, [14] = 0x45, [23] = 6, [46] = 0x50,
	};
	static uint8_t data[8192];
	const struct frame_meta meta = {
		.needs_csum = how & 1,
		.gso = how & 2 ? FRAME_GSO_TCP4 : FRAME_GSO_NONE,
		.gso_size = how & 2 ? 100 : 0, .hdr_len = sizeof(head),
		.csum_start = 34, .csum_offset = 16,
	};
	const struct span v[2] = {
		{ (void *)(uintptr_t)head, sizeof(head) },
		{ data, len % sizeof(data) + 1 },
	};

	(void)!vhost_write(&s->v, &meta, v, 2);
}

/* Bytes of the memory, from the input. */
static void change(struct scene *s)
{
	const uint16_t at = (uint16_t)(rd_be16(&s->in) % (MEM_A + MEM_B));
	uint8_t *to = at < MEM_A ? s->mem[0] + at : s->mem[1] + at - MEM_A;
	const size_t room = (size_t)(at < MEM_A ? MEM_A - at :
						  MEM_A + MEM_B - at);
	size_t len = rd_u8(&s->in) % 48;
	const uint8_t *from;

	len = len < room ? len : room;
	from = rd_bytes(&s->in, len);
	if (from)
		memcpy(to, from, len);
}

static void features(struct scene *s)
{
	s->v.features = UINT64_C(1) << VHOST_VERSION_1;
	if (rd_u8(&s->in) & 1)
		s->v.features = 0;
	if (rd_u8(&s->in) & 1)
		s->v.features |= UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF;
	if (rd_u8(&s->in) & 1)
		s->v.features |= UINT64_C(1) << VIRTIO_NET_F_GUEST_CSUM |
				 UINT64_C(1) << VIRTIO_NET_F_GUEST_TSO4;
	s->v.features |= UINT64_C(1) << VIRTIO_NET_F_CSUM |
			 UINT64_C(1) << VIRTIO_NET_F_HOST_TSO4;
}

static void act(struct scene *s)
{
	const uint8_t what = rd_u8(&s->in);

	switch (what & 7) {
	case 0: case 1:
		change(s);
		break;
	case 2: case 3:
		read_some(s, 1 + (what >> 3));
		break;
	case 4: case 5:
		write_one(s, rd_be16(&s->in), what >> 3);
		break;
	case 6:
		ASSERT(vhost_push(&s->v) == !s->v.kept_len);
		vhost_flush(&s->v);
		break;
	case 7:
		s->v.lent_of = NULL;	/* as before each message */
		start(s, what >> 3 & 1, rd_u8(&s->in));
		break;
	}
}

/* Exactly so long; malloc() aligns it to 16, as queues have to be. */
static uint8_t *block(size_t bytes)
{
	void *p = malloc(bytes);

	if (!p)
		abort();
	memset(p, 0, bytes);
	return p;
}

void fuzz_vhost(const uint8_t *data, size_t size)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->in = rd(data, size);
	s->mem[0] = block(MEM_A);
	s->mem[1] = block(MEM_B);
	s->v.log.write = quiet;
	for (unsigned i = 0; i < VHOST_QUEUES; i++)
		s->v.queue[i].kick_fd = s->v.queue[i].call_fd =
			s->v.queue[i].err_fd = -1;
	s->v.mem.n = 2;
	s->v.mem.region[0] = (struct guestmem_region){
		.guest = 0, .user = USER_A, .bytes = MEM_A, .at = s->mem[0],
	};
	s->v.mem.region[1] = (struct guestmem_region){
		.guest = MEM_A, .user = USER_B, .bytes = MEM_B,
		.at = s->mem[1],
	};
	features(s);
	start(s, 0, rd_u8(&s->in));
	start(s, 1, rd_u8(&s->in));
	while (s->in.left)
		act(s);
	free(s->mem[0]);
	free(s->mem[1]);
	free(s);
}
