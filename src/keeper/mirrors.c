/* SPDX-License-Identifier: MIT */
#include "keeper/mirrors.h"

#include <stdlib.h>
#include <unistd.h>

#define MIRRORS_TICK_NS	UINT64_C(20000000)	/* how late we see a listener */
#define MIRRORS_IDS	(UINT32_C(1) << 31)	/* first id: others are below */

static bool is_own(void *ctx, const struct listener *l, uint64_t cookie)
{
	const struct mirrors *m = ctx;

	(void)l;
	return hostports_own(m->host, cookie);
}

static bool tell(void *ctx, bool gone, const struct listener *l)
{
	struct mirrors *m = ctx;

	if (!m->tcp_only || !l->udp)
		forwards_listener(&m->forwards, l, gone);
	return true;
}

static void look(struct mirrors *m, uint64_t now_ns)
{
	/* A dump that failed (memory) is no news; the next one will tell. */
	if (listeners_read(m->diag, &m->picked, is_own, m, &m->seen) == 0)
		listeners_diff(&m->known, &m->seen, tell, m);
	m->next_ns = now_ns + MIRRORS_TICK_NS;
}

int mirrors_start(struct mirrors *m, const struct config *c,
		  const struct hostports *host, int inside_ch,
		  uint64_t now_ns)
{
	m->diag = -1;
	if (c->host_access != CONFIG_ACCESS_LOCALHOST &&
	    c->host_access != CONFIG_ACCESS_LIST)
		return 0;
	m->host = host;
	m->ports = (struct hostports){
		.dir = host->dir, .log = host->log,
		.engine_ch = host->engine_ch, .fd_max = host->fd_max,
		.in_guest = true, .inside_ch = inside_ch,
		.next_id = MIRRORS_IDS,
	};
	free(m->forwards.forward);	/* those of an agent that has gone */
	free(m->forwards.status);
	m->forwards = (struct forwards){
		.config = c, .ports = &m->ports, .wanted = forwards_wants_of_host,
	};
	m->picked = listeners_picked();
	m->diag = listeners_open();
	if (m->diag < 0)
		return m->diag;
	look(m, now_ns);
	return 0;
}

void mirrors_bound(struct mirrors *m, uint32_t id, int fd, int error)
{
	forwards_bound(&m->forwards, id, fd, error);
}

bool mirrors_settled(const struct mirrors *m)
{
	return forwards_settled(&m->forwards);
}

uint64_t mirrors_tick(struct mirrors *m, uint64_t now_ns)
{
	if (m->diag < 0)
		return UINT64_MAX;
	if (m->next_ns <= now_ns)
		look(m, now_ns);
	return m->next_ns;
}

void mirrors_end(struct mirrors *m)
{
	if (m->diag < 0)
		return;
	m->seen.n = 0;
	listeners_diff(&m->known, &m->seen, tell, m);
	close(m->diag);
	m->diag = -1;
}

void mirrors_shut(struct mirrors *m)
{
	forwards_shut(&m->forwards);
}
