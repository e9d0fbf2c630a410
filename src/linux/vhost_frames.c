/* SPDX-License-Identifier: MIT */
/* linux/vhost_frames.c - frames out of and into the queues of linux/vhost.h */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <unistd.h>

#include "linux/unread.h"
#include "linux/vhost.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/offload.h"

#define HEAD_BYTES	256u	/* copied of a frame whose data is lent:
				   Ethernet, IP and TCP with all options */
#define LEND_BYTES	2048u	/* shorter frames are copied whole */
#define KEPT_S		2	/* a frame for which there is no room */

static size_t header_bytes(const struct vhost *v)
{
	return vhost_has(v, VHOST_VERSION_1) ||
	       vhost_has(v, VIRTIO_NET_F_MRG_RXBUF) ? NETHDR_BYTES :
						      NETHDR_OLD_BYTES;
}

/* Little-endian on the wire; the same function for both directions. */
static void swap_header(struct virtio_net_hdr_v1 *h)
{
	h->hdr_len = le16toh(h->hdr_len);
	h->gso_size = le16toh(h->gso_size);
	h->csum_start = le16toh(h->csum_start);
	h->csum_offset = le16toh(h->csum_offset);
	h->num_buffers = le16toh(h->num_buffers);
}

/* ---- from the guest ---- */

/* The chain of the frame that was lent goes back. */
static void give_back(struct vhost *v)
{
	if (!v->lent_of)
		return;
	vring_put(&v->lent_of->ring, &v->lent, 0);
	v->lent_of = NULL;
}

static bool takes(const struct vhost_queue *q)
{
	return q->started && !q->ring.broken;
}

/* The next chain of any of the guest's queues, in turn. NULL: none. */
static struct vhost_queue *next_chain(struct vhost *v)
{
	for (unsigned i = 0; i < VHOST_PAIRS_MAX; i++) {
		struct vhost_queue *q =
			&v->queue[2 * ((v->turn + i) % VHOST_PAIRS_MAX) + 1];

		if (!takes(q) ||
		    !vring_take(&q->ring, false, v->pieces, VRING_SPANS_MAX,
				&v->lent))
			continue;
		v->turn += i + 1;
		return q;
	}
	return NULL;
}

/* Let the guest tell of more. True: there is some already. */
static bool ask_for_more(struct vhost *v)
{
	bool more = false;

	for (unsigned i = 1; i < VHOST_QUEUES; i += 2) {
		struct vhost_queue *q = &v->queue[i];

		if (!takes(q))
			continue;
		q->asked = true;
		more |= vring_ask(&q->ring, true);
	}
	return more;
}

static bool may_batch(const struct vhost *v, enum frame_gso gso)
{
	switch (gso) {
	case FRAME_GSO_NONE:
		return true;
	case FRAME_GSO_TCP4:
		return vhost_has(v, VIRTIO_NET_F_HOST_TSO4);
	case FRAME_GSO_TCP6:
		return vhost_has(v, VIRTIO_NET_F_HOST_TSO6);
	case FRAME_GSO_UDP4:
	case FRAME_GSO_UDP6:
		return vhost_has(v, VHOST_HOST_USO);
	}
	return false;
}

/* May what is behind the headers be passed on unseen? */
static bool is_plain_tcp(const uint8_t *frame, size_t len)
{
	struct rd r = rd(frame, len);
	struct eth eth;
	struct ip src, dst;
	uint8_t proto;

	return eth_parse(&r, &eth) == DROP_OK &&
	       (eth.type == ETH_IPV4 || eth.type == ETH_IPV6) &&
	       ip_peek(&r, eth.type == ETH_IPV6, &src, &dst, &proto) &&
	       proto == PROTO_TCP;
}

/*
 * Drop the first bytes of the lent pieces, and such as are empty: how many
 * are left, at v->pieces + *from.
 */
static unsigned skip_pieces(struct vhost *v, size_t bytes, unsigned *from)
{
	unsigned i = 0;

	while (i < v->lent.spans && bytes >= v->pieces[i].len)
		bytes -= v->pieces[i++].len;
	*from = i;
	if (i == v->lent.spans)
		return 0;
	v->pieces[i].p = (uint8_t *)v->pieces[i].p + bytes;
	v->pieces[i].len -= bytes;
	return v->lent.spans - i;
}

