/* SPDX-License-Identifier: MIT */
#include "network/meta.h"

#include "proto/udp.h"
#include "wire/tcp.h"
#include "wire/udp.h"

bool meta_is_true(const struct frame_meta *m, const struct ip_packet *ip)
{
	const size_t l4 = ip->whole.len - ip->payload.len;
	const bool tcp = ip->proto == PROTO_TCP;

	if (m->needs_csum &&
	    (m->csum_start != l4 || m->csum_offset != (tcp ? TCP_CSUM_OFFSET :
						       UDP_CSUM_OFFSET) ||
	     (!tcp && ip->proto != PROTO_UDP)))
		return false;
	switch (m->gso) {
	case FRAME_GSO_NONE:
		return true;
	case FRAME_GSO_TCP4: case FRAME_GSO_TCP6:
		return m->gso_size && m->needs_csum && tcp &&
		       ip->v6 == (m->gso == FRAME_GSO_TCP6);
	case FRAME_GSO_UDP4: case FRAME_GSO_UDP6:
		return m->gso_size && m->needs_csum &&
		       ip->proto == PROTO_UDP &&
		       ip->payload.len <= UDP_HEADER_BYTES +
				(size_t)m->gso_size * UDP_BATCH_MAX &&
		       ip->v6 == (m->gso == FRAME_GSO_UDP6);
	}
	return false;
}

size_t meta_headers_bytes(const struct ip_packet *ip)
{
	const size_t before = ip->whole.len - ip->payload.len;
	struct tcp_segment seg;

	if (ip->proto == PROTO_UDP)
		return before + UDP_HEADER_BYTES;
	if (ip->proto != PROTO_TCP || tcp_parse(ip->payload, &seg) != DROP_OK)
		return before;
	return ip->whole.len - seg.data.len;
}

bool meta_has_options(const struct ip_packet *ip)
{
	return ip->whole.len - ip->payload.len != ip_header_bytes(&ip->src);
}
