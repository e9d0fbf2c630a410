/* SPDX-License-Identifier: MIT */
#include "linux/tap.h"

#include <errno.h>
#include <linux/virtio_net.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux/nethdr.h"

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

/* least: bytes below which it makes no sense, as many as is_v6 looks at. */
static ssize_t read_one(int fd, uint8_t *buf, size_t cap,
			struct frame_meta *meta, ssize_t least,
			bool (*is_v6)(const uint8_t *))
{
	const struct virtio_net_hdr_v1 *h = (const void *)buf;
	const ssize_t n = read(fd, buf, cap);

	if (n < 0)
		return -errno;
	if (n < TAP_HEADER_BYTES + least ||
	    !nethdr_parse(h, is_v6(buf + TAP_HEADER_BYTES), meta))
		return 0;
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

int tap_write(int fd, const struct frame_meta *meta, const struct span *v,
	      unsigned n)
{
	struct virtio_net_hdr_v1 h;
	struct iovec iov[1 + TAP_PIECES_MAX] = {
		{ .iov_base = &h, .iov_len = sizeof(h) },
	};

	ASSERT(n <= TAP_PIECES_MAX);
	nethdr_make(meta, &h);
	for (unsigned i = 0; i < n; i++)
		iov[1 + i] = (struct iovec){ .iov_base = v[i].p,
					     .iov_len = v[i].len };
	return writev(fd, iov, (int)n + 1) < 0 ? -errno : 0;
}