/* The frame behind a header of so many bytes; its length at v->copy. */
static ssize_t see_frame(struct vhost *v, size_t header,
			 struct frame_meta *meta)
{
	const size_t len = v->lent.bytes - header;
	const bool may_lend = !v->whole && len > LEND_BYTES &&
			      meta->needs_csum;
	const size_t first = may_lend ? HEAD_BYTES : len;
	unsigned from, n;

	vring_read(v->pieces, v->lent.spans, header, v->copy, first);
	if (!may_lend)
		return (ssize_t)len;
	if (is_plain_tcp(v->copy, first)) {
		n = skip_pieces(v, header + first, &from);
		if (n <= SCATTER_FAR_MAX) {
			meta->far = v->pieces + from;
			meta->far_bytes = len - first;
			return (ssize_t)first;
		}
		vring_read(v->pieces + from, n, 0, v->copy + first,
			   len - first);
		return (ssize_t)len;
	}
	vring_read(v->pieces, v->lent.spans, header + first, v->copy + first,
		   len - first);
	return (ssize_t)len;
}

/* What the chain that was taken holds. 0: nothing that makes sense. */
static ssize_t see_chain(struct vhost *v, struct frame_meta *meta)
{
	const size_t header = header_bytes(v);
	struct virtio_net_hdr_v1 h = { 0 };
	uint8_t type[2];
	bool v6;

	if (v->lent.bytes < header + ETH_HEADER_BYTES ||
	    v->lent.bytes - header > sizeof(v->copy))
		return 0;
	vring_read(v->pieces, v->lent.spans, 0, &h, header);
	swap_header(&h);
	vring_read(v->pieces, v->lent.spans, header + 12, type, 2);
	v6 = type[0] == ETH_IPV6 >> 8 && type[1] == (ETH_IPV6 & 0xff);
	if (!nethdr_parse(&h, v6, meta) || !may_batch(v, meta->gso))
		return 0;
	/* The driver's word on data that is its own counts for nothing. */
	meta->csum_valid = false;
	if (!vhost_has(v, VIRTIO_NET_F_CSUM))
		meta->needs_csum = false;
	return see_frame(v, header, meta);
}

ssize_t vhost_read(struct vhost *v, struct frame_meta *meta,
		   const uint8_t **frame)
{
	struct vhost_queue *q;
	ssize_t n;

	give_back(v);
	if (v->fd < 0)
		return -EAGAIN;
	do {
		q = next_chain(v);
		for (unsigned i = 1; i < VHOST_QUEUES; i += 2)
			(void)vhost_is_lost(v, &v->queue[i]);
	} while (!q && ask_for_more(v));
	if (!q || v->mem.gone)
		return -EAGAIN;
	if (q->asked) {
		q->asked = false;
		(void)vring_ask(&q->ring, false);
	}
	*meta = (struct frame_meta){ 0 };
	*frame = v->copy;
	v->lent_of = q;
	n = see_chain(v, meta);
	return q->enabled && !vhost_is_lost(v, q) ? n : 0;
}

/* ---- to the guest ---- */

/* The chains for one frame, and their spans one after the other. */
struct room {
	struct vring_chain chain[VHOST_MERGE_MAX];
	unsigned chains, spans;
	size_t bytes;
	struct span v[VRING_SPANS_MAX];
};

static void untake_all(struct vring *r, struct room *room)
{
	while (room->chains)
		vring_untake(r, &room->chain[--room->chains]);
}

/*
 * Take chains with room for so many bytes. 0; -EAGAIN: there are not enough
 * yet; -EIO: there is no driver, or there never will be, for the whole ring is
 * not enough.
 */
static int find_room(struct vhost *v, struct vhost_queue *q, size_t bytes,
		     struct room *room)
{
	const bool merge = vhost_has(v, VIRTIO_NET_F_MRG_RXBUF);
	const unsigned most = merge ? VHOST_MERGE_MAX : 1;
	uint32_t entries = 0;
	int rc = 0;

