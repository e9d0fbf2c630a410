/* SPDX-License-Identifier: MIT */
#include "linux/tap.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

_Static_assert(sizeof(struct virtio_net_hdr_v1) == TAP_HEADER_BYTES,
	       "the header that the tap was told about");
_Static_assert(sizeof(struct span) == sizeof(struct iovec) &&
	       offsetof(struct span, p) == offsetof(struct iovec, iov_base) &&
	       offsetof(struct span, len) == offsetof(struct iovec, iov_len),
	       "a span is an iovec");

/* Which family a UDP batch has is told by the frame's Ethernet type. */
static bool frame_is_v6(const uint8_t *frame)
{
	return frame[12] == 0x86 && frame[13] == 0xdd;
}

static bool packet_is_v6(const uint8_t *packet)
{
	return packet[0] >> 4 == 6;
}

static bool read_gso(uint8_t type, bool v6, enum frame_gso *out)
{
	switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE:
		*out = FRAME_GSO_NONE;
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV4:
		*out = FRAME_GSO_TCP4;
		return true;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		*out = FRAME_GSO_TCP6;
		return true;
	case VIRTIO_NET_HDR_GSO_UDP_L4:
		*out = v6 ? FRAME_GSO_UDP6 : FRAME_GSO_UDP4;
		return true;
	default:
		return false;
	}
}

/* least: bytes below which it makes no sense, as many as is_v6 looks at. */
static ssize_t read_one(int fd, uint8_t *buf, size_t cap,
			struct frame_meta *meta, ssize_t least,
			bool (*is_v6)(const uint8_t *))
{
	const struct virtio_net_hdr_v1 *h = (const void *)buf;
	const ssize_t n = read(fd, buf, cap);
	struct frame_meta m = { 0 };

	if (n < 0)
		return -errno;
	if (n < TAP_HEADER_BYTES + least ||
	    !read_gso(h->gso_type, is_v6(buf + TAP_HEADER_BYTES), &m.gso))
		return 0;
	m.needs_csum = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	m.csum_valid = h->flags & VIRTIO_NET_HDR_F_DATA_VALID;
	m.gso_size = h->gso_size;
	m.hdr_len = h->hdr_len;
	m.csum_start = h->csum_start;
	m.csum_offset = h->csum_offset;
	*meta = m;
	return n - TAP_HEADER_BYTES;
}

ssize_t tap_read(int fd, uint8_t *buf, size_t cap, struct frame_meta *meta)
{
	return read_one(fd, buf, cap, meta, 14, frame_is_v6);
}

ssize_t tun_read(int fd, uint8_t *buf, size_t cap, struct frame_meta *meta)
{
	return read_one(fd, buf, cap, meta, 1, packet_is_v6);
}

static uint8_t write_gso(enum frame_gso gso)
{
	switch (gso) {
	case FRAME_GSO_TCP4:
		return VIRTIO_NET_HDR_GSO_TCPV4;
	case FRAME_GSO_TCP6:
		return VIRTIO_NET_HDR_GSO_TCPV6;
	case FRAME_GSO_UDP4:
	case FRAME_GSO_UDP6:
		return VIRTIO_NET_HDR_GSO_UDP_L4;
	case FRAME_GSO_NONE:
		break;
	}
	return VIRTIO_NET_HDR_GSO_NONE;
}

int tap_write(int fd, const struct frame_meta *meta, const struct span *v,
	      unsigned n)
{
	struct virtio_net_hdr_v1 h = {
		.gso_type = write_gso(meta->gso),
		.gso_size = meta->gso_size,
		.hdr_len = meta->hdr_len,
	};
	struct iovec iov[5] = { { .iov_base = &h, .iov_len = sizeof(h) } };

	ASSERT(n <= 4);
	if (meta->needs_csum) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = meta->csum_start;
		h.csum_offset = meta->csum_offset;
	}
	for (unsigned i = 0; i < n; i++)
		iov[1 + i] = (struct iovec){ .iov_base = v[i].p,
					     .iov_len = v[i].len };
	return writev(fd, iov, (int)n + 1) < 0 ? -errno : 0;
}
