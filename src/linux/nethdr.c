/* SPDX-License-Identifier: MIT */
#include "linux/nethdr.h"

#include <linux/virtio_net.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

_Static_assert(sizeof(struct virtio_net_hdr_v1) == NETHDR_BYTES,
	       "with the number of buffers");

static bool parse_gso(uint8_t type, bool v6, enum frame_gso *out)
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

bool nethdr_parse(const struct virtio_net_hdr_v1 *h, bool v6,
		  struct frame_meta *out)
{
	struct frame_meta m = { 0 };

	if (!parse_gso(h->gso_type, v6, &m.gso))
		return false;
	m.needs_csum = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	m.csum_valid = h->flags & VIRTIO_NET_HDR_F_DATA_VALID;
	m.gso_size = h->gso_size;
	m.hdr_len = h->hdr_len;
	m.csum_start = h->csum_start;
	m.csum_offset = h->csum_offset;
	*out = m;
	return true;
}

static uint8_t make_gso(enum frame_gso gso)
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

void nethdr_make(const struct frame_meta *meta, struct virtio_net_hdr_v1 *h)
{
	*h = (struct virtio_net_hdr_v1){
		.gso_type = make_gso(meta->gso),
		.gso_size = meta->gso_size,
		.hdr_len = meta->hdr_len,
	};
	if (meta->needs_csum) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = meta->csum_start;
		h->csum_offset = meta->csum_offset;
	}
}
