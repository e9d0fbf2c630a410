/* SPDX-License-Identifier: MIT */
#include "wire/udp.h"

#include "base/rd.h"

enum drop udp_parse(struct view l4, struct udp *out)
{
	struct rd r = rd(l4.p, l4.len), data;
	struct udp u = { 0 };

	u.src_port = rd_be16(&r);
	u.dst_port = rd_be16(&r);
	const uint16_t len = rd_be16(&r);
	u.no_csum = rd_be16(&r) == 0;

	if (r.bad)
		return DROP_SHORT;
	if (len < UDP_HEADER_BYTES)
		return DROP_LENGTH;
	data = rd_cut(&r, (size_t)len - UDP_HEADER_BYTES);
	if (data.bad)
		return DROP_LENGTH;
	u.data = (struct view){ .p = data.p, .len = data.left };
	*out = u;
	return DROP_OK;
}

void udp_emit(struct wr *w, uint16_t src_port, uint16_t dst_port,
	      size_t data_len, uint16_t csum)
{
	wr_be16(w, src_port);
	wr_be16(w, dst_port);
	wr_be16(w, (uint16_t)(UDP_HEADER_BYTES + data_len));
	wr_be16(w, csum);
}
