/* SPDX-License-Identifier: MIT */
#include "keeper/mirrors.h"

#include <stdlib.h>
#include <unistd.h>

#define MIRRORS_TICK_NS	UINT64_C(20000000)	/* how late we see a listener */
#define MIRRORS_IDS	(UINT32_C(1) << 31)	/* first id: others are below */

static bool is_own(void *ctx, const struct listener *l, uint64_t cookie)
{
	const struct mirrored *of = ctx;

	(void)l;
	return hostports_own(of->host, cookie);
}

static bool tell(void *ctx, bool gone, const struct listener *l)
{
	struct mirrors *m = ctx;

	if (!m->tcp_only || !l->udp)
		forwards_listener(&m->forwards, l, gone);
	return true;
}

/* false: a dump has failed (memory), which is no news; the next will tell. */
static bool look(struct mirrored *of, uint64_t now_ns)
{
	of->next_ns = now_ns + MIRRORS_TICK_NS;
	return listeners_read(of->diag, &of->picked, is_own, of,
			      &of->seen) == 0;
}

int mirrored_start(struct mirrored *of, const struct hostports *host,
		   uint64_t now_ns)
{
	if (of->diag >= 0)
		return 0;
	of->host = host;
	if (!of->next_id)
		of->next_id = MIRRORS_IDS;
	of->picked = listeners_picked();
	of->diag = listeners_open();
	if (of->diag < 0)
		return of->diag;
	if (!look(of, now_ns))
		of->seen.n = 0;
	return 0;
}

bool mirrored_tick(struct mirrored *of, uint64_t now_ns)
{
	/* What a failed look has left is nothing to go by. */
	return of->diag >= 0 && of->next_ns <= now_ns && look(of, now_ns);
}

void mirrored_end(struct mirrored *of)
{
	if (of->diag >= 0)
		close(of->diag);
	of->diag = -1;
}

bool mirrors_wanted(const struct config *c)
{
	return c->host_access == CONFIG_ACCESS_LOCALHOST ||
	       c->host_access == CONFIG_ACCESS_LIST;
}

void mirrors_start(struct mirrors *m, const struct config *c,
		   struct mirrored *of, int inside_ch)
{
	const struct hostports *host = of->host;

	m->ports = (struct hostports){
		.dir = host->dir, .log = host->log,
		.engine_ch = host->engine_ch, .fd_max = host->fd_max,
		.in_guest = true, .inside_ch = inside_ch,
		.guest = m->guest, .next_id = &of->next_id,
	};
	free(m->forwards.forward);	/* those of an agent that has gone */
	free(m->forwards.status);
	m->forwards = (struct forwards){
		.config = c, .ports = &m->ports,
		.wanted = forwards_wants_of_host,
	};
	m->on = true;
	mirrors_follow(m, of);
}

void mirrors_follow(struct mirrors *m, const struct mirrored *of)
{
	if (m->on)
		listeners_diff(&m->known, &of->seen, tell, m);
}

void mirrors_bound(struct mirrors *m, uint32_t id, int fd, int error)
{
	forwards_bound(&m->forwards, id, fd, error);
}

bool mirrors_settled(const struct mirrors *m)
{
	return forwards_settled(&m->forwards);
}

void mirrors_end(struct mirrors *m)
{
	static const struct listeners none;

	if (m->on)
		listeners_diff(&m->known, &none, tell, m);
	m->on = false;
}

void mirrors_shut(struct mirrors *m)
{
	forwards_shut(&m->forwards);
}