	room->chains = room->spans = 0;
	room->bytes = 0;
	while (room->bytes < bytes && !rc) {
		struct vring_chain *c = &room->chain[room->chains];

		if (room->chains == most || entries == q->ring.size) {
			rc = -EIO;
		} else if (vring_take(&q->ring, true, room->v + room->spans,
				      VRING_SPANS_MAX - room->spans, c)) {
			room->chains++;
			room->spans += c->spans;
			room->bytes += c->bytes;
			entries += c->entries;
		} else if (q->ring.broken) {
			return -EIO;
		} else {
			q->asked = true;
			rc = vring_ask(&q->ring, true) ? 0 : -EAGAIN;
		}
	}
	if (rc) {
		untake_all(&q->ring, room);
	} else if (q->asked) {
		q->asked = false;
		(void)vring_ask(&q->ring, false);
	}
	return rc;
}

static void log_writes(const struct vhost *v, const struct room *room,
		       size_t bytes)
{
	for (unsigned i = 0; v->mem.log && i < room->spans && bytes; i++) {
		const size_t len = room->v[i].len < bytes ? room->v[i].len :
							    bytes;

		guestmem_wrote(&v->mem, room->v[i].p, len);
		bytes -= len;
	}
}

/* Into the room from its byte `at` on; 0 or -ENODATA. */
static int write_unread(const struct frame_unread *what,
			const struct room *room, size_t at)
{
	struct span v[VRING_SPANS_MAX];
	size_t left = what->bytes;
	unsigned n = 0;

	for (unsigned i = 0; i < room->spans && left; i++) {
		struct span s = room->v[i];

		if (at >= s.len) {
			at -= s.len;
			continue;
		}
		s.p = (uint8_t *)s.p + at;
		s.len -= at;
		s.len = s.len < left ? s.len : left;
		at = 0;
		left -= s.len;
		v[n++] = s;
	}
	return unread_copy(what, v, n);
}

/* One frame as it is, with the header that says what is left to do. */
static int write_one(struct vhost *v, struct vhost_queue *q,
		     const struct frame_meta *meta, const struct span *p,
		     unsigned n)
{
	struct virtio_net_hdr_v1 h;
	struct room room;
	const size_t head = header_bytes(v);
	const size_t len = head + spans_bytes(p, n) + meta->unread.bytes;
	size_t at = head, left;
	int rc;

	rc = find_room(v, q, len, &room);
	if (rc)
		return rc;
	nethdr_make(meta, &h);
	h.num_buffers = (uint16_t)room.chains;
	swap_header(&h);
	vring_write(room.v, room.spans, 0, &h, head);
	for (unsigned i = 0; i < n; i++)
		at += vring_write(room.v, room.spans, at, p[i].p, p[i].len);
	if (meta->unread.bytes &&
	    write_unread(&meta->unread, &room, at) < 0) {
		untake_all(&q->ring, &room);
		return -ENODATA;
	}
	log_writes(v, &room, len);
	left = len;
	for (unsigned i = 0; i < room.chains; i++) {
		const size_t part = room.chain[i].bytes < left ?
				    room.chain[i].bytes : left;

		vring_put(&q->ring, &room.chain[i], (uint32_t)part);
		left -= part;
	}
	vring_publish(&q->ring);
	return 0;
}

/* Has the driver agreed to do that itself? */
static bool leaves_it(const struct vhost *v, const struct frame_meta *meta)
{
	if (!vhost_has(v, VIRTIO_NET_F_GUEST_CSUM))
		return !meta->needs_csum;
	switch (meta->gso) {
	case FRAME_GSO_NONE:
		return true;
	case FRAME_GSO_TCP4:
		return vhost_has(v, VIRTIO_NET_F_GUEST_TSO4);
	case FRAME_GSO_TCP6:
		return vhost_has(v, VIRTIO_NET_F_GUEST_TSO6);
	case FRAME_GSO_UDP4:
		return vhost_has(v, VHOST_GUEST_USO4);
	case FRAME_GSO_UDP6:
		return vhost_has(v, VHOST_GUEST_USO6);
	}
	return false;
}

