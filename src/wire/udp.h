/* SPDX-License-Identifier: MIT */
/* wire/udp.h - UDP header (RFC 768, RFC 8200 section 8.1). */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include "base/drop.h"
#include "base/span.h"
#include "base/wr.h"

#define UDP_HEADER_BYTES	8
#define UDP_CSUM_OFFSET		6
#define UDP_MAX_DATA_BYTES	65507	/* over IPv4 */

struct udp {
	uint16_t src_port, dst_port;
	bool no_csum;		/* checksum field is 0 */
	struct view data;
};

/*
 * DROP_SHORT; DROP_LENGTH: length field under 8 or past the end. Bytes
 * after the length are cut. The checksum is not verified here.
 */
MUST enum drop udp_parse(struct view l4, struct udp *out);

/* Write the header for data_len bytes; csum as given, host order. */
void udp_emit(struct wr *w, uint16_t src_port, uint16_t dst_port,
	      size_t data_len, uint16_t csum);

#endif
