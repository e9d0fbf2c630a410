/* SPDX-License-Identifier: MIT */
#include "wire/agent.h"

#include <string.h>

#include "base/rd.h"

#define LENGTH_BYTES 2

size_t agent_bytes(const uint8_t *p, size_t n)
{
	struct rd r = rd(p, n);
	const uint16_t rest = rd_be16(&r);

	return r.bad ? 0 : LENGTH_BYTES + (size_t)rest;
}

static struct view view_of(const struct rd *r)
{
	return (struct view){ .p = r->p, .len = r->left };
}

enum drop agent_parse(struct view whole, struct agent_message *out)
{
	struct agent_message m = { 0 };
	struct rd r = rd(whole.p, whole.len), text;
	const uint16_t rest = rd_be16(&r);
	const uint8_t *ip, *token;

	if (r.bad)
		return DROP_SHORT;
	if (r.left != rest)
		return DROP_LENGTH;
	m.kind = rd_u8(&r);
	m.flags = rd_u8(&r);
	m.at.port = rd_be16(&r);
	m.id = rd_be32(&r);
	m.value = rd_be32(&r);
	ip = rd_bytes(&r, sizeof(m.at.ip.b));
	token = rd_bytes(&r, sizeof(m.token));
	text = rd_cut(&r, rd_be16(&r));
	if (r.bad || text.bad)
		return DROP_SHORT;
	if (!m.kind || m.kind >= AGENT_KIND_MAX || m.flags & ~AGENT_FLAGS)
		return DROP_VALUE;
	memcpy(m.at.ip.b, ip, sizeof(m.at.ip.b));
	memcpy(m.token, token, sizeof(m.token));
	m.text = view_of(&text);
	m.more = view_of(&r);
	*out = m;
	return DROP_OK;
}

void agent_emit(struct wr *w, const struct agent_message *m)
{
	const size_t rest = AGENT_HEAD_BYTES - LENGTH_BYTES + m->text.len +
			    m->more.len;

	if (rest > UINT16_MAX) {
		w->bad = true;
		return;
	}
	wr_be16(w, (uint16_t)rest);
	wr_u8(w, m->kind);
	wr_u8(w, m->flags);
	wr_be16(w, m->at.port);
	wr_be32(w, m->id);
	wr_be32(w, m->value);
	wr_bytes(w, m->at.ip.b, sizeof(m->at.ip.b));
	wr_bytes(w, m->token, sizeof(m->token));
	wr_be16(w, (uint16_t)m->text.len);
	wr_bytes(w, m->text.p, m->text.len);
	wr_bytes(w, m->more.p, m->more.len);
}