bool vhost_copies_unread(const struct vhost *v)
{
	return vhost_has(v, VIRTIO_NET_F_GUEST_CSUM) &&
	       (vhost_has(v, VIRTIO_NET_F_GUEST_TSO4) ||
		vhost_has(v, VIRTIO_NET_F_GUEST_TSO6));
}

/* A batch cut, a checksum completed: its parts from *part on. */
static int write_cut(struct vhost *v, struct vhost_queue *q,
		     const struct frame_meta *meta, const struct span *p,
		     unsigned n, unsigned *part)
{
	const struct frame_meta plain = { 0 };
	uint8_t frame[FRAME_MAX_BYTES];
	const unsigned parts = offload_frames(meta, spans_bytes(p, n));
	int rc = meta->unread.bytes ? -ENODATA : 0;

	while (*part < parts && !rc) {
		const struct span one = {
			.p = frame,
			.len = offload_emit(meta, p, n, *part, frame),
		};

		rc = write_one(v, q, &plain, &one, 1);
		*part += !rc;
	}
	return rc;
}

static struct vhost_queue *queue_to_guest(struct vhost *v)
{
	if (v->fd < 0 || v->mem.gone)
		return NULL;
	for (unsigned i = 0; i < VHOST_QUEUES; i += 2)
		if (takes(&v->queue[i]) && v->queue[i].enabled)
			return &v->queue[i];
	return NULL;
}

static int write_parts(struct vhost *v, struct vhost_queue *q,
		       const struct frame_meta *meta, const struct span *p,
		       unsigned n, unsigned *part)
{
	const int rc = leaves_it(v, meta) && !*part ?
		       write_one(v, q, meta, p, n) :
		       write_cut(v, q, meta, p, n, part);

	return vhost_is_lost(v, q) ? -EIO : rc;
}

/*
 * A driver need not make more available than it has, if that is too little
 * for this frame: then others are not held up by it for ever.
 */
bool vhost_push(struct vhost *v)
{
	const struct span one = { .p = v->kept, .len = v->kept_len };
	struct vhost_queue *q = queue_to_guest(v);

	if (!v->kept_len)
		return true;
	if (!q || write_parts(v, q, &v->kept_meta, &one, 1,
			      &v->kept_from) != -EAGAIN ||
	    vhost_now_s() - v->kept_s >= KEPT_S)
		v->kept_len = 0;
	return !v->kept_len;
}

/* 1: it is kept; -ENODATA */
static int keep(struct vhost *v, const struct frame_meta *meta,
		const struct span *p, unsigned n, unsigned part)
{
	const struct span rest = { .p = v->kept + spans_bytes(p, n),
				   .len = meta->unread.bytes };

	if (rest.len && unread_copy(&meta->unread, &rest, 1) < 0)
		return -ENODATA;
	v->kept_meta = *meta;
	v->kept_meta.unread.bytes = 0;
	v->kept_from = part;
	v->kept_s = vhost_now_s();
	for (unsigned i = 0; i < n; i++) {
		memcpy(v->kept + v->kept_len, p[i].p, p[i].len);
		v->kept_len += p[i].len;
	}
	v->kept_len += rest.len;
	return 1;
}

int vhost_write(struct vhost *v, const struct frame_meta *meta,
		const struct span *p, unsigned n)
{
	struct vhost_queue *q = queue_to_guest(v);
	unsigned part = 0;
	int rc;

	if (!q)
		return -EIO;
	if (!vhost_push(v))
		return -EAGAIN;
	rc = write_parts(v, q, meta, p, n, &part);
	if (rc != -EAGAIN ||
	    spans_bytes(p, n) + meta->unread.bytes > sizeof(v->kept))
		return rc;
	return keep(v, meta, p, n, part);
}

void vhost_flush(struct vhost *v)
{
	const uint64_t one = 1;

	give_back(v);
	for (unsigned i = 0; i < VHOST_QUEUES; i++) {
		struct vhost_queue *q = &v->queue[i];

		if (!takes(q))
			continue;
		vring_publish(&q->ring);
		if (vring_wants_call(&q->ring) && q->call_fd >= 0)
			(void)!write(q->call_fd, &one, sizeof(one));
		(void)vhost_is_lost(v, q);
	}
}
