/* SPDX-License-Identifier: MIT */
#include "wire/eth.h"

#include <string.h>

enum drop eth_parse(struct rd *r, struct eth *out)
{
	const uint8_t *dst = rd_bytes(r, 6);
	const uint8_t *src = rd_bytes(r, 6);
	const uint16_t type = rd_be16(r);

	if (r->bad)
		return DROP_SHORT;
	if (src[0] & 1)
		return DROP_SOURCE;
	memcpy(out->dst.b, dst, 6);
	memcpy(out->src.b, src, 6);
	out->type = type;
	return DROP_OK;
}

void eth_emit(struct wr *w, const struct eth *e)
{
	wr_bytes(w, e->dst.b, 6);
	wr_bytes(w, e->src.b, 6);
	wr_be16(w, e->type);
}
